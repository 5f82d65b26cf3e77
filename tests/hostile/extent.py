"""How much is sent: HOSTILE=full sends everything, else what takes long is sampled."""

import os
from collections.abc import Mapping
from typing import TypeVar

FULL = os.environ.get("HOSTILE") == "full"

Case = TypeVar("Case")


def sampled(cases: Mapping[str, Case], every: int) -> dict[str, Case]:
    """Every so manieth case, or all."""
    return dict(list(cases.items())[:: 1 if FULL else every])
