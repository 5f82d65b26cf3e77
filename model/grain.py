"""Noise that only looks like ink."""

import numpy as np

from model.ink import Ink

ALIKE = 0.2  # correlation below which pixels have nothing to do with each other
DENSE = 0.15  # share of a sheet that ink covers, above which strokes are broad:
BROAD = 32  # at least this part of the longer side


def is_grain(light: Ink, ink: Ink) -> bool:
    """Whether all there is on a sheet (H, W) is noise, of pixels or, where dense, of blocks.

    Strokes go on from pixel to pixel, and those that cover much of a sheet are broad; in
    noise, neighbours have nothing to do with each other.
    """
    centred = light - light.mean(dtype=np.float32)
    if not _goes_on(centred, 1):
        return True
    broad = max(1, max(light.shape) // BROAD)
    return bool(ink.mean() > DENSE) and not _goes_on(centred, broad)


def _goes_on(centred: Ink, lag: int) -> bool:
    """Whether pixels so far apart are alike in any of four directions (H, W)."""
    height, width = centred.shape
    upper, lower = centred[: max(height - lag, 0)], centred[lag:]
    pairs = (
        (upper, lower),
        (centred[:, : max(width - lag, 0)], centred[:, lag:]),
        (upper[:, : max(width - lag, 0)], lower[:, lag:]),
        (upper[:, lag:], lower[:, : max(width - lag, 0)]),
    )
    alike = ALIKE * float(np.vdot(centred, centred))
    return any(float(np.vdot(one, other)) >= alike for one, other in pairs)
