"""The shipped recipe on the real MNIST, by the README's own command."""

import os
import subprocess
from pathlib import Path

from model import artifact
from tests.helpers import ROOT
from tests.server import running
from training.dataset import Mnist, find_folder


def train(store: Path) -> bytes:
    command = f"make train RECIPE=mlp STORE={store}".split()
    environment = os.environ | {"DIGITS_DATA": str(find_folder().resolve())}
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    return (store / "digits-1.npz").read_bytes()


def test_the_same_command_twice_gives_the_same_bytes_and_reads_98_percent(
    mnist: Mnist, tmp_path: Path
) -> None:
    first, second = train(tmp_path / "first"), train(tmp_path / "second")
    assert first == second
    trained = artifact.decode(first)
    assert trained.evaluation["test"]["images"] == len(mnist.test)
    assert trained.evaluation["test"]["accuracy"] >= 0.98
    assert trained.training["held_out"] == "writers"

    path = tmp_path / "first" / "digits-1.npz"
    with running(tmp_path / "log", model=path) as server, server.client() as client:
        assert client.get("/models").json["models"][0]["digest"] == trained.digest()
