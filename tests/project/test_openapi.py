"""The description is what the code does: routes, statuses, limits, words."""

import json
import re
import tomllib
from http import HTTPStatus as Status
from typing import get_args

import pytest
from flask import Flask

import service
from model import Classifier, locate
from model.aliases import MAX_NUMBER
from model.architecture import CLASSES, FRAME_SIDE
from model.classifier import Reason
from model.frame import MANNERS, Finding
from model.reference import FEATURES, Verdict
from service import codings, connection, errors, problems, protocols
from service.answers import WRITERS
from service.app import create_app
from service.bodies import MEDIA_TYPES
from service.correlation import REQUEST_ID
from service.description import VIEWER_FILES
from service.exchange import POLICY, SAFE
from service.feedback import MAX_INDEX
from service.keys import CHALLENGE, OPEN
from service.metrics import CONTENT_TYPE
from service.page import FILES
from service.pixels import PIXELS
from service.protocols import v2_metadata, v2_request
from service.protocols.native import FORMS
from service.settings import Settings
from tests.described import METHODS, Description, Operation, references, template
from tests.helpers import ROOT

# With every route that there may be; nothing is sent that would be stored.
EVERYTHING = Settings(feedback_url="postgresql://127.0.0.1:1/none")

DESCRIBED = Description(EVERYTHING)
OPERATIONS = list(DESCRIBED.operations())

# Flask answers these by itself; the description says so once, for all paths.
IMPLIED = {"HEAD", "OPTIONS"}

NAMES_ELSEWHERE = {"/feedback", "/predict", "/explain"}  # in the body, or in the query

IN_PATHS = {"name": protocols.MODEL_NAME, "version": "1", "filename": "page.js"}

# Which no native route can be refused for.
FOR_PROTOCOLS = (errors.TensorError, errors.UnknownModel, errors.OnlyModel, errors.Forbidden)

NEVER_BUSY = {"/livez", "/readyz", "/healthz", "/health", "/metrics"} | {
    "/v2/health/live",
    "/v2/health/ready",
}

by_id = pytest.mark.parametrize(
    "operation", OPERATIONS, ids=lambda operation: operation.described["operationId"]
)


@pytest.fixture(scope="module")
def app() -> Flask:
    return create_app(EVERYTHING, Classifier.load(locate()))


def test_every_route_is_described_and_nothing_else(app: Flask) -> None:
    routes = {
        (template(rule.rule), method)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - IMPLIED
    }
    assert routes == {(each.path, each.method.upper()) for each in OPERATIONS}


def test_a_path_says_nothing_but_methods_and_parameters() -> None:
    for item in DESCRIBED.document["paths"].values():
        assert item.keys() <= {*METHODS, "parameters"}


def test_every_operation_has_a_name_of_its_own() -> None:
    names = [operation.described["operationId"] for operation in OPERATIONS]
    assert len(names) == len(set(names))


def test_every_reference_leads_somewhere_and_nothing_is_left_over() -> None:
    defined = {
        f"#/components/{kind}/{name}"
        for kind, components in DESCRIBED.components.items()
        for name in components
        if kind != "securitySchemes"
    }
    assert set(references(DESCRIBED.document)) == defined


def test_every_tag_is_explained() -> None:
    used = {tag for operation in OPERATIONS for tag in operation.described["tags"]}
    assert used == {tag["name"] for tag in DESCRIBED.document["tags"]}


def test_every_link_leads_to_an_operation_with_these_parameters() -> None:
    for operation in OPERATIONS:
        for answer in DESCRIBED.responses(operation).values():
            for link in answer.get("links", {}).values():
                target = DESCRIBED.operation(link["operationId"])
                assert link["parameters"].keys() == DESCRIBED.parameters(target, "path").keys()


@by_id
def test_the_parameters_of_a_path_are_described(operation: Operation) -> None:
    described = DESCRIBED.parameters(operation, "path")
    assert set(re.findall(r"{(\w+)}", operation.path)) == described.keys()
    assert all(parameter["required"] for parameter in described.values())


