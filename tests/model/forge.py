"""Forged artifacts: each the bytes of a sound one, wrong in exactly one respect."""

import hashlib
import io
import json
import tempfile
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from model import artifact as artifacts
from model.errors import ArtifactError

# What a message may advise after its last semicolon.
ADVICE = ("train it again", "fetch", "install", "name an artifact", "do not trust", "check")


def assert_refused(error_class: type[ArtifactError], data: bytes, *words: str) -> None:
    """A file of these bytes is refused for that reason, in one line that says what to do."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "forged.npz"
        path.write_bytes(data)
        with pytest.raises(ArtifactError) as caught:
            artifacts.read(path)
    assert type(caught.value) is error_class
    assert_helpful(caught.value, path, *words)


def assert_helpful(error: ArtifactError, path: Path, *words: str) -> None:
    """The message begins with the file, has the words, and ends with what to do about it."""
    message = str(error)
    assert message.startswith(f"{path}: ")
    assert message.isprintable()
    for word in words:
        assert word in message
    assert message.rpartition("; ")[2].startswith(ADVICE), message


def members_of(data: bytes) -> dict[str, bytes]:
    """The raw ``.npy`` members of an artifact, by file name."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zip_of(
    members: Iterable[tuple[str, bytes]],
    *,
    compression: int = zipfile.ZIP_STORED,
    header_offset: int | None = None,
    **fields: Any,  # noqa: ANN401 - any attribute of ZipInfo
) -> bytes:
    """An archive as the writer makes it, save for what is asked for otherwise."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of duplicate names
        for name, content in members:
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system = 3
            entry.compress_type = compression
            for field, value in fields.items():
                setattr(entry, field, value)
            archive.writestr(entry, content)
        if header_offset is not None:
            archive.filelist[0].header_offset = header_offset
    return buffer.getvalue()


def forge(data: bytes, changes: Mapping[str, bytes | None]) -> bytes:
    """The artifact with members replaced or added, or removed where they become None."""
    members: dict[str, bytes | None] = {**members_of(data), **changes}
    return zip_of((name, raw) for name, raw in members.items() if raw is not None)


def rename(data: bytes, old: str, new: str) -> bytes:
    """The artifact with one member under another name, in its old place."""
    return zip_of((new if name == old else name, raw) for name, raw in members_of(data).items())


def npy(descr: object, shape: object, payload: bytes) -> bytes:
    """A member with the header the writer gives it, whatever follows."""
    return npy_text(repr({"descr": descr, "fortran_order": False, "shape": shape}), payload)


def npy_text(header: str, payload: bytes = b"") -> bytes:
    """A member with any text for a header."""
    text = header.encode("latin-1").ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + payload


def manifest_of(data: bytes) -> dict[str, Any]:
    """The manifest of an artifact."""
    document: dict[str, Any] = json.loads(members_of(data)["manifest.npy"][128:])
    return document


def with_manifest_text(data: bytes, text: bytes) -> bytes:
    """The artifact with these bytes for its manifest."""
    return forge(data, {"manifest.npy": npy("|u1", (len(text),), text)})


def with_manifest(data: bytes, document: Mapping[str, Any]) -> bytes:
    """The artifact with another manifest, whose digest is right for what it says."""
    content = {name: value for name, value in document.items() if name != "digest"}
    digest = f"sha256:{hashlib.sha256(canonical(content)).hexdigest()}"
    return with_manifest_text(data, canonical({**content, "digest": digest}))


def with_fields(data: bytes, **fields: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """The artifact with some fields of its manifest changed, correctly digested."""
    return with_manifest(data, {**manifest_of(data), **fields})


def canonical(value: Mapping[str, Any]) -> bytes:
    """JSON as the manifest is written; NaN is let through, since a forger would."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
