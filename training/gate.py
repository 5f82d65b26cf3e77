"""The gate between a candidate and the champion's place: numbers in, a verdict out.

Whatever the champion is trusted with, the candidate must do about as well, each within a bound
of its own; and it must be better at something, by a test that chance seldom passes. Nothing is
measured here (``standing.py`` does that), so that every rule can be tried on made-up numbers.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from training.comparison import SIGNIFICANT, mcnemar
from training.tables import require

POINTS = 100  # of a share


@dataclass(frozen=True)
class Bounds:
    """By how much a candidate may be worse; in points (hundredths) unless said otherwise.

    error: the upper 95 % bound of the increase of error on the test set. digit: the increase of
    error on any one digit. calibration: the increase of the expected calibration error.
    coverage: by how much fewer of the test images are accepted. refusal: by how much fewer of the
    images that are not one digit are refused, on average over their kinds; refusal_of_a_kind: of
    any one kind. drawings, corruptions: the increase of error, on average over the variants.
    time, size: of a forward pass of one image and of the file, as ratios to the champion's.
    """

    error: float = 0.10
    digit: float = 0.5
    calibration: float = 0.2
    coverage: float = 0.5
    refusal: float = 1.0
    refusal_of_a_kind: float = 5.0
    drawings: float = 0.5
    corruptions: float = 0.5
    time: float = 1.2
    size: float = 1.2

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            require(0 <= value < float("inf"), f"bounds.{name}", "0 or more and finite")


BOUNDS = Bounds()


@dataclass(frozen=True)
class Pairs:
    """Two readers of the same images: how many only one of them, both or neither reads right."""

    both: int
    only_champion: int
    only_candidate: int
    neither: int

    @property
    def images(self) -> int:
        """How many there are."""
        return self.both + self.only_champion + self.only_candidate + self.neither

    @property
    def champion(self) -> float:
        """Share that the champion reads right, 0-1; of no images it is 1."""
        return (self.both + self.only_champion) / self.images if self.images else 1.0

    @property
    def candidate(self) -> float:
        """Share that the candidate reads right, 0-1."""
        return (self.both + self.only_candidate) / self.images if self.images else 1.0

    @property
    def p_value(self) -> float:
        """Of the exact McNemar test, 0-1."""
        return mcnemar(self.only_champion, self.only_candidate)

    @property
    def better(self) -> bool:
        """Whether the candidate reads better, and that is hardly chance."""
        return self.only_candidate > self.only_champion and self.p_value < SIGNIFICANT

    @property
    def worse(self) -> bool:
        """Whether the candidate reads worse, and that is hardly chance."""
        return self.only_champion > self.only_candidate and self.p_value < SIGNIFICANT


@dataclass(frozen=True)
class Sides:
    """One figure of both."""

    champion: float
    candidate: float

    @property
    def fall(self) -> float:
        """By how many points the candidate's is lower; negative where it is higher."""
        return POINTS * (self.champion - self.candidate)


@dataclass(frozen=True)
class Figures:
    """All that is judged; shares are in 0-1.

    error_bound: upper 95 % bound of the increase of error on the test set, 0-1; writers: over
    how many writers it was taken, None where it was over images. by_digit: of the test set.
    refused, drawings, corruptions: by kind, the share that is refused, or read right; of no
    drawings, the gate is without that bound. seconds:
    of a forward pass of one image, in turns. file_bytes: of the artifacts. golden: how many of
    the candidate's golden images the served path did not answer as recorded. new: on new images
    that neither has learned, None where there are none.
    """

    test: Pairs
    error_bound: float
    writers: int | None
    by_digit: tuple[Pairs, ...]
    calibration_error: Sides
    coverage: Sides
    refused: Mapping[str, Sides]
    drawings: Mapping[str, Sides]
    corruptions: Mapping[str, Sides]
    seconds: Sides
    file_bytes: Sides
    golden: int
    new: Pairs | None = None


@dataclass(frozen=True)
class Check:
    """One bound: it holds where ``figure`` is at most ``bound``, both in ``unit``."""

    name: str
    figure: float
    bound: float
    unit: str
    note: str

    @property
    def holds(self) -> bool:
        """Whether the candidate keeps within it; a figure that is no number never does."""
        return round(self.figure, 9) <= self.bound  # 5 of 1000 images are 0.5 points, no more


class Verdict(enum.StrEnum):
    """What to do with a candidate."""

    PROMOTE = "promote"
    KEEP = "keep"
    REJECT = "reject"


@dataclass(frozen=True)
class Judgement:
    """Every check, on which sets the candidate is better, and what follows."""

    checks: tuple[Check, ...]
    better_on: tuple[str, ...]
    figures: Figures

    @property
    def verdict(self) -> Verdict:
        """Reject where a bound is broken, promote where it is better at something, else keep."""
        if not all(check.holds for check in self.checks):
            return Verdict.REJECT
        return Verdict.PROMOTE if self.better_on else Verdict.KEEP


def judge(figures: Figures, bounds: Bounds = BOUNDS) -> Judgement:
    """Hold the figures against the bounds."""
    sets = {"the test set": figures.test, "the new images": figures.new}
    return Judgement(
        checks=tuple(_checks(figures, bounds)),
        better_on=tuple(name for name, pairs in sets.items() if pairs and pairs.better),
        figures=figures,
    )


