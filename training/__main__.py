"""The command line of the training package: ``python -m training --help``."""

import argparse
import dataclasses
import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from model import artifact as artifacts
from model.artifact import Artifact
from model.classifier import Classifier
from model.errors import ModelError, StoreUnusable
from model.frame import MANNERS
from model.store import RELEASES, Store
from training import (
    comparison,
    dataset,
    drawings,
    judging,
    reproduction,
    robustness,
    rows,
    scene_judging,
    succession,
    sweep,
)
from training.arguments import (
    RUNS,
    STORE,
    announce,
    count,
    extra,
    mnist,
    read_data,
    resumable,
)
from training.config import Recipe, load_recipe, recipe_names
from training.errors import TrainingError
from training.evaluation import evaluate_test
from training.examination import examine
from training.fetch import MIRRORS, fetch
from training.release import build
from training.renewal import renewed
from training.run_folder import RunFolder
from training.teachers import teachers

if TYPE_CHECKING:
    from training.captures import Kept

INTERRUPTED = 130  # as shells say it: 128 + SIGINT


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status, 1 when it could not be done.

    ``retrain`` and ``gate`` say their verdict by it (``succession.EXITS``).
    """
    arguments = _parser().parse_args(argv)
    try:
        status: int | None = arguments.run(arguments)
    except (TrainingError, ModelError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:  # of a file that nobody has a better word for
        print(f"error: {error.filename}: {error.strerror}; mend that first", file=sys.stderr)
        return 1
    except KeyboardInterrupt as stop:
        print("; ".join(["stopped", *stop.args]), file=sys.stderr)
        return INTERRUPTED
    return status or 0


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
    train.add_argument(
        "--without-test",
        action="store_true",
        help="leave the test set shut: for runs from which one is to be chosen",
    )
    train.set_defaults(run=_train)

    evaluation = commands.add_parser("evaluate", help="test an artifact on MNIST's test set")
    evaluation.add_argument("artifact", type=Path)
    instead = evaluation.add_mutually_exclusive_group()
    instead.add_argument(
        "--robustness", action="store_true", help="on the test set with fifteen corruptions"
    )
    instead.add_argument("--refusals", action="store_true", help="on images that are not one digit")
    instead.add_argument("--drawings", action="store_true", help="on digits drawn with a mouse")
    instead.add_argument(
        "--scenes",
        type=count,
        nargs="?",
        const=judging.SCENES,
        metavar="N",
        help=f"on digits as people send them: in light, on forms (default: {judging.SCENES})",
    )
    evaluation.add_argument(
        "--normalize",
        choices=MANNERS,
        default=MANNERS[0],
        help="whether images go through the normalizer (default: where they need it)",
    )
    evaluation.set_defaults(run=_evaluate)

    release = commands.add_parser("release", help="measure all of it, record it, and publish")
    release.add_argument("artifact", type=Path)
    release.add_argument(
        "--siblings", nargs="*", type=Path, default=[], help="the same recipe with other seeds"
    )
    release.add_argument(
        "--renew",
        action="store_true",
        help="one of an older normalizer, where no image of MNIST looks otherwise to this one",
    )
    release.add_argument(
        "--store", type=Path, default=RELEASES, help="where to publish (default: the shipped ones)"
    )
    release.set_defaults(run=_release)

    compare = commands.add_parser("compare", help="two artifacts side by side on MNIST's test set")
    compare.add_argument("first", type=Path)
    compare.add_argument("second", type=Path)
    compare.set_defaults(run=_compare)

    judging_commands = succession.add(commands)

    reproduce = commands.add_parser("reproduce", help="run the published recipes, and compare")
    reproduce.add_argument("recipes", nargs="*", help="only these (default: all)")
    reproduce.add_argument("--seeds", type=count, default=5, help="runs of each (default: 5)")
    reproduce.add_argument(
        "--jobs",
        type=count,
        default=os.cpu_count() or 1,
        help="runs at a time (default: one a processor)",
    )
    reproduce.add_argument(
        "--output", type=Path, default=Path("build/reproduction"), help="where the tables go"
    )
    reproduce.set_defaults(run=_reproduce)

    sweeping = sweep.add(commands)

    csv = commands.add_parser("rows", help="write MNIST's images as a CSV like Kaggle's")
    csv.add_argument("file", type=Path)
    csv.add_argument("--rows", type=count, default=42_000, help="how many (default: 42000)")
    csv.add_argument("--seed", type=count, default=1, help="of the choice (default: 1)")
    csv.set_defaults(run=_rows)

    _add_feedback(commands.add_parser("feedback", help="what a service has kept, and its labels"))

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

    for command in (evaluation, release):
        command.add_argument(
            "--strangers",
            type=count,
            default=judging.STRANGERS,
            help=f"images of each kind that is not one digit (default: {judging.STRANGERS})",
        )
    for command in (
        train,
        evaluation,
        release,
        compare,
        *judging_commands,
        reproduce,
        sweeping,
        csv,
    ):
        command.add_argument(
            "--data", type=Path, help="MNIST's folder (default: DIGITS_DATA, else data/)"
        )
    return parser


def _add_feedback(feedback: argparse.ArgumentParser) -> None:
    actions = feedback.add_subparsers(required=True, metavar="ACTION")

    export = actions.add_parser("export", help="write it as an .npz to train and to judge on")
    export.add_argument("--out", type=Path, required=True, help="the .npz")
    export.add_argument("--labelled-only", action="store_true", help="leave out all else")
    export.set_defaults(run=_feedback_export)

    clients = actions.add_parser(
        "clients", help="how much each client sent, and whose labels contradict the answers"
    )
    clients.set_defaults(run=_feedback_clients)

    purge = actions.add_parser("purge", help="remove it from the database")
    which = purge.add_mutually_exclusive_group(required=True)
    which.add_argument("--before", type=_moment, help="what was answered before")
    which.add_argument("--client", help="what one client sent or labelled, by its name")
    which.add_argument("--all", action="store_true", help="all of it")
    purge.set_defaults(run=_feedback_purge)

    for action in (export, clients):
        action.add_argument("--since", type=_moment, help="leave out what was answered before")
    for action in (export, clients, purge):
        place = action.add_mutually_exclusive_group()
        place.add_argument("--file", type=Path, help="the SQLite file")
        place.add_argument("--url", help="the PostgreSQL database (default: DIGITS_FEEDBACK_URL)")


def _moment(text: str) -> float:
    """Unix time of a date, or of a date and time, in UTC where it says no zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no date; write it as in 2026-01-31 or 2026-01-31T12:00"
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _train(arguments: argparse.Namespace) -> None:
    recipe = load_recipe(arguments.recipe)
    if arguments.seed is not None:
        recipe = dataclasses.replace(recipe, seed=arguments.seed)
    folder = RunFolder(arguments.folder or RUNS / f"{recipe.name}-{recipe.seed}")
    try:
        _train_and_publish(recipe, folder, arguments)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("nothing was published", *resumable(folder)) from None
    except StoreUnusable as error:
        raise TrainingError("; ".join([str(error), *resumable(folder)])) from None


