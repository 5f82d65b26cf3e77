"""What the connections of one worker share: the application, the clock, the work in hand."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from service.wsgi import Environ, Response

if TYPE_CHECKING:
    from service.connection import Connection

# So many requests are answered before others have a turn: the largest network takes 2 ms.
TOGETHER = 16

# What was counted is written so much later: under load many requests at a time, and before
# anybody looks.
WRITE_SECONDS = 0.005

log = logging.getLogger("digits.server")

Opened: TypeAlias = Any  # what an application knows of a request that it has opened

Done: TypeAlias = Callable[[Response | None], None]  # takes a response, or None where there is none


class Application(Protocol):
    """What answers requests, some of them together (``service/front.py``)."""

    def respond(self, environ: Environ) -> Response:
        """The response to one request."""

    def open(self, environ: Environ) -> Opened:
        """Begin with a request, which ``answer`` ends."""

    def answer(self, opened: Sequence[Opened]) -> Sequence[Response]:
        """The responses, in the order of the requests."""


@dataclass
class Server:
    """What all connections of one worker share."""

    application: Application
    write_metrics: Callable[[], None]
    loop: asyncio.AbstractEventLoop
    pool: ThreadPoolExecutor
    max_body_bytes: int
    max_in_flight: int
    read_timeout: float
    max_connections: int
    in_flight: int = 0  # requests in a thread or waiting for one, their bodies in memory
    connections: "set[Connection]" = field(default_factory=set)
    draining: bool = False
    turned_away: int = 0  # connections, since it was told
    writes_soon: bool = False
    date: str = ""
    waiting: list[tuple[Opened, Done]] = field(default_factory=list)

    def tick(self) -> None:
        """Once a second: set the clock of the answers, end what is past its deadline."""
        self.date = formatdate(usegmt=True)
        self.write_metrics()
        self._tell_who_was_turned_away()
        for connection in list(self.connections):
            connection.check_deadline()

    def turns_away(self) -> bool:
        """Whether a connection more would take what files need; it is counted then."""
        full = len(self.connections) >= self.max_connections
        self.turned_away += full
        return full

    def _tell_who_was_turned_away(self) -> None:
        if self.turned_away:
            log.warning(
                "%d connections were turned away: this worker has %d, all that its limit of open "
                "files leaves. Raise that limit (ulimit -n), or let clients share connections.",
                self.turned_away,
                self.max_connections,
            )
            self.turned_away = 0

    def close_idle(self) -> None:
        """Close the connections on which nothing is under way."""
        for connection in list(self.connections):
            connection.close_if_idle()

    def answered(self) -> None:
        """Something was counted."""
        if not self.writes_soon:
            self.writes_soon = True
            self.loop.call_later(WRITE_SECONDS, self._write)

    def _write(self) -> None:
        self.writes_soon = False
        self.write_metrics()

    def wait(self, opened: Opened, done: Done) -> None:
        """Answer a request together with all that have come by the time the loop has read them.

        Nobody waits for others to come. That all are answered before any answer is sent
        spares the system from waking one client after the other.
        """
        if not self.waiting:
            self.loop.call_soon(self._answer)
        self.waiting.append((opened, done))

    def _answer(self) -> None:
        turn, self.waiting = self.waiting[:TOGETHER], self.waiting[TOGETHER:]
        if self.waiting:
            self.loop.call_soon(self._answer)
        responses: Sequence[Response | None] = [None] * len(turn)
        try:
            responses = self.application.answer([opened for opened, _ in turn])
        finally:  # should that fail, nobody is left to wait
            for (_, done), response in zip(turn, responses, strict=True):
                done(response)
