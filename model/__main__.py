"""The command line of the model package: ``python -m model --help``."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from model import artifact as artifacts
from model import history
from model.aliases import ALIASES
from model.artifact import Artifact
from model.audit import Finding, audit, check
from model.card import card, to_text
from model.classifier import Classifier
from model.errors import ExportError, InputError, ModelError, StoreUnusable, VersionNotFound
from model.store import RELEASES, Step, Store, locate
from model.text import printable
from model.trust import beside, signature_of, signatures, trust

if TYPE_CHECKING:
    from model.signature import Trust

DEFAULT = "default: DIGITS_MODEL, else the champion of the store"
WHY = "what history is to tell of it"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status, 1 for a model that cannot be used."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
        sys.stdout.flush()
    except ModelError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # who reads has seen enough, such as head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m model", description="Look after models.")
    # A path already: argparse takes a default that it has to convert for an argument given.
    named = Path(os.environ["DIGITS_MODEL"]) if os.environ.get("DIGITS_MODEL") else None
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    listing = commands.add_parser("list", help="the versions of the store")
    listing.set_defaults(run=_list)

    for name, run, summary in (
        ("show", _show, "a model's card: what it is, what it is for and how well it reads"),
        ("verify", _verify, "read a model, check all of it and replay its golden set"),
        ("export", _export, "write a model as ONNX, for other runtimes"),
    ):
        command = commands.add_parser(name, help=summary)
        which = command.add_mutually_exclusive_group()
        which.add_argument("artifact", nargs="?", type=Path, default=named, help=DEFAULT)
        if name == "verify":
            which.add_argument(
                "--all", action="store_true", help="every version and alias of the store instead"
            )
        command.set_defaults(run=run)
    commands.choices["show"].add_argument(
        "--json", action="store_true", help="as JSON, as the service has it at /models/VERSION"
    )
    commands.choices["export"].add_argument(
        "--onnx", type=Path, required=True, metavar="FILE", help="where to write it"
    )

    _add_changes(commands.add_parser)

    seed = commands.add_parser(
        "seed", help="make a model the champion of a store that has none, and else change nothing"
    )
    seed.add_argument(
        "artifact", nargs="?", type=Path, help="default: the champion that is shipped"
    )
    seed.add_argument("--why", metavar="TEXT", help=WHY)
    seed.set_defaults(run=_seed)

    told = commands.add_parser("history", help="who changed the store, when, what and why")
    told.add_argument("--json", action="store_true", help="as a JSON array, oldest first")
    told.set_defaults(run=_history)

    _add_signing(commands.add_parser)

    predict = commands.add_parser("predict", help="read the digits of .npy files")
    predict.add_argument(
        "images", nargs="+", type=Path, help="uint8 arrays, (H, W) or (N, H, W), saved by numpy"
    )
    predict.add_argument("--artifact", type=Path, default=named, help=DEFAULT)
    predict.set_defaults(run=_predict)

    for command in commands.choices.values():
        command.add_argument(
            "--store",
            type=Path,
            default=os.environ.get("DIGITS_STORE") or None,
            help="a directory of versions (default: DIGITS_STORE, else the shipped releases)",
        )
        command.add_argument(
            "--trust",
            default=os.environ.get("DIGITS_MODEL_KEY") or None,
            metavar="KEYS",
            help="public keys of whom models are taken, or a file of them (default: "
            "DIGITS_MODEL_KEY, else models need no signature)",
        )
    return parser


def _add_signing(add: Callable[..., argparse.ArgumentParser]) -> None:
    """The commands of who vouches for models."""
    keygen = add("keygen", help="make a private key, and beside it the public one")
    keygen.add_argument("key", type=Path, metavar="FILE", help="where the private key is written")
    keygen.set_defaults(run=_keygen)

    sign = add("sign", help="vouch for a model: check all of it, and write its signature beside it")
    sign.add_argument("artifact", type=Path)
    sign.add_argument("--key", type=Path, required=True, help="the private key")
    sign.set_defaults(run=_sign)


def _add_changes(add: Callable[..., argparse.ArgumentParser]) -> None:
    """The commands that change a store, each of which can say first what it would do."""
    promote = add("promote", help="make a version of the store the champion")
    promote.add_argument("version", type=int)
    promote.set_defaults(change=lambda store, asked: partial(store.promote, asked.version))

    rollback = add("rollback", help="let champion and previous change places (twice: as it was)")
    rollback.set_defaults(change=lambda store, _: store.rollback)

    challenge = add("challenge", help="make a version the challenger")
    which = challenge.add_mutually_exclusive_group(required=True)
    which.add_argument("version", nargs="?", type=int)
    which.add_argument("--none", action="store_true", help="have no challenger")
    challenge.set_defaults(change=lambda store, asked: partial(store.challenge, asked.version))

    prune = add("prune", help="remove versions that no alias names, oldest first")
    prune.add_argument(
        "--keep", type=_count, required=True, metavar="N", help="how many of them are left"
    )
    prune.set_defaults(change=lambda store, asked: partial(store.prune, asked.keep))

    for command in (promote, rollback, challenge, prune):
        command.add_argument(
            "--dry-run", action="store_true", help="say what it would do, and change nothing"
        )
        command.set_defaults(run=_change)
        command.add_argument("--why", metavar="TEXT", help=WHY)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(sys.maxsize))):
        raise argparse.ArgumentTypeError(f"{text!a} is no count; give 0 or more")
    return int(text)


def _store(arguments: argparse.Namespace) -> Store:
    return Store(arguments.store or RELEASES, trust(arguments.trust))


def _read(arguments: argparse.Namespace) -> tuple[Path, Artifact]:
    path = locate(arguments.artifact, arguments.store)
    return path, artifacts.read(path, trust=trust(arguments.trust))


def _list(arguments: argparse.Namespace) -> None:
    store = _store(arguments)
    aliases = store.aliases()
    if not store.versions():
        raise VersionNotFound(f"{store.root}: has no versions; publish one, or name another store")
    for version in store.versions():
        marks = " ".join(alias for alias, target in aliases.items() if target == version)
        print(f"{version}\t{store.file(version)}\t{marks}".rstrip())


def _show(arguments: argparse.Namespace) -> None:
    _, artifact = _read(arguments)
    shown = card(artifact)
    print(json.dumps(shown, indent=2) if arguments.json else to_text(shown))


def _verify(arguments: argparse.Namespace) -> None:
    if arguments.all:
        store = _store(arguments)
        findings = audit(store)
        for finding in findings:
            print(f"{finding.path}: {_finding(finding, store.trust)}")
        check(store.root, findings)
    else:
        path, artifact = _read(arguments)
        print(f"{path}: {_sound(path, artifact, trust(arguments.trust))}")


def _finding(finding: Finding, trusted: "Trust | None") -> str:
    if isinstance(finding.found, Artifact):
        return _sound(finding.path, finding.found, trusted)
    return f"bad: {finding.found}" if finding.is_bad else finding.found


def _sound(path: Path, artifact: Artifact, trusted: "Trust | None") -> str:
    if trusted is not None:
        signed = f", signed by {trusted.check(path, artifact.digest())}"
    elif beside(path).exists():
        signed = ", with a signature that was not checked: no key is trusted"
    else:
        signed = ""
    return (
        f"sound, {artifact.name} version {artifact.version}, {artifact.digest()}, "
        f"{len(artifact.golden_images)} golden images replayed{signed}"
    )


def _keygen(arguments: argparse.Namespace) -> None:
    public = signatures().generate(arguments.key)
    print(f"DIGITS_MODEL_KEY={public}")


def _sign(arguments: argparse.Namespace) -> None:
    path, artifact = arguments.artifact, artifacts.read(arguments.artifact)
    file = beside(path)
    signature = signatures().sign(arguments.key, artifact.digest())
    try:
        artifacts.write_whole(file, signature)
    except OSError as error:
        raise StoreUnusable(f"{file}: cannot be written ({error.strerror}); mend that") from None
    print(f"{file}: signs {artifact.name} version {artifact.version}, {artifact.digest()}")


def _export(arguments: argparse.Namespace) -> None:
    try:
        from model import export  # noqa: PLC0415 - needs the package onnx, and nothing else does
    except ImportError as error:
        raise ExportError(
            f"writing ONNX takes a package that cannot be imported here ({error}); "
            'install it: pip install "digits[onnx]"'
        ) from None
    _, artifact = _read(arguments)
    size = export.write(arguments.onnx, artifact)
    print(
        f"{arguments.onnx}: ONNX opset {export.OPSET}, {artifact.name} version "
        f"{artifact.version}, {artifact.digest()}, {size} bytes"
    )


def _change(arguments: argparse.Namespace) -> None:
    store = _store(arguments)
    change = arguments.change(store, arguments)
    step: Step = change(why=arguments.why, dry_run=arguments.dry_run)
    _tell(store, step, dry_run=arguments.dry_run)


def _seed(arguments: argparse.Namespace) -> None:
    store, path = _store(arguments), locate(arguments.artifact)
    artifact = artifacts.read(path, trust=store.trust)
    step = store.seed(artifact, signature=signature_of(path), why=arguments.why)
    _tell(store, step, dry_run=False)


def _tell(store: Store, step: Step, *, dry_run: bool) -> None:
    """Say what became another way, or would."""
    moved, gone = ("would be", "would remove") if dry_run else ("is", "removed")
    for alias in ALIASES:
        before, after = step.before.get(alias), step.after.get(alias)
        if before != after:
            print(f"{alias} {moved} {_version(after)}, was {_version(before)}")
    for version in step.removed:
        print(f"{gone} {store.file(version)}")
    if not step.is_needed:
        print("nothing to change")


def _version(number: int | None) -> str:
    return "none" if number is None else f"version {number}"


def _history(arguments: argparse.Namespace) -> None:
    told = history.read(_store(arguments).root)
    if arguments.json:
        print(json.dumps(told.entries, indent=2))
    else:
        for entry in told.entries:
            print("\t".join(_told(entry)).rstrip())
    if told.broken:
        lines, are = ("line", "is") if told.broken == 1 else ("lines", "are")
        print(f"{told.broken} {lines} cannot be read and {are} left out", file=sys.stderr)


def _told(entry: Mapping[str, Any]) -> Iterator[str]:
    """An entry in columns: time, who, command, what moved from where to where, why."""
    for name in ("time", "who", "command"):
        yield printable(str(entry[name]))
    before, after = ("none" if entry[name] is None else entry[name] for name in ("from", "to"))
    yield printable(f"{entry['alias'] or 'version'}: {before} -> {after}")
    yield printable(entry["why"] if isinstance(entry["why"], str) else "")


def _predict(arguments: argparse.Namespace) -> None:
    path = locate(arguments.artifact, arguments.store)
    classifier = Classifier.load(path, trust(arguments.trust))
    for path in arguments.images:
        try:
            predictions = classifier.classify(_images(path))
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        for prediction in predictions:
            refused = f"  refused: {prediction.reason}" if prediction.reason else ""
            print(f"{path}\t{prediction.digit}\t{prediction.confidence:.4f}{refused}")


def _images(path: Path) -> NDArray[Any]:
    """The array (N, H, W) of an .npy file; mapped, so that no header can claim memory."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception:  # noqa: BLE001 - numpy raises whatever an odd header makes it trip over
        array = None
    if not isinstance(array, np.ndarray):
        raise InputError("is not a readable .npy file; save one with numpy.save")
    return array if array.ndim == 3 else array[np.newaxis]  # noqa: PLR2004 - (N, H, W)


if __name__ == "__main__":
    sys.exit(main())
