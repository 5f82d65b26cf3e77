"""Fetching from real servers on this machine, good and bad ones, by real HTTP."""

import contextlib
import gzip
import hashlib
import io
import random
import re
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.helpers import ROOT, seen_on_a_terminal, table
from tests.server import free_port
from training.dataset import FILES, Mnist
from training.errors import DataError
from training.fetch import MIRRORS, ORIGINALS, Limits, Original, fetch

NAME = "images"
PLAIN = random.Random(7).randbytes(200_000)
BODY = gzip.compress(PLAIN, mtime=0)
ORIGINAL = Original(hashlib.sha256(PLAIN).hexdigest(), len(PLAIN))
HALF = len(BODY) // 2
OLD = b"what was there before"

SHORT = Limits(silence=0.2, file=0.5)
POLL = 0.01
START_SECONDS = 15  # far beyond what a process takes to get its first bytes


class Answer(BaseHTTPRequestHandler):
    """One request to a mirror; what a behaviour needs to answer it."""

    server: "Mirror"

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers["Range"]))
        with contextlib.suppress(OSError):  # the client may go when it has heard enough
            self.server.behaviour()(self)

    def log_message(self, *_: object) -> None:
        pass

    def head(self, status: int = 200, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def send(self, data: bytes) -> None:
        self.wfile.write(data)
        self.server.sent += len(data)

    def first_byte(self) -> int:
        """The first byte that is asked for."""
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "bytes=0-")
        assert asked
        return int(asked[1])

    def wait_until_left(self) -> None:
        """Say nothing until the client hangs up."""
        self.connection.recv(1)


Behaviour: TypeAlias = Callable[[Answer], object]


class Mirror(ThreadingHTTPServer):
    """A mirror that behaves in the ways named, one a request, and in the last from then on."""

    daemon_threads = True

    def __init__(self, *behaviours: Behaviour) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.behaviours = list(behaviours)
        self.asked: list[tuple[str, str | None]] = []
        self.sent = 0
        self.url = f"http://127.0.0.1:{self.server_port}/mnist/"

    def behaviour(self) -> Behaviour:
        return self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]

    @property
    def ranges(self) -> list[str | None]:
        return [span for _, span in self.asked]


