"""What the command says before it needs a cluster; with one: ``tests/sweep``."""

from pathlib import Path

import pytest

from tests.helpers import (
    assert_one_line_error,
    run_module,
    run_python,
    synthetic_mnist,
    table,
    write_idx_folder,
)
from tests.training.sweeps import write_recipe
from training.__main__ import main

WITHOUT_DASK = """
import sys
sys.modules["distributed"] = None
from training.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_idx_folder(tmp_path / "mnist", synthetic_mnist(train=60, test=20))


def test_without_dask_it_says_what_to_install(tmp_path: Path, data: Path) -> None:
    recipe = write_recipe(tmp_path / "tiny.toml")
    run = run_python(WITHOUT_DASK, "sweep", recipe, "--data", data, "--output", tmp_path / "out")
    assert_one_line_error(run, "distributed is not installed", 'pip install "digits[sweep]"')


def test_without_data_it_says_where_to_get_them(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "tiny.toml")
    run = run_module("training", "sweep", recipe, environ={"DIGITS_DATA": str(tmp_path / "no")})
    assert_one_line_error(run, "make data")


@table(
    "arguments, words",
    {
        "seeds in words": (["--seeds", "five"], "'five' is neither a number of seeds nor a list"),
        "no seeds": (["--seeds", "0"], "'0' is no whole number from 1"),
        "an empty seed": (["--seeds", "3,,4"], "'3,,4' is neither"),
        "no workers": (["--workers", "0"], "'0' is no whole number from 1"),
        "no address": (["--scheduler", "nowhere"], "'nowhere' is no address; write tcp://"),
        "another protocol": (["--scheduler", "xyz://a:1"], "is no address"),
        "both": (["--workers", "2", "--scheduler", "tcp://a:1"], "not allowed with"),
    },
)
def test_a_wrong_word_is_named(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["sweep", "mlp", *arguments])
    assert words in capsys.readouterr().err


@table(
    "arguments, words",
    {
        "a field out of range": (["--set", "epochs=3,0"], "epochs must be 1 or more"),
        "an unknown field": (["--set", "epoch=3"], "epoch is not a field"),
        "no value": (["--set", "epochs"], "--set epochs: is not FIELD=VALUE"),
    },
)
def test_a_setting_that_no_recipe_can_have_is_named_before_any_run(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sweep", "mlp", *arguments]) == 1
    assert words in capsys.readouterr().err
