"""One client for every provider: route, ask, fall back, price, record.

`stream` is the only path; `generate` and the synchronous twins consume it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal

from multimodel_magic import bridge, limits, plugins, pricing
from multimodel_magic.catalogue import Catalogue
from multimodel_magic.errors import (
    AllModelsFailed,
    AuthenticationFailed,
    Cancelled,
    ConnectionFailed,
    ContentFiltered,
    Misconfigured,
    MultimodelError,
    Overloaded,
    RateLimited,
    Refused,
    Retryable,
    UsageError,
    did_you_mean,
)
from multimodel_magic.limits import Deadline, Patience
from multimodel_magic.strategies import Fixed, Named, Resolved, WithFallbacks
from multimodel_magic.types import (
    Attempt,
    AttemptFailed,
    AttemptStarted,
    Event,
    Finished,
    Message,
    Notice,
    Option,
    PriceOf,
    Provider,
    Recorder,
    Request,
    Response,
    Route,
    Routed,
    Stopped,
    Strategy,
    TextDelta,
    Usage,
)

__all__ = ["UnifiedLLMClient"]

_NOT_BILLED = (AuthenticationFailed, ConnectionFailed, Misconfigured, Overloaded, RateLimited)
"""Failures in which the vendor says that it did no work (or was never reached): 0 tokens."""


@dataclass(slots=True)
class _Run:
    """What is known of one request while it is under way."""

    request: Request
    started_s: float
    deadline: Deadline
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    route: Route | None = None
    attempts: list[Attempt] = field(default_factory=list)
    errors: list[MultimodelError] = field(default_factory=list)
    error: Exception | None = None
    pieces: list[str] = field(default_factory=list)
    locked_out: set[str] = field(default_factory=set)
    """Providers that refused their key during this request."""


@dataclass(slots=True)
class _Call:
    """One attempt under way."""

    provider: str
    model: str
    number: int
    rank: int
    started_s: float
    started_at: datetime
    first_s: float | None = None
    usage: Usage = field(default_factory=Usage)
    stopped: Stopped | None = None

    @property
    def name(self) -> str:
        return f"{self.provider}:{self.model}"


class UnifiedLLMClient:
    """Ask any model of any provider through one interface.

    Parameters
    ----------
    providers
        Provider by name; those that are left out are loaded on first use from the package and
        the entry points `multimodel_magic.providers`.
    strategy
        Chooses where the request names no model; by default the role `balanced`.
    ledger
        Where finished requests are recorded; None records nowhere.
    catalogue
        What names mean.
    fallbacks
        Asked, in order, after the strategy's models have failed.
    strategies
        Strategies that a request may ask for by name.
    patience
        Deadline, retries and waits.
    price
        `(provider, model, usage, at) -> Price`.
    clock, sleep, dice
        Monotonic seconds, an awaitable wait, and numbers in [0, 1) for jitter.

    Examples
    --------
    >>> from multimodel_magic.providers.scripted import ScriptedProvider
    >>> client = UnifiedLLMClient({"scripted": ScriptedProvider()})
    >>> response = client.generate_sync("Hello", "scripted:echo")
    >>> response.provider, response.fallback_used
    ('scripted', False)
    """

    def __init__(
        self,
        providers: Mapping[str, Provider] | None = None,
        strategy: Strategy | None = None,
        ledger: Recorder | None = None,
        *,
        catalogue: Catalogue | None = None,
        fallbacks: tuple[str, ...] = (),
        strategies: Mapping[str, Strategy] | None = None,
        patience: Patience | None = None,
        price: PriceOf = pricing.price,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        dice: Callable[[], float] = limits.dice,
    ) -> None:
        self.providers: dict[str, Provider] = dict(providers or {})
        self.strategy: Strategy = strategy or Fixed(("balanced",))
        self.ledger = ledger
        self.catalogue = catalogue or Catalogue(today=datetime.now(UTC).date())
        self.fallbacks = fallbacks
        self.strategies: Mapping[str, Strategy] = dict(strategies or {})
        self.patience = patience or Patience()
        self.price = price
        self._clock = clock
        self._sleep = sleep
        self._dice = dice
        # The price list takes 0.6 s to import: in a thread, while the first vendor answers.
        self._is_warm = price is not pricing.price

    # --- the public calls

    async def stream(self, request: Request) -> AsyncGenerator[Event, None]:
        """Answer `request`, saying what happens as it happens.

        Yields
        ------
        Event
            `Routed`, `Notice`, `AttemptStarted`, `TextDelta`, `AttemptFailed`; the last one is
            always `Finished`, whose `response.error` says whether there is an answer. An
            `AttemptStarted` makes the text of earlier attempts void.

        Raises
        ------
        asyncio.CancelledError
            After `Finished`, where the task was cancelled: the vendor's stream is then closed
            and what had come so far is in the ledger.
        """
        run = self._begin(request)
        try:
            async with aclosing(self._answer(run)) as events:
                async for event in events:
                    yield event
        except asyncio.CancelledError:
            run.error = Cancelled("interrupted: the request was stopped")
            yield Finished(self._finish(run))
            raise
        except MultimodelError as error:
            run.error = error
        except BaseException as error:
            # A consumer that left early (GeneratorExit) or a bug: the attempt is on the books.
            run.error = error if isinstance(error, Exception) else Cancelled("the reader left")
            self._finish(run)
            raise
        yield Finished(self._finish(run))

    async def generate(
        self,
        prompt: str | Request,
        model: str | None = None,
        *,
        system: str | None = None,
        strategy: str | None = None,
        fallbacks: Iterable[str] | None = None,
        task: str | None = None,
        user_tier: str | None = None,
        task_value: str | None = None,
        needs: Iterable[str] = (),
        unit: str | None = None,
        history: Iterable[Message] = (),
        max_tokens: int | None = None,
        timeout_s: float | None = None,
        retries: int | None = None,
        options: Mapping[str, Option] | None = None,
    ) -> Response:
        """Answer a prompt, or a `Request`, and return the whole response.

        Parameters
        ----------
        prompt
            The user's text, or a `Request` that says everything.
        model
            Model, alias or role; None lets the strategy choose.
        strategy, task, user_tier, task_value, needs, unit, fallbacks
            What routing looks at; never sent to a vendor.
        system, history, max_tokens, options
            What the vendor gets; `options` verbatim.
        timeout_s, retries
            Patience of this request.

        Raises
        ------
        MultimodelError
            Where there is no answer; it is in the ledger all the same.
        """
        if not isinstance(prompt, Request):
            prompt = Request(
                prompt,
                system=system,
                history=tuple(history),
                models=(model,) if model else (),
                strategy=strategy,
                fallbacks=None if fallbacks is None else tuple(fallbacks),
                task=task,
                user_tier=user_tier,
                task_value=task_value,
                needs=frozenset(needs),
                unit=unit,
                max_tokens=max_tokens,
                options=options or {},
                timeout_s=timeout_s,
                retries=retries,
                stream=False,
            )
        response: Response | None = None
        async with aclosing(self.stream(prompt)) as events:
            async for event in events:
                if isinstance(event, Finished):
                    response = event.response
        assert response is not None, "stream() always ends with Finished"  # noqa: S101
        if response.error is not None:
            raise response.error
        return response

    def stream_sync(
        self, request: Request, *, tick_s: float | None = None
    ) -> Iterator[Event | None]:
        """As `stream`, for synchronous code; `KeyboardInterrupt` is the cancellation.

        Parameters
        ----------
        request
            What to answer.
        tick_s
            Where given, None is yielded whenever so many seconds passed without an event.
        """
        return bridge.iterate(self.stream(request), tick_s=tick_s)

    generate_sync = bridge.blocking(generate)

    async def route(self, request: Request) -> Route:
        """Say whom `request` would go to; asks no model.

        Raises
        ------
        Misconfigured
            Where nobody can answer it here.
        """
        return self._strategy_for(request, await self.survey()).route(request)

    async def survey(self) -> Mapping[str, str]:
        """Say which providers cannot be asked here, and why; asks local servers if they are up."""
        return {name: why for name in self._names() if (why := await self._unusable(name))}

    async def aclose(self) -> None:
        """Close every provider's connections."""
        for provider in self.providers.values():
            await provider.aclose()

    # --- one request, from its route to its row

    def _begin(self, request: Request) -> _Run:
        now = self._clock()
        allowed = self.patience.timeout_s if request.timeout_s is None else request.timeout_s
        return _Run(request, now, Deadline(now + allowed, self._clock))

    def _finish(self, run: _Run) -> Response:
        response = Response(
            run.request,
            "".join(run.pieces),
            tuple(run.attempts),
            run.route,
            run.error,
            self._clock() - run.started_s,
            run.started_at,
        )
        if self.ledger is not None:
            self.ledger.record(response)
        return response

    async def _answer(self, run: _Run) -> AsyncGenerator[Event, None]:
        run.route = route = await self.route(run.request)
        yield Routed(route)
        for rank in range(len(route.models)):
            provider, _, _ = route.models[rank].partition(":")
            if provider in run.locked_out:
                continue
            async with aclosing(self._ask_patiently(run, rank)) as events:
                async for event in events:
                    yield event
            if run.attempts and run.attempts[-1].succeeded:
                return
        raise _nobody_answered(run)

    def _strategy_for(self, request: Request, unusable: Mapping[str, str]) -> Strategy:
        chosen = self.strategy
        if request.strategy is not None and not request.models:
            if request.strategy not in self.strategies:
                near = did_you_mean(request.strategy, self.strategies)
                raise UsageError(f"no strategy is called {request.strategy!r}{near}")
            chosen = self.strategies[request.strategy]
        chain = WithFallbacks(Named(chosen), self.fallbacks)
        catalogue = self.catalogue.with_providers(self._names()).with_unusable(unusable)
        return Resolved(chain, catalogue)

    async def _ask_patiently(self, run: _Run, rank: int) -> AsyncGenerator[Event, None]:
        """Ask one model of the route as often as its failures allow."""
        patience = self._patience(run.request)
        tried = 0
        while True:
            tried += 1
            try:
                async with aclosing(self._ask(run, rank)) as events:
                    async for event in events:
                        yield event
                return  # noqa: TRY300 - the happy path ends here
            except MultimodelError as error:
                run.errors.append(error)
                failure = error
            yield AttemptFailed(run.attempts[-1])
            others = self._others(run, rank, failure)
            follows = limits.what_next(failure, patience, others=others, tried=tried)
            wait_s = self._wait_s(run, failure, follows, tried)
            if follows == "stop":
                raise failure
            if follows == "skip":
                run.locked_out.add(run.attempts[-1].provider)
            if wait_s is None:
                return
            yield Notice(_waiting(run.attempts[-1], wait_s), wait_s)
            await self._sleep(wait_s)

    def _patience(self, request: Request) -> Patience:
        if request.retries is None:
            return self.patience
        return replace(self.patience, retries=request.retries)

    def _others(self, run: _Run, rank: int, error: MultimodelError) -> bool:
        """Whether a later model of the route could still answer."""
        assert run.route is not None, "asked only after routing"  # noqa: S101
        barred = set(run.locked_out)
        if isinstance(error, AuthenticationFailed):
            barred.add(run.attempts[-1].provider)
        later = run.route.models[rank + 1 :]
        return any(name.partition(":")[0] not in barred for name in later)

    def _wait_s(
        self, run: _Run, error: MultimodelError, follows: limits.Next, tried: int
    ) -> float | None:
        """Return the wait before the same model is asked again, None where it is not."""
        if follows != "same":
            return None
        if not isinstance(error, Retryable):
            return 0.0
        wait_s = self.patience.wait_s(error, tried, self._dice)
        return wait_s if wait_s < run.deadline.left_s() else None

    async def _ask(self, run: _Run, rank: int) -> AsyncGenerator[Event, None]:
        """Ask one model once: everything between its start and its row."""
        assert run.route is not None, "asked only after routing"  # noqa: S101
        provider_name, _, model = run.route.models[rank].partition(":")
        provider = self._provider(provider_name)
        self._warm(provider_name)
        run.pieces.clear()
        call = _Call(
            provider_name,
            model,
            len(run.attempts) + 1,
            rank,
            self._clock(),
            datetime.now(UTC),
        )
        yield AttemptStarted(provider_name, model, call.number, rank)
        try:
            events = provider.stream(model, run.request)
            async for event in limits.within(events, self.patience, run.deadline, call.name):
                if isinstance(event, TextDelta):
                    if call.first_s is None:
                        call.first_s = self._clock()
                    run.pieces.append(event.text)
                    yield event
                elif isinstance(event, Usage):
                    call.usage = event
                elif isinstance(event, Stopped):
                    call.stopped = event
                else:
                    yield event
        except BaseException as error:
            run.attempts.append(self._closed(run, call, error))
            raise
        run.attempts.append(self._closed(run, call, None))

    def _closed(self, run: _Run, call: _Call, error: BaseException | None) -> Attempt:
        usage = _settled(run, call, error)
        price = self.price(call.provider, call.model, usage, call.started_at)
        free = usage.input_tokens == 0 and usage.output_tokens == 0
        stopped = call.stopped or Stopped(None)
        name, message = _named(error)
        return Attempt(
            call.provider,
            call.model,
            call.number,
            call.rank,
            call.started_at,
            self._clock() - call.started_s,
            None if call.first_s is None else call.first_s - call.started_s,
            usage,
            Decimal(0) if free else price.cost_usd,
            price.source,
            stopped.stop_reason,
            stopped.response_model,
            stopped.response_id,
            name,
            message,
        )

    # --- providers

    def _warm(self, provider: str) -> None:
        if not self._is_warm and provider not in pricing.LOCAL:
            self._is_warm = True
            bridge.background(pricing.warm)

    def _names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self.providers, *plugins.provider_names()]))

    async def _unusable(self, name: str) -> str | None:
        try:
            provider = self._provider(name)
        except Misconfigured as error:
            return str(error)
        probe: Callable[[], Awaitable[str | None]] | None = getattr(provider, "probe", None)
        return await probe() if probe is not None else provider.unusable()

    def _provider(self, name: str) -> Provider:
        if name not in self.providers:
            self.providers[name] = plugins.load_provider(name)()
        return self.providers[name]


