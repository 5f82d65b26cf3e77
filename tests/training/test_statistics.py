import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.helpers import PROPERTY, table
from training.statistics import clustered_interval, risks, upper_bound, wilson_interval

# -- the interval of a proportion -------------------------------------------


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (8, 10, 0.4902, 0.9433),
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, table I
        (15, 148, 0.0624, 0.1605),  # Newcombe 1998, table I
        (9969, 10_000, 0.9956, 0.9978),
    ],
)
def test_intervals_are_the_published_ones(
    successes: int, trials: int, low: float, high: float
) -> None:
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=1e-4)


@PROPERTY
@example((0, 7))  # of these two the formula goes past its bounds in the last bit
@example((20, 20))
@given(st.integers(1, 100_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_holds_its_share_and_stays_a_share(counts: tuple[int, int]) -> None:
    successes, trials = counts
    low, high = wilson_interval(successes, trials)
    assert 0 <= low <= successes / trials + 1e-12
    assert successes / trials - 1e-12 <= high <= 1


# -- the interval by clusters -----------------------------------------------


def of_clusters(*clusters: tuple[int, int, int]) -> tuple[float, float]:
    """The interval of so many clusters, each with so many right and so many wrong."""
    rows = [
        (cluster, right)
        for cluster, (hits, misses) in enumerate(
            (hits, misses) for count, hits, misses in clusters for _ in range(count)
        )
        for right in [True] * hits + [False] * misses
    ]
    names, found = zip(*rows, strict=True)
    return clustered_interval(np.array(found), np.array(names))


@table(
    "clusters, expected",
    {
        # Clusters of one image: 0.75 +- 1.96 sqrt(0.75 * 0.25 / 400), as of the binomial.
        "one image each": ([(300, 1, 0), (100, 0, 1)], (0.7076, 0.7924)),
        # Of images that are all alike in a cluster, only clusters count: twice as wide.
        "four alike each": ([(75, 4, 0), (25, 0, 4)], (0.6651, 0.8349)),
        # Big clusters weigh by their images: 9 k / (100 + 8 k) right when k of 100 are big,
        # with k from 40 to 60.
        "of two sizes": ([(50, 9, 0), (50, 0, 1)], (0.857, 0.931)),
    },
)
def test_a_bootstrap_agrees_with_the_normal_distribution(
    clusters: list[tuple[int, int, int]], expected: tuple[float, float]
) -> None:
    assert of_clusters(*clusters) == pytest.approx(expected, abs=0.006)


@table(
    "clusters, expected",
    {
        "all right": ([(7, 3, 0)], (1, 1)),
        "all wrong": ([(7, 0, 3)], (0, 0)),
        "a single cluster": ([(1, 3, 1)], (0.75, 0.75)),
        "clusters that do not differ": ([(20, 3, 1)], (0.75, 0.75)),
        # It is drawn 0 to 3 times of 10: more in 1.3 % of all bootstraps.
        "all of one of ten wrong": ([(9, 5, 0), (1, 0, 5)], (0.7, 1)),
        "one image of one of ten wrong": ([(9, 5, 0), (1, 4, 1)], (0.94, 1)),
        # Either twice: in a quarter of all bootstraps each.
        "one right and one wrong": ([(1, 3, 0), (1, 0, 1)], (0, 1)),
    },
)
def test_a_bootstrap_worked_by_hand(
    clusters: list[tuple[int, int, int]], expected: tuple[float, float]
) -> None:
    assert of_clusters(*clusters) == pytest.approx(expected, abs=1e-12)


def test_neither_the_order_of_images_nor_the_clusters_numbers_matter() -> None:
    rng = np.random.default_rng(0)
    right, clusters = rng.random(200) < 0.8, rng.integers(0, 15, 200)
    order = rng.permutation(200)
    expected = clustered_interval(right, clusters)
    assert clustered_interval(right[order], clusters[order]) == expected
    assert clustered_interval(right, 1000 * clusters - 7) == expected


# -- the bound of paired differences -----------------------------------------


@table(
    "worse, better, same, expected",
    {
        # One-sided: the mean and 1.645 standard errors of a difference of -1, 0 or 1.
        "even": (50, 50, 9900, 1.645 * 10 / 10_000),
        "worse": (60, 40, 9900, (20 + 1.645 * 9.998) / 10_000),
        "better": (10, 90, 9900, (-80 + 1.645 * 9.97) / 10_000),
        "nothing differs": (0, 0, 100, 0.0),
        "always worse": (100, 0, 0, 1.0),
    },
)
def test_the_upper_bound_of_pairs(worse: int, better: int, same: int, expected: float) -> None:
    differences = np.repeat([1.0, -1.0, 0.0], [worse, better, same])
    assert upper_bound(differences) == pytest.approx(expected, abs=7e-5)


def test_what_one_writer_loses_says_less_than_what_many_do() -> None:
    differences = np.zeros(3000)
    differences[:30] = 1
    writers = np.repeat(np.arange(100), 30)
    spread = np.tile(np.arange(100), 30)
    one, many = upper_bound(differences, writers), upper_bound(differences, spread)
    assert one == pytest.approx(0.03, abs=0.001)  # drawn up to three times
    assert many < 0.014


# -- risk and coverage ------------------------------------------------------


@table(
    "right, scores, expected",
    {
        "as given": ([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.6], [0, 1 / 2, 1 / 3, 2 / 4]),
        "in any order": ([0, 1, 0, 1], [0.6, 0.9, 0.8, 0.7], [0, 1 / 2, 1 / 3, 2 / 4]),
        "one right": ([1], [0.3], [0]),
        "one wrong": ([0], [0.3], [1]),
        "all right": ([1, 1, 1], [0.3, 0.2, 0.1], [0, 0, 0]),
        "all wrong": ([0, 0, 0], [0.3, 0.2, 0.1], [1, 1, 1]),
        "errors first of equal scores": ([1, 0, 1], [0.5, 0.5, 0.5], [1, 1 / 2, 1 / 3]),
        "errors first within a tie": (
            [1, 1, 0, 0, 1],
            [0.1, 0.5, 0.5, 0.1, 0.9],
            [0, 1 / 2, 1 / 3, 2 / 4, 2 / 5],
        ),
        "scores below 0": ([0, 1], [-3.0, -2.0], [0, 1 / 2]),
    },
)
def test_risks_worked_by_hand(right: list[int], scores: list[float], expected: list[float]) -> None:
    found = risks(np.array(right, bool), np.array(scores))
    np.testing.assert_allclose(found, expected, atol=1e-15)


def test_the_last_risk_is_the_share_of_all_errors() -> None:
    rng = np.random.default_rng(0)
    right = rng.random(500) < 0.9
    found = risks(right, rng.random(500).astype(np.float32))
    assert found.shape == (500,)
    assert found[-1] == pytest.approx(1 - right.mean())
