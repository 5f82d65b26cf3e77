"""What a request says reaches no log, no metric and no file, whatever it says and wherever."""

import ast
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.helpers import ROOT
from tests.server import Server, running
from tests.service.cases import GOOD

WORD = "cnry"  # in all that is sent, and in nothing else

# What terminals, log readers, shells, formats, paths and labels would take for something else.
SAID = {
    "words": f"{WORD} {WORD}",
    "a format of C": f"{WORD}%s%n%x%%",
    "a format of Python": f"{{0.__class__}}{{{WORD}}}",
    "a path": f"../../../tmp/{WORD}",
    "a path of Windows": f"..\\..\\{WORD}",
    "a shell": f"`touch {WORD}`;$(touch {WORD})|touch {WORD}",
    "a label": f'{WORD}",code="x"}} 1\\n',
    "a lookup": f"${{jndi:ldap://{WORD}/x}}",
    "letters of two bytes": f"{WORD}\xe9\xff",
    "lines": f'{WORD}\r\n{{"level": "info", "message": "{WORD}"}}\n',
    "a terminal": f"{WORD}\x1b[31m\x1b]0;{WORD}\x07\x08\x00\x7f",
}

NEEDS_ESCAPES = ("\r", "\n", "\x00", "\x1b")  # what no header may have

HEADERS = [
    *("Host", "User-Agent", "Accept", "Accept-Encoding", "Authorization", "Content-Encoding"),
    *("Content-Type", "Cookie", "If-None-Match", "Inference-Header-Content-Length", "Origin"),
    *("Referer", "X-API-Key", "X-Canary-Key", "X-Forwarded-For", "X-Forwarded-Host"),
    *("X-Forwarded-Proto", "X-Request-ID", "traceparent", "tracestate", "Forwarded"),
]

PATHS = [
    *("/{}", "/predict/{}", "/models/{}", "/static/{}", "/docs/{}", "/v1/models/{}"),
    *("/v1/models/{}:predict", "/v1/models/digits/versions/{}:predict", "/v2/models/{}/infer"),
    *("/v2/models/digits/versions/{}/ready", "/v2/repository/models/{}/load"),
    *("/predict?{}=1", "/predict?version={}", "/predict?normalize={}", "/explain?format={}"),
]

JSON = "application/json"


def asked(said: str) -> Iterator[bytes]:
    """Every request that says it in one place."""
    escaped = quote(said.encode("latin-1"), safe="")
    for path in PATHS:
        for method in ("GET", "POST"):
            yield message(method, path.format(escaped), b"{}", {"Content-Type": JSON})
    for path, document in documents(said):
        yield message("POST", path, json.dumps(document).encode(), {"Content-Type": JSON})
    picture = (ROOT / "tests/examples/seven.png").read_bytes()
    name = said.replace('"', "%22").replace("\r", "").replace("\n", "")
    for field in (f'name="image"; filename="{name}"', f'name="{name}"'):
        head = f"--xx\r\nContent-Disposition: form-data; {field}\r\n\r\n"
        form = head.encode("latin-1") + picture + b"\r\n--xx--\r\n"
        yield message(
            "POST", "/predict", form, {"Content-Type": "multipart/form-data; boundary=xx"}
        )
    body = json.dumps({"pixels": GOOD}).encode()
    plain = "".join(letter for letter in said if letter not in NEEDS_ESCAPES)
    for header in HEADERS:
        for value in {said, plain}:
            yield message("POST", "/predict", body, {"Content-Type": JSON, header: value})
            yield message("GET", "/models", b"", {header: value})
    yield message(WORD.upper(), "/predict", body, {})
    yield message("GET", "/livez", b"", {f"X-{WORD}": plain})
    yield f"GET /{said} HTTP/1.1\r\nHost: x\r\n\r\n".encode("latin-1")
    yield said.encode("latin-1")


