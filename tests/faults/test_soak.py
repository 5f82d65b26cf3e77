"""A soak of some seconds: it runs, tells what it saw, and nobody's answer is unexplained.

What grows and how fast it answers is not judged here: that takes an hour, and a calm machine.
"""

import json
from pathlib import Path

from tests.helpers import run_module

HOURS = 0.006


def test_a_short_soak_runs_and_every_answer_is_explained(tmp_path: Path) -> None:
    run = run_module("tests.soak", "--hours", str(HOURS), "--output", tmp_path)
    assert run.returncode in {0, 1}, run.stderr
    document = json.loads((tmp_path / "soak.json").read_text("utf-8"))
    held = {one["name"]: one["holds"] for one in document["findings"]}
    assert held["unexplained answers"], run.stdout
    assert held["files of metrics"], run.stdout
    assert ("FAILS" in run.stdout) == (run.returncode == 1) == (not all(held.values()))
    events = [event for one in document["samples"] for event in one["events"]]
    assert set(events) == {"reload", "kill", "hangup"}
    assert (tmp_path / "soak.html").read_text("utf-8").count("<svg") == 5