@by_id
def test_the_headers_that_every_request_may_have_are_described(operation: Operation) -> None:
    assert DESCRIBED.parameters(operation, "header").keys() >= {"X-Request-ID", "traceparent"}


@by_id
def test_a_key_is_asked_for_where_one_is_needed(operation: Operation) -> None:
    is_open = OPEN.fullmatch(operation.filled(**IN_PATHS)) is not None
    assert operation.described["security"] == ([] if is_open else [{}, {"bearer": []}, {"key": []}])
    assert (Status.UNAUTHORIZED in DESCRIBED.responses(operation)) == (not is_open)


@by_id
def test_what_may_happen_to_every_request_is_described(operation: Operation) -> None:
    statuses = DESCRIBED.responses(operation).keys()
    assert statuses >= {400, 405, 408, 414, 431, 500}
    assert (Status.TOO_MANY_REQUESTS in statuses) == (operation.path not in NEVER_BUSY)


@by_id
def test_an_address_with_a_name_in_it_may_lead_nowhere(operation: Operation) -> None:
    statuses = DESCRIBED.responses(operation).keys()
    has_name = "{" in operation.path or operation.path in NAMES_ELSEWHERE
    assert (Status.NOT_FOUND in statuses) == has_name


@by_id
def test_what_is_read_may_be_too_large(operation: Operation) -> None:
    reads = "requestBody" in operation.described
    assert (Status.REQUEST_ENTITY_TOO_LARGE in DESCRIBED.responses(operation)) == reads


@by_id
def test_every_error_is_told_in_the_form_of_its_route(operation: Operation) -> None:
    for status, answer in DESCRIBED.responses(operation).items():
        if status < Status.BAD_REQUEST or status == Status.SERVICE_UNAVAILABLE:
            continue
        [(kind, content)] = answer["content"].items()
        if operation.in_protocol:
            assert status not in problems.COARSE
            assert kind == "application/json"
            assert content["schema"] == {"$ref": "#/components/schemas/Refusal"}
        else:
            assert kind == problems.PROBLEM_TYPE
            assert content["schema"]["properties"]["status"] == {"const": status}


def test_every_code_is_listed_with_its_status() -> None:
    told = {problems.INTERNAL.status: {problems.INTERNAL.code}}
    for error, problem in problems.TABLE.items():
        if not issubclass(error, FOR_PROTOCOLS):
            told.setdefault(problem.status, set()).add(problem.code)
    listed = {}
    for answer in DESCRIBED.components["responses"].values():
        content = answer.get("content", {}).get(problems.PROBLEM_TYPE)
        if content:
            properties = content["schema"]["properties"]
            listed[properties["status"]["const"]] = set(properties["code"]["enum"])
    assert listed == told


@by_id
def test_every_answer_has_the_headers_that_all_answers_have(operation: Operation) -> None:
    for answer in DESCRIBED.responses(operation).values():
        assert answer["headers"].keys() >= {"X-Request-ID", POLICY, *SAFE}


