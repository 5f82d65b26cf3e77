"""The published from-scratch networks, run again: their figures beside ours."""

import dataclasses
import json
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import TypeAlias

from threadpoolctl import threadpool_limits
from tqdm import tqdm

from model.architecture import FRAME_SIDE
from model.artifact import write_whole
from training import dataset, page, pictures, rows
from training.axes import Axis
from training.config import MNIST, Recipe, load_recipe
from training.environment import machine, peak_memory
from training.errors import RecipeError, TrainingError
from training.examination import accuracy, all_logits
from training.interrupts import interrupts_held
from training.pictures import Series
from training.streams import Stream, generator
from training.trainer import train

ROWS, ROWS_SEED = 42_000, 1  # of the CSV that stands in for Kaggle's

MIB = 2**20
FLOAT_BYTES = 4


@dataclass(frozen=True)
class Published:
    """What an author says of a network: accuracies of 0-1, None where nothing is said."""

    training: float | None = None
    test: float | None = None
    loss: float | None = None


# By recipe. A figure that is the last one of a run is compared with the last one of ours.
PUBLISHED: Mapping[str, Published] = {
    "batch-gd": Published(training=0.757),
    "batch-gd-longer": Published(training=0.757),
    "batch-gd-10": Published(training=0.757),
    "batch-gd-10-longer": Published(training=0.757),
    "l-layer-sgd": Published(test=0.92),
    "l-layer-adam": Published(test=0.9786),
    "sigmoid-16-16": Published(training=0.8722, test=0.8565, loss=0.44),
    "tiny-nn": Published(training=0.9778, test=0.9691, loss=0.0787),
    "tiny-nn-faster": Published(training=0.9778, test=0.9691, loss=0.0787),
    "one-hidden": Published(training=0.9915, test=0.9065),
    "one-hidden-summed": Published(training=0.9915, test=0.9065),
}


@dataclass(frozen=True)
class Outcome:
    """One run. training, test: accuracies of the final network. losses, accuracies: of each
    epoch, as it was trained. seconds: of training alone. memory: peak of the process, bytes.
    """

    training: float
    test: float
    losses: list[float]
    accuracies: list[float]
    images: int
    seconds: float
    memory: int

    @property
    def memory_share(self) -> float:
        """Peak memory over that of the training images as float32."""
        return self.memory / (self.images * FRAME_SIDE**2 * FLOAT_BYTES)


# The runs of each recipe, by name, in the order of their seeds.
Outcomes: TypeAlias = dict[str, list[Outcome]]


def reproduce(
    names: Sequence[str], seeds: int, folder: Path | None, output: Path, jobs: int = 1
) -> str:
    """Run each recipe with seeds 1, 2, ...; returns the table, which is also in ``output``.

    folder: of MNIST. Every run has a process of its own, ``jobs`` at a time, which
    keeps its memory apart; one that is in ``output`` from an earlier call is not
    run again. Raises TrainingError.
    """
    recipes = {name: load_recipe(name) for name in names or PUBLISHED}
    for name in recipes.keys() - PUBLISHED.keys():
        raise RecipeError(f"{name}: nothing is published of it; choose from {', '.join(PUBLISHED)}")
    folder = folder or dataset.find_folder()
    output.mkdir(parents=True, exist_ok=True)
    for source in sorted({recipe.data.source for recipe in recipes.values()} - {MNIST}):
        if not (output / source).exists():
            mnist = dataset.load_mnist(folder)
            rows.write_csv(output / source, dataset.kaggle_rows(mnist, ROWS, ROWS_SEED))
    outcomes = _outcomes(list(recipes.values()), range(1, seeds + 1), folder, output, jobs)
    table = markdown(outcomes)
    write_whole(output / "table.md", table.encode())
    write_whole(output / "report.html", report(outcomes).encode())
    return table


def _outcomes(
    recipes: Sequence[Recipe], seeds: Sequence[int], folder: Path, output: Path, jobs: int
) -> Outcomes:
    """The runs of each recipe, each kept in a file of ``output`` as soon as it is done."""
    runs = [dataclasses.replace(recipe, seed=seed) for recipe in recipes for seed in seeds]
    outcomes = {run: kept for run in runs if (kept := _kept(output, run))}
    missing = [run for run in runs if run not in outcomes]
    with (
        tqdm(total=len(runs), initial=len(outcomes), unit="run", disable=None) as bar,
        _workers(jobs) as pool,
    ):
        with interrupts_held():
            futures = {pool.submit(run_once, run, folder, output): run for run in missing}
        for future in as_completed(futures):
            run, outcome = futures[future], future.result()
            outcomes[run] = outcome
            document = {"recipe": run.to_json(), "outcome": dataclasses.asdict(outcome)}
            write_whole(_file(output, run), json.dumps(document).encode())
            line = f"{run.name}, seed {run.seed}: {outcome.test:.2%} in {outcome.seconds:.0f} s"
            bar.set_postfix_str(line)
            bar.update()
            if bar.disable:  # not on a terminal
                bar.write(line, file=sys.stderr)
    return {
        recipe.name: [outcomes[dataclasses.replace(recipe, seed=seed)] for seed in seeds]
        for recipe in recipes
    }


