"""Requests that are hardly HTTP, as bytes on the socket, and what each is answered.

``tests/e2e/test_bad_input.py`` sends them all; ``tests/hostile/test_http.py`` sends another
request right behind each, which must not be read where the first was ambiguous.
"""

from dataclasses import dataclass

from tests.wire import get, post

CHUNKED = "Transfer-Encoding: chunked"
EMPTY_OBJECT = b"2\r\n{}\r\n0\r\n\r\n"  # as chunks

MALFORMED, BROKEN_OFF = (400, "malformed_request"), (400, "incomplete_body")
TOO_MUCH, TOO_LARGE = (431, "header_too_large"), (413, "body_too_large")
READ, FOUND = (422, "missing_field"), (200, None)  # {} is no image, but it is a whole body


@dataclass(frozen=True)
class HttpCase:
    """What is sent, and the status and code that it is answered with.

    closes: whether nothing behind it is read.
    """

    sent: bytes
    answer: tuple[int, str | None]
    closes: bool = True


def chunks(body: bytes, *headers: str) -> bytes:
    return post(CHUNKED, *headers, body=body)


def lines(first: str, *others: str) -> bytes:
    return "\r\n".join([first, *others, "", ""]).encode("latin-1")


def named(name: str, value: bytes) -> bytes:
    """A request for what is always there, with one more field."""
    return get("/livez")[:-2] + name.encode() + b": " + value + b"\r\n\r\n"


OLD = post().replace(b"HTTP/1.1", b"HTTP/1.0")[:-2]  # without its end

NOT_HTTP = {
    "the beginning of TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "HTTP/9.9": lines("GET /livez HTTP/9.9", "Host: x"),
    "HTTP/1.2": lines("GET /livez HTTP/1.2", "Host: x"),
    "HTTP/2.0": lines("GET /livez HTTP/2.0", "Host: x"),
    "HTTP/0.9": b"GET /livez\r\n\r\n",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "an unknown method": lines("BREW /livez HTTP/1.1", "Host: x"),
    "a method in small letters": lines("get /livez HTTP/1.1", "Host: x"),
    "a blank in the path": lines("GET /li vez HTTP/1.1", "Host: x"),
    "tabs for blanks": lines("GET\t/livez\tHTTP/1.1", "Host: x"),
    "a path of odd bytes": b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
    "bare LF": b"GET /livez HTTP/1.1\nHost: x\n\n",
    "bare LF behind a field": b"GET /livez HTTP/1.1\r\nHost: x\nA: b\r\n\r\n",
    "bare CR": b"GET /livez HTTP/1.1\r\nHost: x\rA: b\r\n\r\n",
    "a blank behind a name": lines("GET /livez HTTP/1.1", "Host : x"),
    "no name": lines("GET /livez HTTP/1.1", "Host: x", ": b"),
    "a folded field": lines("GET /livez HTTP/1.1", "Host: x", "A: b", " c"),
    "a folded first field": lines("GET /livez HTTP/1.1", " Host: x"),
    "no host": lines("GET /livez HTTP/1.1"),
    "two hosts": lines("GET /livez HTTP/1.1", "Host: a", "Host: b"),
    "a host that is none": lines("GET /livez HTTP/1.1", "Host: a b/c"),
    "a NUL in a request id": named("X-Request-ID", b"a\0b"),
    "control characters in a request id": named("X-Request-ID", b"a\x01\x1b[31mb"),
    "two lengths": post("Content-Length: 3", "Content-Length: 4", body=b"{}  "),
    "one length twice": post("Content-Length: 2", "Content-Length: 2", body=b"{}"),
    "a list of lengths": post("Content-Length: 2, 2", body=b"{}"),
    "a negative length": post("Content-Length: -1"),
    "a length with a sign": post("Content-Length: +4", body=b"{}  "),
    "a hexadecimal length": post("Content-Length: 0x2", body=b"{}"),
    "an empty length": post("Content-Length: ", body=b"{}"),
    "a length beyond 64 bits": post("Content-Length: 18446744073709551618", body=b"{}"),
    "a length, then chunks": post("Content-Length: 5", CHUNKED, body=b"0\r\n\r\n"),
    "chunks, then a length": chunks(b"0\r\n\r\n", "Content-Length: 5"),
    "chunks twice": chunks(EMPTY_OBJECT, CHUNKED),
    "chunks, then something else": chunks(EMPTY_OBJECT, "Transfer-Encoding: identity"),
    "chunks within something else": post("Transfer-Encoding: gzip, chunked", body=EMPTY_OBJECT),
    "something else within chunks": post("Transfer-Encoding: chunked, gzip", body=EMPTY_OBJECT),
    "nearly chunks": post("Transfer-Encoding: xchunked", body=EMPTY_OBJECT),
    "chunks behind a tab": post("Transfer-Encoding: \x0bchunked", body=EMPTY_OBJECT),
    "a blank behind chunks' name": post("Transfer-Encoding : chunked", body=EMPTY_OBJECT),
    "chunks of HTTP/1.0": OLD + b"Transfer-Encoding: chunked\r\n\r\n" + EMPTY_OBJECT,
    "an upgrade with a length and chunks": chunks(
        EMPTY_OBJECT, "Content-Length: 3", "Connection: upgrade", "Upgrade: h2c"
    ),
    "an upgrade without a host": lines(
        "GET /livez HTTP/1.1", "Connection: upgrade", "Upgrade: h2c"
    ),
    "CONNECT without a host": lines("CONNECT x:1 HTTP/1.1"),
}

