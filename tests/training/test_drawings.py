from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from model.artifact import Artifact
from model.classifier import Classifier, Prediction
from tests.helpers import table
from training.drawings import (
    VARIANTS,
    drawings,
    find_drawings,
    read_drawings,
    to_json,
    to_text,
)
from training.errors import DataError
from training.robustness import Row
from training.rows import Digits
from training.statistics import wilson_interval

Picture = NDArray[np.uint8]


def ring(pen: int) -> Picture:
    """A nought taller than wide, drawn by a pen of so many pixels, without grey edges."""
    image = Image.new("L", (28, 28), "white")
    ImageDraw.Draw(image).ellipse((8, 4, 19, 23), outline="black", width=pen)
    return np.asarray(image)


def bar() -> Picture:
    drawing = np.full((28, 28), 255, np.uint8)
    drawing[5:22, 13:16] = 0
    return drawing


RING, BAR = ring(3), bar()
DRAWN = Digits(np.stack([RING, BAR, ring(1)]), np.array([0, 1, 0], np.uint8))


def shown(name: str, drawing: Picture, seed: int = 0) -> Picture:
    return VARIANTS[name](drawing, np.random.default_rng(seed))


def ink(picture: Picture) -> int:
    return int((255 - picture.astype(int)).sum())


# -- finding ----------------------------------------------------------------


def test_the_drawings_are_where_the_variable_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGITS_DRAWINGS", str(tmp_path))
    assert find_drawings() == tmp_path


def test_else_they_are_beside_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DIGITS_DRAWINGS", raising=False)
    (tmp_path / "project").mkdir()
    (tmp_path / "shared/drawings").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project")
    assert find_drawings() == Path("../shared/drawings")


def test_a_named_folder_that_is_missing_is_not_replaced_by_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGITS_DRAWINGS", str(tmp_path / "none"))
    with pytest.raises(DataError, match=r"none: holds no drawings; name .* DIGITS_DRAWINGS"):
        find_drawings()


# -- reading ----------------------------------------------------------------


def folder_of(path: Path, digits: Digits, labels: str | bytes | None = None) -> Path:
    """A folder of drawings a.png, b.png and c.png; ``labels`` in the place of the right ones."""
    (path / "img").mkdir()
    names = [f"{letter}.png" for letter in "abc"]
    for name, image in zip(names, digits.images, strict=True):
        Image.fromarray(image).save(path / "img" / name)
    if labels is None:
        rows = zip(names, digits.labels, strict=True)
        labels = "image,label\n" + "".join(f"{name},{label}\n" for name, label in rows)
    (path / "labels.csv").write_bytes(labels.encode() if isinstance(labels, str) else labels)
    return path


def test_drawings_are_read_as_they_are(tmp_path: Path) -> None:
    read = read_drawings(folder_of(tmp_path, DRAWN))
    assert np.array_equal(read.images, DRAWN.images)
    assert np.array_equal(read.labels, DRAWN.labels)
    assert read.images.dtype == read.labels.dtype == np.uint8


def test_the_order_is_that_of_the_labels(tmp_path: Path) -> None:
    read = read_drawings(folder_of(tmp_path, DRAWN, "image,label\r\nc.png,0\r\nb.png,1\r\n"))
    assert np.array_equal(read.images, DRAWN.images[[2, 1]])
    assert read.labels.tolist() == [0, 1]


def test_colours_of_a_palette_or_of_three_channels_make_no_difference(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, DRAWN)
    Image.fromarray(RING).convert("P").save(folder / "img/a.png")
    Image.fromarray(BAR).convert("RGB").save(folder / "img/b.png")
    assert np.array_equal(read_drawings(folder).images, DRAWN.images)


@table(
    "labels, words",
    {
        "empty": ("", r"labels.csv: line 1 is not image,label; begin"),
        "no header": ("a.png,0\n", r"labels.csv: line 1 is not image,label; begin"),
        "no rows": ("image,label\n", r"labels.csv: names no drawings; give each a row"),
        "ten is no digit": ("image,label\na.png,0\nb.png,10\n", r"line 3 is 'b.png,10'; give"),
        "a column short": ("image,label\na.png\n", r"line 2 is 'a.png'; give"),
        "a column more": ("image,label\na.png,0,0\n", r"line 2 is 'a.png,0,0'; give"),
        "a blank line": ("image,label\n\na.png,0\n", r"line 2 is ''; give"),
        "not UTF-8": (b"image,label\n\xff,0\n", r"labels.csv: is not UTF-8; save"),
        "no such image": ("image,label\nd.png,0\n", r"img.d.png: is not there; fetch it"),
    },
)
def test_wrong_labels_are_named(tmp_path: Path, labels: str | bytes, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_drawings(folder_of(tmp_path, DRAWN, labels))


def test_missing_labels_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"labels.csv: cannot be read \(No such file"):
        read_drawings(tmp_path)


