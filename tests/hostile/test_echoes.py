"""What a client says of itself is neither believed nor said again."""

import re

import pytest

from tests.helpers import table
from tests.hostile.assault import Hostile, withstand
from tests.server import Server
from tests.service.cases_http import CHUNKED
from tests.wire import answers, get, post, raw

FORGED = "forged.example"
FORGERIES = {
    "Host": ("GET {path} HTTP/1.1", f"Host: {FORGED}"),
    "Host with a port": ("GET {path} HTTP/1.1", f"Host: {FORGED}:81"),
    "an absolute address": (f"GET http://{FORGED}{{path}} HTTP/1.1", "Host: digits"),
    **{
        name: ("GET {path} HTTP/1.1", "Host: digits", f"{name}: {value}")
        for name, value in (
            ("X-Forwarded-For", FORGED),
            ("X-Forwarded-Host", FORGED),
            ("X-Forwarded-Server", FORGED),
            ("X-Forwarded-Proto", FORGED),
            ("X-Forwarded-Port", FORGED),
            ("X-Forwarded-Prefix", f"/{FORGED}"),
            ("X-Script-Name", f"/{FORGED}"),
            ("X-Original-URL", f"/{FORGED}"),
            ("X-Rewrite-URL", f"/{FORGED}"),
            ("X-HTTP-Method-Override", FORGED),
            ("X-Real-IP", FORGED),
            ("Forwarded", f"for={FORGED};host={FORGED};proto=https"),
            ("Referer", f"http://{FORGED}/"),
            ("Origin", f"http://{FORGED}"),
            ("User-Agent", FORGED),
            ("Cookie", f"session={FORGED}"),
        )
    },
}
PATHS = (
    "/",
    "//models",
    "/docs",
    "/docs/",
    "/openapi.json",
    "/models",
    "/metrics",
    "/drift",
    "/livez",
    "/readyz?verbose",
    "/static",
    "/predict",
    "/nowhere",
    "/v1/models",
    "/v2",
    "/v2/models/digits",
)


@table("forgery", FORGERIES)
def test_no_answer_tells_a_forged_name(server: Server, forgery: tuple[str, ...]) -> None:
    """Each page is asked for plainly and by a browser; none is elsewhere, by its own word."""
    first, *fields = forgery
    for accept in ("*/*", "text/html"):
        sent = [[first.format(path=path), *fields, f"Accept: {accept}"] for path in PATHS]
        said = raw(server.port, b"".join("\r\n".join([*one, "", ""]).encode() for one in sent))
        assert len(answers(said)) == len(PATHS)
        assert FORGED.encode() not in said
        assert b"\r\nLocation:" not in said
    assert FORGED not in server.log.read_text("utf-8")


FRESH = re.compile(r"[0-9a-f]{32}")


@table(
    "sent",
    {
        "10 kB": b"a" * 10_000,
        "65 characters": b"a" * 65,
        "a blank": b"a b",
        "a tab": b"a\tb",
        "an escape sequence in other words": rb"a\x1b[31m",
        "a quote": b'a"b',
        "a format": b"%s%n{0.__class__}",
        "a lookup": b"${jndi:ldap://x/a}",
        "a path": b"../../etc/passwd",
        "a tag": b"<script>",
        "bytes above ASCII": b"\xe2\x80\xae",
        "two of them": b"a\r\nX-Request-ID: b",
        "nothing": b"",
    },
)
def test_an_id_that_is_none_is_not_taken(server: Server, sent: bytes) -> None:
    request = b"GET /nowhere HTTP/1.1\r\nHost: x\r\nX-Request-ID: " + sent + b"\r\n\r\n"
    [answer] = withstand(server, Hostile(lambda: request, 404, "not_found"))
    made = answer.headers["X-Request-ID"]
    assert FRESH.fullmatch(made)
    assert answer.json["request_id"] == made
    if sent:
        assert sent not in b"".join([repr(answer.headers).encode(), answer.body])
        assert sent not in server.log.read_bytes()


def test_a_trailer_is_no_header(server: Server) -> None:
    """Who stands before the service has judged what came before the body."""
    body = b"2\r\n{}\r\n0\r\nX-Request-ID: trailed\r\nContent-Type: image/png\r\n\r\n"
    [answer] = withstand(server, Hostile(lambda: post(CHUNKED, body=body), 422, "missing_field"))
    assert answer.headers["X-Request-ID"] != "trailed"


@pytest.mark.parametrize(
    "path",
    [
        "/static/../settings.py",
        "/static/%2e%2e/settings.py",
        "/static/..%2fsettings.py",
        "/static/%2e%2e%5csettings.py",
        "/static//etc/passwd",
        "/static/%00",
        "/docs/../../etc/passwd",
        "/docs/%2e%2e/%2e%2e/__init__.py",
        "/models/../../etc/passwd",
        "/models/%2e%2e%2fdigits-1",
        "/models/1%00",
        "/v2/models/digits/versions/..%2f..%2f1",
        "/%0d%0aSet-Cookie:%20a=b",
        "/{0.__class__}",
        "/%25s%25n",
        "/" + "../" * 2_000,
    ],
)
def test_no_path_leads_out(server: Server, path: str) -> None:
    [answer] = answers(raw(server.port, get(path)))
    assert answer.status == 404
    assert "Set-Cookie" not in answer.headers
    assert b"passwd" not in answer.body
    assert b"import" not in answer.body
