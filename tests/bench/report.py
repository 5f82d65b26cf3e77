"""Figures of a benchmark: a table for people, JSON for machines."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from training.environment import machine

OUTPUT = Path("build/bench")
WIDTH = 58  # of the column of names

Better: TypeAlias = Literal["less", "more"]


@dataclass(frozen=True)
class Figure:
    """One measured figure: the median of its runs, their spread, and the bars it is held to.

    better: which way the bars point. must: None for what is only told. value, spread: None
    where there was nothing to measure, and then ``reference`` says why.
    """

    figure: str
    value: float | None
    unit: str
    spread: tuple[float, float] | None
    reference: str
    must: float | None = None
    aim: float | None = None
    better: Better = "less"

    @property
    def verdict(self) -> str:
        if self.value is None:
            return self.reference
        if self.must is None:
            return ""
        if not self._reaches(self.must):
            return "MISSED"
        return "aim met" if self._reaches(self.aim) else "met"

    def _reaches(self, bar: float | None) -> bool:
        if bar is None or self.value is None:
            return False
        return self.value <= bar if self.better == "less" else self.value >= bar


def figure(  # noqa: PLR0913 - the columns of a row
    name: str,
    runs: Sequence[float],
    unit: str,
    *,
    reference: str,
    must: float | None = None,
    aim: float | None = None,
    better: Better = "less",
) -> Figure:
    """A figure from the values of its runs."""
    low, high = round(min(runs), 3), round(max(runs), 3)
    value = round(statistics.median(runs), 3)
    return Figure(name, value, unit, (low, high), reference, must, aim, better)


def publish(name: str, figures: Sequence[Figure]) -> None:
    """Print the table and write ``build/bench/NAME.json``."""
    environment = machine()
    print("  ".join(f"{key}: {_flat(value)}" for key, value in environment.items()))
    print(f"{'figure':{WIDTH}} {'median':>8} {'min - max':>17} {'unit':6} {'must':>6}  verdict")
    for row in figures:
        value = "" if row.value is None else f"{row.value:g}"
        spread = "" if row.spread is None else f"{row.spread[0]:g} - {row.spread[1]:g}"
        must = "" if row.must is None else f"{row.must:g}"
        line = f"{row.figure:{WIDTH}} {value:>8} {spread:>17} {row.unit:6} {must:>6}  {row.verdict}"
        print(line.rstrip())
    OUTPUT.mkdir(parents=True, exist_ok=True)
    document = [{**asdict(row), "machine": environment} for row in figures]
    (OUTPUT / f"{name}.json").write_text(json.dumps(document, indent=2) + "\n", "utf-8")


def _flat(value: object) -> str:
    if isinstance(value, Mapping):
        return " ".join(str(item) for item in value.values())
    return str(value)
