"""What is sent: all kinds of requests, good and bad, and what each may be answered."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tests.e2e.ways import WAYS, Images
from tests.faults.golden import golden
from tests.faults.load import CUT, Outcome, Shot, shot
from tests.model.drawing import DIGITS, shaded, written
from tests.service.cases import BAD_REQUESTS, JSON, MAX_BATCH, pixels_json

BATCH = MAX_BATCH  # images in one request, in the ways that take several
MOST_BYTES = 100_000  # of a bad request: the load is to send it in one piece
BAD_SHARE = 10  # one of so many requests is bad

# An answer that says that there is too much at once explains itself; it is told in the counts.
ALWAYS = frozenset({429})

DRAIN_SECONDS = 10.0  # that a worker may take to end after a hangup, on a busy machine
HEARD_SECONDS = 1.0  # until all connections of a killed worker are known to be cut


@dataclass(frozen=True)
class Traffic:
    """Shots in turn, and the status that each is to be answered with, by name."""

    shots: Sequence[Shot]
    statuses: Mapping[str, int]

    def is_explained(
        self, outcome: Outcome, kills: Sequence[float], hangups: Sequence[float]
    ) -> bool:
        """Whether an answer is the expected one, or what a worker that ends leaves of it."""
        if outcome.fate == CUT:
            return any(outcome.was_under_way(at - 0.1, at + HEARD_SECONDS) for at in kills)
        if (outcome.name, outcome.fate) == ("/readyz", 503):
            return any(outcome.was_under_way(at, at + DRAIN_SECONDS) for at in hangups)
        return outcome.fate == self.statuses[outcome.name] or outcome.fate in ALWAYS


def images() -> Images:
    ink = [written(DIGITS[digit], (28, 28), (4, 9), 20, 2.5) for digit in DIGITS]
    return np.stack([shaded(sheet, on=0, pen=255) for sheet in ink])


def good() -> Iterator[Shot]:
    """Half of them single images in JSON, whose answers are known."""
    frames, known = images(), itertools.cycle(golden())
    for number, (name, way) in enumerate(WAYS.items()):
        yield next(known)
        count = min(way.most, BATCH)
        first = number % (len(frames) - count + 1)
        request = way.encode(frames[first : first + count])
        yield shot(name, request.path, request.body, request.headers)
    yield shot("explain", "/explain", pixels_json(frames[5].tolist()), JSON)
    for path in ("/readyz", "/metrics", "/drift", "/models", "/"):
        yield shot(path, path, b"", {}, method="GET")


def traffic() -> Traffic:
    """All of them, one in ``BAD_SHARE`` from the table of bad requests."""
    fine, statuses = list(good()), {}
    wrong = []
    for case in BAD_REQUESTS:
        if len(case.body) <= MOST_BYTES:
            name = f"bad: {case.name}"
            wrong.append(shot(name, case.path, case.body, case.headers, method=case.method))
            statuses[name] = case.status
    mixed, good_ones = list[Shot](), itertools.cycle(fine)
    for one in wrong:
        mixed += [one, *itertools.islice(good_ones, BAD_SHARE - 1)]
    return Traffic(mixed, {one.name: 200 for one in fine} | statuses)
