"""MLServer: a runtime of its own, in the process that reads the requests."""

import asyncio

from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

from tests.bench.peers.network import Network, port

METRICS_PORT, GRPC_PORT = 1, 2  # beyond its own


class Digits(MLModel):
    async def load(self) -> bool:
        self.network = Network()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        frames = NumpyCodec.decode_input(payload.inputs[0])
        probabilities = self.network.probabilities(frames)
        outputs = {"digit": probabilities.argmax(axis=1), "probabilities": probabilities}
        return InferenceResponse(
            model_name=self.name,
            outputs=[NumpyCodec.encode_output(name, value) for name, value in outputs.items()],
        )


async def main() -> None:
    settings = Settings(
        debug=False,
        host="127.0.0.1",
        http_port=port(),
        grpc_port=port() + GRPC_PORT,
        metrics_port=port() + METRICS_PORT,
        parallel_workers=0,
    )
    await MLServer(settings).start([ModelSettings(name="digits", implementation=Digits)])


if __name__ == "__main__":
    asyncio.run(main())
