"""Predict, watch, learn what was wrong, prove it better, swap it in, go back: the real parts.

The walk-through of training/README.md, command by command as it stands there. The fleet
(``tests/training/fleet.py``) draws what the shipped ``mlp`` misreads and says what it was; passers
by ask all the while, and may notice no more than the version.
"""

import itertools
import json
import os
import re
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.store import Store
from tests.client import Client
from tests.e2e.test_readme import assert_alike, walk_through
from tests.feedback.places import File, count
from tests.helpers import ROOT, assert_one_line_error, environment, run_module
from tests.server import Server, ask_all, running, wait_for
from tests.service.cases import pixels_json, png
from training.dataset import Mnist, find_folder
from training.gate import Pairs
from training.rows import Digits

MLP, HEIR = 1, 3  # version 2 is the flagship
MISREAD, MENDED = 75, 95  # percent of the drawings: the champion's at most, its heir's at least
SAMPLE = 1000  # of MNIST's test images
RATE, ASKING = 50, 2  # requests a second, by so many
WORKERS = 2
NOTICED_SECONDS = 2
LATE_SECONDS = 1  # that an answer may take besides, where two cores train

JSON = "application/json"
FIELDS = {"digit", "confidence", "accepted", "reason", "probabilities", "warnings"}


@dataclass
class Walk:
    """The commands of the walk-through, one after another, in a folder of their own."""

    folder: Path
    drawings: Path
    left: Iterator[tuple[str, str]]
    port: int = 0

    def next(self, words: str) -> tuple[str, str]:
        """The next command, which has these words, and what is shown below it."""
        command, shown = (text.replace("build/loop", str(self.folder)) for text in next(self.left))
        assert words in command
        return command.replace("--port 8000", f"--port {self.port}"), shown

    def run(self, words: str, status: int = 0) -> str:
        """Run the next command; returns what it prints, which is what is shown."""
        command, shown = self.next(words)
        settings = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "DIGITS_DATA": str(find_folder().resolve()),
            "DIGITS_DRAWINGS": str(self.drawings.resolve()),
        }
        done = subprocess.run(
            ["bash", "-ec", command],
            cwd=ROOT,
            env=environment(settings),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        assert_alike(done.stdout.strip(), shown)
        return done.stdout

    @contextmanager
    def serving(self) -> Iterator[Server]:
        """The service with the settings of the next command."""
        command, _ = self.next("make serve")
        pairs = [word.partition("=") for word in shlex.split(command) if "=" in word]
        settings = {name.removeprefix("DIGITS_").lower(): value for name, _, value in pairs}
        with running(self.folder / "log", workers=WORKERS, **settings) as server:
            self.port = server.port
            yield server


@dataclass(frozen=True)
class Answered:
    """What was answered to a passer-by, and between which two moments in Unix time."""

    began: float
    ended: float
    image: int
    version: int
    digit: int


@contextmanager
def passers_by(server: Server, key: str, images: NDArray[np.uint8]) -> Iterator[list[Answered]]:
    """Predictions at a steady pace meanwhile, of which none may fail."""
    stop, found = threading.Event(), list[Answered]()

    def ask(first: int) -> None:
        start = time.monotonic()
        for turn in itertools.count(first, ASKING):
            if stop.wait(max(0.0, start + turn / RATE - time.monotonic())):
                return
            index = turn % len(images)
            with server.client() as client:  # another connection may go to another worker
                found.append(asked(client, key, index, images[index], as_png=first == 0))

    with ThreadPoolExecutor(ASKING) as pool:
        asking = [pool.submit(ask, first) for first in range(ASKING)]
        try:
            yield found
        finally:
            stop.set()
            for one in asking:
                one.result()


def asked(
    client: Client, key: str, index: int, image: NDArray[np.uint8], *, as_png: bool
) -> Answered:
    body, kind = (png(image), "image/png") if as_png else (pixels_json(image.tolist()), JSON)
    began = time.time()
    answer = client.request("POST", "/predict", body, {"X-API-Key": key, "Content-Type": kind})
    ended = time.time()
    assert answer.status == 200, answer.body
    document = answer.json
    [prediction] = document["predictions"]
    assert document.keys() == {"model", "predictions", "request_id"}
    assert prediction.keys() == FIELDS
    assert document["model"].keys() == {"name", "version"}
    return Answered(began, ended, index, document["model"]["version"], prediction["digit"])


def assert_nobody_noticed(
    found: Sequence[Answered], champions: Sequence[tuple[float, int]]
) -> None:
    """Every answer is of a version that was champion then or two seconds before, and all of it.

    champions: since which moment which version was.
    """
    ends = [*(since for since, _ in champions[1:]), float("inf")]
    for one in found:
        earliest = one.began - NOTICED_SECONDS - LATE_SECONDS
        assert one.version in {
            version
            for (since, version), end in zip(champions, ends, strict=True)
            if since <= one.ended and end >= earliest
        }
    readings = {(one.version, one.image, one.digit) for one in found}
    assert len(readings) == len({(version, image) for version, image, _ in readings})


def reloads(server: Server) -> int:
    """How often a worker has taken another champion."""
    with server.client() as client:
        text = client.get("/metrics").body.decode()
    return sum(
        int(float(value))
        for value in re.findall(
            r'^digits_reloads_total{result="succeeded"} (\S+)$', text, re.MULTILINE
        )
    )


def moved(store: Store) -> float:
    """When the champion's alias was last written, in Unix time."""
    return (store.root / "champion").stat().st_mtime


def read_sample(server: Server, key: str, sample: Digits) -> NDArray[np.bool_]:
    """Which of the images are read right over HTTP (N,)."""

    def read(client: Client, image: NDArray[np.uint8]) -> int:
        headers = {"X-API-Key": key, "Content-Type": "application/octet-stream"}
        answer = client.request("POST", "/predict", image.tobytes(), headers)
        digit: int = answer.json["predictions"][0]["digit"]
        return digit

    return np.equal(ask_all(server, read, list(sample.images)), sample.labels)


def pairs(champion: NDArray[np.bool_], heir: NDArray[np.bool_]) -> Pairs:
    """Two readings of the same images, as the gate has them."""
    both, neither = int((champion & heir).sum()), int((~champion & ~heir).sum())
    return Pairs(both, int((champion & ~heir).sum()), int((heir & ~champion).sum()), neither)


def percent(printed: str) -> float:
    """How much of what the fleet sent was read as they say."""
    return float(printed.partition("(")[2].partition("%")[0])


def report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "gate.json").read_text("utf-8"))
    return found


