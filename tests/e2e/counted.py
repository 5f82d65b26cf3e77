"""What a running service says that it has counted."""

from prometheus_client.parser import text_string_to_metric_families

from tests.server import Server, wait_for


def samples(server: Server) -> dict[tuple[str, ...], float]:
    """Every sample of /metrics by its name and label values."""
    with server.client() as client:
        text = client.get("/metrics").body.decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def counters(server: Server) -> dict[tuple[str, ...], float]:
    """What may never go backwards."""
    endings = ("_total", "_count", "_bucket", "_sum")
    return {key: value for key, value in samples(server).items() if key[0].endswith(endings)}


def predicted(server: Server) -> float:
    """Requests to /predict that were answered with a prediction."""
    return samples(server).get(("digits_requests_total", "/predict", "200"), 0)


def wait_for_count(server: Server, count: int) -> None:
    """Workers write what they have counted a moment later (``WRITE_SECONDS``)."""
    wait_for(f"{count} requests are told of", lambda: predicted(server) >= count)