def documents(said: str) -> Iterator[tuple[str, object]]:
    """Where JSON may hold a text."""
    for path in ("/predict", "/explain", "/v1/models/digits:predict", "/feedback"):
        yield path, {said: 1}
        yield path, said
    yield "/predict", {"image": said}
    yield "/predict", {"pixels": [said]}
    yield "/v1/models/digits:predict", {"instances": [{"b64": said}], "signature_name": said}
    yield "/feedback", {"request_id": said, "label": 1}
    tensor = {"name": "image", "datatype": "UINT8", "shape": [1, 784], "data": GOOD}
    for request in (
        {"id": said, "inputs": [tensor]},
        {"inputs": [{**tensor, "name": said}]},
        {"inputs": [{**tensor, "datatype": said}]},
        {"inputs": [tensor], "outputs": [{"name": said}]},
        {"inputs": [tensor], "parameters": {said: said}},
    ):
        yield "/v2/models/digits/infer", request


def message(method: str, target: str, body: bytes, headers: dict[str, str]) -> bytes:
    fields = {"Host": "x", "Content-Length": str(len(body)), "Connection": "close", **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body


def send(server: Server, sent: bytes) -> bytes:
    """The answer, or as much of it as there is."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := client.recv(65_536):
            answer += piece
        return answer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that logs all that it ever does, and keeps what is answered."""
    folder = tmp_path_factory.mktemp("canary")
    with running(
        folder / "log",
        workers=1,
        access_log=1,
        log_level="debug",
        feedback=folder / "kept.db",
        trusted_proxies="127.0.0.1",
        rate_limit=10**6,
        cors_origins="https://a.example",
    ) as server:
        yield server


@pytest.mark.parametrize("name", SAID)
def test_what_is_said_is_neither_logged_nor_counted_nor_made_a_file(
    server: Server, name: str
) -> None:
    before = len(server.log.read_bytes())
    for sent in asked(SAID[name]):
        head, _, _ = send(server, sent).partition(b"\r\n\r\n")
        assert not head or head.startswith((b"HTTP/1.1 2", b"HTTP/1.1 3", b"HTTP/1.1 4")), sent
        assert WORD.encode() not in head.lower(), sent
        assert b"\r\nserver:" not in head.lower()
    with server.client() as client:
        assert client.get("/readyz").status == 200
        told = client.get("/metrics").body.decode("ascii")
    assert WORD not in told.lower()
    logged = server.log.read_bytes()[before:].decode("ascii")
    assert WORD not in logged.lower()
    assert logged.isascii()
    lines = logged.splitlines()
    assert len(lines) > 90
    for line in lines:
        assert line.isprintable()
        assert json.loads(line)["level"] == "info"
    assert not [
        path for path in (*ROOT.iterdir(), *server.log.parent.iterdir()) if WORD in path.name
    ]
    assert not Path(f"/tmp/{WORD}").exists()  # noqa: S108 - what was asked for


# -- and nothing is there that it could reach ----------------------------------------------

SOURCES = [path for name in ("model", "service") for path in sorted((ROOT / name).rglob("*.py"))]

NO_MODULES = {"subprocess", "pickle", "marshal", "shelve", "ctypes", "code"}
NEEDED = {"worker.py": {"ctypes"}}  # for mallopt(3), with numbers that stand there
NO_CALLS = {"eval", "exec", "compile", "__import__", "system", "popen", "spawnv"}
LOGGING = {"debug", "info", "warning", "error", "exception", "critical", "log"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_text_can_become_a_command_code_or_a_format(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
            assert names & NO_MODULES <= NEEDED.get(path.name, set())
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        if isinstance(called, ast.Name):
            assert called.id not in NO_CALLS
        if isinstance(called, ast.Attribute):
            is_regular_expression = ast.unparse(called) == "re.compile"
            assert called.attr not in NO_CALLS or is_regular_expression
            if called.attr in {"format", "format_map"} and node.args + node.keywords:
                name = ast.unparse(called.value).rpartition(".")[2]
                is_constant = isinstance(called.value, ast.Constant) or name.isupper()
                assert is_constant, ast.unparse(node)
            if called.attr in LOGGING and ast.unparse(called.value).endswith("log"):
                assert isinstance(node.args[0], ast.Constant | ast.Name), ast.unparse(node)
