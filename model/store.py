"""A directory of immutable versions and of the aliases that point at them.

    digits-1.npz  digits-2.npz  ...     one artifact a version, never rewritten
    champion  challenger  previous      each a text file that holds a version number
    history.jsonl                       who moved what, when and why
    .change                             only while aliases move: all of them, after it
    digits-1.npz.sig  ...               who vouches for a version, where anybody does

``champion`` is what is served, ``challenger`` is what may be tried beside it, and
``previous`` is where a rollback goes. The rules are in README.md.
"""

import contextlib
import dataclasses
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from model import aliases, history
from model import artifact as artifacts
from model.aliases import ALIASES, CHANGE, MAX_CHANGE_BYTES, NUMBER, Alias, Change
from model.artifact import Artifact
from model.errors import AliasRefused, ModelError, StoreUnusable, VersionExists, VersionNotFound
from model.lock import locked
from model.trust import SUFFIX, beside

if TYPE_CHECKING:
    from model.signature import Trust

RELEASES = Path(__file__).parent / "releases"

_VERSION_FILE = re.compile(rf"digits-({NUMBER.pattern})\.npz")
_LEFTOVER = re.compile(
    rf"\.(.*\.npz({re.escape(SUFFIX)})?|{'|'.join(ALIASES)}|{re.escape(CHANGE)})\.[0-9a-f]{{32}}\.tmp"
)


@dataclass(frozen=True)
class Step:
    """What a command did to a store, or would do: the aliases before and after, what it removes."""

    before: Mapping[Alias, int]
    after: Mapping[Alias, int]
    removed: tuple[int, ...] = ()

    @property
    def is_needed(self) -> bool:
        """Whether anything is another way afterwards."""
        return self.before != self.after or bool(self.removed)


