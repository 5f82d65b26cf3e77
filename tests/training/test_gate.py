"""The gate on made-up numbers: every bound broken alone rejects."""

import dataclasses
import json
from typing import Any

import pytest

from tests.helpers import table
from training import gate
from training.errors import RecipeError
from training.gate import Bounds, Figures, Pairs, Sides, Verdict, judge

EVEN = Pairs(both=960, only_champion=10, only_candidate=10, neither=20)

# A candidate that is the champion's equal in all, and better on what is new.
GOOD = Figures(
    test=Pairs(both=9890, only_champion=10, only_candidate=12, neither=88),
    error_bound=0.0005,
    writers=297,
    by_digit=(EVEN,) * 10,
    calibration_error=Sides(0.0012, 0.0015),
    coverage=Sides(0.992, 0.991),
    refused={"letters": Sides(0.60, 0.62), "noise": Sides(0.99, 0.98)},
    drawings={"as_drawn": Sides(0.999, 0.998), "thin": Sides(0.99, 0.99)},
    corruptions={"fog": Sides(0.95, 0.96), "stripe": Sides(0.97, 0.96)},
    seconds=Sides(10e-6, 10.5e-6),
    file_bytes=Sides(460_000, 470_000),
    golden=0,
    new=Pairs(both=100, only_champion=1, only_candidate=30, neither=9),
)

NOT_BETTER = Pairs(both=100, only_champion=5, only_candidate=9, neither=9)  # p = 0.42


def changed(**changes: Any) -> Figures:  # noqa: ANN401 - of any field
    return dataclasses.replace(GOOD, **changes)


def broken(figures: Figures) -> list[str]:
    return [check.name for check in judge(figures).checks if not check.holds]


def test_who_keeps_every_bound_and_is_better_is_promoted() -> None:
    found = judge(GOOD)
    assert broken(GOOD) == []
    assert found.better_on == ("the new images",)
    assert found.verdict is Verdict.PROMOTE


@table(
    "figures, bound",
    {
        "error on the test set": (changed(error_bound=0.0011), "error on the test set"),
        "one digit": (
            changed(by_digit=(EVEN,) * 9 + (Pairs(960, 16, 10, 14),)),
            "error on one digit",
        ),
        "calibration": (changed(calibration_error=Sides(0.001, 0.0031)), "calibration error"),
        "coverage": (changed(coverage=Sides(0.992, 0.986)), "test images refused"),
        "strangers on average": (
            changed(refused={"letters": Sides(0.60, 0.585), "noise": Sides(0.99, 0.98)}),
            "strangers accepted",
        ),
        "strangers of one kind": (
            changed(refused={"letters": Sides(0.50, 0.56), "noise": Sides(0.99, 0.93)}),
            "strangers of one kind accepted",
        ),
        "drawings": (changed(drawings={"thin": Sides(0.99, 0.984)}), "error on drawings"),
        "corruptions": (
            changed(corruptions={"fog": Sides(0.95, 0.93), "stripe": Sides(0.97, 0.975)}),
            "error on corruptions",
        ),
        "time": (changed(seconds=Sides(10e-6, 12.1e-6)), "time of a forward pass"),
        "size": (changed(file_bytes=Sides(100, 121)), "size of the file"),
        "golden set": (changed(golden=1), "golden set as served"),
        "new images": (
            changed(test=Pairs(9000, 10, 60, 930), new=Pairs(100, 20, 5, 0)),
            "worse on new images",
        ),
        "a figure that is no number": (
            changed(calibration_error=Sides(0.001, float("nan"))),
            "calibration error",
        ),
    },
)
def test_a_bound_broken_alone_rejects_who_is_better(figures: Figures, bound: str) -> None:
    assert broken(figures) == [bound]
    assert judge(figures).better_on
    assert judge(figures).verdict is Verdict.REJECT


