"""Freed memory that stays with the process."""

import numpy as np

# Just under the 32 MiB from which glibc always maps memory anew.
LARGEST = 33_000_000


def keep_freed_memory() -> None:
    """Have the C library keep freed memory for the next batch.

    glibc gives large freed arrays back to the system, which clears them before it
    hands them out again: a fifth of the time of a convolutional net's step, two
    thirds of the augmentation's. But a freed mapping raises to its own size the
    size from which that is done, and what may stay free to twice that (mallopt(3),
    M_MMAP_THRESHOLD). Other C libraries lose nothing by it.
    """
    np.empty(LARGEST, np.uint8)
