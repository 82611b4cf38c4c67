"""Rate limits as vendors' headers tell them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multimodel_magic.providers.rates import rate_hint


def _openai(left, limit="60", reset="1s"):
    return {
        "x-ratelimit-limit-requests": limit,
        "x-ratelimit-remaining-requests": left,
        "x-ratelimit-reset-requests": reset,
    }


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1), ("6m0s", 360), ("20ms", 0.02), ("1h2m3s", 3723), ("1.5s", 1.5), ("7", 7)],
)
def test_openais_spans_are_seconds(text, seconds):
    assert rate_hint(_openai("3", reset=text)).requests_reset_s == pytest.approx(seconds)


def test_anthropics_moments_are_seconds_from_now():
    soon = (datetime.now(UTC) + timedelta(seconds=30)).isoformat().replace("+00:00", "Z")
    headers = {
        "anthropic-ratelimit-tokens-limit": "80000",
        "anthropic-ratelimit-tokens-remaining": "1000",
        "anthropic-ratelimit-tokens-reset": soon,
    }
    hint = rate_hint(headers)
    assert (hint.tokens, hint.tokens_left, hint.requests) == (80000, 1000, None)
    assert 25 < hint.tokens_reset_s <= 30


def test_what_is_far_from_its_limit_is_no_hint():
    assert rate_hint(_openai("59")) is None
    assert rate_hint({}) is None


@given(st.text(max_size=12), st.text(max_size=12), st.text(max_size=20))
def test_whatever_a_header_holds_nothing_breaks(left, limit, reset):
    hint = rate_hint(_openai(left, limit, reset))
    assert hint is None or hint.requests_reset_s > 0
