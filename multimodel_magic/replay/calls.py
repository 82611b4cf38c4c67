"""`call=True`: the other models are asked what nothing is recorded of."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from multimodel_magic import bridge
from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.errors import BudgetExceeded, MultimodelError
from multimodel_magic.ledger.recording import HIDDEN
from multimodel_magic.pricing import money
from multimodel_magic.replay.estimate import Records
from multimodel_magic.types import PriceOf, Request, Response, new_ulid
from multimodel_magic.wording import number_of

if TYPE_CHECKING:
    from multimodel_magic.replay.replaying import Tell
    from multimodel_magic.replay.ways import Routed, Way

__all__ = ["ask"]

AT_ONCE = 4
"""How many requests are under way together."""


def ask(
    client: UnifiedLLMClient,
    session: str,
    routed: Sequence[Routed],
    records: Records,
    *,
    way: Way,
    tell: Tell,
) -> int:
    """Ask the changed requests of their other models, and take what they say into `records`.

    Returns
    -------
    int
        How many were asked and did not answer.

    Raises
    ------
    BudgetExceeded
        The client's budget is spent.
    """
    jobs = list(_jobs(routed, records))
    if not jobs:
        tell("nobody needs to be asked: all that would change is recorded")
        return 0
    tell(_plan(jobs, records, way.price))
    ended: Counter[bool] = Counter()

    def take(answer: tuple[Routed, Response | MultimodelError] | None) -> None:
        if answer is None:
            return
        job, said = answer
        if isinstance(said, BudgetExceeded):
            raise said
        if isinstance(said, Response):
            _note(job, said, records, way.price)
        ended[isinstance(said, Response)] += 1
        failures = f", {ended[False]:,} without an answer" if ended[False] else ""
        tell(f"asked {ended.total():,} of {len(jobs):,}{failures}")

    bridge.consume(bridge.iterate(_answers(client, session, jobs)), take)
    return ended[False]


def _jobs(routed: Sequence[Routed], records: Records) -> Iterator[Routed]:
    """Return what is to be asked: each question once of a model, and only what is not recorded."""
    asked: set[object] = set()
    for one in routed:
        key = (one.asking.question, one.would)
        if HIDDEN in (one.asking.row["options"] or ""):
            continue  # A secret that the ledger does not keep: it cannot be asked the same.
        if one.changed and one.would is not None and key not in asked:
            asked.add(key)
            if key not in records.cost_usd:
                yield one


def _plan(jobs: Sequence[Routed], records: Records, price: PriceOf) -> str:
    costs = [records.cost_of(job.asking, str(job.would), price).value for job in jobs]
    known = sum((Decimal(repr(cost)) for cost in costs if cost is not None), start=Decimal(0))
    unknown = sum(cost is None for cost in costs)
    more = f", and {unknown:,} of unknown cost" if unknown else ""
    cost = f"{money(known, about=True)} (an estimate{more})"
    return f"asking {number_of(len(jobs), 'request')}, {cost}; Stop stops it"


async def _answers(
    client: UnifiedLLMClient, session: str, jobs: Sequence[Routed]
) -> AsyncGenerator[tuple[Routed, Response | MultimodelError], None]:
    for start in range(0, len(jobs), AT_ONCE):
        part = jobs[start : start + AT_ONCE]
        said = await asyncio.gather(*(_answer(client, _request(job, session)) for job in part))
        for job, one in zip(part, said, strict=True):
            yield job, one


async def _answer(client: UnifiedLLMClient, request: Request) -> Response | MultimodelError:
    try:
        return await client.generate(request)
    except MultimodelError as error:
        return error


def _request(job: Routed, session: str) -> Request:
    recorded = job.asking.request
    labels = {"session": session, "replays": str(job.asking.row["request_id"])}
    return replace(
        recorded,
        models=(str(job.would),),
        fallbacks=(),
        strategy=None,
        experiment=None,
        cache="on",
        stream=False,
        request_id=new_ulid(),
        labels=labels,
    )


def _note(job: Routed, said: Response, records: Records, price: PriceOf) -> None:
    """Take an answer in; one of the cache costs what its tokens cost, and has no latency."""
    answer, name = said.answered_by, str(job.would)
    if answer is None:
        return
    if not said.cached:
        cost_usd = None if answer.cost_usd is None else float(answer.cost_usd)
        records.note(job.asking.question, name, cost_usd, answer.latency_s)
        return
    cost = price(answer.provider, answer.model, said.usage, datetime.now(UTC)).cost_usd
    records.cost_usd[job.asking.question, name].append(None if cost is None else float(cost))
