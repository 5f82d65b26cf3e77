"""How many requests a second are answered, where each connection asks again at once."""

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Sequence

import uvloop

from tests.faults.load import Line, Outcome, Shot

LINES = 16


class Turnstile(deque[Line]):
    """Whoever is free is sent on with the next request."""

    def __init__(self, shots: Sequence[Shot]) -> None:
        super().__init__()
        self._shots = itertools.cycle(shots)

    def append(self, line: Line) -> None:
        line.ask(next(self._shots), time.monotonic())


def capacity(port: int, shots: Sequence[Shot], seconds: float) -> float:
    """Answers a second, of shots that leave their connection open."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_measure(port, shots, seconds))


async def _measure(port: int, shots: Sequence[Shot], seconds: float) -> float:
    loop = asyncio.get_running_loop()
    turnstile, outcomes = Turnstile(shots), list[Outcome]()
    lines = []
    for _ in range(LINES):
        _, line = await loop.create_connection(
            lambda: Line(turnstile, outcomes.append, requests=10**9), "127.0.0.1", port
        )
        lines.append(line)
    began = time.monotonic()
    for line in lines:
        turnstile.append(line)
    await asyncio.sleep(seconds)
    answered, took = len(outcomes), time.monotonic() - began
    for line in lines:
        line.close()
    return answered / took
