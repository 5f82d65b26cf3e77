"""Figures of a benchmark: a table for people, JSON for machines."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from training.environment import machine

OUTPUT = Path("build/bench")


@dataclass(frozen=True)
class Figure:
    """One measured figure: the median of its runs, their spread, and the bars it is held to."""

    figure: str
    value: float
    unit: str
    spread: tuple[float, float]
    reference: str
    must: float
    aim: float | None = None

    @property
    def verdict(self) -> str:
        """Every figure so far is one of which less is better."""
        if self.value > self.must:
            return "MISSED"
        return "aim met" if self.aim is not None and self.value <= self.aim else "met"


def figure(  # noqa: PLR0913 - the columns of a row
    name: str,
    runs: Sequence[float],
    unit: str,
    *,
    reference: str,
    must: float,
    aim: float | None = None,
) -> Figure:
    """A figure from the values of its runs."""
    low, high = round(min(runs), 3), round(max(runs), 3)
    return Figure(name, round(statistics.median(runs), 3), unit, (low, high), reference, must, aim)


def publish(name: str, figures: Sequence[Figure]) -> None:
    """Print the table and write ``build/bench/NAME.json``."""
    environment = machine()
    print("  ".join(f"{key}: {_flat(value)}" for key, value in environment.items()))
    print(f"{'figure':44} {'median':>8} {'min - max':>17} unit   must   verdict")
    for row in figures:
        spread = f"{row.spread[0]:g} - {row.spread[1]:g}"
        print(
            f"{row.figure:44} {row.value:8g} {spread:>17} {row.unit:5} {row.must:6g}  {row.verdict}"
        )
    OUTPUT.mkdir(parents=True, exist_ok=True)
    document = [{**asdict(row), "machine": environment} for row in figures]
    (OUTPUT / f"{name}.json").write_text(json.dumps(document, indent=2) + "\n", "utf-8")


def _flat(value: object) -> str:
    if isinstance(value, Mapping):
        return " ".join(str(item) for item in value.values())
    return str(value)
