"""``make bench-training``: a training epoch in NumPy beside the same one in PyTorch.

Both sides are processes that hold their data in memory and wait: one epoch of the
one, then one of the other, so that what else the machine does meets both alike.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from model.architecture import Architecture, mlp
from tests.bench.report import Figure, figure, publish
from tests.helpers import ROOT
from training.batches import batches
from training.config import Adam, Recipe
from training.dataset import Digits, find_folder, load_mnist
from training.helper import Helper
from training.trainer import Run

TWIN = ROOT / ".venv" / "bench" / "bin" / "python"
THREADS = 2
REST = 0.3  # seconds between epochs: idle threads of a BLAS spin for a while

CNN = Architecture.from_outline(
    [
        layer
        for outputs, kernel, stride in ((16, 5, 2), (32, 3, 1), (48, 3, 2), (64, 3, 1))
        for layer in (
            {
                "type": "conv2d",
                "outputs": outputs,
                "kernel": kernel,
                "stride": stride,
                "padding": kernel // 2,
                "biased": False,
            },
            {"type": "batch_norm"},
            {"type": "relu"},
        )
    ]
    + [{"type": "flatten"}, {"type": "dense", "outputs": 10}]
)
NETWORKS = {"mlp": mlp(784, 128, 64, 10), "cnn": CNN}


@dataclass(frozen=True)
class Work:
    """What both sides do; images: to an epoch; epochs: that are measured, after one that is not."""

    name: str
    network: str
    batch: int
    images: int
    epochs: int
    must: float
    aim: float


WORK = (
    Work("MLP 784-128-64-10, batch 128", "mlp", 128, 60_000, 9, 0.60, 0.45),
    Work("MLP 784-128-64-10, batch 32", "mlp", 32, 60_000, 7, 0.50, 0.40),
    Work("MLP 784-128-64-10, batch 512", "mlp", 512, 60_000, 9, 0.65, 0.50),
    Work("convolutional net, batch 128", "cnn", 128, 12_800, 7, 2.0, 1.2),
)


def main() -> None:
    digits = load_mnist(find_folder()).train
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(THREADS, user_api="blas"):
        figures = [row for work in WORK for row in compare(work, digits, Path(folder))]
        publish("training", figures)


def compare(work: Work, digits: Digits, folder: Path) -> list[Figure]:
    """The ratio of each pair of epochs, one measured right after the other."""
    path = folder / f"{work.images}.npz"
    np.savez(path, images=digits.images[: work.images], labels=digits.labels[: work.images])
    arguments = (work.network, str(work.batch), str(path))
    ours, theirs = [], []
    with ExitStack() as stack:
        numpy = stack.enter_context(
            worker([sys.executable, "-m", "tests.bench.training", *arguments])
        )
        torch = stack.enter_context(worker([str(TWIN), "tests/bench/twin.py", *arguments]))
        for _ in tqdm(range(1 + work.epochs), desc=work.name, disable=None, leave=False):
            ours.append(epoch(numpy))
            theirs.append(epoch(torch))
    ratios = [mine / other for mine, other in zip(ours[1:], theirs[1:], strict=True)]
    reference = (
        f"PyTorch on {THREADS} threads: median {np.median(theirs[1:]):.2f} s, "
        f"NumPy {np.median(ours[1:]):.2f} s for {work.images} images"
    )
    return [figure(work.name, ratios, "ratio", reference=reference, must=work.must, aim=work.aim)]


@contextmanager
def worker(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A process that is ready to train."""
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        if not process.stdout.readline().startswith("ready"):
            raise SystemExit(f"{' '.join(command)}: did not start; run `make bench-training`")
        yield process
        process.stdin.close()


def epoch(process: subprocess.Popen[str]) -> float:
    """Have a worker train for one epoch; returns its seconds."""
    assert process.stdin is not None
    assert process.stdout is not None
    time.sleep(REST)
    process.stdin.write("go\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def work_through(network: str, batch: int, path: str) -> None:
    """The NumPy side: the trainer as it is, with what PyTorch's twin does and no more."""
    with np.load(path) as data:
        digits = Digits(data["images"], data["labels"])
    recipe = Recipe(
        name="bench",
        version=1,
        seed=1,
        architecture=NETWORKS[network],
        epochs=1_000,
        batch_size=batch,
        optimizer=Adam(learning_rate=0.001),
        threads=THREADS,
    )
    nothing = digits.part(0, 0)
    with threadpool_limits(recipe.blas_threads, user_api="blas"), Helper() as helper:
        run = Run(recipe, helper=helper)
        print("ready", flush=True)
        for number, _ in enumerate(sys.stdin, start=1):
            began = time.perf_counter()
            run.epoch(batches(digits, recipe, number), len(digits), nothing)
            print(time.perf_counter() - began, flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        work_through(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    else:
        main()