def _train_and_publish(recipe: Recipe, folder: RunFolder, arguments: argparse.Namespace) -> None:
    data = read_data(recipe, arguments.data)
    store = Store(arguments.store)
    store.create()  # before the work, not after it
    began = time.perf_counter()
    artifact = build(
        recipe,
        data,
        teachers=teachers(recipe, data, RUNS, resume=arguments.resume, announce=announce),
        folder=folder,
        resume=arguments.resume,
        open_test=not arguments.without_test,
    )
    seconds = time.perf_counter() - began
    path = store.add(artifact)
    folder.checkpoint.unlink(missing_ok=True)
    report = folder.report if folder.report.exists() else "no report"
    name = "validation" if arguments.without_test else "test"
    print(
        f"{path}\n{artifacts.read(path).digest()}\n{report}\n"
        f"{_summary(artifact, name)}, trained in {seconds:.0f} s"
    )


def _summary(artifact: Artifact, name: str) -> str:
    figures = artifact.evaluation.get(name)
    if figures is None:
        return "nothing was held out and the test set is shut: not evaluated"
    low, high = figures["interval_95"]
    return (
        f"{figures['correct']} of {figures['images']} {name} images right "
        f"({figures['accuracy']:.2%}, 95 % interval {low:.2%} to {high:.2%})"
    )


