"""A row of the table: what is measured, against what, and the bars."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tests.bench.report import Figure, figure
from tests.bench.serving.environments import python_of, versions
from tests.bench.serving.load import Load
from tests.bench.serving.rounds import Measured, Results, Turn

Unit: TypeAlias = Literal["ratio", "req/s", "img/s", "ms"]


@dataclass(frozen=True)
class Row:
    """Requests a second of one turn as a ratio to another's, or a figure of the one."""

    what: str
    turn: Measured
    against: Measured | None = None
    must: float | None = None
    aim: float | None = None
    unit: Unit = "ratio"

    @property
    def name(self) -> str:
        return self.what if self.against is None else f"{self.what} / {self.against.name}"

    @property
    def turns(self) -> list[Measured]:
        return [self.turn] if self.against is None else [self.turn, self.against]

    def figure(self, results: Results) -> Figure:
        """The median of the rounds; where a program did not answer, why."""
        for turn in self.turns:
            if turn in results.failures:
                return Figure(
                    self.name,
                    None,
                    self.unit,
                    None,
                    f"could not be measured: {turn.name}: {results.failures[turn]}",
                    self.must,
                    self.aim,
                    "more",
                )
        loads = [results.loads[turn] for turn in self.turns]
        return figure(
            self.name,
            [self._value(*each) for each in zip(*loads, strict=True)],
            self.unit,
            reference="; ".join(map(told, self.turns, loads)),
            must=self.must,
            aim=self.aim,
            better="less" if self.unit == "ms" else "more",
        )

    def _value(self, ours: Load, theirs: Load | None = None) -> float:
        if theirs is not None:
            return ours.rate / theirs.rate
        if self.unit == "ms":
            return ours.p99
        return ours.rate * (self.turn.images if self.unit == "img/s" else 1)


def told(turn: Measured, loads: Sequence[Load]) -> str:
    """What is measured, its versions, and the medians of its own figures."""
    rate, p50, p99 = (
        statistics.median(getattr(each, name) for each in loads) for name in ("rate", "p50", "p99")
    )
    figures = f"{rate:.0f} req/s, p50 {p50:.2f} ms, p99 {p99:.2f} ms"
    if not isinstance(turn, Turn):
        return f"{turn.name}: {figures}"
    about = versions(python_of(turn.program.environment), turn.program.packages)
    return f"{turn.name} ({about}), {turn.connections} connections: {figures}"
