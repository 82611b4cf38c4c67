"""What vendors' headers say of their rate limits, where a limit is near."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from multimodel_magic.types import RateHint

__all__ = ["rate_hint"]

_OPENAI = "x-ratelimit-{part}-{kind}"
_ANTHROPIC = "anthropic-ratelimit-{kind}-{part}"
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


def _near(headers: Mapping[str, str], names: str, kind: str) -> tuple[int, int, float] | None:
    """Return limit, rest, and seconds until it is whole again, where half of it or less is left."""
    left = headers.get(names.format(part="remaining", kind=kind))
    if left is None:
        return None
    limit = headers.get(names.format(part="limit", kind=kind), "")
    reset_s = _seconds(headers.get(names.format(part="reset", kind=kind), ""))
    if not (left.isdecimal() and limit.isdecimal()) or not reset_s or int(left) * 2 > int(limit):
        return None
    return int(limit), int(left), reset_s


def _seconds(text: str) -> float | None:
    """Read `6m0s`, `20ms`, seconds, or a moment in RFC 3339; None where it is none of these."""
    if (span := _SPAN.fullmatch(text)) and text:
        hours, minutes, seconds, milliseconds = (float(part or 0) for part in span.groups())
        return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000
    try:
        return float(text)
    except ValueError:
        return _until(text)


def _until(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())
