"""What the images of training looked like to a model, and how far what it is served is from that.

Every frame and the answer to it have ``FEATURES``, each a number in one of a few bins. How many
images of training fell into each bin travels in the artifact; the service counts in the same
bins, and the population stability index says how far apart the two are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.architecture import CLASSES, FRAME_SIDE
from model.frame import Frame
from model.measures import measures

Counts: TypeAlias = NDArray[np.int64]
Indices: TypeAlias = NDArray[np.float64]
Verdict: TypeAlias = Literal["unknown", "stable", "moved", "drifted"]

# Where a bin ends and the next begins, which has the edge itself. Below the first and from the
# last on there are bins, too. README.md says what is measured.
EDGES: Mapping[str, tuple[float, ...]] = {
    "ink": (0.08, 0.1, 0.115, 0.13, 0.145, 0.165, 0.19),
    "size": (14, 17, 19, 21, 23, 25),
    "aspect": (0.3, 0.5, 0.625, 0.725, 0.85, 0.975, 1.15),
    "thickness": (1.45, 1.65, 1.8, 1.96, 2.15, 2.35, 2.7),
    "slant": (-0.2, -0.06, 0.04, 0.12, 0.22, 0.32, 0.46),
    "offset": (0.2, 0.3, 0.4, 0.55, 1, 1.5, 3),
    "confidence": (0.5, 0.8, 0.95, 0.99, 0.999, 0.9999, 0.99999),
}
CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "framing": ("left", "cleared", "placed", "unreadable"),
    "polarity": ("bright", "dark"),
    "warnings": ("none", "low_contrast", "touches_border", "very_small", "several"),
    "digit": tuple(map(str, range(CLASSES))),
}
ENERGY_BINS = 10  # of as many images of the reference each: what is usual differs by model

FEATURES: Mapping[str, int] = {  # how many bins each has, in the order of the artifact
    **{name: len(edges) + 1 for name, edges in EDGES.items()},
    **{name: len(words) for name, words in CATEGORIES.items()},
    "energy": ENERGY_BINS,
}
BINS = sum(FEATURES.values())

_STARTS = dict(zip(FEATURES, accumulate(FEATURES.values(), initial=0), strict=False))

MOVED, DRIFTED = 0.1, 0.25  # Siddiqi 2006, "Credit Risk Scorecards"

# Of n images that are as ever, the index of B bins is about chi-squared of B - 1 degrees over n
# (Yurdakul 2018, "Statistical Properties of Population Stability Index"): from here on it reaches
# MOVED by chance once in a million looks at ten bins.
MINIMUM_SAMPLES = 500
HALF = 0.5  # a count, which each bin is given lest one of none has a logarithm


@dataclass(frozen=True)
class Served:
    """N frames, and what was answered to them.

    pixels: (N, 28, 28) uint8. framing, polarity, warnings: (N,) positions in their
    ``CATEGORIES``. digits: (N,) 0-9. confidences: (N,) 0-1. energies: (N,) in nats.
    """

    pixels: NDArray[np.uint8]
    framing: NDArray[np.intp]
    polarity: NDArray[np.intp]
    warnings: NDArray[np.intp]
    digits: NDArray[np.intp]
    confidences: NDArray[np.float64]
    energies: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        frames: Sequence[Frame],
        digits: Sequence[int] | NDArray[np.intp],
        confidences: Sequence[float] | NDArray[np.float64],
        energies: Sequence[float] | NDArray[np.float64],
    ) -> "Served":
        """What the normalizer and the classifier have, one of each a frame."""
        treated = np.array([_treatment(frame) for frame in frames], np.intp).reshape(-1, 3)
        pixels = np.array([frame.pixels for frame in frames], np.uint8)
        return cls(
            pixels=pixels.reshape(-1, FRAME_SIDE, FRAME_SIDE),
            framing=treated[:, 0],
            polarity=treated[:, 1],
            warnings=treated[:, 2],
            digits=np.asarray(digits, np.intp),
            confidences=np.asarray(confidences, np.float64),
            energies=np.asarray(energies, np.float64),
        )


@dataclass(frozen=True)
class Reference:
    """Histograms of what a model was made from.

    energy_edges: 9 finite ones, not falling. counts: ``BINS`` numbers, feature after feature, of
    which each counts the same images. ValueError is raised where they do not.
    """

    energy_edges: tuple[float, ...]
    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        edges, counts = self.energy_edges, np.array(self.counts, np.int64)
        if not np.isfinite(edges).all() or list(edges) != sorted(edges):
            raise ValueError("its edges of energy are not finite numbers in order")
        totals = {int(each.sum()) for each in by_feature(counts).values()}
        if len(totals) != 1 or 0 in totals:
            raise ValueError("its features do not all count the same images")

    @property
    def images(self) -> int:
        """How many images were counted."""
        return samples(np.array(self.counts))

    def bins(self, feature: str) -> list[str]:
        """What falls into each bin of a feature, in words."""
        if feature in CATEGORIES:
            return [*CATEGORIES[feature]]
        edges = EDGES.get(feature, self.energy_edges)
        between = [f"{low:.6g} to {high:.6g}" for low, high in pairwise(edges)]
        return [f"below {edges[0]:.6g}", *between, f"{edges[-1]:.6g} and more"]

    def psi(self, found: Counts) -> dict[str, Indices]:
        """The index of each feature, of ``histograms`` with this reference's edges (..., BINS)."""
        expected = by_feature(np.array(self.counts))
        return {name: psi(expected[name], counts) for name, counts in by_feature(found).items()}


