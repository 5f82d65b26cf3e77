"""Which requests are among so many of a hundred: the same ones each time, in every worker."""

import hashlib

HUNDRED = 100
DIGEST_BYTES = 8
DIGESTS = 1 << 8 * DIGEST_BYTES


def is_among(percent: int, key: str, purpose: str) -> bool:
    """Whether a key is one of ``percent`` of 100 keys.

    Keys are chosen anew, and independently, for each purpose; of one purpose, who is among 5
    is also among 10. The key is a client's: BLAKE2 (RFC 7693) spreads what it may send.
    """
    digest = hashlib.blake2b(f"{purpose}\n{key}".encode(), digest_size=DIGEST_BYTES).digest()
    return int.from_bytes(digest) < percent * DIGESTS // HUNDRED
