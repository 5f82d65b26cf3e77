"""The command ``sweep``: recipes, settings and seeds, run on a cluster, each of them once."""

import argparse
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

from tqdm import tqdm

from model import artifact as artifacts
from model.artifact import write_whole
from model.errors import ArtifactError
from training import errand, grid, sweep_report
from training.arguments import announce, count, extra, read_data
from training.config import Distillation, Recipe, recipe_names
from training.errand import ARTIFACT, KEPT, Errand, Outcome
from training.errors import TrainingError
from training.grid import Candidate
from training.release import teacher_digests
from training.sweep_report import Entry, Run, ranked
from training.teachers import recipes_of

OUTPUT = Path("build/sweep")
SEEDS = 5
ADDRESS = re.compile(r"(tcp|tls)://[^/]+:\d+")
BAR = "{desc}  {percentage:3.0f}%|{bar}| {remaining} left"


@dataclass(frozen=True)
class Work:
    """A run, what a person calls it, and its folder.

    teachers: whom it learns from, those that are yet to be trained by the name of their work.
    """

    label: str
    folder: Path
    errand: Errand
    teachers: Sequence[Outcome | str] = ()


def add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> argparse.ArgumentParser:
    """Add the command; returns its parser."""
    parser = commands.add_parser(
        "sweep", help="run recipes with many seeds and settings, on a cluster"
    )
    parser.add_argument(
        "recipes", nargs="+", help=f"names ({', '.join(recipe_names())}) or TOML files"
    )
    parser.add_argument(
        "--seeds",
        type=_seeds,
        default=tuple(range(SEEDS)),
        metavar="N or S,S",
        help=f"how many, from 0, or which: '7,' is one (default: {SEEDS})",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="varied",
        metavar="FIELD=V,V",
        help="a field of the recipes and the values to try; several make a grid",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--workers",
        type=count,
        help="processes on this machine, one run at a time each (default: one a processor)",
    )
    where.add_argument(
        "--scheduler",
        type=_address,
        metavar="ADDRESS",
        help="a Dask scheduler's: tcp://host:8786 or tls://host:8786",
    )
    parser.add_argument(
        "--output", type=Path, default=OUTPUT, help="where all of it goes (default: %(default)s)"
    )
    parser.add_argument(
        "--open-test",
        action="store_true",
        help="read the test set, too: to report figures, not to choose by them",
    )
    parser.set_defaults(run=_sweep)
    return parser


def _seeds(text: str) -> tuple[int, ...]:
    """``5`` is how many, from 0; ``3,7`` and ``3,`` are which."""
    numbers = text.removesuffix(",").split(",")
    if not all(number.isdecimal() for number in numbers):
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a number of seeds nor a list of them"
        )
    if "," in text:
        return tuple(dict.fromkeys(map(int, numbers)))
    return tuple(range(count(text)))


def _address(text: str) -> str:
    if not ADDRESS.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no address; write tcp://host:8786")
    return text


def _sweep(arguments: argparse.Namespace) -> None:
    grids = [grid.varied(text) for text in arguments.varied]
    candidates = grid.candidates(arguments.recipes, grids)
    works = _works(candidates, arguments)
    found = _found(works)
    failures: Mapping[str, str] = {}
    if len(found) < len(works):
        try:
            failures = _run_all(works, found, arguments)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"runs that are done are kept in {arguments.output}, and the same command goes on"
            ) from None
    _report(candidates, failures, arguments)
    if failures:
        raise TrainingError(
            f"{len(failures)} of {len(works)} runs failed, for reasons that are above and in "
            f"{arguments.output / 'report.html'}; the same command runs them again"
        )


def _report(
    candidates: Sequence[Candidate], failures: Mapping[str, str], arguments: argparse.Namespace
) -> None:
    output, open_test = arguments.output, arguments.open_test
    entries = ranked([_entry(one, arguments.seeds, failures, output) for one in candidates])
    table = sweep_report.markdown(entries, open_test=open_test)
    page = sweep_report.report(entries, open_test=open_test)
    write_whole(output / "table.md", table.encode())
    write_whole(output / "sweep.json", sweep_report.document(entries).encode())
    write_whole(output / "report.html", page.encode())
    print(table, end="")  # noqa: T201 - for a command line


def _entry(
    candidate: Candidate, seeds: Sequence[int], failures: Mapping[str, str], output: Path
) -> Entry:
    runs, failed = [], {}
    for seed in seeds:
        folder = _folder(output / "runs", candidate.run(seed))
        if str(folder) in failures:
            failed[seed] = failures[str(folder)]
            continue
        place = folder / ARTIFACT
        seconds = _seconds(folder)
        runs.append(Run(seed, artifacts.read(place), place.relative_to(output).as_posix(), seconds))
    return Entry(candidate.recipe.name, candidate.settings, runs, failed)


def _seconds(folder: Path) -> float:
    """What its journal says of all epochs."""
    lines = (folder / "journal.jsonl").read_text("utf-8").splitlines()
    return float(sum(json.loads(line)["seconds"] for line in lines))


# -- what there is to do ------------------------------------------------------