def energy_edges(energies: NDArray[np.float64]) -> tuple[float, ...]:
    """Edges between which there are as many of the energies (N,), N > 0, each."""
    shares = np.arange(1, ENERGY_BINS) / ENERGY_BINS
    return tuple(np.quantile(energies, shares).tolist())


def histograms(served: Served, energy_edges: Sequence[float]) -> Counts:
    """How many of the images are in each bin: (BINS,), feature after feature."""
    numbers = {
        **measures(served.pixels),
        "confidence": served.confidences,
        "energy": served.energies,
    }
    edges = {**EDGES, "energy": energy_edges}
    places = {name: np.searchsorted(edges[name], numbers[name], side="right") for name in edges}
    places |= {
        "framing": served.framing,
        "polarity": served.polarity,
        "warnings": served.warnings,
        "digit": served.digits,
    }
    shifted = [places[name] + start for name, start in _STARTS.items()]
    return np.bincount(np.concatenate(shifted), minlength=BINS).astype(np.int64)


def by_feature(counts: Counts) -> dict[str, Counts]:
    """The histograms (..., BINS) one by one, by name: (..., bins of the feature)."""
    return {name: counts[..., at : at + FEATURES[name]] for name, at in _STARTS.items()}


def samples(counts: Counts) -> int:
    """How many images are counted in histograms (BINS,)."""
    return int(next(iter(by_feature(counts).values())).sum())


def psi(expected: Counts, found: Counts) -> Indices:
    """The population stability index of counts (..., B): the sum of (p - q) ln(p / q).

    q are the shares expected (B,) and p those found; it is Jeffreys' divergence (Jeffreys 1946).
    Every bin expected is given half a count, and as many found are spread as was expected: a
    share of 0 has no logarithm, and where little was found, it is no drift.
    """
    q = expected + HALF
    q = q / q.sum()
    p = found + HALF * len(q) * q
    p = p / p.sum(axis=-1, keepdims=True)
    return np.asarray(((p - q) * np.log(p / q)).sum(axis=-1))


def verdict(index: float, samples: int) -> Verdict:
    """What an index means that was found in so many images."""
    if samples < MINIMUM_SAMPLES:
        return "unknown"
    if index < MOVED:
        return "stable"
    return "moved" if index <= DRIFTED else "drifted"


def _treatment(frame: Frame) -> tuple[int, int, int]:
    """Framing, polarity and warnings of a frame as positions in ``CATEGORIES``."""
    if not (frame.steps or frame.warnings or frame.reason):
        return 0, 0, 0
    if frame.reason is not None:
        framing = "unreadable"
    elif any(step.name == "place" for step in frame.steps):
        framing = "placed"
    else:
        framing = "cleared" if frame.steps else "left"
    found = [warning for warning in frame.warnings if warning != "inverted"]
    warned = "none" if not found else found[0] if len(found) == 1 else "several"
    return (
        CATEGORIES["framing"].index(framing),
        int("inverted" in frame.warnings),
        CATEGORIES["warnings"].index(warned),
    )
