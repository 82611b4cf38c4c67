"""By whom requests are routed in a replay, and whom they would go to; nobody is asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from multimodel_magic import bridge, plugins, pricing
from multimodel_magic.catalogue import Catalogue
from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.errors import MultimodelError, UsageError, did_you_mean
from multimodel_magic.exchange import Books
from multimodel_magic.replay.rebuild import Asking, askings
from multimodel_magic.strategies import Named, Resolved, WithFallbacks
from multimodel_magic.types import PriceOf, Provider, Request, Route, Strategy

if TYPE_CHECKING:
    from multimodel_magic.config import RoutingConfig

__all__ = ["Chooser", "Routed", "Way", "Ways", "pairs_of", "routed"]

Chooser: TypeAlias = "str | Path | RoutingConfig | Strategy | None"
"""A strategy by name or itself, a configuration or its file; None is what is in force."""


@dataclass(frozen=True, slots=True)
class Way:
    """How requests are routed in a replay; asks nobody."""

    name: str
    strategy: Strategy
    price: PriceOf
    asks: str | None = None
    """The strategy that every request is made to name."""

    def route(self, request: Request) -> Route:
        """Route a request; raises what routing raises."""
        return self.strategy.route(replace(request, strategy=self.asks or request.strategy))


@dataclass(frozen=True, slots=True)
class Routed:
    """A recorded request, and whom it would go to."""

    asking: Asking
    would: str | None
    why: str
    goes_up: bool

    @property
    def changed(self) -> bool:
        """Whether its first model would be another."""
        return self.would != self.asking.was


@dataclass(frozen=True, slots=True)
class Ways:
    """Finds a way for each chooser.

    Parameters
    ----------
    client
        Whose strategies, fallbacks, prices and providers are meant.
    catalogue
        What names mean before any configuration.
    asked
        Providers that the recorded requests asked: they were usable then.
    """

    client: UnifiedLLMClient
    catalogue: Catalogue
    asked: frozenset[str]

    def to(self, chooser: Chooser) -> Way:
        """Return the way by a chooser.

        Raises
        ------
        UsageError
            For a strategy that there is not, with the nearest.
        ConfigError
            For a file that cannot be read as a configuration.
        """
        client = self.client
        if chooser is None:
            return self._resolved(client.strategy.name, client.strategy)
        if isinstance(chooser, str) and chooser in client.strategies:
            way = self._resolved(chooser, client.strategies[chooser])
            return replace(way, asks=chooser)
        if isinstance(chooser, str) and not _is_file(chooser):
            near = did_you_mean(chooser, client.strategies)
            raise UsageError(f"no strategy is called {chooser!r}{near or '; a file ends in .yml'}")
        if isinstance(chooser, str | Path):
            from multimodel_magic.config import load_config

            path = Path(chooser).expanduser()
            return self._configured(path.name, load_config(path))
        if isinstance(chooser, Strategy):
            return self._resolved(chooser.name, chooser)
        if not hasattr(chooser, "source"):  # pydantic's, which is not imported for a look
            raise UsageError(f"that is {chooser!r:.60}: give a strategy, its name or a file")
        return self._configured(chooser.source.name, chooser)

    def _configured(self, name: str, config: RoutingConfig) -> Way:
        from multimodel_magic import routing

        catalogue = routing.configured_catalogue(config, self.catalogue)
        strategy = routing.build_strategy(config, catalogue)
        price = partial(pricing.price, overrides=routing.own_rates(config))
        servers = {
            name: plugins.make_provider(
                server.type, name=name, base_url=server.base_url, key_env=server.api_key_env
            )
            for name, server in config.providers.items()
        }
        return self._resolved(name, strategy, catalogue, price, servers)

    def _resolved(
        self,
        name: str,
        strategy: Strategy,
        catalogue: Catalogue | None = None,
        price: PriceOf | None = None,
        servers: Mapping[str, Provider] | None = None,
    ) -> Way:
        client, servers = self.client, servers or {}
        unusable = {
            **bridge.run(client.survey()),
            **{name: why for name, one in servers.items() if (why := one.unusable())},
        }
        providers = {*client.providers, *plugins.provider_names(), *servers}
        known = (catalogue or client.catalogue).with_providers(providers)
        usable = known.with_unusable({p: w for p, w in unusable.items() if p not in self.asked})
        whole = Resolved(WithFallbacks(Named(strategy), client.fallbacks), usable)
        return Way(name, whole, price or client.price)


def pairs_of(found: Iterable[Routed]) -> set[tuple[str, str]]:
    """Return who was and who would be asked first, of the routes that change."""
    return {(one.asking.was, one.would) for one in found if one.changed and one.would is not None}


def _is_file(name: str) -> bool:
    return name.lower().endswith((".yml", ".yaml"))


def routed(books: Books, way: Way, *, named: bool) -> tuple[list[Routed], Mapping[str, int]]:
    """Route a ledger's requests; also how many were left out, by why."""
    sifted = askings(books.requests, named=named)
    return [_route(asking, way) for asking in sifted.askings], dict(sifted.left_out)


def _route(asking: Asking, way: Way) -> Routed:
    try:
        route = way.route(asking.request)
    except MultimodelError as error:
        return Routed(asking, None, str(error), goes_up=False)
    return Routed(asking, route.models[0], route.why, goes_up=len(route.rungs) > 1)
