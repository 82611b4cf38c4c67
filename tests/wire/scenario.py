"""What a scenario is, and how one is played: a faulty model first, a healthy one behind it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from multimodel_magic.catalogue import Catalogue
from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.limits import Patience
from multimodel_magic.providers.scripted import Say, ScriptedProvider
from multimodel_magic.types import (
    AttemptStarted,
    Event,
    Finished,
    Notice,
    Request,
    Response,
    TextDelta,
)
from tests.wire.raw import Raw, listening
from tests.wire.wires import WIRES, Wire

__all__ = ["BOTH", "Case", "Ends", "Outcome", "Scenario", "cases", "play_all"]

Ends: TypeAlias = Literal["answers", "falls back", "stops"]
Mode: TypeAlias = Literal["stream", "whole"]

BOTH: tuple[Mode, ...] = ("stream", "whole")
PATIENT = Patience(timeout_s=20, first_token_s=10, stall_s=10, retries=1, backoff_s=0.01)
HEALTHY = "A whole answer."
AT_ONCE = 40
"""Scenarios that are played at the same time."""


@dataclass(frozen=True)
class Scenario:
    """One thing that a provider does, and what is to follow."""

    name: str
    play: Callable[[Raw, Wire], None]
    """Sets the server up."""
    errors: tuple[str, ...] = ()
    """How the attempts at the faulty model end, in order, where they give no answer."""
    ends: Ends = "falls back"
    modes: tuple[Mode, ...] = BOTH
    wires: frozenset[str] = frozenset(wire.name for wire in WIRES)
    patience: Patience = PATIENT
    text: str = "Hello"
    """The answer, where the faulty model gives one."""
    alone: bool = False
    """Whether no healthy model stands behind."""
    says: str = ""
    """Words that the line of the first error must hold."""
    unsent: bool = False
    """Whether nothing reaches the server."""
    prompt: str = "hi"
    doc: str = ""
    """What the table in docs/failures.md calls it; empty keeps it out."""

    @property
    def posts(self) -> int:
        """How often the faulty model is to be asked on the wire."""
        return 0 if self.unsent else len(self.errors) + (self.ends == "answers")


@dataclass(frozen=True)
class Case:
    """A scenario on one wire, streamed or in one piece."""

    scenario: Scenario
    wire: Wire
    mode: Mode

    @property
    def name(self) -> str:
        """What pytest calls it."""
        return f"{self.scenario.name}-{self.wire.name}-{self.mode}".replace(" ", "_")


def cases(scenarios: Iterable[Scenario]) -> list[Case]:
    """Return every scenario on each of its wires and in each of its modes."""
    return [
        Case(scenario, wire, mode)
        for scenario in scenarios
        for wire in WIRES
        if wire.name in scenario.wires
        for mode in scenario.modes
    ]


@dataclass
class Outcome:
    """How a case ended."""

    response: Response | None = None
    events: list[Event] = field(default_factory=list)
    posts: int = 0
    took_s: float = 0.0
    recorded: list[Response] = field(default_factory=list)
    broke: BaseException | None = None
    """What left the client that should not have."""

    @property
    def errors(self) -> tuple[str, ...]:
        """The errors of the attempts at the faulty model."""
        return tuple(a.error_type or "" for a in self.faulty if not a.succeeded)

    @property
    def faulty(self) -> list[Any]:
        """The attempts at the faulty model."""
        return [a for a in (self.response.attempts if self.response else ()) if a.provider == "w"]

    @property
    def ends(self) -> str:
        """As the table says it."""
        if self.response is None:
            return f"broke: {self.broke!r}"
        if not self.response.succeeded:
            return "stops"
        return "answers" if self.response.attempts[-1].provider == "w" else "falls back"

    @property
    def shown(self) -> str:
        """The text that a card shows in the end."""
        text = ""
        for event in self.events:
            if isinstance(event, AttemptStarted):
                text = ""
            elif isinstance(event, TextDelta):
                text += event.text
        return text

    @property
    def notices(self) -> list[str]:
        """What was said while the user waited."""
        return [event.text for event in self.events if isinstance(event, Notice)]


class Books:
    """A ledger of lists."""

    def __init__(self) -> None:
        self.responses: list[Response] = []

    def record(self, response: Response) -> None:
        """Keep a response."""
        self.responses.append(response)


def client_for(case: Case, url: str) -> UnifiedLLMClient:
    """Make a client of the faulty model and, unless it is alone, a healthy one."""
    providers: dict[str, Any] = {"w": case.wire.provider(url, timeout=None, name="w")}
    if not case.scenario.alone:
        providers["h"] = ScriptedProvider({"n": [[Say(HEALTHY)]]}, name="h")
    return UnifiedLLMClient(
        providers,
        ledger=Books(),
        catalogue=Catalogue(providers=frozenset(providers)),
        patience=case.scenario.patience,
        dice=lambda: 0.0,
    )


async def play(case: Case) -> Outcome:
    """Play one case on a server of its own."""
    scenario, outcome = case.scenario, Outcome()
    async with AsyncExitStack() as stack:
        raw = await stack.enter_async_context(listening(Raw()))
        scenario.play(raw, case.wire)
        client = client_for(case, raw.url)
        stack.push_async_callback(client.aclose)
        models = ("w:m",) if scenario.alone else ("w:m", "h:n")
        request = Request(scenario.prompt, models=models, stream=case.mode == "stream")
        began_s = time.monotonic()
        try:
            async with aclosing(client.stream(request)) as events:
                async for event in events:
                    outcome.events.append(event)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test is to say so
            outcome.broke = error
        outcome.took_s = time.monotonic() - began_s
        last = outcome.events[-1] if outcome.events else None
        outcome.response = last.response if isinstance(last, Finished) else None
        outcome.posts = raw.posts
        outcome.recorded = client.ledger.responses  # type: ignore[union-attr]
    return outcome


async def play_all(played: list[Case]) -> dict[str, Outcome]:
    """Play many cases at once; the SDKs are imported before the first clock starts."""
    for wire in {case.wire for case in played}:
        wire.provider("http://127.0.0.1:1").prepare()
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(case: Case) -> Outcome:
        async with gate:
            return await play(case)

    outcomes = await asyncio.gather(*map(one, played))
    return {case.name: outcome for case, outcome in zip(played, outcomes, strict=True)}
