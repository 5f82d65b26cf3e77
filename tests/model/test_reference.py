"""What is measured of what is served, and how far it is from what a model was made from."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from model import reference
from model.frame import Finding, Frame, Step, Unreadable, blank
from model.normalizer import normalize
from model.reference import (
    BINS,
    CATEGORIES,
    FEATURES,
    MINIMUM_SAMPLES,
    Reference,
    Served,
    by_feature,
    energy_edges,
    histograms,
    psi,
)
from tests.helpers import table
from tests.model.drawing import Image
from tests.model.frames import bar

EDGES = tuple(map(float, range(1, 10)))

BAR = bar(slice(4, 24), slice(12, 16))


def served(*frames: Frame, energy: float = 0.5) -> Served:
    count = len(frames)
    return Served.of(frames, [3] * count, [0.97] * count, [energy] * count)


def found(*frames: Frame, energy: float = 0.5) -> dict[str, list[int]]:
    counts = by_feature(histograms(served(*frames, energy=energy), EDGES))
    return {name: each.tolist() for name, each in counts.items()}


# -- how a frame came about -----------------------------------------------


@table(
    "steps, reason, expected",
    {
        "left": ((), None, "left"),
        "cleared": ((Step("ground", ""), Step("polarity", "")), None, "cleared"),
        "placed": ((Step("ground", ""), Step("place", "")), None, "placed"),
        "unreadable": ((Step("place", ""),), "several_digits", "unreadable"),
        "blank": ((), "blank", "unreadable"),
    },
)
def test_how_a_frame_was_made_is_counted(
    steps: tuple[Step, ...], reason: Unreadable | None, expected: str
) -> None:
    counts = found(Frame(BAR, reason=reason, steps=steps))["framing"]
    assert counts == [int(word == expected) for word in CATEGORIES["framing"]]


@table(
    "warnings, polarity, expected",
    {
        "none": ((), "bright", "none"),
        "inverted is polarity": (("inverted",), "dark", "none"),
        "one": (("low_contrast",), "bright", "low_contrast"),
        "one beside inverted": (("inverted", "touches_border"), "dark", "touches_border"),
        "two": (("very_small", "low_contrast"), "bright", "several"),
    },
)
def test_warnings_are_counted(warnings: tuple[Finding, ...], polarity: str, expected: str) -> None:
    counts = found(Frame(BAR, warnings=warnings))
    assert counts["polarity"] == [int(word == polarity) for word in CATEGORIES["polarity"]]
    assert counts["warnings"] == [int(word == expected) for word in CATEGORIES["warnings"]]


@table(
    "image, framing, polarity",
    {
        "a frame": (BAR, "left", "bright"),
        "black on white": (255 - BAR, "cleared", "dark"),
        "off centre": (np.roll(BAR, 4, axis=1), "placed", "bright"),
        "a sheet": (np.kron(BAR, np.ones((4, 4), np.uint8)), "placed", "bright"),
        "nothing": (np.zeros((28, 28), np.uint8), "unreadable", "bright"),
    },
)
def test_the_normalizers_own_frames_are_told_apart(
    image: Image, framing: str, polarity: str
) -> None:
    treated = served(normalize(image))
    assert CATEGORIES["framing"][treated.framing[0]] == framing
    assert CATEGORIES["polarity"][treated.polarity[0]] == polarity


# -- histograms -------------------------------------------------------------


def test_every_image_is_in_one_bin_of_every_feature() -> None:
    counts = found(Frame(BAR), blank(), Frame(np.full((28, 28), 255, np.uint8)))
    assert {name: len(each) for name, each in counts.items()} == dict(FEATURES)
    assert {sum(each) for each in counts.values()} == {3}


def test_no_image_is_in_none() -> None:
    assert histograms(served(), EDGES).tolist() == [0] * BINS


@pytest.mark.parametrize(
    ("energy", "place"), [(-1e9, 0), (0.99, 0), (1.0, 1), (8.5, 8), (9.0, 9), (1e9, 9)]
)
def test_an_edge_belongs_to_the_bin_above_it(energy: float, place: int) -> None:
    counts = found(Frame(BAR), energy=energy)["energy"]
    assert counts == [int(index == place) for index in range(10)]


def test_the_digit_and_its_confidence_are_counted() -> None:
    counts = found(Frame(BAR))
    assert counts["digit"] == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    assert counts["confidence"] == [0, 0, 0, 1, 0, 0, 0, 0]


def test_between_the_edges_of_energy_are_as_many_images_each() -> None:
    energies = np.random.default_rng(0).normal(0, 3, 1000)
    places = np.searchsorted(energy_edges(energies), energies, side="right")
    assert np.bincount(places).tolist() == [100] * 10


def test_every_bin_has_a_name() -> None:
    known = Reference(EDGES, ones())
    for name, count in FEATURES.items():
        assert len(set(known.bins(name))) == count
    assert known.bins("size")[:2] == ["below 14", "14 to 17"]
    assert known.bins("energy")[-1] == "9 and more"


def ones() -> tuple[int, ...]:
    """Counts of one image, in the first bin of each feature."""
    return tuple(int(place == 0) for count in FEATURES.values() for place in range(count))


# -- the index --------------------------------------------------------------

TEN = np.full(10, 6000)


@table(
    "expected, counts, index",
    {
        "the same shares": (TEN, np.full(10, 200), 0),
        "nothing found": (TEN, np.zeros(10, int), 0),
        "nothing found of what is uneven": (np.array([90_000, 10_000]), np.zeros(2, int), 0),
        "half of it in one bin": (
            np.array([50_000, 50_000]),
            np.array([75_000, 25_000]),
            0.25 * math.log(1.5) - 0.25 * math.log(0.5),
        ),
        "the other way round": (
            np.array([75_000, 25_000]),
            np.array([50_000, 50_000]),
            0.25 * math.log(1.5) - 0.25 * math.log(0.5),
        ),
    },
)
def test_the_index_is_as_defined(
    expected: NDArray[np.int64], counts: NDArray[np.int64], index: float
) -> None:
    assert psi(expected, counts) == pytest.approx(index, abs=1e-4)


@table(
    "share, low, high",
    {
        "none": (0.0, 0.0, 1e-3),
        "one in two thousand": (0.0005, 0.0, 0.01),
        "one in a hundred": (0.01, 0.05, 0.1),
        "all": (1.0, 10.0, 30.0),
    },
)
def test_what_was_never_expected_counts_by_how_much_there_is_of_it(
    share: float, low: float, high: float
) -> None:
    index = psi(np.array([60_000, 0]), np.array([2000 * (1 - share), 2000 * share]))
    assert low <= index <= high


@pytest.mark.parametrize(
    ("index", "samples", "expected"),
    [
        (9.0, MINIMUM_SAMPLES - 1, "unknown"),
        (0.0, MINIMUM_SAMPLES, "stable"),
        (0.0999, MINIMUM_SAMPLES, "stable"),
        (0.1, MINIMUM_SAMPLES, "moved"),
        (0.25, MINIMUM_SAMPLES, "moved"),
        (0.2501, MINIMUM_SAMPLES, "drifted"),
    ],
)
def test_a_verdict_needs_samples(index: float, samples: int, expected: str) -> None:
    assert reference.verdict(index, samples) == expected


def test_at_the_minimum_chance_alone_moves_nothing() -> None:
    rng = np.random.default_rng(0)
    expected = rng.multinomial(60_000, [0.1] * 10)
    draws = rng.multinomial(MINIMUM_SAMPLES, expected / expected.sum(), 2000)
    assert max(psi(expected, draw) for draw in draws) < reference.MOVED


# -- what is a reference ----------------------------------------------------


def test_a_reference_knows_how_many_images_it_counts() -> None:
    assert Reference(EDGES, tuple(7 * count for count in ones())).images == 7


@table(
    "edges, counts, word",
    {
        "an edge that is no number": ((*EDGES[:-1], math.nan), ones(), "edges"),
        "edges that fall": (tuple(reversed(EDGES)), ones(), "edges"),
        "no images": (EDGES, (0,) * BINS, "same images"),
        "features that count other images": (EDGES, (5, *ones()[1:]), "same images"),
    },
)
def test_what_is_no_reference_is_refused(
    edges: tuple[float, ...], counts: tuple[int, ...], word: str
) -> None:
    with pytest.raises(ValueError, match=word):
        Reference(edges, counts)


def test_edges_may_be_equal() -> None:
    assert Reference((1.0,) * 9, ones()).images == 1
