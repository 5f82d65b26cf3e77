from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from PIL import Image

from model.artifact import Artifact
from model.classifier import Classifier, Prediction
from tests.helpers import synthetic_mnist
from training.errors import DataError
from training.judging import SEED
from training.judging import scenes as judged_scenes
from training.scene_judging import Row, chosen, judged, to_json, to_text, total
from training.scene_pens import Picture
from training.scenes import scenes
from training.statistics import wilson_interval

DIGITS = synthetic_mnist(test=130).test
ROWS = [
    Row("plain", images=60, correct=57, refused=3, accepted_wrong=1, unnormalized=12),
    Row("boxed", images=40, correct=39, refused=2, accepted_wrong=0, unnormalized=8),
]


@dataclass
class Reader:
    """Gives a digit for each image in turn, and refuses every fourth."""

    digits: Sequence[int]
    seen: list[Picture] = field(default_factory=list)

    def __call__(self, images: Sequence[Picture]) -> list[Prediction]:
        start = len(self.seen)
        self.seen.extend(images)
        return [
            Prediction(
                digit=self.digits[place],
                confidence=1.0,
                probabilities=(),
                reason=None if place % 4 else "low_confidence",
                warnings=(),
            )
            for place in range(start, len(self.seen))
        ]


def test_answers_are_counted_by_kind() -> None:
    labels = DIGITS.labels.astype(int)
    wrong = np.arange(len(labels)) % 3 == 0
    reader = Reader(np.where(wrong, (labels + 1) % 10, labels).tolist())
    bare = Reader(np.where(np.arange(len(labels)) < 100, (labels + 1) % 10, labels).tolist())
    rows = judged(reader, bare, DIGITS, seed=2)
    shown = list(scenes(DIGITS, 2))
    kinds = np.array([kind for _, _, kind in shown])
    for sheet, (expected, _, _) in zip(reader.seen, shown, strict=True):
        assert np.array_equal(sheet, expected)
    refused = np.arange(len(labels)) % 4 == 0
    assert {row.name for row in rows} == set(kinds)
    for row in rows:
        of_kind = kinds == row.name
        assert row == Row(
            row.name,
            images=of_kind.sum(),
            correct=(of_kind & ~wrong).sum(),
            refused=(of_kind & refused).sum(),
            accepted_wrong=(of_kind & wrong & ~refused).sum(),
            unnormalized=(of_kind & (np.arange(len(labels)) >= 100)).sum(),
        )


def test_without_the_normalizer_a_frame_is_the_sheet_averaged_by_area() -> None:
    bare = Reader([0] * len(DIGITS))
    judged(Reader([0] * len(DIGITS)), bare, DIGITS, seed=2)
    for frame, (sheet, _, _) in zip(bare.seen, scenes(DIGITS, 2), strict=True):
        assert frame.shape == (28, 28)
        assert frame.mean() == pytest.approx(sheet.mean(), abs=6)


def test_so_many_are_chosen_without_replacement_by_the_seed() -> None:
    some = chosen(DIGITS, 40, seed=1)
    assert len(some) == 40
    assert len(np.unique(some.images.reshape(40, -1), axis=0)) == 40
    assert np.array_equal(some.images, chosen(DIGITS, 40, seed=1).images)
    assert not np.array_equal(some.labels, chosen(DIGITS, 40, seed=2).labels)
    assert len(chosen(DIGITS, 1000, seed=1)) == len(DIGITS)


def test_no_digits_make_no_scenes() -> None:
    with pytest.raises(DataError, match="no images to show in scenes; name"):
        chosen(DIGITS.part(0, 0), 5, seed=1)


def test_the_sum_is_of_all_rows() -> None:
    assert total(ROWS) == Row("all", 100, 96, 5, 1, 20)


def test_the_table_has_a_line_for_every_kind_and_their_sum() -> None:
    lines = to_text(ROWS).splitlines()
    assert len({line.count("|") for line in lines}) == 1
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| plain", "| boxed", "| all"]
    low, high = wilson_interval(96, 100)
    assert f"| all | 100 | 96.00% | {low:.2%} to {high:.2%} | 5.00% | 1.00% | 20.00% |" in lines[-1]


def test_the_record_has_every_kind_and_their_sum() -> None:
    record = to_json(ROWS)
    assert list(record["kinds"]) == ["plain", "boxed"]
    assert record["kinds"]["plain"] == {
        "images": 60,
        "correct": 57,
        "accuracy": 0.95,
        "interval_95": list(wilson_interval(57, 60)),
        "accepted": 57,
        "errors_accepted": 1,
        "unnormalized": {
            "images": 60,
            "correct": 12,
            "accuracy": 0.2,
            "interval_95": list(wilson_interval(12, 60)),
        },
    }
    assert (record["images"], record["correct"], record["accuracy"]) == (100, 96, 0.96)
    assert record["unnormalized"]["correct"] == 20


def test_a_classifier_reads_scenes_with_its_normalizer_and_without(
    tiny_artifact: Artifact,
) -> None:
    classifier = Classifier(tiny_artifact)
    whole = total(judged_scenes(classifier, DIGITS, 100))
    sheets, labels, _ = zip(*scenes(chosen(DIGITS, 100, SEED), SEED), strict=True)
    area = Image.Resampling.BOX
    frames = [np.asarray(Image.fromarray(sheet).resize((28, 28), area)) for sheet in sheets]
    normalized, bare = classifier.classify(sheets), classifier.classify(frames, "never")
    assert whole.images == 100
    assert whole.correct == sum(map(is_right, normalized, labels))
    assert whole.unnormalized == sum(map(is_right, bare, labels))


def is_right(answer: Prediction, label: int) -> bool:
    return answer.digit == label
