"""One run of a sweep in a process of its own, wherever it is sent: ``python -m training.errand``.

A worker of a cluster runs many things in threads of one process, which would share the settings
of BLAS. A run is to be what ``python -m training train`` is, to the byte, so it gets
a process as that has. What it reads and leaves is a folder; it ends when its worker does.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from model import artifact as artifacts
from model.errors import ModelError
from training import dataset
from training.arguments import read_data
from training.config import Recipe
from training.environment import ROOT, source_revision
from training.errors import DataError, TrainingError
from training.release import build
from training.run_folder import RunFolder

ORDER, ARTIFACT, LOG = "order.json", "artifact.npz", "log"
KEPT = (ARTIFACT, "journal.jsonl", "report.html")  # what comes back

LOOK = 0.2  # seconds between looks at whether the run is still wanted


@dataclass(frozen=True)
class Errand:
    """A run to be made: of which recipe, on which data, by which code.

    data: digests of what the sweep is about, by name. code: as ``code`` tells it.
    """

    recipe: Recipe
    data: Mapping[str, str]
    code: Mapping[str, str]
    open_test: bool


@dataclass(frozen=True)
class Outcome:
    """What came of an errand: the files that a run leaves, or why there are none."""

    files: Mapping[str, bytes]
    failure: str = ""


def code() -> dict[str, str]:
    """What this source is: its revision, and a digest of the files themselves."""
    digest = hashlib.sha256()
    for path in sorted(p for package in ("model", "training") for p in _sources(package)):
        digest.update(f"{path.relative_to(ROOT).as_posix()} {path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    return {"source_revision": source_revision(), "source_files": digest.hexdigest()}


def check_code(theirs: Mapping[str, str]) -> None:
    """Raise TrainingError unless this machine has the code that the sweep was begun with."""
    ours = code()
    if ours == theirs:
        return
    here, there = ours["source_revision"], theirs["source_revision"]
    if here == there:
        here += ", with other changes"
    raise TrainingError(
        f"the worker has another version of the code (source_revision {here}) than this sweep "
        f"({there}); bring it to the same commit, and start it again"
    )


def carry_out(
    errand: Errand, teachers: Sequence[bytes], wanted: Callable[[], bool] = lambda: True
) -> Outcome:
    """Make the run in a process of its own; that ends when it is not ``wanted`` any more."""
    with tempfile.TemporaryDirectory(prefix="digits-run-") as name:
        folder = Path(name)
        order = {
            "recipe": errand.recipe.to_json(),
            "data": dict(errand.data),
            "code": dict(errand.code),
            "open_test": errand.open_test,
            "teachers": len(teachers),
        }
        (folder / ORDER).write_text(json.dumps(order), "utf-8")
        for number, teacher in enumerate(teachers):
            _teacher(folder, number).write_bytes(teacher)
        status = _run(folder, wanted)
        if status:
            return Outcome({}, _failure(status, (folder / LOG).read_text("utf-8", "replace")))
        return Outcome({path.name: path.read_bytes() for path in map(folder.joinpath, KEPT)})


def _run(folder: Path, wanted: Callable[[], bool]) -> int:
    """The exit status of the run's process."""
    command = [sys.executable, "-m", "training.errand", str(folder)]
    environ = dict(os.environ)
    environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), environ.get("PYTHONPATH"))))
    with (
        (folder / LOG).open("wb") as log,
        subprocess.Popen(  # nosec B603  # noqa: S603 - this Python and this module
            command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environ
        ) as process,
    ):
        try:
            while True:
                try:
                    return process.wait(LOOK)
                except subprocess.TimeoutExpired:
                    if not wanted():
                        process.kill()
        except BaseException:
            process.kill()
            raise


def _failure(status: int, log: str) -> str:
    if status < 0:
        return (
            f"its process was killed by signal {-status}, perhaps for want of memory; run it "
            "again with fewer --workers"
        )
    [last] = log.splitlines()[-1:] or [f"it ended with status {status}"]
    return last.removeprefix("error: ")


def _sources(package: str) -> list[Path]:
    folder = ROOT / package
    return [*folder.rglob("*.py"), *folder.rglob("*.toml")]


def _teacher(folder: Path, number: int) -> Path:
    return folder / f"teacher-{number}.npz"


# -- the process of the run ---------------------------------------------------


def main(folder: Path) -> int:
    """Do what the folder's order says; returns the exit status."""
    threading.Thread(target=_end_with_worker, daemon=True).start()
    order = json.loads((folder / ORDER).read_text("utf-8"))
    try:
        check_code(order["code"])
        recipe = Recipe.from_json(order["recipe"])
        data = read_data(recipe, None)
        _check_data(order["data"], data)
        artifact = build(
            recipe,
            data,
            teachers=[artifacts.read(_teacher(folder, n)) for n in range(order["teachers"])],
            folder=RunFolder(folder),
            open_test=order["open_test"],
        )
        artifacts.write_whole(folder / ARTIFACT, artifacts.encode(artifact))
    except (TrainingError, ModelError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - the end of its log
        return 1
    return 0


def _check_data(theirs: Mapping[str, str], data: dataset.Mnist) -> None:
    names = sorted(theirs.keys() | data.digests.keys())
    other = [name for name in names if theirs.get(name) != data.digests.get(name)]
    if other:
        raise DataError(
            f"the worker has other data than this sweep ({', '.join(other)}); put the same files "
            "where its DIGITS_DATA says"
        )


def _end_with_worker() -> None:
    """A worker that ends, however it does, leaves a pipe without a writer."""
    os.read(sys.stdin.fileno(), 1)  # not by sys.stdin, whose lock would hold up our own end
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
