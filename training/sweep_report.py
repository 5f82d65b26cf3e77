"""What a sweep found: a table by recipe and settings, a page, and a document for programs."""

import dataclasses
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from model.artifact import Artifact
from training import page, pictures
from training.axes import Axis
from training.pictures import Series

TITLE = "Sweep"
RULE = (
    "Ranked by the mean accuracy on the images that are held out of training. The test set is for "
    "the one that is chosen."
)


@dataclass(frozen=True)
class Run:
    """One finished run. place: of its artifact, from the sweep's folder. seconds: of training."""

    seed: int
    artifact: Artifact
    place: str
    seconds: float

    def accuracy(self, images: str) -> float | None:
        """The share read right of the ``validation`` or ``test`` images, where it is known."""
        figures = self.artifact.evaluation.get(images)
        return None if figures is None else float(figures["accuracy"])


@dataclass(frozen=True)
class Entry:
    """A recipe with its settings: what came of its runs. failures: in words, by seed."""

    recipe: str
    settings: str
    runs: Sequence[Run]
    failures: Mapping[int, str]

    @property
    def label(self) -> str:
        """The recipe's name and what was set."""
        return " ".join(filter(None, (self.recipe, self.settings)))

    def spread(self, images: str) -> "Spread | None":
        """Of the accuracy over the finished runs; None where none has one."""
        values = [value for run in self.runs if (value := run.accuracy(images)) is not None]
        return Spread.of(values) if values else None


@dataclass(frozen=True)
class Spread:
    """Of a figure over runs; deviation: the sample's, None of one run."""

    mean: float
    deviation: float | None
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """The spread of one value or more."""
        deviation = statistics.stdev(values) if len(values) > 1 else None
        return cls(statistics.fmean(values), deviation, min(values), max(values))


def ranked(entries: Sequence[Entry]) -> list[Entry]:
    """The best on what was held out first; those without such a figure last."""

    def place(entry: Entry) -> float:
        spread = entry.spread("validation")
        return spread.mean if spread else -1

    return sorted(entries, key=place, reverse=True)


def heads(*, open_test: bool) -> tuple[str, ...]:
    """The heads of ``rows``."""
    figures = ("mean", "standard deviation", "min", "max", "held out")
    test = ("test, not to choose by",) if open_test else ()
    return ("recipe", "settings", "runs", *figures, "time", *test)


def rows(entries: Sequence[Entry], *, open_test: bool) -> list[tuple[str, ...]]:
    """One row for a recipe with its settings, in the order given."""
    return [
        (
            entry.recipe,
            entry.settings,
            _count(entry),
            *_figures(entry.spread("validation")),
            _held_out(entry),
            f"{statistics.median(run.seconds for run in entry.runs):.0f} s" if entry.runs else "",
            *((_test(entry.spread("test")),) if open_test else ()),
        )
        for entry in entries
    ]


def markdown(entries: Sequence[Entry], *, open_test: bool) -> str:
    """The table as Markdown."""
    head = heads(open_test=open_test)
    lines = [head, ("---",) * len(head), *rows(entries, open_test=open_test)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def document(entries: Sequence[Entry]) -> str:
    """All that the table was made of, as JSON."""
    found = [
        {
            "recipe": entry.recipe,
            "settings": entry.settings,
            "validation": _json(entry.spread("validation")),
            "test": _json(entry.spread("test")),
            "runs": [
                {
                    "seed": run.seed,
                    "artifact": run.place,
                    "digest": run.artifact.digest(),
                    "evaluation": dict(run.artifact.evaluation),
                    "seconds": run.seconds,
                    **{
                        name: run.artifact.training[name]
                        for name in ("recipe", "data", "source_revision", "machine")
                    },
                }
                for run in entry.runs
            ],
            "failures": [
                {"seed": seed, "reason": reason} for seed, reason in entry.failures.items()
            ],
        }
        for entry in entries
    ]
    return json.dumps({"ranked_by": "validation", "entries": found}, indent=2) + "\n"


def report(entries: Sequence[Entry], *, open_test: bool) -> str:
    """The table, every run, the curves, and where it was made, as one page."""
    runs = [(entry, run) for entry in entries for run in entry.runs]
    failures = [
        (entry.label, str(seed), reason)
        for entry in entries
        for seed, reason in entry.failures.items()
    ]
    every = [
        (entry.label, str(run.seed), _percent(run.accuracy("validation")), run.place)
        for entry, run in runs
    ]
    made_on = sorted({_made_on(run.artifact.training) for _, run in runs})
    table = page.table(rows(entries, open_test=open_test), heads(open_test=open_test))
    return page.page(
        TITLE,
        [
            f"<h1>{TITLE}</h1>",
            page.section("Figures", escape(RULE), table),
            page.section("Curves", "", page.columns([*filter(None, map(_curves, entries))])),
            page.section(
                "Runs", "", page.table(every, ("run", "seed", "read right", "artifact"), code=True)
            ),
            page.section("Failed", "", page.table(failures, ("run", "seed", "why")))
            if failures
            else "",
            page.section("Made on", "<br>".join(map(escape, made_on))),
        ],
    )


def _curves(entry: Entry) -> str:
    series = []
    for run in entry.runs:
        epochs = run.artifact.training["epochs"]
        points = [(epoch["number"], epoch["validation_accuracy"]) for epoch in epochs]
        if all(accuracy is not None for _, accuracy in points):
            series.append(Series(f"seed {run.seed}", points))
    if not series:
        return ""
    return pictures.line_chart(
        series,
        title=f"{entry.label}: held-out accuracy",
        x=Axis("epoch", whole=True),
        y=Axis("validation accuracy"),
    )


def _made_on(record: Mapping[str, Any]) -> str:
    machine = ", ".join(f"{key}: {page.plain(value)}" for key, value in record["machine"].items())
    return f"{machine}, source_revision: {record['source_revision']}"


def _count(entry: Entry) -> str:
    done, failed = len(entry.runs), len(entry.failures)
    return f"{done} of {done + failed}" if failed else str(done)


def _figures(spread: Spread | None) -> tuple[str, str, str, str]:
    if spread is None:
        return "", "", "", ""
    figures = spread.mean, spread.deviation, spread.lowest, spread.highest
    mean, deviation, lowest, highest = map(_percent, figures)
    return mean, deviation, lowest, highest


def _held_out(entry: Entry) -> str:
    sizes = {run.artifact.evaluation.get("validation", {}).get("images", 0) for run in entry.runs}
    return " or ".join(f"{size} images" if size else "nothing" for size in sorted(sizes))


def _test(spread: Spread | None) -> str:
    if spread is None:
        return ""
    mean, deviation, *_ = _figures(spread)
    return f"{mean} ± {deviation}" if deviation else mean


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.2%}"


def _json(spread: Spread | None) -> dict[str, float | None] | None:
    return dataclasses.asdict(spread) if spread else None
