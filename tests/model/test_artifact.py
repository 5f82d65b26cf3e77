import dataclasses
import io
import json
import os
import random
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

from model import artifact as artifacts
from model import errors, normalizer
from model.architecture import mlp
from model.artifact import (
    GOLDEN_TOLERANCE,
    MAX_FILE_BYTES,
    MAX_GOLDEN_IMAGES,
    Artifact,
    decode,
    encode,
)
from model.confidence import Confidence, Thresholds
from model.reference import BINS
from tests.helpers import run_python, table
from tests.model.forge import (
    assert_helpful,
    assert_refused,
    canonical,
    forge,
    manifest_of,
    members_of,
    npy,
    npy_text,
    rename,
    with_fields,
    with_manifest,
    with_manifest_text,
    zip_of,
)

Forger: TypeAlias = Callable[[bytes], bytes]

WEIGHT, BIAS = "dense1.weight", "dense1.bias"
MEMBERS = [
    "manifest",
    "dense1.weight",
    "dense1.bias",
    "dense2.weight",
    "dense2.bias",
    "golden.images",
    "golden.logits",
    "reference.energy_edges",
    "reference.counts",
]


@pytest.fixture(scope="module")
def data(tiny_artifact: Artifact) -> bytes:
    return encode(tiny_artifact)


def is_refused(data: bytes) -> bool:
    """Whether bytes are refused as they should be; any other exception fails the test."""
    try:
        decode(data)
    except errors.ArtifactError:
        return True
    return False


def with_parameter(artifact: Artifact, name: str, array: NDArray[np.float32]) -> Artifact:
    return dataclasses.replace(artifact, parameters={**artifact.parameters, name: array})


def changed(array: NDArray[np.float32], value: float) -> NDArray[np.float32]:
    """A copy of which one number is another."""
    copy = array.copy()
    copy.flat[-1] = value
    return copy


# -- what is sound ----------------------------------------------------------


def test_decoding_inverts_encoding(tiny_artifact: Artifact, data: bytes) -> None:
    read = decode(data)
    arrays = {"parameters", "golden_images", "golden_logits"}
    for field in {item.name for item in dataclasses.fields(Artifact)} - arrays:
        assert getattr(read, field) == getattr(tiny_artifact, field), field
    assert list(read.parameters) == list(tiny_artifact.parameters)
    for name, array in tiny_artifact.parameters.items():
        np.testing.assert_array_equal(read.parameters[name], array, strict=True)
    np.testing.assert_array_equal(read.golden_images, tiny_artifact.golden_images, strict=True)
    np.testing.assert_array_equal(read.golden_logits, tiny_artifact.golden_logits, strict=True)


def test_a_file_of_version_2_has_no_reference_and_is_read(tiny_artifact: Artifact) -> None:
    older = dataclasses.replace(tiny_artifact, reference=None)
    data = encode(older)
    assert manifest_of(data)["format_version"] == older.format_version == 2
    assert [name.removesuffix(".npy") for name in members_of(data)] == MEMBERS[:-2]
    assert decode(data).reference is None
    assert decode(data).digest() == older.digest()


def test_one_content_has_one_encoding(tiny_artifact: Artifact, data: bytes) -> None:
    reordered = dataclasses.replace(
        tiny_artifact,
        parameters=dict(reversed(list(tiny_artifact.parameters.items()))),
        training=dict(reversed(list(tiny_artifact.training.items()))),
    )
    assert encode(tiny_artifact) == data
    assert encode(reordered) == data
    assert encode(decode(data)) == data


def test_numpy_alone_can_read_it(tiny_artifact: Artifact, tiny_artifact_path: Path) -> None:
    with np.load(tiny_artifact_path, allow_pickle=False) as members:
        assert members.files == MEMBERS
        np.testing.assert_array_equal(members[WEIGHT], tiny_artifact.parameters[WEIGHT])
        manifest = json.loads(members["manifest"].tobytes())
    assert manifest["format"] == "digits-artifact"
    assert manifest["format_version"] == 3


def test_a_file_written_is_the_file_read(tiny_artifact: Artifact, tmp_path: Path) -> None:
    path = tmp_path / "new" / "folders" / "a.npz"
    artifacts.write(path, tiny_artifact)
    assert path.read_bytes() == encode(tiny_artifact)
    assert artifacts.read(path).digest() == tiny_artifact.digest()


def test_what_was_read_cannot_be_changed(data: bytes) -> None:
    with pytest.raises(ValueError, match="read-only"):
        decode(data).parameters[BIAS].flat[0] = 1


def test_another_machine_may_compute_slightly_other_logits(tiny_artifact: Artifact) -> None:
    shifted = tiny_artifact.golden_logits + np.float32(GOLDEN_TOLERANCE / 2)
    elsewhere = dataclasses.replace(tiny_artifact, golden_logits=shifted)
    assert decode(encode(elsewhere)).digest() == elsewhere.digest()