def _checks(figures: Figures, bounds: Bounds) -> list[Check]:
    test, by_writers = figures.test, figures.writers is not None
    over = f"{figures.writers} writers" if by_writers else "images, for writers are not known"
    falls = [Sides(pairs.champion, pairs.candidate).fall for pairs in figures.by_digit]
    digit = max(range(len(falls)), key=falls.__getitem__)
    kinds = {kind: sides.fall for kind, sides in figures.refused.items()}
    kind = max(kinds, key=kinds.__getitem__)
    checks = [
        Check(
            "error on the test set",
            POINTS * figures.error_bound,
            bounds.error,
            "points",
            f"upper 95 % bound of its increase, over {over}; {_shares(test)}",
        ),
        Check(
            "error on one digit",
            falls[digit],
            bounds.digit,
            "points",
            f"the worst is {digit}; {_shares(figures.by_digit[digit])}",
        ),
        Check(
            "calibration error",
            -figures.calibration_error.fall,
            bounds.calibration,
            "points",
            _from_to(figures.calibration_error),
        ),
        Check(
            "test images refused",
            figures.coverage.fall,
            bounds.coverage,
            "points",
            f"accepted: {_from_to(figures.coverage)}",
        ),
        _mean("strangers accepted", figures.refused, bounds.refusal, "refused"),
        Check(
            "strangers of one kind accepted",
            kinds[kind],
            bounds.refusal_of_a_kind,
            "points",
            f"the worst is {kind.replace('_', ' ')}; refused: {_from_to(figures.refused[kind])}",
        ),
        *_drawings(figures, bounds),
        _mean("error on corruptions", figures.corruptions, bounds.corruptions, "read right"),
        Check(
            "time of a forward pass",
            figures.seconds.candidate / figures.seconds.champion,
            bounds.time,
            "times",
            f"{1e6 * figures.seconds.champion:.1f} to {1e6 * figures.seconds.candidate:.1f} us",
        ),
        Check(
            "size of the file",
            figures.file_bytes.candidate / figures.file_bytes.champion,
            bounds.size,
            "times",
            f"{figures.file_bytes.champion:,.0f} to {figures.file_bytes.candidate:,.0f} bytes",
        ),
        Check("golden set as served", figures.golden, 0, "images", "answered otherwise"),
    ]
    if figures.new:
        checks.append(
            Check(
                "worse on new images",
                float(figures.new.worse),
                0,
                "yes or no",
                f"{_shares(figures.new)}, McNemar's p = {figures.new.p_value:.3g}",
            )
        )
    return checks


def _drawings(figures: Figures, bounds: Bounds) -> list[Check]:
    if not figures.drawings:
        return []
    return [_mean("error on drawings", figures.drawings, bounds.drawings, "read right")]


def _mean(name: str, by_kind: Mapping[str, Sides], bound: float, what: str) -> Check:
    sides = Sides(
        sum(one.champion for one in by_kind.values()) / len(by_kind),
        sum(one.candidate for one in by_kind.values()) / len(by_kind),
    )
    note = f"mean of {len(by_kind)} kinds; {what}: {_from_to(sides)}"
    return Check(name, sides.fall, bound, "points", note)


def _shares(pairs: Pairs) -> str:
    """Read right by either, and where they differ."""
    return (
        f"read right: {_from_to(Sides(pairs.champion, pairs.candidate))} of {pairs.images:,}, "
        f"{pairs.only_candidate} won and {pairs.only_champion} lost"
    )


def _from_to(sides: Sides) -> str:
    return f"{sides.champion:.2%} to {sides.candidate:.2%}"


def to_json(judgement: Judgement) -> dict[str, Any]:
    """The verdict and all its numbers as JSON values, for the record of the candidate."""
    figures = judgement.figures
    sets = {"test": figures.test, "new": figures.new}
    return {
        "verdict": str(judgement.verdict),
        "better_on": list(judgement.better_on),
        "checks": {
            check.name: {
                "holds": check.holds,
                "figure": check.figure,
                "at_most": check.bound,
                "unit": check.unit,
                "note": check.note,
            }
            for check in judgement.checks
        },
        "sets": {
            name: {**vars(pairs), "images": pairs.images, "p_value": pairs.p_value}
            for name, pairs in sets.items()
            if pairs
        },
    }


def to_text(judgement: Judgement) -> str:
    """The checks as a Markdown table for a terminal, then who is better, and the verdict."""
    lines = [
        "| | by | at most | |  |",
        "|---|---:|---:|---|---|",
        *(f"| {' | '.join(row)} |" for row in rows(judgement)),
        "",
        *better_in_words(judgement),
        "",
        f"verdict: {judgement.verdict}",
    ]
    return "\n".join(lines)


def rows(judgement: Judgement) -> list[tuple[str, str, str, str, str]]:
    """Name, figure, bound, whether it holds, and note, in words."""
    return [
        (
            check.name,
            f"{check.figure:.3f}",
            f"{check.bound:g} {check.unit}",
            "holds" if check.holds else "broken",
            check.note,
        )
        for check in judgement.checks
    ]


def better_in_words(judgement: Judgement) -> list[str]:
    """A sentence for each set on which the candidate may be better."""
    sets = {"the test set": judgement.figures.test, "the new images": judgement.figures.new}
    return [
        f"On {name}: {_shares(pairs)}; McNemar's p = {pairs.p_value:.3g}, so the candidate "
        f"{'reads better' if pairs.better else 'is not shown to read better'}."
        for name, pairs in sets.items()
        if pairs
    ]
