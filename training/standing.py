"""What the gate judges, measured: champion and candidate on the same images, in turns."""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from model import artifact as artifacts
from model.architecture import CLASSES
from model.artifact import Artifact
from model.classifier import Classifier, Prediction
from model.engine import Engine
from model.errors import GoldenMismatch
from model.frame import Frame
from model.normalizer import normalize_all
from training import drawings, robustness, strangers
from training.dataset import Digits, Mnist
from training.examination import Examination, examine
from training.gate import Figures, Pairs, Sides
from training.scene_judging import chosen
from training.statistics import upper_bound
from training.stranger_glyphs import find_fonts

SEED = 1  # every candidate is set the same tasks
ROUNDS, TURN = 200, 0.002  # turns of a forward pass, and seconds of each
WARM_UP = 20  # calls

Pictures: TypeAlias = Sequence[NDArray[np.uint8]] | NDArray[np.uint8]
Classify: TypeAlias = Callable[[Pictures], list[Prediction]]

_Row = TypeVar("_Row", robustness.Row, strangers.Row)


@dataclass(frozen=True)
class Sizes:
    """How many images are drawn: test images to be corrupted, and strangers of each kind."""

    corrupted: int = 2000
    strangers: int = 500


SIZES = Sizes()


def figures(  # noqa: PLR0913 - the last two may be left out
    champion: Artifact,
    candidate: Artifact,
    data: Mnist,
    drawn: Digits | None,
    *,
    new: Digits | None = None,
    sizes: Sizes = SIZES,
) -> Figures:
    """Everything the gate asks of the two; raises TrainingError.

    drawn: digits from another hand and pen (``training.drawings``), None to judge without. new:
    images that the candidate has not learned. Each of the longer ones has a bar of its own.
    """
    found = [examine(one.network, one.confidence, data.test) for one in (champion, candidate)]
    right, labels, writers = [one.right for one in found], data.test.labels, data.test_writers
    both = Classifier(champion), Classifier(candidate)
    spoilt = chosen(data.test, sizes.corrupted, SEED)
    fonts = find_fonts()
    tests: dict[str, Callable[[Classify], list[robustness.Row]]] = {
        "corruptions": lambda classify: robustness.robustness(classify, spoilt, SEED)[
            1:
        ],  # not clean
        "drawings": lambda classify: _on_drawings(classify, drawn) if drawn else [],
    }
    read = {name: _in_turn(both, test) for name, test in tests.items()}
    refused = _in_turn(
        both,
        lambda classify: strangers.refusals(
            classify, data.test.images, SEED, fonts, sizes.strangers
        ),
    )
    return Figures(
        test=pairs(*right),
        error_bound=upper_bound(right[0].astype(float) - right[1], writers),
        writers=None if writers is None else len(np.unique(writers)),
        by_digit=tuple(pairs(*(one[labels == digit] for one in right)) for digit in range(CLASSES)),
        calibration_error=_sides(found, Examination.calibration_error),
        coverage=_sides(found, lambda one: float(one.accepted.mean())),
        refused=_by_name(refused, lambda row: row.share),
        drawings=_by_name(read["drawings"], lambda row: row.accuracy),
        corruptions=_by_name(read["corruptions"], lambda row: row.accuracy),
        seconds=forward_seconds(champion, candidate),
        file_bytes=Sides(*(len(artifacts.encode(one)) for one in (champion, candidate))),
        golden=golden_faults(candidate),
        new=None if new is None else pairs(*_right_on(new, both)),
    )


def pairs(champion: NDArray[np.bool_], candidate: NDArray[np.bool_]) -> Pairs:
    """Counts of what two readers have right, (N,) each."""
    return Pairs(
        both=int((champion & candidate).sum()),
        only_champion=int((champion & ~candidate).sum()),
        only_candidate=int((~champion & candidate).sum()),
        neither=int((~champion & ~candidate).sum()),
    )


