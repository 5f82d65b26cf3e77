"""BentoML: one service with one API."""

import bentoml

from tests.bench.peers.network import Answer, Network, frames


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Digits:
    def __init__(self) -> None:
        self.network = Network()

    @bentoml.api
    def predict(self, pixels: list[int]) -> dict[str, list[Answer]]:
        return {"predictions": self.network.predict(frames(pixels))}
