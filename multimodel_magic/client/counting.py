"""What a check of a budget needs, fetched beside the loop: prices, and what others spent today."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Protocol, runtime_checkable

from multimodel_magic import bridge
from multimodel_magic.client.checks import providers_of
from multimodel_magic.client.prices import PriceList
from multimodel_magic.client.run import Run
from multimodel_magic.limits import Purse
from multimodel_magic.types import Notice

__all__ = ["Counting"]

FRESH_S = 5.0
"""For so long what other kernels spent today is taken to be known."""


@runtime_checkable
class _Books(Protocol):
    """A recorder that knows what others spend."""

    def spent_elsewhere_usd(self, since: datetime) -> Decimal | None:
        """Return what all but this client spent since a moment; None where nobody knows."""


class Counting:
    """Sees to it that budgets can be checked, and that no check holds up the event loop.

    Parameters
    ----------
    purse
        Is told what others spent today.
    prices
        The list, loaded where it is needed.
    clock
        Monotonic seconds.
    """

    def __init__(self, purse: Purse, prices: PriceList, clock: Callable[[], float]) -> None:
        self._purse = purse
        self._prices = prices
        self._clock = clock
        self._counted_s: float | None = None

    async def ready(self, run: Run, books: object) -> AsyncGenerator[Notice, None]:
        """Fetch what the check of a request's budget lacks, and say so before each wait."""
        budget, price = run.means.budget, run.means.price
        if run.route is None or not (budget or run.request.max_cost_usd is not None):
            return
        asked = providers_of(run.route.models)
        if self._prices.is_missing(price, asked):
            yield Notice("loading the price list, for the budget")
            await self._prices.ready(price, asked)
        if budget.day_usd is not None and isinstance(books, _Books) and self._is_stale():
            yield Notice("asking the ledger what was spent today")
            await self.recount(books)

    async def recount(self, books: object) -> None:
        """Ask the books what others spent today (UTC)."""
        if not isinstance(books, _Books):
            return
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        spent_usd = await bridge.aside(lambda: books.spent_elsewhere_usd(midnight))
        self._counted_s = self._clock()
        if spent_usd is not None:
            self._purse.begin_day(spent_usd)

    def _is_stale(self) -> bool:
        return self._counted_s is None or self._clock() - self._counted_s > FRESH_S
