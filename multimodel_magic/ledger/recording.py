"""How a response becomes rows: what of it each column takes, and what is kept out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any, TypeAlias

from multimodel_magic.errors import Cancelled
from multimodel_magic.ledger.rows import AttemptRow, Recorded, RequestRow
from multimodel_magic.types import Attempt, LeftOut, Reason, Request, Response, Usage

__all__ = ["HIDDEN", "recorded"]

HIDDEN = "[hidden]"
"""What the ledger holds in place of an option whose name or value looks like a secret's."""

_SECRET_WORDS = ("key", "token", "authorization", "secret", "password", "credential", "cookie")
_NOT_SECRET = frozenset({"max_tokens", "max_completion_tokens", "max_output_tokens"})
_KEYLIKE = re.compile(
    r"\b(?:sk|pk|rk|xai|gsk|hf)[-_](?=[\w-]*\d)[\w-]{12,}|\bBearer\s+\S{8,}", re.ASCII
)
_OF_THEIR_OWN = ("session", "notebook", "cell", "config")
"""The labels that have columns of their own."""
_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode


def recorded(response: Response, *, store_text: bool = True) -> Recorded:
    """Return the rows of a response.

    Parameters
    ----------
    response
        However it ended.
    store_text
        Whether prompt, system prompt, history and answer are kept; the hash always is.
    """
    request_id = response.request.request_id
    attempts = tuple(_attempt_row(request_id, attempt) for attempt in response.attempts)
    return Recorded(_request_row(response, attempts, store_text=store_text), attempts)


def _request_row(
    response: Response, attempts: tuple[AttemptRow, ...], *, store_text: bool
) -> RequestRow:
    return RequestRow(
        **_asked(response.request),
        **_labelled(_with_schema(response, store_text=store_text)),
        **_routed(response),
        **_ended(response),
        **(_NOBODY if not attempts else _answering(response.attempts[-1])),
        **_counted(response.usage),
        **(_texts(response) if store_text else _NO_TEXTS),
        attempts=len(attempts),
    )


_Columns: TypeAlias = "dict[str, Any]"
"""Some columns of a request's row by name; that they are whole and of their kinds, tests say."""


def _asked(request: Request) -> _Columns:
    return {
        "request_id": request.request_id,
        "asked": " > ".join(request.models) or None,
        "experiment": request.experiment,
        "task": request.task,
        "user_tier": request.user_tier,
        "task_value": request.task_value,
        "needs": ",".join(sorted(request.needs)) or None,
        "max_tokens": request.max_tokens,
        "options": _to_json(_without_secrets(request.options)) if request.options else None,
        "prompt_sha256": sha256(request.prompt.encode("utf-8", "surrogatepass")).hexdigest(),
    }


def _with_schema(response: Response, *, store_text: bool) -> Mapping[str, str]:
    """Return the labels, with what became of the schema; its words are text like the prompt's."""
    labels, schema = response.request.labels, response.request.schema
    if schema is None:
        return labels
    fault = response.parsed.fault if response.parsed is not None else ""
    hidden = {"schema": _to_json({"name": schema.name, "sha256": schema.sha256})}
    return {
        **labels,
        **({} if store_text else hidden),
        **({"schema_not_met": fault} if fault else {}),
    }


def _labelled(labels: Mapping[str, str]) -> _Columns:
    rest = {name: value for name, value in labels.items() if name not in _OF_THEIR_OWN}
    return {name: labels.get(name) for name in _OF_THEIR_OWN} | {
        "labels": _to_json(rest) if rest else None
    }


def _routed(response: Response) -> _Columns:
    request, route = response.request, response.route
    if route is None:
        return {**_NO_ROUTE, "strategy": request.strategy, "unit": request.unit}
    return {
        "strategy": route.strategy,
        "route": " > ".join(route.models),
        "why": route.why,
        "arm": route.arm,
        "arm_probability": route.arm_probability,
        "unit": request.unit if route.unit is None else route.unit,
        "reasons": _listed(route.reasons),
        "left_out": _listed(route.left_out),
    }


_NO_ROUTE: _Columns = dict.fromkeys(
    ("route", "why", "arm", "arm_probability", "reasons", "left_out")
)


def _ended(response: Response) -> _Columns:
    error = response.error
    return {
        "started_at": _iso(response.started_at),
        "status": _status(response),
        "error_type": None if error is None else type(error).__name__,
        "error": None if error is None else str(error),
        "fallback_used": response.fallback_used,
        "cost_usd": _dollars(response.cost_usd),
        "latency_s": response.latency_s,
        "cached": response.cached,
    }


def _answering(last: Attempt) -> _Columns:
    return {name: getattr(last, name) for name in _NOBODY}


_NOBODY: _Columns = dict.fromkeys(("provider", "model", "ttft_s", "stop_reason"))


def _counted(usage: Usage) -> _Columns:
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "usage_estimated": usage.estimated,
    }


def _texts(response: Response) -> _Columns:
    request = response.request
    return {
        "prompt": request.prompt,
        "system": request.system,
        "history": _history(request),
        "answer": response.text,
    }


_NO_TEXTS: _Columns = dict.fromkeys(("prompt", "system", "history", "answer"))


def _attempt_row(request_id: str, attempt: Attempt) -> AttemptRow:
    usage = attempt.usage
    return AttemptRow(
        request_id,
        attempt.number,
        attempt.rank,
        attempt.provider,
        attempt.model,
        attempt.response_model,
        attempt.response_id,
        _iso(attempt.started_at),
        attempt.latency_s,
        attempt.ttft_s,
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_tokens,
        usage.cache_write_tokens,
        usage.reasoning_tokens,
        usage.estimated,
        _dollars(attempt.cost_usd),
        attempt.price_source,
        attempt.stop_reason,
        attempt.error_type,
        attempt.error if attempt.turned_down is None else f"turned down: {attempt.turned_down}",
        _attempt_status(attempt),
    )


def _iso(moment: datetime) -> str:
    # Fixed width, so that it sorts as text in every database.
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.isoformat(timespec="microseconds")


def _dollars(cost: Decimal | None) -> float | None:
    # A double gives back every decimal of up to 15 significant digits: below $1000 the 12th
    # place is exact, and SQL and pandas can add what they read.
    return None if cost is None else float(cost)


def _status(response: Response) -> str:
    if response.error is None:
        return "answered"
    return "interrupted" if isinstance(response.error, Cancelled) else "failed"


def _attempt_status(attempt: Attempt) -> str:
    if attempt.error_type is None:
        return "answered"
    return "interrupted" if attempt.error_type == Cancelled.__name__ else "failed"


def _listed(clauses: tuple[Reason, ...] | tuple[LeftOut, ...]) -> str | None:
    if not clauses:
        return None
    # Not dataclasses.asdict: its deep copy costs 8 us a clause.
    return _to_json([{name: getattr(c, name) for name in c.__slots__} for c in clauses])


def _history(request: Request) -> str | None:
    if not request.history:
        return None
    return _to_json([[turn.role, turn.text] for turn in request.history])


def _without_secrets(value: object) -> object:
    if isinstance(value, Mapping):
        return {n: HIDDEN if _is_secret(str(n)) else _without_secrets(v) for n, v in value.items()}
    if isinstance(value, list | tuple):
        return [_without_secrets(item) for item in value]
    return HIDDEN if isinstance(value, str) and _KEYLIKE.search(value) else value


def _is_secret(name: str) -> bool:
    lower = name.lower()
    return lower not in _NOT_SECRET and any(word in lower for word in _SECRET_WORDS)
