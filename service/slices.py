"""Counts of the last while in slices of time, and the file in which a worker keeps them.

The slices of all workers are cut at the same times, so those of several files add up. A dead
worker's are as much of the last while as those of a living one, and age with it.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np
import orjson

from model.reference import BINS, Counts

Slices: TypeAlias = Mapping[int, Counts]  # by their number since 1970

SLICES = 60  # that a window is cut into
MAX_BYTES = 2**20  # some 40 000 are usual


def number(now: float, width: float) -> int:
    """The slice of ``width`` seconds that a time falls into."""
    return int(now // width)


def together(slices: Iterable[Slices]) -> dict[int, Counts]:
    """The sum of all."""
    total: dict[int, Counts] = {}
    for each in slices:
        for key, counts in each.items():
            total[key] = total[key] + counts if key in total else counts
    return total


def recent(slices: Slices, last: int) -> dict[int, Counts]:
    """Those of the window that ends with the slice ``last``, in order."""
    return {key: slices[key] for key in sorted(slices) if last - SLICES < key <= last}


def write(file: Path, about: str, slices: Slices) -> None:
    """Put slices in the place of ``file`` in one step; raises OSError.

    ``about`` says what they count, and is compared when they are read.
    """
    listed = {str(key): counts.tolist() for key, counts in slices.items()}
    temporary = file.with_suffix(".tmp")  # of one writer, so the name is free
    try:
        temporary.write_bytes(orjson.dumps({"about": about, "slices": listed}))
        temporary.replace(file)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def read(file: Path, about: str) -> dict[int, Counts]:
    """The slices of a file; none where it is missing, damaged or about something else."""
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_BYTES + 1)
        document = orjson.loads(data)
        if len(data) > MAX_BYTES or document["about"] != about:
            return {}
        slices = {int(key): np.array(listed) for key, listed in document["slices"].items()}
    except (OSError, ValueError, TypeError, LookupError, AttributeError):
        return {}
    return slices if all(map(_is_sound, slices.values())) else {}


def _is_sound(counts: Counts) -> bool:
    return counts.dtype == np.int64 and counts.shape == (BINS,) and counts.min() >= 0
