"""The inference protocols beside the native routes: KServe v1 and the Open Inference Protocol."""

from service.errors import UnknownModel

MODEL_NAME = "digits"

PREFIXES = ("/v1", "/v2")


def check_model(name: str) -> None:
    """Raise UnknownModel unless this is the name of the one model there is."""
    if name != MODEL_NAME:
        raise UnknownModel("model", f"there is no model of this name; ask for {MODEL_NAME}")


def answers(path: str) -> bool:
    """Whether a path belongs to one of the protocols, which have their own form of errors."""
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in PREFIXES)
