"""A real nginx with the configuration of this project, in front of what runs here."""

import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.client import Client
from tests.helpers import ROOT, missing
from tests.server import free_port, is_refused, wait_for

NGINX = ROOT / "deploy/nginx"

LISTEN = "listen 8080"  # in http.conf and tls.conf

# For tests that send more than one address may.
UNLIMITED = {"rate=200r/s": "rate=10000r/s"}

FILES = ("nginx.conf", "locations.conf")


@dataclass(frozen=True)
class Nginx:
    """It listens on a port of this machine."""

    port: int
    folder: Path

    def client(self) -> Client:
        return Client(self.port)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8")


@contextmanager
def fronting(  # noqa: PLR0913 - the last four may be left out
    folder: Path,
    instances: Sequence[int] | str,
    server: str = "http.conf",
    changes: Mapping[str, str] | None = None,
    *,
    program: str = "nginx",
    port: int | None = None,
) -> Iterator[Nginx]:
    """An nginx in front of these ports, with ``changes`` of the configuration's words.

    instances: or the text of ``servers.conf``.
    """
    if shutil.which(program) is None:
        missing("nginx is needed: apt-get install nginx-light")
    port = port or free_port()
    write(folder, instances, server, {LISTEN: f"listen 127.0.0.1:{port}", **(changes or {})})
    command = [program, "-p", f"{folder}/", "-c", str(folder / "nginx.conf"), "-e", "stderr"]
    command += ["-g", "daemon off; user root;"]  # of tests in folders of nobody else
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_for("nginx listens", lambda: process.poll() is not None or not is_refused(port))
        nginx = Nginx(port, folder)
        assert process.poll() is None, nginx.log
        yield nginx
    finally:
        process.terminate()
        process.wait(60)


def write(
    folder: Path, instances: Sequence[int] | str, server: str, changes: Mapping[str, str]
) -> None:
    """The files as a container has them, of these instances; every change is of something."""
    texts = {name: (NGINX / name).read_text("utf-8") for name in FILES}
    texts["server.conf"] = (NGINX / server).read_text("utf-8")
    for old, new in changes.items():
        assert any(old in text for text in texts.values()), old
        texts = {name: text.replace(old, new) for name, text in texts.items()}
    if not isinstance(instances, str):
        instances = "".join(f"server 127.0.0.1:{port} max_fails=0;\n" for port in instances)
    texts["conf.d/servers.conf"] = instances
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
