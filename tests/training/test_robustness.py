import termios
from collections.abc import Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, field
from typing import TextIO

import numpy as np
import pytest
from numpy.typing import NDArray

from model.classifier import Prediction
from tests.helpers import seen_on_a_terminal, table
from training.corruptions import CORRUPTIONS, corrupted
from training.errors import DataError
from training.robustness import BATCH, Row, robustness, to_json, to_text
from training.rows import Digits
from training.statistics import wilson_interval

Frames = NDArray[np.uint8]

ACCEPTED, REFUSED = 255, 200  # how bright the pixel is that stands for the answer


def said(*answers: tuple[int, int, int]) -> Digits:
    """A label, the answer and ACCEPTED or REFUSED for each image, which ``Reader`` obeys."""
    images = np.zeros((len(answers), 28, 28), np.uint8)
    for image, (_, answer, brightness) in zip(images, answers, strict=True):
        image[14, 9 + answer] = brightness
    return Digits(images, np.array([label for label, _, _ in answers], np.uint8))


@dataclass
class Reader:
    """Reads the brightest of ten pixels and keeps what it was shown."""

    batches: list[Frames] = field(default_factory=list)

    def __call__(self, images: Frames) -> list[Prediction]:
        self.batches.append(images.copy())
        return [
            Prediction(
                digit=int(pixels.argmax()),
                confidence=1.0,
                probabilities=(),
                reason=None if pixels.max() == ACCEPTED else "low_confidence",
                warnings=(),
            )
            for pixels in images[:, 14, 9:19]
        ]


FEW = said((3, 3, ACCEPTED), (4, 4, REFUSED), (5, 6, ACCEPTED), (7, 1, REFUSED), (8, 8, ACCEPTED))


# -- counting ---------------------------------------------------------------


def test_answers_are_counted_as_they_are() -> None:
    (clean,) = robustness(Reader(), FEW, seed=0, names=[])
    assert clean == Row("clean", images=5, correct=3, accepted=3, accepted_wrong=1)
    assert clean.accuracy == 3 / 5
    assert clean.coverage == 3 / 5
    assert clean.accepted_errors == 1 / 5  # of all images, not of the accepted ones


def test_clean_images_come_first_then_the_fifteen() -> None:
    rows = robustness(Reader(), FEW, seed=0)
    assert [row.name for row in rows] == ["clean", *CORRUPTIONS]
    assert {row.images for row in rows} == {5}


def test_a_corruption_changes_the_answers() -> None:
    """Stripes leave the ten pixels alone, brightness makes all answers certain ones."""
    _, stripe, brightness = robustness(Reader(), FEW, seed=0, names=["stripe", "brightness"])
    assert stripe == Row("stripe", images=5, correct=3, accepted=3, accepted_wrong=1)
    assert brightness == Row("brightness", images=5, correct=3, accepted=5, accepted_wrong=2)


def test_images_are_shown_in_batches_of_bounded_size() -> None:
    digits = said(*[(3, 3, ACCEPTED)] * BATCH, (4, 5, REFUSED))
    reader = Reader()
    (clean,) = robustness(reader, digits, seed=0, names=[])
    assert [len(batch) for batch in reader.batches] == [BATCH, 1]
    assert np.array_equal(np.concatenate(reader.batches), digits.images)
    assert (clean.correct, clean.accepted) == (BATCH, BATCH)


# -- what is shown ----------------------------------------------------------


def shown(seed: int, names: Sequence[str]) -> list[Frames]:
    reader = Reader()
    robustness(reader, FEW, seed, names)
    return reader.batches[1:]


def test_a_corruption_alone_shows_what_it_shows_among_all() -> None:
    for name, frames in zip(CORRUPTIONS, shown(3, list(CORRUPTIONS)), strict=True):
        assert np.array_equal(shown(3, [name]), [frames])


def test_the_generator_is_that_of_the_seed_and_the_place() -> None:
    (frames,) = shown(3, ["fog"])
    place = list(CORRUPTIONS).index("fog")
    assert np.array_equal(frames, corrupted("fog", FEW.images, np.random.default_rng([3, place])))
    assert not np.array_equal(frames, shown(4, ["fog"])[0])


# -- what is refused --------------------------------------------------------


@table(
    "digits, names, words",
    {
        "no such corruption": (FEW, ["fog", "snow"], "'snow' is not a corruption; name some of"),
        "no images": (FEW.part(0, 0), None, "no images to corrupt; name a data set"),
    },
)
def test_what_cannot_be_done_is_told_first(
    digits: Digits, names: list[str] | None, words: str
) -> None:
    reader = Reader()
    with pytest.raises(DataError, match=words):
        robustness(reader, digits, seed=0, names=names)
    assert not reader.batches


# -- what is told -----------------------------------------------------------

ROWS = [
    Row("clean", images=1000, correct=990, accepted=980, accepted_wrong=2),
    Row("fog", images=1000, correct=700, accepted=400, accepted_wrong=5),
    Row("zigzag", images=1000, correct=800, accepted=900, accepted_wrong=135),
]


def test_the_table_has_a_line_for_every_row_then_mean_and_worst() -> None:
    assert to_text(ROWS).splitlines() == [
        "| images | accuracy | 95% interval | accepted | accepted and wrong | 95% interval |",
        "|---|---:|---:|---:|---:|---:|",
        "| clean | 99.00% | 98.17% to 99.46% | 98.00% | 0.20% | 0.05% to 0.73% |",
        "| fog | 70.00% | 67.09% to 72.76% | 40.00% | 0.50% | 0.21% to 1.17% |",
        "| zigzag | 80.00% | 77.41% to 82.36% | 90.00% | 13.50% | 11.52% to 15.76% |",
        "| mean of 2 | 75.00% |  | 65.00% | 7.00% |  |",
        "| worst | 70.00% (fog) |  |  | 13.50% (zigzag) |  |",
    ]


def test_clean_images_alone_have_neither_mean_nor_worst() -> None:
    assert len(to_text(ROWS[:1]).splitlines()) == 3
    assert to_json(ROWS[:1]).keys() == {"clean", "corruptions"}


def test_the_record_holds_counts_and_shares() -> None:
    record = to_json(ROWS)
    assert record["clean"] == {
        "images": 1000,
        "correct": 990,
        "accuracy": 0.99,
        "interval_95": list(wilson_interval(990, 1000)),
        "accepted": 980,
        "errors_accepted": 2,
    }
    assert list(record["corruptions"]) == ["fog", "zigzag"]
    assert record["corruptions"]["zigzag"]["errors_accepted"] == 135
    assert record["mean_accuracy"] == 0.75
    assert record["mean_errors_accepted"] == pytest.approx(0.07)
    assert (record["worst"], record["most_errors_accepted"]) == ("fog", "zigzag")


@pytest.mark.parametrize("wanted", [True, False])
def test_a_terminal_gets_a_bar_if_it_is_wanted(wanted: bool) -> None:  # noqa: FBT001 - a parameter
    def run(terminal: TextIO) -> None:
        termios.tcsetwinsize(terminal.fileno(), (24, 80))
        with redirect_stderr(terminal):
            robustness(Reader(), FEW, seed=0, names=["stripe", "scale"], progress=wanted)

    seen = seen_on_a_terminal(run)
    for words in ("clean:", "stripe:", "scale:", "10.0/15.0", "images"):
        assert (words in seen) == wanted


def test_elsewhere_there_is_no_bar(capfd: pytest.CaptureFixture[str]) -> None:
    robustness(Reader(), FEW, seed=0, names=["stripe"])
    assert capfd.readouterr() == ("", "")
