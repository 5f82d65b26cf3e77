"""Settings: environment variables ``DIGITS_*``, read once, typed and checked.

The environment name of a field is ``DIGITS_`` and the field's name in capitals.
"""

import dataclasses
import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

PREFIX = "DIGITS_"

# Read by other parts of the project, so not a misspelled setting of this one.
FOREIGN = frozenset({"DIGITS_DATA", "DIGITS_DRAWINGS"})

# Where the workers' metrics files are. prometheus-client reads it when it is
# imported, and only from the environment; gunicorn_conf.py sets it.
METRICS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

# Where a worker keeps what it has counted for drift, in the same directory.
DRIFT_FILE = "drift_{slot}.json"

LOG_LEVELS = ("debug", "info", "warning", "error")

# What can be sent as a token of RFC 6750, and be told apart in a list.
KEY = re.compile(r"[!-+\--~]{16,}")
KEY_RULE = "at least 16 characters of printable ASCII, no space or comma among them"

# As browsers write it in the header Origin (RFC 6454, section 6.2), which is compared as a text.
ORIGIN = re.compile(
    r"(?!http:.*:80$|https:.*:443$)"
    r"[a-z][a-z0-9+.-]*://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?"
)
ANY_ORIGIN = "*"

CLOSABLE = ("docs", "drift", "metrics")

ON = "on"

DATABASES = ("postgresql://", "postgres://")  # how an address of one begins

Words: TypeAlias = tuple[str, ...] | None


class SettingsError(Exception):
    """A setting that is unknown or has an impossible value; the message names it."""


def _setting(default: Any, meaning: str, low: int = 0, high: int = 0) -> Any:  # noqa: ANN401 - a field of any type
    return dataclasses.field(
        default=default, metadata={"meaning": meaning, "low": low, "high": high}
    )


def _secret(meaning: str) -> Any:  # noqa: ANN401 - a field of any type
    return dataclasses.field(default=None, repr=False, metadata={"meaning": meaning})


