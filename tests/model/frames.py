"""What tests of the normalizer share: shapes whose frames are known, and measures of frames."""

import numpy as np

from tests.model.drawing import Image

# An L of strokes 4 pixels wide in a box of 20x12: no symmetry hides a wrong axis or direction.
SHAPE: Image = np.zeros((20, 12), np.uint8)
SHAPE[:, :4] = SHAPE[-4:, :] = 255


def on_sheet(ink: Image, size: tuple[int, int], at: tuple[int, int], *, ground: int = 0) -> Image:
    """Ink laid on an even sheet at a place."""
    sheet: Image = np.full(size, ground, np.uint8)
    top, left = at
    sheet[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return sheet


# Of the L's 112 pixels the mean row is 11.8 and the mean column 3.2, so that
# its corner comes to stand at row 14 - 12 = 2 and column 14 - 3 = 11.
EXPECTED = on_sheet(SHAPE, (28, 28), (2, 11))


def enlarged(image: Image, times: int) -> Image:
    return np.kron(image, np.ones((times, times), np.uint8))


def box(frame: Image) -> tuple[int, int, int, int]:
    """Top, left, height and width of the ink."""
    rows, columns = np.flatnonzero(frame.any(axis=1)), np.flatnonzero(frame.any(axis=0))
    height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    return int(rows[0]), int(columns[0]), int(height), int(width)


def inked(frame: Image) -> Image:
    """The pixels of a frame that are more ink than not, as 255."""
    return np.where(frame > 128, 255, 0).astype(np.uint8)


def centre_of_mass(frame: Image) -> list[float]:
    ink = frame / frame.sum()
    return [float(ink.sum(axis=1) @ np.arange(28)), float(ink.sum(axis=0) @ np.arange(28))]


def difference(one: Image, other: Image) -> float:
    """Mean absolute difference of two frames, in grey levels."""
    return float(np.abs(one.astype(int) - other).mean())


def bar(rows: slice, columns: slice, brightness: int = 255, lean: float = 0.0) -> Image:
    """A frame with a bar; ``lean`` moves each row so many pixels right of the one below it."""
    image = np.zeros((28, 28), np.uint8)
    for row in range(28)[rows]:
        shift = round(lean * (14 - row))
        image[row, columns.start + shift : columns.stop + shift] = brightness
    return image
