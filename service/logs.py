"""The log of requests: one line of JSON for each, with nothing in it that a client made up."""

import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from model import Prediction
from service.correlation import Trace


@dataclass(frozen=True)
class Answered:
    """A request and what became of it. route: the template, never a client's path.

    version, predictions: what was said of its images, and by which model, if any was.
    """

    request_id: str
    trace: Trace
    scheme: str
    method: str
    route: str
    status: int
    seconds: float
    version: int | None = None
    predictions: Sequence[Prediction] = ()


class AccessLog:
    """Writes a line for each answered request to standard error, at the level ``info``."""

    def __init__(self, level: str) -> None:
        self._log = logging.Logger("digits.access", level.upper())  # noqa: LOG001 - one for each application
        handler = logging.StreamHandler()
        handler.setFormatter(Text() if sys.stderr.isatty() else Lines())
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
                **_predicted(answered),
            }
        )


class Text(logging.Formatter):
    """A record as a line to read, for a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end; the time is this place's."""
        answered: Answered = record.__dict__["answered"]
        time = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")  # noqa: DTZ006 - who reads it is here
        said = " ".join(f"{name}={value}" for name, value in _predicted(answered).items())
        took = f"{answered.seconds * 1_000:.1f} ms"
        return " ".join([time, record.getMessage(), took, *([said] if said else [])])


def _predicted(answered: Answered) -> dict[str, object]:
    """What was said of one image, or of how many it was said."""
    if answered.version is None:
        return {}
    if len(answered.predictions) != 1:
        return {"version": answered.version, "images": len(answered.predictions)}
    [said] = answered.predictions
    found: dict[str, object] = {
        "version": answered.version,
        "digit": said.digit,
        "confidence": said.confidence,
    }
    return found | {"accepted": said.accepted}
