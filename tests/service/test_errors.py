"""Every row of the error table, and what no error may show."""

import re
from collections import Counter

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from service import errors, problems
from tests.service.cases import BAD_REQUESTS, BadRequest
from tests.service.cases_access import UNAUTHORIZED
from tests.service.cases_v1 import V1_CASES
from tests.service.cases_v2 import V2_CASES

ALL_CASES = [*BAD_REQUESTS, *V1_CASES, *V2_CASES]
NATIVE = [case for case in ALL_CASES if not case.in_protocol]
PROTOCOL = [case for case in ALL_CASES if case.in_protocol]

# Only real connections break off, fall silent, garble their chunks or are too many: tests/e2e.
ONLY_ON_SOCKETS = {
    "incomplete_body",
    "read_timeout",
    "malformed_request",
    "overloaded",
    "header_too_large",
    "target_too_long",
}

# Where feedback is wanted: test_feedback.py.
ONLY_TO_FEEDBACK = {"invalid_feedback", "unknown_prediction", "feedback_unavailable"}

ONLY_OF_A_STORE = {"unusable_model_version"}  # test_versions.py
ONLY_TO_ADMINISTRATORS = {"only_model"}  # all others are forbidden to ask: protocols/test_v2.py

ONLY_WITH_A_LIMIT = {"rate_limited"}  # test_rates.py

PROBLEM_FIELDS = {"type", "title", "status", "detail", "code", "request_id", "errors"}


def send(app: Flask, case: BadRequest) -> tuple[TestResponse, list[str]]:
    """The answer to a bad request, and the codes under which the metrics have it counted."""
    client = app.test_client()
    before = refusals(client)
    answer = client.open(case.path, method=case.method, data=case.body, headers=case.headers)
    return answer, list((refusals(client) - before).elements())


def refusals(client: FlaskClient) -> Counter[str]:
    text = client.get("/metrics").get_data(as_text=True)
    found = re.findall(r'^digits_refused_total\{code="(\w+)"\} (\d+)\.0$', text, re.MULTILINE)
    return Counter({code: int(count) for code, count in found})


@pytest.mark.parametrize("case", NATIVE, ids=lambda case: case.name)
def test_a_bad_request_is_told_what_is_wrong_and_where(shared: Flask, case: BadRequest) -> None:
    response, counted = send(shared, case)
    problem = response.get_json(force=True)
    assert (response.status_code, problem["code"]) == (case.status, case.code)
    assert [error["field"] for error in problem["errors"]] == [case.field]
    assert problem.keys() == PROBLEM_FIELDS
    assert response.content_type == "application/problem+json"
    assert problem["status"] == case.status
    assert problem["request_id"] == response.headers["X-Request-ID"]
    assert counted == [case.code]


@pytest.mark.parametrize("case", PROTOCOL, ids=lambda case: case.name)
def test_a_bad_request_of_a_protocol_is_told_so_in_its_form(
    shared: Flask, case: BadRequest
) -> None:
    response, counted = send(shared, case)
    assert (response.status_code, counted) == (case.status, [case.code])
    assert response.content_type == "application/json"
    assert response.get_json().keys() == {"error"}
    assert case.field in response.get_json()["error"]


def test_every_code_has_a_case() -> None:
    codes = {problem.code for problem in problems.TABLE.values()}
    sent = {case.code for case in [*ALL_CASES, *UNAUTHORIZED]}  # these in test_access.py
    elsewhere = ONLY_ON_SOCKETS | ONLY_TO_FEEDBACK | ONLY_TO_ADMINISTRATORS | ONLY_OF_A_STORE
    assert sent | elsewhere | ONLY_WITH_A_LIMIT == codes


def test_every_error_class_has_a_row() -> None:
    def leaves(cls: type[errors.RequestError]) -> set[type[errors.RequestError]]:
        below = [leaf for child in cls.__subclasses__() for leaf in leaves(child)]
        return set(below) or {cls}

    assert leaves(errors.RequestError) == set(problems.TABLE)


def test_a_wrong_method_is_told_the_right_one(client: FlaskClient) -> None:
    response = client.delete("/predict")
    assert response.headers["Allow"] == "OPTIONS, POST"


def test_a_failure_of_the_service_shows_nothing_of_it(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    @app.get("/broken")
    def broken() -> str:
        raise RuntimeError("secret /etc/path")

    response = app.test_client().get(
        "/broken", headers={"X-Request-ID": "abc-1", "traceparent": f"00-{'a' * 32}-{'b' * 16}-00"}
    )
    problem = response.get_json(force=True)
    assert response.status_code == 500
    assert problem["code"] == "internal_error"
    assert problem["request_id"] == "abc-1"
    assert b"secret" not in response.data
    assert b"Traceback" not in response.data
    assert "secret /etc/path" in caplog.text
    assert "abc-1" in caplog.text
    assert "a" * 32 in caplog.text
