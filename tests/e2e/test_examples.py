"""The examples of the description, sent to a running server: they are what it answers."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.client import Answer
from tests.described import Description, Operation
from tests.helpers import table
from tests.server import Server, running

DESCRIBED = Description()

IN_PATHS = {"name": "digits", "version": "2"}

# What goes between any server and its client, and is no part of the interface.
TRANSPORT = {"Date", "Connection", "Content-Length", "Content-Type"}

KEY = "a-key-of-thirty-two-characters-x"

VOLATILE = {"request_id"}


@dataclass(frozen=True)
class Sent:
    """A request that is answered with an error of the description."""

    method: str
    path: str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


JSON = {"Content-Type": "application/json"}

# How to come by each of the errors that are shown.
ERRORS = {
    ("BadRequest", "cut-off"): Sent("POST", "/predict", b'{"pixels": [0, 1', JSON),
    ("Unauthorized", "no-key"): Sent("GET", "/models"),
    ("NotFound", "older"): Sent("GET", "/models/3"),
    ("MethodNotAllowed", "get"): Sent("GET", "/predict"),
    ("NotAcceptable", "html"): Sent("POST", "/predict", b"{}", {**JSON, "Accept": "text/html"}),
    ("TooLarge", "batch"): Sent(
        "POST", "/predict", bytes(784 * 1025), {"Content-Type": "application/octet-stream"}
    ),
    ("UnsupportedMediaType", "no-type"): Sent("POST", "/predict", b"{}"),
    ("Unprocessable", "two"): Sent("POST", "/predict", b'{"pixels": [0, 300]}', JSON),
    ("PlainUnauthorized", "no-key"): Sent("GET", "/v2"),
    ("PlainForbidden", "no-administrator"): Sent("POST", "/v2/repository/models/digits/load"),
    ("PlainNotFound", "older"): Sent("GET", "/v2/models/digits/versions/3"),
    ("PlainMethodNotAllowed", "get"): Sent("GET", "/v2/models/digits/infer"),
}

NEEDS_KEYS = {"Unauthorized", "PlainUnauthorized"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The shipped model with the settings that the description has by default."""
    with running(tmp_path_factory.mktemp("examples") / "log") as server:
        yield server


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that wants a key."""
    with running(tmp_path_factory.mktemp("guarded") / "log", api_keys=KEY) as server:
        yield server


def shown(of: Mapping[str, Any]) -> dict[str, Any]:
    """The examples of a media type."""
    examples = of.get("examples", {})
    return {name: DESCRIBED.resolved(example)["value"] for name, example in examples.items()}


def exchanges() -> Iterator[Any]:
    """Every example of an answer that is no error, with the request of the same name."""
    for operation in DESCRIBED.operations():
        body = operation.described.get("requestBody", {})
        asked = {
            k: v for content in body.get("content", {}).values() for k, v in shown(content).items()
        }
        for kind, content in DESCRIBED.responses(operation).get(200, {}).get("content", {}).items():
            for name, value in shown(content).items():
                sent = json.dumps(asked[name]).encode() if body else None
                yield pytest.param(
                    operation, sent, kind, value, id=f"{operation.path}, {name}, {kind}"
                )


def send(server: Server, sent: Sent) -> Answer:
    with server.client() as client:
        return client.request(sent.method, sent.path, sent.body, sent.headers)


@pytest.mark.parametrize(("operation", "body", "kind", "value"), list(exchanges()))
def test_an_example_is_what_is_answered(
    server: Server, operation: Operation, body: bytes | None, kind: str, value: object
) -> None:
    path = operation.filled(**IN_PATHS)
    answer = send(server, Sent(operation.method.upper(), path, body, {**JSON, "Accept": kind}))
    assert (answer.status, answer.headers["Content-Type"]) == (200, kind)
    assert_alike(answer, value)


@pytest.mark.parametrize(("component", "name"), ERRORS)
def test_an_error_is_told_as_it_is_shown(
    server: Server, guarded: Server, component: str, name: str
) -> None:
    described = DESCRIBED.components["responses"][component]
    [(kind, content)] = described["content"].items()
    answer = send(guarded if component in NEEDS_KEYS else server, ERRORS[component, name])
    assert answer.headers["Content-Type"] == kind
    assert answer.headers.keys() <= described["headers"].keys() | TRANSPORT
    assert_alike(answer, shown(content)[name])


def test_every_error_that_is_shown_is_provoked() -> None:
    shown_errors = {
        (component, name)
        for component, described in DESCRIBED.components["responses"].items()
        for content in described.get("content", {}).values()
        for name in shown(content)
    }
    assert shown_errors == ERRORS.keys()


def test_every_request_that_is_shown_has_an_answer() -> None:
    """So the exchanges above leave none of them out."""
    for operation in DESCRIBED.operations():
        asked, answered = (
            {name for content in contents.values() for name in shown(content)}
            for contents in (
                operation.described.get("requestBody", {}).get("content", {}),
                DESCRIBED.responses(operation).get(200, {}).get("content", {}),
            )
        )
        assert asked <= answered


@table(
    "path, headers, status",
    {
        "a page": ("/", {"Accept": "text/html"}, 200),
        "a page that is known": ("/docs", {"If-None-Match": "*"}, 304),
        "a page of which another is named": ("/docs", {"If-Match": '"other"'}, 200),
        "a file that is known": ("/static/page.js", {"If-None-Match": "*"}, 304),
        "a part of a file": ("/static/page.js", {"Range": "bytes=0-1"}, 200),
        "no part of a file": ("/static/page.js", {"Range": "bytes=9999999-"}, 200),
        "no file": ("/static/none", {}, 404),
        "a long answer, compressed": ("/models", {"Accept-Encoding": "gzip"}, 200),
        "the description": ("/openapi.json", {"Accept-Encoding": "gzip"}, 200),
    },
)
def test_no_header_of_an_answer_is_left_out(
    server: Server, path: str, headers: Mapping[str, str], status: int
) -> None:
    answer = send(server, Sent("GET", path, None, headers))
    folder = path.rpartition("/")[0]
    described = f"{folder}/{{filename}}" if folder else path
    [operation] = [each for each in DESCRIBED.operations() if each.path == described]
    known = DESCRIBED.responses(operation)[status]["headers"].keys() | TRANSPORT
    assert answer.status == status
    assert answer.headers.keys() <= known
    assert len(answer.headers) == len({name.lower() for name in answer.headers})


def test_an_answer_is_dated_once(server: Server) -> None:
    with server.client() as client:
        client._connection.request("GET", "/static/page.js")
        response = client._connection.getresponse()
        response.read()
    assert len(response.headers.get_all("Date") or []) == 1


def assert_alike(answer: Answer, value: object) -> None:
    """What is shown is what is answered, up to ids and the noise of floats."""
    if isinstance(value, str):
        assert same(rows(value), rows(answer.body.decode()))
    else:
        assert same(value, answer.json)


def rows(text: str) -> list[list[object]]:
    """The lines of a table, or of JSON, as values."""
    if text.startswith("{"):
        return [[json.loads(line)] for line in text.splitlines()]
    return [[_number(cell) for cell in line.split(",")] for line in text.split("\r\n")]


def _number(cell: str) -> float | str:
    try:
        return float(cell)
    except ValueError:
        return cell


def same(shown: object, found: object) -> bool:
    if isinstance(shown, dict) and isinstance(found, dict):
        return shown.keys() == found.keys() and all(
            key in VOLATILE or same(shown[key], found[key]) for key in shown
        )
    if isinstance(shown, list) and isinstance(found, list):
        return len(shown) == len(found) and all(map(same, shown, found))
    if isinstance(shown, float):
        return found == pytest.approx(shown, abs=1e-3)
    return shown == found
