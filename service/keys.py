"""Who may ask: keys, sent as bearer tokens (RFC 6750) or in X-API-Key, and what needs none.

Several keys are valid at once, and files of keys are read again when they have changed,
so keys are exchanged without a restart: add the new one, and remove the old one when
nobody sends it any more.
"""

import hashlib
import hmac
import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from service.addresses import Senders
from service.errors import Unauthorized
from service.protocols import MODEL_NAME
from service.settings import Settings, SettingsError, check_keys, networks

# What whoever watches the service asks.
HEALTH = re.compile(
    r"/livez|/readyz|/healthz|/health|/metrics"
    r"|/v2/health/(live|ready)"
    # Whether the model is ready, and no verb behind a colon.
    rf"|/v1/models/{MODEL_NAME}(/versions/[^/:]+)?"
    rf"|/v2/models/{MODEL_NAME}(/versions/[^/]+)?/ready"
)

# All other paths are guarded, those that are not there too.
OPEN = re.compile(rf"/|/openapi\.json|/docs(/.*)?|/static/.*|{HEALTH.pattern}")

LOOK_SECONDS = 1.0  # at most so often a file is looked at

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="digits"'}

log = logging.getLogger("digits.keys")


class Ring:
    """Keys of one purpose: those that were set, and those of a file, as it is now."""

    def __init__(
        self, keys: Sequence[str], file: Path | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Raises SettingsError where there is a file that has no sound keys."""
        self._fixed = [_digest(key) for key in keys]
        self._file = file
        self._from_file = [] if file is None else _read(file)
        self._fault = ""  # what is wrong with the file since it was last read
        self._clock = clock
        self._looked = clock()

    @property
    def is_empty(self) -> bool:
        """Whether nothing was set."""
        return not (self._fixed or self._from_file)

    def holds(self, sent: Sequence[str]) -> bool:
        """Whether one of the keys that were ``sent`` is valid.

        The time that this takes tells nothing: digests of one length are compared in
        constant time, all with all.
        """
        self._look()
        found = False
        for digest in map(_digest, sent):
            for known in [*self._fixed, *self._from_file]:
                found |= hmac.compare_digest(digest, known)
        return found

    def _look(self) -> None:
        """Read the file again; one that cannot be used changes nothing."""
        now = self._clock()
        if self._file is None or now < self._looked + LOOK_SECONDS:
            return
        self._looked = now
        try:
            self._from_file, fault = _read(self._file), ""
        except SettingsError as error:
            fault = str(error)
        if fault and fault != self._fault:
            log.error("%s; until then its keys of before stay valid", fault)
        self._fault = fault


class Keys:
    """The keys of users and of administrators. Where no user has one, all may ask."""

    def __init__(self, users: Ring, administrators: Ring, senders: Senders) -> None:
        self._users = users
        self._administrators = administrators
        self._senders = senders

    @classmethod
    def of(cls, settings: Settings) -> "Keys":
        """The keys of the settings; raises SettingsError for a file without sound keys."""
        token = settings.admin_token
        return cls(
            Ring(settings.api_keys or (), settings.api_keys_file),
            Ring(() if token is None else (token,), settings.admin_token_file),
            Senders(networks(settings.trusted_proxies or ())),
        )

    def check(self, environ: Mapping[str, Any]) -> None:
        """Raise Unauthorized unless the request of a WSGI environment is anybody's or has a key.

        A browser's question whether it may ask (OPTIONS) cannot have one.
        """
        if self._users.is_empty or environ["REQUEST_METHOD"] == "OPTIONS":
            return
        if OPEN.fullmatch(environ["PATH_INFO"]) or self.is_admin(environ):
            return
        if not self._users.holds(_sent(environ)):
            raise Unauthorized(
                "Authorization",
                "there is no valid key; send one as Authorization: Bearer KEY or X-API-Key: KEY",
                CHALLENGE,
            )

    def client(self, environ: Mapping[str, Any]) -> str:
        """What tells the sender of a request from others: a digest of its key, or its address.

        A key that is not valid says nothing: anybody could send another with every request.
        """
        for key in _sent(environ):
            if self._users.holds([key]) or self._administrators.holds([key]):
                return f"key {_digest(key).hex()}"
        return f"address {self._senders.address(environ)}"

    def is_admin(self, environ: Mapping[str, Any]) -> bool:
        """Whether the request of a WSGI environment has a key of administrators."""
        return self._administrators.holds(_sent(environ))


def _sent(environ: Mapping[str, Any]) -> list[str]:
    """The keys that a request has, valid or not."""
    scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    sent = [token.strip()] if scheme.lower() == "bearer" else []
    return [*sent, environ["HTTP_X_API_KEY"]] if "HTTP_X_API_KEY" in environ else sent


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("latin-1", "replace")).digest()


def _read(file: Path) -> list[bytes]:
    """The digests of the keys in a file, one a line; a line that begins with # is a comment."""
    try:
        lines = [line.strip() for line in file.read_text("ascii").splitlines()]
    except (OSError, ValueError):
        raise SettingsError(f"{file} cannot be read; make it a text file of keys") from None
    keys = [line for line in lines if line and not line.startswith("#")]
    check_keys(str(file), keys)
    return [_digest(key) for key in keys]
