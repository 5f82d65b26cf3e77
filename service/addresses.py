"""Where a request comes from: its connection, or what a proxy that is trusted says of it.

Whoever connects may write what he likes into X-Forwarded-For, so nothing is believed of it but
what addresses behind ``DIGITS_TRUSTED_PROXIES`` have written.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

FORWARDED = "HTTP_X_FORWARDED_FOR"

MOST_LETTERS = 64  # of an address

REMEMBERED = 1_024  # addresses of which it is known whether they are trusted


class Senders:
    """Tells the address of who has sent a request, with no proxy trusted by default."""

    def __init__(self, proxies: Sequence[Network] = ()) -> None:
        self._proxies = proxies
        self._is_proxy = lru_cache(REMEMBERED)(self._is_among)

    def address(self, environ: Mapping[str, Any]) -> str:
        """The address that a request comes from; of IPv6 its network of 64 bits.

        That is what one client has all of (RFC 6177). Of X-Forwarded-For, to which each proxy
        adds whom it was asked by, it is the last address that is none of the proxies.
        """
        address: str = environ["REMOTE_ADDR"]
        if self._proxies and FORWARDED in environ:
            for said in reversed(environ[FORWARDED].split(",")):
                if not self._is_proxy(address):
                    break
                if _read(said.strip()[: MOST_LETTERS + 1]) is None:
                    break
                address = said.strip()
        return _network(address)

    def _is_among(self, address: str) -> bool:
        found = _read(address)
        return found is not None and any(found in proxies for proxies in self._proxies)


@lru_cache(REMEMBERED)
def _read(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address; one of IPv4 where a socket is of IPv6 (RFC 4291) is what it was."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


@lru_cache(REMEMBERED)
def _network(address: str) -> str:
    found = _read(address)
    return found.packed[:8].hex() if found and found.version == 6 else str(found)  # noqa: PLR2004 - IPv6
