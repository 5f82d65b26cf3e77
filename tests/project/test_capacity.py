"""How many replicas it takes: the manual's second table follows from its first."""

import math
import re

import pytest

from tests.helpers import ROOT

MANUAL = (ROOT / "deploy/README.md").read_text("utf-8")

LOAD = 2 / 3  # of what a core can do, so that nobody waits long
CORES = 2  # of a replica
FEWEST = 2  # replicas, so that one may go

MILLION = 1_000_000


def rows(heading: str) -> list[list[str]]:
    """The cells of the table whose first line this is."""
    lines = MANUAL[MANUAL.index(heading) :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def number(cell: str) -> float:
    """What a cell begins with, whatever its unit."""
    found = re.match(r"([\d ]*\d(?:\.\d+)?)( million)?", cell)
    assert found, cell
    return float(found[1].replace(" ", "")) * (MILLION if found[2] else 1)


RATES = {row[0]: row[1:] for row in rows("| what is sent |")}
NEEDED = rows("| images a second | what is sent |")


@pytest.mark.parametrize("sent", RATES)
def test_what_a_core_answers_is_told_in_other_units(sent: str) -> None:
    rate, hour, seconds, _ = map(number, RATES[sent])
    assert hour == pytest.approx(rate * 3600, rel=0.02)
    assert seconds == pytest.approx(MILLION / rate, rel=0.02)


@pytest.mark.parametrize("row", NEEDED, ids=lambda row: " ".join(row[:2]))
def test_the_replicas_follow_from_what_a_core_answers(row: list[str]) -> None:
    wanted, cores, replicas, gigabits = (number(cell) for cell in (row[0], *row[2:5]))
    rate, _, _, kilobytes = map(number, RATES[row[1]])
    assert cores == math.ceil(wanted / (rate * LOAD))
    assert replicas == max(FEWEST, math.ceil(cores / CORES))
    assert gigabits == pytest.approx(wanted * kilobytes * 8 / MILLION, rel=0.05, abs=0.01)


def test_there_is_a_row_for_each_scale() -> None:
    assert {number(row[0]) for row in NEEDED} == {1_000, 100_000, 10 * MILLION}
