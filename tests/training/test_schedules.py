import dataclasses
import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import PROPERTY, TINY_RECIPE, table
from training.config import Constant, Cosine, GradientDescent, OneCycle, ScheduleConfig, Step
from training.schedules import cosine, learning_rate, one_cycle, step_decay, warm_up

STEPS = 4  # to an epoch


def rates(schedule: ScheduleConfig, *, epochs: int = 5, warm_up: float = 0.0) -> list[float]:
    """The learning rates of a run of ``epochs`` times 4 steps with the rate 0.5."""
    recipe = dataclasses.replace(
        TINY_RECIPE,
        epochs=epochs,
        optimizer=GradientDescent(0.5),
        schedule=schedule,
        warm_up=warm_up,
    )
    return [learning_rate(recipe, step, STEPS) for step in range(epochs * STEPS)]


# -- the curves -------------------------------------------------------------


@pytest.mark.parametrize(
    ("epoch", "expected"), [(0, 1), (2, 1), (3, 0.5), (5, 0.5), (6, 0.25), (30, 0.5**10)]
)
def test_a_step_comes_after_every_few_epochs(epoch: int, expected: float) -> None:
    assert step_decay(epoch, 3, 0.5) == expected


@pytest.mark.parametrize(
    ("progress", "expected"),
    [(0, 1), (0.25, 0.5 + math.sqrt(0.125)), (1 / 3, 0.75), (0.5, 0.5), (2 / 3, 0.25), (1, 0)],
)
def test_half_a_cosine(progress: float, expected: float) -> None:
    assert cosine(progress) == pytest.approx(expected, abs=1e-12)
    assert cosine(progress, 5.0, 3.0) == pytest.approx(3 + 2 * expected)


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        (0, 0.1),
        (0.1, 0.1 + 0.9 * 0.25),
        (0.15, 0.55),
        (0.3, 1),
        (0.3 + 0.7 / 2, 0.5 * (1 + 1e-5)),
        (1, 1e-5),
    ],
)
def test_one_cycle_goes_up_and_then_down_to_next_to_nothing(
    progress: float, expected: float
) -> None:
    assert one_cycle(progress, 0.3, 0.1) == pytest.approx(expected)


@pytest.mark.parametrize(("progress", "expected"), [(0, 0), (0.25, 0.25), (1, 1), (7, 1)])
def test_a_warm_up_goes_straight_to_1_and_stays(progress: float, expected: float) -> None:
    assert warm_up(progress) == expected


@PROPERTY
@given(st.floats(0.01, 0.99), st.floats(0.001, 1))
def test_one_cycle_has_one_top_and_no_jump(rise: float, start: float) -> None:
    parts = 200
    up = [one_cycle(rise * part / parts, rise, start) for part in range(parts + 1)]
    down = [one_cycle(rise + (1 - rise) * part / parts, rise, start) for part in range(parts + 1)]
    assert up == pytest.approx(sorted(up))
    assert down == pytest.approx(sorted(down, reverse=True))
    assert up[-1] == pytest.approx(1)
    assert down[0] == pytest.approx(1)
    for curve in (up, down):
        slopes = [abs(after - before) for before, after in itertools.pairwise(curve)]
        assert max(slopes) <= math.pi / 2 / parts  # the steepest of half a cosine


@PROPERTY
@given(st.floats(0, 1), st.floats(0, 1))
def test_a_cosine_only_falls(first: float, second: float) -> None:
    assert cosine(min(first, second)) >= cosine(max(first, second))
    assert 0 <= cosine(first) <= 1


# -- recipes ----------------------------------------------------------------


@table(
    "schedule, expected",
    {
        "constant": (Constant(), [0.5] * 20),
        "step": (Step(2, 0.1), [0.5] * 8 + [0.05] * 8 + [0.005] * 4),
        "cosine": (Cosine(), [0.25 * (1 + math.cos(math.pi * step / 20)) for step in range(20)]),
        "one cycle": (
            OneCycle(0.25, 0.2),
            [
                *[0.5 * (0.2 + 0.8 * (1 - math.cos(math.pi * step / 5)) / 2) for step in range(5)],
                *[
                    0.5 * (2e-5 + (1 - 2e-5) * (1 + math.cos(math.pi * step / 15)) / 2)
                    for step in range(15)
                ],
            ],
        ),
    },
)
def test_every_step_of_a_run_has_its_rate(schedule: ScheduleConfig, expected: list[float]) -> None:
    assert rates(schedule) == pytest.approx(expected)


def test_every_schedule_starts_at_its_first_rate() -> None:
    assert rates(Constant())[0] == rates(Step(1, 0.1))[0] == rates(Cosine())[0] == 0.5
    assert rates(OneCycle(start=0.04))[0] == pytest.approx(0.5 * 0.04)


@table("schedule", {"cosine": Cosine(), "one cycle": OneCycle()})
def test_the_last_step_is_small_but_not_lost(schedule: ScheduleConfig) -> None:
    assert 0 < rates(schedule, epochs=100)[-1] < 0.5 * 1e-4


@table("warm_up, steps", {"whole epochs": (2.0, 8), "half an epoch": (0.5, 2)})
def test_the_rate_rises_in_equal_steps_and_reaches_the_schedules_with_the_last(
    warm_up: float, steps: int
) -> None:
    expected = [0.5 * (step + 1) / steps for step in range(steps)]
    assert rates(Constant(), warm_up=warm_up) == pytest.approx(expected + [0.5] * (20 - steps))


def test_a_warm_up_and_a_schedule_multiply() -> None:
    plain, warmed = rates(Cosine()), rates(Cosine(), warm_up=1)
    shares = [after / before for before, after in zip(plain, warmed, strict=True)]
    assert shares == pytest.approx([0.25, 0.5, 0.75, *[1] * 17])


def test_a_warm_up_longer_than_the_run_never_arrives() -> None:
    assert rates(Constant(), epochs=1, warm_up=2)[-1] == pytest.approx(0.25)
