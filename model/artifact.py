"""The artifact: one trained model in one ``.npz`` file. The format is in README.md.

``encode`` and ``decode`` are each other's inverse: one content has exactly
one encoding, so ``decode`` ends by encoding what it read and comparing the
bytes. Whatever a flipped bit, a stray member or another zip tool could do to
a file, it cannot pass that.
"""

import hashlib
import io
import json
import math
import os
import stat
import uuid
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from model import errors, normalizer
from model.architecture import CLASSES, FRAME_SIDE, Architecture
from model.confidence import Confidence, Thresholds
from model.network import Network, scale_pixels
from model.reference import BINS, ENERGY_BINS, Reference

if TYPE_CHECKING:
    from model.signature import Trust

FORMAT = "digits-artifact"
FORMAT_VERSION = 3
WITHOUT_REFERENCE = 2  # the version before: the same, save that it has no reference

# The flagship is to stay under 2 MB; what is over this is not one of ours.
MAX_FILE_BYTES = 64 * 2**20
MAX_MANIFEST_BYTES = 2**20

MAX_GOLDEN_IMAGES = 256  # they are replayed at every load

MANIFEST = "manifest"
GOLDEN_IMAGES = "golden.images"
GOLDEN_LOGITS = "golden.logits"
REFERENCE_EDGES = "reference.energy_edges"
REFERENCE_COUNTS = "reference.counts"

NPY_HEADER_BYTES = 128
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip entry can carry

# BLAS kernels sum in different orders; logits are of order 10, in float32.
GOLDEN_TOLERANCE = 1e-3

RETRAIN = "train it again or fetch the released file again"


@dataclass(frozen=True)
class Artifact:
    """Everything a served model is.

    parameters: flat names to float32 arrays; golden_images (G, 28, 28) uint8
    with golden_logits (G, 10) float32; training and evaluation: JSON objects. reference:
    what it was made from looked like, None in a file of format version 2.
    """

    name: str
    version: int
    architecture: Architecture
    parameters: Mapping[str, NDArray[np.float32]]
    confidence: Confidence
    normalizer_version: int
    golden_images: NDArray[np.uint8]
    golden_logits: NDArray[np.float32]
    training: Mapping[str, Any] = field(default_factory=dict)
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    labels: tuple[int, ...] = tuple(range(CLASSES))
    reference: Reference | None = None

    @property
    def format_version(self) -> int:
        """The version of the format that it is written in."""
        return WITHOUT_REFERENCE if self.reference is None else FORMAT_VERSION

    @property
    def network(self) -> Network:
        """The network around these parameters."""
        return Network(self.architecture, self.parameters)

    def digest(self) -> str:
        """``sha256:`` and the hash of the canonical manifest, which holds every member's hash."""
        return _digest(_manifest(self))


def read(path: Path, *, any_normalizer: bool = False, trust: "Trust | None" = None) -> Artifact:
    """Read and verify the artifact at ``path``; with ``any_normalizer``, of another version too.

    trust: who must have signed it, None where nobody has to. Raises ArtifactNotFound,
    UnsupportedFormat, NotSigned or an ArtifactCorrupt whose message begins with the path.
    """
    try:
        status = path.stat()
    except (OSError, ValueError):  # a ValueError for a NUL in the name
        raise errors.ArtifactNotFound(
            f"{path}: there is no such file; name an artifact (.npz) that exists"
        ) from None
    if not stat.S_ISREG(status.st_mode):
        raise errors.ArtifactNotFound(f"{path}: is not a regular file; name an artifact (.npz)")
    if status.st_size > MAX_FILE_BYTES:
        raise errors.NotCanonical(
            f"{path}: {status.st_size} bytes is over the {MAX_FILE_BYTES} an artifact may have; "
            "name an artifact (.npz)"
        )
    try:
        artifact = decode(path.read_bytes(), any_normalizer=any_normalizer)
    except errors.ArtifactError as error:
        raise type(error)(f"{path}: {error}") from None
    except OSError as error:
        raise errors.ArtifactNotFound(
            f"{path}: cannot be read ({error.strerror}); check its permissions"
        ) from None
    if trust is not None:
        trust.check(path, artifact.digest())  # of what was read, whatever becomes of the file
    return artifact


def write(path: Path, artifact: Artifact) -> None:
    """Write ``artifact`` to ``path`` so that a reader finds all of it or nothing.

    Raises ArtifactError, before anything is written, for what no reader would take.
    """
    data = encode(artifact)
    decode(data)
    write_whole(path, data)