# -- the digest -------------------------------------------------------------


def test_the_digest_is_the_manifests(tiny_artifact: Artifact, data: bytes) -> None:
    assert tiny_artifact.digest() == manifest_of(data)["digest"]
    assert tiny_artifact.digest().removeprefix("sha256:").isalnum()
    assert len(tiny_artifact.digest()) == len("sha256:") + 64


@table(
    "changes",
    {
        "name": {"name": "other"},
        "version": {"version": 2},
        "temperature": {"confidence": Confidence(temperature=2.0)},
        "confidence": {"confidence": Confidence(thresholds=Thresholds(confidence=0.25))},
        "energy": {"confidence": Confidence(thresholds=Thresholds(energy=0.25))},
        "normalizer": {"normalizer_version": normalizer.VERSION + 1},
        "training": {"training": {}},
        "evaluation": {"evaluation": {}},
        "golden images": {"golden_images": np.zeros((1, 28, 28), np.uint8)},
        "golden logits": {"golden_logits": np.zeros((1, 10), np.float32)},
        "reference": {"reference": None},
    },
)
def test_any_other_content_has_another_digest(
    tiny_artifact: Artifact, changes: dict[str, Any]
) -> None:
    before = dataclasses.replace(tiny_artifact, confidence=Confidence())
    assert dataclasses.replace(before, **changes).digest() != before.digest()


def test_one_other_parameter_makes_another_digest(tiny_artifact: Artifact) -> None:
    other = with_parameter(tiny_artifact, BIAS, changed(tiny_artifact.parameters[BIAS], 0.125))
    assert other.digest() != tiny_artifact.digest()


# -- damage -----------------------------------------------------------------


def test_a_forgery_that_changes_nothing_is_the_file_itself(data: bytes) -> None:
    assert forge(data, {}) == data
    assert with_manifest(data, manifest_of(data)) == data
    assert rename(data, "manifest.npy", "manifest.npy") == data


def test_a_file_cut_off_anywhere_is_refused(data: bytes) -> None:
    lengths = [*range(0, len(data), 499), *range(len(data) - 130, len(data))]
    assert [length for length in lengths if not is_refused(data[:length])] == []


def test_a_flipped_bit_anywhere_is_refused(data: bytes) -> None:
    chance = random.Random(0)
    ends = [*range(64), *range(len(data) - 64, len(data))]
    places = [(chance.randrange(len(data)), chance.randrange(8)) for _ in range(200)]
    places += [(byte, bit) for byte in ends for bit in range(8)]

    def flipped(byte: int, bit: int) -> bytes:
        return data[:byte] + bytes([data[byte] ^ 1 << bit]) + data[byte + 1 :]

    assert [place for place in places if not is_refused(flipped(*place))] == []


def test_a_flipped_bit_with_a_mended_checksum_is_refused(data: bytes) -> None:
    chance = random.Random(0)
    for name, raw in members_of(data).items():
        for byte in [*range(128), *(chance.randrange(len(raw)) for _ in range(20))]:
            flipped = bytearray(raw)
            flipped[byte] ^= 1 << chance.randrange(8)
            assert is_refused(forge(data, {name: bytes(flipped)})), (name, byte)