StartMirror: TypeAlias = Callable[..., Mirror]


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[StartMirror]:
    """Starts mirrors, which end with the test."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with contextlib.ExitStack() as stack:

        def start(*behaviours: Behaviour) -> Mirror:
            server = stack.enter_context(Mirror(*behaviours))
            threading.Thread(target=server.serve_forever, args=(POLL,), daemon=True).start()
            stack.callback(server.shutdown)
            return server

        yield start


# -- ways to answer ---------------------------------------------------------


def well(answer: Answer) -> None:
    start = answer.first_byte()
    if start >= len(BODY):
        answer.head(416, Content_Range=f"bytes */{len(BODY)}", Content_Length=0)
    elif start:
        span = f"bytes {start}-{len(BODY) - 1}/{len(BODY)}"
        answer.head(206, Content_Range=span, Content_Length=len(BODY) - start)
        answer.send(BODY[start:])
    else:
        whole(BODY)(answer)


def whole(body: bytes) -> Behaviour:
    """This body, as a server sends it that knows no Range."""

    def behaviour(answer: Answer) -> None:
        answer.head(Content_Length=len(body))
        answer.send(body)

    return behaviour


def without_length(body: bytes) -> Behaviour:
    def behaviour(answer: Answer) -> None:
        answer.head()
        answer.send(body)

    return behaviour


def chunked(body: bytes) -> Behaviour:
    """The body in one HTTP/1.1 chunk, without the one that ends it when the body is cut."""

    def behaviour(answer: Answer) -> None:
        answer.protocol_version = "HTTP/1.1"
        answer.close_connection = True
        answer.head(Transfer_Encoding="chunked", Connection="close")
        end = b"\r\n0\r\n\r\n" if body == BODY else b""
        answer.wfile.write(b"%x\r\n%b%b" % (len(BODY), body, end))

    return behaviour


def broken_off(count: int) -> Behaviour:
    def behaviour(answer: Answer) -> None:
        answer.head(Content_Length=len(BODY))
        answer.send(BODY[:count])

    return behaviour


def stalled(count: int) -> Behaviour:
    def behaviour(answer: Answer) -> None:
        broken_off(count)(answer)
        answer.wait_until_left()

    return behaviour


def silent(answer: Answer) -> None:
    answer.wait_until_left()


def dripping(answer: Answer) -> None:
    answer.head(Content_Length=len(BODY))
    for byte in BODY:
        answer.send(bytes([byte]))
        time.sleep(POLL)


def endless(answer: Answer) -> None:
    answer.head()
    while True:
        answer.send(BODY)


def too_large(answer: Answer) -> None:
    whole(bytes(ORIGINAL.most + 1))(answer)


def claiming_too_much(answer: Answer) -> None:
    answer.head(Content_Length=10**15)
    answer.wait_until_left()


def claiming(length: object) -> Behaviour:
    def behaviour(answer: Answer) -> None:
        answer.head(Content_Length=length)
        answer.send(BODY)

    return behaviour


def no_http(answer: Answer) -> None:
    answer.send(b"\x1b[31m220 hello\r\n\x00\x07\r\n")


def gone(answer: Answer) -> None:
    answer.close_connection = True


def redirecting(target: str) -> Behaviour:
    return lambda answer: answer.head(302, Location=target, Content_Length=0)


def status(code: int) -> Behaviour:
    return lambda answer: answer.head(code, Content_Length=0)


def of_other_bytes(answer: Answer) -> None:
    answer.head(206, Content_Range=f"bytes 5-9/{len(BODY)}", Content_Length=5)
    answer.send(BODY[5:10])


BOMB = gzip.compress(bytes(100_000_000), 9)  # 97 kB

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


def get(folder: Path, *mirrors: Mirror | str, limits: Limits = SHORT) -> str:
    """Fetch the one stand-in file; returns what was printed."""
    stream = io.StringIO()
    urls = [mirror if isinstance(mirror, str) else mirror.url for mirror in mirrors]
    fetch(folder, urls, originals={NAME: ORIGINAL}, limits=limits, stream=stream)
    return stream.getvalue()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def assert_fetched(folder: Path) -> None:
    """The file is there and right, and nothing else."""
    assert contents(folder) == {f"{NAME}.gz": BODY}


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


def test_every_file_is_asked_for_by_its_published_name(mirror: StartMirror, tmp_path: Path) -> None:
    server = mirror(well)
    originals = dict.fromkeys(ORIGINALS, ORIGINAL)
    fetch(tmp_path, [server.url.rstrip("/")], originals=originals, stream=io.StringIO())
    assert [path for path, _ in server.asked] == [f"/mnist/{name}.gz" for name in FILES.values()]
    assert set(contents(tmp_path)) == {f"{name}.gz" for name in FILES.values()}


def test_a_redirect_is_followed(mirror: StartMirror, tmp_path: Path) -> None:
    elsewhere = mirror(well)
    get(tmp_path, mirror(redirecting(elsewhere.url)))
    assert_fetched(tmp_path)


def test_the_sums_are_those_of_mnist(mnist: Mnist) -> None:
    assert {name: mnist.digests[name] for name in FILES.values()} == {
        name: original.digest for name, original in ORIGINALS.items()
    }
    parts = (mnist.train.images, mnist.train.labels, mnist.test.images, mnist.test.labels)
    headers = (16, 8, 16, 8)
    assert [original.size for original in ORIGINALS.values()] == [
        header + part.size for header, part in zip(headers, parts, strict=True)
    ]


def test_several_mirrors_are_known_and_all_are_encrypted() -> None:
    assert len(set(MIRRORS)) >= 3
    assert all(re.fullmatch(r"https://[a-z0-9./-]+/", address) for address in MIRRORS)


# -- mirrors that fail ------------------------------------------------------


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


# -- resuming ---------------------------------------------------------------

BREAKS: dict[str, Behaviour] = {
    "broke off": broken_off(HALF),
    "stalled": stalled(HALF),
    "broke off in chunks": chunked(BODY[:HALF]),
}


@table("behaviour", BREAKS)
def test_what_broke_off_is_resumed_by_the_next_run(
    behaviour: Behaviour, mirror: StartMirror, tmp_path: Path
) -> None:
    server = mirror(behaviour, well)
    with pytest.raises(DataError):
        get(tmp_path, server)
    assert contents(tmp_path) == {f"{NAME}.gz.part": BODY[:HALF]}
    server.sent = 0
    get(tmp_path, server)
    assert server.ranges == [None, f"bytes={HALF}-"]
    assert server.sent == len(BODY) - HALF  # no byte twice
    assert_fetched(tmp_path)


def test_what_broke_off_is_resumed_at_the_next_mirror(mirror: StartMirror, tmp_path: Path) -> None:
    first, second = mirror(broken_off(HALF)), mirror(well)
    get(tmp_path, first, second)
    assert second.ranges == [f"bytes={HALF}-"]
    assert first.sent + second.sent == len(BODY)
    assert_fetched(tmp_path)


def test_a_redirect_is_followed_with_the_range(mirror: StartMirror, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.gz.part").write_bytes(BODY[:HALF])
    elsewhere = mirror(well)
    get(tmp_path, mirror(redirecting(elsewhere.url)))
    assert elsewhere.ranges == [f"bytes={HALF}-"]
    assert_fetched(tmp_path)


def test_a_mirror_that_ignores_range_begins_anew(mirror: StartMirror, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.gz.part").write_bytes(BODY[:HALF])
    server = mirror(whole(BODY))
    get(tmp_path, server)
    assert server.ranges == [f"bytes={HALF}-"]
    assert_fetched(tmp_path)


def test_other_bytes_than_asked_for_are_not_added(mirror: StartMirror, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.gz.part").write_bytes(BODY[:HALF])
    with pytest.raises(DataError, match="answered 206"):
        get(tmp_path, mirror(of_other_bytes))
    assert contents(tmp_path) == {f"{NAME}.gz.part": BODY[:HALF]}


def test_a_whole_part_needs_no_mirror(mirror: StartMirror, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.gz.part").write_bytes(BODY)
    server = mirror(well)
    get(tmp_path, server)
    assert server.asked == []
    assert_fetched(tmp_path)


PARTS: dict[str, bytes] = {
    "another file's beginning": b"?" * HALF,
    "another file": b"?" * len(BODY),
    "more than the file": BODY + b"more",
    "more than any such file": bytes(ORIGINAL.most * 2),
}


@table("part", PARTS)
def test_a_part_of_something_else_is_given_up(
    part: bytes, mirror: StartMirror, tmp_path: Path
) -> None:
    (tmp_path / f"{NAME}.gz.part").write_bytes(part)
    server = mirror(well)
    get(tmp_path, server)
    assert server.ranges == [f"bytes={len(part)}-", None]
    assert_fetched(tmp_path)


def test_an_empty_part_is_no_beginning(mirror: StartMirror, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.gz.part").touch()
    server = mirror(well)
    get(tmp_path, server)
    assert server.ranges == [None]
    assert_fetched(tmp_path)


RUN = """
import sys
from pathlib import Path
from training.fetch import Limits, Original, fetch

