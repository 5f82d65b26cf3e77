"""Who made an artifact: a signature beside it, and the keys of those who are trusted.

An Ed25519 signature (RFC 8032) of the artifact's digest, which covers every value in the file,
its name and its version. It stands in a file of its own, so that an artifact is what it was
whoever signs it. The format is in README.md. This module is imported where there is a key only
(``trust.py``): it needs the package cryptography.
"""

import base64
import binascii
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from model.errors import KeyUnusable, NotSigned
from model.trust import beside, signature_of

MARK = b"digits-signature-1"  # begins the file, and what is signed

KEY_BYTES, SIGNATURE_BYTES = 32, 64
KEY_LETTERS = 44  # of base64
MAX_KEY_FILE_BYTES = 65_536

PUBLIC_SUFFIX = ".pub"
PRIVATE_MODE = 0o600


@dataclass(frozen=True)
class Trust:
    """The public keys of those whose artifacts are taken, by their base64."""

    keys: Mapping[str, Ed25519PublicKey]

    @classmethod
    def of(cls, said: str) -> "Trust":
        """Keys in base64 with commas between them, or a file of such keys, one a line.

        Raises KeyUnusable.
        """
        words: Sequence[str] = [word.strip() for word in said.split(",")]
        if not all(map(_is_key, words)):
            words = _lines(Path(said))
        return cls({word: _public_key(word) for word in words})

    def check(self, path: Path, digest: str) -> str:
        """The key that has signed the artifact at ``path`` of that ``digest``; raises NotSigned."""
        signature, message = _signature(path), _message(digest)
        for name, key in self.keys.items():
            try:
                key.verify(signature, message)
            except InvalidSignature:
                continue
            return name
        raise NotSigned(
            f"{beside(path)}: is no signature of this artifact by a key that is trusted here; "
            "sign it (python -m model sign), or trust who has (DIGITS_MODEL_KEY)"
        )


def sign(private_key: Path, digest: str) -> bytes:
    """The content of a signature of an artifact of that ``digest``; raises KeyUnusable."""
    return _written(_private_key(private_key).sign(_message(digest)))


def generate(path: Path) -> str:
    """Write a new private key to ``path``, and its public key, which is returned, to ``path.pub``.

    Raises KeyUnusable where there is such a file, or none can be written.
    """
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode("ascii")
    _create(path, private)
    _create(path.with_name(path.name + PUBLIC_SUFFIX), f"{public}\n".encode("ascii"))
    return public


def _message(digest: str) -> bytes:
    """What is signed: nobody can take it for anything else that the same key may sign."""
    return b"%s\n%s\n" % (MARK, digest.encode("ascii"))


def _written(signature: bytes) -> bytes:
    return b"%s %s\n" % (MARK, base64.b64encode(signature))


def _signature(path: Path) -> bytes:
    """The signature beside an artifact; raises NotSigned for all but the one way to write it."""
    content = signature_of(path)
    if content is None:
        raise NotSigned(
            f"{path}: is not signed, and only signed models are taken here (DIGITS_MODEL_KEY); "
            "sign it (python -m model sign)"
        )
    mark, _, text = content.rstrip(b"\n").partition(b" ")
    try:
        signature = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        signature = b""
    if mark != MARK or len(signature) != SIGNATURE_BYTES or _written(signature) != content:
        raise NotSigned(f"{beside(path)}: is not a signature of version 1; sign the model again")
    return signature


# -- keys ---------------------------------------------------------------------


def _is_key(text: str) -> bool:
    """Whether a text is a public key in the one way to write it."""
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return len(key) == KEY_BYTES and base64.b64encode(key) == text.encode()


def _lines(file: Path) -> Sequence[str]:
    """The keys in a file, one a line; a line that begins with # is a comment."""
    try:
        with file.open("rb") as opened:
            text = opened.read(MAX_KEY_FILE_BYTES).decode("ascii")
    except (OSError, ValueError):
        raise KeyUnusable(
            f"DIGITS_MODEL_KEY: {str(file)!a} is neither a public key of {KEY_LETTERS} letters nor "
            "a file of such keys; make one with python -m model keygen"
        ) from None
    lines = [line.strip() for line in text.splitlines()]
    keys = [line for line in lines if line and not line.startswith("#")]
    if not keys:
        raise KeyUnusable(f"{file}: has no public key; add one, as python -m model keygen makes it")
    for number, key in enumerate(keys, 1):
        if not _is_key(key):
            raise KeyUnusable(
                f"{file}: key {number} is no public key of {KEY_LETTERS} letters; "
                "make one with python -m model keygen"
            )
    return keys


def _public_key(text: str) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(base64.b64decode(text))


def _private_key(file: Path) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(file.read_bytes(), None)
    except OSError as error:
        raise KeyUnusable(
            f"{file}: cannot be read ({error.strerror}); name a private key"
        ) from None
    except Exception:  # noqa: BLE001 - each kind of broken or encrypted key has an error of its own
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyUnusable(
            f"{file}: is no private key of Ed25519 in PEM without a password; "
            "make one with python -m model keygen"
        )
    return key


def _create(file: Path, content: bytes) -> None:
    """Write a file that only its owner may read, unless there is one."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_MODE)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content)
    except OSError as error:
        raise KeyUnusable(
            f"{file}: cannot be written ({error.strerror}); name a file that is not there yet"
        ) from None
