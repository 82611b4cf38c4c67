"""How the tests fetch what they need: an index that comes back in time fails nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from tests.index import PAUSES_S, fetch, until_fetched


def _playing(*troubles: str | None) -> Callable[[], str | None]:
    played = iter(troubles)
    return lambda: next(played)


def test_an_index_that_comes_back_is_waited_for_longer_each_time() -> None:
    slept: list[float] = []
    assert until_fetched(_playing("503", "no route", None), sleep=slept.append) is None
    assert slept == list(PAUSES_S[:2]) == sorted(slept)


def test_an_index_that_stays_away_is_given_up_with_its_last_words() -> None:
    slept: list[float] = []
    attempts = _playing("503", "503", "503", "no route to host")
    assert until_fetched(attempts, sleep=slept.append) == "no route to host"
    assert slept == list(PAUSES_S)


def test_what_is_not_to_be_had_skips_with_the_reason_that_ci_counts_as_a_failure() -> None:
    fails = [sys.executable, "-c", "raise SystemExit('no such index')"]
    with pytest.raises(
        pytest.skip.Exception, match="needs kernels from the package index: no such"
    ):
        fetch("kernels", fails, pauses_s=())
    with pytest.raises(pytest.skip.Exception, match="no such index"):
        fetch("kernels", ["a command", "that would fail otherwise"])


def test_what_is_to_be_had_is_fetched() -> None:
    fetch("nothing", [sys.executable, "-c", ""])
