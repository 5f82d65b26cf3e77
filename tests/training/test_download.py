"""One file from mirrors by real HTTP: however they send it, and however they fail."""

import gzip
import re
import tracemalloc
from pathlib import Path

import pytest

from tests.helpers import table
from tests.server import free_port
from tests.training.mirrors import (
    BODY,
    BOMB,
    HALF,
    NAME,
    OLD,
    PLAIN,
    Behaviour,
    StartMirror,
    assert_fetched,
    broken_off,
    chunked,
    claiming,
    claiming_too_much,
    contents,
    dripping,
    endless,
    get,
    gone,
    no_http,
    of_other_bytes,
    redirecting,
    silent,
    stalled,
    status,
    too_large,
    well,
    whole,
    without_length,
)
from training.download import Limits
from training.errors import DataError

# -- what is fetched --------------------------------------------------------

ANSWERS: dict[str, Behaviour] = {
    "with its length": well,
    "without a length": without_length(BODY),
    "in chunks": chunked(BODY),
    "packed in another way": whole(gzip.compress(PLAIN, 0)),
    "claiming one byte more": claiming(len(BODY) + 1),
    "claiming no number as its length": claiming("many"),
}


@table("answer", ANSWERS)
def test_a_file_is_fetched_however_it_is_sent(
    answer: Behaviour, mirror: StartMirror, tmp_path: Path
) -> None:
    get(tmp_path / "new" / "folder", mirror(answer))
    assert list(contents(tmp_path / "new" / "folder")) == [f"{NAME}.gz"]
    assert gzip.decompress((tmp_path / "new" / "folder" / f"{NAME}.gz").read_bytes()) == PLAIN


def test_a_redirect_is_followed(mirror: StartMirror, tmp_path: Path) -> None:
    elsewhere = mirror(well)
    get(tmp_path, mirror(redirecting(elsewhere.url)))
    assert_fetched(tmp_path)


# -- mirrors that fail ------------------------------------------------------

FAILURES: dict[str, tuple[Behaviour, str]] = {
    "not found": (status(404), "answered 404"),
    "forbidden": (status(403), "answered 403"),
    "overloaded": (status(503), "answered 503"),
    "no content": (status(204), "answered 204"),
    "bytes nobody asked for": (of_other_bytes, "answered 206"),
    "redirects in a circle": (redirecting("/again"), "answered 302"),
    "redirects to a local file": (redirecting("file:///etc/passwd"), "answered 302"),
    "no HTTP": (no_http, "220 hello"),
    "hangs up at once": (gone, "closed connection"),
    "a page": (whole(b"<html>Log in to the Wi-Fi</html>"), "something else"),
    "an empty body": (whole(b""), "something else"),
    "an empty body without length": (without_length(b""), "something else"),
    "noise": (whole(PLAIN), "something else"),
    "another file": (whole(gzip.compress(PLAIN[:-1] + b"!")), "something else"),
    "a truncated gz": (whole(BODY[:-9]), "something else"),
    "a truncated gz without length": (without_length(BODY[:-9]), "something else"),
    "a damaged gz": (whole(BODY[:10] + b"\xff" * 100), "something else"),
    "a wrong checksum": (whole(BODY[:-8] + bytes(4) + BODY[-4:]), "something else"),
    "something behind the end": (whole(BODY + b"more"), "something else"),
    "a file that unpacks to 100 MB": (whole(BOMB), "something else"),
    "breaks off in the middle": (broken_off(HALF), "broke off"),
    "breaks off before the body": (broken_off(0), "broke off"),
    "breaks off in a chunk": (chunked(BODY[:HALF]), "IncompleteRead"),
    "stalls in the middle": (stalled(HALF), "timed out"),
    "stalls before the body": (stalled(0), "timed out"),
    "never answers": (silent, "timed out"),
    "drips": (dripping, "took more than 0.5 s"),
    "is too large": (too_large, "announced"),
    "claims a petabyte": (claiming_too_much, "announced 1000000000000000 bytes"),
    "never ends": (endless, "sent more than"),
    "claims one byte less": (claiming(len(BODY) - 1), "something else"),
}


@table("failure", FAILURES)
def test_a_failure_leaves_no_file_and_says_why(
    failure: tuple[Behaviour, str], mirror: StartMirror, tmp_path: Path
) -> None:
    behaviour, why = failure
    server = mirror(behaviour)
    with pytest.raises(DataError) as caught:
        get(tmp_path, server)
    message = str(caught.value)
    assert message.isprintable()
    for words in (f"{tmp_path / NAME}.gz: ", f"{server.url}{NAME}.gz: ", why, "by hand"):
        assert words in message
    assert set(contents(tmp_path)) <= {f"{NAME}.gz.part"}
    assert BODY.startswith(contents(tmp_path).get(f"{NAME}.gz.part", b""))


@table("failure", FAILURES)
def test_an_old_file_is_untouched_by_a_failure(
    failure: tuple[Behaviour, str], mirror: StartMirror, tmp_path: Path
) -> None:
    (tmp_path / f"{NAME}.gz").write_bytes(OLD)
    with pytest.raises(DataError):
        get(tmp_path, mirror(failure[0]))
    assert (tmp_path / f"{NAME}.gz").read_bytes() == OLD


@table("failure", FAILURES)
def test_after_a_failure_the_next_mirror_is_asked(
    failure: tuple[Behaviour, str], mirror: StartMirror, tmp_path: Path
) -> None:
    bad, good = mirror(failure[0]), mirror(well)
    printed = get(tmp_path, bad, good)
    assert_fetched(tmp_path)
    assert len(good.asked) == 1
    assert failure[1] in printed


def test_the_error_names_every_mirror(mirror: StartMirror, tmp_path: Path) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(DataError) as caught:
        get(tmp_path, mirror(status(404)), nobody, mirror(whole(b"")))
    for why in ("answered 404", "refused", "something else"):
        assert why in str(caught.value)


def test_an_endless_answer_is_left_soon(mirror: StartMirror, tmp_path: Path) -> None:
    server = mirror(endless)
    with pytest.raises(DataError):
        get(tmp_path, server, limits=Limits())
    assert server.ranges == [None]  # and is not asked twice
    assert contents(tmp_path) == {}


def test_no_more_is_unpacked_than_the_file_has(tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.gz").write_bytes(BOMB)
    tracemalloc.start()
    with pytest.raises(DataError):
        get(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


@table("address", {name: name for name in ("mnist", "ftp://host/", "file:///data/", "")})
def test_only_http_addresses_are_mirrors(address: str, mirror: StartMirror, tmp_path: Path) -> None:
    server = mirror(well)
    with pytest.raises(DataError, match=re.escape(f"mirror {address!r}")):
        get(tmp_path, server, address)
    assert server.asked == []


@table("address", {name: name for name in ("http://", "http://[", "http://a b/", "http://h:x/")})
def test_an_odd_address_is_a_mirror_that_fails(address: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no mirror gave it"):
        get(tmp_path, address)


def test_without_mirrors_nothing_can_be_fetched(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none is named"):
        get(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(mirror: StartMirror, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(OLD)
    with pytest.raises(DataError, match=re.escape(str(tmp_path / "file"))):
        get(tmp_path / "file", mirror(well))


def test_a_directory_in_the_place_of_the_file_is_named(mirror: StartMirror, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.gz").mkdir()
    with pytest.raises(DataError, match=re.escape(f"{NAME}.gz")):
        get(tmp_path, mirror(well))
    assert (tmp_path / f"{NAME}.gz").is_dir()
