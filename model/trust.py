"""Whether models have to be signed, and what checking that takes: a package that is an extra."""

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from model import aliases
from model.errors import KeyUnusable, NotSigned, StoreUnusable

if TYPE_CHECKING:
    from model.signature import Trust

SUFFIX = ".sig"
FILE_BYTES = 108

EXTRA = "digits[signing]"


def trust(said: str | None) -> "Trust | None":
    """The keys of whom models are taken, as ``Trust.of`` reads them; None where nothing is said.

    Raises KeyUnusable, also where the package cryptography is not there.
    """
    found: Trust | None = signatures().Trust.of(said) if said else None
    return found


def signatures() -> ModuleType:
    """The module of signatures; raises KeyUnusable without the package that it needs."""
    try:
        from model import signature  # noqa: PLC0415 - 16 MB, and only who has a key needs it
    except ImportError as error:
        raise KeyUnusable(
            f"signatures take a package that cannot be imported here ({error}); "
            f'install it: pip install "{EXTRA}"'
        ) from None
    return signature


def beside(path: Path) -> Path:
    """Where the signature of the artifact at ``path`` stands."""
    return path.with_name(path.name + SUFFIX)


def signature_of(path: Path) -> bytes | None:
    """What stands beside an artifact as its signature, None where nothing does.

    Raises NotSigned for what is no plain file, or larger than a signature.
    """
    file = beside(path)
    try:
        return aliases.content(file, FILE_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise NotSigned(
            f"{file}: cannot be read ({error.strerror}); sign the model again"
        ) from None
    except StoreUnusable as error:
        raise NotSigned(str(error)) from None
