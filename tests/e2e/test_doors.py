"""A second port, of the same workers, in a running service."""

from pathlib import Path

from tests.client import Client
from tests.server import free_port, is_refused, running
from tests.service.cases import GOOD


def test_both_ports_are_of_the_same_workers(tmp_path: Path) -> None:
    operations = free_port()
    with running(tmp_path / "log", workers=1, operations_port=operations) as server:
        with server.client() as client, Client(operations) as other:
            assert client.predict_json({"pixels": GOOD}).status == 200
            assert [client.get(path).status for path in ("/metrics", "/drift")] == [404, 404]
            assert [other.get(path).status for path in ("/", "/models")] == [404, 404]
            assert [one.get("/readyz").status for one in (client, other)] == [200, 200]
            assert b'digits_requests_total{route="/predict"' in other.get("/metrics").body
            forged = client.request("GET", "/metrics", headers={"Host": f"localhost:{operations}"})
            assert forged.status == 404
        assert server.stop() == 0
        assert is_refused(operations)
