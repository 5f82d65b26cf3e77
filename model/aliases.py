"""Which version each alias of a store names, read from small files that may hold anything.

The aliases stand in files of their own, save while a change of several is under way: then
``.change`` holds them all, so that whoever reads finds them as they were before or as they
are after, whenever the writer is killed.
"""

import contextlib
import json
import os
import re
import stat
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from model.errors import StoreUnusable

Alias: TypeAlias = Literal["champion", "challenger", "previous"]
ALIASES: tuple[Alias, ...] = get_args(Alias)

CHANGE = ".change"

NUMBER_DIGITS = 18
NUMBER = re.compile(rf"[1-9][0-9]{{0,{NUMBER_DIGITS - 1}}}")  # of a version
MAX_NUMBER = 10**NUMBER_DIGITS - 1
MAX_ALIAS_BYTES = 64
MAX_CHANGE_BYTES = 2**20

# Times of files are as coarse as this on some file systems: what was written a moment ago
# may be written once more and look the same.
COARSE_NANOSECONDS = 2 * 10**9

TRIES = 100

Identity: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Aliases:
    """What the aliases name, and what is wrong with those that cannot be read.

    seen: the fingerprint of the files; read_at: when they were read (ns since the epoch).
    """

    versions: Mapping[Alias, int]
    faults: Mapping[Alias, str]
    seen: tuple[Identity, ...]
    read_at: int

    @property
    def is_settled(self) -> bool:
        """Whether files with the same fingerprint are the same files."""
        times = (time for one in self.seen for time in one[3:])
        return all(time < self.read_at - COARSE_NANOSECONDS for time in times)


@dataclass(frozen=True)
class Change:
    """A change in full: all aliases after it, the versions it removes, its lines of history."""

    aliases: Mapping[Alias, int]
    removed: tuple[int, ...] = ()
    history: str = ""

    def encode(self) -> bytes:
        """The content of ``.change``."""
        return json.dumps(asdict(self)).encode("ascii")


def read(root: Path) -> Aliases:
    """All aliases of the store at ``root``, of one moment; raises nothing."""
    for _ in range(TRIES):
        read_at, seen = time.time_ns(), fingerprint(root)
        versions, faults = _read(root)
        if fingerprint(root) == seen:
            break
    return Aliases(versions, faults, seen, read_at)


def fingerprint(root: Path) -> tuple[Identity, ...]:
    """What is another one whenever an alias may be: identities of the store and of its files."""
    return tuple(identity(path) for path in (root, *(root / name for name in (CHANGE, *ALIASES))))


def identity(path: Path) -> Identity:
    """Device, inode, size, time of content and of status (ns) of a file, or (error number,)."""
    try:
        status = path.stat()
    except OSError as error:
        return (error.errno or 0,)
    except ValueError:  # a NUL in the name
        return (0,)
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def pending(root: Path) -> Change | None:
    """The change that is under way or was cut off; raises StoreUnusable when it is not sound."""
    try:
        document = json.loads(content(root / CHANGE, MAX_CHANGE_BYTES))
        return _change(document)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise StoreUnusable(
            f"{root / CHANGE}: is no change that could be finished; see that the aliases are "
            "right, and remove it"
        ) from None


def content(path: Path, most: int) -> bytes:
    """The bytes of a small regular file, links followed within its directory only.

    Raises OSError or StoreUnusable.
    """
    check_contained(path)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # waits for no pipe
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise StoreUnusable(f"{path}: is not a regular file; remove it")
        data = os.read(descriptor, most + 1)
    finally:
        os.close(descriptor)
    if len(data) > most:
        raise StoreUnusable(f"{path}: is longer than {most} bytes; remove it")
    return data


def check_contained(path: Path) -> None:
    """Raise StoreUnusable for a link that leaves the directory it stands in."""
    if path.is_symlink():
        folder = os.path.realpath(path.parent)
        if os.path.commonpath([folder, os.path.realpath(path)]) != folder:
            raise StoreUnusable(
                f"{path}: is a link that leaves the store; put the file itself there"
            )


def _read(root: Path) -> tuple[Mapping[Alias, int], Mapping[Alias, str]]:
    """What the aliases name, and what is wrong with them, as it happens to be."""
    with contextlib.suppress(StoreUnusable):  # without a sound change, the files are right
        if (change := pending(root)) is not None:
            return change.aliases, {}
    versions: dict[Alias, int] = {}
    faults: dict[Alias, str] = {}
    for alias in ALIASES:
        try:
            version = read_file(root, alias)
        except StoreUnusable as error:
            faults[alias] = str(error)
        else:
            if version is not None:
                versions[alias] = version
    return versions, faults


def read_file(root: Path, alias: Alias) -> int | None:
    """What the file of an alias names, None where there is none; raises StoreUnusable."""
    path = root / alias
    try:
        text = content(path, MAX_ALIAS_BYTES).decode("ascii").strip()
    except FileNotFoundError:
        if path.is_symlink():
            raise StoreUnusable(f"{path}: is a link to nothing; remove it") from None
        if not root.is_dir():
            raise StoreUnusable(f"{root}: there is no such directory; name a store") from None
        return None
    except OSError as error:
        raise StoreUnusable(
            f"{path}: cannot be read ({error.strerror}); check its permissions"
        ) from None
    except ValueError:
        text = ""
    if not NUMBER.fullmatch(text):
        raise StoreUnusable(f"{path}: holds no version number; promote a version, or remove it")
    return int(text)


def _change(document: Any) -> Change:  # noqa: ANN401 - any JSON value
    """The change a JSON value describes; raises KeyError, TypeError or ValueError."""
    change = Change(dict(document["aliases"]), tuple(document["removed"]), document["history"])
    numbers = (*change.aliases.values(), *change.removed)
    if (
        change.aliases.keys() <= set(ALIASES)
        and all(type(number) is int and NUMBER.fullmatch(str(number)) for number in numbers)
        and isinstance(change.history, str)
    ):
        return change
    raise ValueError
