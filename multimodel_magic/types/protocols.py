"""What providers, strategies, judges and recorders must offer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from datetime import datetime
from typing import Protocol, TypeAlias, runtime_checkable

from multimodel_magic.types.events import (
    ProviderEvent,
)
from multimodel_magic.types.values import (
    Price,
    Request,
    Response,
    Route,
    Usage,
)

__all__ = [
    "PriceOf",
    "Provider",
    "Recorder",
    "Strategy",
]


@runtime_checkable
class Provider(Protocol):
    """One vendor's wire. Errors leave it translated into `multimodel_magic.errors`.

    One that can hold a model to `Request.schema` says so by an attribute `takes_schemas`, true;
    to the others the client tells the schema in words, and they know nothing of it.
    """

    @property
    def name(self) -> str:
        """The word before the colon in `provider:model`."""
        ...

    def stream(self, model: str, request: Request) -> AsyncGenerator[ProviderEvent, None]:
        """Ask `model` and yield what comes; an answer that is whole ends with `Stopped`.

        With `request.stream` false one `TextDelta` holds the whole text.
        """
        ...

    def unusable(self) -> str | None:
        """Say why it cannot be asked here (no key, no package), or None. No network."""
        ...

    async def models(self) -> tuple[str, ...]:
        """List what models the vendor serves for this key; asks the network."""
        ...

    async def aclose(self) -> None:
        """Close its connections."""
        ...


@runtime_checkable
class Strategy(Protocol):
    """Pure: the same request gives the same route. No network, no clock, no dice."""

    @property
    def name(self) -> str:
        """What `--strategy` and the ledger call it."""
        ...

    def route(self, request: Request) -> Route:
        """Choose models for the request, with reasons; `Misconfigured` where it cannot."""
        ...


class Recorder(Protocol):
    """Where finished requests go. Never fails the call it records.

    A recorder may also have `begin(request_id, so_far)`, called as each attempt starts: `so_far`
    returns the response as it stands at that moment, in whatever thread calls it.
    """

    def record(self, response: Response) -> None:
        """Keep the response and all its attempts."""
        ...


PriceOf: TypeAlias = Callable[[str, str, Usage, datetime], Price]
"""`(provider, model, usage, at) -> Price`."""
