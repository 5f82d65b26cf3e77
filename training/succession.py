"""The commands ``retrain`` and ``gate``: who may succeed the champion."""

import argparse
import os
from pathlib import Path

from model import artifact as artifacts
from model.store import Store
from model.trust import trust
from training import drawings, feedback, gate, promotion
from training.arguments import RUNS, STORE, announce, count, mnist, resumable, share
from training.errors import DataError
from training.feedback import Limits, Screened
from training.gate import Verdict
from training.retraining import STARTS, Retraining, not_learned, recipe_of, retrained
from training.rows import Digits
from training.run_folder import RunFolder
from training.standing import SIZES, Sizes
from training.teachers import teachers

# What a scheduler is told; 1 is what could not be done, 2 a wrong command line.
EXITS = {Verdict.PROMOTE: 0, Verdict.KEEP: 3, Verdict.REJECT: 4}
MEANING = "exit status: 0 promote, 3 keep, 4 reject, 1 it could not be done"

RETRAINING, LIMITS = Retraining(), Limits()


def add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> list[argparse.ArgumentParser]:
    """Add both commands; returns their parsers."""
    parsers = [_add_retrain(commands), _add_gate(commands)]
    for parser in parsers:
        parser.add_argument(
            "--champion", type=Path, help="whom to beat (default: the store's, else the released)"
        )
        parser.add_argument(
            "--store", type=Path, default=STORE, help="of the champion (default: %(default)s)"
        )
        parser.add_argument(
            "--without-drawings",
            action="store_true",
            help="judge without the drawings, where there are none",
        )
        parser.add_argument(
            "--strangers",
            type=count,
            default=SIZES.strangers,
            help="images of each kind that is not one digit (default: %(default)s)",
        )
    return parsers


def _add_retrain(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "retrain",
        help="teach the champion what people have sent, and judge what comes of it",
        epilog=MEANING,
    )
    parser.add_argument("new", type=Path, help="an .npz, a CSV, or a folder of images by class")
    parser.add_argument(
        "--run",
        type=Path,
        dest="folder",
        help=f"where checkpoint, journal and reports go (default: {RUNS}/retrain-NAME-SEED)",
    )
    parser.add_argument(
        "--start",
        choices=STARTS,
        default=RETRAINING.start,
        help="with the champion's parameters, or by its recipe anew (default: %(default)s)",
    )
    parser.add_argument(
        "--client-images",
        type=count,
        default=LIMITS.client_images,
        help="most images that one client may contribute (default: %(default)s)",
    )
    parser.add_argument(
        "--client-share",
        type=share,
        default=LIMITS.client_share,
        help="most of all new images that one client may contribute (default: %(default)s)",
    )
    parser.add_argument(
        "--held-out",
        type=share,
        default=LIMITS.held_out,
        help="share of the clients whose images judge and do not teach (default: %(default)s)",
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on from the last checkpoint, if there is one"
    )
    parser.add_argument(
        "--promote", action="store_true", help="where that is the verdict, move the store's alias"
    )
    parser.set_defaults(run=_retrain)
    return parser


def _add_gate(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "gate", help="judge one artifact as another's successor", epilog=MEANING
    )
    parser.add_argument("candidate", type=Path)
    parser.add_argument(
        "--new", type=Path, help="new images as for retrain; those it has not learned count"
    )
    parser.add_argument(
        "--report", type=Path, metavar="FOLDER", help="where gate.html, .txt and .json go"
    )
    parser.set_defaults(run=_gate)
    return parser


def _store(arguments: argparse.Namespace) -> Store:
    """The store that is named, with the keys that the service and ``python -m model`` trust."""
    return Store(arguments.store, trust(os.environ.get("DIGITS_MODEL_KEY")))


def _retrain(arguments: argparse.Namespace) -> int:
    store = _store(arguments)
    store.create()  # before the work, not after it
    rival = promotion.rival(store, arguments.champion, to_promote=arguments.promote)
    champion = rival.artifact
    limits = Limits(arguments.client_images, arguments.client_share, arguments.held_out)
    config = Retraining(start=arguments.start, limits=limits)
    drawn, data, sent = _drawn(arguments), mnist(arguments), feedback.read(arguments.new)
    recipe = recipe_of(champion, config)
    folder = RunFolder(arguments.folder or RUNS / f"retrain-{recipe.name}-{recipe.seed}")
    try:
        candidate, screening = retrained(
            champion,
            data,
            sent,
            config,
            teachers=teachers(recipe, data, RUNS, resume=arguments.resume, announce=announce),
            folder=folder,
            resume=arguments.resume,
        )
        judged = promotion.judged(
            champion, candidate, data, drawn, new=screening.held_out, sizes=_sizes(arguments)
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt("nothing was published", *resumable(folder)) from None
    path = _kept(judged, store, folder.path)
    report = promotion.write_reports(folder.path, judged, screening.to_json())
    folder.checkpoint.unlink(missing_ok=True)
    _say(screening, judged, path, report)
    verdict = judged.judgement.verdict
    if verdict is Verdict.PROMOTE and arguments.promote:
        why = f"retrained; better on {' and '.join(judged.judgement.better_on)}"
        version = promotion.promote(store, path, rival, why)
        print(f"the champion is version {version} now")  # noqa: T201 - a command's answer
    return EXITS[verdict]


def _kept(judged: promotion.Judged, store: Store, folder: Path) -> Path:
    """Where the candidate is put: in the store, but for one that was rejected."""
    if judged.judgement.verdict is not Verdict.REJECT:
        return store.add(judged.candidate)
    path = folder / "rejected.npz"
    artifacts.write(path, judged.candidate)
    return path


def _say(screening: Screened, judged: promotion.Judged, path: Path, report: Path) -> None:
    text = gate.to_text(judged.judgement)
    print(f"{screening.to_text()}\n\n{text}\n{path}\n{report}")  # noqa: T201 - a command's answer


def _gate(arguments: argparse.Namespace) -> int:
    candidate = artifacts.read(arguments.candidate)
    rival = promotion.rival(_store(arguments), arguments.champion, to_promote=False)
    drawn, data = _drawn(arguments), mnist(arguments)
    new: Digits | None = None
    if arguments.new:
        new = not_learned(candidate, data, feedback.read(arguments.new))
    sizes = _sizes(arguments)
    judged = promotion.judged(rival.artifact, candidate, data, drawn, new=new, sizes=sizes)
    print(gate.to_text(judged.judgement))  # noqa: T201 - a command's answer
    if arguments.report:
        print(promotion.write_reports(arguments.report, judged, {}))  # noqa: T201 - the same
    return EXITS[judged.judgement.verdict]


def _sizes(arguments: argparse.Namespace) -> Sizes:
    return Sizes(strangers=arguments.strangers)


def _drawn(arguments: argparse.Namespace) -> Digits | None:
    if arguments.without_drawings:
        return None
    try:
        return drawings.read_drawings(drawings.find_drawings())
    except DataError as error:
        raise DataError(f"{error}, or judge --without-drawings") from None
