"""What is told of drift: how far each feature is from its reference, and since when."""

from datetime import UTC, datetime
from typing import Any

import numpy as np

from model import Artifact
from model.reference import (
    BINS,
    MINIMUM_SAMPLES,
    Counts,
    Reference,
    Verdict,
    by_feature,
    samples,
    verdict,
)
from service.slices import SLICES, Slices

SHARE_DIGITS = 6
INDEX_DIGITS = 4


def document(artifact: Artifact, found: Slices, width: float) -> dict[str, Any]:
    """The answer at ``/drift``. found: slices of ``width`` seconds, of all workers, in order."""
    reference, served = artifact.reference, total(found)
    history = _history(reference, found) if reference else []
    return {
        "model": {"name": artifact.name, "version": artifact.version},
        "verdict": history[-1] if history else "unknown",
        "since": _since(history, [*found], width) if history else None,
        "samples": samples(served),
        "minimum_samples": MINIMUM_SAMPLES,
        "window_seconds": round(SLICES * width),
        "reference_images": reference.images if reference else None,
        "features": _features(reference, served) if reference else {},
    }


def total(found: Slices) -> Counts:
    """All slices as one: (BINS,)."""
    return sum(found.values(), np.zeros(BINS, np.int64))


def _history(reference: Reference, found: Slices) -> list[Verdict]:
    """The verdict on all features together when each of the slices had ended."""
    if not found:
        return []
    until = np.cumsum([*found.values()], axis=0)  # (slices, BINS)
    worst = np.max([*reference.psi(until).values()], axis=0)
    return [verdict(index, samples(each)) for index, each in zip(worst, until, strict=True)]


def _since(history: list[Verdict], numbers: list[int], width: float) -> str:
    """When the slice began since which the verdict has been the last one, by RFC 3339."""
    others = [place for place, each in enumerate(history) if each != history[-1]]
    first = others[-1] + 1 if others else 0
    began = datetime.fromtimestamp(numbers[first] * width, UTC)
    return began.isoformat(timespec="seconds").replace("+00:00", "Z")


def _features(reference: Reference, served: Counts) -> dict[str, Any]:
    expected, found = by_feature(np.array(reference.counts)), by_feature(served)
    seen = samples(served)
    return {
        name: {
            "psi": round(float(index), INDEX_DIGITS),
            "verdict": verdict(float(index), seen),
            "samples": seen,
            "bins": [
                {"bin": word, "reference": before, "found": now}
                for word, before, now in zip(
                    reference.bins(name), _shares(expected[name]), _shares(found[name]), strict=True
                )
            ],
        }
        for name, index in reference.psi(served).items()
    }


def _shares(counts: Counts) -> list[float]:
    """The share of each bin, 0 in all where nothing was counted."""
    shares = (counts / max(counts.sum(), 1)).tolist()
    return [round(share, SHARE_DIGITS) for share in shares]
