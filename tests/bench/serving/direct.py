"""The model without a server: what is left to lose, as a process that waits for its turn.

Run as ``python -m tests.bench.serving.direct ARTIFACT PART IMAGES``. Says ``ready``, then
answers each line ``SECONDS`` with what ``load`` gives, a batch standing for a request.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from threadpoolctl import threadpool_limits

from model import Classifier
from model.engine import Engine
from tests.bench.serving.load import Load
from tests.bench.serving.programs import MLP, Model
from tests.bench.serving.requests import frames

# The classifier places every image first and judges it last; the engine is the network alone.
Part: TypeAlias = Literal["classifier", "engine"]


@dataclass(frozen=True)
class Direct:
    """A part of the model, called with so many images at a time."""

    part: Part
    images: int
    model: Model = MLP

    @property
    def name(self) -> str:
        return f"the {self.part} by itself"


def repeat(answer: Callable[[], object], seconds: float) -> Load:
    answer()
    taken, began = [], time.perf_counter()
    while (before := time.perf_counter()) < began + seconds:
        answer()
        taken.append(time.perf_counter() - before)
    p50, p90, p99, longest = (float(each) for each in np.percentile(taken, (50, 90, 99, 100)) * 1e3)
    return Load(len(taken) / sum(taken), p50, p90, p99, longest, errors=0)


def main(path: Path, part: str, count: int) -> None:
    classifier, batch = Classifier.load(path), frames(count)
    engine = Engine(classifier.artifact.network)
    parts: dict[str, Callable[[], object]] = {
        "classifier": lambda: classifier.classify(batch),
        "engine": lambda: engine.logits(batch),
    }
    with threadpool_limits(1, user_api="blas"):
        print("ready", flush=True)
        for line in sys.stdin:
            print(json.dumps(asdict(repeat(parts[part], float(line)))), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
