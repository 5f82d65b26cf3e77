"""Header fields that several hands write."""

from collections.abc import MutableMapping


def vary(headers: MutableMapping[str, str], name: str) -> None:
    """Say that an answer depends on a field of its request, beside others that it may."""
    before = headers.get("Vary")
    headers["Vary"] = f"{before}, {name}" if before else name
