"""A store as it lies on disk: to be put there, damaged and compared."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model import history
from model.store import Store


def contents(store: Store) -> dict[str, bytes]:
    """Every file and what is in it; a directory is empty."""
    return {path.name: b"" if path.is_dir() else path.read_bytes() for path in store.root.iterdir()}


def point(store: Store, aliases: Mapping[str, int]) -> None:
    """Write the files of aliases, as by hand."""
    for alias, version in aliases.items():
        (store.root / alias).write_text(f"{version}\n")


def told(store: Store) -> list[tuple[Any, ...]]:
    """Command, alias, from and to of all that history tells."""
    names = ("command", "alias", "from", "to")
    return [tuple(entry[name] for name in names) for entry in history.read(store.root).entries]


def spoil(path: Path) -> None:
    """Change a byte of a file that must not change."""
    data = path.read_bytes()
    path.write_bytes(data[:1000] + bytes([data[1000] ^ 1]) + data[1001:])