BAD_CHUNKS = {
    "that are no number": b"zz\r\n0123\r\n",
    "of a negative size": b"-5\r\n0123\r\n",
    "of a size with a sign": b"+2\r\n{}\r\n0\r\n\r\n",
    "of a size with a prefix": b"0x2\r\n{}\r\n0\r\n\r\n",
    "of a size with a blank": b"2 \r\n{}\r\n0\r\n\r\n",
    "beyond 64 bits": b"ffffffffffffffffff\r\n",
    "shorter than they are": b"1\r\n{}\r\n0\r\n\r\n",
    "with bare LF": b"2\n{}\n0\n\n",
    "with bare LF in an extension": b"2;a\nxx\r\n{}\r\n0\r\n\r\n",
    "with a length in a trailer": b"2\r\n{}\r\n0\r\nContent-Length: 5\r\n\r\n",
    "that break off": b"5\r\n{}",
}

HTTP_CASES = {
    **{name: HttpCase(sent, MALFORMED) for name, sent in NOT_HTTP.items()},
    **{f"chunks {name}": HttpCase(chunks(body), BROKEN_OFF) for name, body in BAD_CHUNKS.items()},
    "CONNECT": HttpCase(lines("CONNECT x:1 HTTP/1.1", "Host: x"), (404, "not_found")),
    "a long path": HttpCase(get("/" + "a" * 9_000), (414, "target_too_long"), closes=True),
    "a long query": HttpCase(get("/livez?" + "a" * 9_000), (414, "target_too_long")),
    "a long path and an upgrade": HttpCase(
        get("/" + "a" * 9_000, "Connection: upgrade", "Upgrade: h2c"), (414, "target_too_long")
    ),
    "a path without end": HttpCase(b"GET /" + b"a" * 100_000, TOO_MUCH),
    "a large field": HttpCase(named("X", b"a" * 40_000), TOO_MUCH),
    "a large name": HttpCase(named("X" * 40_000, b"a"), TOO_MUCH),
    "many fields": HttpCase(get("/livez", *(f"A{number}: b" for number in range(5_000))), TOO_MUCH),
    "empty lines for a request": HttpCase(b"\r\n" * 40_000, TOO_MUCH),
    "a length over the limit": HttpCase(post(f"Content-Length: {10**12}"), TOO_LARGE),
    "a length over the limit, and an upgrade": HttpCase(
        post(f"Content-Length: {10**12}", "Connection: upgrade", "Upgrade: h2c"), TOO_LARGE
    ),
    "a large extension of a chunk": HttpCase(
        chunks(b"2;" + b"a" * 100_000 + b"\r\n{}\r\n0\r\n\r\n"), TOO_LARGE
    ),
    "large trailers": HttpCase(
        chunks(b"2\r\n{}\r\n0\r\n" + b"A: b\r\n" * 20_000 + b"\r\n"), TOO_LARGE
    ),
    # What is odd and means one thing only.
    "HTTP/1.0": HttpCase(b"GET /livez HTTP/1.0\r\n\r\n", FOUND),
    "an empty host": HttpCase(lines("GET /livez HTTP/1.1", "Host:"), FOUND, closes=False),
    "an address for a host": HttpCase(
        lines("GET /livez HTTP/1.1", "Host: [::1]:8000"), FOUND, closes=False
    ),
    "empty lines before a request": HttpCase(b"\r\n\r\n" + get("/livez"), FOUND, closes=False),
    "a whole address for a path": HttpCase(get("http://other/livez"), FOUND, closes=False),
    "a method that is not for it": HttpCase(
        lines("TRACE /livez HTTP/1.1", "Host: x"), (405, "method_not_allowed"), closes=False
    ),
    "noughts before a length": HttpCase(
        post("Content-Length: 002", body=b"{}"), READ, closes=False
    ),
    "a field that would be another": HttpCase(
        post("Transfer_Encoding: chunked", "Content-Length: 2", body=b"{}"), READ, closes=False
    ),
    "a short extension": HttpCase(chunks(b"2;a=b\r\n{}\r\n0\r\n\r\n"), READ, closes=False),
    "one byte a chunk": HttpCase(chunks(b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"), READ, closes=False),
    "an upgrade that is declined": HttpCase(
        chunks(EMPTY_OBJECT, "Connection: upgrade", "Upgrade: h2c"), READ, closes=False
    ),
}
