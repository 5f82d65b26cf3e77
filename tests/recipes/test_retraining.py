"""Feedback from people who write otherwise, taught to the small model behind the gate.

The walk-through of training/README.md: the fleet (``tests/training/fleet.py``) sends what the
shipped ``mlp`` misreads; one retraining mends it, and what was poisoned is turned away.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model import artifact as artifacts
from model.store import RELEASES, Store
from tests.client import Client
from tests.helpers import run_module
from tests.recipes.test_mnist_over_http import digits, read_all
from tests.server import running
from tests.training.fleet import sent, write
from training.dataset import Mnist, find_folder
from training.feedback import Feedback
from training.retraining import Retraining, chosen, recipe_of
from training.rows import Digits

MLP = 1
MISREAD, MENDED = 0.75, 0.95  # shares of the new slice: the champion's at most, its heir's at least


def retrain(folder: Path, drawings: Path, *, poisoned: bool) -> subprocess.CompletedProcess[str]:
    """The walk-through's own command."""
    write(folder / "new.npz", *sent(poisoned=poisoned))
    return run_module(
        *("training", "retrain", folder / "new.npz", "--promote"),
        *("--champion", RELEASES / f"digits-{MLP}.npz"),
        *("--store", folder / "store", "--run", folder / "run"),
        environ={
            "DIGITS_DATA": str(find_folder().resolve()),
            "DIGITS_DRAWINGS": str(drawings.resolve()),
        },
    )


def report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "run" / "gate.json").read_text("utf-8"))
    return found


def share(pairs: dict[str, int], side: str) -> float:
    """What one of both reads right."""
    return (pairs["both"] + pairs[f"only_{side}"]) / pairs["images"]


def broken(record: dict[str, Any]) -> set[str]:
    return {name for name, check in record["checks"].items() if not check["holds"]}


def test_what_the_fleet_writes_is_learned_and_nothing_is_lost(
    mnist: Mnist, drawings_folder: Path, tmp_path: Path
) -> None:
    run = retrain(tmp_path, drawings_folder, poisoned=False)
    assert run.returncode == 0, run.stdout + run.stderr
    record = report(tmp_path)
    assert broken(record) == set()
    assert record["better_on"] == ["the new images"]
    assert share(record["sets"]["new"], "champion") <= MISREAD
    assert share(record["sets"]["new"], "candidate") >= MENDED
    test = record["sets"]["test"]
    assert test["images"] == len(mnist.test)
    assert record["checks"]["error on the test set"]["figure"] <= 0.10

    store = Store(tmp_path / "store")
    heir = store.resolve("champion")
    assert store.aliases() == {"champion": heir, "previous": MLP}
    slice_ = held_out(mnist)
    with running(tmp_path / "log", store=store.root) as server:
        read = read_all(server, send, list(slice_.images))
    assert (read == slice_.labels).mean() >= MENDED


def test_swapped_labels_are_turned_away(drawings_folder: Path, tmp_path: Path) -> None:
    run = retrain(tmp_path, drawings_folder, poisoned=True)
    assert run.returncode == 4, run.stdout + run.stderr
    record = report(tmp_path)
    assert {"error on the test set", "error on one digit", "error on drawings"} <= broken(record)
    assert record["better_on"] == ["the new images"]  # by its own labels: that is not enough
    assert Store(tmp_path / "store").versions() == []
    assert Store(tmp_path / "store").aliases() == {}


def held_out(mnist: Mnist) -> Digits:
    """The slice by people who taught the heir nothing."""
    written, clients = sent()
    config = Retraining()
    recipe = recipe_of(artifacts.read(RELEASES / f"digits-{MLP}.npz"), config)
    return chosen(recipe, mnist, Feedback(written, clients, 0, {}), config).held_out


def send(client: Client, image: NDArray[np.uint8]) -> list[int]:
    return digits(client.predict(image.tobytes(), "application/octet-stream").json)