def _settled(run: _Run, call: _Call, error: BaseException | None) -> Usage:
    """Fill what the vendor did not say about an attempt that broke off."""
    usage = call.usage
    if error is None:
        return usage
    billed = not isinstance(error, _NOT_BILLED) and (
        not isinstance(error, Refused) or isinstance(error, ContentFiltered)
    )
    if not billed and call.first_s is None:
        return Usage(0, 0)
    written = "".join(run.pieces)
    known_output = usage.output_tokens if call.stopped is not None else None
    return replace(
        usage,
        input_tokens=usage.input_tokens
        if usage.input_tokens is not None
        else run.request.estimated_input_tokens(),
        # What an interrupted stream said so far is a running count at best: take the larger.
        output_tokens=known_output
        if known_output is not None
        else max(usage.output_tokens or 0, len(written) // 4),
        estimated=True,
    )


def _named(error: BaseException | None) -> tuple[str | None, str | None]:
    """Return the error's name and its line, as the ledger keeps them."""
    if error is None:
        return None, None
    if isinstance(error, MultimodelError):
        return type(error).__name__, str(error)
    if isinstance(error, asyncio.CancelledError | GeneratorExit | KeyboardInterrupt):
        return "Cancelled", "interrupted"
    return type(error).__name__, f"a fault of ours or of a plugin: {error}"


def _waiting(attempt: Attempt, wait_s: float) -> str:
    return f"{attempt.name}: {attempt.error_type}; asking again in {wait_s:.1f} s"


def _nobody_answered(run: _Run) -> MultimodelError:
    """Return the one error, or all of them in one."""
    if len(run.errors) == 1:
        return run.errors[0]
    return AllModelsFailed(tuple(run.attempts), tuple(run.errors))
