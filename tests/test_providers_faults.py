"""The table from statuses and words to errors, and messages that hold no key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multimodel_magic import errors
from multimodel_magic.errors import MultimodelError
from multimodel_magic.providers.anthropic import AnthropicProvider
from multimodel_magic.providers.faults import Place, Rule, classify, fault, from_body, scrub
from multimodel_magic.providers.keys import Secret
from multimodel_magic.providers.ollama import OllamaProvider
from multimodel_magic.providers.openai import OpenAIProvider

ANTHROPIC, OPENAI, OLLAMA = AnthropicProvider.rules, OpenAIProvider.rules, OllamaProvider.rules

SAYINGS = [
    (ANTHROPIC, 400, "prompt is too long: 215000 tokens > 200000 maximum", "ContextTooLong"),
    (ANTHROPIC, 400, "Your credit balance is too low to access the Anthropic API", "QuotaExceeded"),
    (ANTHROPIC, 400, "Output blocked by content filtering policy", "ContentFiltered"),
    (ANTHROPIC, 400, "max_tokens: Field required", "BadRequest"),
    (OPENAI, 400, "This model's maximum context length is 8192 tokens.", "ContextTooLong"),
    (OPENAI, 400, "Your input exceeds the context window of this model.", "ContextTooLong"),
    (OPENAI, 400, "Your prompt was flagged as violating our usage policy", "ContentFiltered"),
    (OPENAI, 429, "You exceeded your current quota, please check your plan", "QuotaExceeded"),
    (OPENAI, 429, "Rate limit reached. Pay at https://x.com/account/billing.", "RateLimited"),
    (OPENAI, 400, "billing_hard_limit_reached", "QuotaExceeded"),
    (OPENAI, 404, "The model `gpt-9` does not exist", "ModelNotFound"),
    (OPENAI, 400, "Unsupported parameter: 'temperature'", "BadRequest"),
    (OLLAMA, 404, "model 'llama9' not found", "ModelNotFound"),
    (OLLAMA, 400, '"phi" does not support tools', "FeatureMissing"),
    (OLLAMA, 500, "the input length exceeds the context length", "ContextTooLong"),
    (OLLAMA, 500, "llama runner process has terminated", "Overloaded"),
]


@pytest.mark.parametrize(("rules", "status", "said", "expected"), SAYINGS)
def test_what_the_vendors_say(
    rules: tuple[Rule, ...], status: int, said: str, expected: str
) -> None:
    body = {"error": {"message": said, "type": "invalid_request_error"}}
    assert classify(status, body, rules=rules).error.__name__ == expected
    assert classify(status, {"error": said}, rules=rules).error.__name__ == expected


@given(status=st.integers(0, 999), body=st.text() | st.binary() | st.none() | st.integers())
def test_every_status_and_body_has_an_error(status: int, body: object) -> None:
    assert isinstance(fault(Place("p", "m"), status, body), MultimodelError)


def test_a_retry_after_date_is_seconds_from_now() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    wait_s = classify(429, "", {"retry-after": date}).retry_after_s
    assert wait_s is not None
    assert 17 < wait_s <= 20


@pytest.mark.parametrize("raw", ["nan", "inf", "-inf", "soon", ""])
def test_a_retry_after_that_is_no_time_is_unknown(raw: str) -> None:
    assert classify(429, "", {"retry-after": raw}).retry_after_s is None


@pytest.mark.parametrize("status", [302, 408, 425, 429, 500, 503, 529, 999])
def test_a_wait_of_more_than_a_minute_goes_to_the_next_model(status: int) -> None:
    assert classify(status, "", {"retry-after": "60"}).error is not errors.QuotaExceeded
    assert classify(status, "", {"retry-after": "61"}).error is errors.QuotaExceeded


def test_the_message_names_the_variable_and_not_the_key() -> None:
    secret = Secret("sk-canary-0123456789abcdef")
    place = Place("anthropic", "m", key_name="ANTHROPIC_API_KEY", secret=secret)
    told = str(fault(place, 401, {"error": {"message": f"bad {secret.reveal()}"}}))
    assert told == (
        "anthropic refused the key in ANTHROPIC_API_KEY (401): check it or set another: bad [key]"
    )


@given(key=st.from_regex(r"[a-zA-Z0-9]{12,60}", fullmatch=True), around=st.text(max_size=50))
def test_a_key_never_survives_scrubbing(key: str, around: str) -> None:
    assert key not in scrub(f"{around}{key} {key[:8]}****{key[-4:]}{around}", Secret(key))


@pytest.mark.parametrize("echo", ["SK-CANARY-0123456789", "k=sk%2Dcanary%2d0123456789&x"])
def test_a_key_in_capitals_or_as_in_an_address_is_scrubbed_too(echo: str) -> None:
    assert "canary" not in scrub(echo, Secret("sk-canary-0123456789")).lower()


def test_an_error_event_with_an_unknown_type_is_no_answer() -> None:
    place = Place("p", "m")
    assert type(from_body(place, {"error": "whatever"})) is errors.MalformedAnswer
    assert type(from_body(place, {"error": {"code": 503}})) is errors.Overloaded


def test_a_servers_words_bring_no_escape_to_the_terminal() -> None:
    said = "\x1b]52;c;cHduZWQ=\x07 \x1b[2J \x9b31m \u202e busy"
    told = fault(Place("p", "m"), 400, {"error": {"message": said}})
    (line,) = told._render_traceback_()
    assert line.endswith("busy")
    assert all(sign.isprintable() for sign in f"{told}{line}")