@contextmanager
def _workers(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """A process for each run, so many at a time; where one fails, the others are ended."""
    spawn = get_context("spawn")  # a fork would count this process's memory as its own
    pool = ProcessPoolExecutor(jobs, mp_context=spawn, max_tasks_per_child=1)
    try:
        yield pool
    except BaseException as error:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in active_children():
            process.kill()
        if isinstance(error, BrokenProcessPool):
            raise TrainingError(
                "the process of a run was killed, perhaps for want of memory; run it again with "
                "fewer --jobs: runs that are done are kept"
            ) from None
        raise
    finally:
        pool.shutdown()


def _file(output: Path, run: Recipe) -> Path:
    return output / f"{run.name}-{run.seed}.json"


def _kept(output: Path, run: Recipe) -> Outcome | None:
    """What an earlier call found for the same recipe, if it did."""
    try:
        document = json.loads(_file(output, run).read_bytes())
        return Outcome(**document["outcome"]) if document["recipe"] == run.to_json() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def run_once(recipe: Recipe, folder: Path, output: Path) -> Outcome:
    """Train one recipe, in this process; a CSV that it names is the one in ``output``."""
    config = recipe.data
    if config.source != MNIST:
        config = dataclasses.replace(config, source=str(output / config.source))
    data = dataset.load(config, folder, generator(recipe.seed, Stream.ROWS))
    rng = generator(recipe.seed, Stream.SPLIT)
    digits, validation, _ = dataset.split(data, recipe.data.validation_fraction, rng)
    began = time.perf_counter()
    with threadpool_limits(recipe.blas_threads, user_api="blas"):
        network, history = train(recipe, digits, validation)
        seconds = time.perf_counter() - began
        training, test = (
            accuracy(all_logits(network, part.images), part.labels) for part in (digits, data.test)
        )
    return Outcome(
        training=training,
        test=test,
        losses=[epoch.loss for epoch in history],
        accuracies=[epoch.accuracy for epoch in history],
        images=len(digits),
        seconds=seconds,
        memory=peak_memory(),
    )


# -- the table and the report -------------------------------------------------

HEADS = (
    "recipe",
    "training",
    "published",
    "test",
    "published",
    "loss",
    "published",
    "reached",
    "time",
    "peak memory",
    "of the images as float32",
)


def markdown(outcomes: Outcomes) -> str:
    """Means and standard deviations beside the published figures, as a Markdown table."""
    lines = [HEADS, ("---",) * len(HEADS), *table_rows(outcomes)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def table_rows(outcomes: Outcomes) -> list[tuple[str, ...]]:
    """One row a recipe, in the order of HEADS; memory is the highest peak of its runs."""
    table: list[tuple[str, ...]] = []
    for name, runs in outcomes.items():
        published = PUBLISHED[name]
        table.append(
            (
                name,
                _spread([run.training for run in runs], "{:.2%}"),
                _said(published.training, "{:.2%}"),
                _spread([run.test for run in runs], "{:.2%}"),
                _said(published.test, "{:.2%}"),
                _spread([run.losses[-1] for run in runs], "{:.3f}"),
                _said(published.loss, "{:.3f}"),
                "yes" if reached(published, runs) else "no",
                f"{statistics.median(run.seconds for run in runs):.0f} s",
                f"{max(run.memory for run in runs) / MIB:.0f} MiB",
                f"{max(run.memory_share for run in runs):.2f}",
            )
        )
    return table


def reached(published: Published, runs: Sequence[Outcome]) -> bool:
    """Whether the mean is at least the published test accuracy, or, where none is, training's."""
    if published.test is not None:
        return statistics.fmean(run.test for run in runs) >= published.test
    return statistics.fmean(run.training for run in runs) >= (published.training or 0)


def report(outcomes: Outcomes) -> str:
    """The table and the losses of all runs, as one page."""
    curves = []
    for name, runs in outcomes.items():
        points = [list(enumerate(run.losses, start=1)) for run in runs]
        series = [Series(f"seed {seed}", line) for seed, line in enumerate(points, start=1)]
        curves.append(
            pictures.line_chart(
                series,
                title=f"{name}: loss",
                x=Axis("epoch", whole=True),
                y=Axis("training loss", log=True),
            )
        )
    made_on = ", ".join(f"{key}: {value}" for key, value in machine().items())
    return page.page(
        "Published networks, run again",
        [
            "<h1>Published networks, run again</h1>",
            page.section("Figures", "", page.table(table_rows(outcomes), HEADS)),
            page.section("Cost", "", page.columns(curves)),
            page.section("Made on", escape(made_on)),
        ],
    )


def _spread(values: Sequence[float], form: str) -> str:
    mean = form.format(statistics.fmean(values))
    if len(values) == 1:
        return mean
    return f"{mean} ± {form.format(statistics.stdev(values))}"


def _said(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)
