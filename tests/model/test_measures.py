"""What is measured of frames, on bars of which it is known."""

import numpy as np
import pytest

from model.measures import CHUNK, measures
from tests.helpers import table
from tests.model.drawing import Image
from tests.model.frames import bar

BAR = bar(slice(4, 24), slice(12, 16))  # 20 high, 4 wide, in the middle


@table(
    "image, feature, expected",
    {
        "ink of a bar": (BAR, "ink", 80 / 784),
        "ink of a dim bar": (bar(slice(4, 24), slice(12, 16), 51), "ink", 16 / 784),
        "size of a bar": (BAR, "size", 20),
        "size of a lying bar": (BAR.T, "size", 20),
        "size of what is too faint for a stroke": (BAR // 4, "size", 0),
        "aspect of a bar": (BAR, "aspect", 0.2),
        "aspect of a lying bar": (BAR.T, "aspect", 5),
        "thickness of a bar": (BAR, "thickness", 80 / 24),
        "thickness does not depend on brightness": (BAR // 2, "thickness", 80 / 24),
        "thickness at the border": (bar(slice(0, 28), slice(0, 2)), "thickness", 56 / 30),
        "no slant": (BAR, "slant", 0),
        "slant to the right": (bar(slice(4, 24), slice(12, 15), lean=0.5), "slant", 0.5),
        "slant to the left": (bar(slice(4, 24), slice(12, 15), lean=-0.5), "slant", -0.5),
        "half a pixel off, as pixels are counted": (BAR, "offset", 0.5),
        "three pixels to the right": (np.roll(BAR, 3, axis=1), "offset", 2.5),
        "three pixels down": (np.roll(BAR, 3, axis=0), "offset", 2.5),
        "three pixels up": (np.roll(BAR, -3, axis=0), "offset", 3.5),
    },
)
def test_a_feature_is_what_its_name_says(image: Image, feature: str, expected: float) -> None:
    assert measures(image[np.newaxis])[feature][0] == pytest.approx(expected, abs=0.02)


def test_a_blank_frame_is_0_in_all() -> None:
    numbers = measures(np.zeros((1, 28, 28), np.uint8))
    assert all(each.tolist() == [0] for each in numbers.values())


def test_a_flat_line_has_no_slant() -> None:
    assert measures(bar(slice(14, 15), slice(4, 24))[np.newaxis])["slant"].tolist() == [0]


def test_of_many_frames_each_is_measured_as_alone() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2 * CHUNK + 7, 28, 28), np.uint8)
    together = measures(images)
    for index in (0, CHUNK - 1, CHUNK, len(images) - 1):
        alone = measures(images[index : index + 1])
        assert {name: each[index] for name, each in together.items()} == {
            name: each[0] for name, each in alone.items()
        }