folder, url, name, digest, size = sys.argv[1:]
original = Original(digest, int(size))
fetch(Path(folder), [url], originals={name: original}, limits=Limits(silence=600))
"""


@table("count", {"early": 1, "in the middle": HALF, "before the last byte": len(BODY) - 1})
def test_a_killed_run_is_finished_by_the_next(
    count: int, mirror: StartMirror, tmp_path: Path
) -> None:
    (tmp_path / f"{NAME}.gz").write_bytes(OLD)
    part = tmp_path / f"{NAME}.gz.part"
    server = mirror(stalled(count), well)
    arguments = [str(tmp_path), server.url, NAME, ORIGINAL.digest, str(ORIGINAL.size)]
    command = [sys.executable, "-c", RUN, *arguments]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as run:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and not (part.exists() and part.stat().st_size == count):
            time.sleep(POLL)
        run.send_signal(signal.SIGKILL)
    assert run.returncode == -signal.SIGKILL
    assert contents(tmp_path) == {f"{NAME}.gz": OLD, f"{NAME}.gz.part": BODY[:count]}
    get(tmp_path, server)
    assert server.ranges == [None, f"bytes={count}-"]
    assert server.sent == len(BODY)
    assert_fetched(tmp_path)


# -- what is there already --------------------------------------------------

STANDING: dict[str, dict[str, bytes]] = {
    "packed": {f"{NAME}.gz": BODY},
    "packed in another way": {f"{NAME}.gz": gzip.compress(PLAIN, 0)},
    "plain": {NAME: PLAIN},
    "plain beside a wrong packed one": {NAME: PLAIN, f"{NAME}.gz": OLD},
}


@table("standing", STANDING)
def test_a_right_file_is_left_alone(
    standing: dict[str, bytes], mirror: StartMirror, tmp_path: Path
) -> None:
    for name, data in standing.items():
        (tmp_path / name).write_bytes(data)
    before = [path.stat().st_mtime_ns for path in sorted(tmp_path.iterdir())]
    server = mirror(well)
    printed = get(tmp_path, server)
    assert server.asked == []
    assert contents(tmp_path) == standing
    assert [path.stat().st_mtime_ns for path in sorted(tmp_path.iterdir())] == before
    assert printed == f"{tmp_path / next(iter(standing))}: is there and right\n"


@table("name", {"packed": f"{NAME}.gz", "plain": NAME})
def test_a_wrong_file_stands_until_the_new_one_is_verified(
    name: str, mirror: StartMirror, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(OLD)
    seen = []

    def looking(answer: Answer) -> None:
        seen.append(contents(tmp_path).get(name))
        well(answer)

    get(tmp_path, mirror(whole(b""), looking), mirror(looking))
    assert seen == [OLD]
    assert_fetched(tmp_path)


def test_a_wrong_plain_file_gives_way_to_a_right_packed_one(tmp_path: Path) -> None:
    # load_mnist reads the plain one where both are there.
    (tmp_path / NAME).write_bytes(OLD)
    (tmp_path / f"{NAME}.gz").write_bytes(BODY)
    get(tmp_path)
    assert_fetched(tmp_path)


# -- what is seen -----------------------------------------------------------


def test_a_log_gets_plain_lines(mirror: StartMirror, tmp_path: Path) -> None:
    bad, good = mirror(status(404)), mirror(well)
    file = tmp_path / f"{NAME}.gz"
    assert get(tmp_path, bad, good).splitlines() == [
        f"{bad.url}{NAME}.gz: answered 404",
        f"{file}: from byte 0 of {good.url}{NAME}.gz",
        f"{file}: fetched and verified",
    ]


def test_a_terminal_gets_a_bar_that_is_taken_away(mirror: StartMirror, tmp_path: Path) -> None:
    server = mirror(well)
    seen = seen_on_a_terminal(
        lambda terminal: fetch(tmp_path, [server.url], originals={NAME: ORIGINAL}, stream=terminal)
    )
    assert f"{NAME}.gz:   0%" in seen
    assert "200k" in seen  # of bytes
    assert seen.endswith(f"\r{tmp_path / NAME}.gz: fetched and verified\r\n")
    assert seen.count("\n") == 1
