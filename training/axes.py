"""The axes of a chart: where its numbers go, and which round numbers stand along it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

MOST_LOG_TICKS = 7
MOST_DECIMALS = 4  # smaller numbers are written as powers of ten

Point = tuple[float, float]


@dataclass(frozen=True)
class Axis:
    """What runs along an edge.

    whole: nothing stands between whole numbers, as with epochs. limits: the two
    ends, where the data are not to set them.
    """

    label: str
    log: bool = False
    whole: bool = False
    limits: Point | None = None


@dataclass(frozen=True)
class Scale:
    """Values from low to high to positions from start to end; what is outside goes to the edge."""

    low: float
    high: float
    start: float
    end: float
    log: bool
    whole: bool

    def __call__(self, value: float) -> float:
        """The position of a value."""
        low, high, at = self.low, self.high, min(max(value, self.low), self.high)
        if self.log:
            low, high, at = math.log(low), math.log(high), math.log(at)
        return round(self.start + (at - low) / (high - low) * (self.end - self.start), 1)

    def labels(self) -> list[tuple[float, str]]:
        """The ticks with their text."""
        if self.log:
            return [(value, f"{value:g}") for value in log_ticks(self.low, self.high)]
        values = ticks(self.low, self.high, whole=self.whole)
        decimals = _decimals(_step(self.high - self.low, whole=self.whole))
        kind = f",.{decimals}f" if decimals <= MOST_DECIMALS else "g"
        return [(value, format(value, kind)) for value in values]


def scale(axis: Axis, values: Sequence[float], ends: Point, *, exact: bool) -> Scale:
    """The scale that holds ``values`` between two positions, exactly or out to round numbers.

    Raises ValueError without values, for one that is not finite, and for one
    that is not above 0 on a logarithmic axis.
    """
    low, high = _limits(axis, values)
    if not exact and not axis.limits:
        low, high = (low / 1.1, high * 1.1) if axis.log else _round_outwards(low, high)
    return Scale(low, high, *ends, axis.log, axis.whole)


def ticks(low: float, high: float, *, whole: bool = False) -> list[float]:
    """Two to eleven multiples of 1, 2 or 5 times a power of ten, from low to high."""
    step = _step(high - low, whole=whole)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(number * step, _decimals(step)) for number in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten, and 2 and 5 times them where there is room; of a narrow range, ``ticks``."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1,)):
        found = [float(f"{factor}e{decade}") for decade in decades for factor in factors]
        found = [value for value in found if low <= value <= high]
        if len(found) <= MOST_LOG_TICKS:
            break
    if len(found) < 3:  # noqa: PLR2004 - two say little of a curved scale
        return ticks(low, high)
    return found[:: math.ceil(len(found) / MOST_LOG_TICKS)]


def _limits(axis: Axis, values: Sequence[float]) -> Point:
    if not values:
        raise ValueError("a chart needs a point")
    if not all(map(math.isfinite, values)):
        raise ValueError(f"{axis.label}: a point is not finite")
    low, high = axis.limits or (min(values), max(values))
    if axis.log and low <= 0:
        raise ValueError(f"{axis.label}: {low} has no place on a logarithmic axis")
    if not math.isclose(low, high):
        return low, high
    if axis.whole:
        return low - 1, high + 1
    # One value, or as good as one: room below it, since there is none above a share of 100 %.
    return (low, low + 1) if low == 0 else (low - abs(low) / 2, low)


def _round_outwards(low: float, high: float) -> Point:
    step = _step(high - low)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return round(first * step, _decimals(step)), round(last * step, _decimals(step))


def _step(span: float, *, whole: bool = False) -> float:
    raw = max(span / 10, 1.0) if whole else span / 5
    power = 10.0 ** math.floor(math.log10(raw))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= raw * (1 - 1e-9))


def _decimals(step: float) -> int:
    return max(0, -math.floor(math.log10(step) + 1e-9))
