"""The verdict of a soak on made-up samples: what has grown is found, and noise is not."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tests.helpers import table
from tests.soak.run import Plan
from tests.soak.samples import Process, Sample
from tests.soak.verdict import growth, judge

MINUTES = 60
RNG = np.random.default_rng(8)
NOISE = RNG.normal(0, 1, (4, MINUTES))

Change = Callable[[Sample, int], Sample]


def steady(minute: int) -> Sample:
    """A minute of a service of which nothing grows."""
    master = Process(1, 25.0, 9, 1)
    worker = Process(2, 65 + NOISE[0, minute], 40 + int(NOISE[1, minute]), 6)
    late = Process(3 + minute // 20, 60 + NOISE[2, minute] + minute % 20 / 10, 40, 6)
    return Sample(
        at=60.0 * minute,
        master=master,
        workers=[worker, late],
        files=24,
        file_bytes=2_000_000,
        p50=2.0,
        p99=10 + NOISE[3, minute],
        statuses={"200": 9_000, "400": 1_000},
        unexplained={},
        events=["kill"] if minute % 20 == 0 else [],
    )


def failing(change: Change) -> set[str]:
    """What is found not to hold of a changed service."""
    samples = [change(steady(minute), minute) for minute in range(MINUTES)]
    return {one.name for one in judge(samples) if not one.holds}


def of_worker(**more: float) -> Change:
    """The first worker has so much more of something at the end of an hour."""

    def change(sample: Sample, minute: int) -> Sample:
        first, *others = sample.workers
        grown = {
            name: type(getattr(first, name))(getattr(first, name) + by * minute / MINUTES)
            for name, by in more.items()
        }
        return replace(sample, workers=[replace(first, **grown), *others])

    return change


def test_a_steady_service_holds() -> None:
    assert failing(lambda sample, _: sample) == set()


@table(
    "change, found",
    {
        "a worker that leaks memory": (of_worker(memory=12.0), "memory of the worker 2"),
        "a worker that leaks descriptors": (
            of_worker(descriptors=30),
            "descriptors of the worker 2",
        ),
        "a worker that leaks threads": (of_worker(threads=9), "threads of the worker 2"),
        "a master that leaks memory": (
            lambda sample, minute: replace(
                sample, master=replace(sample.master, memory=25 + minute / 5)
            ),
            "memory of the master",
        ),
        "files that pile up": (
            lambda sample, minute: replace(sample, files=24 + 6 * (minute // 20)),
            "files of metrics",
        ),
        "files that grow": (
            lambda sample, minute: replace(sample, file_bytes=2_000_000 + minute),
            "bytes of metrics",
        ),
        "answers that become slower": (
            lambda sample, minute: replace(sample, p99=sample.p99 + minute / 4),
            "p99",
        ),
        "one answer that nothing explains": (
            lambda sample, minute: (
                replace(sample, unexplained={"golden: cut": 1}) if minute == 33 else sample
            ),
            "unexplained answers",
        ),
    },
)
def test_what_grows_is_found(change: Change, found: str) -> None:
    assert failing(change) == {found}


def test_growth_has_the_slope_of_a_line_and_heeds_no_outlier() -> None:
    times = [float(minute) for minute in range(MINUTES)]
    values = [3 + 0.5 * time for time in times]
    values[10] = values[40] = 1_000.0
    found = growth(times, values)
    assert found.total == pytest.approx(0.5 * (MINUTES - 1))
    assert found.low <= found.total <= found.high


@pytest.mark.parametrize("hours", [0.01, 0.05, 1, 8])
def test_a_soak_of_any_length_reloads_kills_and_replaces(hours: float) -> None:
    plan = Plan.of(hours)
    events = [event for step in range(plan.steps) for event in plan.events(step)]
    assert set(events) == {"reload", "kill", "hangup"}
    assert plan.steps * plan.step == pytest.approx(3_600 * hours)
