"""The fifteen corruptions of MNIST-C, vectorized over the batch.

Mu and Gilmer 2019, "MNIST-C: A Robustness Benchmark for Computer Vision", arXiv:1906.02337.
What happens to a digit and how badly is theirs; the random draws are not, so the frames
are others of the same distribution. Levels are rounded to the nearest.

Inside this module an image is float64 in 0-255, and points are columns and rows.
"""

from collections.abc import Callable, Mapping
from functools import cache, partial
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.architecture import FRAME_SIDE
from model.network import PIXEL_MAX
from training.canny import edges
from training.errors import DataError

CHUNK = 128  # frames; part of what a generator gives, for every chunk draws its own amounts

# Severities of MNIST-C as published; shares and levels are of a pixel's range, lengths in pixels.
SHOTS = 3  # a white pixel's mean count
IMPULSES = 0.17  # share of the pixels that turn black or white
GLASS_SIGMA = 0.7
GLASS_ROUNDS = 2
MOTION_RADIUS, MOTION_SIGMA = 10, 3
MOTION_ANGLE = 45  # degrees, either way at most
SHEAR, ROTATION = 0.4, 0.4  # radians
SCALE = 0.7
BRIGHTNESS = 0.5
SHIFT = 3
STRIPE = 7  # columns inverted at either side
FOG = 3
FOG_MAP_SIDE, FOG_WIBBLE, FOG_DECAY = 256, 100, 1.4
MUD_MEAN, MUD_SD, MUD_SIGMA, MUD_THRESHOLD = 0.65, 0.3, 1, 0.65
MUD_EDGE_SIGMA, MUD_LEAST, MUD_LEVEL = 1.5, 0.8, 63 / 255
LINE_REACH = 2.3  # up and down from its middle, where a line's ink has long ended
DOT_PERIOD, DOT_GAP = 4, 2  # columns
ZIGZAG_START, ZIGZAG_END = 2, 25  # columns
ZIGZAG_RISE = (-5, 4)  # rows from start to end
TOOTH_LENGTH, TOOTH_WIDTH = 2, 2
CANNY_SIGMA, CANNY_LOW, CANNY_HIGH = 1, 0.1, 0.2

BLUR_REACH = 4  # standard deviations, where SciPy cuts a Gaussian off
FOG_MAPS = 16  # made at once: float32 in the last axis fills a cache line

Images: TypeAlias = NDArray[np.float64]
Corruption: TypeAlias = Callable[[NDArray[np.uint8], np.random.Generator], NDArray[np.uint8]]


