"""Content codings: what was compressed is expanded, within the limit, both ways."""

import contextlib
import gzip
import json
import zlib
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from service import codings
from service.errors import RequestError
from tests.helpers import PROPERTY, table
from tests.service.cases import JSON, pixels_json

BODY = pixels_json([7] * 784)


def bare_deflate(body: bytes) -> bytes:
    """Without zlib's wrapper, as some clients understand the word."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


@table(
    "coding, packed",
    {
        "none": ("", BODY),
        "identity": ("identity", BODY),
        "gzip": ("gzip", gzip.compress(BODY)),
        "gzip by its old name": ("x-gzip", gzip.compress(BODY)),
        "gzip in capitals": (" GZIP ", gzip.compress(BODY)),
        "deflate": ("deflate", zlib.compress(BODY)),
        "deflate of the best": ("deflate", zlib.compress(BODY, 9)),
        "bare deflate": ("deflate", bare_deflate(BODY)),
    },
)
def test_a_compressed_body_is_expanded(client: FlaskClient, coding: str, packed: bytes) -> None:
    assert codings.expand(packed, coding, len(BODY)) == BODY
    plain = client.post("/predict", data=BODY, headers=JSON).get_json()["predictions"]
    headers = JSON | ({"Content-Encoding": coding} if coding else {})
    sent = client.post("/predict", data=packed, headers=headers)
    assert sent.get_json()["predictions"] == plain


@PROPERTY
@given(st.sampled_from(["gzip", "deflate"]), st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes_are_expanded_within_the_limit_or_refused(
    coding: str, body: bytes, limit: int
) -> None:
    with contextlib.suppress(RequestError):
        assert len(codings.expand(body, coding, limit)) <= limit


@PROPERTY
@given(st.binary(max_size=5000), st.sampled_from(["gzip", "deflate"]))
def test_what_is_packed_here_can_be_expanded_here(body: bytes, coding: str) -> None:
    assert codings.expand(codings.COMPRESS[coding](body), coding, len(body)) == body


EXPAND: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.decompress, "deflate": zlib.decompress}


@table(
    "accepted, coding",
    {
        "nothing said": (None, None),
        "gzip": ("gzip", "gzip"),
        "deflate": ("deflate", "deflate"),
        "what browsers say": ("gzip, deflate, br, zstd", "gzip"),
        "deflate rather": ("gzip;q=0.5, deflate", "deflate"),
        "anything": ("*", "gzip"),
        "no gzip": ("gzip;q=0", None),
        "something else": ("br", None),
        "as it is, rather": ("identity, gzip;q=0.5", None),
    },
)
def test_a_large_answer_is_packed_as_the_client_likes(
    client: FlaskClient, accepted: str | None, coding: str | None
) -> None:
    answer = client.get("/models", headers={"Accept-Encoding": accepted} if accepted else {})
    assert answer.headers.get("Content-Encoding") == coding
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    whole = EXPAND[coding](answer.data) if coding else answer.data
    assert json.loads(whole)["models"]


@pytest.mark.parametrize("path", ["/livez", "/readyz?verbose"])
def test_a_small_answer_is_left_alone(client: FlaskClient, path: str) -> None:
    answer = client.get(path, headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in answer.headers
    assert "Vary" not in answer.headers


def test_a_picture_is_left_alone(client: FlaskClient) -> None:
    asked = JSON | {"Accept-Encoding": "gzip", "Accept": "image/png"}
    answer = client.post("/explain", data=BODY, headers=asked)
    assert len(answer.data) > codings.MIN_COMPRESSED_BYTES
    assert "Content-Encoding" not in answer.headers
