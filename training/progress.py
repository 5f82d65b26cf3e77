"""Watching a run: a bar on a terminal, one line an epoch elsewhere."""

import sys
from dataclasses import dataclass
from typing import TextIO

from tqdm import tqdm


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to."""

    number: int
    loss: float
    validation_accuracy: float


class Progress:
    """Loss, accuracy and time left of a run of ``epochs`` times ``steps`` steps."""

    def __init__(self, epochs: int, steps: int, stream: TextIO | None = None) -> None:
        stream = stream or sys.stderr
        self._epochs = epochs
        self._stream = stream
        self._live = stream.isatty()
        self._bar = tqdm(
            total=epochs * steps, unit="step", file=stream, disable=not self._live, leave=False
        )

    def step(self) -> None:
        """One batch is done."""
        self._bar.update()

    def epoch(self, epoch: Epoch) -> None:
        """One epoch is done and validated."""
        line = (
            f"epoch {epoch.number}/{self._epochs}  loss {epoch.loss:.4f}  "
            f"validation accuracy {epoch.validation_accuracy:.2%}"
        )
        if self._live:
            self._bar.set_description(line)
        else:
            print(line, file=self._stream, flush=True)

    def close(self) -> None:
        """Take the bar away."""
        self._bar.close()
