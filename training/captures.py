"""What a service has kept of its answers, and the labels that people gave: out of its database.

The table ``digits_captures`` is described in service/README.md and is all that is known here
of the service. Only ``python -m training feedback`` imports this module: it needs SQLAlchemy.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    Connection,
    Engine,
    MetaData,
    Table,
    create_engine,
    delete,
    make_url,
    select,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, NoSuchTableError, SQLAlchemyError

from model.architecture import FRAME_SIDE
from model.artifact import write_whole
from training.errors import DataError

VERSION = 1  # of the tables

FORMAT, CAPTURES = "digits_feedback", "digits_captures"

NO_LABEL = -1

CONNECT_SECONDS = 10
READ_ROWS = 1_000  # at a time


@dataclass(frozen=True)
class Feedback:
    """Images that were answered, in their order, and what they are.

    images: (N, 28, 28) uint8, the frames that the network saw. labels: (N,) int64 of 0-9, or
    ``NO_LABEL``. digits, confidences, versions: (N,) int64, float64 and int64, what was
    answered by which version of the model. clients: (N,) str, an opaque name of who labelled
    the image or, where nobody did, of who sent it: whoever trains on labels limits how many
    come from one. request_ids: (N,) str. times: (N,) float64, of the answer, in Unix time.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    digits: NDArray[np.int64]
    confidences: NDArray[np.float64]
    versions: NDArray[np.int64]
    clients: NDArray[np.str_]
    request_ids: NDArray[np.str_]
    times: NDArray[np.float64]

    @classmethod
    def of(cls, rows: Sequence[Any]) -> "Feedback":
        """The rows of ``digits_captures``, of which there is at least one."""
        pixels = np.frombuffer(b"".join(row.frame for row in rows), np.uint8)
        labels = [NO_LABEL if row.label is None else row.label for row in rows]
        return cls(
            images=pixels.reshape(len(rows), FRAME_SIDE, FRAME_SIDE),
            labels=np.array(labels, np.int64),
            digits=np.array([row.digit for row in rows], np.int64),
            confidences=np.array([row.confidence for row in rows], np.float64),
            versions=np.array([row.version for row in rows], np.int64),
            clients=np.array([row.label_client or row.client for row in rows], np.str_),
            request_ids=np.array([row.request_id for row in rows], np.str_),
            times=np.array([row.time for row in rows], np.float64),
        )

    def by_client(self) -> str:
        """A Markdown table: whose labels say most often another digit than was answered first."""
        names, places = np.unique(self.clients, return_inverse=True)
        images = np.bincount(places)
        known = self.labels != NO_LABEL
        labelled = np.bincount(places[known], minlength=len(names))
        other = np.bincount(places[known & (self.labels != self.digits)], minlength=len(names))
        shares = other / np.maximum(labelled, 1)
        return "\n".join(
            [
                "| client | images | labelled | otherwise than answered |",
                "|---|---:|---:|---:|",
                *(
                    f"| {names[row]} | {images[row]} | {labelled[row]} | {shares[row]:.1%} |"
                    for row in np.lexsort((names, -labelled, -shares))
                ),
            ]
        )

    def write(self, path: Path) -> None:
        """Write an ``.npz`` of these arrays under their names; raises OSError."""
        file = io.BytesIO()
        np.savez_compressed(file, allow_pickle=False, **asdict(self))
        write_whole(path, file.getvalue())


class Kept:
    """The database of a service."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._name = engine.url.render_as_string(hide_password=True)

    @classmethod
    def in_file(cls, path: Path) -> "Kept":
        """That of a SQLite file; raises DataError where there is none."""
        if not path.is_file():
            raise DataError(f"{path}: there is no such file; set --file to that of the service")
        return cls(create_engine(URL.create("sqlite", database=str(path))))

    @classmethod
    def at(cls, address: str) -> "Kept":
        """That of a PostgreSQL server; raises DataError for what is no address."""
        try:
            url = make_url(address)
        except (ArgumentError, ValueError):
            url = URL.create("none")
        if url.drivername not in {"postgresql", "postgres"}:
            raise DataError("the URL is of no known database; write postgresql://USER@HOST/NAME")
        url = url.set(drivername="postgresql+psycopg")
        return cls(create_engine(url, connect_args={"connect_timeout": CONNECT_SECONDS}))

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def read(self, since: float | None = None, *, labelled_only: bool = False) -> Feedback:
        """What was answered ``since`` this Unix time; raises DataError where that is nothing."""
        with self._begin() as (connection, captures):
            # Each worker writes what has gathered: ids are not in the order of the answers.
            chosen = select(captures).order_by(captures.c.time, captures.c.id)
            if since is not None:
                chosen = chosen.where(captures.c.time >= since)
            if labelled_only:
                chosen = chosen.where(captures.c.label.is_not(None))
            found = connection.execute(chosen.execution_options(yield_per=READ_ROWS))
            rows = list(found)
        if not rows:
            raise DataError(f"{self._name}: no image is like that; ask for more of them")
        return Feedback.of(rows)

    def purge(self, *, before: float | None = None, client: str | None = None) -> int:
        """Remove what was answered before a Unix time, or what one client sent or labelled.

        Without either, all of it. Returns how many images that were; raises DataError.
        """
        with self._begin() as (connection, captures):
            gone = delete(captures)
            if before is not None:
                gone = gone.where(captures.c.time < before)
            if client is not None:
                gone = gone.where(
                    (captures.c.client == client) | (captures.c.label_client == client)
                )
            return connection.execute(gone).rowcount

    @contextmanager
    def _begin(self) -> Iterator[tuple[Connection, Table]]:
        """A transaction and the table in it; raises DataError."""
        try:
            with self._engine.begin() as connection:
                tables = MetaData()
                form = Table(FORMAT, tables, autoload_with=connection)
                version = connection.execute(select(form.c.version)).scalar_one()
                if version != VERSION:
                    raise DataError(
                        f"{self._name}: its tables are of version {version}, and {VERSION} is "
                        "read here; take the training package of that service"
                    )
                yield connection, Table(CAPTURES, tables, autoload_with=connection)
        except NoSuchTableError:
            raise DataError(f"{self._name}: no service has kept anything here") from None
        except SQLAlchemyError as error:
            words = " ".join(str(getattr(error, "orig", None) or error).split())
            raise DataError(f"{self._name}: cannot be used ({words}); mend that first") from None
