"""LitServe: its four verbs."""

import litserve
import numpy as np
from numpy.typing import NDArray

from tests.bench.peers.network import Answer, Network, frames, port


class Digits(litserve.LitAPI):
    def setup(self, device: str) -> None:  # noqa: ARG002 - the processor
        self.network = Network()

    def decode_request(self, request: dict[str, list[int]]) -> NDArray[np.uint8]:
        return frames(request["pixels"])

    def predict(self, x: NDArray[np.uint8]) -> list[Answer]:
        return self.network.predict(x)

    def encode_response(self, output: list[Answer]) -> dict[str, list[Answer]]:
        return {"predictions": output}


if __name__ == "__main__":
    server = litserve.LitServer(Digits(), accelerator="cpu")
    server.run(host="127.0.0.1", port=port(), log_level="warning", generate_client_file=False)
