"""One writer at a time in a directory, on one machine."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from model.errors import StoreUnusable

WAIT_SECONDS = 30.0
POLL_SECONDS = 0.02


@contextlib.contextmanager
def locked(folder: Path, seconds: float = WAIT_SECONDS) -> Iterator[None]:
    """Hold the lock of a directory; the system lets go of it when its process ends, however.

    It is taken on the directory itself, so that no lock file is left, and a directory that
    may only be read can be locked, too. Raises StoreUnusable when it is not free in time.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise StoreUnusable(f"{folder}: {_reason(error)}; name a directory") from None
    try:
        _take(descriptor, folder, time.monotonic() + seconds)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, folder: Path, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise StoreUnusable(
                    f"{folder}: another command is changing it; try again when that has ended"
                ) from None
            time.sleep(POLL_SECONDS)
        except OSError as error:
            raise StoreUnusable(
                f"{folder}: cannot be locked ({error.strerror}); keep the store on a file system "
                "that has locks"
            ) from None
        else:
            return


def _reason(error: OSError) -> str:
    return f"cannot be a store ({error.strerror})"
