"""One file from public mirrors: checked, resumed, never half there."""

import gzip
import hashlib
import io
import sys
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import NamedTuple, TextIO

from tqdm import tqdm

from model.artifact import write_whole
from training.errors import DataError

CHUNK = 1 << 16


@dataclass(frozen=True)
class Original:
    """What a file must unpack to: a SHA-256 and a length in bytes.

    The digest is of what ``digested`` takes from the unpacked bytes: all of them, or the
    part that is used, where no more is known of the file.
    """

    digest: str
    size: int
    digested: Callable[[bytes], bytes] = bytes

    @property
    def most(self) -> int:
        """The most bytes it can take packed: what does not shrink grows by less than 0.1 %."""
        return self.size + self.size // 1000 + 1024

    def is_right(self, unpacked: bytes) -> bool:
        """Whether these are its bytes."""
        return hashlib.sha256(self.digested(unpacked)).hexdigest() == self.digest


@dataclass(frozen=True)
class Limits:
    """How long one mirror is waited for, in seconds; what it sent by then is kept."""

    silence: float = 20.0
    file: float = 600.0  # the largest at 16 kB/s


LIMITS = Limits()


def download(
    plain: Path,
    original: Original,
    mirrors: Sequence[str],
    *,
    limits: Limits = LIMITS,
    stream: TextIO | None = None,
) -> bytes:
    """Put a file beside ``plain`` as .gz, from the first mirror that can; returns it unpacked.

    A file that is there and right, plain or .gz, is left alone; a wrong one stands until
    its successor is verified. What a broken download left in a .part is continued.
    Raises DataError for a file that no mirror gives, a mirror that is no HTTP address, and
    a folder that cannot be written.
    """
    for mirror in mirrors:
        if not mirror.startswith(("http://", "https://")):
            raise DataError(f"mirror {mirror!r}: name an address that begins with https://")
    with disk_errors_told(plain.parent):
        plain.parent.mkdir(parents=True, exist_ok=True)
        return _File(plain, original, limits, stream or sys.stderr).provide(mirrors)


@contextmanager
def disk_errors_told(folder: Path) -> Iterator[None]:
    """Turn what a folder's disk refuses into a DataError that names the file."""
    try:
        yield
    except OSError as error:  # those of the network are DataErrors by now
        raise DataError(
            f"{error.filename or folder}: {error.strerror or error}; mend that and run this again"
        ) from None


class _Content(NamedTuple):
    """A right file: its bytes as they are stored, and what they unpack to."""

    stored: bytes
    unpacked: bytes


class _UnfitError(DataError):
    """What was sent can never become the file."""


