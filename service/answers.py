"""Native answers: predictions to JSON, CSV and lines of JSON; an explanation to JSON."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import orjson

from model import Artifact, Explanation, Prediction

IMPORTANCE_DIGITS = 3  # of values up to some 20 nats

JSON = "application/json"


@dataclass(frozen=True)
class Wanted:
    """What a client wants to be told of each image.

    top_k: how many of the likeliest digits to list, 0 for no list.
    """

    probabilities: bool = True
    top_k: int = 0


def entry(prediction: Prediction, labels: Sequence[int], wanted: Wanted) -> dict[str, Any]:
    """What is said about one image."""
    said: dict[str, Any] = {
        "digit": prediction.digit,
        "confidence": prediction.confidence,
        "accepted": prediction.reason is None,
        "reason": prediction.reason,
    }
    shares = prediction.probabilities
    if wanted.probabilities:
        said["probabilities"] = shares
    if wanted.top_k:
        said["top_k"] = [
            {"digit": labels[index], "probability": shares[index]}
            for index in likeliest(prediction, wanted.top_k)
        ]
    said["warnings"] = prediction.warnings
    return said


def likeliest(prediction: Prediction, count: int) -> list[int]:
    """The indices of the ``count`` largest probabilities, largest first."""
    shares = prediction.probabilities
    return sorted(range(len(shares)), key=lambda index: -shares[index])[:count]


def as_json(
    artifact: Artifact, predictions: Sequence[Prediction], request_id: str, wanted: Wanted
) -> bytes:
    """The one shape of every answer."""
    return orjson.dumps(_document(artifact, predictions, request_id, wanted))


def as_lines(
    artifact: Artifact, predictions: Sequence[Prediction], _request_id: str, wanted: Wanted
) -> bytes:
    """A line of JSON for each image (ndjson)."""
    return b"".join(
        orjson.dumps(entry(prediction, artifact.labels, wanted), option=orjson.OPT_APPEND_NEWLINE)
        for prediction in predictions
    )


def as_csv(
    artifact: Artifact, predictions: Sequence[Prediction], _request_id: str, wanted: Wanted
) -> bytes:
    """A row for each image below a row of names (RFC 4180).

    Booleans are ``true`` and ``false``; warnings, and the digits of ``top_k``, are
    separated by spaces; a column for each probability is called after its digit.
    """
    columns = ["digit", "confidence", "accepted", "reason", "warnings"]
    columns += ["top_k"] if wanted.top_k else []
    columns += [f"p{label}" for label in artifact.labels] if wanted.probabilities else []
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(columns)
    for prediction in predictions:
        said = entry(prediction, artifact.labels, wanted)
        row = [said["digit"], said["confidence"], str(said["accepted"]).lower(), said["reason"]]
        row.append(" ".join(said["warnings"]))
        row += [" ".join(str(top["digit"]) for top in said["top_k"])] if wanted.top_k else []
        writer.writerow([*row, *said.get("probabilities", ())])
    return table.getvalue().encode()


def explanation(artifact: Artifact, why: Explanation, request_id: str) -> bytes:
    """The answer to one image, with what the model saw and what made its answer, as JSON."""
    return orjson.dumps(_document(artifact, [why.prediction], request_id, Wanted()) | grounds(why))


def grounds(why: Explanation) -> dict[str, Any]:
    """What the model saw, and what made its answer."""
    return {
        "frame": why.frame.pixels.tolist(),
        "importance": np.round(why.importance.astype(np.float64), IMPORTANCE_DIGITS).tolist(),
        "steps": [{"name": step.name, "did": step.did} for step in why.frame.steps],
    }


def _document(
    artifact: Artifact, predictions: Sequence[Prediction], request_id: str, wanted: Wanted
) -> dict[str, Any]:
    return {
        "model": {"name": artifact.name, "version": artifact.version},
        "predictions": [entry(prediction, artifact.labels, wanted) for prediction in predictions],
        "request_id": request_id,
    }


Writer: TypeAlias = Callable[[Artifact, Sequence[Prediction], str, Wanted], bytes]

# What an answer may be, by its media type; the first where the client has no wish.
WRITERS: Mapping[str, Writer] = {
    JSON: as_json,
    "text/csv": as_csv,
    "application/x-ndjson": as_lines,
}
