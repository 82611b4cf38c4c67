"""`UnifiedLLMClient`: what a caller sees of it.

`stream` is the only path; `generate` and the synchronous twins consume it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal, Self

from multimodel_magic import bridge, limits, plugins, pricing
from multimodel_magic.attachments import attached
from multimodel_magic.catalogue import Catalogue
from multimodel_magic.client.cache import Cache, Mode
from multimodel_magic.client.checks import (
    check,
    named,
    names,
    providers_of,
    recorded,
    strategy_of,
    trouble,
    turns,
)
from multimodel_magic.client.counting import Counting
from multimodel_magic.client.fitting import fitting
from multimodel_magic.client.kinds import check_kinds, check_parts
from multimodel_magic.client.prices import PriceList
from multimodel_magic.client.rehearsal import Rehearsal
from multimodel_magic.client.run import Means, Run, response_of, stopped
from multimodel_magic.client.walk import Walk
from multimodel_magic.errors import (
    AuthenticationFailed,
    Cancelled,
    Misconfigured,
    MultimodelError,
    UsageError,
)
from multimodel_magic.limits import (
    Breakers,
    Budget,
    Deadline,
    Limiter,
    Pace,
    Patience,
    Purse,
    Rate,
    RefusedKeys,
)
from multimodel_magic.schemas import schema_of
from multimodel_magic.strategies import Fixed, Named, Resolved, WithFallbacks
from multimodel_magic.types import (
    Event,
    Finished,
    Message,
    Option,
    PriceOf,
    Provider,
    Recorder,
    Request,
    Response,
    Route,
    Routed,
    Strategy,
)

__all__ = ["UnifiedLLMClient"]


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
    budget
        What may be spent; by default as much as one likes. May be changed at any time.
    rates
        Requests and tokens per minute, by provider or `provider:model`.
    price
        `(provider, model, usage, at) -> Price`.
    cache
        Which answers are kept and given again; None keeps none.
    clock, sleep, dice
        Monotonic seconds, an awaitable wait, and numbers in [0, 1) for jitter.

    Attributes
    ----------
    breakers
        `provider:model` -> breaker, of models that failed of late.
    purse
        What was spent so far, and where.

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
        budget: Budget | None = None,
        rates: Mapping[str, Rate] | None = None,
        price: PriceOf = pricing.price,
        cache: Cache | None = None,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        dice: Callable[[], float] = limits.dice,
    ) -> None:
        check_parts(strategy, ledger, budget)
        self.providers: dict[str, Provider] = dict(providers or {})
        self.strategy: Strategy = strategy or Fixed(("balanced",))
        self.ledger = ledger
        self.catalogue = catalogue or Catalogue(today=datetime.now(UTC).date())
        self.fallbacks = fallbacks
        self.strategies: Mapping[str, Strategy] = dict(strategies or {})
        self.patience = patience or Patience()
        self.budget = budget or Budget()
        self.breakers = Breakers(clock=clock)
        self.limiter = Limiter(rates, clock=clock)
        self.purse = Purse()
        self._prices = PriceList()
        self._counting = Counting(self.purse, self._prices, clock)
        self._keys = RefusedKeys()
        self._pace = Pace()
        self._rehearsal = Rehearsal()
        self.price = price
        self.cache = cache
        self._clock = clock
        self._sleep = sleep
        self._dice = dice

    # --- the public calls

    @fitting
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
        UsageError
            At once and off the books, where a part of the request is of the wrong kind.
        asyncio.CancelledError
            After `Finished`, where the task was cancelled: the vendor's stream is then closed
            and what had come so far is in the ledger.
        """
        check_kinds(request)
        run = self._begin(request)
        with bridge.awake():
            try:
                run.route = await self.route(request)
                yield Routed(run.route)
                async with aclosing(self._counting.ready(run, self.ledger)) as notices:
                    async for notice in notices:
                        yield notice
                async with aclosing(Walk(run).events()) as events:
                    async for event in events:
                        yield event
            except asyncio.CancelledError as error:
                run.error = stopped(run, error, kept=self.ledger is not None)
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

    @fitting
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
        hedge_s: float | None = None,
        max_cost_usd: Decimal | None = None,
        broken_stream: Literal["restart", "keep", "fail"] | None = None,
        cache: Mode | None = None,
        fresh: bool = False,
        options: Mapping[str, Option] | None = None,
        attachments: Iterable[object] = (),
        schema: object = None,
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
        timeout_s, retries, hedge_s, broken_stream
            Patience of this request.
        max_cost_usd
            What it may cost, all its attempts together.
        cache, fresh
            Whether an answer of before will do (`on`, `off`, `auto`: where the temperature is set
            to 0; None: as configured), and whether to ask anew nevertheless.
        attachments
            Pictures and texts: paths, bytes, PIL images, matplotlib figures; read at once.
        schema
            What the answer must be, as `schema_of` takes it; `Response.value` is such an object.

        Raises
        ------
        UsageError
            For a `Request` together with what it says itself.
        MultimodelError
            Where there is no answer; it is in the ledger all the same.
        """
        given = (model, system, strategy, fallbacks, task, user_tier, task_value, unit, max_tokens)
        more = needs or options or attachments or schema is not None
        if isinstance(prompt, Request):
            if any(one is not None for one in given) or more:
                raise UsageError("a Request says everything itself: give model and options there")
        elif not isinstance(prompt, str):
            raise UsageError(f"the prompt is {type(prompt).__name__}, not text")
        else:
            prompt = Request(
                prompt,
                system=system,
                history=turns(history),
                attachments=attached(attachments),
                models=(model,) if model else (),
                strategy=strategy,
                fallbacks=None if fallbacks is None else names(fallbacks),
                task=task,
                user_tier=user_tier,
                task_value=task_value,
                needs=frozenset(names(needs)),
                unit=unit,
                max_tokens=max_tokens,
                options=options or {},
                schema=None if schema is None else schema_of(schema),
                timeout_s=timeout_s,
                retries=retries,
                hedge_s=hedge_s,
                max_cost_usd=max_cost_usd,
                broken_stream=broken_stream,
                cache=cache,
                fresh=fresh,
                stream=False,
            )
        return await self._answer(prompt)

    async def _answer(self, request: Request) -> Response:
        response: Response | None = None
        async with aclosing(self.stream(request)) as events:
            async for event in events:
                if isinstance(event, Finished):
                    response = event.response
        assert response is not None, "stream() always ends with Finished"  # noqa: S101
        if response.error is not None:
            raise response.error
        return response

    @fitting
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
        UsageError
            Where the request makes no sense.
        Misconfigured
            Where nobody can answer it here.
        AuthenticationFailed
            Where nobody is left but providers that refused their key before.
        """
        check(request)
        chosen = strategy_of(request, self.strategies, self.strategy)
        strategy = WithFallbacks(Named(chosen), self.fallbacks)
        unusable = await self._surveyed(named(request, chosen, self.fallbacks))
        choose = self._around_refused_keys if self._keys else self._among_usable
        route = await self._prices.choosing(lambda: choose(strategy, request, unusable))
        return self._rehearsal.told(route)

    async def survey(self, others: Mapping[str, Provider] | None = None) -> Mapping[str, str]:
        """Say which providers cannot be asked here, and why; asks local servers if they are up.

        `others` are not the client's: those of a configuration that is looked at and not in use.
        """
        refused = self._all_refused() if self._keys else {}
        new = [(name, await trouble(one)) for name, one in (others or {}).items()]
        return {**await self._surveyed(), **refused, **{name: why for name, why in new if why}}

    async def priceable(self, models: Iterable[str]) -> None:
        """See to it that these models (`provider:model`) can be priced, whatever must be loaded."""
        await self._prices.ready(self.price, providers_of(models))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every provider's connections; `async with` does it at its end."""
        for provider in self.providers.values():
            await provider.aclose()

    def chaos(self, spec_by_name: Mapping[str, str] | None = None, *, seed: int = 0) -> None:
        """Rehearse faults with providers and models; without names, end every rehearsal.

        Parameters
        ----------
        spec_by_name
            Provider, model, alias or role -> its faults, as `529:0.3,latency=2s`; see
            `multimodel_magic.providers.chaos`. It takes the place of every earlier one.
        seed
            The same seed deals the same faults.

        Raises
        ------
        UsageError
            For a name or a fault that is none.
        """
        specs = {self._full_name(name): spec for name, spec in (spec_by_name or {}).items()}
        self._rehearsal = Rehearsal(specs, seed=seed)

    @property
    def rehearsed(self) -> Mapping[str, str]:
        """What chaos is on: provider or `provider:model` -> its faults."""
        return self._rehearsal.specs

    async def recount(self) -> None:
        """Ask the ledger anew what other sessions spent today, for the day's budget."""
        await self._counting.recount(self.ledger)

    def forgive(self) -> None:
        """Give every refused key and every resting model another chance."""
        self._keys.forget()
        self.breakers.forget()

    # --- one request, from its route to its row

    def _begin(self, request: Request) -> Run:
        check_parts(self.strategy, self.ledger, self.budget)  # they may be changed at any time
        now = self._clock()
        allowed = self.patience.timeout_s if request.timeout_s is None else request.timeout_s
        means = Means(
            self.patience.as_asked(request),
            self.price,
            self._clock,
            self._sleep,
            self._dice,
            self._asked,
            self.generate,
            self.route,
            getattr(self.ledger, "begin", None),
            self.breakers,
            self._keys,
            self.limiter,
            self.purse,
            self.budget,
            self._pace,
            self._prices,
            self.cache,
        )
        return Run(request, now, Deadline(now + allowed, self._clock), means)

    def _finish(self, run: Run) -> Response:
        response = response_of(run)
        if self.ledger is not None:
            recorded(self.ledger, response)
        return response

    # --- routing

    def _resolved(self, strategy: Strategy, unusable: Mapping[str, str]) -> Resolved:
        catalogue = self.catalogue.with_providers(self._names()).with_unusable(unusable)
        return Resolved(strategy, catalogue)

    def _among_usable(
        self, strategy: Strategy, request: Request, unusable: Mapping[str, str]
    ) -> Route:
        return self._resolved(strategy, unusable).route(request)

    def _around_refused_keys(
        self, strategy: Strategy, request: Request, unusable: Mapping[str, str]
    ) -> Route:
        """Route past the providers whose key was refused, and say so loudly."""
        refused = self._all_refused()
        wanted = self._among_usable(strategy, request, unusable)
        passed = {n: why for n, why in refused.items() if n in providers_of(wanted.models)}
        try:
            route = self._among_usable(strategy, request, {**unusable, **refused})
        except Misconfigured as error:
            whys = "; ".join(f"{name}: {why}" for name, why in passed.items())
            raise AuthenticationFailed(whys or str(error)) from error
        said = {notice.partition(":")[0] for notice in route.notices}  # of models named by the user
        told = (f"{name} was skipped: {why}" for name, why in passed.items() if name not in said)
        return replace(route, notices=(*route.notices, *told))

    def _all_refused(self) -> Mapping[str, str]:
        asked = self.providers.items()
        return {name: why for name, one in asked if (why := self._keys.why(name, one)) is not None}

    def _full_name(self, name: str) -> str:
        """Return the `provider:model` that a name stands for; a provider's name is its own."""
        if name in self._names():
            return name
        return self.catalogue.with_providers(self._names()).resolve(name).model.full_name

    # --- providers

    def _names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self.providers, *plugins.provider_names()]))

    def _asked(self, name: str, model: str) -> Provider:
        """Find a provider for one attempt: the one that is rehearsed in its place, if any is."""
        return self._rehearsal.instead_of(self._provider(name), name, model)

    async def _surveyed(self, by_name: frozenset[str] = frozenset()) -> Mapping[str, str]:
        whys = {name: await self._unusable(name, name in by_name) for name in self._names()}
        return {name: why for name, why in whys.items() if why}

    async def _unusable(self, name: str, is_named: bool) -> str | None:  # noqa: FBT001 - private
        try:
            return await trouble(self._provider(name), is_named=is_named)
        except Misconfigured as error:
            return str(error)

    def _provider(self, name: str) -> Provider:
        if name not in self.providers:
            self.providers[name] = plugins.make_provider(name)
        return self.providers[name]
