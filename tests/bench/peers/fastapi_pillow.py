"""FastAPI for pictures: Pillow reads the body, turns it to grey and to 28x28."""

import io

import numpy as np
from fastapi import FastAPI, Request
from PIL import Image

from tests.bench.peers.network import PIXELS, SIDE, Answer, Network

app = FastAPI()
network = Network()


@app.post("/predict")
async def predict(request: Request) -> dict[str, list[Answer]]:
    with Image.open(io.BytesIO(await request.body())) as picture:
        grey = picture.convert("L")
    if grey.size != (SIDE, SIDE):
        grey = grey.resize((SIDE, SIDE))
    return {"predictions": network.predict(np.asarray(grey).reshape(1, PIXELS))}
