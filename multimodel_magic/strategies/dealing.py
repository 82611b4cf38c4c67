"""Dealing units into buckets: the same unit, the same bucket, on every machine and every day."""

from __future__ import annotations

import json
from hashlib import sha256

__all__ = ["BUCKETS", "bucket"]

BUCKETS = 10_000
"""How finely a share is cut: one bucket is 0.01 %."""


def bucket(what: str, salt: str, unit: str) -> int:
    """Deal a unit into one of `BUCKETS` buckets.

    Parameters
    ----------
    what
        Name of the experiment or of the weighted choice: two of them deal independently.
    salt
        Changes the deal while the name stays.
    unit
        What is dealt: a user, a notebook, a request.

    Notes
    -----
    Not hash(): it is salted per process, and re-dealt the seed's units at each kernel restart.
    The parts are written as JSON, so that no two triples read alike, whatever is in them. The
    first 8 bytes of the digest spread over 10,000 buckets evenly to one part in 10**15.

    Examples
    --------
    >>> bucket("new_model_test", "", "user-1") == bucket("new_model_test", "", "user-1")
    True
    >>> 0 <= bucket("new_model_test", "", "user-1") < BUCKETS
    True
    """
    digest = sha256(json.dumps([what, salt, unit]).encode()).digest()
    return int.from_bytes(digest[:8], "big") * BUCKETS >> 64
