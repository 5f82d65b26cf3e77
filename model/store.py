"""A directory of immutable versions and of the aliases that point at them.

    digits-1.npz  digits-2.npz  ...     one artifact a version, never rewritten
    champion  previous                  each a text file that holds a version number

``champion`` is what is served, ``previous`` is where a rollback goes.
"""

import contextlib
import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from model import artifact as artifacts
from model.artifact import Artifact
from model.errors import StoreUnusable, VersionExists, VersionNotFound

Alias: TypeAlias = Literal["champion", "previous"]
ALIASES: tuple[Alias, ...] = get_args(Alias)

RELEASES = Path(__file__).parent / "releases"

_NUMBER = re.compile(r"[1-9][0-9]{0,17}")
_VERSION_FILE = re.compile(rf"digits-({_NUMBER.pattern})\.npz")


class Store:
    """The versions and aliases in one directory."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def versions(self) -> list[int]:
        """All published versions, in order."""
        if not self.root.is_dir():
            return []
        matches = (_VERSION_FILE.fullmatch(path.name) for path in self.root.iterdir())
        return sorted(int(match[1]) for match in matches if match)

    def aliases(self) -> Mapping[Alias, int]:
        """Where the aliases point; one that points nowhere is left out."""
        targets = {alias: self._target(alias) for alias in ALIASES}
        return {alias: target for alias, target in targets.items() if target is not None}

    def path(self, version: int) -> Path:
        """The file of one version; raises VersionNotFound."""
        path = self.root / f"digits-{version}.npz"
        if not path.is_file():
            raise VersionNotFound(
                f"{self.root}: has no version {version}; it has {self.versions()}"
            )
        return path

    def resolve(self, alias: Alias) -> int:
        """The version an alias points at; raises VersionNotFound."""
        target = self._target(alias)
        if target is None:
            raise VersionNotFound(
                f"{self.root}: has no {alias}; promote one of its versions {self.versions()}"
            )
        return target

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
        path = self.root / f"digits-{artifact.version}.npz"
        if not path.exists():
            try:
                artifacts.write(path, artifact)
            except OSError as error:
                raise StoreUnusable(
                    f"{path}: cannot be written ({error.strerror}); mend that and publish again"
                ) from None
        elif path.read_bytes() != artifacts.encode(artifact):
            raise VersionExists(f"{path}: is another artifact; give this one a new version number")
        return path

    def add(self, artifact: Artifact) -> Path:
        """Publish under the artifact's own number or, where another has it, under the next free.

        The same model is not stored twice under different numbers.
        """
        candidates = [artifact.version, *self.versions()]
        candidates.append(max(candidates) + 1)
        for number in candidates:
            with contextlib.suppress(VersionExists):
                return self.publish(dataclasses.replace(artifact, version=number))
        raise VersionExists(f"{self.root}: another process takes its numbers; publish again")

    def promote(self, version: int) -> None:
        """Make ``version`` the champion, and the champion ``previous``.

        The version is read and its golden set replayed first: an alias never
        points at what does not load. Raises ArtifactError, VersionNotFound or
        StoreUnusable.
        """
        path = self.path(version)
        found = artifacts.read(path).version
        if found != version:
            raise VersionNotFound(f"{path}: holds version {found}; publish version {version} again")
        current = self.aliases().get("champion")
        if current not in {None, version} and current in self.versions():
            self._point("previous", current)
        self._point("champion", version)

    def _target(self, alias: Alias) -> int | None:
        try:
            text = (self.root / alias).read_text("ascii").strip()
        except (OSError, UnicodeDecodeError):
            return None
        return int(text) if _NUMBER.fullmatch(text) else None

    def _point(self, alias: Alias, version: int) -> None:
        try:
            artifacts.write_whole(self.root / alias, f"{version}\n".encode("ascii"))
        except OSError as error:
            raise StoreUnusable(
                f"{self.root / alias}: cannot be written ({error.strerror}); mend that first"
            ) from None


def locate(model: Path | None = None, store: Path | None = None) -> Path:
    """The artifact to serve: ``model`` itself, else the champion of ``store`` or of the release.

    Raises VersionNotFound when the store has no champion.
    """
    if model is not None:
        return model
    chosen = Store(store or RELEASES)
    return chosen.path(chosen.resolve("champion"))
