"""How much a client may ask: so many requests a second, and some at once.

The generic cell rate algorithm (ITU-T I.371): of each client one number is kept, when it would
be done if it asked at exactly its rate. Each worker counts for itself, so nobody is asked over
a lock that another process holds; a client whose connections are at several workers may ask
each of them as much.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from service.errors import RateLimited
from service.keys import HEALTH, Keys
from service.wsgi import Environ

CLIENTS = 16_384  # that are remembered, some 3 MB; who has not asked for longest is forgotten


@dataclass
class Rates:
    """Lets each client ask ``rate`` times a second, ``burst`` times at once; threads may call."""

    keys: Keys
    rate: int
    burst: int
    clock: Callable[[], float] = time.monotonic
    _done: OrderedDict[str, float] = field(default_factory=OrderedDict)  # last, who asked last
    _lock: Lock = field(default_factory=Lock)

    def check(self, environ: Environ) -> None:
        """Count the request of a WSGI environment; raises RateLimited where it is one too many.

        Questions for health and metrics are not counted: who asks them watches the service.
        """
        if HEALTH.fullmatch(environ["PATH_INFO"]):
            return
        client = self.keys.client(environ)
        seconds = self._wait(client)
        if seconds > 0:
            raise RateLimited(
                "request",
                f"more than {self.rate} requests a second; send fewer, and the next after a while",
                {"Retry-After": str(math.ceil(seconds))},
            )

    def _wait(self, client: str) -> float:
        """Count a request, unless there are seconds to wait before there may be one."""
        now = self.clock()
        with self._lock:
            done = max(self._done.pop(client, now), now)
            ahead = done - now - (self.burst - 1) / self.rate
            self._done[client] = done if ahead > 0 else done + 1 / self.rate
            if len(self._done) > CLIENTS:
                self._done.popitem(last=False)
        return ahead
