"""Answers that were given before: when one will do, under which key it is kept, how it is told.

A kept answer is an attempt that asked nobody: `price_source` is `cache`, `cost_usd` is 0, the
usage is what the answer took when it was asked, the latency is the real one of now, and the text
comes in one piece. Limits, breakers, refused keys and budgets have no say in it.

Whether an answer will do is decided by `mode`:

- `on`: always. `off`: never.
- `auto`: only where the request sets the temperature to 0. Who says nothing of it gets the
  vendor's own, and that is above 0 with every vendor: such answers are samples, of which another
  run shall see another one.

Kept are whole answers only: no failure, no refusal, nothing cut, empty, interrupted or partial,
nor what the request's schema does not describe.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Final, Literal, Protocol, TypeAlias

from multimodel_magic.errors import UsageError, did_you_mean
from multimodel_magic.types import Attachment, Option, Request, Schema, Usage

__all__ = ["MODES", "NOT_SENT", "Answers", "Cache", "Kept", "Mode", "key_of", "mode_named"]

Mode: TypeAlias = Literal["auto", "on", "off"]
MODES: Final[tuple[Mode, ...]] = ("auto", "on", "off")

NOT_SENT = frozenset(
    {
        *("request_id", "labels", "cache", "fresh"),
        # What routing looks at; its choice, the resolved model, is in the key.
        *("models", "strategy", "fallbacks", "task", "user_tier", "task_value", "needs"),
        *("unit", "experiment"),
        # How the answer comes, and how long one waits for it.
        *("stream", "logprobs", "timeout_s", "retries", "hedge_s", "max_cost_usd"),
        *("broken_stream", "connect_s", "silence_s"),
    }
)
"""Fields of `Request` that no vendor gets: all others are in the key, later ones included."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer that was given before."""

    text: str
    usage: Usage
    stop_reason: str | None
    response_model: str | None
    response_id: str | None
    cost_usd: Decimal | None
    """What asking for it cost in US dollars: what is saved where it is given again."""


class Answers(Protocol):
    """Where answers are kept. Never fails a call: what cannot be read was never kept."""

    def objection(self) -> str | None:
        """Say why nothing is kept here, or None."""
        ...

    def find(self, key: str) -> Kept | None:
        """Return the answer under a key, and count that it was given."""
        ...

    def holds(self, key: str) -> bool:
        """Whether there is an answer under a key."""
        ...

    def keep(self, key: str, model: str, answer: Kept) -> None:
        """Keep an answer of `provider:model`, in place of an earlier one; returns at once."""
        ...


def mode_named(name: str) -> Mode:
    """Return the mode of that name.

    Raises
    ------
    UsageError
        There is none of that name; the message names the nearest.
    """
    for mode in MODES:
        if mode == name:
            return mode
    near = did_you_mean(str(name), MODES) or f"; there are {', '.join(MODES)}"
    raise UsageError(f"no cache mode is called {name!r}{near}")


@dataclass(slots=True)
class Cache:
    """What a client keeps of its answers.

    Parameters
    ----------
    answers
        Where they are kept.
    mode
        For requests that do not say themselves.
    """

    answers: Answers
    mode: Mode = "auto"
    told: str | None = None
    """Which objection was said already."""

    def applies(self, request: Request) -> bool:
        """Whether a kept answer will do for the request, and a new one is kept."""
        mode = request.cache or self.mode
        return _is_greedy(request.options) if mode == "auto" else mode == "on"

    def news(self, request: Request) -> str | None:
        """Say, once, why no answer is kept although one would be."""
        if not self.applies(request):
            return None
        before, self.told = self.told, self.answers.objection()
        return None if self.told == before else self.told


def _is_greedy(options: Mapping[str, Option]) -> bool:
    """Whether the temperature is set, and to 0; Ollama's may stand one level deeper."""
    deeper = options.get("options")
    said = options.get("temperature", deeper.get("temperature") if isinstance(deeper, dict) else "")
    return not isinstance(said, bool) and said == 0


def key_of(model: str, request: Request, server: str | None = None) -> str:
    """Name by 64 hexadecimal digits what `provider:model` at a server is asked.

    The digest alone is kept: neither the prompt nor an option's value can be read off it.

    Raises
    ------
    TypeError
        For an option that is no JSON value.

    Examples
    --------
    >>> key_of("a:m", Request("Hi", task="chat")) == key_of("a:m", Request("Hi"))
    True
    >>> key_of("a:m", Request("Hi", max_tokens=9)) == key_of("a:m", Request("Hi"))
    False
    """
    # Texts are spelled out into the prompt by the client, and are the same request either way.
    sent = request.spelled_out()
    said = {f.name: _plain(getattr(sent, f.name)) for f in fields(sent) if f.name not in NOT_SENT}
    if sent.schema is None:
        del said["schema"]  # requests without one have the keys that they had before there were any
    canonical = json.dumps([model, server, said], sort_keys=True, separators=(",", ":"))
    return sha256(canonical.encode()).hexdigest()


def _plain(value: object) -> object:
    """Return a JSON value that is equal where the wire's would be."""
    if isinstance(value, Attachment):
        return [value.media_type, value.sha256]
    if isinstance(value, Schema):  # what an answer is made into afterwards is not sent
        return [value.name, value.text]
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    # 0.0 is 0 on the wire, but True is not 1.
    return int(value) if isinstance(value, float) and value.is_integer() else value
