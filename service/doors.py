"""Which routes there are at which port: those of operations may have one of their own.

What is not at a port is answered like any address where nothing is.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from service.errors import NotFound
from service.keys import HEALTH
from service.settings import Settings
from service.wsgi import Environ

# By the words of DIGITS_CLOSED.
ROUTES = {
    "docs": re.compile(r"/docs(/.*)?|/openapi\.json"),
    "drift": re.compile(r"/drift"),
    "metrics": re.compile(r"/metrics"),
}
OPERATIONS = ("drift", "metrics")  # what has the second port, where there is one

NOWHERE = "there is nothing at this path; see the README"


@dataclass(frozen=True)
class Doors:
    """What is answered where. port: of operations, None where they have none of their own.

    closed: of ``ROUTES``, those that are answered nowhere.
    """

    port: str | None
    closed: Collection[str]

    @classmethod
    def of(cls, settings: Settings) -> "Doors | None":
        """Those of the settings; None where all is answered at one port."""
        port, closed = settings.operations_port, settings.closed or ()
        return cls(str(port) if port else None, closed) if port or closed else None

    def check(self, environ: Environ) -> None:
        """Raise NotFound for a request that has come to the wrong port, or is answered nowhere.

        The port is the socket's own, whatever a client writes into Host.
        """
        path = environ["PATH_INFO"]
        name = next((name for name, routes in ROUTES.items() if routes.fullmatch(path)), None)
        if name in self.closed:
            raise NotFound("path", NOWHERE)
        if self.port is None:
            return
        is_operations = environ["SERVER_PORT"] == self.port
        if name not in OPERATIONS and HEALTH.fullmatch(path):
            return  # whether a port is up is asked at each
        if is_operations != (name in OPERATIONS):
            raise NotFound("path", NOWHERE)
