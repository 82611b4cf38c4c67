"""`--dry-run`: route and estimate, ask nobody."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.notebook.reports import cost_of, reasons
from multimodel_magic.notebook.table import Report, Table
from multimodel_magic.pricing import money
from multimodel_magic.strategies.cost import OUTPUT_TOKENS
from multimodel_magic.types import Attachment, LeftOut, Request, Route, Schema, Usage

__all__ = ["Plan", "plan", "planned"]


@dataclass(frozen=True, slots=True)
class Plan:
    """Whom a request would go to, and about what each of them would cost."""

    route: Route
    usage: Usage
    """The estimate that the costs are of."""
    costs: tuple[tuple[str, Decimal | None], ...]
    """`provider:model` and US dollars, in the order in which they would be asked."""
    budget: tuple[str, ...] = ()
    """What the budgets say of each of them; empty where there is no budget."""
    attachments: tuple[Attachment, ...] = ()
    schema: Schema | None = None
    costs_of_others: tuple[tuple[LeftOut, Decimal | None], ...] = ()
    """Who would not be asked and what it would have cost in US dollars."""

    @property
    def candidates(self) -> Table:
        """Who would be asked, in order."""
        used, answer = self.usage.input_tokens, self.usage.output_tokens
        rows = tuple(
            (
                name,
                f"about {used:,} → {answer:,}",
                money(cost_usd, about=True),
                *self.budget[n:][:1],
            )
            for n, (name, cost_usd) in enumerate(self.costs)
        )
        note = f"nobody was asked; the answer is taken to be {answer:,} tokens long"
        columns = ("model", "tokens", "cost", *(["budget"] if self.budget else []))
        return Table("Would ask, in this order", columns, rows, note)

    @property
    def attached(self) -> tuple[Table, ...]:
        """What would be sent beside the prompt; nothing where nothing is."""
        rows = tuple(
            (one.name, one.media_type, f"{len(one.data):,}", f"about {one.estimated_tokens:,}")
            for one in self.attachments
        )
        return (Table("Attached", ("name", "type", "bytes", "tokens"), rows),) if rows else ()

    @property
    def asked_for(self) -> tuple[Table, ...]:
        """What the answer would have to be; nothing where any text will do."""
        if self.schema is None:
            return ()
        row = (self.schema.name, f"about {self.schema.estimated_tokens:,}")
        return (Table("Schema of the answer", ("name", "tokens"), (row,)),)

    @property
    def left_out(self) -> tuple[Table, ...]:
        """Who would not be asked, and why; nothing where there is nobody."""
        rows = tuple(
            (left.model, left.why, money(cost_usd, about=True))
            for left, cost_usd in self.costs_of_others
        )
        return (Table("Left out", ("model", "why", "would have cost"), rows),) if rows else ()

    @property
    def notices(self) -> tuple[Table, ...]:
        """What the user should know of the choice; nothing where there is nothing."""
        rows = tuple((said,) for said in self.route.notices)
        return (Table("Notices", (), rows),) if rows else ()

    @property
    def report(self) -> Report:
        """Everything as tables."""
        head = (self.candidates, *self.notices, reasons(self.route).without_empty())
        return Report((*head, *self.attached, *self.asked_for, *self.left_out))


async def planned(client: UnifiedLLMClient, request: Request) -> Plan:
    """Route `request` and estimate what each candidate would cost; asks no model.

    Raises
    ------
    MultimodelError
        What routing itself would raise.
    """
    route = await client.route(request)
    # As ceilings, budgets and `cost` take it: one request has one estimate.
    answer = min(request.max_tokens or OUTPUT_TOKENS, OUTPUT_TOKENS)
    usage = Usage(request.estimated_input_tokens(), answer, estimated=True)
    out = (*route.left_out, *route.passed_over)
    await client.priceable((*route.models, *(one.model for one in out)))
    costs = tuple((name, cost_of(name, usage, client.price)) for name in route.models)
    budget = tuple(_allowed(client, request, name, cost_usd) for name, cost_usd in costs)
    bound = client.budget or request.max_cost_usd is not None
    others = tuple((one, cost_of(one.model, usage, client.price)) for one in out)
    allowed = budget if bound else ()
    return Plan(route, usage, costs, allowed, request.attachments, request.schema, others)


def _allowed(
    client: UnifiedLLMClient, request: Request, name: str, cost_usd: Decimal | None
) -> str:
    limit = request.max_cost_usd
    said = client.purse.objection(client.budget, name, cost_usd, call_usd=limit)
    return said or ("allowed" if limit is None else f"within {money(limit)}")


async def plan(client: UnifiedLLMClient, request: Request) -> Report:
    """Say whom `request` would go to, why, and about what it would cost; asks no model.

    Raises
    ------
    MultimodelError
        What routing itself would raise.
    """
    return (await planned(client, request)).report
