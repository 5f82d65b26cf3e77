"""Ray Serve: one replica behind its proxy."""

import threading

import ray
from ray import serve
from starlette.requests import Request

from tests.bench.peers.network import Answer, Network, frames, port


class Digits:
    def __init__(self) -> None:
        self.network = Network()

    async def __call__(self, request: Request) -> dict[str, list[Answer]]:
        body = await request.json()
        return {"predictions": self.network.predict(frames(body["pixels"]))}


if __name__ == "__main__":
    ray.init(num_cpus=1, include_dashboard=False)
    serve.start(http_options={"host": "127.0.0.1", "port": port()})
    deployment = serve.deployment(
        ray_actor_options={"num_cpus": 0.5},
        max_ongoing_requests=256,
        logging_config={"enable_access_log": False},
    )
    serve.run(deployment(Digits).bind(), route_prefix="/predict")
    threading.Event().wait()
