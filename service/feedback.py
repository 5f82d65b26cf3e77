"""``POST /feedback``: what an image really was; and what is wired where that is wanted."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from model import Artifact
from model.architecture import CLASSES
from model.classifier import Seen
from service import errors
from service.answers import JSON
from service.captures import Captures, DatabaseDown, Found, Label
from service.correlation import REQUEST_ID
from service.documents import kind, parse_object, printable
from service.exchange import Endpoint, Reply, Request
from service.inference import Watch
from service.keys import Keys
from service.limits import Limits, receive
from service.metrics import Metrics
from service.negotiation import media_type
from service.settings import ON, Settings, SettingsError

if TYPE_CHECKING:
    from service.database import Tables

ROUTE = "/feedback"

FILE = Path("digits-feedback.db")  # where no other is named

EXPECTED = 'send {"request_id": "...", "label": 0-9}, and "index" where it had several images'

FIELDS = ("request_id", "label", "index")

MAX_INDEX = 65_535  # no request has more images (settings.py, max_batch)

# What became of a label, as the metrics have it.
NOTED, REPEATED, CHANGED = "noted", "repeated", "changed"
UNKNOWN, UNAVAILABLE = "unknown", "unavailable"

RETRY = {"Retry-After": "1"}


@dataclass(frozen=True)
class Said:
    """What a client says of one image; index: None where it does not say."""

    request_id: str
    label: int
    index: int | None


def check(settings: Settings) -> None:
    """Raise SettingsError where feedback is wanted and what it takes is not there.

    A database that does not answer is no reason: it may come up later.
    """
    if settings.takes_feedback:
        _tables(settings).close()


def captures(settings: Settings, metrics: Metrics) -> Captures:
    """Where the settings have answers kept; raises SettingsError."""
    return Captures(
        _tables(settings),
        metrics,
        percent=settings.feedback_percent,
        capacity=settings.feedback_queue,
    )


def _tables(settings: Settings) -> "Tables":
    try:
        from service import database  # noqa: PLC0415 - 14 MB, where it is wanted
    except ModuleNotFoundError as missing:
        raise SettingsError(
            f"feedback needs {missing.name}, which is not installed; install digits[feedback]"
        ) from None
    limits = database.Limits(settings.feedback_max_rows, settings.feedback_max_days)
    if settings.feedback_url is not None:
        return database.Tables(database.postgresql(settings.feedback_url), limits)
    file = FILE if settings.feedback in (None, ON) else Path(settings.feedback)
    if not file.parent.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK):
        raise SettingsError(f"DIGITS_FEEDBACK: {file} cannot be written; set a file that can be")
    return database.Tables(database.sqlite(file), limits)


def keeper(captures: Captures, keys: Keys) -> Watch:
    """What keeps the answers."""

    def keep(request: Request, artifact: Artifact, seen: Seen) -> None:
        frames = [frame.pixels for frame in seen.frames]
        client = keys.client(request.environ)
        captures.keep(request.id, artifact.version, frames, seen.predictions, client)

    return keep


def endpoints(
    captures: Captures, metrics: Metrics, keys: Keys, limits: Limits
) -> dict[str, Endpoint]:
    """What is answered to POST, by its path."""

    def note(request: Request) -> Reply:
        said = read(request, limits)
        client = keys.client(request.environ)
        label = Label(said.request_id, said.index, said.label, client, time.time())
        try:
            found = _found(captures.label(label), label)
        except DatabaseDown:
            metrics.feedback.labels(UNAVAILABLE).inc()
            raise errors.FeedbackUnavailable(
                "request_id", "labels cannot be stored now; send it again later", RETRY
            ) from None
        except errors.UnknownPrediction:
            metrics.feedback.labels(UNKNOWN).inc()
            raise
        metrics.feedback.labels(_result(found, label)).inc()
        document = {
            "noted": {
                "request_id": said.request_id,
                "index": said.index or 0,
                "label": said.label,
            },
            "replaced": found.label,
            "request_id": request.id,
        }
        return Reply(orjson.dumps(document))

    return {ROUTE: note}


def read(request: Request, limits: Limits) -> Said:
    """What is said in the body of a request; raises RequestError."""
    body = receive(request.environ, limits.max_body_bytes)
    media_type(request.content_type, (JSON,))
    document = parse_object(body, EXPECTED)
    for name in document.keys() - set(FIELDS):
        raise errors.InvalidFeedback(printable(name), f"the field is not known; {EXPECTED}")
    for name in ("request_id", "label"):
        if name not in document:
            raise errors.InvalidFeedback(name, f"{name} is missing; {EXPECTED}")
    request_id = document["request_id"]
    if not isinstance(request_id, str) or not REQUEST_ID.fullmatch(request_id):
        raise errors.InvalidFeedback(
            "request_id", "request_id is none; send the request_id of a prediction"
        )
    label = _whole(document["label"], "label", CLASSES - 1)
    index = document.get("index")
    return Said(request_id, label, None if index is None else _whole(index, "index", MAX_INDEX))


def _found(found: Found | None, label: Label) -> Found:
    """The image that a label is for; raises UnknownPrediction or InvalidFeedback."""
    if found is None:
        field = "index" if label.index else "request_id"
        raise errors.UnknownPrediction(
            field, f"nothing is kept under this {field}; send that of a prediction, soon after it"
        )
    if label.index is None and found.images > 1:
        raise errors.InvalidFeedback(
            "index", f"the request had {found.images} images; send the index of one, from 0"
        )
    return found


def _result(found: Found, label: Label) -> str:
    """What became of a label, as the metrics have it."""
    if found.label is None:
        return NOTED
    return REPEATED if found.label == label.digit else CHANGED


def _whole(value: object, field: str, high: int) -> int:
    """A whole number from 0 to ``high``; of JSON's ``true`` Python would make 1."""
    expected = f"send a whole number from 0 to {high}"
    if not isinstance(value, int) or isinstance(value, bool):
        raise errors.InvalidFeedback(field, f"{field} is {kind(value)}; {expected}")
    if not 0 <= value <= high:
        raise errors.InvalidFeedback(field, f"{field} is out of its range; {expected}")
    return value
