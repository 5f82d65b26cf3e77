"""FastAPI with what costs taken out: msgspec checks the raw body, orjson writes the answer.

Batches come as in the protocol of KServe v1, ``{"instances": [[...], ...]}``, or as bytes.
"""

from typing import Annotated

import msgspec
import numpy as np
import orjson
from fastapi import FastAPI, Request, Response

from tests.bench.peers.network import PIXELS, Answer, Network, frames

Pixel = Annotated[int, msgspec.Meta(ge=0, le=255)]
Pixels = Annotated[list[Pixel], msgspec.Meta(min_length=PIXELS, max_length=PIXELS)]


class Image(msgspec.Struct):
    pixels: Pixels


class Images(msgspec.Struct):
    instances: list[Pixels]


app = FastAPI()
network = Network()
image_decoder = msgspec.json.Decoder(Image)
images_decoder = msgspec.json.Decoder(Images)


@app.post("/predict")
async def predict(request: Request) -> Response:
    image = image_decoder.decode(await request.body())
    return answered(network.predict(frames(image.pixels)))


@app.post("/batch")
async def batch(request: Request) -> Response:
    images = images_decoder.decode(await request.body())
    return answered(network.predict(frames(images.instances)))


@app.post("/raw")
async def raw(request: Request) -> Response:
    pixels = np.frombuffer(await request.body(), np.uint8)
    return answered(network.predict(pixels.reshape(-1, PIXELS)))


def answered(predictions: list[Answer]) -> Response:
    return Response(orjson.dumps({"predictions": predictions}), media_type="application/json")
