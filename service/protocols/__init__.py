"""The inference protocols beside the native routes: KServe v1 and the Open Inference Protocol."""

from typing import TYPE_CHECKING

from model.aliases import NUMBER
from service.errors import UnknownModel, UnknownModelVersion

if TYPE_CHECKING:
    from service.models import Models

MODEL_NAME = "digits"

PREFIXES = ("/v1", "/v2")


def answers(path: str) -> bool:
    """Whether a path belongs to one of the protocols, which have their own form of errors."""
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in PREFIXES)


def check_model(name: str) -> None:
    """Raise UnknownModel unless this is what the model is called."""
    if name != MODEL_NAME:
        raise UnknownModel("model", f"there is no model of this name; ask for {MODEL_NAME}")


def asked(models: "Models", name: str, version: str | None) -> int | None:
    """The version that a path names, if it names one.

    Raises UnknownModel, UnknownModelVersion or UnusableModelVersion.
    """
    check_model(name)
    return None if version is None else models.at(number(version)).version


def number(version: str) -> int:
    """The number that is a version's name; raises UnknownModelVersion."""
    if not NUMBER.fullmatch(version):
        raise UnknownModelVersion(
            "version", "a version is a whole number; ask for one of those at /models"
        )
    return int(version)
