"""What is counted as what, said once: of rows, of frames, and in SQL."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import and_
from typing import Any, Protocol, TypeAlias

__all__ = ["ASKED_NOBODY", "Mask", "Rows", "asked_nobody", "counts"]

ASKED_NOBODY: Mapping[str, tuple[object, ...]] = {
    "attempts": (0,),
    "error_type": ("BudgetExceeded", "ConfigError", "UnknownModel", "UsageError"),
}
"""Columns of a request -> the values of one that asked nobody: a name or an option that is none, a
faulty configuration, or a budget that does not allow it. No model and no server had a part in it.

Where a breaker rests, a key was refused, a rate is used up or no server is up, nobody was asked
either, and yet it is a failure: an answer was to be had, and none came."""

Mask: TypeAlias = Any
"""Which of some rows are meant; it takes `&`, `|` and `~`."""


class Rows(Protocol):
    """Requests, or attempts, of which some are counted."""

    @property
    def every(self) -> Mask:
        """All of them."""
        ...

    def among(self, name: str, *values: object) -> Mask:
        """Return those whose column holds one of these; none, where there is no such column."""
        ...

    def known(self, name: str) -> Mask:
        """Return those whose number is known."""
        ...

    def count(self, rows: Mask) -> Any:  # noqa: ANN401 - a number, or how to get it
        """Count them."""
        ...

    def total(self, name: str, rows: Mask) -> Any:  # noqa: ANN401 - as above
        """Add up their known whole numbers; 0, where there is no such column."""
        ...

    def exact(self, name: str, rows: Mask) -> Any:  # noqa: ANN401 - a `Sum`
        """Return numbers whose exact sum is that of their known numbers."""
        ...

    def sample(self, name: str, rows: Mask) -> Any:  # noqa: ANN401 - a `Sample`
        """Return their known numbers in order."""
        ...


def counts(rows: Rows) -> dict[str, Any]:
    """Return what a `Tally` holds, by the names of its fields."""
    answered = rows.among("status", "answered")
    nobody = reduce(and_, (rows.among(name, *values) for name, values in ASKED_NOBODY.items()))
    failed = rows.among("status", "failed") & ~nobody
    # Requests say it in a column, attempts by what their price was.
    cached = answered & (rows.among("cached", True) | rows.among("price_source", "cache"))
    asked, paid = answered & ~cached, ~cached
    tried = paid & ~rows.among("attempts", 0)
    priced, written = rows.known("cost_usd"), rows.known("output_tokens")
    timed = asked & written & rows.known("latency_s")
    return {
        "n": rows.count(rows.every),
        "answered": rows.count(answered),
        "failed": rows.count(failed),
        "asked_nobody": rows.count(nobody),
        "cached": rows.count(cached),
        "fallbacks": rows.count(answered & rows.among("fallback_used", True)),
        "attempts": rows.total("attempts", rows.every),
        "known_cost": rows.count(priced),
        "priced": rows.count(priced & paid & ~nobody),
        "priced_answers": rows.count(priced & asked),
        "input_tokens": rows.total("input_tokens", paid),
        "output_tokens": rows.total("output_tokens", paid),
        "unknown_input_tokens": rows.count(tried & ~rows.known("input_tokens")),
        "unknown_output_tokens": rows.count(tried & ~written),
        "timed_tokens": rows.total("output_tokens", timed),
        "cost_usd": rows.exact("cost_usd", rows.every),
        "timed_s": rows.exact("latency_s", timed),
        "lost_s": rows.exact("latency_s", failed),
        "latency_s": rows.sample("latency_s", asked),
        "ttft_s": rows.sample("ttft_s", asked),
    }


def asked_nobody(row: Mapping[str, Any]) -> bool:
    """Say whether a request asked nobody, for `ASKED_NOBODY`'s reasons; no attempt did."""
    return all(row.get(name) in values for name, values in ASKED_NOBODY.items())
