"""`--dry-run`: route and estimate, ask nobody."""

from __future__ import annotations

from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.notebook.receipt import money
from multimodel_magic.notebook.reports import cost_of, reasons
from multimodel_magic.notebook.table import Report, Table
from multimodel_magic.types import Request, Usage

__all__ = ["plan"]

ASSUMED_OUTPUT_TOKENS = 300
"""What an answer is taken to be long where --max-tokens does not bound it."""


async def plan(client: UnifiedLLMClient, request: Request) -> Report:
    """Say whom `request` would go to, why, and about what it would cost; asks no model.

    Raises
    ------
    MultimodelError
        What routing itself would raise.
    """
    route = await client.route(request)
    used = request.estimated_input_tokens()
    answer = min(request.max_tokens or ASSUMED_OUTPUT_TOKENS, ASSUMED_OUTPUT_TOKENS)
    rows = [
        (
            name,
            f"about {used:,} → {answer:,}",
            money(cost_of(name, Usage(used, answer), client.price), about=True),
        )
        for name in route.models
    ]
    tables = [
        Table(
            "Would ask, in this order",
            ("model", "tokens", "cost"),
            tuple(rows),
            f"nobody was asked; the answer is taken to be {answer:,} tokens long",
        ),
        reasons(route),
    ]
    if route.left_out:
        out = tuple((left.model, left.why) for left in route.left_out)
        tables.append(Table("Left out", ("model", "why"), out))
    return Report(tuple(tables))
