"""The gunicorn worker: an event loop that ends without dropping anybody."""

import asyncio
import contextlib
import ctypes
import gc
import os
import resource
import signal
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop
from gunicorn.workers.base import Worker

from service.connection import Connection
from service.server import Server
from service.settings import METRICS_VARIABLE, Settings

if TYPE_CHECKING:
    from service.metrics import Metrics

TICK_SECONDS = 1.0

# So long after SIGTERM all are still let in: who watches readiness hears of it before anybody
# is refused.
NOTICE_SECONDS = 0.2

# After that an idle connection stays open this long: its client may have a
# request on the way, which is answered with "Connection: close".
DRAIN_SECONDS = 1.0

# So long a thread may keep the interpreter while the loop has something to do (5 ms, if
# nothing is said): a large body arrives in dozens of pieces, each of which would wait.
SWITCH_SECONDS = 0.0005

# After so many new objects garbage is looked for (700, if nothing is said): a document of a
# million lists, which hold no garbage, was looked through for as long as it took to read.
YOUNG_OBJECTS = 20_000

# One block of memory that is larger goes back to the system when it is freed, and so does what
# lies free at the end beyond the second, in one arena for all threads. Left to itself glibc raises
# its bound to 32 MB with the pictures it sees, and keeps what lies below it, in an arena for each
# thread. With smaller ones the pages of a large batch are asked for anew, a quarter of its time.
MAPPED_BYTES, KEPT_BYTES = 8 * 2**20, 4 * 2**20
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # mallopt(3)

# Descriptors of a worker that are not connections: 24 from the start, and what is opened now and
# then, as the files of the other workers' metrics.
OTHER_DESCRIPTORS = 44

# The listen queue counts as empty when nobody has come for this long.
QUIET_SECONDS = 0.01


class EventLoopWorker(Worker):
    """Serves one WSGI application on one event loop (uvloop)."""

    def init_signals(self) -> None:
        """Leave the signals to the loop; what it does not handle ends the process."""
        for number in self.SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGABRT, self.handle_abort)
        signal.signal(signal.SIGWINCH, signal.SIG_IGN)

    def load_wsgi(self) -> None:
        """Make the application, its metrics under the worker's slot."""
        from service import metric_files  # noqa: PLC0415 - the master has no use for its imports

        _give_memory_back()
        directory = os.environ.get(METRICS_VARIABLE)
        if directory:
            metric_files.write_under_slot(Path(directory), self.slot)  # see gunicorn_conf.pre_fork
        super().load_wsgi()
        if directory:
            self.wsgi.extensions["drift"].keep(Path(directory), self.slot)
        sys.setswitchinterval(SWITCH_SECONDS)
        gc.set_threshold(YOUNG_OBJECTS)
        gc.collect()
        gc.freeze()  # what every request needs is not looked through for garbage any more

    def run(self) -> None:
        """Serve until told to stop."""
        metrics = self.wsgi.extensions["metrics"]
        metrics.gathers = True
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._serve(metrics))
        finally:
            metrics.write()
            spans = self.wsgi.extensions["spans"]
            if spans:
                spans.close()

    async def _serve(self, metrics: "Metrics") -> None:
        loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        loop.add_signal_handler(signal.SIGUSR1, self.log.reopen_files)
        for number in (signal.SIGINT, signal.SIGQUIT):
            loop.add_signal_handler(number, partial(os._exit, 0))
        settings = Settings.from_env(os.environ)
        chores = self.wsgi.extensions["chores"]

        def look_after() -> None:
            for chore in chores:
                try:
                    chore()
                except Exception:
                    self.log.exception("what is done once a second has failed")

        with ThreadPoolExecutor(settings.threads) as pool, ThreadPoolExecutor(1) as watch:
            look = loop.run_in_executor(watch, look_after)
            server = Server(
                self.wsgi.wsgi_app,
                metrics.write,
                loop,
                pool,
                settings.max_body_bytes,
                settings.max_in_flight,
                settings.read_timeout,
                _most_connections(),
            )
            server.tick()
            factory = partial(Connection, server, loop)
            doors = [listener.sock.dup() for listener in self.sockets]
            listeners = [
                await loop.create_server(factory, sock=listener.sock) for listener in self.sockets
            ]
            while not self._stop.is_set() and self.ppid == os.getppid():
                self.notify()
                server.tick()
                if look.done():
                    look = loop.run_in_executor(watch, look_after)
                await _wait(self._stop, TICK_SECONDS)
            self.wsgi.extensions["health"].draining = True
            await asyncio.sleep(NOTICE_SECONDS)
            server.draining = True
            for listener in listeners:
                listener.close()
            for client in [client for door in doors for client in _accept_last(door)]:
                await loop.connect_accepted_socket(factory, client)
            await self._drain(server, settings.graceful_timeout)
        look_after()

    async def _drain(self, server: Server, seconds: float) -> None:
        """Let the connections finish, the idle ones a little later."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while loop.time() < began + seconds:
            self.notify()
            server.tick()
            if loop.time() > began + DRAIN_SECONDS:
                server.close_idle()
            await asyncio.sleep(0.05)  # also for a connection that was just let in to show up
            if not server.connections:
                break


def _give_memory_back() -> None:
    """See ``MAPPED_BYTES``; another C library has no such function."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES)
        mallopt(M_ARENA_MAX, 1)


def _most_connections() -> int:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if limit == resource.RLIM_INFINITY else max(1, limit - OTHER_DESCRIPTORS)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)


def _accept_last(door: socket.socket) -> list[socket.socket]:
    """Let in whoever stands in the listen queue, then shut the door behind the last.

    Closing a listener resets the connections in its queue, whose clients
    believe that they were let in. Nobody is answered here meanwhile, so those
    who wait for an answer before they connect again have all arrived when it
    has been quiet for a while; nor just after, when the other workers, told to
    stop at the same time, take their last look. What is left is the
    microsecond between such a look and the end of the queue.
    """
    accepted = []
    patience_ends = time.monotonic() + 10 * QUIET_SECONDS
    while True:
        door.settimeout(QUIET_SECONDS if time.monotonic() < patience_ends else 0)
        try:
            accepted.append(door.accept()[0])
        except OSError:  # it is quiet, or there is no descriptor left
            door.close()
            time.sleep(QUIET_SECONDS)
            return accepted
