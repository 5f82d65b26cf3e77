"""FastAPI as its tutorial has it: a pydantic model in, another one out."""

from typing import Annotated

from fastapi import FastAPI
from pydantic import BaseModel, Field

from tests.bench.peers.network import PIXELS, Network, frames

Pixel = Annotated[int, Field(ge=0, le=255)]


class Image(BaseModel):
    pixels: list[Pixel] = Field(min_length=PIXELS, max_length=PIXELS)


class Prediction(BaseModel):
    digit: int
    confidence: float
    probabilities: list[float]


class Answer(BaseModel):
    predictions: list[Prediction]


app = FastAPI()
network = Network()


@app.post("/predict")
async def predict(image: Image) -> Answer:
    return Answer(
        predictions=[Prediction(**said) for said in network.predict(frames(image.pixels))]
    )