@dataclass(frozen=True)
class Settings:
    """All settings of the service. ``from_env`` reads them; the README's table lists them."""

    host: str = _setting("127.0.0.1", "address to listen on")
    port: int = _setting(8000, "port to listen on", 1, 65_535)
    operations_port: int = _setting(0, "port of /metrics and /drift; 0 for the same", 0, 65_535)
    closed: Words = _setting(None, "routes that are not answered: docs, drift, metrics")
    workers: int = _setting(0, "worker processes; 0 for one for each core", 0, 256)
    threads: int = _setting(4, "threads in each worker, for what takes long", 1, 256)
    max_in_flight: int = _setting(
        64, "most requests of a worker in threads or waiting for one", 1, 65_536
    )
    model: Path | None = _setting(None, "artifact file to serve; goes before the store")
    store: Path | None = _setting(None, "directory of versions whose champion is served")
    model_key: str | None = _setting(
        None, "public keys of whom models are taken, in base64, or a file of them"
    )
    other_versions: int = _setting(
        2, "versions beside champion and challenger that stay loaded, for who names them", 1, 64
    )
    shadow_percent: int = _setting(
        10, "how many of 100 requests a challenger sees after the champion has answered", 0, 100
    )
    canary_percent: int = _setting(0, "how many of 100 requests a challenger answers", 0, 100)
    max_body_bytes: int = _setting(8 * 2**20, "largest request body", 1_024, 2**30)
    max_batch: int = _setting(1_024, "most images in one request", 1, 65_536)
    max_image_pixels: int = _setting(16 * 10**6, "most pixels of one image", 784, 10**9)
    read_timeout: int = _setting(10, "seconds a client may take to send a request", 1, 600)
    graceful_timeout: int = _setting(30, "seconds to finish requests after SIGTERM", 1, 3_600)
    metrics_dir: Path | None = _setting(
        None, "directory of the workers' metrics files, emptied at start; default: a temporary one"
    )
    drift_window: int = _setting(3_600, "seconds that /drift looks back", 60, 7 * 86_400)
    log_level: str = _setting("info", f"one of {', '.join(LOG_LEVELS)}")
    access_log: int = _setting(0, "1 for a line of JSON in the log for each request", 0, 1)
    api_keys: Words = _secret("keys that open the service, with commas between them")
    api_keys_file: Path | None = _setting(None, "file of such keys, one a line, read when changed")
    admin_token: str | None = _secret("key of administrators")
    admin_token_file: Path | None = _setting(None, "file of such keys, one a line")
    rate_limit: int = _setting(0, "requests a second of one client; 0 for no limit", 0, 10**6)
    rate_burst: int = _setting(0, "most of them at once; 0 for as many as in a second", 0, 10**6)
    trusted_proxies: Words = _setting(
        None, "addresses and networks whose X-Forwarded-For is believed"
    )
    cors_origins: Words = _setting(None, "origins whose pages may ask, or * for all")
    feedback: str | None = _setting(
        None, "on, or the SQLite file, NAME.db, that images, answers and labels are kept in"
    )
    feedback_url: str | None = _secret("PostgreSQL database that they are kept in instead")
    feedback_percent: int = _setting(100, "how many of 100 requests are kept", 1, 100)
    feedback_queue: int = _setting(
        4_096, "most images of a worker that wait to be written", 1, 2**20
    )
    feedback_max_rows: int = _setting(100_000, "most images that are kept", 1, 10**9)
    feedback_max_days: int = _setting(30, "days after which they are removed", 1, 36_500)

    def __post_init__(self) -> None:
        if self.log_level not in LOG_LEVELS:
            raise SettingsError(
                f"DIGITS_LOG_LEVEL is {self.log_level!r}; set one of {', '.join(LOG_LEVELS)}"
            )
        if self.operations_port == self.port:
            raise SettingsError(
                f"DIGITS_OPERATIONS_PORT is {self.port}, as DIGITS_PORT is; set another, or none"
            )
        for name in self.closed or ():
            if name not in CLOSABLE:
                raise SettingsError(
                    f"DIGITS_CLOSED has {name!r}; set some of {', '.join(CLOSABLE)}"
                )
        if self.api_keys is not None:
            check_keys("DIGITS_API_KEYS", self.api_keys)
        if self.admin_token is not None:
            check_keys("DIGITS_ADMIN_TOKEN", [self.admin_token])
        networks(self.trusted_proxies or ())
        if self.cors_origins is not None:
            _check_origins(self.cors_origins)
        _check_feedback(self.feedback, self.feedback_url)

    @property
    def takes_feedback(self) -> bool:
        """Whether what is answered is kept, to be labelled."""
        return self.feedback is not None or self.feedback_url is not None

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
    if field.type == Words:
        return tuple(word.strip() for word in text.split(",") if word.strip())
    return Path(text) if field.type == Path | None else text


def check_keys(where: str, keys: Sequence[str]) -> None:
    """Raise SettingsError unless there are keys, all of them hard to guess; none is told."""
    if not keys:
        raise SettingsError(f"{where} has no key; add one of {KEY_RULE}")
    for number, key in enumerate(keys, 1):
        if not KEY.fullmatch(key):
            raise SettingsError(f"{where}: key {number} is none; a key has {KEY_RULE}")


def networks(words: Sequence[str]) -> Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """The networks that are named, an address being one of its own; raises SettingsError."""
    try:
        return [ipaddress.ip_network(word) for word in words]
    except ValueError:
        raise SettingsError(
            f"DIGITS_TRUSTED_PROXIES is {','.join(words)!r}; set addresses or networks of proxies, "
            "as in 10.0.0.7,10.1.0.0/16"
        ) from None


def _check_feedback(feedback: str | None, url: str | None) -> None:
    """What could be meant to switch it off does not make a file of that name."""
    if feedback is not None and feedback != ON and not feedback.endswith(".db"):
        raise SettingsError(
            f"DIGITS_FEEDBACK is {feedback!r}; set {ON}, or a file whose name ends in .db"
        )
    if url is not None and feedback not in (None, ON):
        raise SettingsError("DIGITS_FEEDBACK is a file and DIGITS_FEEDBACK_URL is set; set one")
    if url is not None and not url.startswith(DATABASES):
        raise SettingsError(
            "DIGITS_FEEDBACK_URL is of no known database; set postgresql://USER@HOST/NAME"
        )


def _check_origins(origins: Sequence[str]) -> None:
    if origins == (ANY_ORIGIN,):
        return
    for origin in origins or [""]:
        if not ORIGIN.fullmatch(origin):
            raise SettingsError(
                f"DIGITS_CORS_ORIGINS: {origin!r} is no origin as browsers send it; set * alone, "
                "or a list as in https://example.org,http://localhost:3000"
            )