@table(
    "figures",
    {
        "error": changed(error_bound=0.001),
        "one digit": changed(by_digit=(EVEN,) * 9 + (Pairs(960, 15, 10, 15),)),
        "strangers of one kind": changed(refused={"a": Sides(0.5, 0.6), "b": Sides(0.75, 0.70)}),
        "time": changed(seconds=Sides(1.0, 1.2)),
        "size": changed(file_bytes=Sides(100, 120)),
    },
)
def test_a_figure_at_its_bound_holds(figures: Figures) -> None:
    assert [name for name in broken(figures) if name != "strangers accepted"] == []


@table(
    "figures, verdict, better",
    {
        "better on the test set": (
            changed(test=Pairs(9000, 10, 40, 950), new=NOT_BETTER),
            Verdict.PROMOTE,
            ("the test set",),
        ),
        "without new images": (
            changed(test=Pairs(9000, 10, 40, 950), new=None),
            Verdict.PROMOTE,
            ("the test set",),
        ),
        "on both": (
            changed(test=Pairs(9000, 10, 40, 950)),
            Verdict.PROMOTE,
            ("the test set", "the new images"),
        ),
        "chance": (changed(new=NOT_BETTER), Verdict.KEEP, ()),
        "five of five are chance": (changed(new=Pairs(9, 0, 5, 0)), Verdict.KEEP, ()),
        "six of six are not": (
            changed(new=Pairs(9, 0, 6, 0)),
            Verdict.PROMOTE,
            ("the new images",),
        ),
        "nothing differs": (changed(new=None, test=Pairs(10, 0, 0, 0)), Verdict.KEEP, ()),
        "worse is not better": (changed(new=Pairs(100, 20, 5, 0)), Verdict.REJECT, ()),
        "worse, but by chance": (changed(new=Pairs(9, 5, 0, 0)), Verdict.KEEP, ()),
    },
)
def test_better_is_what_chance_seldom_is(
    figures: Figures, verdict: Verdict, better: tuple[str, ...]
) -> None:
    assert judge(figures).verdict is verdict
    assert judge(figures).better_on == better


def test_bounds_may_be_others() -> None:
    assert judge(changed(error_bound=0.002), Bounds(error=0.2)).verdict is Verdict.PROMOTE
    assert judge(GOOD, Bounds(error=0.04)).verdict is Verdict.REJECT
    with pytest.raises(RecipeError, match=r"bounds\.digit must be 0 or more"):
        Bounds(digit=-1)


def test_without_drawings_there_is_no_such_bound() -> None:
    names = [check.name for check in judge(changed(drawings={})).checks]
    assert "error on drawings" not in names
    assert len(names) == len(judge(GOOD).checks) - 1


def test_the_record_has_every_number() -> None:
    record = gate.to_json(judge(changed(golden=2)))
    assert json.loads(json.dumps(record)) == record
    assert record["verdict"] == "reject"
    assert record["checks"]["golden set as served"] == {
        "holds": False,
        "figure": 2,
        "at_most": 0,
        "unit": "images",
        "note": "answered otherwise",
    }
    assert record["sets"]["new"]["only_candidate"] == 30
    assert record["sets"]["test"]["images"] == 10_000


@table(
    "figures, words",
    {
        "by writers": (GOOD, ["over 297 writers", "verdict: promote"]),
        "without them": (changed(writers=None), ["over images, for writers are not known"]),
        "the worst digit": (
            changed(by_digit=(EVEN,) * 3 + (Pairs(960, 19, 10, 11),) + (EVEN,) * 6),
            ["the worst is 3", "0.900", "broken", "verdict: reject"],
        ),
        "who is better": (
            GOOD,
            ["On the new images", "30 won and 1 lost", "so the candidate reads better."],
        ),
    },
)
def test_the_text_says(figures: Figures, words: list[str]) -> None:
    text = gate.to_text(judge(figures))
    for word in words:
        assert word in text
