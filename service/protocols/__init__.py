"""The inference protocols beside the native routes: KServe v1 and the Open Inference Protocol."""

MODEL_NAME = "digits"

PREFIXES = ("/v1", "/v2")


def answers(path: str) -> bool:
    """Whether a path belongs to one of the protocols, which have their own form of errors."""
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in PREFIXES)
