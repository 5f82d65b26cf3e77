"""What a benchmark says of its figures, and what it is made of; nothing is measured here."""

from tests.bench.report import Better, Figure, figure
from tests.bench.serving.environments import LOCKS
from tests.bench.serving.rounds import Turn
from tests.bench.serving.table import table
from tests.helpers import table as cases


@cases(
    "value, better, must, aim, verdict",
    {
        "less is better, and there is less": (1.0, "less", 3.0, 2.0, "aim met"),
        "less is better, and it is enough": (2.5, "less", 3.0, 2.0, "met"),
        "less is better, and there is more": (3.5, "less", 3.0, 2.0, "MISSED"),
        "more is better, and there is more": (3.5, "more", 2.0, 3.0, "aim met"),
        "more is better, and it is enough": (2.5, "more", 2.0, 3.0, "met"),
        "more is better, and there is less": (1.0, "more", 2.0, 3.0, "MISSED"),
        "there is no aim": (1.0, "less", 3.0, None, "met"),
        "there is no bar": (1.0, "more", None, None, ""),
    },
)
def test_a_figure_is_held_to_its_bars(
    value: float, better: Better, must: float | None, aim: float | None, verdict: str
) -> None:
    row = figure("speed", [value], "ratio", reference="", must=must, aim=aim, better=better)
    assert row.verdict == verdict


def test_a_figure_that_could_not_be_measured_says_why() -> None:
    assert Figure("speed", None, "ratio", None, "it did not start", 2.0).verdict == (
        "it did not start"
    )


def test_every_program_of_the_table_has_an_environment_with_a_lock() -> None:
    turns = [turn for row in table() for turn in row.turns if isinstance(turn, Turn)]
    locks = {path.stem for path in LOCKS.glob("*.txt")}
    assert {turn.program.environment for turn in turns} == {None, *locks}


def test_both_sides_of_a_ratio_read_as_many_images_with_the_same_model() -> None:
    for row in table():
        models = {turn.program.model for turn in row.turns if isinstance(turn, Turn)}
        assert len(models) == 1, row.name
        assert len({turn.images for turn in row.turns}) == 1, row.name