def test_damage_on_the_disk_is_refused_by_name(data: bytes) -> None:
    assert_refused(errors.NotCanonical, data[: len(data) // 2], "truncated")


# -- the archive ------------------------------------------------------------


def saved_by_numpy(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with np.load(io.BytesIO(data)) as members:
        np.savez(buffer, allow_pickle=False, **members)
    return buffer.getvalue()


def with_size_claim(data: bytes, size: int) -> bytes:
    """The directory at the end claims that its first member has so many bytes."""
    entry = data.index(b"PK\x01\x02")
    return data[: entry + 24] + size.to_bytes(4, "little") + data[entry + 28 :]


def with_flag(data: bytes, flag: int) -> bytes:
    """The directory at the end sets a flag of its first member."""
    entry = data.index(b"PK\x01\x02")
    return data[: entry + 8] + flag.to_bytes(2, "little") + data[entry + 10 :]


ARCHIVES: dict[str, Forger] = {
    "empty file": lambda _: b"",
    "text": lambda _: b"digits",
    "an .npy file": lambda data: members_of(data)[f"{WEIGHT}.npy"],
    "leading junk": lambda data: b"junk" + data,
    "trailing junk": lambda data: data + b"junk",
    "two artifacts in one file": lambda data: data + data,
    "a member that claims 4 GB": lambda data: with_size_claim(data, 2**32 - 2),
    "encrypted": lambda data: with_flag(data, 0x1),
    "duplicate members": lambda data: zip_of(
        [*members_of(data).items(), (f"{BIAS}.npy", members_of(data)[f"{BIAS}.npy"])]
    ),
    "other order": lambda data: zip_of(reversed(members_of(data).items())),
    "other date": lambda data: zip_of(members_of(data).items(), date_time=(2024, 2, 29, 12, 0, 0)),
    "other permissions": lambda data: zip_of(members_of(data).items(), external_attr=0o777 << 16),
    "made on another system": lambda data: zip_of(members_of(data).items(), create_system=0),
    "extra field": lambda data: zip_of(members_of(data).items(), extra=b"\x99\x99\x04\x00text"),
    "member comment": lambda data: zip_of(members_of(data).items(), comment=b"hello"),
    "member without its suffix": lambda data: rename(data, f"{BIAS}.npy", BIAS),
    "a member before the file": lambda data: zip_of(members_of(data).items(), header_offset=2**31),
    "a member at 2**63": lambda data: zip_of(members_of(data).items(), header_offset=2**63),
}


@table("forger", ARCHIVES)
def test_another_archive_than_the_writers_is_refused(forger: Forger, data: bytes) -> None:
    assert_refused(errors.NotCanonical, forger(data))


@table(
    "compression",
    {
        "deflate": zipfile.ZIP_DEFLATED,
        "bzip2": zipfile.ZIP_BZIP2,
        "lzma": zipfile.ZIP_LZMA,
    },
)
@table("extra", {"the members": {}, "a bomb": {"bomb.npy": bytes(50_000_000)}})
def test_a_compressed_archive_is_not_unpacked(
    compression: int, extra: dict[str, bytes], data: bytes
) -> None:
    forged = zip_of({**members_of(data), **extra}.items(), compression=compression)
    assert_refused(errors.NotCanonical, forged, "compressed")


def test_the_same_content_saved_by_numpy_is_refused(data: bytes) -> None:
    assert is_refused(saved_by_numpy(data))


# -- the members ------------------------------------------------------------

MEMBER_FORGERIES: dict[str, tuple[Forger, type[errors.ArtifactError], str]] = {
    "unknown": (lambda data: forge(data, {"extra.npy": b""}), errors.UnknownMember, "extra"),
    "unknown, with a path": (
        lambda data: forge(data, {"../../etc/passwd.npy": b""}),
        errors.UnknownMember,
        "../../etc/passwd",
    ),
    "unknown, with a line break": (
        lambda data: forge(data, {"a\nb.npy": b""}),
        errors.UnknownMember,
        "a\\nb",
    ),
    "missing parameter": (
        lambda data: forge(data, {f"{BIAS}.npy": None}),
        errors.MissingMember,
        BIAS,
    ),
    "missing manifest": (
        lambda data: forge(data, {"manifest.npy": None}),
        errors.MissingMember,
        "manifest",
    ),
    "missing golden logits": (
        lambda data: forge(data, {"golden.logits.npy": None}),
        errors.MissingMember,
        "golden.logits",
    ),
    "renamed": (
        lambda data: rename(data, f"{BIAS}.npy", "dense1.offset.npy"),
        errors.UnknownMember,
        "dense1.offset",
    ),
    "no golden image": (
        lambda data: forge(data, {"golden.images.npy": npy("|u1", (0, 28, 28), b"")}),
        errors.MemberMismatch,
        "golden.images",
    ),
    "more golden images than are replayed": (
        lambda data: forge(
            data,
            {
                "golden.images.npy": npy(
                    "|u1", (MAX_GOLDEN_IMAGES + 1, 28, 28), bytes((MAX_GOLDEN_IMAGES + 1) * 784)
                )
            },
        ),
        errors.MemberMismatch,
        str(MAX_GOLDEN_IMAGES),
    ),
    "another number of golden logits": (
        lambda data: forge(data, {"golden.logits.npy": npy("<f4", (1, 10), bytes(40))}),
        errors.MemberMismatch,
        "golden.logits",
    ),
    "missing edges of the reference": (
        lambda data: forge(data, {"reference.energy_edges.npy": None}),
        errors.MissingMember,
        "reference.energy_edges",
    ),
    "missing counts of the reference": (
        lambda data: forge(data, {"reference.counts.npy": None}),
        errors.MissingMember,
        "reference.counts",
    ),
    "a reference in a file of version 2": (
        lambda data: with_fields(data, format_version=2),
        errors.UnknownMember,
        "reference.counts",
    ),
    "one edge of the reference more": (
        lambda data: forge(data, {"reference.energy_edges.npy": npy("<f8", (10,), bytes(80))}),
        errors.MemberMismatch,
        "reference.energy_edges",
    ),
    "signed counts of the reference": (
        lambda data: forge(data, {"reference.counts.npy": npy("<i4", (BINS,), bytes(4 * BINS))}),
        errors.MemberMismatch,
        "reference.counts",
    ),
    "one bin of the reference less": (
        lambda data: forge(
            data, {"reference.counts.npy": npy("<u4", (BINS - 1,), bytes(4 * BINS - 4))}
        ),
        errors.MemberMismatch,
        "reference.counts",
    ),
    "dtype float64": (
        lambda data: forge(data, {f"{BIAS}.npy": npy("<f8", (16,), bytes(128))}),
        errors.MemberMismatch,
        "but the architecture calls for <f4 (16,)",
    ),
    "dtype big-endian": (
        lambda data: forge(data, {f"{BIAS}.npy": npy(">f4", (16,), bytes(64))}),
        errors.MemberMismatch,
        ">f4",
    ),
    "shape transposed": (
        lambda data: forge(data, {f"{WEIGHT}.npy": npy("<f4", (16, 784), bytes(4 * 784 * 16))}),
        errors.MemberMismatch,
        "(16, 784)",
    ),
    "shape without axes": (
        lambda data: forge(data, {f"{BIAS}.npy": npy("<f4", (), bytes(4))}),
        errors.MemberMismatch,
        "()",
    ),
    "Fortran order": (
        lambda data: forge(
            data,
            {
                f"{WEIGHT}.npy": npy_text(
                    "{'descr': '<f4', 'fortran_order': True, 'shape': (784, 16)}",
                    bytes(4 * 784 * 16),
                )
            },
        ),
        errors.MemberMismatch,
        WEIGHT,
    ),
    "claims 300 GB": (
        lambda data: forge(data, {f"{BIAS}.npy": npy("<f4", (10**11,), b"")}),
        errors.MemberMismatch,
        "100000000000",
    ),
    "shorter than its shape": (
        lambda data: forge(data, {f"{BIAS}.npy": npy("<f4", (16,), bytes(60))}),
        errors.MemberMismatch,
        "not as long",
    ),
    "longer than its shape": (
        lambda data: forge(data, {f"{BIAS}.npy": npy("<f4", (16,), bytes(68))}),
        errors.MemberMismatch,
        "not as long",
    ),
    "structured dtype": (
        lambda data: forge(data, {f"{BIAS}.npy": npy([("a", "<f4")], (16,), bytes(64))}),
        errors.MemberMismatch,
        BIAS,
    ),
    "object dtype": (
        lambda data: forge(data, {f"{BIAS}.npy": npy("|O", (16,), b"")}),
        errors.PickledMember,
        "pickled",
    ),
    "object field in a structured dtype": (
        lambda data: forge(data, {f"{BIAS}.npy": npy([("a", "|O")], (16,), b"")}),
        errors.PickledMember,
        "pickled",
    ),
}


@table("forger, error, word", MEMBER_FORGERIES)
def test_other_members_than_the_architectures_are_refused(
    forger: Forger, error: type[errors.ArtifactError], word: str, data: bytes
) -> None:
    assert_refused(error, forger(data), word)


HEADERS = {
    "empty": "",
    "not Python": "$",
    "an open brace": "{",
    "an open string": "'''",
    "a number": "1",
    "another key": "{'descr': '<f4', 'order': False, 'shape': (16,)}",
    "a list as key": "{[]: 1}",
    "empty tuple as descr": "{'descr': (), 'fortran_order': False, 'shape': (16,)}",
    "half a subarray as descr": "{'descr': ('<f4',), 'fortran_order': False, 'shape': (16,)}",
    "unknown descr": "{'descr': '<z9', 'fortran_order': False, 'shape': (16,)}",
    "a shape of Python 2": "{'descr': '<f4', 'fortran_order': False, 'shape': (16L,)}",
    "a shape of text": "{'descr': '<f4', 'fortran_order': False, 'shape': ('16',)}",
    "a negative shape": "{'descr': '<f4', 'fortran_order': False, 'shape': (-16,)}",
    "a shape of 5000 digits": "{'descr': '<f4', 'fortran_order': 0, 'shape': " + "9" * 5000 + "}",
    "200 open brackets": "(" * 200,
    "9000 open brackets": "(" * 9000,
    "9000 signs": "-" * 9000 + "1",
    "a call": "__import__('os').abort()",
}


@table("header", HEADERS)
def test_an_odd_npy_header_is_refused(header: str, data: bytes) -> None:
    raw = npy_text(header, bytes(64))
    assert_refused(errors.MemberMismatch, forge(data, {f"{BIAS}.npy": raw}), BIAS)


@table("raw", {"no bytes": b"", "no magic": bytes(200), "version 9": b"\x93NUMPY\x09\x00" * 30})
def test_a_member_that_is_not_npy_is_refused(raw: bytes, data: bytes) -> None:
    assert_refused(errors.MemberMismatch, forge(data, {f"{BIAS}.npy": raw}), BIAS)


def peak_of(action: Callable[[], object]) -> int:
    """The most bytes that were allocated at once."""
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@table(
    "name, descr, shape",
    {
        "a parameter": (f"{BIAS}.npy", "<f4", (10**11,)),
        "the manifest": ("manifest.npy", "|u1", (10**11,)),
        "golden images": ("golden.images.npy", "|u1", (10**11, 28, 28)),
        "the reference": ("reference.counts.npy", "<u4", (10**11,)),
    },
)
def test_a_claim_of_300_gb_takes_no_memory(
    name: str, descr: str, shape: tuple[int, ...], data: bytes
) -> None:
    forged = forge(data, {name: npy(descr, shape, bytes(1000))})
    assert is_refused(forged)
    assert peak_of(lambda: is_refused(forged)) < 10 * len(forged)


def test_replaying_a_large_golden_set_takes_memory_of_the_order_of_the_file() -> None:
    architecture, count = mlp(784, 2000, 10), MAX_GOLDEN_IMAGES
    wide = Artifact(
        name="wide",
        version=1,
        architecture=architecture,
        parameters={
            name: np.zeros(shape, np.float32)
            for name, shape in architecture.parameter_shapes().items()
        },
        confidence=Confidence(),
        normalizer_version=normalizer.VERSION,
        golden_images=np.zeros((count, 28, 28), np.uint8),
        golden_logits=np.zeros((count, 10), np.float32),
    )
    data = encode(wide)
    assert peak_of(lambda: decode(data)) < 10 * len(data)


class MakesFolder:
    """What is pickled here makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.folder),)


def test_nothing_is_ever_unpickled(data: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "made by a pickle"
    payload = io.BytesIO()
    np.save(payload, np.array([MakesFolder(folder)], object), allow_pickle=True)
    assert_refused(
        errors.PickledMember, forge(data, {f"{BIAS}.npy": payload.getvalue()}), BIAS, "pickled"
    )
    assert not folder.exists()
    payload.seek(0)
    np.load(payload, allow_pickle=True)
    assert folder.exists(), "the payload was harmless: this test shows nothing"


# -- the manifest -----------------------------------------------------------


@table(
    "text",
    {
        "not JSON": b"{",
        "not text": b"\xff\xfe\xfd",
        "nested 10 000 deep": b"[" * 10_000 + b"]" * 10_000,
        "a number of 5000 digits": b'{"format":' + b"9" * 5000 + b"}",
        "a list": b"[]",
        "null": b"null",
        "another format": b'{"format":"other"}',
        "no format": b"{}",
        "2 MB": b'{"format":"digits-artifact"}'.ljust(2 * 2**20),
    },
)
def test_a_manifest_that_is_not_one_is_refused(text: bytes, data: bytes) -> None:
    assert_refused(errors.InvalidManifest, with_manifest_text(data, text), "manifest")


def test_an_empty_manifest_is_refused(data: bytes) -> None:
    assert_refused(errors.InvalidManifest, with_manifest_text(data, b""), "manifest of 0 bytes")


def deepest_nesting() -> int:
    """How many brackets Python's own JSON reader follows from about here."""
    low, high = 1, 200_000
    while high - low > 1:
        middle = (low + high) // 2
        try:
            json.loads("[" * middle + "]" * middle)
            low = middle
        except RecursionError:
            high = middle
    return low


def test_nesting_is_refused_around_the_depth_that_json_can_follow(data: bytes) -> None:
    manifest = {**manifest_of(data), "training": {"x": "NESTED"}}
    limit = deepest_nesting()
    for depth in range(limit - 40, limit + 10):
        nested = b"[" * depth + b"]" * depth
        text = canonical(manifest).replace(b'"NESTED"', nested)
        assert is_refused(with_manifest_text(data, text)), depth


@table(
    "written",
    {
        "spaces": lambda manifest: json.dumps(manifest, sort_keys=True).encode(),
        "keys out of order": lambda manifest: json.dumps(
            dict(reversed(manifest.items())), separators=(",", ":")
        ).encode(),
        "a key twice": lambda manifest: canonical(manifest).replace(
            b'"format":', b'"format":"other","format":', 1
        ),
        "UTF-16": lambda manifest: canonical(manifest).decode().encode("utf-16"),
        "padding": lambda manifest: canonical(manifest) + b"\n",
        "format version 3.0": lambda manifest: canonical({**manifest, "format_version": 3.0}),
    },
)
def test_a_manifest_written_another_way_is_refused(
    written: Callable[[dict[str, Any]], bytes], data: bytes
) -> None:
    assert_refused(
        errors.NotCanonical, with_manifest_text(data, written(manifest_of(data))), "writer"
    )


@pytest.mark.parametrize("version", [0, 1, 4, 10**9, True, "3", None, [3]])
def test_another_format_version_is_said_to_be_one(version: object, data: bytes) -> None:
    assert_refused(
        errors.UnsupportedFormat,
        with_fields(data, format_version=version),
        repr(version),
        "reads versions 2 and 3",
    )


def test_a_later_format_may_have_other_fields(data: bytes) -> None:
    forged = with_manifest(data, {"format": "digits-artifact", "format_version": 4, "new": 1})
    assert_refused(errors.UnsupportedFormat, forged, "version 4")


@table(
    "field",
    {
        "plain": "extra",
        "line break": "a\nb",
        "escape sequence": "\x1b[31m",
        "lone surrogate": "\ud800",
    },
)
def test_an_unknown_field_is_refused(field: str, data: bytes) -> None:
    assert_refused(errors.InvalidManifest, with_fields(data, **{field: 1}), "unknown")


@pytest.mark.parametrize(
    "field",
    [
        "architecture",
        "evaluation",
        "labels",
        "members",
        "name",
        "normalizer_version",
        "temperature",
        "thresholds",
        "training",
        "version",
    ],
)
def test_a_missing_field_is_refused_by_name(field: str, data: bytes) -> None:
    manifest = manifest_of(data)
    del manifest[field]
    assert_refused(errors.InvalidManifest, with_manifest(data, manifest), field)


def test_a_missing_digest_is_refused(data: bytes) -> None:
    manifest = manifest_of(data)
    del manifest["digest"]
    forged = with_manifest_text(data, canonical(manifest))
    assert_refused(errors.InvalidManifest, forged, "digest")


NOT_COUNTS = [0, -1, 1.0, True, "1", None, [], {}]
FIELDS: dict[str, list[object]] = {
    "name": ["", "two words", "../digits", "a\nb", 1, None, [], {}],
    "version": NOT_COUNTS,
    "normalizer_version": NOT_COUNTS,
    "architecture": [None, {}, "mlp", 1, []],
    "labels": [
        None,
        "0123456789",
        [],
        [0, 1],
        [*range(1, 11)],
        [*range(9), "9"],
        [float(label) for label in range(10)],
        [False, True, *range(2, 10)],
    ],
    "temperature": [0.0, -1.0, 1, True, "1", None, []],
    "thresholds": [
        None,
        [],
        {},
        0.5,
        {"confidence": 0.5},
        {"energy": 0.5},
        *({"confidence": value, "energy": 0.5} for value in (1, True, None, "0.5", -0.1, 1.1)),
        *({"confidence": 0.5, "energy": value} for value in (1, True, None, "0.5", [0.5])),
        {"confidence": 0.5, "energy": 0.5, "other": 0.5},
    ],
    "training": [None, [], "", 1],
    "evaluation": [None, [], "", 1],
}


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in FIELDS.items() for value in values]
)
def test_a_field_of_another_type_or_range_is_refused_by_name(
    field: str, value: object, data: bytes
) -> None:
    assert_refused(errors.InvalidManifest, with_fields(data, **{field: value}), field)


@table(
    "fields",
    {
        "training": {"training": {"loss": "NUMBER"}},
        "evaluation": {"evaluation": {"intervals": [[0, "NUMBER"]]}},
        "temperature": {"temperature": "NUMBER"},
        "confidence": {"thresholds": {"confidence": "NUMBER", "energy": 0.5}},
        "energy": {"thresholds": {"confidence": 0.5, "energy": "NUMBER"}},
    },
)
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_a_number_that_json_has_not_is_refused(
    number: str, fields: dict[str, Any], data: bytes
) -> None:
    text = canonical({**manifest_of(data), **fields}).replace(b'"NUMBER"', number.encode())
    assert_refused(errors.InvalidManifest, with_manifest_text(data, text), "manifest")


DENSE = {"type": "dense", "name": "dense1", "inputs": 784, "outputs": 10}


@table(
    "layers",
    {
        "no object": ["dense"],
        "no type": [{}],
        "unknown type": [{"type": "lstm"}],
        "type null": [{"type": None}],
        "type a list": [{"type": []}],
        "type an object": [{"type": {}}],
        "missing field": [{"type": "dense", "name": "dense1", "inputs": 784}],
        "unknown field": [{**DENSE, "depth": 1}],
        "a field of a layer without fields": [{"type": "relu", "slope": 1}, DENSE],
        "widths that do not fit": [{**DENSE, "inputs": 783}],
        "not ten logits": [{**DENSE, "outputs": 11}],
        "the same name twice": [{**DENSE, "outputs": 784}, DENSE],
        "a name that is a path": [{**DENSE, "name": "../dense"}],
        "a name with a line break": [{**DENSE, "name": "a\nb"}],
        "a number for a name": [{**DENSE, "name": 1}],
        "a width of 10**30": [{**DENSE, "outputs": 10**30}],
        "a width of 0": [{**DENSE, "outputs": 0}],
        "a fractional width": [{**DENSE, "outputs": 10.0}],
        "a width of true": [{**DENSE, "outputs": True}],
    },
)
def test_an_architecture_that_cannot_be_built_is_refused(layers: list[Any], data: bytes) -> None:
    assert_refused(
        errors.InvalidManifest,
        with_fields(data, architecture=layers),
        "the manifest's architecture",
    )


def test_another_architecture_calls_for_other_members(data: bytes) -> None:
    forged = with_fields(data, architecture=mlp(784, 10).to_json())
    assert_refused(errors.UnknownMember, forged, "dense2.bias")


def test_an_altered_digest_is_refused(data: bytes) -> None:
    digest = manifest_of(data)["digest"]
    altered = f"{digest[:-1]}{'0' if digest[-1] != '0' else '1'}"
    forged = with_manifest_text(data, canonical({**manifest_of(data), "digest": altered}))
    assert_refused(errors.DigestMismatch, forged, "digest")


@pytest.mark.parametrize("digest", [None, 1, [], {}, "", "sha256:"])
def test_a_digest_of_another_type_is_refused(digest: object, data: bytes) -> None:
    forged = with_manifest_text(data, canonical({**manifest_of(data), "digest": digest}))
    assert_refused(errors.DigestMismatch, forged, "digest")


@table(
    "changes",
    {
        "version": {"version": 2},
        "temperature": {"temperature": 3.25},
        "evaluation": {"evaluation": {"test": {"accuracy": 1.0}}},
    },
)
def test_an_altered_field_does_not_match_the_digest(changes: dict[str, Any], data: bytes) -> None:
    forged = with_manifest_text(data, canonical({**manifest_of(data), **changes}))
    assert_refused(errors.DigestMismatch, forged, "digest")


def test_another_hash_of_a_member_is_refused(data: bytes) -> None:
    manifest = manifest_of(data)
    manifest["members"][BIAS]["sha256"] = "0" * 64
    assert_refused(errors.NotCanonical, with_manifest_text(data, canonical(manifest)), "writer")
    assert_refused(errors.DigestMismatch, with_manifest(data, manifest), "digest")


def test_an_altered_parameter_does_not_match_the_digest(data: bytes) -> None:
    raw = members_of(data)[f"{BIAS}.npy"]
    forged = forge(data, {f"{BIAS}.npy": raw[:-4] + b"\0\0\0\x3f"})
    assert_refused(errors.DigestMismatch, forged, "digest")


# -- the numbers ------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["dense1.weight", "dense2.bias"])
def test_a_parameter_that_is_no_number_is_refused(
    name: str, value: float, tiny_artifact: Artifact
) -> None:
    array = changed(tiny_artifact.parameters[name], value)
    forged = encode(with_parameter(tiny_artifact, name, array))
    assert_refused(errors.NonFiniteParameter, forged, name)


def test_a_golden_logit_that_is_no_number_is_refused(tiny_artifact: Artifact) -> None:
    logits = changed(tiny_artifact.golden_logits, np.nan)
    forged = encode(dataclasses.replace(tiny_artifact, golden_logits=logits))
    assert_refused(errors.NonFiniteParameter, forged, "golden.logits")


def test_logits_that_the_network_does_not_give_are_refused(tiny_artifact: Artifact) -> None:
    last = float(tiny_artifact.golden_logits[-1, -1])
    logits = changed(tiny_artifact.golden_logits, last + 2 * GOLDEN_TOLERANCE)
    forged = encode(dataclasses.replace(tiny_artifact, golden_logits=logits))
    assert_refused(errors.GoldenMismatch, forged, "golden logits", "0.001")


def test_other_parameters_do_not_give_the_golden_logits(tiny_artifact: Artifact) -> None:
    bias = tiny_artifact.parameters["dense2.bias"]
    forged = encode(with_parameter(tiny_artifact, "dense2.bias", bias + np.float32(1)))
    assert_refused(errors.GoldenMismatch, forged, "golden logits")


def edges_of(*edges: float) -> bytes:
    return npy("<f8", (len(edges),), np.array(edges, "<f8").tobytes())


@table(
    "member, raw",
    {
        "an edge that is no number": (
            "reference.energy_edges.npy",
            edges_of(1, 2, 3, 4, float("nan"), 6, 7, 8, 9),
        ),
        "an infinite edge": (
            "reference.energy_edges.npy",
            edges_of(1, 2, 3, 4, 5, 6, 7, 8, float("inf")),
        ),
        "edges that fall": ("reference.energy_edges.npy", edges_of(1, 2, 3, 4, 6, 5, 7, 8, 9)),
        "no image": ("reference.counts.npy", npy("<u4", (BINS,), bytes(4 * BINS))),
        "an image more in one feature": (
            "reference.counts.npy",
            npy("<u4", (BINS,), b"\1\0\0\0" + bytes(4 * BINS - 4)),
        ),
        "counts beyond every sum": (
            "reference.counts.npy",
            npy("<u4", (BINS,), b"\xff" * (4 * BINS)),
        ),
    },
)
def test_a_reference_that_is_no_histograms_is_refused(member: str, raw: bytes, data: bytes) -> None:
    assert_refused(errors.UnsoundReference, forge(data, {member: raw}), "reference")


def test_another_count_of_the_reference_does_not_match_the_digest(data: bytes) -> None:
    counts = np.frombuffer(members_of(data)["reference.counts.npy"][128:], "<u4") * 2
    forged = forge(data, {"reference.counts.npy": npy("<u4", (BINS,), counts.tobytes())})
    assert_refused(errors.DigestMismatch, forged, "digest")


def test_a_network_that_overflows_is_refused(tiny_artifact: Artifact) -> None:
    weight = np.full_like(tiny_artifact.parameters[WEIGHT], 3e38)
    forged = encode(with_parameter(tiny_artifact, WEIGHT, weight))
    assert_refused(errors.GoldenMismatch, forged, "golden logits")


# -- the file ---------------------------------------------------------------


def assert_not_found(path: Path, *words: str) -> None:
    with pytest.raises(errors.ArtifactNotFound) as caught:
        artifacts.read(path)
    assert_helpful(caught.value, path, *words)


def test_a_file_that_is_missing_is_not_found(tmp_path: Path) -> None:
    assert_not_found(tmp_path / "none.npz", "there is no such file")


def test_a_directory_is_not_found(tmp_path: Path) -> None:
    assert_not_found(tmp_path, "not a regular file")


def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npz")
    assert_not_found(tmp_path / "pipe.npz", "not a regular file")


def test_a_link_that_goes_round_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "a.npz").symlink_to(tmp_path / "a.npz")
    assert_not_found(tmp_path / "a.npz")


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs Linux's /proc/self/mem")
def test_a_file_that_cannot_be_read_is_not_found() -> None:
    assert_not_found(Path("/proc/self/mem"), "cannot be read")