def write_whole(path: Path, data: bytes) -> None:
    """Put ``data`` in the place of ``path`` in one step that also survives a power cut."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Let what was renamed or removed in a directory survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def encode(artifact: Artifact) -> bytes:
    """The one canonical encoding of ``artifact``."""
    manifest = _manifest(artifact)
    document = _canonical_json({**manifest, "digest": _digest(manifest)})
    members = {MANIFEST: np.frombuffer(document, np.uint8), **_arrays(artifact)}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, array in members.items():
            entry = zipfile.ZipInfo(f"{name}.npy", ZIP_EPOCH)
            entry.create_system = 3  # Unix, also when written elsewhere
            content = np.ascontiguousarray(array)
            header = _npy_header(content.dtype.str, content.shape)
            archive.writestr(entry, header + content.tobytes())
    return buffer.getvalue()


def decode(data: bytes, *, any_normalizer: bool = False) -> Artifact:
    """Parse and verify the bytes of an artifact; raises ArtifactError.

    Every check of names, dtypes, shapes and sizes is made against bytes that
    are already here; nothing is allocated on a header's word. any_normalizer: take
    an artifact of another normalizer version, too.
    """
    members = _unzip(data)
    document = _manifest_document(members)
    artifact = _artifact(document, members)
    try:
        digest, encoded = artifact.digest(), encode(artifact)
    except (ValueError, RecursionError):  # an infinity, or lists nested without end
        raise errors.InvalidManifest(
            f"the manifest holds what no writer writes; {RETRAIN}"
        ) from None
    if document["digest"] != digest:
        raise errors.DigestMismatch(f"the content does not match its digest; {RETRAIN}")
    if encoded != data:
        raise errors.NotCanonical(f"the bytes are not those the writer writes; {RETRAIN}")
    if not any_normalizer:
        _check_normalizer(artifact)
    _check_computation(artifact)
    return artifact


# -- writing ----------------------------------------------------------------


def _arrays(artifact: Artifact) -> dict[str, NDArray[Any]]:
    """All members but the manifest, in file order."""
    names = artifact.architecture.parameter_shapes()
    arrays: dict[str, NDArray[Any]] = {
        **{name: artifact.parameters[name] for name in names},
        GOLDEN_IMAGES: artifact.golden_images,
        GOLDEN_LOGITS: artifact.golden_logits,
    }
    if artifact.reference is not None:
        arrays[REFERENCE_EDGES] = np.array(artifact.reference.energy_edges, "<f8")
        arrays[REFERENCE_COUNTS] = np.array(artifact.reference.counts, "<u4")
    return arrays


def _manifest(artifact: Artifact) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "format_version": artifact.format_version,
        "name": artifact.name,
        "version": artifact.version,
        "architecture": artifact.architecture.to_json(),
        "labels": list(artifact.labels),
        "normalizer_version": artifact.normalizer_version,
        "temperature": artifact.confidence.temperature,
        "thresholds": asdict(artifact.confidence.thresholds),
        "training": artifact.training,
        "evaluation": artifact.evaluation,
        "members": {name: _member_record(array) for name, array in _arrays(artifact).items()},
    }


def _member_record(array: NDArray[Any]) -> dict[str, Any]:
    return {
        "dtype": array.dtype.str,
        "shape": list(array.shape),
        "sha256": hashlib.sha256(array.tobytes()).hexdigest(),
    }


def _digest(manifest: Mapping[str, Any]) -> str:
    return f"sha256:{hashlib.sha256(_canonical_json(manifest)).hexdigest()}"


def _canonical_json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _npy_header(dtype: str, shape: tuple[int, ...]) -> bytes:
    """An .npy 1.0 header, always padded to the same length, whatever NumPy's habit."""
    fields = {"descr": dtype, "fortran_order": False, "shape": shape}
    preamble = b"\x93NUMPY\x01\x00"
    text_bytes = NPY_HEADER_BYTES - len(preamble) - 2
    text = repr(fields).encode().ljust(text_bytes - 1) + b"\n"
    return preamble + text_bytes.to_bytes(2, "little") + text


# -- reading ----------------------------------------------------------------