def forward_seconds(champion: Artifact, candidate: Artifact, rounds: int = ROUNDS) -> Sides:
    """Seconds of a processor for a forward pass of one image, in short turns in random order.

    What the machine does besides meets both alike, and makes turns longer, never shorter: of
    each side's turns it is the lower quartile.
    """
    image = champion.golden_images[:1]
    engines = [Engine(one.network) for one in (champion, candidate)]
    turns = np.empty((rounds, len(engines)))
    with threadpool_limits(1, user_api="blas"):  # as in service
        for engine in engines:
            _turn(engine, image, WARM_UP)
        calls = [max(1, ceil(TURN / _turn(engine, image, WARM_UP))) for engine in engines]
        rng = np.random.default_rng(SEED)
        for turn in turns:
            for side in rng.permutation(len(engines)):
                turn[side] = _turn(engines[side], image, calls[side])
    return Sides(*np.quantile(turns, 0.25, axis=0).tolist())


def _turn(engine: Engine, image: NDArray[np.uint8], calls: int) -> float:
    """Seconds of one of so many calls."""
    began = time.thread_time()
    for _ in range(calls):
        engine.logits(image)
    return (time.thread_time() - began) / calls


def golden_faults(candidate: Artifact) -> int:
    """How many golden images are not answered as recorded, by the file as it would be served.

    All of them where the file is not taken at all.
    """
    golden, logits = candidate.golden_images, candidate.golden_logits
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "candidate.npz"
        path.write_bytes(artifacts.encode(candidate))
        try:
            served = Classifier.load(path)
        except GoldenMismatch:
            return len(golden)
    answers = [one.digit for one in served.classify(golden, "never")]
    expected = [candidate.labels[best] for best in logits.argmax(axis=1).tolist()]
    return sum(answer != digit for answer, digit in zip(answers, expected, strict=True))


def _right_on(
    digits: Digits, both: tuple[Classifier, Classifier]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """What each reads right of digits, as they are served."""
    first, second = (
        np.array([one.digit for one in classify(digits.images)]) == digits.labels
        for classify in _shared_eyes(*both)
    )
    return first, second


def _on_drawings(classify: Classify, drawn: Digits) -> list[robustness.Row]:
    total = len(drawn) * len(drawings.VARIANTS)
    with tqdm(total=total, desc="drawings", unit=" images", disable=None, leave=False) as bar:

        def watched(pictures: Pictures) -> list[Prediction]:
            bar.update(len(pictures))
            return classify(pictures)

        return drawings.drawings(watched, drawn, SEED)


def _in_turn(
    both: tuple[Classifier, Classifier], measure: Callable[[Classify], list[_Row]]
) -> tuple[list[_Row], list[_Row]]:
    first, second = _shared_eyes(*both)
    return measure(first), measure(second)


def _shared_eyes(champion: Classifier, candidate: Classifier) -> tuple[Classify, Classify]:
    """``classify`` of both, for the same pictures in the same order: the second to be asked is
    shown the frames of the first. Most of the time of an answer goes to the normalizer.
    """
    seen: list[list[Frame]] = []

    def first(pictures: Pictures) -> list[Prediction]:
        seen.append(normalize_all(pictures))
        return _judged(champion, seen[-1])

    def second(_: Pictures) -> list[Prediction]:
        return _judged(candidate, seen.pop(0))

    return first, second


def _judged(classifier: Classifier, frames: Sequence[Frame]) -> list[Prediction]:
    predictions = classifier.classify(np.array([frame.pixels for frame in frames]), "never")
    return [
        prediction._replace(reason=frame.reason or prediction.reason)
        for prediction, frame in zip(predictions, frames, strict=True)
    ]


def _sides(found: Sequence[Examination], figure: Callable[[Examination], float]) -> Sides:
    return Sides(*map(figure, found))


def _by_name(
    rows: tuple[Sequence[_Row], Sequence[_Row]], figure: Callable[[_Row], float]
) -> Mapping[str, Sides]:
    return {
        first.name: Sides(figure(first), figure(second))
        for first, second in zip(*rows, strict=True)
    }
