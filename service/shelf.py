"""The versions of a store, and the classifiers of those that are loaded."""

import logging
from collections.abc import Set as AbstractSet

from model import Classifier, ModelError
from model.errors import StoreError, VersionNotFound
from model.pointer import Target, find
from model.store import Store

log = logging.getLogger("digits.shelf")


class Shelf:
    """Loads versions when they are wanted, and lets go of those that are not. For one thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._loaded: dict[Target, Classifier] = {}  # the one that was used last stands last
        self._damaged: dict[int, Target] = {}  # what could not be loaded, by its version

    def champion(self) -> Target:
        """What the store's champion is now; raises StoreError."""
        return find(self._store, self._store.resolve("champion"))

    def load(self, target: Target) -> Classifier:
        """What lies at a target, read and verified unless it has been; raises ModelError."""
        classifier = self._loaded.pop(target, None) or Classifier.load(
            target.path, self._store.trust
        )
        if classifier.version != target.version:
            raise VersionNotFound(
                f"{target.path}: holds version {classifier.version}; publish it under that number"
            )
        self._loaded[target] = classifier
        return classifier

    def get(self, target: Target) -> Classifier | None:
        """What ``load`` returns; None, and one line in the log, where it raises."""
        if self._damaged.get(target.version) == target:
            return None
        try:
            return self.load(target)
        except ModelError as error:
            self._damaged[target.version] = target
            log.error("version %d was not loaded, others stay: %s", target.version, error)  # noqa: TRY400 - no fault of the code
            return None

    def at(self, version: int) -> Classifier | None:
        """The classifier of a version, or None as ``get`` says; raises StoreError."""
        return self.get(find(self._store, version))

    def keep(self, served: AbstractSet[Target | None], others: int) -> None:
        """Let go of all but those that are ``served`` and so many that were used last."""
        unserved = [target for target in self._loaded if target not in served]
        for target in unserved[:-others]:
            del self._loaded[target]
        for target in self._loaded.keys() & served:  # they are used all the time
            self._loaded[target] = self._loaded.pop(target)

    def loaded(self) -> list[Classifier]:
        """Those that are loaded; the one that was used last is the last."""
        return list(self._loaded.values())

    def numbers(self) -> list[int]:
        """All versions that are there and not known to be damaged, in order."""
        try:
            stored = self._store.versions()
        except StoreError:
            return []
        return [version for version in stored if version not in self._damaged]
