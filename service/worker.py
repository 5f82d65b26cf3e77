"""The gunicorn worker: its threaded one, made to end without dropping anybody."""

import os
import socket
import struct
from types import FrameType

from gunicorn.workers.gthread import ThreadWorker

from service.settings import Settings

# struct timeval of SO_RCVTIMEO: seconds and microseconds, both long
TIMEVAL = struct.Struct("ll")


class Worker(ThreadWorker):
    """Answers every connection the kernel has accepted, also while it is told to stop.

    The stock worker, on SIGTERM, leaves the listen queue as it is and closes
    it at the end: whoever had connected but was not yet accepted is reset.
    """

    def init_process(self) -> None:
        """Bound how long a silent client may hold a thread, then start as usual.

        Accepted sockets inherit the receive timeout of the listener (Linux,
        socket(7)), so it holds from the first byte of the header on.
        """
        seconds = Settings.from_env(os.environ).read_timeout
        for listener in self.sockets:
            listener.sock.setsockopt(
                socket.SOL_SOCKET, socket.SO_RCVTIMEO, TIMEVAL.pack(seconds, 0)
            )
        super().init_process()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM: say so at ``/readyz`` from now on, and begin to stop."""
        if self.booted:
            self.wsgi.extensions["health"].draining = True
        super().handle_exit(sig, frame)

    def set_accept_enabled(self, enabled: bool) -> None:  # noqa: FBT001 - gunicorn's signature
        """When the worker stops, empty the listen queue and shut the door behind it."""
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            for listener in self.sockets:
                self._accept_all(listener)
                listener.close()

    def _accept_all(self, listener: socket.socket) -> None:
        waiting = self.nr_conns - 1
        while self.nr_conns > waiting:
            waiting = self.nr_conns
            self.accept(listener)  # returns without one when the queue is empty