def _works(candidates: Sequence[grid.Candidate], arguments: argparse.Namespace) -> dict[str, Work]:
    """All runs by name, teachers before who learns from them; raises TrainingError."""
    output, code = arguments.output, errand.code()

    @cache
    def digests(source: str) -> Mapping[str, str]:
        recipe = next(one.recipe for one in candidates if one.recipe.data.source == source)
        return read_data(recipe, arguments.data).digests

    works: dict[str, Work] = {}
    for candidate in candidates:
        data = digests(candidate.recipe.data.source)
        teachers = _teachers(candidate.recipe, output, data, code)
        works |= {teacher: work for teacher, work in teachers if isinstance(work, Work)}
        taught_by = [name if isinstance(work, Work) else work for name, work in teachers]
        for seed in arguments.seeds:
            recipe = candidate.run(seed)
            folder = _folder(output / "runs", recipe)
            label = f"{candidate.label}, seed {seed}"
            order = Errand(recipe, data, code, arguments.open_test)
            works[str(folder)] = Work(label, folder, order, taught_by)
    return works


def _teachers(
    recipe: Recipe, output: Path, data: Mapping[str, str], code: Mapping[str, str]
) -> list[tuple[str, Work | Outcome]]:
    """Whom a recipe learns from: an artifact that is there, or runs of their own, by name."""
    loss = recipe.loss
    if not isinstance(loss, Distillation):
        return []
    if loss.from_artifact:
        content = artifacts.encode(artifacts.read(Path(loss.teacher)))
        return [(loss.teacher, Outcome({ARTIFACT: content}))]
    works: list[tuple[str, Work | Outcome]] = []
    for one in recipes_of(loss):
        folder = _folder(output / "teachers", one)
        order = Errand(one, data, code, open_test=False)
        works.append((str(folder), Work(f"{one.name}, teacher {one.seed}", folder, order)))
    return works


def _found(works: Mapping[str, Work]) -> dict[str, Outcome]:
    """What an earlier call has left of them: of the same recipe, data and teachers."""
    found: dict[str, Outcome] = {}
    for name, work in works.items():
        teachers = [found.get(one) if isinstance(one, str) else one for one in work.teachers]
        known = [one for one in teachers if one is not None]
        try:
            artifact = artifacts.read(work.folder / ARTIFACT)
            taught = teacher_digests([artifacts.decode(one.files[ARTIFACT]) for one in known])
            files = {file: (work.folder / file).read_bytes() for file in KEPT}
        except (ArtifactError, OSError):
            continue
        made, order = artifact.training, work.errand
        if (
            len(known) == len(teachers)
            and made.get("recipe") == order.recipe.to_json()
            and made.get("data") == {**order.data, **taught}
            and ("test" in artifact.evaluation) == order.open_test
        ):
            found[name] = Outcome(files)
    return found


def _folder(place: Path, recipe: Recipe) -> Path:
    return place / grid.run_name(recipe)


# -- the runs -----------------------------------------------------------------


def _run_all(
    works: Mapping[str, Work], found: Mapping[str, Outcome], arguments: argparse.Namespace
) -> dict[str, str]:
    """Run what is not found, each into its folder; returns the reasons of those that failed."""
    with extra("sweep"):
        from training import cluster  # noqa: PLC0415 - takes Dask, and nothing else does
    tasks = {
        name: cluster.Task(
            work.errand,
            [found.get(one, one) if isinstance(one, str) else one for one in work.teachers],
        )
        for name, work in works.items()
        if name not in found
    }
    if arguments.scheduler:
        place = cluster.remote(arguments.scheduler)
    else:
        workers = arguments.workers or os.cpu_count() or 1
        place = cluster.local(min(workers, len(tasks)), arguments.data)
    failures: dict[str, str] = {}
    with place as client:
        if not cluster.check_workers(client):
            announce(f"{arguments.scheduler} has no worker yet: this waits for the first")
        with Watch(len(works), len(found)) as watch:
            for event in cluster.events(client, tasks):
                work = works[event.name]
                if isinstance(event, cluster.Began):
                    watch.began(event.name, work.label)
                    continue
                if event.outcome.failure:
                    failures[event.name] = event.outcome.failure
                else:
                    _keep(work, event.outcome)
                watch.ended(event.name, work.label, event.outcome.failure)
    return failures


def _keep(work: Work, outcome: Outcome) -> None:
    """The artifact comes last: where it is, all is."""
    try:
        work.folder.mkdir(parents=True, exist_ok=True)
        for file in reversed(KEPT):
            write_whole(work.folder / file, outcome.files[file])
    except OSError as error:
        raise TrainingError(
            f"{error.filename}: cannot be written ({error.strerror}); mend that, and the same "
            "command goes on"
        ) from None


class Watch:
    """Runs done, running and failed, and the time left: a bar on a terminal, lines elsewhere."""

    def __init__(self, runs: int, done: int) -> None:
        self._done, self._failed = done, 0
        self._running: set[str] = set()
        self._bar = tqdm(total=runs, initial=done, unit="run", bar_format=BAR, disable=None)
        self._describe()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Take the bar away."""
        self._bar.close()

    def began(self, name: str, label: str) -> None:
        """A worker has taken it up."""
        if name in self._running:
            self._bar.write(f"{label}: its worker was lost; begun again", file=sys.stderr)
        self._running.add(name)
        self._describe()

    def ended(self, name: str, label: str, failure: str) -> None:
        """It is done, or has failed."""
        self._running.discard(name)
        if failure:
            self._failed += 1
            self._bar.write(f"{label}: failed: {failure}", file=sys.stderr)
        else:
            self._done += 1
            if self._bar.disable:  # not on a terminal
                self._bar.write(f"{label}: done", file=sys.stderr)
        self._describe()
        self._bar.update()

    def _describe(self) -> None:
        parts = [f"{self._done} done", f"{len(self._running)} running"]
        if self._failed:
            parts.append(f"{self._failed} failed")
        self._bar.set_description_str(", ".join(parts))
