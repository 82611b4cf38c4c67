"""The price list, loaded beside the event loop: importing it takes up to 0.7 s."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from multimodel_magic import bridge, pricing
from multimodel_magic.types import PriceOf, Route

__all__ = ["PriceList"]


class PriceList:
    """Sees to it that prices are there when they are needed, and that no loop is held up."""

    def __init__(self) -> None:
        self._loading = bridge.Once(pricing.warm)

    def begin(self, price: PriceOf, provider: str) -> None:
        """Begin to load, where a provider's prices will be needed: its answer takes longer."""
        if self.is_missing(price, (provider,)):
            self._loading.begin()

    async def ready(self, price: PriceOf, providers: Iterable[str]) -> None:
        """Wait until these providers can be priced."""
        if self.is_missing(price, providers):
            await self._loading.done()

    async def choosing(self, choose: Callable[[], Route]) -> Route:
        """Return what `choose` returns; where it asks for prices that are not there, load them.

        A strategy is pure, so it may be asked again.
        """
        try:
            with pricing.not_loading():
                return choose()
        except pricing.NotLoaded:
            await self._loading.done()
        return choose()

    @staticmethod
    def is_missing(price: PriceOf, providers: Iterable[str]) -> bool:
        """Whether a provider's prices stand in the list, and that is not loaded."""
        is_ours = getattr(price, "func", price) is pricing.price  # with the user's prices or not
        return is_ours and not pricing.LOCAL.issuperset(providers) and not pricing.is_warm()
