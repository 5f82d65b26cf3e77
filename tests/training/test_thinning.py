import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tests.helpers import table
from tests.training.frames import bar
from training.thinning import CentreLines, centre_lines, thinned

Frame = NDArray[np.uint8]


def drawn(*strokes: list[tuple[int, int]], width: int = 3) -> Frame:
    """A frame with polygons' sides as strokes."""
    image = Image.new("L", (28, 28))
    for points in strokes:
        ImageDraw.Draw(image).line(points, 255, width)
    return np.asarray(image)


def ring(radius: int = 8, width: int = 3) -> Frame:
    image = Image.new("L", (28, 28))
    box = (14 - radius, 14 - radius, 14 + radius, 14 + radius)
    ImageDraw.Draw(image).ellipse(box, outline=255, width=width)
    return np.asarray(image)


def lines_of(frame: Frame) -> CentreLines:
    (lines,) = centre_lines(frame[np.newaxis])
    return lines


def degrees(lines: CentreLines) -> NDArray[np.intp]:
    """How many others each point is joined to."""
    return np.bincount(lines.joints.ravel(), minlength=len(lines.points))


def test_the_line_of_a_bar_runs_down_its_middle() -> None:
    lines = lines_of(bar(1)[0])
    x, y = lines.points.T
    assert np.abs(x - 14).max() < 0.5  # columns 12 to 15 are inked: their middle is at 14
    assert 7 < y.min() < 10
    assert 18 < y.max() < 21
    assert (degrees(lines) == 1).sum() == 2


def test_the_line_of_a_ring_is_a_ring() -> None:
    lines = lines_of(ring())
    assert np.abs(np.hypot(*(lines.points - 14.5).T) - 7.5).max() < 1
    assert degrees(lines).min() == 2


def test_neighbours_are_joined_and_no_others() -> None:
    lines = lines_of(ring())
    ends = lines.points[lines.joints]
    assert np.hypot(*(ends[:, 0] - ends[:, 1]).T).max() < 1


def test_lines_have_no_corners_of_pixels() -> None:
    """Of a slanted bar, every point is on the straight line, which no pixel's middle need be."""
    x, y = lines_of(drawn([(10, 4), (17, 24)])).points.T
    inner = (y > 7) & (y < 21)
    slope, start = np.polyfit(y[inner], x[inner], 1)
    assert np.abs(x[inner] - start - slope * y[inner]).max() < 0.2


def test_faint_strokes_have_lines_like_dark_ones() -> None:
    dark = ring()
    faint = np.asarray(dark * 0.4, np.uint8)
    assert len(lines_of(faint).points) == pytest.approx(len(lines_of(dark).points), abs=4)


def test_thinned_strokes_are_a_pixel_wide_and_hang_together_as_before() -> None:
    masks = np.stack([ring(8, 3), ring(8, 5), drawn([(4, 4), (22, 4), (10, 24)], width=4)]) > 0
    for mask, lines in zip(masks, thinned(masks), strict=True):
        assert not (lines & ~mask).any()
        blocks = lines[:-1, :-1] & lines[1:, :-1] & lines[:-1, 1:] & lines[1:, 1:]
        assert not blocks.any()
        assert holes(lines) == holes(mask)


def holes(mask: NDArray[np.bool_]) -> int:
    """Parts of the ground that are not the one around."""
    left = ~np.pad(mask, 1)
    found = -1
    while left.any():
        part = np.zeros_like(left)
        part[tuple(np.argwhere(left)[0])] = True
        while not np.array_equal(part, larger := part | (_beside(part) & left)):
            part = larger
        left &= ~part
        found += 1
    return found


def _beside(part: NDArray[np.bool_]) -> NDArray[np.bool_]:
    padded = np.pad(part, 1)
    sides = padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
    return np.asarray(sides)


def test_masks_are_thinned_each_by_itself() -> None:
    masks = np.stack([ring(), drawn([(14, 4), (14, 24)], width=6)]) > 0
    together = thinned(masks)
    for mask, lines in zip(masks, together, strict=True):
        assert np.array_equal(lines, thinned(mask[np.newaxis])[0])


@table(
    "frame, faithful",
    {
        "a bar": (drawn([(14, 4), (14, 24)], width=2), True),
        "a ring": (ring(), True),
        "a hook": (drawn([(4, 4), (20, 4), (20, 20)], width=2), True),
        "a blot": (ring(8, 9), False),
        "a filled loop under a stroke": (np.maximum(ring(6, 7), drawn([(8, 1), (8, 14)])), False),
        "two strokes apart": (drawn([(6, 4), (6, 24)], [(20, 4), (20, 24)], width=2), False),
        "a dot": (drawn([(14, 14), (15, 14)]), False),
        "nothing": (np.zeros((28, 28), np.uint8), False),
    },
)
def test_lines_that_do_not_say_the_digit_are_not_faithful(frame: Frame, faithful: bool) -> None:  # noqa: FBT001 - a table's column
    assert lines_of(frame).are_faithful is faithful
