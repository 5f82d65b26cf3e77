"""A second thread, for the half of a piece of work that can be done beside the other."""

import threading
from collections.abc import Callable
from contextvars import copy_context
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self, TypeVar

First = TypeVar("First")
Second = TypeVar("Second")


class Helper:
    """One thread that takes one task at a time; a context, at whose end it is gone.

    NumPy lets go of the interpreter within large products and elementwise passes, so
    two of them run at once. Handing a task over and back takes some 20 us, and each
    small operation that both sides make meanwhile a few: halves must be large.
    """

    def __init__(self) -> None:
        self._tasks: SimpleQueue[Callable[[], Any] | None] = SimpleQueue()
        self._results: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._tasks.put(None)
        self._thread.join()

    def both(
        self, first: Callable[[], First], second: Callable[[], Second]
    ) -> tuple[First, Second]:
        """What ``first`` returns, here, and ``second``, there; raises what either raises."""
        context = copy_context()  # what NumPy does about overflow, among others
        self._tasks.put(lambda: context.run(second))
        try:
            mine = first()
        finally:
            theirs, error = self._results.get()
        if error:
            raise error
        return mine, theirs

    def _work(self) -> None:
        while task := self._tasks.get():
            try:
                self._results.put((task(), None))
            except BaseException as error:  # noqa: BLE001 - raised again where it was asked for
                self._results.put((None, error))
