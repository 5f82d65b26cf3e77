"""Settings: environment variables ``DIGITS_*``, read once, typed and checked.

The environment name of a field is ``DIGITS_`` and the field's name in capitals.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PREFIX = "DIGITS_"

# Read by other parts of the project, so not a misspelled setting of this one.
FOREIGN = frozenset({"DIGITS_DATA", "DIGITS_DRAWINGS"})

# Where the workers' metrics files are. prometheus-client reads it when it is
# imported, and only from the environment; gunicorn_conf.py sets it.
METRICS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

LOG_LEVELS = ("debug", "info", "warning", "error")


class SettingsError(Exception):
    """A setting that is unknown or has an impossible value; the message names it."""


def _setting(default: Any, meaning: str, low: int = 0, high: int = 0) -> Any:  # noqa: ANN401 - a field of any type
    return dataclasses.field(
        default=default, metadata={"meaning": meaning, "low": low, "high": high}
    )


@dataclass(frozen=True)
class Settings:
    """All settings of the service. ``from_env`` reads them; the README's table lists them."""

    host: str = _setting("127.0.0.1", "address to listen on")
    port: int = _setting(8000, "port to listen on", 1, 65_535)
    workers: int = _setting(2, "worker processes", 1, 256)
    threads: int = _setting(4, "threads in each worker, for what takes long", 1, 256)
    model: Path | None = _setting(None, "artifact file to serve; goes before the store")
    store: Path | None = _setting(None, "directory of versions whose champion is served")
    max_body_bytes: int = _setting(8 * 2**20, "largest request body", 1_024, 2**30)
    max_batch: int = _setting(1_024, "most images in one request", 1, 65_536)
    max_image_pixels: int = _setting(16 * 10**6, "most pixels of one image", 784, 10**9)
    read_timeout: int = _setting(10, "seconds a client may take to send a request", 1, 600)
    graceful_timeout: int = _setting(30, "seconds to finish requests after SIGTERM", 1, 3_600)
    metrics_dir: Path | None = _setting(
        None, "directory of the workers' metrics files, emptied at start; default: a temporary one"
    )
    log_level: str = _setting("info", f"one of {', '.join(LOG_LEVELS)}")

    def __post_init__(self) -> None:
        if self.log_level not in LOG_LEVELS:
            raise SettingsError(
                f"DIGITS_LOG_LEVEL is {self.log_level!r}; set one of {', '.join(LOG_LEVELS)}"
            )

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "Settings":
        """Read the settings; an empty value counts as not set.

        Raises SettingsError naming the variable that is unknown or impossible.
        """
        fields = {PREFIX + field.name.upper(): field for field in dataclasses.fields(cls)}
        given = {name: value for name, value in environ.items() if name.startswith(PREFIX)}
        for name in sorted(given.keys() - fields.keys() - FOREIGN):
            raise SettingsError(f"{name} is not a setting; the settings are: {', '.join(fields)}")
        values: dict[str, Any] = {
            field.name: _parse(name, given[name], field)
            for name, field in fields.items()
            if given.get(name)
        }
        return cls(**values)


def _parse(name: str, text: str, field: dataclasses.Field[Any]) -> object:
    if field.type is int:
        low, high = field.metadata["low"], field.metadata["high"]
        if not (text.isascii() and text.isdecimal() and low <= int(text) <= high):
            raise SettingsError(f"{name} is {text!r}; set an integer from {low} to {high}")
        return int(text)
    return text if field.type is str else Path(text)