def test_the_words_and_numbers_are_those_of_the_code() -> None:
    schemas = DESCRIBED.components["schemas"]
    headers = DESCRIBED.components["headers"]
    predict, explain = DESCRIBED.operation("predict"), DESCRIBED.operation("explain")
    query = DESCRIBED.parameters(predict, "query")
    files = {path.name for path in FILES.iterdir()}

    def choices(operation: str, name: str, place: str) -> set[str]:
        parameter = DESCRIBED.parameters(DESCRIBED.operation(operation), place)[name]
        return set(parameter["schema"]["enum"])

    def content(operation: Operation) -> set[str]:
        return set(DESCRIBED.responses(operation)[200]["content"])

    assert schemas["Reason"]["enum"] == [*_words(Reason)]
    assert schemas["Warning"]["enum"] == [*_words(Finding)]
    assert schemas["Verdict"]["enum"] == [*_words(Verdict)]
    drift = schemas["Drift"]["properties"]
    assert drift["features"]["propertyNames"]["enum"] == [*FEATURES]
    assert choices("predict", "normalize", "query") == set(MANNERS)
    assert choices("explain", "format", "query") == set(FORMS)
    assert choices("getPageFile", "filename", "path") == files
    assert choices("getDocsFile", "filename", "path") == VIEWER_FILES
    assert choices("v2Infer", "name", "path") == {protocols.MODEL_NAME}
    assert content(predict) == set(WRITERS)
    assert content(explain) == set(FORMS.values())
    assert content(DESCRIBED.operation("getMetrics")) == {CONTENT_TYPE}
    for operation in (predict, explain):
        assert set(operation.described["requestBody"]["content"]) == set(MEDIA_TYPES)
    assert query["top_k"]["schema"]["maximum"] == CLASSES
    assert query["version"]["schema"]["maximum"] == MAX_NUMBER
    assert schemas["Feedback"]["properties"]["request_id"]["pattern"] == f"^{REQUEST_ID.pattern}$"
    assert schemas["Feedback"]["properties"]["index"]["maximum"] == MAX_INDEX
    assert schemas["Digit"]["maximum"] == CLASSES - 1
    assert schemas["Flat"]["minItems"] == schemas["Flat"]["maxItems"] == PIXELS
    assert schemas["Row"]["minItems"] == schemas["Rows"]["maxItems"] == FRAME_SIDE
    assert headers["RequestId"]["schema"]["pattern"] == f"^{REQUEST_ID.pattern}$"
    assert {"WWW-Authenticate": headers["WWWAuthenticate"]["schema"]["const"]} == CHALLENGE
    assert headers["AcceptEncoding"]["schema"]["const"] == ", ".join(codings.COMPRESS)
    assert headers["ContentEncoding"]["schema"]["enum"] == [*codings.COMPRESS]


def test_the_words_of_the_open_inference_protocol_are_those_of_the_code() -> None:
    schemas = DESCRIBED.components["schemas"]
    inputs: dict[str, set[str]] = {}
    for each in schemas["V2Input"]["oneOf"]:
        words = each["properties"]
        inputs.setdefault(words["name"]["const"], set()).add(words["datatype"]["const"])
    extensions = schemas["V2Server"]["properties"]["extensions"]["items"]["enum"]
    header = DESCRIBED.parameters(DESCRIBED.operation("v2Infer"), "header")
    assert inputs == {name: set(each.datatypes) for name, each in v2_metadata.INPUTS.items()}
    assert schemas["V2Output"]["properties"]["name"]["enum"] == [*v2_metadata.OUTPUTS]
    assert extensions == [*v2_metadata.EXTENSIONS]
    assert v2_request.HEADER_LENGTH in header


def test_the_limits_in_words_are_those_of_the_code() -> None:
    limits = {
        connection.MAX_HEAD_BYTES,
        connection.MAX_TARGET_BYTES,
        codings.MIN_COMPRESSED_BYTES,
    }
    found = re.findall(r"([\d ]*\d) bytes", json.dumps(DESCRIBED.document))
    large = {number for number in (int(text.replace(" ", "")) for text in found) if number > 999}
    assert large == limits


@pytest.mark.parametrize("most", [Settings().max_batch, 7])
def test_the_limits_are_those_of_the_server_that_tells_them(most: int) -> None:
    schemas = Description(Settings(max_batch=most)).components["schemas"]
    assert schemas["Batch"]["maxItems"] == schemas["BatchSize"]["maximum"] == most


def test_the_version_is_that_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert DESCRIBED.document["info"]["version"] == service.__version__ == project["version"]


@pytest.mark.parametrize("name", ["predict", "explain"])
def test_the_parameters_of_a_query_are_those_that_are_known(app: Flask, name: str) -> None:
    operation = DESCRIBED.operation(name)
    answer = app.test_client().post(f"{operation.path}?unknown=1", data=b"{}")
    known = ", ".join(DESCRIBED.parameters(operation, "query"))
    assert f"none of {known};" in answer.get_json(force=True)["detail"]


def _words(literals: object) -> list[str]:
    """The words of a type of literals, and of the types that it is a union of."""
    return [
        word
        for part in get_args(literals)
        for word in ([part] if isinstance(part, str) else _words(part))
    ]
