"""The command line of the training package: ``python -m training --help``."""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from model import artifact as artifacts
from model.errors import ModelError
from model.store import Store
from training import dataset
from training.config import RECIPES, load_recipe
from training.errors import TrainingError
from training.evaluation import evaluate
from training.fetch import MIRRORS, fetch
from training.release import build

OUTPUT = Path("build/store")

INTERRUPTED = 130  # as shells say it: 128 + SIGINT


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status, 1 when it could not be done."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except (TrainingError, ModelError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; nothing was published", file=sys.stderr)
        return INTERRUPTED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description="Train models.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    train = commands.add_parser("train", help="run a recipe and publish the artifact it makes")
    names = ", ".join(sorted(path.stem for path in RECIPES.glob("*.toml")))
    train.add_argument("recipe", help=f"a recipe's name ({names}) or a TOML file")
    train.add_argument(
        "--store", type=Path, default=OUTPUT, help=f"where to publish (default: {OUTPUT})"
    )
    train.set_defaults(run=_train)

    evaluation = commands.add_parser("evaluate", help="test an artifact on MNIST's test set")
    evaluation.add_argument("artifact", type=Path)
    evaluation.set_defaults(run=_evaluate)

    data = commands.add_parser("data", help="fetch MNIST, checked, from public mirrors")
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

    for command in (train, evaluation):
        command.add_argument(
            "--data", type=Path, help="MNIST's folder (default: DIGITS_DATA, else data/)"
        )
    return parser


def _train(arguments: argparse.Namespace) -> None:
    recipe = load_recipe(arguments.recipe)
    mnist = dataset.load_mnist(arguments.data or dataset.find_folder())
    store = Store(arguments.store)
    store.create()  # before the work, not after it
    began = time.perf_counter()
    artifact = build(recipe, mnist)
    seconds = time.perf_counter() - began
    path = store.add(artifact)
    test = artifact.evaluation["mnist_test"]
    low, high = test["interval_95"]
    print(
        f"{path}\n{artifacts.read(path).digest()}\n"
        f"{test['correct']} of {test['images']} test images right "
        f"({test['accuracy']:.2%}, 95 % interval {low:.2%} to {high:.2%}), "
        f"trained in {seconds:.0f} s"
    )


def _evaluate(arguments: argparse.Namespace) -> None:
    artifact = artifacts.read(arguments.artifact)
    mnist = dataset.load_mnist(arguments.data or dataset.find_folder())
    print(json.dumps(evaluate(artifact.network, mnist.test, artifact.confidence), indent=2))


def _data(arguments: argparse.Namespace) -> None:
    fetch(arguments.folder, arguments.mirror or MIRRORS)


if __name__ == "__main__":
    sys.exit(main())
