"""Requests that come together: one pass through the network, and each its own answer."""

import gzip
import json
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from flask import Flask
from werkzeug.test import EnvironBuilder

from model import Artifact, Classifier
from model.classifier import Seen
from model.frame import MANNERS, Manner
from model.normalizer import normalize
from service.app import create_app
from service.batches import Images
from service.drift import Drift
from service.exchange import Reply
from service.front import Front
from service.wsgi import Environ, Response
from tests.service.cases import GOOD, JSON, PNG, RAW, BadRequest, pixels_json, png
from tests.service.conftest import SETTINGS
from tests.service.encodings import DIGITS as DRAWN
from tests.service.encodings import draw
from tests.service.test_errors import ALL_CASES
from tests.service.test_front import ANSWERED, V2
from tests.service.test_metrics import samples

POISON = 77
SPOILT = [POISON] * len(GOOD)

DIGITS = 5  # that two ways to the same network agree to, behind the point

PREDICTING = [
    BadRequest(name, 200, "", "", body, headers, path=path)
    for name, (path, body, headers) in ANSWERED.items()
]
CASES = [case for case in (*PREDICTING, *ALL_CASES) if case.method == "POST"]


def environ(case: BadRequest) -> Environ:
    """The environment of a request, as the front finds it."""
    path, _, query = case.path.partition("?")
    headers = {**case.headers, "X-Request-ID": "same"}
    builder = EnvironBuilder(path, method="POST", query_string=query, data=case.body)
    builder.headers.clear()
    builder.headers.extend(headers)
    return builder.get_environ()


def post(body: bytes, headers: Mapping[str, str], path: str = "/predict") -> Environ:
    return environ(BadRequest("", 200, "", "", body, headers, path=path))


def front_of(app: Flask) -> Front:
    front = app.wsgi_app
    assert isinstance(front, Front)
    return front


def answers(front: Front, environs: Sequence[Environ]) -> list[Response]:
    """Of requests that came together."""
    return front.answer([front.open(one) for one in environs])


def test_who_watches_and_fails_costs_nobody_an_answer(
    shipped: Artifact, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Drift, "watch", fail)
    front = front_of(create_app(SETTINGS, Classifier(shipped)))
    turn = answers(front, [post(pixels_json(GOOD), JSON) for _ in range(3)])
    assert [response.status[:3] for response in turn] == ["200"] * 3
    assert [record.levelname for record in caplog.records].count("ERROR") == 3


def fail(*_: object) -> None:
    raise RuntimeError("it watches no more")


def rounded(value: object) -> object:
    match value:
        case float():
            return round(value, DIGITS)
        case list():
            return [rounded(one) for one in value]
        case dict():
            return {name: rounded(one) for name, one in value.items()}
    return value


def told(response: Response) -> tuple[str, list[str], object]:
    """What an answer says, its numbers as far as they have to agree."""
    fields = dict(response.headers)
    names, body = sorted(fields), response.body
    if fields.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    if fields["Content-Type"].endswith("json"):
        return response.status, names, rounded(json.loads(body))
    return response.status, names, len(body)


def test_each_is_told_what_it_would_be_told_alone(shared: Flask) -> None:
    front = front_of(shared)
    alone = [told(one) for case in CASES for one in answers(front, [environ(case)])]
    together = [told(one) for one in answers(front, [environ(case) for case in CASES])]
    assert len(alone) > 200
    assert together == alone


def test_nobody_is_told_what_another_asked(shared: Flask) -> None:
    frames = [normalize(draw(strokes)).pixels for strokes in DRAWN.values()]
    batches = [frames[start:end] for start in range(len(frames)) for end in (start + 1, None)]
    bodies = [np.stack(batch).tobytes() for batch in batches]
    alone, together = (
        [told(one) for group in groups for one in answers(front_of(shared), group)]
        for groups in (
            [[post(body, RAW)] for body in bodies],
            [[post(body, RAW) for body in bodies]],
        )
    )
    assert together == alone
    assert len({str(one) for one in alone}) == len({*bodies})


def test_images_that_are_to_be_normalized_otherwise_go_apart(shared: Flask) -> None:
    light = (255 - np.array(GOOD)).tolist()
    ways = [
        post(pixels_json(pixels), JSON, f"/predict?normalize={manner}")
        for manner in MANNERS
        for pixels in (GOOD, light)
    ]
    front = front_of(shared)
    alone = [told(one) for way in ways for one in answers(front, [way | rewound(way)])]
    assert [told(one) for one in answers(front, [way | rewound(way) for way in ways])] == alone
    assert len({str(one) for one in alone}) > 2  # or the manners would make no difference


def rewound(way: Environ) -> Environ:
    way["wsgi.input"].seek(0)
    return {}


class Allergic(Classifier):
    """Fails whenever a spoilt image is among those that it is given."""

    calls = 0

    def look(self, images: Images, manner: Manner = "auto") -> Seen:
        self.calls += 1
        if any((image == POISON).all() for image in images):
            raise RuntimeError("secret")
        return super().look(images, manner)


def test_what_one_has_broken_breaks_no_other(shipped: Artifact) -> None:
    front = front_of(create_app(SETTINGS, Allergic(shipped)))
    good, spoilt = pixels_json(GOOD), pixels_json(SPOILT)
    found = answers(front, [post(body, JSON) for body in (good, spoilt, good, b"{}", spoilt)])
    assert [response.status[:3] for response in found] == ["200", "500", "200", "422", "500"]
    assert b"secret" not in b"".join(response.body for response in found)


def test_an_answer_that_cannot_be_written_is_the_only_one_that_fails(
    shared: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Reply:
        raise RuntimeError("secret")

    monkeypatch.setattr("service.protocols.v2_response.write", fail)
    bodies = [post(V2, {}, "/v2/models/digits/infer"), post(pixels_json(GOOD), JSON)]
    assert [one.status[:3] for one in answers(front_of(shared), bodies)] == ["500", "200"]


def test_they_are_one_call_of_the_network(shipped: Artifact) -> None:
    classifier = Allergic(shipped)
    front = front_of(create_app(SETTINGS, classifier))
    classifier.calls = 0
    frame = np.array(GOOD, np.uint8).reshape(28, 28)
    bodies = [(pixels_json(GOOD), JSON), (bytes(784 * 2), RAW), (png(frame), PNG)]
    assert len(answers(front, [post(*body) for body in bodies])) == 3
    assert classifier.calls == 1


def test_together_they_are_counted_as_alone(shipped: Artifact) -> None:
    counts = []
    for at_once in (1, len(CASES)):
        app = create_app(SETTINGS, Classifier(shipped))
        environs = [environ(case) for case in CASES]
        for start in range(0, len(CASES), at_once):
            answers(front_of(app), environs[start : start + at_once])
        found = samples(app.test_client())
        counts.append(
            {
                key: value
                for key, value in found.items()
                if key[0].endswith(("_total", "_count", "in_flight"))
            }
        )
    assert counts[0] == counts[1]
    assert counts[0]["digits_requests_total", "/predict", "200"] > 3