class _File:
    """One file of the folder: ``plain``, or ``packed`` once ``part`` is whole."""

    def __init__(self, plain: Path, original: Original, limits: Limits, stream: TextIO) -> None:
        self.plain = plain
        self.packed = plain.with_name(f"{plain.name}.gz")
        self.part = plain.with_name(f"{plain.name}.gz.part")
        self.original = original
        self.limits = limits
        self.stream = stream

    def provide(self, mirrors: Sequence[str]) -> bytes:
        content = self._right(self.plain)
        if content:
            self._say(f"{self.plain}: is there and right")
            self.part.unlink(missing_ok=True)
            return content.unpacked
        content = self._right(self.packed)
        if content:
            self._say(f"{self.packed}: is there and right")
        else:
            # A run may have been killed when .part was whole already.
            content = self._right(self.part) or self._from_any(mirrors)
            # The bytes that were verified, whatever another run may do to .part meanwhile.
            write_whole(self.packed, content.stored)
            self._say(f"{self.packed}: fetched and verified")
        self.part.unlink(missing_ok=True)
        self.plain.unlink(missing_ok=True)  # a wrong one, which a reader would prefer
        return content.unpacked

    def _right(self, path: Path) -> _Content | None:
        """What a file holds if that is the original, packed or not."""
        if not path.is_file():
            return None
        with path.open("rb") as file:
            data = file.read(self.original.most + 1)
        try:
            with io.BytesIO(data) if path is self.plain else gzip.open(io.BytesIO(data)) as file:
                unpacked = file.read(self.original.size + 1)  # and no more, whatever it holds
        except (OSError, EOFError, zlib.error):
            return None
        return _Content(data, unpacked) if self.original.is_right(unpacked) else None

    def _from_any(self, mirrors: Sequence[str]) -> _Content:
        failures = []
        for mirror in mirrors:
            url = f"{mirror.rstrip('/')}/{self.packed.name}"
            try:
                return self._from_one(url)
            except DataError as error:
                failures.append(f"{url}: {error}")
                self._say(failures[-1])
        raise DataError(
            f"{self.packed}: no mirror gave it ({'; '.join(failures) or 'none is named'}); "
            "try again later, name another mirror, or download it by hand and put it there"
        )

    def _from_one(self, url: str) -> _Content:
        response, start = self._ask(url, self.part.stat().st_size if self.part.exists() else 0)
        try:
            with response:
                return self._receive(response, start)
        except _UnfitError:
            self.part.unlink(missing_ok=True)
            if not start:
                raise
        # The beginning may have been another mirror's: hear this one from its first byte.
        return self._from_one(url)

    def _ask(self, url: str, start: int) -> tuple[HTTPResponse, int]:
        """A mirror's answer and the byte it begins at: ``start``, or 0 from one that cannot."""
        with _network_errors_told():
            headers = {"Range": f"bytes={start}-"} if start else {}
            request = urllib.request.Request(url, headers=headers)  # nosec B310  # noqa: S310 - download looked
            try:
                response = urllib.request.urlopen(request, timeout=self.limits.silence)  # nosec B310  # noqa: S310 - the same
            except urllib.error.HTTPError as error:
                error.close()
                if start and error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                    return self._ask(url, 0)
                raise DataError(f"answered {error.code}") from None
        if response.status == HTTPStatus.OK:
            return response, 0
        span = response.headers.get("Content-Range", "")
        if start and span.startswith(f"bytes {start}-"):
            return response, start
        response.close()
        raise DataError(f"answered {response.status} to a request for byte {start} and on")

    def _receive(self, response: HTTPResponse, start: int) -> _Content:
        """Add the answer to .part, which then holds the file. Raises _UnfitError or DataError."""
        most, length = self.original.most - start, response.length
        if length is not None and length > most:
            raise _UnfitError(f"announced {length} bytes where {most} are the most")
        live = self.stream.isatty()
        if not live:
            self._say(f"{self.packed}: from byte {start} of {response.url}")
        total = None if length is None else start + length
        left = most + 1 if length is None else length
        end = time.monotonic() + self.limits.file
        with (
            self.part.open("ab" if start else "wb") as file,
            tqdm(desc=self.packed.name, total=total, initial=start, unit="B", unit_scale=True,
                 file=self.stream, disable=not live, leave=False) as bar,
        ):  # fmt: skip
            while left:
                with _network_errors_told():
                    chunk = response.read1(min(CHUNK, left))
                if not chunk:
                    break
                left -= len(chunk)
                file.write(chunk)
                file.flush()  # what has come outlives this process
                bar.update(len(chunk))
                if left and time.monotonic() > end:
                    raise DataError(f"took more than {self.limits.file:g} s")
        if content := self._right(self.part):  # whatever length was announced
            return content
        if length is None and not left:
            raise _UnfitError(f"sent more than {most} bytes")
        if length is not None and left:
            raise DataError(f"broke off {left} bytes before the end")
        raise _UnfitError("sent something else than the published file")

    def _say(self, line: str) -> None:
        print(line, file=self.stream, flush=True)


@contextmanager
def _network_errors_told() -> Iterator[None]:
    try:
        yield
    except (OSError, HTTPException, ValueError) as error:
        text = str(getattr(error, "reason", error)) or type(error).__name__
        # Some quote what the mirror sent, which may be anything.
        line = "".join(letter if letter.isprintable() else " " for letter in text[:200])
        raise DataError(line) from None