class Store:
    """The versions and aliases in one directory.

    trust: who must have signed a version before it is read here, None where nobody has to.
    """

    def __init__(self, root: Path, trust: "Trust | None" = None) -> None:
        self.root = root
        self.trust = trust

    def versions(self) -> list[int]:
        """All published versions, in order; raises StoreUnusable."""
        try:
            matches = [_VERSION_FILE.fullmatch(path.name) for path in self.root.iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise StoreUnusable(
                f"{self.root}: cannot be read ({error.strerror}); check its permissions"
            ) from None
        return sorted(int(match[1]) for match in matches if match)

    def aliases(self) -> Mapping[Alias, int]:
        """Where the aliases point; one that points nowhere is left out."""
        return aliases.read(self.root).versions

    def file(self, version: int) -> Path:
        """Where a version stands, or would stand."""
        return self.root / f"digits-{version}.npz"

    def path(self, version: int) -> Path:
        """The file of one version; raises VersionNotFound, or StoreUnusable for a link out."""
        path = self.file(version)
        try:
            is_regular = stat.S_ISREG(path.stat().st_mode)
        except OSError:
            is_regular = False
        if not is_regular:
            raise VersionNotFound(
                f"{self.root}: has no version {version}; it has {self.versions()}"
            )
        aliases.check_contained(path)
        return path

    def resolve(self, alias: Alias) -> int:
        """The version an alias points at; raises VersionNotFound."""
        found = aliases.read(self.root)
        if alias in found.versions:
            return found.versions[alias]
        if alias in found.faults:
            raise VersionNotFound(found.faults[alias])
        raise VersionNotFound(
            f"{self.root}: has no {alias}; {_REMEDIES[alias]} one of its versions {self.versions()}"
        )

    def read(self, version: int) -> Artifact:
        """One version, all of it checked; raises ArtifactError, VersionNotFound, StoreUnusable."""
        path = self.path(version)
        artifact = artifacts.read(path, trust=self.trust)
        if artifact.version != version:
            raise VersionNotFound(
                f"{path}: holds version {artifact.version}; publish version {version} again"
            )
        return artifact

    def create(self) -> None:
        """Make the directory unless it is there; raises StoreUnusable."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnusable(
                f"{self.root}: cannot be a store ({error.strerror}); name a directory"
            ) from None

    def publish(self, artifact: Artifact) -> Path:
        """Add a version; raises VersionExists when another artifact has its number, StoreUnusable.

        Publishing the same artifact again changes nothing.
        """
        self.create()
        with self._alone():
            return self._publish(artifact)

    def add(self, artifact: Artifact) -> Path:
        """Publish under the artifact's own number or, where another has it, under the next free.

        The same model is not stored twice under different numbers.
        """
        self.create()
        with self._alone():
            return self.file(self._add(artifact))

    def seed(
        self, artifact: Artifact, *, signature: bytes | None = None, why: str | None = None
    ) -> Step:
        """Make ``artifact`` the champion of a store that has none; where there is one, do nothing.

        So everybody who starts on a store that may be empty can seed it, several at once too.
        signature: what stands beside the artifact, to be put beside its copy.
        Raises ArtifactError or StoreUnusable, also where the champion cannot be told.
        """
        self.create()
        with self._alone():
            found = aliases.read(self.root)
            if "champion" in found.faults:
                raise StoreUnusable(f"{found.faults['champion']}; nothing was changed")
            if "champion" in found.versions:
                return Step(found.versions, found.versions)
            version = self._add(artifact)
            if signature is not None and version == artifact.version:  # it is of no other
                with _writing(beside(self.file(version))):
                    artifacts.write_whole(beside(self.file(version)), signature)
            return self._crown("seed", version, why, dry_run=False)

    # -- what moves aliases: each is one step, after which .change, the aliases and the
    # -- history agree whenever the process is killed. With dry_run, nothing is written.

    def promote(self, version: int, *, why: str | None = None, dry_run: bool = False) -> Step:
        """Make ``version`` the champion, and the champion ``previous``.

        The version is read and its golden set replayed first: an alias never
        points at what does not load. Raises ArtifactError, VersionNotFound or
        StoreUnusable.
        """
        with self._alone(dry_run=dry_run):
            return self._crown("promote", version, why, dry_run=dry_run)

    def rollback(self, *, why: str | None = None, dry_run: bool = False) -> Step:
        """Let champion and previous change places, so that a second one goes forward again.

        Raises as ``promote`` does.
        """
        with self._alone(dry_run=dry_run):
            return self._crown("rollback", self.resolve("previous"), why, dry_run=dry_run)

    def challenge(
        self, version: int | None, *, why: str | None = None, dry_run: bool = False
    ) -> Step:
        """Make ``version`` the challenger, or have none; raises as ``promote``, or AliasRefused."""
        with self._alone(dry_run=dry_run):
            before = self.aliases()
            after = dict(before)
            after.pop("challenger", None)
            if version is not None:
                if version == before.get("champion"):
                    raise AliasRefused(
                        f"{self.root}: version {version} is the champion; challenge it with another"
                    )
                self.read(version)
                after["challenger"] = version
            step = Step(before, after)
            return self._take(step, "challenge", "challenger", why, dry_run=dry_run)

    def prune(self, keep: int, *, why: str | None = None, dry_run: bool = False) -> Step:
        """Remove versions that no alias names, lowest numbers first, until ``keep`` are left.

        What writers that were killed have left goes, too. Raises StoreUnusable, also where
        an alias cannot be read: it might name any version.
        """
        with self._alone(dry_run=dry_run):
            found = aliases.read(self.root)
            for fault in found.faults.values():
                raise StoreUnusable(f"{fault}; nothing was removed")
            named = set(found.versions.values())
            others = [version for version in self.versions() if version not in named]
            step = Step(found.versions, found.versions, tuple(others[: max(0, len(others) - keep)]))
            if not dry_run:
                self._sweep()
            return self._take(step, "prune", None, why, dry_run=dry_run)

    def _add(self, artifact: Artifact) -> int:
        taken = [artifact.version, *self.versions()]
        for number in taken:
            with contextlib.suppress(VersionExists):
                self._publish(dataclasses.replace(artifact, version=number))
                return number
        free = max(taken) + 1
        self._publish(dataclasses.replace(artifact, version=free))
        return free

    def _publish(self, artifact: Artifact) -> Path:
        path = self.file(artifact.version)
        with _writing(path):
            if not path.exists():
                artifacts.write(path, artifact)
            elif path.read_bytes() != artifacts.encode(artifact):
                raise VersionExists(
                    f"{path}: is another artifact; give this one a new version number"
                )
        return path

    def _crown(self, command: str, version: int, why: str | None, *, dry_run: bool) -> Step:
        """Make a version the champion; the last one becomes previous if it can still be served."""
        self.read(version)
        before = self.aliases()
        after = {**before, "champion": version}
        last = before.get("champion")
        if last not in {None, version} and self._serves(last):
            after["previous"] = last
        step = Step(
            before,
            # Nobody is his own challenger, or his own predecessor.
            {alias: to for alias, to in after.items() if alias == "champion" or to != version},
        )
        return self._take(step, command, "champion", why, dry_run=dry_run)

    def _serves(self, version: int) -> bool:
        try:
            self.read(version)
        except ModelError:
            return False
        return True

    def _take(
        self, step: Step, command: str, alias: Alias | None, why: str | None, *, dry_run: bool
    ) -> Step:
        """Do a step and tell history of it; the lock is held."""
        if dry_run or not step.is_needed:
            return step
        moves: list[tuple[int | None, int | None]] = [(number, None) for number in step.removed]
        if alias is not None:
            moves.append((step.before.get(alias), step.after.get(alias)))
        lines = "".join(history.line(command, alias, *move, why) for move in moves)
        change = Change(step.after, step.removed, lines).encode()
        if len(change) > MAX_CHANGE_BYTES:
            raise StoreUnusable(
                f"{self.root}: so much cannot be changed at once; give a shorter reason, or "
                "remove fewer versions"
            )
        for path in (*(self.root / name for name in ALIASES), *map(self.file, step.removed)):
            if path.is_dir() and not path.is_symlink():
                raise StoreUnusable(f"{path}: is a directory; remove it")
        with _writing(self.root / history.HISTORY):
            history.append(self.root, "")
        with _writing(self.root / CHANGE):
            artifacts.write_whole(self.root / CHANGE, change)
        self._finish()
        return step

    def _finish(self) -> None:
        """Do what .change says, all of it or what is left of it; the lock is held."""
        change = aliases.pending(self.root)
        if change is None:
            return
        with _writing(self.root, "the change itself is kept, and finished by the next command"):
            for alias in ALIASES:
                self._set(alias, change.aliases.get(alias))
            for version in change.removed:
                self.file(version).unlink(missing_ok=True)
                beside(self.file(version)).unlink(missing_ok=True)
            history.append(self.root, change.history)
            (self.root / CHANGE).unlink()
            artifacts.sync_folder(self.root)

    def _set(self, alias: Alias, version: int | None) -> None:
        path = self.root / alias
        with contextlib.suppress(StoreUnusable):  # what cannot be read is written anew
            if aliases.read_file(self.root, alias) == version:
                return
        if version is None:
            path.unlink(missing_ok=True)
        else:
            artifacts.write_whole(path, f"{version}\n".encode("ascii"))

    def _sweep(self) -> None:
        with _writing(self.root):
            for path in self.root.iterdir():
                if _LEFTOVER.fullmatch(path.name):
                    path.unlink()

    @contextlib.contextmanager
    def _alone(self, *, dry_run: bool = False) -> Iterator[None]:
        """Be the only writer, and finish first what another was killed over."""
        with locked(self.root):
            if not dry_run:
                self._finish()
            yield


_REMEDIES: Mapping[Alias, str] = {
    "champion": "promote",
    "challenger": "challenge it with",
    "previous": "it comes with the second champion; promote",
}


def locate(model: Path | None = None, store: Path | None = None) -> Path:
    """The artifact to serve: ``model`` itself, else the champion of ``store`` or of the release.

    Raises VersionNotFound when the store has no champion.
    """
    if model is not None:
        return model
    chosen = Store(store or RELEASES)
    return chosen.path(chosen.resolve("champion"))


@contextlib.contextmanager
def _writing(
    path: Path, remedy: str = "mend that, or name a store that you may write to"
) -> Iterator[None]:
    """Raise StoreUnusable where the system does not let a file be written."""
    try:
        yield
    except OSError as error:
        raise StoreUnusable(f"{path}: cannot be written ({error.strerror}); {remedy}") from None
