"""Watching a run: a bar on a terminal, one line an epoch elsewhere, a journal for programs."""

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self, TextIO

from tqdm import tqdm

# For a terminal of 80 columns: loss and accuracy before the bar, speed and time left after it.
BAR = "{desc}  {percentage:3.0f}%|{bar}| {rate_fmt}, {remaining} left"


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to.

    loss, accuracy: means over the images as they were trained on, before each step.
    validation_accuracy: None where nothing is held out. learning_rate: that of the
    last step.
    """

    number: int
    loss: float
    accuracy: float
    validation_accuracy: float | None
    learning_rate: float

    def __str__(self) -> str:
        line = f"loss {self.loss:.4f}  training accuracy {self.accuracy:.2%}"
        if self.validation_accuracy is None:
            return line
        return f"{line}  validation accuracy {self.validation_accuracy:.2%}"


class Progress:
    """Loss, accuracy, images a second and time left of a run of ``epochs`` times ``images``.

    done: epochs that an earlier run has finished. journal: a file that gets one
    JSON object a line for every epoch, with the seconds it took; where it cannot
    be written, that is said, and the run goes on without it.
    """

    def __init__(
        self,
        epochs: int,
        images: int,
        *,
        done: int = 0,
        journal: Path | None = None,
        stream: TextIO | None = None,
    ) -> None:
        self._epochs, self._images = epochs, images
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._journal = journal
        self._since = time.perf_counter()
        self._number, self._accuracy = min(done + 1, epochs), ""
        self._bar = tqdm(
            desc=f"epoch {self._number}/{epochs}",
            total=epochs * images,
            initial=done * images,
            unit=" images",
            unit_scale=True,
            bar_format=BAR,
            file=self._stream,
            disable=not self._live,
            leave=False,
        )
        with self._journal_may_fail():
            if self._journal:
                _keep_first_lines(self._journal, done)

    def batch(self, images: int, loss: float) -> None:
        """A batch is done."""
        if self._bar.update(images):  # true when the bar was drawn
            self._describe(loss)

    def epoch(self, epoch: Epoch) -> None:
        """An epoch is done and validated."""
        now = time.perf_counter()
        seconds, self._since = now - self._since, now
        speed = self._images / seconds
        entry = {
            **asdict(epoch),
            "seconds": round(seconds, 3),
            "images_per_second": round(speed, 1),
        }
        with self._journal_may_fail():
            if self._journal:
                with self._journal.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(entry) + "\n")
        if self._live:
            score = epoch.validation_accuracy
            share = epoch.accuracy if score is None else score
            self._number, self._accuracy = epoch.number, f"  accuracy {share:.2%}"
            self._describe(epoch.loss)
            self._bar.refresh()
            self._number = min(epoch.number + 1, self._epochs)
        else:
            self.say(f"epoch {epoch.number}/{self._epochs}  {epoch}  {speed:.0f} images/s")

    def _describe(self, loss: float) -> None:
        line = f"epoch {self._number}/{self._epochs}  loss {loss:.4f}{self._accuracy}"
        self._bar.set_description_str(line, refresh=False)

    @contextlib.contextmanager
    def _journal_may_fail(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.say(
                f"{self._journal}: cannot be written ({error.strerror}); training goes on without "
                "a journal; mend that before the next run"
            )
            self._journal = None

    def say(self, line: str) -> None:
        """A line of its own."""
        if self._live:
            self._bar.write(line, file=self._stream)
        else:
            print(line, file=self._stream, flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Take the bar away."""
        self._bar.close()


def _keep_first_lines(journal: Path, count: int) -> None:
    """What a run that is taken up again has said of the epochs that it keeps."""
    lines = journal.read_bytes().splitlines(keepends=True) if journal.exists() else []
    with journal.open("ab") as file:
        file.truncate(sum(map(len, lines[:count])))  # one step: to be killed here loses no line
