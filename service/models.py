"""The models that answer: the champion, a challenger beside it, and versions that requests name.

Whoever is asked takes a classifier once and stays with it: what is under way ends with the
model that it began with, and no answer is of two.
"""

import logging
import time
from collections.abc import Callable
from threading import Lock
from typing import TypeAlias

from model import Classifier, locate
from model.errors import StoreError
from model.pointer import Pointer, State, Target, Watched
from model.store import RELEASES, Store
from model.trust import trust
from service.errors import UnknownModelVersion, UnusableModelVersion
from service.exchange import Request
from service.metrics import Metrics
from service.sampling import is_among
from service.settings import Settings
from service.shelf import Shelf

CANARY_KEY = "X-Canary-Key"  # what is sent with it goes to one model

LISTED = 8  # versions that are named to who asks for one that is not there

# Who is told of a classifier before it is served.
Told: TypeAlias = Callable[[Classifier], None]

log = logging.getLogger("digits.models")


class Models:
    """The classifiers at hand, and the store that says which ones they should be.

    classifier: of the champion. challenger: None where there is none, or nobody wants one.
    is_current: whether the champion of the store is what is served. moved: whom to tell of
    another champion. Threads may call at once.
    """

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        classifier: Classifier | None = None,
    ) -> None:
        """Load what the settings name, unless there is a ``classifier``; raises ModelError."""
        began = time.perf_counter()
        trusted = trust(settings.model_key)
        is_alone = classifier is not None or settings.model is not None
        self._shelf = None if is_alone else Shelf(Store(settings.store or RELEASES, trusted))
        self._pointer = Pointer(settings.store, trusted) if self._shelf and settings.store else None
        self._champion = self._shelf.champion() if self._shelf else None
        if self._shelf and self._champion:
            classifier = self._shelf.load(self._champion)
        self.classifier = classifier or Classifier.load(locate(settings.model), trusted)
        self.challenger: Classifier | None = None
        self.is_current = True
        self.moved: list[Told] = []
        self._metrics = metrics
        self._others = settings.other_versions
        self._canary_percent = settings.canary_percent
        self._tries = bool(settings.canary_percent or settings.shadow_percent)
        self._lock = Lock()
        # What was seen at the last look: what the aliases named, and what was wrong with them.
        self._seen: dict[Watched, Target | None] = {"champion": self._champion, "challenger": None}
        self._troubles: dict[Watched, str] = {}
        path = self._champion.path if self._champion else settings.model
        metrics.set_model(self.classifier.artifact, time.perf_counter() - began, path)
        metrics.current.set(1)
        self.look()

    def choose(self, request: Request, version: int | None) -> Classifier:
        """Whom a request is for: the version that it names, else the champion or its challenger.

        Raises UnknownModelVersion or UnusableModelVersion.
        """
        if version is not None:
            return self.at(version)
        challenger = self.challenger
        if challenger is None or not self._canary_percent:
            return self.classifier
        key, purpose = request.header(CANARY_KEY) or request.id, f"canary {challenger.version}"
        return challenger if is_among(self._canary_percent, key, purpose) else self.classifier

    def at(self, version: int) -> Classifier:
        """The classifier of a version, loaded if it is not yet.

        Raises UnknownModelVersion or UnusableModelVersion.
        """
        for served in (self.classifier, self.challenger):
            if served is not None and served.version == version:
                return served
        if self._shelf is None:
            raise self._unknown()
        try:
            with self._lock:
                classifier = self._shelf.at(version)
                self._keep()
        except StoreError:
            raise self._unknown() from None
        if classifier is None:
            wrong = f"this version is not sound and is not served; {self._remedy()}"
            raise UnusableModelVersion("version", wrong)
        return classifier

    def versions(self) -> list[int]:
        """All that can be asked for, the champion first, then the others in order."""
        champion = self.classifier.version
        stored = self._shelf.numbers() if self._shelf else []
        return [champion, *(version for version in stored if version != champion)]

    def loaded(self) -> list[Classifier]:
        """Those at hand, the champion first."""
        with self._lock:
            held = self._shelf.loaded() if self._shelf else []
            return [self.classifier, *(one for one in held if one is not self.classifier)]

    def role(self, version: int) -> Watched | None:
        """What a version is here, if it is more than one that can be asked for."""
        if version == self.classifier.version:
            return "champion"
        challenger = self.challenger
        return "challenger" if challenger and version == challenger.version else None

    def look(self) -> None:
        """Follow the aliases of the store, if they name others by now; raises nothing.

        A version that cannot be loaded is told in the log and counted, once, and the model
        at hand stays.
        """
        if self._shelf is None or self._pointer is None:
            return
        with self._lock:
            state = self._pointer.read()
            self._tell(state)
            if self._tries and self._has_moved("challenger", state.challenger):
                self._follow_challenger(self._shelf, state.challenger)
            if state.champion and self._has_moved("champion", state.champion):
                self._follow_champion(self._shelf, state.champion)
            self._keep()
            self.is_current = state.champion == self._champion and "champion" not in state.troubles
            self._metrics.current.set(self.is_current)

    def _tell(self, state: State) -> None:
        """Say in the log, once, which alias cannot be followed and why."""
        for alias, trouble in state.troubles.items():
            if trouble != self._troubles.get(alias):
                log.error("the %s cannot be followed: %s", alias, trouble)
        self._troubles = state.troubles

    def _has_moved(self, alias: Watched, target: Target | None) -> bool:
        last, self._seen[alias] = self._seen[alias], target
        return target != last

    def _follow_champion(self, shelf: Shelf, target: Target) -> None:
        before, began = self.classifier, time.perf_counter()
        classifier = shelf.get(target)
        if classifier is None:
            self._metrics.count_reload("failed")
        if classifier is None or classifier is before:
            return
        for tell in self.moved:
            tell(classifier)
        self.classifier, self._champion = classifier, target
        self._metrics.set_model(classifier.artifact, time.perf_counter() - began, target.path)
        self._metrics.count_reload("succeeded")
        log.info("version %d is served, after %d", target.version, before.version)

    def _follow_challenger(self, shelf: Shelf, target: Target | None) -> None:
        self.challenger = shelf.get(target) if target else None
        if self.challenger:
            log.info("version %d is tried beside the champion", self.challenger.version)
        elif target:
            self._metrics.count_reload("failed")

    def _keep(self) -> None:
        if self._shelf:
            self._shelf.keep({self._champion, self._seen["challenger"]}, self._others)

    def _unknown(self) -> UnknownModelVersion:
        return UnknownModelVersion("version", f"there is no such version; {self._remedy()}")

    def _remedy(self) -> str:
        known = self.versions()
        more = ", or see /models" if len(known) > LISTED else ""
        return f"ask for version {' or '.join(map(str, known[:LISTED]))}{more}"
