"""The database of feedback, or its name, is gone and comes back: answers go on."""

import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.e2e.counted import samples
from tests.e2e.small_disk import WANTED, apart
from tests.faults.golden import assert_unchanged, golden
from tests.faults.load import Load
from tests.faults.serving import counting, serving
from tests.feedback.places import Cluster, Served, count, postgresql
from tests.helpers import missing
from tests.server import Server, wait_for

STORED = ("digits_captures_total", "stored")
FAILED = ("digits_feedback_database_failures_total",)

NAME = "database.digits.example"
NAMED = """
mount --bind "$HOSTS" /etc/hosts && mount --bind "$RESOLVERS" /etc/resolv.conf && exec "$@"
"""

SILENT = "127.53.53.53"  # an address of this machine, where a server of names hears and is silent


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with postgresql() as cluster:
        cluster.create("digits")
        yield cluster


@contextmanager
def silent_resolver() -> Iterator[None]:
    with closing(socket.socket(type=socket.SOCK_DGRAM)) as listener:
        try:
            listener.bind((SILENT, 53))
        except OSError:
            missing("port 53 is needed: run as root")
        yield


def stored(server: Server) -> float:
    return samples(server).get(STORED, 0)


def failed(server: Server) -> float:
    return samples(server).get(FAILED, 0)


def assert_more_is_stored(server: Server) -> None:
    before = stored(server)
    wait_for("more is stored", lambda: stored(server) > before)


def test_a_database_that_is_gone_for_a_while_fails_no_prediction(
    tmp_path: Path, cluster: Cluster
) -> None:
    place = Served(cluster, "digits")
    with serving(tmp_path, feedback_url=place.url) as server:
        with counting(server), Load(server.port, golden()) as load:
            assert_more_is_stored(server)
            with place.outage():
                wait_for("it is missed", lambda: failed(server) > 0)
                with server.client() as client:
                    assert client.get("/readyz").status == 200
                time.sleep(1)
            assert_more_is_stored(server)
        assert set(load.fates()) == {200}
    assert count(place) > 0


def test_a_name_that_cannot_be_looked_up_fails_no_prediction(
    tmp_path: Path, cluster: Cluster
) -> None:
    """It is known, then there is no answer to who asks for it, then it is known again."""
    hosts, resolvers = tmp_path / "hosts", tmp_path / "resolvers"
    known = f"127.0.0.1 {NAME}\n"
    hosts.write_text(known)
    resolvers.write_text(f"nameserver {SILENT}\n")
    within = [*(apart(tmp_path) or missing(WANTED)), "sh", "-c", NAMED, "sh"]
    variables = {"HOSTS": str(hosts), "RESOLVERS": str(resolvers)}
    url = cluster.url("digits").replace("127.0.0.1", NAME)
    settings = {"feedback_url": url}
    with (
        silent_resolver(),
        serving(tmp_path, within=within, variables=variables, **settings) as server,
    ):
        with Load(server.port, golden()) as load:
            assert_more_is_stored(server)
            hosts.write_text("")
            break_connections(cluster)
            wait_for("it is missed", lambda: failed(server) > 0)
            time.sleep(1)
            hosts.write_text(known)
            assert_more_is_stored(server)
            hosts.write_text("")
            break_connections(cluster)
        assert set(load.fates()) == {200}
        assert_unchanged(server)
        assert server.stop() == 0  # though a look-up is under way


def break_connections(cluster: Cluster) -> None:
    cluster.stop()
    cluster.start()