def _evaluate(arguments: argparse.Namespace) -> None:
    artifact = artifacts.read(arguments.artifact)
    classifier = Classifier(artifact)
    classify = partial(classifier.classify, manner=arguments.normalize)
    if arguments.drawings:
        digits = drawings.read_drawings(drawings.find_drawings())
        print(drawings.to_text(drawings.drawings(classify, digits, judging.SEED)))
    elif arguments.refusals:
        print(judging.refusals(classify, mnist(arguments), arguments.strangers)[0])
    elif arguments.scenes:
        test = mnist(arguments).test
        print(scene_judging.to_text(judging.scenes(classifier, test, arguments.scenes)))
    elif arguments.robustness:
        test = mnist(arguments).test
        print(robustness.to_text(robustness.robustness(classify, test, judging.SEED)))
    else:
        data = mnist(arguments)
        found = examine(artifact.network, artifact.confidence, data.test)
        print(json.dumps(evaluate_test(found, data.test_writers), indent=2))


def _release(arguments: argparse.Namespace) -> None:
    store = Store(arguments.store)
    store.create()
    siblings = [artifacts.read(path) for path in arguments.siblings]
    data, path = mnist(arguments), arguments.artifact
    artifact = judging.judged(
        renewed(path, data) if arguments.renew else artifacts.read(path),
        data,
        siblings,
        drawings.read_drawings(drawings.find_drawings()),
        judging.Sizes(strangers=arguments.strangers),
    )
    print(store.add(artifact))
    print(_summary(artifact, "test"))


def _compare(arguments: argparse.Namespace) -> None:
    first, second = artifacts.read(arguments.first), artifacts.read(arguments.second)
    result = comparison.compare(first, second, mnist(arguments).test)
    print(comparison.to_text(result, str(arguments.first), str(arguments.second)))


def _reproduce(arguments: argparse.Namespace) -> None:
    names, seeds, output = arguments.recipes, arguments.seeds, arguments.output
    try:
        table = reproduction.reproduce(names, seeds, arguments.data, output, arguments.jobs)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"runs that are done are kept in {output}") from None
    print(table, end="")


def _rows(arguments: argparse.Namespace) -> None:
    digits = dataset.kaggle_rows(mnist(arguments), arguments.rows, arguments.seed)
    rows.write_csv(arguments.file, digits)
    print(arguments.file)


def _data(arguments: argparse.Namespace) -> None:
    fetch(arguments.folder, arguments.mirror or MIRRORS)


def _feedback_export(arguments: argparse.Namespace) -> None:
    with closing(_kept(arguments)) as kept:
        chosen = kept.read(arguments.since, labelled_only=arguments.labelled_only)
    chosen.write(arguments.out)
    labelled = int((chosen.labels >= 0).sum())
    print(f"{arguments.out}\n{len(chosen.labels)} images, {labelled} of them labelled")


def _feedback_clients(arguments: argparse.Namespace) -> None:
    with closing(_kept(arguments)) as kept:
        print(kept.read(arguments.since).by_client())


def _feedback_purge(arguments: argparse.Namespace) -> None:
    with closing(_kept(arguments)) as kept:
        print(f"{kept.purge(before=arguments.before, client=arguments.client)} images removed")


def _kept(arguments: argparse.Namespace) -> "Kept":
    with extra("feedback"):
        from training import captures  # noqa: PLC0415 - takes SQLAlchemy, and nothing else does
    if arguments.file is not None:
        return captures.Kept.in_file(arguments.file)
    url = arguments.url or os.environ.get("DIGITS_FEEDBACK_URL")
    if not url:
        raise TrainingError("there is no database to read; say --file or --url")
    return captures.Kept.at(url)


if __name__ == "__main__":
    sys.exit(main())
