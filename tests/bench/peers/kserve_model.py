"""KServe's Python server, with the first of its protocols."""

import logging
from typing import Any

from kserve import Model, ModelServer

from tests.bench.peers.network import Network, frames, port


class Digits(Model):
    def __init__(self) -> None:
        super().__init__("digits")
        self.network = Network()
        self.ready = True

    def predict(
        self,
        payload: dict[str, Any],
        headers: dict[str, str] | None = None,  # noqa: ARG002 - KServe's signature
        response_headers: dict[str, str] | None = None,  # noqa: ARG002
    ) -> dict[str, Any]:
        return {"predictions": self.network.predict(frames(payload["instances"]))}


if __name__ == "__main__":
    server = ModelServer(http_port=port(), enable_grpc=False, enable_latency_logging=False)
    for log in ("kserve.trace", "uvicorn.access"):  # no other server here writes lines per request
        logging.getLogger(log).setLevel(logging.WARNING)
    server.start([Digits()])
