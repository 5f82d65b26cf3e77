"""The log of requests: one line of JSON for each, with nothing in it that a client made up."""

import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime

from service.correlation import Trace


@dataclass(frozen=True)
class Answered:
    """A request and what became of it. route: the template, never a client's path."""

    request_id: str
    trace: Trace
    method: str
    route: str
    status: int
    seconds: float


class AccessLog:
    """Writes a line for each answered request to standard error, at the level ``info``."""

    def __init__(self, level: str) -> None:
        self._log = logging.Logger("digits.access", level.upper())  # noqa: LOG001 - one for each application
        handler = logging.StreamHandler()
        handler.setFormatter(Lines())
        self._log.addHandler(handler)

    def write(self, answered: Answered) -> None:
        """Tell of one request."""
        message = "%s %s %d"
        words = (answered.method, answered.route, answered.status)
        self._log.info(message, *words, extra={"answered": answered})


class Lines(logging.Formatter):
    """A record as an object of JSON on one line; what is not printable ASCII is escaped."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end; the time is of RFC 3339."""
        answered: Answered = record.__dict__["answered"]
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        return json.dumps(
            {
                "time": time.replace("+00:00", "Z"),
                "level": record.levelname.lower(),
                "message": record.getMessage(),
                "request_id": answered.request_id,
                "trace_id": answered.trace.trace_id,
                "parent_id": answered.trace.parent_id,
                "method": answered.method,
                "route": answered.route,
                "status": answered.status,
                "duration_seconds": round(answered.seconds, 6),
            }
        )
