"""Cascades: an answer is judged, and a poor one goes up to the next rung."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from decimal import Decimal

from multimodel_magic.client.run import Call, Place, Run
from multimodel_magic.errors import MultimodelError
from multimodel_magic.pricing import money
from multimodel_magic.types import (
    AnyJudge,
    AskingJudge,
    InTurn,
    Judge,
    Notice,
    Reason,
    Request,
    Response,
    Verdict,
    WeighingJudge,
    new_ulid,
)

__all__ = ["asked_judge", "judged", "let_stand", "parse", "turn_down", "weighs"]

OK = Verdict(ok=True)

_log = logging.getLogger("multimodel_magic.client")


def parse(run: Run) -> None:
    """Read the answer that has just come as the request's schema describes it, if it has one."""
    call, schema = run.call, run.request.schema
    if call is None or schema is None:
        return
    from multimodel_magic import schemas
    from multimodel_magic.strategies.cascade import cut

    text, reason = "".join(call.pieces), run.attempts[-1].stop_reason
    call.parsed = schemas.read(schema, text, cut=not cut(run.request, text, reason).ok)


def asked_judge(run: Run, places: list[Place]) -> str | None:
    """Name whose answer is about to be judged by asking a model, which takes a while, or None."""
    if not any(isinstance(judge, AskingJudge) for judge in _judges(run)):
        return None
    ended = [p for p in places if p.call is not None and p.failure is None]
    return ended[0].name if ended and _is_judged(run, ended[0]) else None


def weighs(run: Run, place: Place) -> bool:
    """Whether a place's answer will be judged by how probable the model found its words."""
    if run.route is None or run.route.judge is None or not _is_judged(run, place):
        return False
    return any(isinstance(judge, WeighingJudge) for judge in _judges(run))


async def judged(run: Run, answered: Place, above: list[str]) -> Verdict:
    """Judge the answer of a rung, unless it is the last one that can be asked."""
    route = run.route
    if route is None or route.judge is None or answered.name not in route.rungs:
        return OK
    if run.call is None or not any(name in route.rungs for name in above):
        return OK
    text = "".join(run.call.pieces)
    verdict = _as_asked_for(run.call)
    for judge in _judges(run) if verdict.ok else ():
        verdict = await _judged_by(judge, run, answered, text)
        if not verdict.ok:
            break
    return verdict


def _as_asked_for(call: Call) -> Verdict:
    """Say whether the answer is what the request's schema describes."""
    fault = call.parsed.fault if call.parsed is not None else ""
    at = "schema not met at " if fault.startswith("$") else ""
    return Verdict(ok=False, why=f"{at}{fault}") if fault else OK


def _judges(run: Run) -> tuple[AnyJudge, ...]:
    judge = run.route.judge if run.route is not None else None
    if judge is None:
        return ()
    return judge.judges if isinstance(judge, InTurn) else (judge,)


def _is_judged(run: Run, place: Place) -> bool:
    return run.route is not None and place.name in run.route.rungs[:-1]


async def _judged_by(judge: AnyJudge, run: Run, answered: Place, text: str) -> Verdict:
    attempt = run.attempts[-1]
    if isinstance(judge, WeighingJudge):
        return judge.weigh(attempt.mean_logprob)
    if isinstance(judge, AskingJudge):
        return await _asked(judge, run, answered, text)
    assert not isinstance(judge, InTurn), "judges in turn are not nested"  # noqa: S101
    return _unfailing(judge, run, text)


def _unfailing(judge: Judge, run: Run, text: str) -> Verdict:
    """Ask a judge that is a function; what it raises costs a warning, and the answer stands."""
    try:
        verdict: object = judge(run.request, text, run.attempts[-1].stop_reason)
    except Exception as error:  # noqa: BLE001 - anybody's function; the answer is paid already
        _log.warning("the answer was not judged: %r", error)
        return OK
    if not isinstance(verdict, Verdict):
        _log.warning("the answer was not judged: the judge gives %.40r, no Verdict", verdict)
        return OK
    return verdict


async def _asked(judge: AskingJudge, run: Run, answered: Place, text: str) -> Verdict:
    """Ask a judge's questions; what they cost is told beside the route's reasons."""
    questions = judge.questions(run.request, text, answered.name)
    # Each its own place in the cache: the same question twice asks for two answers.
    numbered = (replace(one, sample=one.sample + n) for n, one in enumerate(questions, start=1))
    said = await asyncio.gather(*(_said(run, question) for question in numbered))
    answers = [one for one in said if one is not None]
    verdict = judge.read(text, tuple(one.text for one in answers))
    _tell(run, answered, verdict, answers)
    return verdict


def _tell(run: Run, answered: Place, verdict: Verdict, answers: list[Response]) -> None:
    """Put on the route what the judge said and cost; the last reason stays the receipt's."""
    route = run.route
    assert route is not None, "judged only on a route"  # noqa: S101
    costs = [one.cost_usd for one in answers]
    unknown = any(cost_usd is None for cost_usd in costs)
    total = sum((cost_usd for cost_usd in costs if cost_usd is not None), start=Decimal(0))
    price = "of unknown cost" if unknown else money(total) if total else "free of charge"
    asked = ", ".join(dict.fromkeys(f"{one.provider}:{one.model}" for one in answers)) or "nobody"
    what = f"{answered.name}: {verdict.why or 'taken'} (asked {asked}, {price}, rows of their own)"
    before, last = route.reasons[:-1], route.reasons[-1:]
    run.route = replace(route, reasons=(*before, Reason("judge", what), *last))


async def _said(run: Run, question: Request) -> Response | None:
    """Ask a judge's question as a request of its own; None where nobody answers it."""
    own = replace(
        question,
        request_id=new_ulid(),
        labels={**question.labels, "judges": run.request.request_id},
        timeout_s=run.deadline.left_s(),
        stream=False,
        fresh=run.request.fresh,
        cache=run.request.cache,
    )
    try:
        return await run.means.generate(own)
    except MultimodelError:
        return None


def turn_down(run: Run, answered: Place, verdict: Verdict) -> Notice:
    """Keep on the books that an answer was turned down, and say that the cascade goes up."""
    route = run.route
    assert route is not None, "judged only on a route"  # noqa: S101
    run.attempts[-1] = replace(run.attempts[-1], turned_down=verdict.why)
    went_up = Reason(route.strategy, f"went up from {answered.name} ({verdict.why})")
    run.route = replace(route, reasons=(*route.reasons, went_up))
    return Notice(f"{answered.name}: {verdict.why}; going up")


def let_stand(run: Run) -> bool:
    """Let an answer stand that was turned down when nobody above could be asked after it."""
    last = run.attempts[-1] if run.attempts else None
    route = run.route
    if last is None or last.turned_down is None or route is None:
        return False
    run.attempts[-1] = replace(last, turned_down=None)
    stands = Reason(route.strategy, f"{last.turned_down}, but nobody above could be asked")
    run.route = replace(route, reasons=(*route.reasons[:-1], stands))
    return True
