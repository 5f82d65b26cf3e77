"""Which version of the model an address asks for."""

import re

from service.errors import UnknownModelVersion

WHOLE_NUMBER = re.compile(r"[1-9][0-9]*")


def check_version(asked: str, served: int, address: str) -> None:
    """Raise UnknownModelVersion unless the version asked for is the one served.

    address: of the version that is served, for who is refused.
    """
    if asked != str(served):
        wrong = "is not loaded" if WHOLE_NUMBER.fullmatch(asked) else "is not a whole number"
        raise UnknownModelVersion(
            "version", f"this version {wrong}; ask for version {served} at {address}"
        )
