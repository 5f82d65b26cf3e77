"""Real databases for captures, and what may happen to them."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psycopg
from sqlalchemy import create_engine, text

from service import database
from service.database import Limits, Tables
from tests.helpers import missing
from tests.server import free_port
from training.captures import Feedback, Kept

# The server refuses to run as root.
NOBODY = 65_534

ROOMY = Limits(max_rows=10**6, max_days=30)


class Place(Protocol):
    """Somewhere captures are kept."""

    @property
    def settings(self) -> dict[str, str]:
        """The settings of a service that keeps them there, by the names of ``Settings``."""

    def outage(self) -> AbstractContextManager[None]:
        """A context in which nobody can use it."""

    def hung(self) -> AbstractContextManager[None]:
        """A context in which whoever uses it waits."""


@dataclass(frozen=True)
class File:
    """A SQLite file."""

    path: Path

    @property
    def settings(self) -> dict[str, str]:
        return {"feedback": str(self.path)}

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Another program holds it."""
        engine = database.sqlite(self.path)
        with engine.begin():
            yield
        engine.dispose()

    def hung(self) -> AbstractContextManager[None]:
        """It is soon to be had again."""
        return self.outage()


@dataclass(frozen=True)
class Cluster:
    """A PostgreSQL server of our own."""

    programs: Path
    folder: Path
    port: int

    def run(self, program: str, *arguments: str) -> None:
        as_user = {"user": NOBODY, "group": NOBODY, "extra_groups": ()} if os.getuid() == 0 else {}
        command = [str(self.programs / program), "-D", str(self.folder / "data"), *arguments]
        done = subprocess.run(  # type: ignore[call-overload] # of the three, mypy knows each alone
            command,
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
            **as_user,
        )
        assert done.returncode == 0, done.stderr

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        log = str(self.folder / "log")
        self.run("pg_ctl", "start", "-w", "-l", log, "-o", options)

    def stop(self) -> None:
        self.run("pg_ctl", "stop", "-w", "-m", "immediate")

    def url(self, name: str) -> str:
        return f"postgresql://digits@127.0.0.1:{self.port}/{name}"

    def create(self, name: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())

    def signal(self, number: signal.Signals) -> None:
        """To the server and all its processes."""
        main = int((self.folder / "data/postmaster.pid").read_text("ascii").split()[0])
        children = Path(f"/proc/{main}/task/{main}/children").read_text("ascii").split()
        for process in [main, *map(int, children)]:
            os.kill(process, number)


@dataclass(frozen=True)
class Served:
    """One database of a cluster."""

    cluster: Cluster
    name: str

    @property
    def url(self) -> str:
        return self.cluster.url(self.name)

    @property
    def settings(self) -> dict[str, str]:
        return {"feedback_url": self.url}

    @contextmanager
    def outage(self) -> Iterator[None]:
        """The server is not there."""
        self.cluster.stop()
        try:
            yield
        finally:
            self.cluster.start()

    @contextmanager
    def hung(self) -> Iterator[None]:
        """The server takes what is sent, and answers nothing."""
        self.cluster.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.cluster.signal(signal.SIGCONT)


@contextmanager
def postgresql() -> Iterator[Cluster]:
    """A running cluster, as an unprivileged user, in a folder that goes with it."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    there = shutil.which("postgres")
    if not (found or there):
        missing("PostgreSQL's server is needed: apt-get install postgresql")
    program = Path(there) if there else found[-1]
    folder = Path(tempfile.mkdtemp(prefix="digits-postgresql-"))
    if os.getuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    cluster = Cluster(program.resolve().parent, folder, free_port())
    try:
        cluster.run("initdb", "-U", "digits", "--auth=trust", "--no-sync", "-E", "UTF8")
        cluster.start()
        yield cluster
        cluster.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def tables(place: Place, limits: Limits = ROOMY) -> Tables:
    """The service's way to a place."""
    if isinstance(place, File):
        return Tables(database.sqlite(place.path), limits)
    assert isinstance(place, Served)
    return Tables(database.postgresql(place.url), limits)


@contextmanager
def kept(place: Place) -> Iterator[Kept]:
    """The training package's way to it."""
    if isinstance(place, File):
        kept = Kept.in_file(place.path)
    else:
        assert isinstance(place, Served)
        kept = Kept.at(place.url)
    with closing(kept):
        yield kept


def read(place: Place, since: float | None = None, *, labelled_only: bool = False) -> Feedback:
    """What is exported of it."""
    with kept(place) as opened:
        return opened.read(since, labelled_only=labelled_only)


def run(place: Place, statement: str) -> list[Any]:
    """The rows of a statement that neither of them has."""
    url = f"sqlite:///{place.path}" if isinstance(place, File) else ""
    if isinstance(place, Served):
        url = place.url.replace("postgresql:", "postgresql+psycopg:")
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            result = connection.execute(text(statement))
            return list(result) if result.returns_rows else []
    finally:
        engine.dispose()


def count(place: Place) -> int:
    """How many images are kept."""
    [(number,)] = run(place, "SELECT count(*) FROM digits_captures")
    return int(number)
