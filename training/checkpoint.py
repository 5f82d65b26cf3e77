"""Checkpoints: everything that a run needs to go on as if it had never stopped.

A checkpoint is an ``.npz`` of the run's vectors and a JSON document with the
recipe, the digests of the data and the record of the epochs. It is written whole
or not at all: a run that is killed while it writes leaves the one before.
"""

import hashlib
import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.artifact import write_whole
from training.config import Recipe
from training.errors import CheckpointError
from training.progress import Epoch

FORMAT = "digits-checkpoint-1"


@dataclass(frozen=True)
class Checkpoint:
    """A run between two epochs.

    arrays: its vectors by name. step: updates made. history: the epochs behind it.
    """

    arrays: dict[str, NDArray[np.float32]]
    step: int
    history: tuple[Epoch, ...]


def save(path: Path, checkpoint: Checkpoint, recipe: Recipe, data: dict[str, str]) -> None:
    """Write a checkpoint in the place of the last one; raises OSError and leaves that one."""
    document = {
        "format": FORMAT,
        "recipe": recipe.to_json(),
        "data": data,
        "step": checkpoint.step,
        "history": [asdict(epoch) for epoch in checkpoint.history],
        "sha256": _digest(checkpoint.arrays),
    }
    buffer = io.BytesIO()
    text = np.frombuffer(json.dumps(document).encode(), np.uint8)
    np.savez(buffer, allow_pickle=False, document=text, **checkpoint.arrays)
    write_whole(path, buffer.getvalue())


def load(path: Path, recipe: Recipe, data: dict[str, str]) -> Checkpoint | None:
    """The checkpoint to go on from, None where there is none.

    Raises CheckpointError when it is damaged, or of another recipe or other data.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CheckpointError(
            f"{path}: cannot be read ({error.strerror}); mend that, or train without --resume"
        ) from None
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        document = json.loads(arrays.pop("document").tobytes())
        right = document["format"] == FORMAT and document["sha256"] == _digest(arrays)
    except Exception:  # noqa: BLE001 - numpy, zipfile and json raise whatever damage makes them trip over
        right = False
    if not right:
        raise CheckpointError(f"{path}: is damaged or no checkpoint; train without --resume")
    for what, there, here in (
        ("recipe", document["recipe"], recipe.to_json()),
        ("data", document["data"], data),
    ):
        if there != here:
            raise CheckpointError(
                f"{path}: is of another {what} ({_difference(there, here)}); train without --resume"
            )
    return Checkpoint(
        arrays, document["step"], tuple(Epoch(**epoch) for epoch in document["history"])
    )


def _difference(there: dict[str, Any], here: dict[str, Any]) -> str:
    return ", ".join(
        sorted(name for name in there.keys() | here.keys() if there.get(name) != here.get(name))
    )


def _digest(arrays: dict[str, NDArray[np.float32]]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
