"""The tables that captures and labels are kept in, in SQLite or PostgreSQL.

Only where feedback is wanted this module is imported: SQLAlchemy takes 14 MB. The tables
are described in README.md; other programs read them, ``training/captures.py`` for one.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Double,
    Engine,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    create_engine,
    delete,
    event,
    func,
    insert,
    make_url,
    select,
    update,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from model.architecture import FRAME_SIDE
from service.captures import Capture, DatabaseDown, Found, Label
from service.settings import SettingsError

VERSION = 1  # of the tables; README.md says what each of them has had

FRAME_BYTES = FRAME_SIDE * FRAME_SIDE

CONNECT_SECONDS = 2
STATEMENT_SECONDS = 2  # also for a lock that another process has

LOCK = 0x646967697473  # "digits": who holds it makes the tables, or removes rows

CLIENT_LETTERS = 32

METADATA = MetaData()

FORMAT = Table(
    "digits_feedback",
    METADATA,
    Column("version", Integer, nullable=False),
    Column("salt", String(64), nullable=False),
)

CAPTURES = Table(
    "digits_captures",
    METADATA,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("request_id", String(64), nullable=False),
    Column("position", Integer, nullable=False),
    Column("images", Integer, nullable=False),
    Column("time", Double, nullable=False, index=True),
    Column("client", String(CLIENT_LETTERS), nullable=False),
    Column("version", Integer, nullable=False),
    Column("frame", LargeBinary, nullable=False),
    Column("digit", SmallInteger, nullable=False),
    Column("confidence", Double, nullable=False),
    Column("reason", String(32)),
    Column("label", SmallInteger),
    Column("label_time", Double),
    Column("label_client", String(CLIENT_LETTERS)),
    Column("label_count", Integer, nullable=False, server_default="0"),
    Index("digits_captures_request", "request_id", "position"),
    sqlite_autoincrement=True,  # of two captures the newer one has the higher id, for ever
)


@dataclass(frozen=True)
class Limits:
    """Most images that are kept, and days after which they go."""

    max_rows: int
    max_days: int


class Tables:
    """Captures and labels in one database; for one thread, and many processes at once."""

    def __init__(self, engine: Engine, limits: Limits) -> None:
        self._engine = engine
        self._limits = limits
        self._salt = b""  # until the tables were seen

    def write(self, captures: Sequence[Capture]) -> None:
        """Keep all of them, or none; raises DatabaseDown."""
        with self._begin() as connection:
            rows = [row for capture in captures for row in self._rows(capture)]
            connection.execute(insert(CAPTURES), rows)

    def label(self, label: Label) -> Found | None:
        """Note a label, unless it says not which image of several; None where none is kept.

        A client may send one request id twice: the label is for the latest. The last label of
        an image is the one that counts. Raises DatabaseDown.
        """
        here = (CAPTURES.c.request_id == label.request_id) & (
            CAPTURES.c.position == (label.index or 0)
        )
        with self._begin() as connection:
            latest = select(CAPTURES.c.id, CAPTURES.c.images, CAPTURES.c.label).where(here)
            latest = latest.order_by(CAPTURES.c.id.desc()).limit(1).with_for_update()
            row = connection.execute(latest).first()
            if row is None:
                return None
            found = Found(row.images, row.label)
            if label.index is None and found.images > 1:
                return found
            noted = update(CAPTURES).where(CAPTURES.c.id == row.id)
            connection.execute(
                noted.values(
                    label=label.digit,
                    label_time=label.time,
                    label_client=self._opaque(label.client),
                    label_count=CAPTURES.c.label_count + 1,
                )
            )
            return found

    def prune(self) -> None:
        """Remove what is too old and, of what is too much, first what has no label.

        Raises DatabaseDown.
        """
        oldest = time.time() - self._limits.max_days * 24 * 3600
        with self._begin() as connection:
            _take_turns(connection)
            connection.execute(delete(CAPTURES).where(CAPTURES.c.time < oldest))
            count = connection.execute(select(func.count()).select_from(CAPTURES)).scalar_one()
            surplus = count - self._limits.max_rows
            if surplus > 0:
                first = select(CAPTURES.c.id).order_by(CAPTURES.c.label.is_not(None), CAPTURES.c.id)
                gone = CAPTURES.c.id.in_(first.limit(surplus).scalar_subquery())
                connection.execute(delete(CAPTURES).where(gone))

    def close(self) -> None:
        """Close the connection."""
        self._engine.dispose()

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        """A transaction, in which the tables are there; raises DatabaseDown."""
        try:
            if not self._salt:
                with self._engine.begin() as connection:
                    self._salt = _prepared(connection)
            with self._engine.begin() as connection:
                yield connection
        except (SQLAlchemyError, OSError) as error:
            self._salt = b""  # the next one looks whether the tables are still there
            raise DatabaseDown(_words(error)) from None

    def _rows(self, capture: Capture) -> Iterator[dict[str, Any]]:
        client = self._opaque(capture.client)
        for position, prediction in enumerate(capture.predictions):
            start = position * FRAME_BYTES
            yield {
                "request_id": capture.request_id,
                "position": position,
                "images": len(capture.predictions),
                "time": capture.time,
                "client": client,
                "version": capture.version,
                "frame": capture.pixels[start : start + FRAME_BYTES],
                "digit": prediction.digit,
                "confidence": prediction.confidence,
                "reason": prediction.reason,
            }

    def _opaque(self, client: str) -> str:
        """A client by a name that says nothing of it without the salt of this database."""
        return hmac.new(self._salt, client.encode(), hashlib.sha256).hexdigest()[:CLIENT_LETTERS]


def sqlite(file: Path) -> Engine:
    """A file for several processes on one machine; only its owner may read it."""
    address = URL.create("sqlite", database=str(file))
    # Opened for each transaction: what is written to a file that was removed is lost.
    engine = create_engine(address, connect_args={"timeout": STATEMENT_SECONDS}, poolclass=NullPool)

    @event.listens_for(engine, "do_connect")
    def create(*_: object) -> None:
        file.touch(0o600)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:  # noqa: ANN401 - of the driver
        connection.isolation_level = None  # transactions begin below, not by the driver's guess
        connection.execute("PRAGMA journal_mode = WAL")  # who reads holds up nobody who writes
        connection.execute("PRAGMA synchronous = NORMAL")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # Who is to write waits for its turn here: a reader that writes later is refused instead.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def postgresql(address: str) -> Engine:
    """A database of a server, by its address; raises SettingsError, which does not show it."""
    try:
        url = make_url(address).set(drivername="postgresql+psycopg")
    except (ArgumentError, ValueError):
        raise SettingsError(
            "DIGITS_FEEDBACK_URL is no address; set postgresql://USER:PASSWORD@HOST:PORT/NAME"
        ) from None
    engine = create_engine(
        url,
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "tcp_user_timeout": 1000 * STATEMENT_SECONDS,
            "prepare_threshold": None,  # poolers between hand statements to several servers
        },
        pool_size=1,
        max_overflow=0,
        pool_pre_ping=True,  # a server that was restarted has cut its connections
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:  # noqa: ANN401 - of the driver
        connection.execute(f"SET statement_timeout = {1000 * STATEMENT_SECONDS}")
        connection.commit()

    return engine


def _prepared(connection: Connection) -> bytes:
    """The salt of a database, whose tables are made where they are not there."""
    _take_turns(connection)
    METADATA.create_all(connection)
    row = connection.execute(select(FORMAT.c.version, FORMAT.c.salt)).first()
    if row is None:
        salt = secrets.token_hex(32)
        connection.execute(insert(FORMAT).values(version=VERSION, salt=salt))
        return salt.encode()
    if row.version != VERSION:
        raise DatabaseDown(
            f"its tables are of version {row.version}, and {VERSION} is known; "
            "set another database, or a newer service"
        )
    return str(row.salt).encode()


def _take_turns(connection: Connection) -> None:
    """Wait until no other process is at this, until the transaction ends; SQLite has done so."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(LOCK)))


def _words(error: Exception) -> str:
    """What a driver says, in one line, without the statement and its values."""
    cause = getattr(error, "orig", None) or error
    return " ".join(str(cause).split()) or type(cause).__name__
