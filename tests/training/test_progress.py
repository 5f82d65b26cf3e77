import dataclasses
import io
import json
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import pytest

from tests.helpers import seen_on_a_terminal, table
from training.progress import Epoch, Progress

EPOCHS = [Epoch(1, 0.51239, 0.8, 0.9, 0.01), Epoch(2, 0.25, 0.93456, 0.98765, 1e-4)]
IMAGES = 3000


def run(progress: Progress, epochs: list[Epoch] = EPOCHS) -> None:
    """Epochs of three batches."""
    with progress:
        for epoch in epochs:
            for _ in range(3):
                progress.batch(1000, epoch.loss)
            progress.epoch(epoch)


# -- lines --------------------------------------------------------------------


def lines_of(epochs: list[Epoch], **options: Any) -> list[str]:  # noqa: ANN401 - Progress's own
    stream = io.StringIO()
    run(Progress(2, IMAGES, stream=stream, **options), epochs)
    return stream.getvalue().splitlines()


def test_a_log_gets_one_line_an_epoch() -> None:
    first, second = (line.rpartition("  ") for line in lines_of(EPOCHS))
    assert first[0] == (
        "epoch 1/2  loss 0.5124  training accuracy 80.00%  validation accuracy 90.00%"
    )
    assert second[0] == (
        "epoch 2/2  loss 0.2500  training accuracy 93.46%  validation accuracy 98.77%"
    )
    for _, _, speed in (first, second):
        number, unit = speed.split(" ")
        assert unit == "images/s"
        assert int(number) > 0


def test_a_log_claims_no_accuracy_of_images_that_are_not_there() -> None:
    [line] = lines_of([dataclasses.replace(EPOCHS[0], validation_accuracy=None)])
    assert "training accuracy 80.00%" in line
    assert "validation" not in line


def test_a_log_can_be_followed_while_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("w") as stream, Progress(2, IMAGES, stream=stream) as progress:
        progress.epoch(EPOCHS[0])
        assert path.read_text().startswith("epoch 1/2")
        progress.say("what else there is to say")
        assert path.read_text().endswith("\nwhat else there is to say\n")


# -- a bar --------------------------------------------------------------------


def on_80_columns(monkeypatch: pytest.MonkeyPatch, action: Callable[[], object]) -> list[str]:
    """What a terminal of 80 columns shows, one after the other, while it is standard error."""

    def act(terminal: TextIO) -> None:
        termios.tcsetwinsize(terminal.fileno(), (24, 80))
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", terminal)
            action()

    return [line.rstrip() for line in seen_on_a_terminal(act).split("\r")]


def test_a_terminal_gets_a_bar_with_loss_accuracy_speed_and_time_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def act() -> None:
        with Progress(120, IMAGES) as progress:
            for number in range(1, 101):
                progress.batch(IMAGES, 0.5)
                progress.epoch(dataclasses.replace(EPOCHS[1], number=number))

    seen = on_80_columns(monkeypatch, act)
    [last] = [line for line in seen if line.startswith("epoch 100/120  loss 0.25")]
    assert "  accuracy 98.77%  " in last
    assert "83%|" in last
    assert "images/s, 00:00 left" in last
    assert len(last) <= 80
    assert "\n" not in "".join(seen)


def test_the_bar_shows_the_loss_of_the_batch_that_it_was_drawn_at() -> None:
    def act(terminal: TextIO) -> None:
        with Progress(2, IMAGES, stream=terminal) as progress:
            progress._bar.mininterval = 0
            for loss in (0.75, 0.5, 0.125):
                progress.batch(1000, loss)

    seen = seen_on_a_terminal(act)
    assert "epoch 1/2  loss 0.7500" in seen
    assert "epoch 1/2  loss 0.1250  accuracy" not in seen  # there is none yet


