"""The inference protocols beside the native routes: KServe v1 and the Open Inference Protocol."""

from model import Artifact
from service.errors import UnknownModel, UnknownModelVersion

MODEL_NAME = "digits"

PREFIXES = ("/v1", "/v2")


def answers(path: str) -> bool:
    """Whether a path belongs to one of the protocols, which have their own form of errors."""
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in PREFIXES)


def check_model(artifact: Artifact, name: str, version: str | None = None) -> None:
    """Raise UnknownModel or UnknownModelVersion unless this is what ``artifact`` is served as."""
    if name != MODEL_NAME:
        raise UnknownModel("model", f"there is no model of this name; ask for {MODEL_NAME}")
    if version not in {None, str(artifact.version)}:
        raise UnknownModelVersion(
            "version", f"this version is not loaded; ask for version {artifact.version}"
        )
