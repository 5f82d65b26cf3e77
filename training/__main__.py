"""The command line of the training package: ``python -m training --help``."""

import argparse
import dataclasses
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from model import artifact as artifacts
from model.errors import ModelError, StoreUnusable
from model.store import Store
from training import comparison, dataset, reproduction, rows
from training.config import MNIST, Recipe, load_recipe, recipe_names
from training.errors import TrainingError
from training.evaluation import evaluate
from training.fetch import MIRRORS, fetch
from training.release import build
from training.run_folder import RunFolder
from training.streams import Stream, generator

STORE = Path("build/store")
RUNS = Path("build/runs")

INTERRUPTED = 130  # as shells say it: 128 + SIGINT


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status, 1 when it could not be done."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except (TrainingError, ModelError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:  # of a file that nobody has a better word for
        print(f"error: {error.filename}: {error.strerror}; mend that first", file=sys.stderr)
        return 1
    except KeyboardInterrupt as stop:
        print("; ".join(["stopped", *stop.args]), file=sys.stderr)
        return INTERRUPTED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description="Train models.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    train = commands.add_parser("train", help="run a recipe and publish the artifact it makes")
    train.add_argument("recipe", help=f"a recipe's name ({', '.join(recipe_names())}) or TOML file")
    train.add_argument("--seed", type=int, help="instead of the recipe's")
    train.add_argument(
        "--store", type=Path, default=STORE, help=f"where to publish (default: {STORE})"
    )
    train.add_argument(
        "--run",
        type=Path,
        dest="folder",
        help=f"where checkpoint, journal and report go (default: {RUNS}/NAME-SEED)",
    )
    train.add_argument(
        "--resume", action="store_true", help="go on from the last checkpoint, if there is one"
    )
    train.set_defaults(run=_train)

    evaluation = commands.add_parser("evaluate", help="test an artifact on MNIST's test set")
    evaluation.add_argument("artifact", type=Path)
    evaluation.set_defaults(run=_evaluate)

    compare = commands.add_parser("compare", help="two artifacts side by side on MNIST's test set")
    compare.add_argument("first", type=Path)
    compare.add_argument("second", type=Path)
    compare.set_defaults(run=_compare)

    reproduce = commands.add_parser("reproduce", help="run the published recipes, and compare")
    reproduce.add_argument("recipes", nargs="*", help="only these (default: all)")
    reproduce.add_argument("--seeds", type=_count, default=5, help="runs of each (default: 5)")
    reproduce.add_argument(
        "--jobs",
        type=_count,
        default=os.cpu_count() or 1,
        help="runs at a time (default: one a processor)",
    )
    reproduce.add_argument(
        "--output", type=Path, default=Path("build/reproduction"), help="where the tables go"
    )
    reproduce.set_defaults(run=_reproduce)

    csv = commands.add_parser("rows", help="write MNIST's images as a CSV like Kaggle's")
    csv.add_argument("file", type=Path)
    csv.add_argument("--rows", type=_count, default=42_000, help="how many (default: 42000)")
    csv.add_argument("--seed", type=_count, default=1, help="of the choice (default: 1)")
    csv.set_defaults(run=_rows)

    data = commands.add_parser("data", help="fetch MNIST and its writers from public mirrors")
    data.add_argument(
        "--folder",
        type=Path,
        default=os.environ.get("DIGITS_DATA") or "data",
        help="where to put it (default: DIGITS_DATA, else data/)",
    )
    data.add_argument(
        "--mirror", action="append", metavar="URL", help="ask this one instead; may be repeated"
    )
    data.set_defaults(run=_data)

    for command in (train, evaluation, compare, reproduce, csv):
        command.add_argument(
            "--data", type=Path, help="MNIST's folder (default: DIGITS_DATA, else data/)"
        )
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1")
    return int(text)


def _train(arguments: argparse.Namespace) -> None:
    recipe = load_recipe(arguments.recipe)
    if arguments.seed is not None:
        recipe = dataclasses.replace(recipe, seed=arguments.seed)
    folder = RunFolder(arguments.folder or RUNS / f"{recipe.name}-{recipe.seed}")
    try:
        _train_and_publish(recipe, folder, arguments)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("nothing was published", *_resumable(folder)) from None
    except StoreUnusable as error:
        raise TrainingError("; ".join([str(error), *_resumable(folder)])) from None


def _resumable(folder: RunFolder) -> list[str]:
    """What to say of a run that has got somewhere."""
    path = folder.checkpoint
    return [f"--resume goes on from {path}"] if path.exists() else []


def _train_and_publish(recipe: Recipe, folder: RunFolder, arguments: argparse.Namespace) -> None:
    data = _read(recipe, arguments)
    store = Store(arguments.store)
    store.create()  # before the work, not after it
    began = time.perf_counter()
    artifact = build(recipe, data, folder=folder, resume=arguments.resume)
    seconds = time.perf_counter() - began
    path = store.add(artifact)
    folder.checkpoint.unlink(missing_ok=True)
    report = folder.report if folder.report.exists() else "no report"
    test = artifact.evaluation["test"]
    low, high = test["interval_95"]
    print(
        f"{path}\n{artifacts.read(path).digest()}\n{report}\n"
        f"{test['correct']} of {test['images']} test images right "
        f"({test['accuracy']:.2%}, 95 % interval {low:.2%} to {high:.2%}), "
        f"trained in {seconds:.0f} s"
    )


def _evaluate(arguments: argparse.Namespace) -> None:
    artifact = artifacts.read(arguments.artifact)
    test = _mnist(arguments).test
    print(json.dumps(evaluate(artifact.network, test, artifact.confidence), indent=2))


def _compare(arguments: argparse.Namespace) -> None:
    first, second = artifacts.read(arguments.first), artifacts.read(arguments.second)
    result = comparison.compare(first, second, _mnist(arguments).test)
    print(comparison.to_text(result, str(arguments.first), str(arguments.second)))


def _reproduce(arguments: argparse.Namespace) -> None:
    names, seeds, output = arguments.recipes, arguments.seeds, arguments.output
    try:
        table = reproduction.reproduce(names, seeds, arguments.data, output, arguments.jobs)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"runs that are done are kept in {output}") from None
    print(table, end="")


def _rows(arguments: argparse.Namespace) -> None:
    digits = dataset.kaggle_rows(_mnist(arguments), arguments.rows, arguments.seed)
    rows.write_csv(arguments.file, digits)
    print(arguments.file)


def _data(arguments: argparse.Namespace) -> None:
    fetch(arguments.folder, arguments.mirror or MIRRORS)


def _mnist(arguments: argparse.Namespace) -> dataset.Mnist:
    return dataset.load_mnist(arguments.data or dataset.find_folder())


def _read(recipe: Recipe, arguments: argparse.Namespace) -> dataset.Mnist:
    source = recipe.data.source
    at_hand = source != MNIST and Path(source).exists()
    folder = arguments.data or (Path() if at_hand else dataset.find_folder())
    return dataset.load(recipe.data, folder, generator(recipe.seed, Stream.ROWS))


if __name__ == "__main__":
    sys.exit(main())