def corrupted(name: str, frames: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """The frames (N, 28, 28) uint8 with one of ``CORRUPTIONS``, each drawn anew; a new array.

    Raises DataError when there is none of that name.
    """
    if name not in CORRUPTIONS:
        raise DataError(f"{name!r} is not a corruption; name one of: {', '.join(CORRUPTIONS)}")
    return CORRUPTIONS[name](frames, rng)


def _by_chunks(
    change: Callable[[Images, np.random.Generator], Images],
    frames: NDArray[np.uint8],
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Frames as images, changed, and as frames again: temporaries stay in the cache."""
    changed = np.empty_like(frames)
    for start in range(0, len(frames), CHUNK):
        chunk = slice(start, start + CHUNK)
        images = change(frames[chunk].astype(np.float64), rng)
        changed[chunk] = np.rint(np.clip(images, 0, PIXEL_MAX))
    return changed


# -- noise and blur ---------------------------------------------------------


def _shot_noise(images: Images, rng: np.random.Generator) -> Images:
    level = PIXEL_MAX / SHOTS  # of one shot
    return np.asarray(rng.poisson(images / level) * level)


def _impulse_noise(images: Images, rng: np.random.Generator) -> Images:
    draws = rng.random(images.shape)
    salted = np.where(draws < IMPULSES, PIXEL_MAX, images)
    return np.where(draws < IMPULSES / 2, 0.0, salted)


def _glass_blur(images: Images, rng: np.random.Generator) -> Images:
    """Blur, swap pixels with neighbours above and to the left, and blur again (frosted glass)."""
    blurred = np.floor(_blur(images, GLASS_SIGMA))  # whole levels lie between, as published
    pixels = np.ascontiguousarray(blurred.reshape(len(images), -1).T)  # (784, N)
    for _ in range(GLASS_ROUNDS):
        # Of eight equal chances, four are no swap and one is a swap with itself.
        reach = np.array([0, 0, 0, 0, 0, 1, FRAME_SIDE, FRAME_SIDE + 1])
        _swap(pixels, reach[rng.integers(0, len(reach), pixels.shape)])
    return _blur(pixels.T.reshape(images.shape), GLASS_SIGMA)


def _swap(pixels: Images, back: NDArray[np.intp]) -> None:
    """Swap each pixel (784, N), the last one first, with the one so many places before it."""
    each = np.arange(pixels.shape[1])
    for row in range(FRAME_SIDE - 1, 1, -1):
        for column in range(FRAME_SIDE - 1, 1, -1):
            here = row * FRAME_SIDE + column
            there = here - back[here]
            before = pixels[there, each]
            pixels[there, each] = pixels[here]
            pixels[here] = before


def _motion_blur(images: Images, rng: np.random.Generator) -> Images:
    """ImageMagick's: a comet's tail of whole pixels, its end the thinnest."""
    steps = np.arange(2 * MOTION_RADIUS + 1)
    weights = np.exp(-(steps**2) / (2 * MOTION_SIGMA**2))
    weights /= weights.sum()
    angle = np.deg2rad(rng.uniform(-MOTION_ANGLE, MOTION_ANGLE, (len(images), 1, 1)))
    each, places = np.arange(len(images))[:, None, None], np.arange(FRAME_SIDE)
    blurred = np.zeros_like(images)
    for step, weight in zip(steps, weights, strict=True):
        rows = places[:, None] + np.rint(step * np.sin(angle)).astype(np.intp)  # (N, 28, 1)
        columns = places + np.rint(step * np.cos(angle)).astype(np.intp)  # (N, 1, 28)
        last = FRAME_SIDE - 1
        blurred += weight * images[each, np.clip(rows, 0, last), np.clip(columns, 0, last)]
    return blurred


def _blur(images: Images, sigma: float) -> Images:
    matrix = _blur_matrix(sigma)
    blurred: Images = matrix @ images @ matrix.T
    return blurred


@cache
def _blur_matrix(sigma: float) -> Images:
    """Row i weighs the pixels of a line for its pixel i; edge pixels go on outside the frame."""
    reach = int(BLUR_REACH * sigma + 0.5)
    steps = np.arange(-reach, reach + 1)
    weights = np.exp(-((steps / sigma) ** 2) / 2)
    weights /= weights.sum()
    matrix = np.zeros((FRAME_SIDE, FRAME_SIDE))
    for place in range(FRAME_SIDE):
        np.add.at(matrix[place], np.clip(place + steps, 0, FRAME_SIDE - 1), weights)
    return matrix


# -- geometry ---------------------------------------------------------------


def _shear(images: Images, rng: np.random.Generator) -> Images:
    def matrix(angle: float) -> Images:
        return np.array([[1, -np.sin(angle)], [0, np.cos(angle)]])

    return _either_way(images, matrix(SHEAR), matrix(-SHEAR), rng)


def _scale(images: Images, _: np.random.Generator) -> Images:
    return _mapped(images, np.eye(2) / SCALE)


def _rotate(images: Images, rng: np.random.Generator) -> Images:
    cos, sin = np.cos(ROTATION), np.sin(ROTATION)
    matrix = np.array([[cos, -sin], [sin, cos]])
    return _either_way(images, matrix, matrix.T, rng)


def _translate(images: Images, rng: np.random.Generator) -> Images:
    padded = np.pad(images, [(0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT)])
    corners = 2 * SHIFT * rng.integers(0, 2, (len(images), 2, 1, 1))  # of the frame, when padded
    places = np.arange(FRAME_SIDE)
    each = np.arange(len(images))[:, None, None]
    shifted: Images = padded[each, corners[:, 0] + places[:, None], corners[:, 1] + places]
    return shifted


def _either_way(images: Images, one: Images, other: Images, rng: np.random.Generator) -> Images:
    chosen = rng.integers(0, 2, (len(images), 1, 1), np.bool_)
    return np.where(chosen, _mapped(images, one), _mapped(images, other))


def _mapped(images: Images, matrix: Images) -> Images:
    """Images sampled bilinearly where ``matrix`` sends each point (column, row) about the centre.

    What is outside is black.
    """
    centre = (FRAME_SIDE - 1) / 2
    steps = np.arange(FRAME_SIDE) - centre
    points = np.einsum("ab,bij->aij", matrix, np.stack(np.meshgrid(steps, steps))) + centre
    # A pixel of ground on every side, where what is farther away moves; then one to sample with.
    padded = np.pad(images, [(0, 0), (1, 2), (1, 2)])
    points = np.clip(points + 1, 0, FRAME_SIDE + 1)
    left, above = np.floor(points).astype(np.intp)
    x, y = points - (left, above)
    upper = padded[:, above, left] * (1 - x) + padded[:, above, left + 1] * x
    lower = padded[:, above + 1, left] * (1 - x) + padded[:, above + 1, left + 1] * x
    sampled: Images = upper * (1 - y) + lower * y
    return sampled


# -- light and weather ------------------------------------------------------


def _brightness(images: Images, _: np.random.Generator) -> Images:
    return images + BRIGHTNESS * PIXEL_MAX


def _stripe(images: Images, _: np.random.Generator) -> Images:
    striped = PIXEL_MAX - images
    striped[:, :, STRIPE:-STRIPE] = images[:, :, STRIPE:-STRIPE]
    return striped


def _fog(images: Images, rng: np.random.Generator) -> Images:
    """Clouds over the image, and all of it so much darker that white would be white again."""
    clouds = [
        _height_maps(len(images[start : start + FOG_MAPS]), rng)[:, :FRAME_SIDE, :FRAME_SIDE]
        for start in range(0, len(images), FOG_MAPS)
    ]
    most, fog = images.max(axis=(1, 2), keepdims=True), FOG * PIXEL_MAX
    foggy: Images = (images + fog * np.concatenate(clouds)) * (most / (most + fog))
    return foggy


def _height_maps(count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Diamond-square landscapes (count, 256, 256) in 0-1 whose edges meet (Fournier et al. 1982).

    MNIST-C's roughness enters squared and so falls by the square of the decay.
    """
    heights = np.zeros((FOG_MAP_SIDE, FOG_MAP_SIDE, count), np.float32)  # maps last: contiguous
    step, wibble = FOG_MAP_SIDE, float(FOG_WIBBLE)

    def wibbled(total: NDArray[np.float32]) -> NDArray[np.float32]:
        """The mean of four, and a height of its own."""
        noise = rng.random(total.shape, np.float32)
        noise -= np.float32(0.5)
        noise *= np.float32(2 * wibble**2)
        total *= np.float32(0.25)
        total += noise
        return total

    while step > 1:
        corners = heights[::step, ::step]
        down = corners + np.roll(corners, -1, axis=0)
        across = corners + np.roll(corners, -1, axis=1)
        middles = wibbled(down + np.roll(down, -1, axis=1))
        half = step // 2
        heights[half::step, half::step] = middles
        heights[::step, half::step] = wibbled(across + middles + np.roll(middles, 1, axis=0))
        heights[half::step, ::step] = wibbled(down + middles + np.roll(middles, 1, axis=1))
        step, wibble = half, wibble / FOG_DECAY
    heights -= heights.min(axis=(0, 1))
    heights /= heights.max(axis=(0, 1))
    return np.moveaxis(heights, -1, 0)


def _spatter(images: Images, rng: np.random.Generator) -> Images:
    """Splashes of mud: the peaks of a smooth random field, their edges softened."""
    field = _blur(rng.normal(MUD_MEAN, MUD_SD, images.shape), MUD_SIGMA)
    mud = _blur((field > MUD_THRESHOLD).astype(np.float64), MUD_EDGE_SIGMA)
    mud[mud < MUD_LEAST] = 0
    return images * (1 - mud) + MUD_LEVEL * PIXEL_MAX * mud


# -- lines ------------------------------------------------------------------


def _dotted_line(images: Images, rng: np.random.Generator) -> Images:
    rows = rng.integers(0, FRAME_SIDE - 1, (2, len(images)))
    start = np.stack([np.zeros(len(images)), rows[0]])
    end = np.stack([np.full(len(images), FRAME_SIDE - 1), rows[1]])
    dots = np.arange(FRAME_SIDE) % DOT_PERIOD >= DOT_GAP
    return images + _line(start, end) * dots


def _zigzag(images: Images, rng: np.random.Generator) -> Images:
    """Teeth to both sides of a straight line that is never drawn."""
    row = rng.integers(0, FRAME_SIDE - 1, len(images))
    rise = rng.integers(*ZIGZAG_RISE, len(images), endpoint=True)
    run = ZIGZAG_END - ZIGZAG_START
    length = np.hypot(run, rise)
    # However much it rises, the line has room for as many teeth as the level one.
    teeth = np.arange((run - TOOTH_LENGTH) // (2 * TOOTH_LENGTH) + 1)
    along = np.empty((len(teeth) + 2, len(images)))
    along[0], along[1:-1], along[-1] = 0, (2 * teeth[:, None] + 1) * TOOTH_LENGTH, length
    aside = np.array([0, *(TOOTH_WIDTH * (-1) ** teeth), 0])[:, None]
    cos, sin = run / length, rise / length
    columns = ZIGZAG_START + along * cos - aside * sin
    columns[-1] = ZIGZAG_END  # a rounding error more would be a column more
    corners = np.stack([columns, row + along * sin + aside * cos], axis=1)  # (C, 2, N)
    drawn = images
    for start, end in pairwise(corners):
        drawn = drawn + _line(start, end)
    return drawn


def _line(start: Images, end: Images) -> Images:
    """Lines (N, 28, 28) from points (2, N) to others to their right, as MNIST-C draws them.

    Ink fades with the distance up and down, and ends with the columns of the end points.
    """
    places = np.arange(FRAME_SIDE)
    slope = (end[1] - start[1]) / (end[0] - start[0])
    middle = start[1, :, None] + (places - start[0, :, None]) * slope[:, None]  # (N, 28)
    distance = np.abs(places[:, None] - middle[:, None, :]) / LINE_REACH  # (N, 28, 28)
    nearness = np.maximum(1 - distance, np.finfo(np.float64).tiny)
    ink = np.maximum(1 + np.log(nearness), 0) * PIXEL_MAX
    after = places >= np.floor(start[0])[:, None]
    before = places < np.ceil(end[0])[:, None]
    drawn: Images = ink * (after & before)[:, None, :]
    return drawn


def _canny_edges(images: Images, _: np.random.Generator) -> Images:
    found = edges(_blur(images, CANNY_SIGMA) / PIXEL_MAX, CANNY_LOW, CANNY_HIGH)
    return np.where(found, float(PIXEL_MAX), 0.0)


CORRUPTIONS: Mapping[str, Corruption] = {
    change.__name__.removeprefix("_"): partial(_by_chunks, change)
    for change in (
        _shot_noise,
        _impulse_noise,
        _glass_blur,
        _motion_blur,
        _shear,
        _scale,
        _rotate,
        _brightness,
        _translate,
        _stripe,
        _fog,
        _spatter,
        _dotted_line,
        _zigzag,
        _canny_edges,
    )
}
