"""Ten promotions and rollbacks under load: nobody notices, save by the version."""

import shutil
import signal
import time
from collections import Counter
from functools import partial
from pathlib import Path

from model.store import RELEASES, Store
from tests.e2e.counted import samples
from tests.e2e.versions import all_serve, asked, told
from tests.server import Server, running, wait_for
from tests.service.cases import GOOD, pixels_json

MOVES = 10
NOTICED_SECONDS = 2


def test_promotions_and_rollbacks_fail_nobody(tmp_path: Path) -> None:
    store, seen = Store(tmp_path / "store"), Counter[tuple[int, int]]()
    shutil.copytree(RELEASES, store.root)
    store.promote(1)
    with running(tmp_path / "log", workers=2, store=store.root) as server, asked(server, seen):
        for move in range(MOVES):
            step = store.promote(2) if move == 0 else store.rollback()
            version = step.after["champion"]
            began = time.monotonic()
            wait_for("both workers serve it", partial(all_serve, server, version))
            assert time.monotonic() - began < NOTICED_SECONDS + 1  # and the time to ask them
        spoilt = store.root / "digits-3.npz"
        spoilt.write_bytes(store.path(2).read_bytes()[:-1])
        (store.root / "champion").write_text("3\n")
        wait_for("it is refused", lambda: "was not loaded" in server.log.read_text("utf-8"))
        (store.root / "champion").write_text("2\n")
        wait_for("the good one is served", lambda: all_serve(server, 2))
    assert {status for status, _ in seen} == {200}
    assert {version for _, version in seen} == {1, 2, -1}
    assert sum(seen.values()) > MOVES


def test_a_hangup_takes_the_new_champion_at_once(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    shutil.copytree(RELEASES, store.root)
    with running(tmp_path / "log", workers=1, store=store.root) as server:
        before = server.workers()
        store.promote(1)
        server.process.send_signal(signal.SIGHUP)
        wait_for("it is served", lambda: told(server) == 1)
        wait_for("by a new worker", lambda: not set(before) & set(server.workers()))


def test_a_challenger_is_tried_by_every_worker(tmp_path: Path) -> None:
    """In shadow and as a canary: without a restart, and the same for the same people."""
    store = Store(tmp_path / "store")
    shutil.copytree(RELEASES, store.root)
    people = [f"somebody-{number}" for number in range(40)]

    def who_answers(server: Server) -> dict[str, int]:
        answers = {}
        for name in people:
            with server.client() as client:  # each connection may go to another worker
                headers = {"Content-Type": "application/json", "X-Canary-Key": name}
                answer = client.request("POST", "/predict", pixels_json(GOOD), headers)
                answers[name] = answer.json["model"]["version"]
        return answers

    def answered_by(server: Server) -> set[int]:
        return set(who_answers(server).values())

    with running(
        tmp_path / "log", workers=2, store=store.root, shadow_percent=100, canary_percent=30
    ) as server:
        assert answered_by(server) == {2}
        store.challenge(1)
        wait_for("it answers its share", lambda: answered_by(server) == {1, 2})
        time.sleep(NOTICED_SECONDS)
        first = who_answers(server)
        assert 0 < list(first.values()).count(1) < len(people) / 2
        assert [who_answers(server) for _ in range(2)] == [first, first]
        shown = ("digits_shadow_images_total", "1")
        wait_for("it was shown some", lambda: samples(server).get(shown, 0) >= len(people))
        counted = samples(server)
        for version in ("1", "2"):
            kinds = [("digits_images_total", word, version) for word in ("true", "false")]
            assert sum(counted.get(kind, 0) for kind in kinds) > len(people) / 10
        store.challenge(None)
        wait_for("it is not tried any more", lambda: answered_by(server) == {2})
