"""Thousands of damaged bodies: no failure, none takes long, and no memory is kept.

HOSTILE=full sends as many of every kind as are else sent of all.
"""

import time
from collections import Counter

import pytest

from tests.hostile.assault import ATTEMPTS
from tests.hostile.costs import resident
from tests.hostile.extent import FULL
from tests.hostile.mutations import SOUND, accident
from tests.server import Server
from tests.wire import answers, raw

MUTATIONS = 5_000
OF_A_KIND = MUTATIONS if FULL else -(-MUTATIONS // len(SOUND))
TOGETHER = 20  # on one connection, one behind the other

MOST_SECONDS = 1.0
MOST_MEGABYTES = 10.0
SETTLING = 200  # accidents of every kind before memory is looked at: what is loaded and kept once


def statuses(server: Server, name: str, numbers: range) -> list[int]:
    """What accidents of these numbers are answered."""
    sent = [SOUND[name].request(accident(name, number)) for number in numbers]
    return [answer.status for answer in answers(raw(server.port, b"".join(sent)))]


def seconds(server: Server, name: str, numbers: range) -> float:
    """How long they take; others use the machine, too, so the shortest of several times counts."""
    taken = []
    for _ in range(ATTEMPTS):
        began = time.monotonic()
        statuses(server, name, numbers)
        taken.append(time.monotonic() - began)
    return min(taken)


def groups(count: int) -> list[range]:
    return [range(low, min(low + TOGETHER, count)) for low in range(0, count, TOGETHER)]


@pytest.mark.parametrize("name", SOUND)
def test_what_is_whole_is_answered_and_what_is_damaged_is_damaged(
    server: Server, name: str
) -> None:
    sound = SOUND[name]
    [answer] = answers(raw(server.port, sound.request(sound.body)))
    assert answer.status == 200
    assert accident(name, 7) == accident(name, 7)
    assert sum(accident(name, number) != sound.body for number in range(100)) > 90


def test_no_damage_fails_the_service_or_holds_it_up_or_stays_in_its_memory(server: Server) -> None:
    for name in SOUND:
        for numbers in groups(SETTLING):
            statuses(server, name, range(-numbers.stop, -numbers.start))
    before = resident(server.workers())
    seen, slow = Counter[tuple[str, int]](), []
    for name in SOUND:
        for numbers in groups(OF_A_KIND):
            began = time.monotonic()
            found = statuses(server, name, numbers)
            assert len(found) == len(numbers), (name, numbers)
            assert max(found) < 500, (name, numbers[found.index(max(found))])
            seen.update((name, status) for status in found)
            if time.monotonic() - began > MOST_SECONDS:  # else none of them took so long
                each = [range(number, number + 1) for number in numbers]
                slow += [one for one in each if seconds(server, name, one) > MOST_SECONDS]
    assert slow == []
    assert resident(server.workers()) - before < MOST_MEGABYTES
    for name in SOUND:  # no kind is refused for one reason, or hardly damaged
        assert 0 < seen[name, 200] < sum(seen.values()) / len(SOUND), name