def broken(record: Mapping[str, Any]) -> set[str]:
    return {name for name, check in record["checks"].items() if not check["holds"]}


def test_the_loop(mnist: Mnist, drawings_folder: Path, tmp_path: Path) -> None:
    walk = Walk(tmp_path, drawings_folder, iter(walk_through()))
    store, sample = Store(tmp_path / "store"), mnist.test.part(0, SAMPLE)
    walk.run("openssl")
    walk.run("model promote")
    key = (tmp_path / "keys").read_text("ascii").split()[-1]  # nobody's of the fleet
    champions = [(0.0, MLP)]
    with walk.serving() as server, passers_by(server, key, sample.images) as found:
        before = read_sample(server, key, sample)

        # What is drawn, is labelled, is learned, and is served.
        assert percent(walk.run("tests.training.fleet")) <= MISREAD
        walk.run("feedback export")
        walk.run("retrain")
        champions.append((moved(store), HEIR))
        assert store.aliases() == {"champion": HEIR, "previous": MLP}
        assert_promoted(report(tmp_path / "run"), mnist)
        wait_for("every worker serves the heir", lambda: reloads(server) == WORKERS)
        assert percent(walk.run("tests.training.fleet")) >= MENDED
        assert not pairs(before, read_sample(server, key, sample)).worse

        # And back.
        walk.run("rollback")
        champions.append((moved(store), MLP))
        wait_for("every worker is back", lambda: reloads(server) == 2 * WORKERS)
        assert np.array_equal(read_sample(server, key, sample), before)

        # False labels are turned away.
        walk.run("feedback purge")
        walk.run("tests.training.fleet")
        walk.run("feedback export")
        walk.run("retrain", status=4)
        assert_rejected(report(tmp_path / "rejected"))
        assert store.aliases() == {"champion": MLP, "previous": HEIR}
        walk.run("feedback clients")
    assert len(found) > RATE * (found[-1].ended - found[0].began) / 2
    assert {one.version for one in found} == {MLP, HEIR}
    assert_nobody_noticed(found, champions)

    # Nothing is left.
    kept = tmp_path / "kept.db"
    walk.run("feedback purge")
    assert next(walk.left, None) is None
    assert count(File(kept)) == 0
    again = run_module("training", "feedback", "export", "--file", kept, "--out", tmp_path / "none")
    assert_one_line_error(again, "no image is like that")


def assert_promoted(record: Mapping[str, Any], mnist: Mnist) -> None:
    """The gate says that people who taught it nothing are read better, and nothing worse."""
    new, test = record["sets"]["new"], record["sets"]["test"]
    assert record["verdict"] == "promote"
    assert broken(record) == set()
    assert record["better_on"] == ["the new images"]
    assert 100 * (new["both"] + new["only_champion"]) <= MISREAD * new["images"]
    assert 100 * (new["both"] + new["only_candidate"]) >= MENDED * new["images"]
    assert test["images"] == len(mnist.test)


def assert_rejected(record: Mapping[str, Any]) -> None:
    """By what it forgot, though by its own labels it reads better."""
    assert {"error on the test set", "error on one digit", "error on drawings"} <= broken(record)
    assert record["better_on"] == ["the new images"]