@table(
    "spoil, words",
    {
        "cut off": (lambda path: path.write_bytes(path.read_bytes()[:60]), "is not a whole PNG"),
        "a JPEG": (lambda path: Image.fromarray(BAR).save(path, "JPEG"), "is not a whole PNG"),
        "too wide": (
            lambda path: Image.fromarray(np.pad(BAR, [(0, 0), (0, 1)])).save(path),
            "is 29x28; make it 28x28",
        ),
        "white on black": (
            lambda path: Image.fromarray(255 - BAR).save(path),
            "shows no black ink on white",
        ),
        "blank": (
            lambda path: Image.new("L", (28, 28), "white").save(path),
            "shows no black ink on white",
        ),
    },
)
def test_a_wrong_image_is_named(
    tmp_path: Path, spoil: Callable[[Path], object], words: str
) -> None:
    folder = folder_of(tmp_path, DRAWN)
    spoil(folder / "img/b.png")
    with pytest.raises(DataError, match=f"b.png: {words}"):
        read_drawings(folder)


# -- variants ---------------------------------------------------------------

SIDES = {
    "as_drawn": 28,
    "enlarged": 400,
    "off_centre": 400,
    "thin": 400,
    "inverted": 28,
    "on_grey": 28,
    "jpeg": 400,
}


def test_every_variant_is_a_picture_of_its_size() -> None:
    assert list(VARIANTS) == list(SIDES)
    for name, side in SIDES.items():
        picture = shown(name, RING)
        assert picture.shape == (side, side), name
        assert picture.dtype == np.uint8, name


def test_no_variant_changes_the_drawing() -> None:
    drawing = RING.copy()
    drawing.flags.writeable = False
    for name in VARIANTS:
        shown(name, drawing)
    assert np.array_equal(drawing, RING)


def test_as_drawn_and_inverted_are_exact() -> None:
    assert np.array_equal(shown("as_drawn", RING), RING)
    assert np.array_equal(shown("inverted", RING), 255 - RING)


def test_enlarged_has_the_drawings_shades_at_the_middle_of_its_pixels_and_greys_between() -> None:
    picture = shown("enlarged", RING)
    middles = ((np.arange(28) + 0.5) * 400 / 28).astype(int)
    assert np.abs(picture[np.ix_(middles, middles)].astype(int) - RING).max() < 16
    assert len(np.unique(picture)) > 100


def test_jpeg_is_the_enlarged_drawing_a_little_spoiled() -> None:
    spoiled = np.abs(shown("jpeg", RING).astype(int) - shown("enlarged", RING))
    assert 0.3 < spoiled.mean() < 1


def test_an_off_centre_digit_is_whole_and_of_all_sizes_and_places() -> None:
    boxes = np.array([ink_box(shown("off_centre", RING, seed)) for seed in range(200)])
    top, left, height, width = boxes.T
    assert height.min() in range(150, 160)
    assert height.max() in range(241, 251)
    assert np.abs(width / height - 12 / 20).max() < 0.01
    for corner, free in ((top, 400 - height), (left, 400 - width)):
        place = corner / free
        assert 0 <= place.min() < 0.1
        assert 0.9 < place.max() <= 1


def ink_box(picture: Picture) -> tuple[int, int, int, int]:
    """Top, left, height and width of all that is not white."""
    rows, columns = np.nonzero(picture < 255)
    top, left = rows.min(), columns.min()
    return top, left, rows.max() + 1 - top, columns.max() + 1 - left


def speck() -> Picture:
    drawing = np.full((28, 28), 255, np.uint8)
    drawing[14, 14] = 0
    return drawing


def over_the_edge() -> Picture:
    drawing = np.full((28, 28), 255, np.uint8)
    drawing[:, 11:17] = 0
    return drawing


