"""Names that sort by their time of making."""

from __future__ import annotations

import secrets
import time

__all__ = ["new_ulid"]

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# Two letters at a time: every request makes one.
_PAIRS = tuple(a + b for a in _CROCKFORD for b in _CROCKFORD)


def new_ulid() -> str:
    """Make a ULID: 26 characters that sort by creation time and are unique without a server.

    Notes
    -----
    48 bits of milliseconds since 1970 and 80 random bits in Crockford's base 32
    (github.com/ulid/spec). Written here because this package is stdlib only.
    """
    number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(120, -1, -10)])
