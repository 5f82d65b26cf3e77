import contextlib
import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from training.helper import Helper


@pytest.fixture
def helper() -> Iterator[Helper]:
    with Helper() as helper:
        yield helper


def failing(message: str) -> Callable[[], None]:
    def task() -> None:
        raise ValueError(message)

    return task


def test_both_are_done_one_here_and_one_in_another_thread(helper: Helper) -> None:
    here, there = helper.both(threading.get_ident, threading.get_ident)
    assert here == threading.get_ident() != there


def test_both_are_done_at_the_same_time(helper: Helper) -> None:
    meeting = threading.Barrier(2, timeout=10)  # passed only by two at once
    assert sorted(helper.both(meeting.wait, meeting.wait)) == [0, 1]


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (failing("here"), int, "here"),
        (int, failing("there"), "there"),
        (failing("here"), failing("there"), "here"),
    ],
)
def test_what_either_raises_is_raised_and_the_next_tasks_are_done(
    first: Callable[[], object], second: Callable[[], object], message: str, helper: Helper
) -> None:
    with pytest.raises(ValueError, match=message):
        helper.both(first, second)
    assert helper.both(lambda: 1, lambda: 2) == (1, 2)


def test_it_treats_floating_point_errors_as_the_caller_does(helper: Helper) -> None:
    def overflow() -> float:
        return float(np.float32(1e30) * np.float32(1e30))

    with np.errstate(over="ignore"):
        assert helper.both(overflow, overflow) == (np.inf, np.inf)
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        helper.both(int, overflow)


def test_its_thread_ends_with_the_context() -> None:
    before = threading.active_count()
    with contextlib.suppress(ValueError), Helper() as helper:
        assert threading.active_count() == before + 1
        helper.both(int, failing("there"))
    assert threading.active_count() == before
