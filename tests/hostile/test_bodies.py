"""Bodies of the largest size, made of what is dearest to read: each has its price.

What is wrong in small is in ``tests/service/cases.py`` and its neighbours.
"""

import gzip
import zlib

import pytest

from service.settings import Settings
from tests.helpers import table
from tests.hostile.assault import CHEAP, Hostile, withstand
from tests.hostile.costs import Cost
from tests.server import Server
from tests.service.cases import FORM_AB, NOISE_PNG, form, one_pixel
from tests.wire import answers, get, post, raw, whole

SHIPPED = Settings()
MOST = SHIPPED.max_body_bytes - 1_000

# What a body of the largest size may take as the values of a JSON document.
A_DOCUMENT = Cost(2, 300)
NUMBERS = Cost(1.5, 130)
A_COPY = Cost(1, 60)  # of the body, or several


def filled(unit: bytes, before: bytes = b'{"pixels": [', behind: bytes = b"0]}") -> bytes:
    """A request as large as it may be, full of one thing."""
    return whole(before + unit * ((MOST - len(before) - len(behind)) // len(unit)) + behind)


def sent_form(body: bytes) -> bytes:
    return whole(body, content_type=FORM_AB["Content-Type"])


WITH_CARE = b'{"a": 1, "pixels": ['  # two keys: read a second time, for duplicates
HEAD = b'--ab\r\nContent-Disposition: form-data; name="image"'
PART = HEAD + b"\r\n\r\n"

JSON_BODIES = {
    "50 MB of digits": Hostile(
        lambda: whole(b"9" * 50_000_000), 413, "body_too_large", closes=True
    ),
    "50 MB of digits in chunks": Hostile(
        lambda: post(
            "Transfer-Encoding: chunked", body=(b"ffff\r\n" + b"9" * 65_535 + b"\r\n") * 763
        ),
        413,
        "body_too_large",
        A_COPY,
        closes=True,
    ),
    "8 MB of digits": Hostile(lambda: whole(b"9" * MOST), 400, "invalid_json", A_COPY),
    "8 MB of digits for a pixel": Hostile(
        lambda: whole(b'{"pixels": [' + b"9" * (MOST - 20) + b"]}"), 400, "invalid_json", A_COPY
    ),
    "8 MB of digits behind a point": Hostile(
        lambda: whole(b'{"pixels": [0.' + b"1" * (MOST - 20) + b"]}"),
        422,
        "wrong_pixel_count",
        A_COPY,
    ),
    "numbers of 4 000 digits": Hostile(
        lambda: filled(b"1" * 4_000 + b","), 422, "wrong_pixel_count", A_COPY
    ),
    "numbers of 4 000 digits, twice": Hostile(
        lambda: filled(b"1" * 4_000 + b",", WITH_CARE), 422, "unknown_field", A_COPY
    ),
    "an integer beyond any float": Hostile(
        lambda: whole(one_pixel("9" * 400)), 422, "pixel_out_of_range"
    ),
    "the smallest integer of 64 bits": Hostile(
        lambda: whole(one_pixel(str(-(2**63)))), 422, "pixel_out_of_range"
    ),
    "one beyond 64 bits": Hostile(lambda: whole(one_pixel(str(2**64))), 422, "pixel_out_of_range"),
    "1e999": Hostile(lambda: whole(one_pixel("1e999")), 422, "pixel_not_finite"),
    "-1e999": Hostile(lambda: whole(one_pixel("-1e999")), 422, "pixel_not_finite"),
    "-0.0": Hostile(lambda: whole(one_pixel("-0.0")), 200),
    "-0": Hostile(lambda: whole(one_pixel("-0")), 200),
    "1e-999": Hostile(lambda: whole(one_pixel("1e-999")), 200),
    "numbers": Hostile(lambda: filled(b"0,"), 422, "wrong_pixel_count", NUMBERS),
    "numbers, twice": Hostile(lambda: filled(b"0,", WITH_CARE), 422, "unknown_field", NUMBERS),
    "lists": Hostile(lambda: filled(b"[],"), 422, "ragged_rows", A_DOCUMENT),
    "lists, twice": Hostile(lambda: filled(b"[],", WITH_CARE), 422, "unknown_field", A_DOCUMENT),
    "lists for images": Hostile(
        lambda: filled(b"[],", b'{"instances": ['), 413, "batch_too_large", A_DOCUMENT
    ),
    "objects": Hostile(lambda: filled(b"{},"), 422, "wrong_type", A_COPY),
    "objects with a key": Hostile(lambda: filled(b'{"":0},'), 422, "wrong_type", A_COPY),
    "texts": Hostile(lambda: filled(b'"",'), 422, "wrong_type", A_COPY),
    "keys": Hostile(
        lambda: whole(b"{%s}" % b",".join(b'"%07d":0' % key for key in range(MOST // 12))),
        422,
        "wrong_type",
        A_COPY,
    ),
    "duplicate keys": Hostile(
        lambda: whole(b"{%s}" % b",".join([b'"pixels":0'] * 700)), 400, "duplicate_key"
    ),
    "10 000 deep": Hostile(lambda: whole(b"[" * 10_000 + b"]" * 10_000), 400, "nested_too_deeply"),
    "1 200 objects deep": Hostile(
        lambda: whole(b'{"a":' * 1_200 + b"0" + b"}" * 1_200), 400, "nested_too_deeply"
    ),
    "8 million deep": Hostile(lambda: whole(b"[" * MOST), 400, "nested_too_deeply", A_COPY),
    "4 million deep and back": Hostile(
        lambda: whole(b"[" * (MOST // 2) + b"]" * (MOST // 2)), 400, "nested_too_deeply", A_COPY
    ),
    "halves of surrogates": Hostile(
        lambda: whole(b'{"image": "' + rb"\ud800" * 1_000_000 + b'"}'), 400, "invalid_json", A_COPY
    ),
    "surrogates the wrong way round": Hostile(
        lambda: whole(rb'{"image": "\udc00\ud800"}'), 400, "invalid_json"
    ),
    "surrogates in UTF-8": Hostile(
        lambda: whole(b'{"image": "\xed\xa0\x80"}'), 400, "invalid_json"
    ),
    "a whole pair": Hostile(lambda: whole(rb'{"image": "\ud83d\ude00"}'), 422, "invalid_base64"),
    "8 MB of base64": Hostile(
        lambda: whole(b'{"image": "' + b"A" * (MOST - 20) + b'"}'), 422, "unreadable_image", A_COPY
    ),
    "blanks": Hostile(lambda: whole(b" " * MOST), 400, "invalid_json", A_COPY),
    "nothing but NUL": Hostile(lambda: whole(bytes(MOST)), 400, "invalid_json", A_COPY),
    "UTF-16": Hostile(lambda: whole('{"pixels": []}'.encode("utf-16")), 400, "invalid_json"),
}

FORMS = {
    "1 001 pictures": Hostile(lambda: sent_form(form(*[NOISE_PNG] * 1_001)), 200, cost=Cost(3, 30)),
    "1 001 parts of nothing": Hostile(
        lambda: sent_form(form(*[b""] * 1_001)), 422, "unreadable_image"
    ),
    "1 025 pictures": Hostile(
        lambda: sent_form(form(*[NOISE_PNG] * 1_025)), 413, "batch_too_large", A_COPY
    ),
    "80 000 parts": Hostile(
        lambda: sent_form(form(*[b""] * 80_000)), 413, "batch_too_large", A_COPY
    ),
    "a text of 600 kB": Hostile(
        lambda: sent_form(form(b"a" * 600_000, content_type="text/plain")), 422, "unreadable_image"
    ),
    "another field of 600 kB": Hostile(
        lambda: sent_form(form(b"a" * 600_000, name="note")), 422, "unknown_field"
    ),
    "no boundary": Hostile(
        lambda: whole(form(NOISE_PNG), content_type="multipart/form-data"), 400, "invalid_multipart"
    ),
    "an empty boundary": Hostile(
        lambda: whole(form(NOISE_PNG), content_type='multipart/form-data; boundary=""'),
        400,
        "invalid_multipart",
    ),
    "a boundary of 20 kB": Hostile(
        lambda: whole(
            form(NOISE_PNG), content_type="multipart/form-data; boundary=" + "a" * 20_000
        ),
        400,
        "invalid_multipart",
    ),
    "a boundary that is a pattern": Hostile(
        lambda: whole(form(NOISE_PNG), content_type='multipart/form-data; boundary="(a+)+(.*)*$"'),
        400,
        "invalid_multipart",
    ),
    "ends of lines": Hostile(
        lambda: sent_form(PART + b"\r" * 8_000_000), 400, "invalid_multipart", A_COPY
    ),
    "nearly boundaries": Hostile(
        lambda: sent_form(PART + b"\r\n--a" * 1_600_000), 400, "invalid_multipart", A_COPY
    ),
    "nearly boundaries in front": Hostile(
        lambda: sent_form(b"\r\n--a" * 1_600_000), 400, "invalid_multipart", Cost(1.5, 60)
    ),
    "lines in a part's head": Hostile(
        lambda: sent_form(b"--ab\r\n" + b"A: b\r\n" * 1_300_000 + b"\r\n"),
        400,
        "invalid_multipart",
        A_COPY,
    ),
    "words in a part's head": Hostile(
        lambda: sent_form(HEAD + b"; a=b" * 1_600_000 + b"\r\n\r\n--ab--"),
        400,
        "invalid_multipart",
        A_COPY,
    ),
    "large heads of many parts": Hostile(
        lambda: sent_form((HEAD + b"; a=b" * 380 + b"\r\n\r\n\r\n") * 1_024 + b"--ab--\r\n"),
        422,
        "unreadable_image",
        A_COPY,
    ),
}

CODINGS = {
    "gzip of 100 MB": Hostile(
        lambda: whole(gzip.compress(bytes(10**8), 9), "Content-Encoding: gzip"),
        413,
        "body_too_large",
        A_COPY,
    ),
    "deflate of 300 MB": Hostile(
        lambda: whole(zeros_of_300_megabytes(), "Content-Encoding: deflate"),
        413,
        "body_too_large",
        A_COPY,
    ),
    "gzip of the largest body": Hostile(
        lambda: whole(gzip.compress(b" " * MOST, 9), "Content-Encoding: gzip"),
        400,
        "invalid_json",
        A_COPY,
    ),
    "gzip within gzip": Hostile(
        lambda: whole(gzip.compress(gzip.compress(bytes(10**8))), "Content-Encoding: gzip"),
        400,
        "invalid_json",
        A_COPY,
    ),
    "gzip twice, as it is said": Hostile(
        lambda: whole(gzip.compress(gzip.compress(b"{}")), "Content-Encoding: gzip, gzip"),
        415,
        "unsupported_coding",
    ),
    "many members of gzip": Hostile(
        lambda: whole(gzip.compress(b"") * 400_000, "Content-Encoding: gzip"),
        400,
        "corrupt_coding",
        A_COPY,
    ),
}


def zeros_of_300_megabytes() -> bytes:
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(10**7)) for _ in range(30)) + packer.flush()


@table("case", {**JSON_BODIES, **FORMS, **CODINGS})
def test_a_body_is_answered_within_its_price(server: Server, case: Hostile) -> None:
    said = withstand(server, case, behind=get("/livez"))
    assert [answer.status for answer in said[1:]] == ([] if case.closes else [200])


@pytest.mark.parametrize(
    "name", ["../../../tmp/digits", "..\\\\digits", "/etc/passwd", "a\\x00b", "a" * 1_500, "%s%n"]
)
def test_the_name_of_a_file_is_of_no_account(server: Server, name: str) -> None:
    body = form(NOISE_PNG).replace(b'filename="f"', f'filename="{name}"'.encode())
    said = raw(server.port, sent_form(body))
    assert answers(said)[0].status == 200
    assert name.encode() not in said
    assert name not in server.log.read_text("utf-8")


def test_a_body_that_is_not_sent_costs_nothing(server: Server) -> None:
    """Whatever length is announced: memory is taken for what arrives."""
    sent = post(f"Content-Length: {MOST}")
    withstand(server, Hostile(lambda: sent, 400, "incomplete_body", CHEAP))
