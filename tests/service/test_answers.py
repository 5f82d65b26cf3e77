"""What is answered: the fields that are asked for, in the type that is asked for."""

import csv
import io
import json
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from tests.helpers import table
from tests.service.cases import JSON, RAW, pixels_json
from tests.service.test_predict import FRAME

FIELDS = ["digit", "confidence", "accepted", "reason", "probabilities", "warnings"]

BATCH = np.stack([FRAME, FRAME.T, np.zeros_like(FRAME)]).tobytes()

CSV = {"Accept": "text/csv"}
LINES = {"Accept": "application/x-ndjson"}


def predictions(client: FlaskClient, query: str = "", body: bytes = BATCH) -> list[dict[str, Any]]:
    answer = client.post(f"/predict{query}", data=body, headers=RAW)
    assert answer.status_code == 200
    listed: list[dict[str, Any]] = answer.get_json()["predictions"]
    return listed


@table(
    "query, fields",
    {
        "nothing said": ("", FIELDS),
        "with probabilities": ("?probabilities=1", FIELDS),
        "without probabilities": (
            "?probabilities=0",
            [name for name in FIELDS if name != "probabilities"],
        ),
        "with the likeliest": ("?top_k=3", [*FIELDS[:-1], "top_k", "warnings"]),
        "with nothing but the likeliest": (
            "?top_k=1&probabilities=0",
            [*FIELDS[:4], "top_k", "warnings"],
        ),
    },
)
def test_an_answer_has_the_fields_that_were_asked_for(
    client: FlaskClient, query: str, fields: list[str]
) -> None:
    asked, usual = predictions(client, query), predictions(client)
    for entry, whole in zip(asked, usual, strict=True):
        assert list(entry) == fields
        assert {name: entry[name] for name in FIELDS if name in entry} == {
            name: whole[name] for name in FIELDS if name in entry
        }


@pytest.mark.parametrize("count", [1, 3, 10])
def test_the_likeliest_digits_come_first(client: FlaskClient, count: int) -> None:
    for entry in predictions(client, f"?top_k={count}"):
        shares = entry["probabilities"]
        best = sorted(range(10), key=lambda digit: (-shares[digit], digit))[:count]
        assert [top["probability"] for top in entry["top_k"]] == [shares[digit] for digit in best]
        assert entry["top_k"][0] == {"digit": entry["digit"], "probability": entry["confidence"]}


@pytest.mark.parametrize("query", ["", "?probabilities=0", "?top_k=2"])
def test_lines_of_json_say_the_same(client: FlaskClient, query: str) -> None:
    answer = client.post(f"/predict{query}", data=BATCH, headers=RAW | LINES)
    assert answer.content_type == "application/x-ndjson"
    assert answer.data.endswith(b"\n")
    assert [json.loads(line) for line in answer.data.splitlines()] == predictions(client, query)


def test_a_table_says_the_same(client: FlaskClient) -> None:
    answer = client.post("/predict?top_k=2", data=BATCH, headers=RAW | CSV)
    assert answer.content_type == "text/csv"
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    names = ["digit", "confidence", "accepted", "reason", "warnings", "top_k"]
    assert list(rows[0]) == names + [f"p{digit}" for digit in range(10)]
    for row, entry in zip(rows, predictions(client, "?top_k=2"), strict=True):
        assert row["digit"] == str(entry["digit"])
        assert float(row["confidence"]) == entry["confidence"]
        assert row["accepted"] == json.dumps(entry["accepted"])
        assert row["reason"] == (entry["reason"] or "")
        assert row["warnings"].split() == entry["warnings"]
        assert row["top_k"].split() == [str(top["digit"]) for top in entry["top_k"]]
        assert [float(row[f"p{digit}"]) for digit in range(10)] == entry["probabilities"]


def test_a_table_without_probabilities_has_no_columns_for_them(client: FlaskClient) -> None:
    answer = client.post("/predict?probabilities=0", data=BATCH, headers=RAW | CSV)
    assert answer.text.splitlines()[0] == "digit,confidence,accepted,reason,warnings"


@table(
    "path, accept, kind",
    {
        "nothing said": ("/predict", None, "application/json"),
        "anything": ("/predict", "*/*", "application/json"),
        "any application": ("/predict", "application/*", "application/json"),
        "what a browser's fetch says": (
            "/predict",
            "application/json, */*;q=0.1",
            "application/json",
        ),
        "a table rather": (
            "/predict",
            "application/json;q=0.5, text/csv",
            "text/csv",
        ),
        "any text": ("/predict", "text/*", "text/csv"),
        "an explanation": ("/explain", None, "application/json"),
        "an explanation as a picture": ("/explain", "image/png", "image/png"),
        "an explanation as any picture": ("/explain", "image/*", "image/png"),
        "the query goes before": ("/explain?format=json", "image/png", "application/json"),
    },
)
def test_the_answer_is_of_the_type_that_is_liked_best(
    client: FlaskClient, path: str, accept: str | None, kind: str
) -> None:
    headers = JSON | ({} if accept is None else {"Accept": accept})
    answer = client.post(path, data=pixels_json(FRAME.tolist()), headers=headers)
    assert (answer.status_code, answer.content_type) == (200, kind)
