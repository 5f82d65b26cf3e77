"""The command line of the training package: ``python -m training --help``."""

import argparse
import dataclasses
import json
import os
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

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
    feedback,
    gate,
    judging,
    promotion,
    reproduction,
    robustness,
    rows,
    scene_judging,
)
from training.config import MNIST, Recipe, load_recipe, recipe_names
from training.errors import TrainingError
from training.evaluation import evaluate_test
from training.examination import examine
from training.feedback import Limits
from training.fetch import MIRRORS, fetch
from training.gate import Verdict
from training.release import build
from training.renewal import renewed
from training.retraining import STARTS, Retraining, folder_of, not_learned, recipe_of, retrained
from training.rows import Digits
from training.run_folder import RunFolder
from training.streams import Stream, generator
from training.teachers import teachers

STORE = Path("build/store")
RUNS = Path("build/runs")

RETRAINING, LIMITS = Retraining(), Limits()

INTERRUPTED = 130  # as shells say it: 128 + SIGINT


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status, 1 when it could not be done.

    ``retrain`` and ``gate`` say their verdict by it (``promotion.EXITS``).
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
        type=_count,
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

    again = commands.add_parser(
        "retrain", help="teach the champion what people have sent, and judge what comes of it"
    )
    again.add_argument("new", type=Path, help="an .npz, a CSV, or a folder of images by class")
    again.add_argument(
        "--champion", type=Path, help="whom to teach and to beat (default: the store's, else ours)"
    )
    again.add_argument(
        "--store", type=Path, default=STORE, help=f"where to publish (default: {STORE})"
    )
    again.add_argument(
        "--start",
        choices=STARTS,
        default=RETRAINING.start,
        help="with the champion's parameters, or by its recipe anew (default: %(default)s)",
    )
    again.add_argument(
        "--client-images",
        type=_count,
        default=LIMITS.client_images,
        help="most images one client may contribute (default: %(default)s)",
    )
    again.add_argument(
        "--client-share",
        type=_share,
        default=LIMITS.client_share,
        help="most of all new images one client may contribute, 0-1 (default: %(default)s)",
    )
    again.add_argument(
        "--held-out",
        type=_share,
        default=LIMITS.held_out,
        help="share of the clients that judge and do not teach, 0-1 (default: %(default)s)",
    )
    again.add_argument(
        "--resume", action="store_true", help="go on from the last checkpoint, if there is one"
    )
    again.add_argument(
        "--promote", action="store_true", help="where that is the verdict, move the store's alias"
    )
    again.set_defaults(run=_retrain)

    gating = commands.add_parser("gate", help="judge one artifact as another's successor")
    gating.add_argument("candidate", type=Path)
    gating.add_argument("--champion", type=Path, required=True, help="the artifact to be succeeded")
    gating.add_argument(
        "--new",
        type=Path,
        help="new images as for retrain, of which those count it has not learned",
    )
    gating.add_argument(
        "--report", type=Path, metavar="FOLDER", help="where gate.html, .txt and .json go"
    )
    gating.set_defaults(run=_gate)

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

    for command in (evaluation, release):
        command.add_argument(
            "--strangers",
            type=_count,
            default=judging.STRANGERS,
            help=f"images of each kind that is not one digit (default: {judging.STRANGERS})",
        )
    for command in (again, gating):
        command.add_argument(
            "--without-drawings",
            action="store_true",
            help="judge without the drawings, where there are none",
        )
    for command in (train, evaluation, release, compare, again, gating, reproduce, csv):
        command.add_argument(
            "--data", type=Path, help="MNIST's folder (default: DIGITS_DATA, else data/)"
        )
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1")
    return int(text)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share above 0, at most 1")
    return share


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
    artifact = build(
        recipe,
        data,
        teachers=teachers(recipe, data, RUNS, resume=arguments.resume, announce=_announce),
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


def _announce(text: str) -> None:
    print(text, file=sys.stderr)  # stdout is for what came of it


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
        print(judging.refusals(classify, _mnist(arguments), arguments.strangers)[0])
    elif arguments.scenes:
        test = _mnist(arguments).test
        print(scene_judging.to_text(judging.scenes(classifier, test, arguments.scenes)))
    elif arguments.robustness:
        test = _mnist(arguments).test
        print(robustness.to_text(robustness.robustness(classify, test, judging.SEED)))
    else:
        data = _mnist(arguments)
        found = examine(artifact.network, artifact.confidence, data.test)
        print(json.dumps(evaluate_test(found, data.test_writers), indent=2))


def _release(arguments: argparse.Namespace) -> None:
    store = Store(arguments.store)
    store.create()
    siblings = [artifacts.read(path) for path in arguments.siblings]
    data, path = _mnist(arguments), arguments.artifact
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
    result = comparison.compare(first, second, _mnist(arguments).test)
    print(comparison.to_text(result, str(arguments.first), str(arguments.second)))


def _retrain(arguments: argparse.Namespace) -> int:
    store = Store(arguments.store)
    store.create()  # before the work, not after it
    champion, was = promotion.champion_of(store)
    if arguments.champion:
        champion = artifacts.read(arguments.champion)
    limits = Limits(arguments.client_images, arguments.client_share, arguments.held_out)
    config = Retraining(start=arguments.start, limits=limits)
    drawn, data, sent = _drawn(arguments), _mnist(arguments), feedback.read(arguments.new)
    folder = folder_of(recipe_of(champion, config), RUNS)
    try:
        candidate, screening = retrained(
            champion, data, sent, config, RUNS, announce=_announce, resume=arguments.resume
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt("nothing was published", *_resumable(folder)) from None
    judged = promotion.judged(champion, candidate, data, drawn, new=screening.held_out)
    verdict = judged.judgement.verdict
    report = promotion.write_reports(folder.path, judged, screening.to_json())
    if verdict is Verdict.REJECT:
        path = folder.path / "rejected.npz"
        artifacts.write(path, judged.candidate)
    else:
        path = store.add(judged.candidate)
    folder.checkpoint.unlink(missing_ok=True)
    print(screening.to_text(), gate.to_text(judged.judgement), path, report, sep="\n\n")
    if verdict is Verdict.PROMOTE and arguments.promote:
        print(f"the champion is version {promotion.promote(store, path, champion, was)} now")
    return promotion.EXITS[verdict]


def _gate(arguments: argparse.Namespace) -> int:
    candidate, champion = artifacts.read(arguments.candidate), artifacts.read(arguments.champion)
    drawn, data = _drawn(arguments), _mnist(arguments)
    new = None
    if arguments.new:
        new = not_learned(candidate, data, feedback.read(arguments.new))
    judged = promotion.judged(champion, candidate, data, drawn, new=new)
    print(gate.to_text(judged.judgement))
    if arguments.report:
        print(promotion.write_reports(arguments.report, judged, {}))
    return promotion.EXITS[judged.judgement.verdict]


def _drawn(arguments: argparse.Namespace) -> Digits | None:
    if arguments.without_drawings:
        return None
    return drawings.read_drawings(drawings.find_drawings())


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
