"""What is secret is in no log, no answer, no metric and no word about the settings."""

from pathlib import Path

import pytest

from service.settings import Settings, SettingsError
from tests.helpers import table
from tests.server import Server, clean_environment, free_port, launch, ready, wait_for
from tests.service.cases import GOOD, JSON, pixels_json

SECRETS = {
    "api_keys": "secret-of-a-user",
    "api_keys_file": "secret-of-a-user-in-a-file",
    "admin_token": "secret-of-an-administrator",
    "admin_token_file": "secret-of-one-in-a-file",
    "feedback_url": "secret-of-a-database",
    "traces": "secret-of-a-collector",
}
MARK = "secret-of"


def settings(folder: Path) -> dict[str, object]:
    """All secrets that there are, in settings and in files."""
    files = {name: folder / name for name in SECRETS if name.endswith("_file")}
    for name, file in files.items():
        file.write_text(SECRETS[name], "ascii")
    return {
        **files,
        "api_keys": SECRETS["api_keys"],
        "admin_token": SECRETS["admin_token"],
        "feedback_url": f"postgresql://digits:{SECRETS['feedback_url']}@127.0.0.1:1/none",
    }


def test_every_secret_setting_is_tried_here() -> None:
    hidden = {name for name, field in Settings.__dataclass_fields__.items() if not field.repr}
    files = {name for name in Settings.__dataclass_fields__ if name.endswith("_file")}
    assert hidden | files == SECRETS.keys() - {"traces"}


def test_a_secret_is_in_no_log_no_answer_and_no_metric(tmp_path: Path) -> None:
    variables = clean_environment(
        **settings(tmp_path), port=(port := free_port()), workers=1, access_log=1, log_level="debug"
    ) | {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
        "OTEL_EXPORTER_OTLP_HEADERS": f"api-key={SECRETS['traces']}",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    log = tmp_path / "log"
    answers = []
    with ready(Server(port, launch(log, variables), log)) as server, server.client() as client:
        for secret in [*SECRETS.values(), f"{MARK}-nobody-in-particular"]:
            for headers in (
                {"Authorization": f"Bearer {secret}"},
                {"X-API-Key": secret},
                {"Authorization": f"Basic {secret}", "X-Request-ID": f"{secret}\t"},
            ):
                for method, path, body in (
                    ("POST", "/predict", pixels_json(GOOD)),
                    ("POST", "/predict", b"no JSON"),
                    ("POST", "/feedback", b'{"request_id": "a", "label": 1}'),
                    ("POST", "/v2/repository/models/digits/load", b""),
                    ("GET", "/models", b""),
                    ("GET", "/metrics", b""),
                    ("GET", "/docs", b""),
                    ("GET", "/readyz?verbose", b""),
                ):
                    answers.append(client.request(method, path, body, {**JSON, **headers}))
        wait_for("the database is missed", lambda: b"cannot be stored" in log.read_bytes())
        server.stop()
    assert len(answers) > 100
    for answer in answers:
        assert MARK.encode() not in answer.body
        assert MARK not in str(answer.headers)
    told = log.read_text("utf-8")
    assert '"route": "/predict"' in told
    assert MARK not in told


def test_settings_are_shown_without_secrets(tmp_path: Path) -> None:
    environ = {f"DIGITS_{name.upper()}": str(value) for name, value in settings(tmp_path).items()}
    shown = Settings.from_env(environ)
    assert MARK not in f"{shown!r} {shown}"


@table(
    "name, value",
    {
        "a short key": ("DIGITS_API_KEYS", f"{MARK}"),
        "a key of two words": ("DIGITS_API_KEYS", f"{MARK} somebody or other"),
        "a short token": ("DIGITS_ADMIN_TOKEN", MARK),
        "another database": ("DIGITS_FEEDBACK_URL", f"mysql://me:{MARK}@db/x"),
        "a misspelt name": ("DIGITS_API_KEY", f"{MARK}-somebody-or-other"),
    },
)
def test_a_secret_that_is_refused_is_not_told(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name) as refused:
        Settings.from_env({name: value})
    assert MARK not in str(refused.value)