def _unzip(data: bytes) -> dict[str, bytes]:
    """The members as raw .npy bytes, by name, none larger than the file itself."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            _check_sizes(entries, len(data))
            return {entry.filename.removesuffix(".npy"): archive.read(entry) for entry in entries}
    except errors.ArtifactError:
        raise
    except Exception:  # noqa: BLE001 - zipfile raises whatever it trips over in hostile bytes
        raise errors.NotCanonical(f"is truncated or not an artifact at all; {RETRAIN}") from None


def _check_sizes(entries: Sequence[zipfile.ZipInfo], file_bytes: int) -> None:
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise errors.NotCanonical(f"a member is compressed; {RETRAIN}")
    if sum(entry.file_size for entry in entries) > file_bytes:
        raise errors.NotCanonical(f"the members claim more bytes than the file; {RETRAIN}")


def _array(name: str, raw: bytes, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """One member as a read-only view of its bytes; raises when it is not dtype and shape.

    The one right header is known, so what is there is compared and never parsed.
    """
    header, content = raw[:NPY_HEADER_BYTES], raw[NPY_HEADER_BYTES:]
    if header != _npy_header(dtype, shape):
        if b"'|O'" in header:
            raise errors.PickledMember(
                f"member {name} holds pickled Python objects, which are never loaded; "
                "do not trust this file"
            )
        raise errors.MemberMismatch(
            f"member {name} has the header {ascii(header)[2:-1]}, "
            f"but the architecture calls for {dtype} {shape}; {RETRAIN}"
        )
    if len(content) != np.dtype(dtype).itemsize * math.prod(shape):
        raise errors.MemberMismatch(f"member {name} is not as long as its shape says; {RETRAIN}")
    return np.frombuffer(content, dtype).reshape(shape)


def _manifest_document(members: Mapping[str, bytes]) -> dict[str, Any]:
    if MANIFEST not in members:
        raise errors.MissingMember(f"there is no member {MANIFEST}; {RETRAIN}")
    raw = members[MANIFEST]
    length = len(raw) - NPY_HEADER_BYTES
    if not 0 < length <= MAX_MANIFEST_BYTES:
        raise errors.InvalidManifest(f"a manifest of {length} bytes is not possible; {RETRAIN}")
    text = _array(MANIFEST, raw, "|u1", (length,)).tobytes()
    try:
        document = json.loads(text)  # its NaN and infinities are refused below
    except (ValueError, RecursionError):
        raise errors.InvalidManifest(f"the manifest is not JSON; {RETRAIN}") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise errors.InvalidManifest(f"the manifest's format is not {FORMAT!r}; {RETRAIN}")
    if document.get("format_version") not in (WITHOUT_REFERENCE, FORMAT_VERSION):
        raise errors.UnsupportedFormat(
            f"is of format version {document.get('format_version')!r}, and this release reads "
            f"versions {WITHOUT_REFERENCE} and {FORMAT_VERSION}; install the release that wrote "
            "it, or train it again"
        )
    return document


def _artifact(document: Mapping[str, Any], members: Mapping[str, bytes]) -> Artifact:
    """Build the artifact from the manifest and from exactly the members it calls for."""
    known = {"format", "format_version", "members", "digest", *MANIFEST_FIELDS}
    if document.keys() != known:
        odd = ", ".join(map(ascii, sorted(document.keys() ^ known)))
        raise errors.InvalidManifest(f"manifest fields missing or unknown: {odd}; {RETRAIN}")
    for name, is_sound in MANIFEST_FIELDS.items():
        if not is_sound(document[name]):
            raise errors.InvalidManifest(f"the manifest's {name} is not sound; {RETRAIN}")
    try:
        architecture = Architecture.from_json(document["architecture"])
    except ValueError as error:
        raise errors.InvalidManifest(f"the manifest's architecture: {error}; {RETRAIN}") from None
    arrays = _member_arrays(architecture, members, document["format_version"])
    images, logits = arrays.pop(GOLDEN_IMAGES), arrays.pop(GOLDEN_LOGITS)
    reference = _reference(arrays)
    return Artifact(
        name=document["name"],
        version=document["version"],
        architecture=architecture,
        parameters=arrays,
        confidence=Confidence(document["temperature"], Thresholds(**document["thresholds"])),
        normalizer_version=document["normalizer_version"],
        golden_images=images,
        golden_logits=logits,
        training=document["training"],
        evaluation=document["evaluation"],
        labels=tuple(document["labels"]),
        reference=reference,
    )


def _reference(arrays: dict[str, NDArray[Any]]) -> Reference | None:
    """Take the members of the reference, where there are some, out of all arrays."""
    if REFERENCE_COUNTS not in arrays:
        return None
    edges, counts = arrays.pop(REFERENCE_EDGES), arrays.pop(REFERENCE_COUNTS)
    try:
        return Reference(tuple(edges.tolist()), tuple(counts.tolist()))
    except ValueError as error:
        raise errors.UnsoundReference(f"the reference: {error}; {RETRAIN}") from None


def _member_arrays(
    architecture: Architecture, members: Mapping[str, bytes], format_version: int
) -> dict[str, NDArray[Any]]:
    image_bytes = FRAME_SIDE * FRAME_SIDE
    golden = max(0, len(members.get(GOLDEN_IMAGES, b"")) - NPY_HEADER_BYTES) // image_bytes
    expected: dict[str, tuple[str, tuple[int, ...]]] = {
        **{name: ("<f4", shape) for name, shape in architecture.parameter_shapes().items()},
        GOLDEN_IMAGES: ("|u1", (golden, FRAME_SIDE, FRAME_SIDE)),
        GOLDEN_LOGITS: ("<f4", (golden, CLASSES)),
    }
    if format_version != WITHOUT_REFERENCE:
        expected[REFERENCE_EDGES] = ("<f8", (ENERGY_BINS - 1,))
        expected[REFERENCE_COUNTS] = ("<u4", (BINS,))
    present = members.keys() - {MANIFEST}
    for name in sorted(present - expected.keys()):
        raise errors.UnknownMember(f"member {name!a} is not part of this architecture; {RETRAIN}")
    for name in sorted(expected.keys() - present):
        raise errors.MissingMember(f"member {name} is missing; {RETRAIN}")
    if not 1 <= golden <= MAX_GOLDEN_IMAGES:
        raise errors.MemberMismatch(
            f"member {GOLDEN_IMAGES} holds {golden} images, not 1 to {MAX_GOLDEN_IMAGES}; {RETRAIN}"
        )
    return {name: _array(name, members[name], *expected[name]) for name in expected}


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 1


MANIFEST_FIELDS: Mapping[str, Callable[[Any], bool]] = {
    "name": lambda value: isinstance(value, str) and value.isidentifier(),
    "version": _is_count,
    "architecture": lambda value: isinstance(value, list),
    "labels": lambda value: value == list(range(CLASSES)) and {*map(type, value)} == {int},
    "normalizer_version": _is_count,
    "temperature": lambda value: type(value) is float and 0 < value < float("inf"),
    "thresholds": lambda value: (
        isinstance(value, dict)
        and value.keys() == {"confidence", "energy"}
        and {*map(type, value.values())} == {float}
        and 0 <= value["confidence"] <= 1
        and abs(value["energy"]) < float("inf")
    ),
    "training": lambda value: isinstance(value, dict),
    "evaluation": lambda value: isinstance(value, dict),
}


def _check_normalizer(artifact: Artifact) -> None:
    """Refuse a model that was evaluated with other eyes than it would be served with."""
    if artifact.normalizer_version != normalizer.VERSION:
        raise errors.UnsupportedFormat(
            f"was evaluated with normalizer version {artifact.normalizer_version}, and this "
            f"release has version {normalizer.VERSION}; install the release that wrote it, "
            "or train it again"
        )


def _check_computation(artifact: Artifact) -> None:
    """Refuse what no digest can see: a model that is sound but does not work, or not here."""
    for name, array in {**artifact.parameters, GOLDEN_LOGITS: artifact.golden_logits}.items():
        if not np.isfinite(array).all():
            raise errors.NonFiniteParameter(f"member {name} has NaN or infinity; train it again")
    with np.errstate(over="ignore", invalid="ignore"):
        check_golden(artifact, _replayed(artifact))


def check_golden(artifact: Artifact, logits: NDArray[np.float32]) -> None:
    """Compare the golden set's logits (G, 10), computed here, with those of the artifact.

    Raises GoldenMismatch where they are further apart than kernels of BLAS explain.
    """
    distance = float(np.abs(logits - artifact.golden_logits).max())
    if not distance <= GOLDEN_TOLERANCE:
        raise errors.GoldenMismatch(
            f"the golden logits are off by {distance:.3g} (at most {GOLDEN_TOLERANCE:g}): this "
            "machine computes something else, or the file was made by hand; train it again"
        )


def _replayed(artifact: Artifact) -> NDArray[np.float32]:
    """The golden set's logits, image by image: a forged network may be very wide."""
    rows = (scale_pixels(image[np.newaxis]) for image in artifact.golden_images)
    return np.concatenate([artifact.network.logits(row) for row in rows])
