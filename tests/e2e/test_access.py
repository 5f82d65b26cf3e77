"""Keys, origins and the log of requests, at the real service with two workers."""

import json
from pathlib import Path

from tests.server import Server, running, wait_for
from tests.service.cases import GOOD, JSON, pixels_json
from tests.service.cases_access import KEY, OTHER_KEY

CONNECTIONS = 20  # so many that each worker gets some
BODY = pixels_json(GOOD)


def statuses(server: Server, key: str) -> set[int]:
    """What is answered to a key, by all workers."""
    seen = set()
    for _ in range(CONNECTIONS):
        with server.client() as client:
            seen.add(client.request("POST", "/predict", BODY, JSON | {"X-API-Key": key}).status)
    return seen


def test_keys_are_exchanged_without_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(KEY, "ascii")
    with running(tmp_path / "log", workers=2, api_keys_file=file) as server:
        wait_for("both workers run", lambda: len(server.workers()) == 2)
        workers = server.workers()
        assert (statuses(server, KEY), statuses(server, OTHER_KEY)) == ({200}, {401})
        file.write_text(f"{KEY}\n{OTHER_KEY}\n", "ascii")
        wait_for("the new key is valid too", lambda: statuses(server, OTHER_KEY) == {200})
        assert statuses(server, KEY) == {200}
        file.write_text(OTHER_KEY, "ascii")
        wait_for("the old key is not", lambda: statuses(server, KEY) == {401})
        file.unlink()
        wait_for("that is told", lambda: log_of(server).count("stay valid") >= len(asked(server)))
        assert statuses(server, OTHER_KEY) == {200}
        assert server.workers() == workers
        with server.client() as client:
            assert client.get("/readyz").status == 200
            assert client.get("/metrics").status == 200
    assert KEY not in log_of(server)
    assert OTHER_KEY not in log_of(server)


def asked(server: Server) -> list[int]:
    statuses(server, OTHER_KEY)
    return server.workers()


def log_of(server: Server) -> str:
    return server.log.read_text("utf-8")


def test_who_asks_too_much_is_refused_and_health_is_not(tmp_path: Path) -> None:
    limited = running(tmp_path / "log", workers=1, rate_limit=1, rate_burst=5)
    with limited as server, server.client() as client:
        answers = [client.request("POST", "/predict", BODY, JSON) for _ in range(20)]
        assert [answer.status for answer in answers[:5]] == [200] * 5
        assert [answer.status for answer in answers].count(429) >= 14
        assert answers[5].json["code"] == "rate_limited"
        assert answers[5].headers["Retry-After"] == "1"
        assert {client.get("/readyz").status for _ in range(20)} == {200}
        assert b'digits_refused_total{code="rate_limited"}' in client.get("/metrics").body


def test_each_request_is_a_line_of_json_with_the_ids_that_it_came_with(tmp_path: Path) -> None:
    trace_id, parent_id = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    with running(tmp_path / "log", access_log=1) as server, server.client() as client:
        traced = {"X-Request-ID": "a-1", "traceparent": f"00-{trace_id}-{parent_id}-01"}
        answer = client.request("POST", "/predict?top_k=1", BODY, JSON | traced)
        assert answer.headers["X-Request-ID"] == "a-1"
        client.request("BREW", "/livez")
    lines = [json.loads(line) for line in log_of(server).splitlines() if line.startswith("{")]
    [predicted] = [line for line in lines if line["request_id"] == "a-1"]
    assert (predicted["method"], predicted["route"], predicted["status"]) == (
        "POST",
        "/predict",
        200,
    )
    assert (predicted["trace_id"], predicted["parent_id"]) == (trace_id, parent_id)
    assert [line["status"] for line in lines if line["route"] != "/readyz"] == [200, 400]
