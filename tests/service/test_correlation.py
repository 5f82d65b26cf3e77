"""What a request is called: ids that are taken as they are sent, and ids that are made."""

import json
import re
from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient

from model import Artifact, Classifier
from service import correlation
from service.app import create_app
from service.correlation import Trace
from service.settings import Settings
from tests.helpers import table

TRACE_ID, PARENT_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SENT = f"00-{TRACE_ID}-{PARENT_ID}-01"

ANY_ID = re.compile("[0-9a-f]{32}")


@table(
    "sent, flags",
    {
        "sampled": (SENT, 1),
        "not sampled": (SENT[:-1] + "0", 0),
        "with flags to come": (SENT[:-2] + "ff", 255),
        "of a later version": ("cc" + SENT[2:], 1),
        "of a later version, with more": ("01" + SENT[2:] + "-what.is to come", 1),
    },
)
def test_a_valid_traceparent_is_honoured(sent: str, flags: int) -> None:
    assert correlation.trace(sent) == Trace(TRACE_ID, PARENT_ID, flags)


@table(
    "sent",
    {
        "none": None,
        "empty": "",
        "with more in version 00": f"{SENT}-00",
        "with a dash behind it": f"{SENT}-",
        "of a later version, with more and no dash": "01" + SENT[2:] + "00",
        "of the version that is forbidden": "ff" + SENT[2:],
        "of no version": SENT[3:],
        "of a short version": SENT[1:],
        "without a trace": SENT.replace(TRACE_ID, "0" * 32),
        "without a parent": SENT.replace(PARENT_ID, "0" * 16),
        "in capitals": SENT.replace("b7ad", "B7AD"),
        "in a capital version": "CC" + SENT[2:],
        "of other letters": SENT.replace("b7ad", "g7ad"),
        "of other digits": SENT.replace("0af7", "\u06600af"),
        "too short": SENT[:-1],
        "too long a trace": SENT.replace(TRACE_ID, TRACE_ID + "0"),
        "of other dashes": SENT.replace("-", "_"),
        "with a blank": f" {SENT}",
        "with an end of line": f"{SENT}\n",
        "sent twice": f"{SENT},{SENT}",
    },
)
def test_of_any_other_nothing_is_taken(sent: str | None) -> None:
    made = correlation.trace(sent)
    assert ANY_ID.fullmatch(made.trace_id)
    assert made.trace_id != TRACE_ID
    assert made.parent_id is None


@table(
    "sent, taken",
    {
        "letters, digits and some signs": ("Aa0._-", True),
        "64 of them": ("a" * 64, True),
        "65 of them": ("a" * 65, False),
        "nothing": ("", False),
        "a blank": ("a b", False),
        "an end of line": ("a\n", False),
        "a quote": ('a"', False),
        "other letters": ("\xe9", False),
    },
)
def test_a_request_id_is_taken_as_it_is_or_made(sent: str, *, taken: bool) -> None:
    assert (correlation.request_id(sent) == sent) == taken
    assert taken or ANY_ID.fullmatch(correlation.request_id(sent))


def test_no_two_requests_are_called_the_same() -> None:
    made = [name for _ in range(100) for name in (correlation.request_id(None),)]
    made += [correlation.trace(None).trace_id for _ in range(100)]
    assert len(set(made)) == 200


def client_that_logs(shipped: Artifact, level: str = "info") -> FlaskClient:
    settings = Settings(access_log=1, log_level=level)
    return create_app(settings, Classifier(shipped)).test_client()


def test_a_line_of_the_log_tells_of_a_request(
    shipped: Artifact, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = client_that_logs(shipped).get(
        "/models/9?secret=query",
        headers={
            "X-Request-ID": "a-1",
            "traceparent": SENT,
            "User-Agent": "secret agent",
            "Authorization": "Bearer secret-token",
        },
    )
    assert answer.status_code == 404
    [line] = capfd.readouterr().err.splitlines()
    said = json.loads(line)
    assert abs(datetime.now(UTC) - datetime.fromisoformat(said.pop("time"))).total_seconds() < 60
    assert 0 <= said.pop("duration_seconds") < 60
    assert said == {
        "level": "info",
        "message": "GET /models/<version> 404",
        "request_id": "a-1",
        "trace_id": TRACE_ID,
        "parent_id": PARENT_ID,
        "method": "GET",
        "route": "/models/<version>",
        "status": 404,
    }


def test_nothing_that_a_client_makes_up_is_in_the_log(
    shipped: Artifact, capfd: pytest.CaptureFixture[str]
) -> None:
    client_that_logs(shipped).open(
        '/no/\u2028such\n{"level": "error"}',
        method="B\xe9\x1b[2J",
        headers={"X-Request-ID": '"}{"', "traceparent": '"}{"'},
    )
    text = capfd.readouterr().err
    assert len(text.splitlines()) == 1
    assert text.isascii()
    assert text[:-1].isprintable()
    said = json.loads(text)
    assert said["route"] == "none"
    assert ANY_ID.fullmatch(said["request_id"])


@table(
    "settings",
    {
        "by default": Settings(),
        "at a level above": Settings(access_log=1, log_level="warning"),
    },
)
def test_no_line_is_written(
    shipped: Artifact, capfd: pytest.CaptureFixture[str], settings: Settings
) -> None:
    create_app(settings, Classifier(shipped)).test_client().get("/livez")
    assert capfd.readouterr().err == ""
