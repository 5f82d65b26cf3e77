"""The model that is served, exchanged whole when the champion of its store has moved.

Whoever is asked takes the classifier once and stays with it: what is under way ends with the
model that it began with, and no answer is of two.
"""

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from model import Classifier, ModelError, locate
from service.metrics import Metrics
from service.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from model.pointer import Pointer, Target

log = logging.getLogger("digits.models")


# Who is told of a classifier before it is served.
Told: TypeAlias = Callable[[Classifier], None]


class Models:
    """The classifier at hand, and the store that says which one it should be.

    moved: whom to tell of another classifier. One thread at a time may ``look``.
    """

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        classifier: Classifier | None = None,
    ) -> None:
        """Load what the settings name, unless there is a ``classifier``; raises ModelError."""
        store = settings.store if classifier is None and settings.model is None else None
        self._pointer = _pointer(store) if store else None
        self._metrics = metrics
        self._target = self._pointer.read().champion if self._pointer else None
        self._refused: Target | None = None
        self._troubles = ""
        self.moved: list[Told] = []
        began = time.perf_counter()
        if classifier is None:
            path = self._target.path if self._target else locate(settings.model, settings.store)
            classifier = Classifier.load(path)
        self.classifier = classifier
        metrics.set_model(classifier.artifact, time.perf_counter() - began)

    def look(self) -> None:
        """Serve the champion of the store, if that is another one by now; raises nothing.

        One that cannot be loaded is told in the log and counted, once, and the model at hand
        stays.
        """
        if self._pointer is None:
            return
        state = self._pointer.read()
        troubles = state.troubles.get("champion", "")
        if troubles and troubles != self._troubles:
            log.error("the champion cannot be followed: %s", troubles)
        self._troubles = troubles
        if state.champion not in {None, self._target, self._refused}:
            self._load(state.champion)

    def _load(self, target: "Target") -> None:
        before, began = self.classifier.artifact.version, time.perf_counter()
        try:
            classifier = Classifier.load(target.path)
            for tell in self.moved:
                tell(classifier)
        except ModelError as error:
            self._refused = target
            self._metrics.count_reload("failed")
            log.error("version %d stays, the champion was not loaded: %s", before, error)  # noqa: TRY400 - no fault of the code
        else:
            self.classifier, self._target, self._refused = classifier, target, None
            self._metrics.set_model(classifier.artifact, time.perf_counter() - began)
            self._metrics.count_reload("succeeded")
            log.info("version %d is served, after %d", target.version, before)


def _pointer(store: "Path") -> "Pointer":
    from model.pointer import Pointer  # noqa: PLC0415 - only who follows a store needs it

    return Pointer(store)
