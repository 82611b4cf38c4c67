"""`--dry-run`: route and estimate, ask nobody."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.notebook.receipt import money
from multimodel_magic.notebook.reports import cost_of, reasons
from multimodel_magic.notebook.table import Report, Table
from multimodel_magic.types import Request, Route, Usage

__all__ = ["Plan", "plan", "planned"]

ASSUMED_OUTPUT_TOKENS = 300
"""What an answer is taken to be long where --max-tokens does not bound it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Whom a request would go to, and about what each of them would cost."""

    route: Route
    usage: Usage
    """The estimate that the costs are of."""
    costs: tuple[tuple[str, Decimal | None], ...]
    """`provider:model` and US dollars, in the order in which they would be asked."""

    @property
    def candidates(self) -> Table:
        """Who would be asked, in order."""
        used, answer = self.usage.input_tokens, self.usage.output_tokens
        rows = tuple(
            (name, f"about {used:,} → {answer:,}", money(cost_usd, about=True))
            for name, cost_usd in self.costs
        )
        note = f"nobody was asked; the answer is taken to be {answer:,} tokens long"
        return Table("Would ask, in this order", ("model", "tokens", "cost"), rows, note)

    @property
    def left_out(self) -> tuple[Table, ...]:
        """Who would not be asked, and why; nothing where there is nobody."""
        rows = tuple((left.model, left.why) for left in self.route.left_out)
        return (Table("Left out", ("model", "why"), rows),) if rows else ()

    @property
    def report(self) -> Report:
        """Everything as tables."""
        return Report((self.candidates, reasons(self.route), *self.left_out))


async def planned(client: UnifiedLLMClient, request: Request) -> Plan:
    """Route `request` and estimate what each candidate would cost; asks no model.

    Raises
    ------
    MultimodelError
        What routing itself would raise.
    """
    route = await client.route(request)
    answer = min(request.max_tokens or ASSUMED_OUTPUT_TOKENS, ASSUMED_OUTPUT_TOKENS)
    usage = Usage(request.estimated_input_tokens(), answer, estimated=True)
    costs = tuple((name, cost_of(name, usage, client.price)) for name in route.models)
    return Plan(route, usage, costs)


async def plan(client: UnifiedLLMClient, request: Request) -> Report:
    """Say whom `request` would go to, why, and about what it would cost; asks no model.

    Raises
    ------
    MultimodelError
        What routing itself would raise.
    """
    return (await planned(client, request)).report
