"""Who changed a store, when, what and why: a file that only grows, one JSON object a line."""

import json
import os
import pwd
import socket
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from model.errors import StoreUnusable

HISTORY = "history.jsonl"
FIELDS = ("time", "who", "command", "alias", "from", "to", "why")

_WRITE = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True)
class History:
    """The entries of a store, oldest first, and how many lines are no entries."""

    entries: Sequence[Mapping[str, Any]]
    broken: int


def line(
    command: str, alias: str | None, before: int | None, after: int | None, why: str | None
) -> str:
    """One entry, made now by this user on this machine, with its line end."""
    time = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    values = (time, f"{_user()}@{socket.gethostname()}", command, alias, before, after, why)
    return json.dumps(dict(zip(FIELDS, values, strict=True))) + "\n"


def read(root: Path) -> History:
    """What the history of the store at ``root`` tells; raises StoreUnusable.

    A line that a crash cut off hides no other.
    """
    path = root / HISTORY
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        if not root.is_dir():
            raise StoreUnusable(f"{root}: there is no such directory; name a store") from None
        lines = []
    except OSError as error:
        raise StoreUnusable(
            f"{path}: cannot be read ({error.strerror}); check its permissions"
        ) from None
    entries = [entry for entry in map(_entry, lines) if entry is not None]
    return History(entries, len(lines) - len(entries))


def append(root: Path, lines: str) -> None:
    """Add lines in one write, unless they are the last already; on disk when this returns.

    Without lines it only sees that they could be added. Raises OSError or StoreUnusable.
    """
    descriptor = os.open(root / HISTORY, _WRITE, 0o664)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise StoreUnusable(f"{root / HISTORY}: is not a regular file; remove it")
        data = lines.encode("ascii")
        size = os.fstat(descriptor).st_size
        last = os.pread(descriptor, len(data) + 1, max(0, size - len(data) - 1))
        if not data or last.endswith(data):
            return
        if last and not last.endswith(b"\n"):
            data = b"\n" + data  # what a crash cut off takes no line with it
        if os.write(descriptor, data) < len(data):
            raise StoreUnusable(f"{root / HISTORY}: there is no room for a line; make some")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _entry(text: bytes) -> Mapping[str, Any] | None:
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) and entry.keys() >= set(FIELDS) else None


def _user() -> str:
    """The name of the user, or the number where a container has no name for it."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
