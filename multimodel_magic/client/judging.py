"""Cascades: an answer is judged, and a poor one goes up to the next rung."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from multimodel_magic.client.run import Place, Run
from multimodel_magic.errors import MultimodelError
from multimodel_magic.types import (
    AskingJudge,
    Notice,
    Reason,
    Request,
    Verdict,
    new_ulid,
)

__all__ = ["asked_judge", "judged", "let_stand", "turn_down"]

OK = Verdict(ok=True)


def asked_judge(run: Run, places: list[Place]) -> str | None:
    """Name whose answer is about to be judged by asking a model, which takes a while, or None."""
    route = run.route
    # That it asks comes last: to compare a value with a protocol costs 15 us.
    if route is None or route.judge is None or not isinstance(route.judge, AskingJudge):
        return None
    ended = [p for p in places if p.call is not None and p.failure is None]
    return ended[0].name if ended and ended[0].name in route.rungs[:-1] else None


async def judged(run: Run, answered: Place, above: list[str]) -> Verdict:
    """Judge the answer of a rung, unless it is the last one that can be asked."""
    route = run.route
    if route is None or route.judge is None or answered.name not in route.rungs:
        return OK
    if run.call is None or not any(name in route.rungs for name in above):
        return OK
    text = "".join(run.call.pieces)
    if not isinstance(route.judge, AskingJudge):
        return route.judge(run.request, text, run.attempts[-1].stop_reason)
    questions = route.judge.questions(run.request, text, answered.name)
    # Each its own place in the cache: the same question twice asks for two answers.
    numbered = (replace(one, sample=one.sample + n) for n, one in enumerate(questions, start=1))
    said = await asyncio.gather(*(_said(run, question) for question in numbered))
    return route.judge.read(text, tuple(one for one in said if one is not None))


async def _said(run: Run, question: Request) -> str | None:
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
        return (await run.means.generate(own)).text
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
