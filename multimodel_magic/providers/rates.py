"""What vendors' headers say of their rate limits, where a limit is near."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from multimodel_magic.types import RateHint

__all__ = ["rate_hint", "seconds", "spent_for_s"]

_OPENAI = "x-ratelimit-{part}-{kind}"
_ANTHROPIC = "anthropic-ratelimit-{kind}-{part}"
_RESETS = (
    *(_OPENAI.format(part="reset", kind=kind) for kind in ("requests", "tokens")),
    *(
        _ANTHROPIC.format(part="reset", kind=kind)
        for kind in ("requests", "tokens", "input-tokens", "output-tokens")
    ),
    "x-ratelimit-reset",
    "ratelimit-reset",
)
SINCE_1970_S = 1e9
"""No span is as long: a greater number is a moment, in seconds or milliseconds since 1970."""
_SPAN = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")


def rate_hint(headers: Mapping[str, str]) -> RateHint | None:
    """Return what a response's headers say of rate limits; None where nothing of them is near.

    Parameters
    ----------
    headers
        Case-insensitive, or in lower case. OpenAI's names and Anthropic's are known.

    Examples
    --------
    >>> rate_hint({"x-ratelimit-remaining-requests": "0", "x-ratelimit-limit-requests": "60",
    ...            "x-ratelimit-reset-requests": "1m0s"})
    RateHint(requests=60, requests_left=0, requests_reset_s=60.0, tokens=None, tokens_left=None, \
tokens_reset_s=None)
    """
    for names in (_OPENAI, _ANTHROPIC):
        # Two look-ups in most answers: the rest is read only where a limit is near.
        requests, tokens = (_near(headers, names, kind) for kind in ("requests", "tokens"))
        if requests or tokens:
            return RateHint(*(requests or (None,) * 3), *(tokens or (None,) * 3))
    return None


def spent_for_s(headers: Mapping[str, str]) -> float | None:
    """Return for how many seconds more a rate is spent, where a 429 says so in its own headers.

    Parameters
    ----------
    headers
        Case-insensitive, or in lower case.

    Examples
    --------
    >>> spent_for_s({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1m2s"})
    62.0
    >>> spent_for_s({"x-ratelimit-remaining-tokens": "5", "x-ratelimit-reset-tokens": "1m2s"})
    """
    waits = [
        reset_s
        for name in _RESETS
        if (raw := headers.get(name)) is not None
        and headers.get(name.replace("reset", "remaining"), "0").strip() == "0"
        and (reset_s := seconds(raw.strip())) is not None
    ]
    return max(waits, default=None)


def _near(headers: Mapping[str, str], names: str, kind: str) -> tuple[int, int, float] | None:
    """Return limit, rest, and seconds until it is whole again, where half of it or less is left."""
    left = headers.get(names.format(part="remaining", kind=kind))
    if left is None:
        return None
    limit = headers.get(names.format(part="limit", kind=kind), "")
    reset_s = seconds(headers.get(names.format(part="reset", kind=kind), ""))
    if not (left.isdecimal() and limit.isdecimal()) or not reset_s or int(left) * 2 > int(limit):
        return None
    return int(limit), int(left), reset_s


def seconds(text: str) -> float | None:
    """Read `6m0s`, `20ms`, seconds, or a moment (RFC 3339, or since 1970); None for all else."""
    if (span := _SPAN.fullmatch(text)) and text:
        hours, minutes, seconds, milliseconds = (float(part or 0) for part in span.groups())
        return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000
    try:
        count = float(text)
    except ValueError:
        return _until(text)
    if not 0 <= count < math.inf:
        return None
    if count < SINCE_1970_S:
        return count
    moment_s = count / 1000 if count >= SINCE_1970_S * 1000 else count
    return max(0.0, moment_s - time.time())


def _until(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())