@table(
    "drawing",
    {
        "broad pen": ring(5),
        "finest pen": ring(1),
        "faint pen": np.maximum(ring(1), 150),
        "one pixel": speck(),
        "over the edge": over_the_edge(),
    },
)
def test_thin_strokes_keep_almost_half_of_their_ink_where_they_were(drawing: Picture) -> None:
    enlarged, thin = shown("enlarged", drawing), shown("thin", drawing)
    assert 0.35 < ink(thin) / ink(enlarged) <= 0.5
    assert (thin >= enlarged).all()


def test_thin_strokes_are_worn_off_on_both_sides() -> None:
    (_, left, _, width), (_, thin_left, _, thin_width) = (
        ink_box(shown(name, BAR)) for name in ("enlarged", "thin")
    )
    assert thin_width < 0.8 * width
    assert abs(thin_left + thin_width / 2 - left - width / 2) <= 1


def test_strokes_that_run_over_the_edge_are_worn_off_there_too() -> None:
    top, _, height, _ = ink_box(shown("thin", over_the_edge()))
    assert top > 0
    assert top + height < 400


def test_greys_are_of_all_shades_and_keep_their_order() -> None:
    drawing = np.tile(np.linspace(0, 255, 28).astype(np.uint8), (28, 1))
    pictures = [shown("on_grey", drawing, seed) for seed in range(200)]
    inks, grounds = (np.array([p[0, column] for p in pictures]) for column in (0, -1))
    assert (inks.min(), inks.max()) == (30, 80)
    assert (grounds.min(), grounds.max()) == (170, 215)
    for picture in pictures[:5]:
        steps = np.diff(picture[0].astype(int))
        assert steps.min() >= 2
        assert np.ptp(steps) <= 2


# -- judging ----------------------------------------------------------------


@dataclass
class Reader:
    """Takes every other picture for a 1, the rest for a 0, which it does not stand by."""

    batches: list[list[Picture]] = field(default_factory=list)

    def __call__(self, pictures: Sequence[Picture]) -> list[Prediction]:
        self.batches.append(list(pictures))
        return [
            Prediction(
                digit=digit,
                confidence=1.0,
                probabilities=(),
                reason=None if digit else "low_confidence",
                warnings=(),
            )
            for digit, _ in zip([1, 1, 0], pictures, strict=True)
        ]


def test_answers_to_every_variant_are_counted() -> None:
    assert drawings(Reader(), DRAWN, seed=0) == [
        Row(name, images=3, correct=2, accepted=2, accepted_wrong=1) for name in VARIANTS
    ]


def test_the_pictures_are_those_of_the_seed_and_the_place() -> None:
    reader, other = Reader(), Reader()
    drawings(reader, DRAWN, seed=3)
    drawings(other, DRAWN, seed=4)
    for place, (variant, batch) in enumerate(zip(VARIANTS.values(), reader.batches, strict=True)):
        rng = np.random.default_rng([3, place])
        for picture, drawing in zip(batch, DRAWN.images, strict=True):
            assert np.array_equal(picture, variant(drawing, rng))
    place = list(VARIANTS).index("off_centre")
    assert not np.array_equal(reader.batches[place], other.batches[place])


def test_a_classifier_reads_every_variant(tiny_artifact: Artifact) -> None:
    rows = drawings(Classifier(tiny_artifact).classify, DRAWN, seed=0)
    assert [(row.name, row.images) for row in rows] == [(name, 3) for name in VARIANTS]


ROWS = [
    Row("as_drawn", images=1000, correct=998, accepted=990, accepted_wrong=0),
    Row("thin", images=1000, correct=990, accepted=980, accepted_wrong=2),
]


def test_the_table_has_a_line_for_every_variant_then_mean_and_worst() -> None:
    assert [line.split(" | ")[0] for line in to_text(ROWS).splitlines()[2:]] == [
        "| as_drawn",
        "| thin",
        "| mean of 2",
        "| worst",
    ]


def test_the_record_has_every_variant() -> None:
    record = to_json(ROWS)
    assert list(record["variants"]) == ["as_drawn", "thin"]
    assert record["variants"]["thin"] == {
        "images": 1000,
        "correct": 990,
        "accuracy": 0.99,
        "interval_95": list(wilson_interval(990, 1000)),
        "accepted": 980,
        "errors_accepted": 2,
    }
    assert "corruptions" not in record
    assert record["mean_accuracy"] == pytest.approx(0.994)
    assert (record["worst"], record["most_errors_accepted"]) == ("thin", "thin")
