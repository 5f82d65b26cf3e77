import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from tests.helpers import table
from training.errors import DataError, TrainingError
from training.statistics import wilson_interval
from training.stranger_glyphs import find_fonts, font_names, load_faces, render, repertoire
from training.strangers import (
    AMBIGUOUS,
    BATCH,
    GRAIN,
    LETTERS,
    SETS,
    SYMBOLS,
    Row,
    coverage,
    refusals,
    strangers,
    to_json,
    to_text,
)

EMBEDDED: list[Path] = []  # no fonts: Pillow's own, which is the same on every machine

INK = 96  # of 255 from the ground: what counts as ink in these tests


def solid_digits() -> NDArray[np.uint8]:
    """Frames of one solid piece of ink each: a bar and an L."""
    frames = np.zeros((2, 28, 28), np.uint8)
    frames[0, 4:24, 12:16] = 255
    frames[1, 4:24, 6:11] = frames[1, 19:24, 6:22] = 255
    return frames


def made(name: str, count: int = 60, seed: int = 1) -> list[NDArray[np.uint8]]:
    return strangers(name, count, seed, EMBEDDED, solid_digits())


def inked(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where an image differs from its commonest shade, which is that of the ground."""
    ground = np.bincount(image.ravel()).argmax()
    return np.asarray(np.abs(image.astype(int) - ground) > INK)


def pieces(mask: NDArray[np.bool_]) -> int:
    """How many connected pieces of ink there are, by sides and corners."""
    left, found = {(int(y), int(x)) for y, x in np.argwhere(mask)}, 0
    while left:
        found += 1
        edge = [left.pop()]
        while edge:
            y, x = edge.pop()
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            edge.extend(near)
    return found


def embedded_file() -> bytes:
    """The font in Pillow as a file."""
    face = ImageFont.load_default(10)
    assert isinstance(face, ImageFont.FreeTypeFont)
    return bytes(face.font_bytes)


# -- every set --------------------------------------------------------------


@pytest.mark.parametrize("name", SETS)
def test_images_are_what_a_client_might_send(name: str) -> None:
    images = made(name)
    shapes = {image.shape for image in images}
    assert all(image.dtype == np.uint8 and image.ndim == 2 for image in images)
    assert all(28 <= side <= 300 for shape in shapes for side in shape)
    assert 10 <= sum(image.shape == (28, 28) for image in images) <= 50
    assert len(shapes) > 10
    assert any(height != width for height, width in shapes)


@pytest.mark.parametrize("name", SETS)
def test_both_polarities_are_common(name: str) -> None:
    bright = [np.median(image) > 127 for image in made(name)]
    assert 0.2 < np.mean(bright) < 0.8


@pytest.mark.parametrize("name", SETS)
def test_a_seed_gives_its_images_and_fewer_of_the_same(name: str) -> None:
    images, fewer, others = made(name, 8), made(name, 5), made(name, 8, seed=2)
    for first, second in zip(images, fewer, strict=False):
        np.testing.assert_array_equal(first, second)
    assert any(not np.array_equal(*pair) for pair in zip(images, others, strict=True))


# -- what is in them --------------------------------------------------------


def test_a_blank_is_one_shade_within_its_grain() -> None:
    spreads = [int(image.max()) - int(image.min()) for image in made("blank", 200)]
    assert max(spreads) <= 2 * GRAIN
    assert {0, 2 * GRAIN} <= set(spreads)


def test_a_blank_is_white_or_black_or_of_any_shade() -> None:
    shades = {int(image.flat[0]) for image in made("blank", 200)}
    assert {0, 255} <= shades
    assert len(shades) > 20


def test_a_constant_is_one_shade() -> None:
    images = made("constant")
    assert all(image.min() == image.max() for image in images)
    assert len({int(image[0, 0]) for image in images}) > 20


@pytest.mark.parametrize("name", ["stripes", "textures"])
def test_a_pattern_reaches_every_quarter(name: str) -> None:
    for image in made(name):
        quarters = [
            part for half in np.array_split(image, 2) for part in np.array_split(half, 2, axis=1)
        ]
        assert all(quarter.max() > quarter.min() for quarter in quarters)


def test_stripes_are_never_one_stripe() -> None:
    for image in made("stripes"):
        # Along at least one axis through the middle, light and dark take turns.
        middle = image > (int(image.max()) + int(image.min())) / 2
        rows, columns = middle[len(middle) // 2], middle[:, middle.shape[1] // 2]
        turns = [int((line[1:] != line[:-1]).sum()) for line in (rows, columns)]
        assert max(turns) >= 3


def test_noise_is_from_faint_to_strong() -> None:
    deviations = [float(image.std()) for image in made("noise")]
    assert min(deviations) < 10
    assert max(deviations) > 70


def test_letters_are_those_that_cannot_be_digits() -> None:
    assert set(LETTERS).isdisjoint(AMBIGUOUS)
    assert len(LETTERS) + len(AMBIGUOUS) == 52 + 1  # and the bar
    for lookalike in "lIOoSsZzBbgq|":
        assert lookalike in AMBIGUOUS
    assert set(SYMBOLS).isdisjoint("0123456789()/\\|°" + LETTERS + AMBIGUOUS)


@table(
    "name, characters",
    {
        "letters": ("letters", LETTERS),
        "ambiguous letters": ("ambiguous_letters", AMBIGUOUS),
        "symbols": ("symbols", SYMBOLS),
    },
)
def test_every_character_of_a_set_is_drawn_and_no_other(
    monkeypatch: pytest.MonkeyPatch, name: str, characters: str
) -> None:
    drawn = []

    def seen(face: object, character: str) -> Image.Image:
        drawn.append(character)
        return render(face, character)  # type: ignore[arg-type]

    monkeypatch.setattr("training.strangers.render", seen)
    made(name, 600)
    assert set(drawn) == set(repertoire(load_faces(EMBEDDED), characters))


@pytest.mark.parametrize("name", ["letters", "symbols", "ambiguous_letters", "scribbles"])
def test_ink_is_there_and_has_a_ground(name: str) -> None:
    for image in made(name):
        share = inked(image).mean()
        assert 0.0005 < share < 0.6


def test_several_digits_are_more_pieces_than_one() -> None:
    found = [pieces(inked(image)) for image in made("several_digits", 40) if image.size < 10_000]
    assert set(found) == {2, 3, 4}


def test_digits_that_are_no_frames_are_refused() -> None:
    frames = np.zeros((1, 28, 28), np.uint8)
    with pytest.raises(DataError, match=r"digits: have shape \(0, 28, 28\)"):
        strangers("several_digits", 1, 1, EMBEDDED, frames[:0])
    with pytest.raises(DataError, match=r"not \(N, 28, 28\); give frames"):
        strangers("several_digits", 1, 1, EMBEDDED, frames[0])


def test_a_set_that_is_not_there_is_named() -> None:
    with pytest.raises(DataError, match="no set 'cats'; choose from blank, constant, noise"):
        strangers("cats", 1, 1, EMBEDDED, solid_digits())


# -- fonts ------------------------------------------------------------------


def test_without_fonts_letters_are_set_in_the_one_of_pillow() -> None:
    assert font_names(EMBEDDED) == ["Aileron Regular (embedded in Pillow)"]
    assert len(repertoire(load_faces(EMBEDDED), LETTERS)) == len(LETTERS)


def test_what_a_font_lacks_is_left_out_and_not_shown_as_a_box() -> None:
    had = repertoire(load_faces(EMBEDDED), "A♪& ")
    assert list(had) == ["A", "&"]  # a space has no ink


def test_a_glyph_is_not_cut_off() -> None:
    face = load_faces(EMBEDDED)[0]
    for character in "AjQf@":
        roomy = Image.new("L", (600, 600))
        ImageDraw.Draw(roomy).text((200, 200), character, 255, face)
        assert render(face, character) == roomy.crop(roomy.getbbox())


def test_files_that_set_no_text_are_no_fonts(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "damaged.ttf").write_bytes(b"\x00\x01\x00\x00 no tables")
    (tmp_path / "notes.txt").write_text("A")
    assert find_fonts([tmp_path, tmp_path / "absent"]) == []
    with pytest.raises(TrainingError, match=r"damaged\.ttf: is no font that can be read"):
        strangers("letters", 1, 1, [tmp_path / "below" / "damaged.ttf"], solid_digits())


def test_fonts_are_found_in_order_and_named(tmp_path: Path) -> None:
    for name in ("b.ttf", "a.OTF"):
        (tmp_path / name).write_bytes(embedded_file())
    fonts = find_fonts([tmp_path])
    assert [path.name for path in fonts] == ["a.OTF", "b.ttf"]
    assert font_names(fonts) == ["Aileron Regular"]


def test_a_font_that_shows_two_letters_alike_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "capitals.ttf").write_bytes(embedded_file())
    monkeypatch.setattr("training.stranger_glyphs.TELLING", "AII")
    assert find_fonts([tmp_path]) == []


# -- the table --------------------------------------------------------------


@dataclass(frozen=True)
class Told:
    """What a classifier says of one image."""

    reason: str | None

    @property
    def accepted(self) -> bool:
        return self.reason is None


class Darkest:
    """Accepts images with a black pixel, and keeps how many it was asked for at once."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def classify(self, images: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]) -> list[Told]:
        self.calls.append(len(images))
        return [Told(_reason(image)) for image in images]


def _reason(image: NDArray[np.uint8]) -> str | None:
    if image.min() == 0:
        return None
    return "blank" if image.min() == image.max() else "low_confidence"


ROWS = [
    Row("letters", 10_000, 9700, {"blank": 9000, "low_confidence": 700}),
    Row("several_digits", 8, 0, {}),
]


def test_every_set_is_counted_image_by_image() -> None:
    rows = refusals(Darkest().classify, solid_digits(), 3, EMBEDDED, count=30)
    assert [row.name for row in rows] == list(SETS)
    for row in rows:
        reasons = [_reason(image) for image in made(row.name, 30, seed=3)]
        assert row.images == 30
        assert row.refused == sum(reason is not None for reason in reasons)
        assert row.reasons == {
            reason: reasons.count(reason) for reason in set(reasons) if reason is not None
        }


def test_digits_are_counted_in_batches() -> None:
    darkest = Darkest()
    images = np.zeros((2 * BATCH + 1, 28, 28), np.uint8)
    images[:3] = 9
    images[3:5, 0, 0] = 7
    images[3:5] += 1
    assert coverage(darkest.classify, images) == Row(
        "digits", 2 * BATCH + 1, 5, {"blank": 3, "low_confidence": 2}
    )
    assert darkest.calls == [BATCH, BATCH, 1]


def test_no_images_have_no_share() -> None:
    with pytest.raises(DataError, match="drawings: there are no images to judge"):
        coverage(Darkest().classify, [], "drawings")
    with pytest.raises(DataError, match="blank: there are no images"):
        refusals(Darkest().classify, solid_digits(), 1, EMBEDDED, count=0)


def test_a_table_worked_by_hand() -> None:
    assert to_text(ROWS, EMBEDDED).splitlines() == [
        "| images of | refused | 95% interval | because |",
        "| --- | --- | --- | --- |",
        "| letters | 97.0% of 10,000 | 96.6% to 97.3% | blank 9,000, low confidence 700 |",
        "| several digits | 0.0% of 8 | 0.0% to 32.4% |  |",
        "",
        "Letters and symbols are set in Aileron Regular (embedded in Pillow).",
    ]


def test_a_record_is_json_and_names_the_fonts() -> None:
    record = to_json(ROWS, EMBEDDED)
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record["fonts"] == font_names(EMBEDDED)
    assert record["sets"]["letters"] == {
        "images": 10_000,
        "refused": 9700,
        "share": 0.97,
        "interval_95": list(wilson_interval(9700, 10_000)),
        "reasons": {"blank": 9000, "low_confidence": 700},
    }
