"""What the same tokens would have cost at one model: an estimate, and called one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from multimodel_magic import pricing
from multimodel_magic.errors import UsageError
from multimodel_magic.metrics.numbers import dollars, ratio
from multimodel_magic.pricing import money
from multimodel_magic.types import PriceOf, Usage
from multimodel_magic.wording import number_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Savings", "savings"]

_TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")


@dataclass(frozen=True, slots=True)
class Savings:
    """What answers cost, and an estimate of what they would have cost at a baseline model.

    `str()` says it in a line.
    """

    baseline: str
    """`provider:model`."""
    n: int
    """Answers that were compared."""
    left_out: int
    """Answers whose cost, tokens or price at the baseline is unknown, and cached ones."""
    cost_usd: Decimal
    """US dollars, what the compared answers cost, their failed attempts included."""
    baseline_usd: Decimal
    """US dollars, an estimate: the same tokens at the baseline's price of that moment."""
    not_answered_usd: Decimal
    """US dollars, known costs of requests without an answer: in neither sum."""

    @property
    def saved_usd(self) -> Decimal:
        """US dollars; negative where the baseline would have been cheaper."""
        return self.baseline_usd - self.cost_usd

    @property
    def saved_share(self) -> float:
        """`saved_usd` over `baseline_usd`; `nan` where that is nothing."""
        return ratio(float(self.saved_usd), float(self.baseline_usd))

    def __str__(self) -> str:
        if not self.n:
            return f"no answer can be compared with all on {self.baseline}"
        share = "" if math.isnan(self.saved_share) else f" ({abs(self.saved_share):.0%})"
        left_out = f"; {number_of(self.left_out, 'answer')} left out" if self.left_out else ""
        more = self.saved_usd < 0
        what = f"{'spent' if more else 'saved'} {money(abs(self.saved_usd), about=True)}{share}"
        return (
            f"{what} {'more than' if more else 'against'} all on {self.baseline}: "
            f"{money(self.cost_usd)} instead of {money(self.baseline_usd)} (an estimate: the same "
            f"tokens at its price, n = {self.n:,}{left_out})"
        )


def savings(requests: pd.DataFrame, baseline: str, *, price: PriceOf = pricing.price) -> Savings:
    """Compare what answers cost with the price of the same tokens, all at one model.

    Another model would have written other answers and counted other tokens: this is an estimate.

    Parameters
    ----------
    requests
        As `Ledger.requests_frame` gives it.
    baseline
        `provider:model`.
    price
        Prices an attempt.

    Raises
    ------
    UsageError
        For a baseline without a provider.
    """
    provider, colon, model = baseline.partition(":")
    if not (provider and colon and model):
        raise UsageError(f"the baseline {baseline!r} is no provider:model")
    answered = requests["status"] == "answered"
    answers = requests[answered & ~requests["cached"].fillna(False).astype(bool)]
    pairs = [
        (float(cost_usd), float(theirs))
        for cost_usd, theirs in _pairs(answers, provider, model, price)
        if theirs is not None and not math.isnan(cost_usd)
    ]
    return Savings(
        baseline,
        len(pairs),
        int(answered.sum()) - len(pairs),
        dollars(ours for ours, _ in pairs),
        dollars(theirs for _, theirs in pairs),
        dollars(requests.loc[~answered, "cost_usd"].dropna()),
    )


def _pairs(
    answers: pd.DataFrame, provider: str, model: str, price: PriceOf
) -> Iterator[tuple[float, Decimal | None]]:
    tokens = [answers[name].astype("object").where(answers[name].notna(), None) for name in _TOKENS]
    moments = answers["started_at"].dt.to_pydatetime()
    for cost_usd, at, *counts in zip(answers["cost_usd"], moments, *tokens, strict=True):
        yield cost_usd, price(provider, model, Usage(*counts), at).cost_usd
