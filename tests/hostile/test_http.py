"""What is hardly HTTP: refused cheaply, and nothing is smuggled behind it."""

import time

import pytest

from tests.helpers import table
from tests.hostile.assault import Hostile, withstand
from tests.server import Server
from tests.service.cases_http import CHUNKED, HTTP_CASES, HttpCase
from tests.wire import answers, connect, get, post, raw, rest

SMUGGLED = get("/smuggled")
REQUEST = b'"request_id"'  # in each line of the log that is of one


@table("case", HTTP_CASES)
def test_nothing_behind_an_ambiguous_request_is_read_as_another(
    server: Server, case: HttpCase
) -> None:
    hostile = Hostile(lambda: case.sent, *case.answer)
    said = withstand(server, hostile, behind=SMUGGLED)
    assert [answer.status for answer in said[1:]] == ([] if case.closes else [404])
    assert said[0].headers["Connection"] == ("close" if case.closes else "keep-alive")


OTHER_PROTOCOL = {
    name: case for name, case in HTTP_CASES.items() if "upgrade" in name or "CONNECT" in name
}


@table("case", OTHER_PROTOCOL)
def test_a_wish_for_another_protocol_is_one_request(server: Server, case: HttpCase) -> None:
    """Its head is read a second time, without the wish, and answered and counted once."""
    before = server.log.read_bytes().count(REQUEST)
    assert len(answers(raw(server.port, case.sent))) == 1
    assert server.log.read_bytes().count(REQUEST) == before + 1


@table(
    "first",
    {
        "a length and chunks": post("Content-Length: 6", CHUNKED, body=b"0\r\n\r\n"),
        "two lengths": post("Content-Length: 0", "Content-Length: 44"),
        "malformed chunks": post(CHUNKED, body=b"x\r\n"),
        "a length over the limit": post(f"Content-Length: {10**9}"),
    },
)
def test_a_refused_connection_is_closed_whatever_its_client_does(
    server: Server, first: bytes
) -> None:
    """Also where the client leaves it open, and sends the rest later."""
    with connect(server.port) as connection:
        connection.sendall(first)
        time.sleep(0.1)
        connection.sendall(SMUGGLED)
        [answer] = answers(rest(connection))
    assert answer.headers["Connection"] == "close"
    assert b"smuggled" not in server.log.read_bytes()


@pytest.mark.parametrize("size", range(1, 40))
def test_however_a_request_arrives_it_is_the_same(server: Server, size: int) -> None:
    """In pieces of so many bytes: an upgrade, chunks and trailers, then another."""
    sent = post(
        CHUNKED, "Connection: upgrade", "Upgrade: h2c", body=b"2\r\n{}\r\n0\r\nA: b\r\n\r\n"
    )
    sent += get("/livez", "Connection: close")
    with connect(server.port) as connection:
        for start in range(0, len(sent), size):
            connection.sendall(sent[start : start + size])
        statuses = [answer.status for answer in answers(rest(connection))]
    assert statuses == [422, 200]


NAMES = 300


def test_names_of_fields_are_not_kept(server: Server) -> None:
    """A name of every client's own, as long as a head may be, is no memory of the workers."""

    def many() -> bytes:
        long = "A" * 31_000
        return b"".join(get("/livez", f"{long}{number}: b") for number in range(NAMES))

    said = withstand(server, Hostile(many, 200))
    assert len(said) == NAMES


def test_more_than_anybody_would_ask_at_once_is_answered_in_turn(server: Server) -> None:
    said = answers(raw(server.port, get("/livez") * 5_000))
    assert [answer.status for answer in said] == [200] * 5_000