def test_a_file_over_the_limit_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "big.npz"
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(errors.NotCanonical) as caught:
        artifacts.read(path)
    assert_helpful(caught.value, path, str(MAX_FILE_BYTES + 1), str(MAX_FILE_BYTES))


# -- writing ----------------------------------------------------------------

WRITE_WHERE_FILES_END_AT_1000_BYTES = """
import resource, sys
from pathlib import Path
from model import artifact
tiny = artifact.read(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
artifact.write(Path(sys.argv[2]), tiny)
"""


@pytest.mark.parametrize("before", [None, b"an older version"], ids=["new file", "old file"])
def test_a_full_disk_leaves_no_half_file(
    before: bytes | None, tiny_artifact_path: Path, tmp_path: Path
) -> None:
    path = tmp_path / "a.npz"
    if before is not None:
        path.write_bytes(before)
    run = run_python(WRITE_WHERE_FILES_END_AT_1000_BYTES, tiny_artifact_path, path)
    assert "File too large" in run.stderr
    left = {found.name: found.read_bytes() for found in tmp_path.iterdir()}
    assert left == ({} if before is None else {"a.npz": before})


def test_an_artifact_that_cannot_be_encoded_leaves_no_file(
    tiny_artifact: Artifact, tmp_path: Path
) -> None:
    broken = dataclasses.replace(tiny_artifact, evaluation={"accuracy": float("nan")})
    with pytest.raises(ValueError, match="JSON"):
        artifacts.write(tmp_path / "a.npz", broken)
    assert list(tmp_path.iterdir()) == []


def test_writing_replaces_what_was_there(tiny_artifact: Artifact, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(b"an older version")
    artifacts.write(path, tiny_artifact)
    assert path.read_bytes() == encode(tiny_artifact)
    assert list(tmp_path.iterdir()) == [path]


@table(
    "changes",
    {
        "a whole temperature": {"confidence": Confidence(2)},
        "a threshold above 1": {"confidence": Confidence(thresholds=Thresholds(1.1))},
        "a name that is no identifier": {"name": "my model"},
        "no golden images": {
            "golden_images": np.zeros((0, 28, 28), np.uint8),
            "golden_logits": np.zeros((0, 10), np.float32),
        },
    },
)
def test_what_no_reader_would_take_is_not_written(
    changes: dict[str, Any], tiny_artifact: Artifact, tmp_path: Path
) -> None:
    with pytest.raises(errors.ArtifactError):
        artifacts.write(tmp_path / "a.npz", dataclasses.replace(tiny_artifact, **changes))
    assert list(tmp_path.iterdir()) == []


def test_a_path_with_a_nul_is_no_file() -> None:
    with pytest.raises(errors.ArtifactNotFound):
        artifacts.read(Path("a\0b"))
