"""Everything in a store looked at: versions, aliases, what is beside them, and who may write."""

import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from model import aliases, history
from model.aliases import ALIASES, CHANGE
from model.artifact import Artifact
from model.errors import ModelError, StoreUnsound, StoreUnusable, VersionNotFound
from model.history import HISTORY
from model.lock import locked
from model.store import Store


@dataclass(frozen=True)
class Finding:
    """What was found of one file: a sound artifact, words about another sound file, or a fault."""

    path: Path
    found: Artifact | str
    is_bad: bool = False


def audit(store: Store) -> Sequence[Finding]:
    """Look at all of a store while nobody changes it; raises StoreUnusable, VersionNotFound."""
    with locked(store.root):
        if not store.versions():
            raise VersionNotFound(
                f"{store.root}: has no versions; publish one, or name another store"
            )
        versions = [_version(store, number) for number in store.versions()]
        return [*versions, *_aliases(store, versions), *_others(store)]


def check(root: Path, findings: Sequence[Finding]) -> None:
    """Raise StoreUnsound where anything bad was found, naming it."""
    bad = [finding.path.name for finding in findings if finding.is_bad]
    if bad:
        raise StoreUnsound(
            f"{root}: {len(bad)} of {len(findings)} bad: {', '.join(bad)}; see what is said of each"
        )


def _version(store: Store, number: int) -> Finding:
    path = store.file(number)
    try:
        artifact = store.read(number)
        _check_writers(path)
    except ModelError as error:
        return Finding(path, _without_path(error, path), is_bad=True)
    return Finding(path, artifact)


def _aliases(store: Store, versions: Sequence[Finding]) -> Iterator[Finding]:
    sound = {finding.path for finding in versions if not finding.is_bad}
    found = aliases.read(store.root)
    for alias in ALIASES:
        path, version = store.root / alias, found.versions.get(alias)
        if alias in found.faults:
            yield Finding(path, found.faults[alias].removeprefix(f"{path}: "), is_bad=True)
        elif version is not None and store.file(version) not in sound:
            words = f"names version {version}, which is not there or bad; promote another"
            yield Finding(path, words, is_bad=True)
        elif version is not None:
            yield _plain(path, f"version {version}")


def _others(store: Store) -> Iterator[Finding]:
    """The directory, and what is in it beside versions and aliases."""
    yield _plain(store.root, "a directory that only its owner and group may write to")
    path = store.root / CHANGE
    try:
        if aliases.pending(store.root) is not None:
            yield _plain(path, "a change that was cut off, which holds; the next one finishes it")
    except StoreUnusable as error:
        yield Finding(path, _without_path(error, path), is_bad=True)
    path = store.root / HISTORY
    try:
        told = history.read(store.root)
    except StoreUnusable as error:
        yield Finding(path, _without_path(error, path), is_bad=True)
    else:
        if told.entries or told.broken:
            lost = f", and {told.broken} that cannot be read" if told.broken else ""
            yield _plain(path, f"{len(told.entries)} changes{lost}")


def _plain(path: Path, words: str) -> Finding:
    """A file that is as it should be, unless anybody may write to it."""
    try:
        _check_writers(path)
    except StoreUnusable as error:
        return Finding(path, _without_path(error, path), is_bad=True)
    return Finding(path, words)


def _check_writers(path: Path) -> None:
    """Raise StoreUnusable where every user of the machine may decide what is served."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:  # an alias that so far stands in .change only
        return
    except OSError as error:
        raise StoreUnusable(
            f"{path}: cannot be read ({error.strerror}); check its permissions"
        ) from None
    if mode & stat.S_IWOTH:
        raise StoreUnusable(f"{path}: may be written to by anybody; chmod o-w")


def _without_path(error: ModelError, path: Path) -> str:
    return str(error).removeprefix(f"{path}: ")
