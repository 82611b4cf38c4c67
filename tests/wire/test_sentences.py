"""What servers say in words is understood, on every wire that might say it."""

from __future__ import annotations

import re
import time

import pytest

from multimodel_magic.providers.anthropic import AnthropicProvider
from multimodel_magic.providers.faults import MOST_SAID, RULES, classify
from multimodel_magic.providers.ollama import OllamaProvider
from multimodel_magic.providers.openai import OpenAIProvider
from multimodel_magic.providers.remote import Remote
from tests.wire.sentences import SENTENCES, Sentence

OWN = {"Anthropic": AnthropicProvider, "Ollama": OllamaProvider}


@pytest.mark.parametrize("sentence", SENTENCES, ids=lambda one: f"{one.server}: {one.said[:40]}")
def test_a_servers_own_words_mean_what_they_mean(sentence: Sentence) -> None:
    spoken: type[Remote] = OWN.get(sentence.server, OpenAIProvider)
    body = {"error": {"message": sentence.said, "code": sentence.code or None}}
    verdict = classify(sentence.status, body, rules=spoken.rules)
    assert verdict.error.__name__ == sentence.error


@pytest.mark.parametrize(
    ("said", "wait_s"),
    [
        ("Please try again in 20s.", 20.0),
        ("Please try again in 1m2.5s.", 62.5),
        ("Please try again in 950ms.", 0.95),
        ("Please retry in 34.07s.", 34.07),
        ("Try again in 5 seconds.", 5.0),
        ("please wait 2 minutes", 120.0),
        ("Retry after 1.5 sec", 1.5),
        ("Try again later", None),
        ("try again in a moment", None),
    ],
)
def test_a_sentence_that_says_when_to_try_again_is_believed(
    said: str, wait_s: float | None
) -> None:
    assert classify(429, {"error": {"message": said}}).retry_after_s == wait_s
    assert classify(500, {"error": {"message": said}}).retry_after_s is None


def test_the_header_goes_before_the_sentence_and_the_sentence_before_the_rate() -> None:
    rates = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "7s"}
    said = {"error": {"message": "try again in 5s"}}
    assert classify(429, said, {"retry-after": "3", **rates}).retry_after_s == 3
    assert classify(429, said, rates).retry_after_s == 5
    assert classify(429, {}, rates).retry_after_s == 7


@pytest.mark.parametrize("piece", ["exceeded your ", "model x", "prompt contains ", "retry 1h"])
def test_no_error_body_however_long_keeps_the_rules_busy(piece: str) -> None:
    began_s = time.perf_counter()
    classify(429, piece * 100_000)
    classify(400, piece * 100_000)
    assert time.perf_counter() - began_s < 2
    assert len(classify(400, piece * 100_000).said) <= MOST_SAID


def test_every_rule_has_words_that_compile() -> None:
    for rule in (*RULES, *(rule for one in (*OWN.values(), OpenAIProvider) for rule in one.rules)):
        assert rule.words is None or re.compile(rule.words, re.IGNORECASE)
