"""One request's way along its route: whom to ask next, what follows, when to wait.

Every model of the route has a `Place`. The walk takes the first place that is free; where none
is, it waits for the one that is free soonest, as long as the deadline allows. A failure makes a
place wait (a retry) or ends it; a poor answer in a cascade ends it and all places below.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from decimal import Decimal

from multimodel_magic.catalogue import window_of
from multimodel_magic.client.asking import ask, let_go, prepare
from multimodel_magic.client.cache import Kept
from multimodel_magic.client.checks import priced
from multimodel_magic.client.hedge import hedged
from multimodel_magic.client.judging import asked_judge, judged, let_stand, parse, turn_down
from multimodel_magic.client.recall import given, keep, look_up
from multimodel_magic.client.run import Place, Run
from multimodel_magic.client.standby import StandingBy
from multimodel_magic.errors import (
    AllModelsFailed,
    AuthenticationFailed,
    BreakerOpen,
    BudgetExceeded,
    ContextTooLong,
    MultimodelError,
    RateLimited,
    Retryable,
    TimedOut,
)
from multimodel_magic.limits import what_next
from multimodel_magic.strategies.cost import OUTPUT_TOKENS
from multimodel_magic.types import Event, LeftOut, Notice, Provider, Usage

__all__ = ["Walk"]

JUST_NOW_S = 0.005

NOTHING = Decimal(0)


class Walk:
    """One request's way along its route.

    Parameters
    ----------
    run
        With its route; the walk adds attempts, errors and who was passed over.
    """

    def __init__(self, run: Run) -> None:
        assert run.route is not None, "walks only after routing"  # noqa: S101
        request = run.request
        self._run = run
        self._means = run.means
        self._patience = run.means.patience
        self._has_budget = bool(run.means.budget) or request.max_cost_usd is not None
        self._places = [_place(rank, name) for rank, name in enumerate(run.route.models)]
        self._again: Place | None = None
        """Who is to be asked again before anybody else."""
        cache = run.means.cache
        told = cache.news(request) if cache is not None else None
        self._notices: list[Notice] = [Notice(told)] if told else []

    async def events(self) -> AsyncGenerator[Event, None]:
        """Ask until somebody has answered.

        Raises
        ------
        MultimodelError
            Nobody has, or an error that stops the request.
        """
        while (steps := self._next()) is not None or await self._found_more():
            while self._notices:
                yield self._notices.pop(0)
            if steps is None:
                continue
            async with aclosing(steps) as events:
                async for event in events:
                    yield event
            if judges := asked_judge(self._run, self._places):
                yield Notice(f"judging the answer of {judges}")
            if await self._is_answered():
                return
        while self._notices:
            yield self._notices.pop(0)
        if not let_stand(self._run):
            raise _nobody_answered(self._run)

    def _next(self) -> AsyncGenerator[Event, None] | None:
        """Return what happens next: an answer of before is given, a place is asked, or nothing."""
        if (found := self._kept()) is not None:
            return given(self._run, *found)
        chosen = self._choose()
        return None if chosen is None else self._turn(*chosen)

    async def _turn(self, place: Place, wait_s: float) -> AsyncGenerator[Event, None]:
        """Wait until a place may be asked, and ask it."""
        prepare(self._run, place)
        try:
            if wait_s > 0:
                yield Notice(f"{place.why}; asking it in {wait_s:.1f} s", wait_s)
                await self._means.sleep(wait_s)
            place.gate = self._means.breakers.enter(place.name, waited=wait_s > 0)
            if place.gate is None:
                return  # Somebody else's probe is under way.
            place.shared = self._are_others_free(place)
            async with (
                StandingBy(self._next_provider(place)),
                aclosing(self._asked(place)) as events,
            ):
                async for event in events:
                    yield event
        finally:
            let_go(self._run, place)

    def _next_provider(self, place: Place) -> Provider | None:
        behind = (p for p in self._places[place.rank + 1 :] if p.provider != place.provider)
        spare = next((p for p in behind if not p.over), None)
        return None if spare is None else self._means.provider(spare.provider, spare.model)

    def _asked(self, place: Place) -> AsyncGenerator[Event, None]:
        if self._patience.hedge is None:
            return ask(self._run, place)
        delay_s = self._hedge_s(place)
        second = self._free_after(place) if delay_s else None
        if delay_s is None or second is None:
            return ask(self._run, place)
        return hedged(self._run, place, second, delay_s)

    async def _found_more(self) -> bool:
        """Whether a role now means others, because a key was refused under way.

        A role is the first of its list that can answer here; a provider whose key was refused
        cannot. Who forbade fallbacks gets the error.
        """
        run = self._run
        refused = any(isinstance(error, AuthenticationFailed) for error in run.errors)
        stops = run.request.fallbacks == () or self._patience.on_auth_error == "stop"
        if not refused or stops or not self._means.keys or run.route is None:
            return False
        try:
            route = await self._means.route(run.request)
        except MultimodelError:
            return False  # The refused key is the error.
        known = run.route.models
        more = tuple(name for name in route.models if name not in known)
        self._places += [_place(len(known) + at, name) for at, name in enumerate(more)]
        run.route = replace(run.route, models=(*known, *more))
        return bool(more)

    # --- whom to ask

    def _kept(self) -> tuple[Place, Kept] | None:
        """Return the first place with a kept answer, unless one before it can be asked now."""
        if self._means.cache is None or self._again is not None:
            return None
        now_s = self._means.clock()
        for place in self._places:
            if not place.over and not place.looked_up:
                place.looked_up = True
                if (kept := look_up(self._run, place)) is not None:
                    self._pass_over([other for other in self._places if other.rank < place.rank])
                    return place, kept
            if self._is_ready(place, now_s) and not self._is_barred(place):
                return None
        return None

    def _is_ready(self, place: Place, now_s: float) -> bool:
        """Whether it can be asked now, or after a wait that is worth it."""
        blocked = place.free_s > now_s or self._means.breakers.wait_s(place.name) > 0
        return not place.over and not blocked and self._queue_s(place) <= self._patience.queue_s

    def _choose(self) -> tuple[Place, float] | None:
        """Return the next place and how long to wait for it; None where there is none."""
        now_s = self._means.clock()
        left_s = self._run.deadline.at_s - now_s
        again, self._again = self._again, None
        if again is not None and not self._is_barred(again):
            wait_s = max(0.0, _left_s(again, now_s), self._queue_s(again))
            if wait_s < left_s and not self._means.breakers.wait_s(again.name):
                return again, wait_s
        busy: list[tuple[float, Place]] = []
        for place in self._places:
            if place.over or self._is_barred(place):
                continue
            blocked_s = max(_left_s(place, now_s), self._means.breakers.wait_s(place.name))
            queue_s = self._queue_s(place)
            if blocked_s <= 0 and queue_s <= self._patience.queue_s and queue_s < left_s:
                self._pass_over([passed for _, passed in busy])
                if queue_s > 0:
                    place.why = f"{place.name}: its rate limit is used up"
                return place, queue_s
            busy.append((max(blocked_s, queue_s), place))
        return self._soonest(busy, left_s)

    def _soonest(
        self, busy: list[tuple[float, Place]], left_s: float
    ) -> tuple[Place, float] | None:
        if not busy:
            return None
        wait_s, place = min(busy, key=lambda one: one[0])
        what = self._busy_with(place)
        if wait_s < left_s:
            self._pass_over([other for _, other in busy if other.rank < place.rank])
            place.why = f"{place.name}: {what}" if what else place.why
            return place, wait_s
        self._pass_over([other for _, other in busy])
        if what and left_s > 0:
            kind = BreakerOpen if self._means.breakers.wait_s(place.name) else RateLimited
            line = f"{place.name}: {what}; that is longer than the request may wait"
            self._run.blocked.append(kind(line, retry_after_s=wait_s))
        return None

    def _queue_s(self, place: Place) -> float:
        limiter = self._means.limiter
        return limiter.wait_s(place.name, _tokens(self._run)) if limiter else 0.0

    def _busy_with(self, place: Place) -> str:
        """Say what keeps a place from being asked: its breaker, its rate, or nothing of these."""
        if self._means.breakers.wait_s(place.name) > 0:
            return str(self._means.breakers[place.name])
        if (queue_s := self._queue_s(place)) > 0:
            return f"its rate limit is used up for {queue_s:.1f} s more"
        return ""

    def _pass_over(self, places: list[Place]) -> None:
        for place in places:
            if what := self._busy_with(place):
                self._leave_out(place, what)

    def _leave_out(self, place: Place, why: str) -> None:
        """Say once that a place is not asked, and keep it in the route."""
        if place.noted:
            return
        place.noted = True
        route = self._run.route
        assert route is not None, "walks only after routing"  # noqa: S101
        self._notices.append(Notice(f"skipped {place.name}: {why}"))
        self._run.route = replace(route, left_out=(*route.left_out, LeftOut(place.name, why)))

    def _is_barred(self, place: Place) -> bool:
        """Whether a refused key or the budget forbids to ask it; says so."""
        error: MultimodelError | None = None
        if self._means.keys:
            provider = self._means.provider(place.provider, place.model)
            if why := self._means.keys.why(place.provider, provider):
                error = AuthenticationFailed(f"{place.provider}: {why}")
        if error is None and self._has_budget and (why := self._too_dear(place)):
            error = BudgetExceeded(f"{why}; raise the budget or ask a model that is free")
        if error is None:
            return False
        place.over = True
        self._run.blocked.append(error)
        self._leave_out(place, str(error))
        return True

    def _too_dear(self, place: Place) -> str | None:
        run, request = self._run, self._run.request
        most = OUTPUT_TOKENS if request.max_tokens is None else request.max_tokens
        usage = Usage(request.estimated_input_tokens(), min(most, OUTPUT_TOKENS), estimated=True)
        cost_usd = priced(
            run.means.price, place.provider, place.model, usage, run.started_at
        ).cost_usd
        place.estimate_usd = cost_usd or NOTHING
        return run.means.purse.objection(
            run.means.budget,
            place.name,
            cost_usd,
            call_usd=request.max_cost_usd,
            spent_in_call_usd=sum((a.cost_usd or NOTHING for a in run.attempts), start=NOTHING),
        )

    def _hedge_s(self, place: Place) -> float | None:
        """Return after what silence a second model is asked too; None where none is."""
        hedge, route = self._patience.hedge, self._run.route
        if place.tried or (route is not None and route.judge is not None):
            return None
        return self._means.pace.p95_s(place.name) if hedge == "p95" else hedge

    def _free_after(self, place: Place) -> Place | None:
        now_s = self._means.clock()
        return next(
            (
                other
                for other in self._places[place.rank + 1 :]
                if self._is_free(other, now_s) and not self._is_barred(other)
            ),
            None,
        )

    def _are_others_free(self, place: Place) -> bool:
        now_s = self._means.clock()
        return any(other is not place and self._is_free(other, now_s) for other in self._places)

    def _is_too_slow(self, place: Place, failure: MultimodelError) -> bool:
        """Whether asking it again might leave the others no time."""
        if not isinstance(failure, TimedOut):
            return False
        took_s = next(
            (a.latency_s for a in reversed(self._run.attempts) if a.name == place.name), 0
        )
        return self._run.deadline.left_s() < 2 * took_s

    def _is_free(self, place: Place, now_s: float) -> bool:
        return (
            not place.over
            and place.free_s <= now_s
            and self._means.breakers.wait_s(place.name) <= 0
            and self._queue_s(place) <= 0
        )

    # --- what follows

    async def _is_answered(self) -> bool:
        """Take in how the attempts ended; whether an answer stands."""
        ended = [place for place in self._places if place.call is not None]
        answered = next((place for place in ended if place.failure is None), None)
        for place in ended:
            call, place.call = place.call, None
            # Who lost a hedge has not failed: it may be asked again, should the winner break.
            if answered is None and place.failure is not None and call and not call.lost:
                self._after(place, place.failure)
        if answered is None:
            return False
        parse(self._run)
        keep(self._run, answered)
        above = [p.name for p in self._places[answered.rank + 1 :] if not p.over]
        verdict = await judged(self._run, answered, above)
        if verdict.ok:
            return True
        self._notices.append(turn_down(self._run, answered, verdict))
        for place in self._places[: answered.rank + 1]:
            place.over = True
        return False

    def _after(self, place: Place, failure: MultimodelError) -> None:
        """Let a place wait or end after its failure, or stop the request."""
        now_s = self._means.clock()
        others = self._are_others_free(place)
        follows = what_next(failure, self._patience, others=others, tried=place.tried)
        if follows == "same" and others and self._is_too_slow(place, failure):
            follows = "next"
        if follows == "stop":
            raise failure
        if follows == "skip":
            for same in self._places:
                same.over = same.over or same.provider == place.provider
        if isinstance(failure, ContextTooLong):
            self._leave_out_windows_like(place)
        # A model whose rate is used up may have its turn again, should the others fail.
        later = isinstance(failure, RateLimited) and place.tried <= self._patience.retries
        if follows != "same" and not later:
            place.over = True
            return
        wait_s = self._backoff_s(failure, place.tried)
        place.free_s, place.wait_s = now_s + wait_s, wait_s
        place.over = wait_s >= self._run.deadline.left_s()
        place.why = f"{place.name}: {type(failure).__name__}"
        if not later and not place.over:
            self._again = place

    def _leave_out_windows_like(self, place: Place) -> None:
        """Ask nobody whose window is known to be no larger than the one that was too small."""
        if (window := window_of(place.name)) is None:
            return
        for other in self._places:
            its = window_of(other.name)
            if its is not None and its <= window and not other.over and other is not place:
                other.over = True
                self._leave_out(other, f"its context window ({its:,} tokens) is no larger")

    def _backoff_s(self, failure: MultimodelError, tried: int) -> float:
        if not isinstance(failure, Retryable):
            return 0.0
        return self._patience.wait_s(failure, tried, self._means.dice)


def _place(rank: int, name: str) -> Place:
    provider, _, model = name.partition(":")
    return Place(rank, name, provider, model)


def _left_s(place: Place, now_s: float) -> float:
    left_s = place.free_s - now_s
    # Exactly what the vendor asked for, not the microseconds less that have gone by since.
    return place.wait_s if 0 < place.wait_s - left_s < JUST_NOW_S else left_s


def _tokens(run: Run) -> int:
    most = OUTPUT_TOKENS if run.request.max_tokens is None else run.request.max_tokens
    return run.request.estimated_input_tokens() + min(most, OUTPUT_TOKENS)


def _nobody_answered(run: Run) -> MultimodelError:
    """Return the one error, or all of them in one."""
    if not run.attempts:
        late = TimedOut("the request's time was up before a model was asked; allow more time")
        return run.blocked[0] if run.blocked else late
    if run.errors and len({attempt.name for attempt in run.attempts}) == 1:
        return _last_of(run.errors)
    return AllModelsFailed(tuple(run.attempts), tuple(run.errors))


def _last_of(errors: list[MultimodelError]) -> MultimodelError:
    """Return the last error of the one model that was asked, saying how often it was asked."""
    last = errors[-1]
    if len(errors) > 1:
        last.args = (f"{last} (asked {len(errors)} times)", *last.args[1:])
    return last
