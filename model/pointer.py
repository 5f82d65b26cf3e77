"""Where champion and challenger point now: looked at every second by a server that serves them."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from model import aliases
from model.aliases import Aliases, Identity
from model.errors import StoreError, StoreUnusable
from model.store import Store
from model.trust import beside

if TYPE_CHECKING:
    from model.signature import Trust

Watched: TypeAlias = Literal["champion", "challenger"]
WATCHED: tuple[Watched, ...] = ("champion", "challenger")


@dataclass(frozen=True)
class Target:
    """A version that an alias names, and which file that is: equal while it is the same file.

    identity: device, inode, size and time of its content (ns); where it has to be signed, its
    signature's as well.
    """

    version: int
    path: Path
    identity: Identity


@dataclass(frozen=True)
class State:
    """What was seen at one look.

    champion, challenger: None where the alias is not set. An alias that is in ``troubles``
    keeps what it last was: nobody has moved it, it can only not be followed.
    moved: the aliases that are not what they were at the look before; none at the first.
    troubles: what cannot be read and why, by alias; each names a file and says what to do.
    """

    champion: Target | None
    challenger: Target | None
    moved: frozenset[Watched]
    troubles: dict[Watched, str]


class Pointer:
    """Looks at a store again and again; for one thread at a time."""

    def __init__(self, root: Path, trust: "Trust | None" = None) -> None:
        self._store = Store(root, trust)
        self._aliases: Aliases | None = None
        self._targets: dict[Watched, Target | None] | None = None

    def read(self) -> State:
        """What the aliases name now; raises nothing.

        It asks the system for the status of a few files, and reads those of the aliases only
        when one of them has changed, or did so less than two seconds before it was read.
        """
        root, known = self._store.root, self._aliases
        if known is None or not known.is_settled or aliases.fingerprint(root) != known.seen:
            known = self._aliases = aliases.read(root)
        last = self._targets or dict.fromkeys(WATCHED)
        targets = dict(last)
        troubles = {}
        for alias in WATCHED:
            try:
                targets[alias] = self._target(alias, known, last[alias])
            except StoreError as error:
                troubles[alias] = str(error)
        moved = {alias for alias in WATCHED if targets[alias] != last[alias]}
        if self._targets is None:
            moved = set()
        self._targets = targets
        return State(**targets, moved=frozenset(moved), troubles=troubles)

    def _target(self, alias: Watched, found: Aliases, last: Target | None) -> Target | None:
        """What an alias names; raises StoreError where that cannot be told or is not there."""
        if alias in found.faults:
            raise StoreUnusable(found.faults[alias])
        version = found.versions.get(alias)
        if version is None:
            return None
        identity = _identity(self._store, version)
        if last is not None and (last.version, last.identity) == (version, identity):
            return last
        return find(self._store, version)


def find(store: Store, version: int) -> Target:
    """What a version of a store is now; raises VersionNotFound, or StoreUnusable."""
    return Target(version, store.path(version), _identity(store, version))


def _identity(store: Store, version: int) -> Identity:
    file = store.file(version)
    signed = () if store.trust is None else aliases.identity(beside(file))[:4]
    return (*aliases.identity(file)[:4], *signed)
