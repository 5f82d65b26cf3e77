"""Random changes of frames, vectorized over the batch.

Affine maps and elastic distortions move the points at which a frame is
sampled, once, bilinearly; then strokes grow or shrink, a rectangle is painted
over, and blur and noise come. Frames pass through in chunks, so that every temporary stays in the
processor's cache; the work is in float32.
"""

from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from model.architecture import FRAME_SIDE
from model.network import PIXEL_MAX
from training.config import AugmentationConfig

CHUNK = 128  # frames; part of what a seed gives, for every chunk draws its own amounts

PIXELS = FRAME_SIDE * FRAME_SIDE
PADDED_SIDE = FRAME_SIDE + 2  # a pixel of ground on every side

ELASTIC_REACH = 3  # standard deviations, beyond which the smoothing weighs 1 % or less
ERASED_ASPECT = 3  # the longer side of an erased rectangle to the other, at most
LEAST_BLUR = 1e-3  # pixels; below it a Gaussian at whole pixels is 1, 0, 0 all the same
NORMAL_STEPS = 2**16

Images = NDArray[np.float32]


def augment(
    frames: NDArray[np.uint8], bounds: AugmentationConfig, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Change each frame (N, 28, 28) by its own random amounts within ``bounds``.

    Amounts are uniform. ``elastic`` is the largest displacement along either
    axis; ``stroke`` is how far every edge of the ink moves, so strokes change
    their width by twice as much. What comes from outside a frame is ground.

    For every chunk ``rng`` is asked for, in this order: rotation, scale (y, x),
    shear, shift (y, x), elastic amplitudes and fields, stroke, which are spared,
    hollowness, erased shares and rectangles, blur, noise levels and noise; for what
    has the bound 0, for nothing.
    """
    return augment_both(frames, bounds, rng)[1]


def augment_both(
    frames: NDArray[np.uint8], bounds: AugmentationConfig, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """What ``augment`` makes of the frames, before and after they are spoilt.

    To spoil is what ``spared`` spares some of: hollow, erase, blur and noise. Where
    nothing does, both are one array.
    """
    plain = np.empty_like(frames)
    spoilt = np.empty_like(frames) if bounds.spoils else plain
    for start in range(0, len(frames), CHUNK):
        chunk = slice(start, start + CHUNK)
        images = _move(frames[chunk], bounds, rng)
        plain[chunk] = _pixels(images)
        if bounds.spoils:
            spoilt[chunk] = _pixels(_spoil(images, bounds, rng))
    return plain, spoilt


def _pixels(images: Images) -> Images:
    """Images (N, 784) as frames of whole numbers, made in their place."""
    np.rint(np.clip(images, 0, PIXEL_MAX, out=images), out=images)
    return images.reshape(-1, FRAME_SIDE, FRAME_SIDE)


def _move(
    frames: NDArray[np.uint8], bounds: AugmentationConfig, rng: np.random.Generator
) -> Images:
    """Frames as (N, 784), with their points moved and their strokes grown or shrunk."""
    count = len(frames)
    if any((bounds.rotation, bounds.scale, bounds.shear, bounds.shift, bounds.elastic)):
        y, x = _affine_points(count, bounds, rng)
        if bounds.elastic:
            amplitudes = _amounts(rng, 0, bounds.elastic, count)
            dy, dx = _displacements(amplitudes, bounds.elastic_smoothness, rng)
            y += dy
            x += dx
        images = _sample(frames, y, x)
    else:
        images = frames.reshape(count, PIXELS).astype(np.float32)
    if bounds.stroke:
        images = _thicken(images, _amounts(rng, -bounds.stroke, bounds.stroke, count))
    return images


def _spoil(images: Images, bounds: AugmentationConfig, rng: np.random.Generator) -> Images:
    count = len(images)
    share = rng.random((count, 1)) >= bounds.spared if bounds.spared else True
    if bounds.hollow:
        images = _hollow(images, _amounts(rng, 0, bounds.hollow, count) * share)
    if bounds.erase:
        images = _erase(images, _amounts(rng, 0, bounds.erase, count) * share, rng)
    if bounds.blur:
        images = _blur(images, _amounts(rng, 0, bounds.blur, count) * share)
    if bounds.noise:
        images = images + _noise(_amounts(rng, 0, bounds.noise * PIXEL_MAX, count) * share, rng)
    return images


def _amounts(rng: np.random.Generator, low: float, high: float, count: int) -> Images:
    return rng.uniform(low, high, (count, 1)).astype(np.float32)


def _affine_points(
    count: int, bounds: AugmentationConfig, rng: np.random.Generator
) -> tuple[Images, Images]:
    """Rows and columns (count, 784) at which to sample frames: the inverse affine maps."""

    def draw(bound: float) -> NDArray[np.float64]:
        return rng.uniform(-bound, bound, count) if bound else np.zeros(count)

    angle = np.deg2rad(draw(bounds.rotation))
    scale_y, scale_x = 1 + draw(bounds.scale), 1 + draw(bounds.scale)
    lean = draw(bounds.shear)
    shift_y, shift_x = draw(bounds.shift), draw(bounds.shift)
    cos, sin = np.cos(angle), np.sin(angle)
    y = _plane(scale_y * cos, scale_y * sin, shift_y)
    x = _plane(scale_x * (lean * cos - sin), scale_x * (lean * sin + cos), shift_x)
    return y, x


def _plane(
    down: NDArray[np.float64], across: NDArray[np.float64], shift: NDArray[np.float64]
) -> Images:
    """One coordinate of the sampling points: so much a pixel down, so much a pixel across."""
    centre = (FRAME_SIDE - 1) / 2
    steps = np.arange(FRAME_SIDE) - centre
    by_row = (np.outer(down, steps) + (centre + shift)[:, None]).astype(np.float32)  # (N, 28)
    by_column = np.outer(across, steps).astype(np.float32)  # (N, 28)
    return (by_row[:, :, None] + by_column[:, None, :]).reshape(-1, PIXELS)


def _displacements(
    amplitudes: Images, smoothness: float, rng: np.random.Generator
) -> tuple[Images, Images]:
    """Elastic distortion (Simard, Steinkraus and Platt 2003): how far to move each point.

    A random field smoothed by a Gaussian of standard deviation ``smoothness``,
    scaled so that an image's largest displacement is its amplitude (N, 1).
    The field is drawn on a lattice as wide as the Gaussian, not at every pixel:
    the sum of Gaussians so far apart is flat to 0.02 %.
    """
    count, weights = len(amplitudes), _lattice_weights(smoothness)
    knots = len(weights)
    lattice = rng.random((count * 2, knots, knots), dtype=np.float32) - np.float32(0.5)
    field: Images = (weights.T @ lattice @ weights).reshape(count, 2 * PIXELS)
    largest: Images = np.abs(field).max(axis=1, keepdims=True)
    field *= amplitudes / largest
    return field[:, :PIXELS], field[:, PIXELS:]


@cache
def _lattice_weights(smoothness: float) -> Images:
    """Gaussians (knots, 28) at every ``smoothness`` pixels, some of them outside the frame."""
    margin = ELASTIC_REACH * smoothness
    knots = np.arange(-margin, FRAME_SIDE - 1 + margin + smoothness, smoothness)
    distance = (knots[:, None] - np.arange(FRAME_SIDE)) / smoothness
    return np.exp(-(distance**2) / 2).astype(np.float32)


def _sample(frames: NDArray[np.uint8], y: Images, x: Images) -> Images:
    """Bilinear samples (N, 784) of each frame (N, 28, 28) at rows ``y`` and columns ``x``.

    Uses up ``y`` and ``x``: they are worked on in place.
    """
    padded = np.zeros((len(frames), PADDED_SIDE, PADDED_SIDE), np.float32)
    padded[:, 1:-1, 1:-1] = frames
    pixels = padded.ravel()
    for points in (y, x):  # what is outside moves to the ground around
        np.clip(points, -1, FRAME_SIDE - 0.001, out=points)
    above, left = np.floor(y), np.floor(x)
    y -= above
    x -= left
    # Positions within the chunk are small enough for float32 to hold exactly.
    above *= PADDED_SIDE
    above += left
    above += _first_pixels(len(frames))
    position = above.astype(np.intp)

    def beside(offset: int) -> Images:
        # mode="clip" spares a pass over the positions to check them, which are sound.
        return pixels[offset:].take(position, mode="clip")

    upper, lower = beside(0), beside(PADDED_SIDE)
    upper += _scaled_difference(beside(1), upper, x)
    lower += _scaled_difference(beside(PADDED_SIDE + 1), lower, x)
    upper += _scaled_difference(lower, upper, y)
    return upper


def _first_pixels(count: int) -> Images:
    """Where each padded frame's own pixel (0, 0) is, (count, 1)."""
    first = np.arange(count, dtype=np.float32)[:, None]
    return first * np.float32(PADDED_SIDE**2) + np.float32(PADDED_SIDE + 1)


def _scaled_difference(minuend: Images, subtrahend: Images, by: Images) -> Images:
    """``(minuend - subtrahend) * by``, made in the place of ``minuend``."""
    minuend -= subtrahend
    minuend *= by
    return minuend


def _thicken(images: Images, radius: Images) -> Images:
    """Grey-scale dilation, or erosion where ``radius`` (N, 1) is negative, by 3x3 squares.

    Parts of a pixel are a blend: half a pixel is halfway to the whole one.
    """
    # Erosion of the ink is dilation of the ground, so the same maxima serve both.
    sign: Images = np.where(radius < 0, np.float32(-1), np.float32(1))
    white: Images = np.where(radius < 0, np.float32(PIXEL_MAX), np.float32(0))
    images = images * sign + white
    reach = np.abs(radius)
    for step in range(int(np.ceil(reach.max()))):
        larger = _dilate(images)
        images += _scaled_difference(larger, images, np.clip(reach - step, 0, 1))
    return images * sign + white


def _dilate(images: Images) -> Images:
    """The largest of every pixel and its eight neighbours; outside there is nothing."""
    padded = np.zeros((len(images), PADDED_SIDE, PADDED_SIDE), np.float32)
    padded[:, 1:-1, 1:-1] = images.reshape(-1, FRAME_SIDE, FRAME_SIDE)
    # All rows of all frames in one line: maxima run on into the padding alone.
    across = _largest_of_three(padded.ravel(), 1)
    down = _largest_of_three(across, PADDED_SIDE)
    inside = down.reshape(padded.shape)[:, 1:-1, 1:-1]
    return inside.reshape(-1, PIXELS)


def _largest_of_three(line: Images, stride: int) -> Images:
    """Of every number and those ``stride`` before and after it."""
    largest = line.copy()
    np.maximum(largest[stride:], line[:-stride], out=largest[stride:])
    np.maximum(largest[:-stride], line[stride:], out=largest[:-stride])
    return largest


def _hollow(images: Images, shares: Images) -> Images:
    """Take such a share (N, 1) of the ink out of the strokes and leave a contour around them."""
    contours = _dilate(images) * (shares > 0)
    hollowed: Images = np.maximum(images, contours)
    hollowed -= shares * images
    return hollowed


def _erase(images: Images, shares: Images, rng: np.random.Generator) -> Images:
    """Paint a rectangle of such a share (N, 1) of each frame, anywhere, in any one shade.

    Random erasing (Zhong et al. 2020); sides may be as 1 to 3, and a part may lie outside.
    """
    count = len(images)
    lengthening = ERASED_ASPECT ** rng.uniform(-0.5, 0.5, (count, 1))
    side = FRAME_SIDE * np.sqrt(shares)
    rows, columns = (
        np.abs(np.arange(FRAME_SIDE) - rng.uniform(0, FRAME_SIDE - 1, (count, 1))) < length / 2
        for length in (side * lengthening, side / lengthening)
    )  # (N, 28) each
    hidden = (rows[:, :, None] & columns[:, None, :]).reshape(count, PIXELS)
    painted: Images = np.where(hidden, _amounts(rng, 0, PIXEL_MAX, count), images)
    return painted


def _blur(images: Images, sigma: Images) -> Images:
    """Convolve each image with a Gaussian of its own standard deviation (N, 1) in pixels."""
    width: Images = np.maximum(sigma, LEAST_BLUR)
    distance = np.arange(FRAME_SIDE, dtype=np.float32) / width  # (N, 28)
    weights: Images = np.exp(-(distance**2) / 2)
    total: Images = 2 * weights.sum(axis=1, keepdims=True) - 1  # all but the middle count twice
    positions = np.arange(FRAME_SIDE)
    matrices = (weights / total)[:, np.abs(positions[:, None] - positions)]  # (N, 28, 28)
    squares = images.reshape(-1, FRAME_SIDE, FRAME_SIDE)
    blurred: Images = matrices @ squares @ matrices  # they are symmetric
    return blurred.reshape(-1, PIXELS)


def _noise(sigma: Images, rng: np.random.Generator) -> Images:
    """Gaussian noise (N, 784) of standard deviations ``sigma`` (N, 1)."""
    draws = rng.integers(0, NORMAL_STEPS, (len(sigma), PIXELS), np.uint16)
    noise: Images = _normal_quantiles()[draws]
    noise *= sigma
    return noise


@cache
def _normal_quantiles() -> Images:
    """The normal distribution at equal steps: several times faster to draw from than exactly."""
    inverse = NormalDist().inv_cdf
    return np.array([inverse((i + 0.5) / NORMAL_STEPS) for i in range(NORMAL_STEPS)], np.float32)