def test_where_nothing_is_held_out_the_bar_shows_the_training_accuracy() -> None:
    epochs = [dataclasses.replace(epoch, validation_accuracy=None) for epoch in EPOCHS]
    seen = seen_on_a_terminal(lambda terminal: run(Progress(2, 3000, stream=terminal), epochs))
    assert "epoch 2/2  loss 0.2500  accuracy 93.46%" in seen


def test_the_bar_begins_where_an_earlier_run_ended() -> None:
    def act(terminal: TextIO) -> None:
        run(Progress(4, IMAGES, done=2, stream=terminal), [])

    assert "epoch 3/4   50%|" in seen_on_a_terminal(act)


def test_a_line_of_its_own_is_left_above_the_bar() -> None:
    def act(terminal: TextIO) -> None:
        with Progress(2, IMAGES, stream=terminal) as progress:
            progress.batch(1000, 0.5)
            progress.say("no room for a checkpoint")

    seen = seen_on_a_terminal(act)
    assert "\rno room for a checkpoint\r\n" in seen


def test_the_bar_is_taken_away_at_the_end() -> None:
    seen = seen_on_a_terminal(lambda terminal: run(Progress(2, IMAGES, stream=terminal)))
    assert seen.endswith("\r")
    assert seen.rstrip("\r").rpartition("\r")[2].strip() == ""


# -- the journal --------------------------------------------------------------


def entries(journal: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in journal.read_text("utf-8").splitlines()]


def on_a_log(journal: Path) -> None:
    lines_of(EPOCHS, journal=journal)


def on_a_terminal(journal: Path) -> None:
    seen_on_a_terminal(lambda terminal: run(Progress(2, 3000, journal=journal, stream=terminal)))


@table("write", {"on a log": on_a_log, "on a terminal": on_a_terminal})
def test_the_journal_has_all_there_is_to_an_epoch(
    write: Callable[[Path], None], tmp_path: Path
) -> None:
    journal = tmp_path / "journal.jsonl"
    write(journal)
    for entry, epoch in zip(entries(journal), EPOCHS, strict=True):
        seconds, speed = entry.pop("seconds"), entry.pop("images_per_second")
        assert seconds >= 0
        assert speed > 0
        assert entry == dataclasses.asdict(epoch)


@pytest.mark.parametrize("done", [0, 1, 2])
def test_a_run_that_is_taken_up_again_keeps_the_lines_of_what_it_keeps(
    done: int, tmp_path: Path
) -> None:
    journal = tmp_path / "journal.jsonl"
    on_a_log(journal)
    kept = journal.read_text("utf-8").splitlines()[:done]
    with journal.open("a", encoding="utf-8") as file:
        file.write('{"number": 3, "lo')  # a run that was killed
    lines_of(EPOCHS[done:], journal=journal, done=done)
    assert [entry["number"] for entry in entries(journal)] == [1, 2]
    assert journal.read_text("utf-8").splitlines()[:done] == kept


def test_a_journal_is_cut_before_the_first_epoch(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    journal.write_bytes(b"\xff\n" * 3)
    with Progress(2, IMAGES, journal=journal, stream=io.StringIO()):
        assert journal.read_bytes() == b""


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="needs a device that is always full")
def test_a_journal_without_room_is_said_once_and_ends_nothing(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    progress = Progress(2, IMAGES, journal=journal, stream=(stream := io.StringIO()))
    journal.unlink()
    journal.symlink_to(FULL)
    run(progress)
    first, *rest = stream.getvalue().splitlines()
    assert first.startswith(f"{journal}: cannot be written (No space left on device); ")
    assert [line[:9] for line in rest] == ["epoch 1/2", "epoch 2/2"]


def test_a_journal_that_is_none_is_said_once_and_ends_nothing(tmp_path: Path) -> None:
    first, *rest = lines_of(EPOCHS, journal=tmp_path)
    assert first.startswith(f"{tmp_path}: cannot be written (Is a directory); ")
    assert len(rest) == 2
