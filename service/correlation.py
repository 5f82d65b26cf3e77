"""What a request is called: in its answer, in the log, and among the services it came through."""

import os
import re
from dataclasses import dataclass

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

# W3C Trace Context level 1, section 3.2: version, trace-id, parent-id and flags. A later
# version may have more behind a further dash.
TRACEPARENT = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})"
    r"-(?!0{32})(?P<trace_id>[0-9a-f]{32})"
    r"-(?!0{16})(?P<parent_id>[0-9a-f]{16})"
    r"-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)

ID_BYTES = 16
STOCK = 64  # drawn at a time: the system takes longer to be asked than to answer

_stock: list[str] = []  # its pop is atomic: no two threads get the same
os.register_at_fork(after_in_child=_stock.clear)


@dataclass(frozen=True)
class Trace:
    """Where a request stands in its trace; without a parent the trace begins here.

    flags: the parent's, 0 to 255; 1 is set where it is sampled.
    """

    trace_id: str  # 32 hexadecimal digits
    parent_id: str | None  # 16 of them
    flags: int = 0


def request_id(sent: str | None) -> str:
    """The id that a client has ``sent``, where it can be one, or a new one."""
    return sent if sent and REQUEST_ID.fullmatch(sent) else _random_id()


def trace(traceparent: str | None) -> Trace:
    """The trace that a header ``traceparent`` names, where it is valid, or a new one."""
    match = TRACEPARENT.fullmatch(traceparent) if traceparent else None
    if match is None or (match["version"] == "00" and match["more"] is not None):
        return Trace(_random_id(), None)
    return Trace(match["trace_id"], match["parent_id"], int(match["flags"], 16))


def _random_id() -> str:
    """One that nobody can guess."""
    try:
        return _stock.pop()
    except IndexError:
        drawn = os.urandom(STOCK * ID_BYTES).hex()
        own, *others = [
            drawn[start : start + 2 * ID_BYTES] for start in range(0, len(drawn), 2 * ID_BYTES)
        ]
        _stock.extend(others)
        return own
