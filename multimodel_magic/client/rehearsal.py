"""With whom a client rehearses which faults (chaos)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from multimodel_magic.types import Provider, Route

if TYPE_CHECKING:
    from multimodel_magic.providers.chaos import Chaos, ChaosProvider

__all__ = ["Rehearsal"]


class Rehearsal:
    """The faults that are on, and the providers that play them.

    Parameters
    ----------
    spec_by_name
        Provider or `provider:model` -> its faults; see `multimodel_magic.providers.chaos`.
    seed
        The same seed deals the same faults.

    Raises
    ------
    UsageError
        For a fault that is none.
    """

    def __init__(self, spec_by_name: Mapping[str, str] | None = None, *, seed: int = 0) -> None:
        self._chaos: dict[str, Chaos] = {}
        self._playing: dict[tuple[str, str], ChaosProvider] = {}
        if spec_by_name:
            from multimodel_magic.providers.chaos import Chaos

            self._chaos = {name: Chaos.parse(spec, seed) for name, spec in spec_by_name.items()}

    @property
    def specs(self) -> Mapping[str, str]:
        """What is on: provider or `provider:model` -> its faults."""
        return {name: str(chaos) for name, chaos in self._chaos.items()}

    def told(self, route: Route) -> Route:
        """Say on a route with which of its models faults are rehearsed."""
        if not self._chaos:
            return route
        told = [
            f"chaos: {model} is rehearsed with {self._chaos[name]}"
            for model in dict.fromkeys(route.models)
            if (name := self._name_of(*model.split(":", 1))) is not None
        ]
        return replace(route, notices=(*route.notices, *told))

    def instead_of(self, provider: Provider, name: str, model: str) -> Provider:
        """Return who plays the faults in a provider's place, or that provider."""
        if not self._chaos or (rehearsed := self._name_of(name, model)) is None:
            return provider
        from multimodel_magic.providers.chaos import ChaosProvider

        who = (rehearsed, name)
        if who not in self._playing:
            self._playing[who] = ChaosProvider(provider, self._chaos[rehearsed])
        return self._playing[who]

    def _name_of(self, provider: str, model: str) -> str | None:
        names = (f"{provider}:{model}", provider)
        return next((name for name in names if name in self._chaos), None)
