"""Requests on schedule, whatever the answers do, and what became of every single one.

The load is open: a request is sent when its time has come, on a connection that is free or on
a new one, so a service that is slow is not spared. Times are counted from when a request was
due. Connections are kept, and are left after some requests, so that all workers get their part.
"""

import asyncio
import contextlib
import errno
import itertools
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Self, cast

import httptools
import uvloop

CONNECTIONS = 8  # that are open before the first request
MOST_FREE = 32  # that are kept for later, when many were needed for a while
REQUESTS = 100  # on one connection
PATIENCE_SECONDS = 40.0  # for what is under way when the load ends

REFUSED, CUT, SILENT, WRONG = "refused", "cut", "silent", "wrong"


@dataclass(frozen=True)
class Shot:
    """A request in bytes. is_right: whether the body of an answer with status 200 is."""

    name: str
    request: bytes
    is_right: Callable[[bytes], bool]


@dataclass(frozen=True)
class Outcome:
    """What became of a request; times are of ``time.monotonic``, in seconds.

    fate: the status, or ``refused`` (nobody listened), ``cut`` (the connection ended before
    the answer did), ``silent`` (no answer came), ``wrong`` (200 with another answer).
    """

    name: str
    fate: int | str
    due: float
    ended: float

    @property
    def seconds(self) -> float:
        return self.ended - self.due

    def was_under_way(self, since: float, until: float) -> bool:
        """Whether it waited for its answer at some time between these."""
        return self.due <= until and self.ended >= since


def shot(  # noqa: PLR0913 - what a request is made of
    name: str,
    path: str,
    body: bytes,
    headers: Mapping[str, str],
    is_right: Callable[[bytes], bool] = lambda _body: True,
    *,
    method: str = "POST",
) -> Shot:
    """A request with a body."""
    fields = {"Host": "digits", "Content-Length": len(body), **headers}
    lines = [f"{method} {path} HTTP/1.1", *(f"{key}: {value}" for key, value in fields.items())]
    return Shot(name, "\r\n".join([*lines, "", ""]).encode() + body, is_right)


class Line(asyncio.Protocol):
    """One connection."""

    def __init__(
        self,
        free: "deque[Line]",
        note: Callable[[Outcome], None],
        requests: int = REQUESTS,
    ) -> None:
        """requests: after so many it is left."""
        self._free, self._note, self._left = free, note, requests
        self._asked: tuple[Shot, float] | None = None
        self._fresh()

    def _fresh(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def ask(self, shot: Shot, due: float) -> None:
        self._asked = shot, due
        self._left -= 1
        self._transport.write(shot.request)

    def end(self, fate: int | str) -> None:
        """Note what became of the request under way, if one is."""
        if self._asked:
            shot, due = self._asked
            self._asked = None
            self._note(Outcome(shot.name, fate, due, time.monotonic()))

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        fate: int | str = self._parser.get_status_code()
        is_kept = (
            self._parser.should_keep_alive() and self._left > 0 and len(self._free) < MOST_FREE
        )
        if self._asked and fate == 200 and not self._asked[0].is_right(self._body):
            fate = WRONG
        self.end(fate)
        self._fresh()
        if is_kept:
            self._free.append(self)
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - it is cut either way
        if self in self._free:
            self._free.remove(self)
        self.end(CUT)

    def close(self) -> None:
        self._transport.abort()


@dataclass
class Load:
    """``rate`` requests a second for as long as the context lasts, the shots in turn."""

    port: int
    shots: Sequence[Shot]
    rate: float = 200
    sent: int = 0
    outcomes: list[Outcome] = field(default_factory=list)
    _taken: int = 0

    def __enter__(self) -> Self:
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._enough.set()
        self._thread.join()
        assert self._taken + len(self.outcomes) == self.sent  # nothing is unaccounted for

    def take(self) -> list[Outcome]:
        """What has become of requests since this was called last, and forget it."""
        taken = self.outcomes[:]
        del self.outcomes[: len(taken)]
        self._taken += len(taken)
        return taken

    def fates(self) -> Counter[int | str]:
        return Counter(outcome.fate for outcome in self.outcomes)

    def of(self, *fates: int | str) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.fate in fates]

    def slowest(self, since: float = 0.0) -> float:
        """The longest that one waited for its answer, of those due since then."""
        return max(one.seconds for one in self.outcomes if one.due >= since)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._send_all())

    async def _send_all(self) -> None:
        self._free: deque[Line] = deque()
        self._opened: set[asyncio.Task[None]] = set()
        self._lines: set[Line] = set()
        for _ in range(CONNECTIONS):
            self._free.append(await self._connect())
        began = time.monotonic()
        for number, shot in enumerate(itertools.cycle(self.shots)):
            due = began + number / self.rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if self._enough.is_set():
                break
            self._send(shot, due)
        await self._wait_for_the_rest()

    def _send(self, shot: Shot, due: float) -> None:
        self.sent += 1
        if self._free:
            self._free.popleft().ask(shot, due)
        else:
            task = asyncio.get_running_loop().create_task(self._send_on_new(shot, due))
            self._opened.add(task)
            task.add_done_callback(self._opened.discard)

    async def _send_on_new(self, shot: Shot, due: float) -> None:
        note = partial(Outcome, shot.name, due=due)
        try:
            line = await self._connect()
        except OSError as error:
            fate = REFUSED if error.errno == errno.ECONNREFUSED else CUT
            self.outcomes.append(note(fate=fate, ended=time.monotonic()))
        except asyncio.CancelledError:
            self.outcomes.append(note(fate=SILENT, ended=time.monotonic()))
        else:
            line.ask(shot, due)

    async def _connect(self) -> Line:
        loop = asyncio.get_running_loop()
        _, line = await loop.create_connection(
            lambda: Line(self._free, self.outcomes.append), "127.0.0.1", self.port
        )
        self._lines.add(line)
        return line

    async def _wait_for_the_rest(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while self._taken + len(self.outcomes) < self.sent:  # noqa: ASYNC110 - not in the way of each
                    await asyncio.sleep(0.01)
        for task in list(self._opened):
            task.cancel()
        for line in list(self._lines):
            line.end(SILENT)
            line.close()
        await asyncio.sleep(0)
