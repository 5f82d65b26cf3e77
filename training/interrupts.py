"""Ctrl-C goes to every process of a terminal; only one of them is to answer it."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from types import FrameType


@contextmanager
def interrupts_held() -> Iterator[None]:
    """What is started here, and all that it starts, leaves Ctrl-C to this process's main thread."""
    # What is blocked here stays blocked there, from the first instruction. multiprocessing's
    # tracker comes first, for starting it later would lift the block.
    resource_tracker.ensure_running()
    held: list[int] = []
    # Another thread may still take it, and Python then answers in the main one all the same.
    handler = signal.signal(signal.SIGINT, lambda number, _: held.append(number))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        signal.signal(signal.SIGINT, handler)
        if held:
            signal.raise_signal(signal.SIGINT)


@contextmanager
def interrupts_told(tell: Callable[[], None]) -> Iterator[None]:
    """The first Ctrl-C calls ``tell``, and raises nothing; the next one is as ever.

    An exception that comes anywhere may leave a lock behind that another thread waits for.
    """

    def handler(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)
        tell()

    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
