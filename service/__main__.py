"""``python -m service``: check the settings and the model, then become gunicorn."""

import argparse
import os
import sys
from collections.abc import Sequence

from model import Classifier, ModelError, locate
from model.trust import trust
from service import feedback, tracing
from service.keys import Keys
from service.settings import Settings, SettingsError

GUNICORN = ("-m", "gunicorn", "-c", "python:service.gunicorn_conf", "service.app:create_app()")


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until stopped; returns 1 when the settings or the model do not allow it.

    The model is loaded once here, so that a bad one stops the start with one
    line instead of a traceback from every worker. Then this process is
    replaced, and the master starts with none of what that took.
    """
    parser = argparse.ArgumentParser(
        prog="python -m service",
        description="Serve the model on HTTP. Settings are DIGITS_* environment variables, "
        "listed in service/README.md.",
    )
    parser.add_argument("--check", action="store_true", help="check settings and model, then end")
    arguments = parser.parse_args(argv)
    _open_closed_streams()
    try:
        settings = Settings.from_env(os.environ)
        Keys.of(settings)
        feedback.check(settings)
        tracing.check(os.environ)
        path = locate(settings.model, settings.store)
        artifact = Classifier.load(path, trust(settings.model_key)).artifact
    except (SettingsError, ModelError) as error:
        print(f"digits: cannot start: {error}", file=sys.stderr)
        return 1
    if arguments.check:
        print(f"digits: can serve {artifact.name} version {artifact.version}, {artifact.digest()}")
    else:
        os.execv(sys.executable, [sys.executable, *GUNICORN])  # nosec B606  # noqa: S606 - fixed words
    return 0


def _open_closed_streams() -> None:
    """Let what was started without stdin, stdout or stderr have none that a client could get.

    The next file or socket takes the lowest free number: lines of the log would go there.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # noqa: FBT003 - so it is


if __name__ == "__main__":
    sys.exit(main())
