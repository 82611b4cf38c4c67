"""The columns of a comparison's DataFrame."""

from __future__ import annotations

from multimodel_magic.comparison.values import Comparison
from multimodel_magic.types import Response

__all__ = ["COLUMNS", "row"]

COLUMNS = {
    "comparison": "str",
    "prompt": "str",
    "place": "int64",
    "contestant": "str",
    "answer": "str",
    "provider": "str",
    "model": "str",
    "latency_s": "float64",
    "ttft_s": "float64",
    "input_tokens": "Int64",
    "output_tokens": "Int64",
    "cost_usd": "float64",
    "fallback_used": "boolean",
    "error_type": "str",
    "error": "str",
    "request_id": "str",
}
"""Column -> dtype; the words and units are those of the ledger's frames."""


def row(comparison: Comparison, place: int) -> dict[str, object]:
    """Return what stands in the row of one contestant; columns left out are unknown."""
    response = comparison.responses[place]
    told: dict[str, object] = {
        "comparison": comparison.id,
        "prompt": comparison.prompt,
        "place": place,
        "contestant": comparison.labels[place],
        "answer": None if response is None else response.text,
    }
    if comparison.hidden:
        return told
    ended = {} if response is None else _ended(response)
    return {**told, **ended, "request_id": comparison.request_ids[place]}


def _ended(response: Response) -> dict[str, object]:
    cost, error = response.cost_usd, response.error
    return {
        "provider": response.provider,
        "model": response.model,
        "latency_s": response.latency_s,
        "ttft_s": response.ttft_s,
        "input_tokens": response.usage.input_tokens,
        "output_tokens": response.usage.output_tokens,
        "cost_usd": None if cost is None else float(cost),
        "fallback_used": response.fallback_used,
        "error_type": type(error).__name__ if error else None,
        "error": str(error) if error else None,
    }
