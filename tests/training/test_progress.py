import io
from pathlib import Path

from tests.helpers import seen_on_a_terminal
from training.progress import Epoch, Progress

EPOCHS = [Epoch(1, 0.51239, 0.9), Epoch(2, 0.25, 0.98765)]


def run(progress: Progress) -> None:
    """Two epochs of three steps."""
    for epoch in EPOCHS:
        for _ in range(3):
            progress.step()
        progress.epoch(epoch)
    progress.close()


def test_a_log_gets_one_line_an_epoch() -> None:
    stream = io.StringIO()
    run(Progress(2, 3, stream))
    assert stream.getvalue().splitlines() == [
        "epoch 1/2  loss 0.5124  validation accuracy 90.00%",
        "epoch 2/2  loss 0.2500  validation accuracy 98.77%",
    ]


def test_a_log_can_be_followed_while_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("w") as stream:
        progress = Progress(2, 3, stream)
        progress.epoch(EPOCHS[0])
        assert path.read_text().startswith("epoch 1/2")
        progress.close()


def test_a_terminal_gets_a_bar_with_loss_and_accuracy() -> None:
    seen = seen_on_a_terminal(lambda terminal: run(Progress(2, 3, terminal)))
    assert "6/6" in seen  # all steps of all epochs
    assert "epoch 2/2  loss 0.2500  validation accuracy 98.77%" in seen
    assert "\n" not in seen.rstrip()


def test_the_bar_is_taken_away_at_the_end() -> None:
    seen = seen_on_a_terminal(lambda terminal: run(Progress(2, 3, terminal)))
    assert seen.endswith("\r")
    assert seen.rstrip("\r").rpartition("\r")[2].strip() == ""
