import numpy as np
import pytest
from hypothesis import example, given
from hypothesis.extra.numpy import array_shapes, arrays

from model.components import Components, components
from model.ink import Mask
from tests.helpers import PROPERTY, table

MASKS = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=24))


def flooded(mask: Mask) -> list[set[tuple[int, int]]]:
    """The pixels of each component, by a flood from every pixel."""
    left = {(int(row), int(column)) for row, column in np.argwhere(mask)}
    found = []
    while left:
        shore = [left.pop()]
        flood = set(shore)
        while shore:
            row, column = shore.pop()
            around = {(row + r, column + c) for r in (-1, 0, 1) for c in (-1, 0, 1)} & left
            left -= around
            flood |= around
            shore += around
        found.append(flood)
    return found


def pixels(parts: Components, number: int) -> set[tuple[int, int]]:
    """Those of one component."""
    mask = parts.mask(np.arange(len(parts)) == number)
    return {(int(row), int(column)) for row, column in np.argwhere(mask)}


def spiral(side: int) -> Mask:
    """One long path whose runs hang together only one after another."""
    mask = np.zeros((side, side), np.bool_)
    for ring in range(0, side // 2, 2):
        last = side - 1 - ring
        mask[ring, max(ring - 1, 0) : last + 1] = mask[ring : last + 1, last] = True
        mask[last, ring : last + 1] = mask[ring + 2 : last + 1, ring] = True
    return mask


def drawn(*rows: str) -> Mask:
    return np.array([[pixel == "#" for pixel in row] for row in rows])


@PROPERTY
@given(MASKS)
@example(spiral(21))
@example(np.eye(9, dtype=np.bool_)[::-1])
@example(np.zeros((3, 4), np.bool_))
@example(np.ones((1, 1), np.bool_))
def test_components_are_what_a_flood_finds(mask: Mask) -> None:
    parts = components(mask)
    floods = flooded(mask)
    assert len(parts) == len(floods)
    found = [pixels(parts, number) for number in range(len(parts))]
    assert sorted(map(sorted, found)) == sorted(map(sorted, floods))
    for number, flood in enumerate(found):
        rows, columns = zip(*flood, strict=True)
        assert parts.areas[number] == len(flood)
        assert (parts.top[number], parts.bottom[number]) == (min(rows), max(rows) + 1)
        assert (parts.left[number], parts.right[number]) == (min(columns), max(columns) + 1)


@PROPERTY
@given(MASKS)
def test_the_largest_come_first_and_the_first_in_the_image_of_those_as_large(mask: Mask) -> None:
    parts = components(mask)
    firsts = [min(pixels(parts, number)) for number in range(len(parts))]
    keys = list(zip((-parts.areas).tolist(), firsts, strict=True))
    assert keys == sorted(keys)


@PROPERTY
@given(MASKS)
def test_all_components_together_are_the_mask(mask: Mask) -> None:
    parts = components(mask)
    np.testing.assert_array_equal(parts.mask(np.ones(len(parts), np.bool_)), mask)
    assert not parts.mask(np.zeros(len(parts), np.bool_)).any()


@table(
    "mask, count",
    {
        "a row": (drawn("###"), 1),
        "a gap in a row": (drawn("#.#"), 2),
        "diagonally": (drawn("#.", ".#"), 1),
        "diagonally the other way": (drawn(".#", "#."), 1),
        "a row between": (drawn("#", ".", "#"), 2),
        "one row's end and the next one's beginning": (drawn("..##", "#...", "...#"), 3),
        "a comb": (drawn("#.#.#", "#####"), 1),
        "a hole": (drawn("###", "#.#", "###"), 1),
        "nothing": (drawn("...", "..."), 0),
    },
)
def test_what_hangs_together(mask: Mask, count: int) -> None:
    assert len(components(mask)) == count


def test_heights_and_widths_are_those_of_the_boxes() -> None:
    parts = components(drawn("####..", "......", "....#.", "....#.", "....#."))
    assert parts.heights.tolist() == [1, 3]
    assert parts.widths.tolist() == [4, 1]


@pytest.mark.parametrize("view", ["turned", "every other pixel"])
def test_masks_need_not_lie_row_by_row_in_memory(view: str) -> None:
    mask = np.random.default_rng(0).random((40, 60)) < 0.4
    seen = mask.T if view == "turned" else mask[::2, ::2]
    parts = components(seen)
    np.testing.assert_array_equal(parts.mask(np.ones(len(parts), np.bool_)), seen)
    assert len(parts) == len(flooded(seen))
