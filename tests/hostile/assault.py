"""Something hostile, what it is answered and what it may cost; and whether it did harm."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.client import Answer
from tests.hostile.costs import Cost, metered
from tests.server import Server
from tests.service.cases import NOISE_PNG
from tests.wire import answers, code_of, raw

CHEAP = Cost()

ATTEMPTS = 3  # others use this machine, too: the cheapest counts


@dataclass(frozen=True)
class Hostile:
    """What is sent, made when it is asked for; status and code of the answer; at most what cost.

    closes: whether nothing that is sent behind it is read.
    """

    sent: Callable[[], bytes]
    status: int
    code: str | None = None
    cost: Cost = CHEAP
    closes: bool = False


@dataclass(frozen=True)
class Witness:
    """A running service, and how it was before anybody did anything to it."""

    server: Server
    workers: list[int]
    golden: Any

    @classmethod
    def of(cls, server: Server) -> "Witness":
        return cls(server, server.workers(), golden(server))

    def assert_unharmed(self) -> None:
        """It is ready, answers as ever, and none of its workers has died."""
        with self.server.client() as client:
            assert client.get("/readyz").status == 200
        assert golden(self.server) == self.golden
        assert self.server.workers() == self.workers
        assert "Traceback" not in self.server.log.read_text("utf-8")


def golden(server: Server) -> Any:  # noqa: ANN401 - any JSON value
    """What is answered to an image that never changes, without what is of one request."""
    with server.client() as client:
        answer = client.predict(NOISE_PNG, "image/png")
    assert answer.status == 200
    return {name: value for name, value in answer.json.items() if name != "request_id"}


def withstand(server: Server, hostile: Hostile, behind: bytes = b"") -> list[Answer]:
    """Send it: it is answered as it is to be, within its cost. Returns all that is answered."""
    sent = hostile.sent() + behind
    costs = []
    for _ in range(ATTEMPTS):
        with metered(server) as meter:
            said = answers(raw(server.port, sent))
        first = said[0]
        assert (first.status, code_of(first)) == (hostile.status, hostile.code)
        assert b"Traceback" not in first.body
        costs.append(meter.cost)
        if meter.cost.is_within(hostile.cost):
            return said
    raise AssertionError(f"cost {costs}, may cost {hostile.cost}")
