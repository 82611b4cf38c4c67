"""`check_provider`: whether something speaks as a provider must."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from copy import deepcopy
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from multimodel_magic import bridge
from multimodel_magic.errors import MultimodelError
from multimodel_magic.testing.law import Law, name_of, shown
from multimodel_magic.types import (
    Notice,
    Provider,
    ProviderEvent,
    Request,
    Stopped,
    TextDelta,
    Usage,
)

__all__ = ["check_provider"]

NO_MODEL = "no-such-model-of-anybody"

CLOSING_S = 5.0
"""How long a stream may take to end once it is cancelled or closed, in seconds."""

T = TypeVar("T")


def check_provider(
    provider: Provider,
    *,
    model: str,
    request: Request | None = None,
    same_text: bool = True,
    timeout_s: float = 60.0,
) -> None:
    """Check that a provider keeps the laws of providers, by asking it some eight times.

    It has the protocol's members. An answer is text in pieces and ends with one `Stopped`, and
    nothing comes after. With `request.stream` false one piece holds the same text. Two requests
    may be under way at once. What is raised stands in `multimodel_magic.errors`. A cancelled or
    closed stream ends at once, and the provider answers again afterwards. It leaves the request
    as it was.

    Parameters
    ----------
    provider
        Yours, talking to a server of your tests or to the real one. It is closed at the end.
    model
        One that answers.
    request
        What to ask; by default a short question.
    same_text
        Whether the same request gets the same text; give False for a real model.
    timeout_s
        How long any one answer may take, in seconds.

    Raises
    ------
    AssertionError
        In one line: what does not hold, and what to do.

    Examples
    --------
    >>> from multimodel_magic.providers.scripted import ScriptedProvider
    >>> check_provider(ScriptedProvider(), model="echo")
    """
    law = Law(name_of(provider, "provider"))
    law.is_made(provider)
    _check_members(law, provider)
    asked = request or Request("Say hello in one sentence.", max_tokens=50)
    check = _Check(law, provider, model, replace(asked, stream=True), timeout_s)
    bridge.run(check.all(same_text=same_text))


def _check_members(law: Law, provider: Provider) -> None:
    name = getattr(provider, "name", None)
    law.is_line(name, "name")
    law.holds(
        not set(str(name)) & set(":/ \t"),
        f"name is {name!r}; it stands before a colon: no colon, slash or blank in it",
    )
    members = ("stream", "unusable", "models", "aclose")
    lacks = [member for member in members if not callable(getattr(provider, member, None))]
    law.holds(not lacks, f"it has no {', '.join(lacks)}; see types.Provider")
    law.holds(isinstance(provider, Provider), "it lacks a member; see types.Provider")
    with law.only("unusable()", advice="give None, or a line that says what is missing"):
        why: object = provider.unusable()
    law.is_plain(why, "unusable()")
    if why is not None:
        law.is_line(why, "unusable()")
        law.holds(False, f"unusable() says: {why}; check it where it can be asked")


@dataclass(frozen=True, slots=True)
class _Check:
    law: Law
    provider: Provider
    model: str
    request: Request
    timeout_s: float

    async def all(self, *, same_text: bool) -> None:
        before = deepcopy(self.request)
        text = _text(await self._whole("stream()", self.request))
        self.law.holds(self.request == before, "stream() changes the request; leave it alone")
        await self._check_not_streamed(text if same_text else None)
        await self._check_two_at_once(text if same_text else None)
        await self._check_errors()
        await self._check_left_early()
        await self._check_cancelled()
        await self._whole("stream() after a cancelled one", self.request)
        await self._check_models()
        await self._check_closing()

    # --- answers

    async def _whole(self, about: str, request: Request) -> list[object]:
        """Ask, look at every event, and return them."""
        advice = "give a model that answers, and raise only errors of multimodel_magic.errors"
        events: list[object] = []
        with self.law.only(about, advice=advice):
            events = await self._soon(about, self._collect(self.model, request))
        for event in events:
            self._check_event(about, event)
        stops = [event for event in events if isinstance(event, Stopped)]
        self.law.holds(
            len(stops) == 1,
            f"{about} yields {len(stops)} Stopped; yield one, when the vendor's stop event came",
        )
        self.law.holds(
            isinstance(events[-1], Stopped),
            f"{about} yields {shown(events[-1])} after Stopped; yield Stopped last",
        )
        return events

    async def _collect(self, model: str, request: Request) -> list[object]:
        async with aclosing(self._opened(model, request)) as events:
            return [event async for event in events]

    def _opened(self, model: str, request: Request) -> AsyncGenerator[ProviderEvent, None]:
        events: object = self.provider.stream(model, request)
        if inspect.iscoroutine(events):
            events.close()
        self.law.holds(
            isinstance(events, AsyncGenerator),
            f"stream() gives {type(events).__name__}; write `async def stream` with `yield`",
        )
        return events  # type: ignore[return-value]  # seen above

    def _check_event(self, about: str, event: object) -> None:
        self.law.holds(
            isinstance(event, ProviderEvent),
            f"{about} yields {shown(event)}; yield types.TextDelta, Usage, Notice or Stopped",
        )
        if isinstance(event, TextDelta):
            is_text = isinstance(event.text, str) and event.text
            self.law.holds(is_text, f"{about} yields {shown(event)}; a piece holds some text")
        elif isinstance(event, Notice):
            self.law.is_line(event.text, f"{about}: a notice's text")
        elif isinstance(event, Usage):
            self._check_usage(about, event)

    def _check_usage(self, about: str, usage: Usage) -> None:
        for name in (field.name for field in fields(usage) if field.name.endswith("_tokens")):
            tokens = getattr(usage, name)
            is_count = tokens is None or (type(tokens) is int and tokens >= 0)
            advice = "give a count, or None where the vendor does not say"
            self.law.holds(is_count, f"{about}: {name} is {shown(tokens)}; {advice}")
        for part, whole in (("cache_read", "input"), ("reasoning", "output")):
            some, every = (getattr(usage, f"{name}_tokens") for name in (part, whole))
            fits = some is None or every is None or some <= every
            advice = f"{whole}_tokens includes {part}_tokens"
            self.law.holds(fits, f"{about}: {some} {part}_tokens of {every}; {advice}")

    async def _check_not_streamed(self, text: str | None) -> None:
        about, request = "stream() with request.stream False", replace(self.request, stream=False)
        events = await self._whole(about, request)
        pieces = sum(isinstance(event, TextDelta) for event in events)
        self.law.holds(pieces <= 1, f"{about} yields {pieces} pieces; yield the text in one")
        whole = _text(events)
        advice = "give same_text=False if the model is free to"
        differs = text is not None and whole != text
        self.law.holds(not differs, f"{about} says {shown(whole)}, else {shown(text)}; {advice}")

    async def _check_two_at_once(self, text: str | None) -> None:
        about = "stream() beside another one"
        answers = await asyncio.gather(*(self._whole(about, self.request) for _ in range(2)))
        texts = [_text(events) for events in answers]
        same = text is None or set(texts) == {text}
        advice = "keep what belongs to one answer in local variables"
        self.law.holds(same, f"{about} says {shown(texts)}, alone {shown(text)}; {advice}")

    # --- ends

    async def _check_errors(self) -> None:
        """Ask for a model that nobody has: an answer is odd, a stranger's error is wrong."""
        about = f"stream({NO_MODEL!r}, ...)"
        advice = "translate it into multimodel_magic.errors, as ModelNotFound"
        with self.law.only(about, MultimodelError, advice=advice) as raised:
            await self._soon(about, self._collect(NO_MODEL, self.request))
        if raised.error is not None:
            self.law.is_line(str(raised.error), f"{about} raises {type(raised.error).__name__}: it")

    async def _check_left_early(self) -> None:
        about = "a stream that is closed after its first event"
        events = self._opened(self.model, self.request)
        await self._soon(about, anext(events))
        with self.law.only(about, advice="let GeneratorExit pass, and yield no more"):
            await self._soon(about, events.aclose(), CLOSING_S)

    async def _check_cancelled(self) -> None:
        about = "a stream whose task is cancelled"
        task = asyncio.create_task(self._cancel_myself())
        await self._soon(about, _ended(task), CLOSING_S)
        advice = "let CancelledError pass once the connection is closed"
        if not task.cancelled():
            error = task.exception()
            what = "goes on to its end" if error is None else f"raises {type(error).__name__}"
            self.law.holds(False, f"{about} {what}; {advice}")

    async def _cancel_myself(self) -> None:
        async with aclosing(self._opened(self.model, self.request)) as events:
            await anext(events)
            task = asyncio.current_task()
            assert task is not None, "runs in a task"  # noqa: S101
            # Struck at the next wait within the provider; where it has none, at our own end.
            task.cancel()
            async for _ in events:
                continue

    async def _check_models(self) -> None:
        advice = "translate it into multimodel_magic.errors"
        names: object = ()
        with self.law.only("models()", MultimodelError, advice=advice):
            names = await self._soon("models()", self.provider.models())
        self.law.holds(
            isinstance(names, tuple) and all(isinstance(name, str) for name in names),
            f"models() gives {shown(names)}; give a tuple of names",
        )

    async def _check_closing(self) -> None:
        for about in ("aclose()", "aclose() again"):
            with self.law.only(about, advice="closing never fails"):
                await self._soon(about, self.provider.aclose())

    async def _soon(
        self, about: str, work: Coroutine[Any, Any, T], timeout_s: float | None = None
    ) -> T:
        self.law.holds(inspect.isawaitable(work), f"{about} cannot be awaited; make it async")
        allowed_s = self.timeout_s if timeout_s is None else timeout_s
        try:
            async with asyncio.timeout(allowed_s) as patience:
                return await work
        except TimeoutError as error:
            if not patience.expired():
                raise  # The provider's own.
            took = f"{about} took more than {allowed_s:g} s"
            advice = "end it sooner" if timeout_s else "or give a larger timeout_s"
            raise AssertionError(f"{self.law.who}: {took}; {advice}") from error


def _text(events: list[object]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


async def _ended(task: asyncio.Task[None]) -> None:
    await asyncio.wait([task])
