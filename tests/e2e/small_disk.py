"""A service whose metrics are to be on a small disk, and all kinds of requests to it."""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from service.metric_room import MEMORY
from tests.helpers import missing
from tests.server import Server, clean_environment, free_port, launch, ready, wait_for
from tests.server import running as server_running
from tests.service.cases import pixels_json

BLANK = pixels_json(np.zeros(784, int).tolist())
JSON = {"Content-Type": "application/json"}

WANTED = "a small file system is needed: let unshare and mount be used"

MOST_BYTES = 2**28  # that a test may fill up

NO_ROOM = "has no room for the metrics, 1.1 MiB (No space left on device)"

# Small file systems at these places, which only the command behind "--" sees.
WITH_SMALL_DISKS = """
while [ "$1" != -- ]; do
    mount -t tmpfs -o size=4m none "$1" || exit 1
    [ -z "$FULL" ] || cat /dev/zero > "$1/filler" 2> /dev/null
    shift
done
shift
exec "$@"
"""

KINDS = [  # method, path, body, headers, status: each makes series that were not there before
    ("GET", "/", None, {}, 200),
    ("GET", "/", None, {"Accept": "text/html"}, 200),
    ("GET", "/livez", None, {}, 200),
    ("GET", "/healthz", None, {}, 200),
    ("GET", "/health", None, {}, 200),
    ("GET", "/drift", None, {}, 200),
    ("GET", "/openapi.json", None, {}, 200),
    ("GET", "/docs", None, {}, 200),
    ("GET", "/models", None, {}, 200),
    ("GET", "/models/9999", None, {}, 404),
    ("GET", "/v1/models", None, {}, 200),
    ("GET", "/v1/models/digits", None, {}, 200),
    ("GET", "/v1/models/none", None, {}, 404),
    ("GET", "/v2", None, {}, 200),
    ("GET", "/v2/health/live", None, {}, 200),
    ("GET", "/v2/health/ready", None, {}, 200),
    ("GET", "/v2/models/digits", None, {}, 200),
    ("GET", "/v2/models/digits/ready", None, {}, 200),
    ("GET", "/v2/models/digits/stats", None, {}, 200),
    ("GET", "/nowhere", None, {}, 404),
    ("GET", "/predict", None, {}, 405),
    ("POST", "/predict", BLANK, JSON, 200),
    ("POST", "/predict", b"{", JSON, 400),
    ("POST", "/predict", b"{}", JSON, 422),
    ("POST", "/predict", BLANK, {"Content-Type": "text/plain"}, 415),
    ("POST", "/predict", BLANK, JSON | {"Accept": "image/png"}, 406),
    ("POST", "/predict", b"", JSON, 400),
    ("POST", "/predict?top_k=11", BLANK, JSON, 422),
    ("POST", "/predict?top=1", BLANK, JSON, 422),
    ("POST", "/explain", BLANK, JSON, 200),
    ("POST", "/v1/models/digits:predict", b"{}", JSON, 400),
    ("POST", "/v2/models/digits/infer", b"{}", JSON, 400),
    ("POST", "/v2/repository/index", b"", JSON, 200),
    ("POST", "/v2/repository/models/digits/load", b"", JSON, 403),
]


def apart(folder: Path) -> list[str] | None:
    """What runs a command in a mount namespace of its own, as root or as anybody."""
    ways = (["unshare", "--mount"], ["unshare", "--user", "--map-root-user", "--mount"])
    for way in ways if shutil.which("unshare") else ():
        probe = [*way, "mount", "-t", "tmpfs", "none", str(folder)]
        if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
            return way
    return None


def small_disks(*disks: Path) -> list[str]:
    """What runs a command for which these folders are small disks; they are made."""
    for disk in disks:
        disk.mkdir(exist_ok=True)
    way = apart(disks[0]) or missing(WANTED)
    return [*way, "sh", "-c", WITH_SMALL_DISKS, "sh", *map(str, disks), "--"]


def seen(server: Server, folder: Path) -> Path:
    """A folder as the service sees it."""
    return Path(f"/proc/{server.process.pid}/root{folder}")


@contextmanager
def running(folder: Path) -> Iterator[tuple[Server, Path]]:
    """A worker whose metrics are on a small disk with room, and that disk as it is seen here.

    Where nobody may mount one, as in most containers, it is their small ``/dev/shm``.
    """
    if apart(folder):
        with running_where_full(folder, full=False) as server:
            yield server, seen(server, folder / "disk")
    elif MEMORY.is_dir() and shutil.disk_usage(MEMORY).total <= MOST_BYTES:
        with (
            TemporaryDirectory(dir=MEMORY) as disk,
            server_running(folder / "log", workers=1, metrics_dir=disk) as server,
        ):
            yield server, Path(disk)
    else:
        missing(WANTED)


@contextmanager
def running_where_full(folder: Path, *more: Path, full: bool = True) -> Iterator[Server]:
    """A worker whose metrics are to be in ``folder/disk``, a small disk.

    more: places of other such disks; full: from the start.
    """
    disk, log, port = folder / "disk", folder / "log", free_port()
    within = small_disks(disk, *more)
    variables = clean_environment(port=port, workers=1, metrics_dir=disk) | {"FULL": "1" * full}
    with ready(Server(port, launch(log, variables, within), log)) as server:
        yield server


def fill(disk: Path) -> None:
    """Take the last byte of a disk."""
    with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    assert os.statvfs(disk).f_bfree == 0


def ask_everything(server: Server) -> None:
    """All kinds of requests, of one and the same worker."""
    before = server.workers()
    with server.client() as client:
        for method, path, body, headers, status in KINDS:
            assert client.request(method, path, body, headers).status == status, path
    assert server.workers() == before


def replace_worker(server: Server, process: int, end: signal.Signals) -> None:
    """Signal a process, which has another worker started, and ask that one."""
    (before,) = server.workers()
    os.kill(process, end)
    wait_for("another worker runs", lambda: server.workers() not in ([], [before]))
    wait_for("it is the only one", lambda: len(server.workers()) == 1)
    ask_everything(server)


def read(log: Path) -> str:
    """A log in which nothing is worse than a missing room, which is told once at most."""
    text = log.read_text("utf-8")
    assert "Traceback" not in text
    assert text.count(NO_ROOM) <= 1
    return text
