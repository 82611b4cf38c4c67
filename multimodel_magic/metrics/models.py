"""The frame of attempts -> one row a model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from multimodel_magic.metrics.counting import tallies
from multimodel_magic.metrics.numbers import (
    RELIABLE_P95_N,
    RELIABLE_P99_N,
    Number,
    ratio,
    wilson,
)
from multimodel_magic.metrics.tally import Tally, quantile_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["by_model", "of_models", "per_model"]

_DTYPES = {
    "n": "int64",
    "answered": "int64",
    "failed": "int64",
    "interrupted": "int64",
    "cached": "int64",
    "success_rate": "float64",
    "success_low": "float64",
    "success_high": "float64",
    "latency_p50_s": "float64",
    "latency_p95_s": "float64",
    "p95_reliable": "bool",
    "latency_p99_s": "float64",
    "p99_reliable": "bool",
    "ttft_n": "int64",
    "ttft_p50_s": "float64",
    "ttft_p95_s": "float64",
    "ttft_p99_s": "float64",
    "cost_usd": "float64",
    "unknown_cost": "int64",
    "cost_per_attempt_usd": "float64",
    "cost_per_answer_usd": "float64",
    "input_tokens": "int64",
    "output_tokens": "int64",
    "unknown_input_tokens": "int64",
    "unknown_output_tokens": "int64",
    "tokens_per_s": "float64",
    "time_lost_s": "float64",
}


def per_model(attempts: pd.DataFrame) -> pd.DataFrame:
    """Return one row a model from the frame of attempts.

    Returns
    -------
    DataFrame
        Index `model` (`provider:model`, sorted). Columns: `n`, `answered`, `failed`,
        `interrupted` (unfinished ones too), `cached` (answers from our cache: nobody was asked,
        so they are in no other column), `success_rate` with `success_low` and `success_high`
        (Wilson, 95 %), `latency_p50_s`, `latency_p95_s`, `p95_reliable` (`answered` >= 20),
        `latency_p99_s`, `p99_reliable` (`answered` >= 100), `ttft_n`, `ttft_p50_s`, `ttft_p95_s`,
        `ttft_p99_s` (reliable from 20 and 100 `ttft_n` on),
        `cost_usd` (of known costs), `unknown_cost` (attempts), `cost_per_attempt_usd` (the mean
        of known costs), `cost_per_answer_usd` (known costs, those of failures included, over the
        answers whose cost is known), `input_tokens`, `output_tokens` (of known ones),
        `unknown_input_tokens`, `unknown_output_tokens` (attempts), `tokens_per_s` (output
        tokens over the latency of answers) and `time_lost_s` (in failed attempts). The same
        columns and dtypes when empty.
    """
    # Not by the joined name: a million joins take longer than all else here.
    return of_models(tallies(attempts, ["provider", "model"], final=True))


def of_models(found: Mapping[tuple[str, str], Tally]) -> pd.DataFrame:
    """Return what `per_model` does, from the tallies of attempts by provider and model."""
    import pandas as pd

    rows = by_model(found)
    index = pd.Index(list(rows), name="model", dtype="string")
    made = pd.DataFrame(list(rows.values()), index=index, columns=list(_DTYPES))
    return made.astype(_DTYPES)


def by_model(found: Mapping[tuple[str, str], Tally]) -> dict[str, dict[str, Number]]:
    """Return the rows of `of_models` by name, without importing pandas."""
    return dict(sorted((f"{provider}:{model}", _row(t)) for (provider, model), t in found.items()))


def _row(tried: Tally) -> dict[str, Number]:
    answered, n = tried.answered - tried.cached, tried.n - tried.cached
    judged = answered + tried.failed
    low, high = wilson(answered, judged)
    return {
        "n": n,
        "answered": answered,
        "failed": tried.failed,
        "interrupted": n - judged,
        "cached": tried.cached,
        "success_rate": ratio(answered, judged),
        "success_low": low,
        "success_high": high,
        **_times(tried),
        **_costs(tried),
        "input_tokens": tried.input_tokens,
        "output_tokens": tried.output_tokens,
        "unknown_input_tokens": tried.unknown_input_tokens,
        "unknown_output_tokens": tried.unknown_output_tokens,
        "tokens_per_s": ratio(tried.timed_tokens, math.fsum(tried.timed_s)),
        "time_lost_s": math.fsum(tried.lost_s),
    }


def _times(tried: Tally) -> dict[str, Number]:
    answered = tried.answered - tried.cached
    return {
        "latency_p50_s": quantile_of(tried.latency_s, 0.5),
        "latency_p95_s": quantile_of(tried.latency_s, 0.95),
        "p95_reliable": answered >= RELIABLE_P95_N,
        "latency_p99_s": quantile_of(tried.latency_s, 0.99),
        "p99_reliable": answered >= RELIABLE_P99_N,
        "ttft_n": sum(map(len, tried.ttft_s)),
        "ttft_p50_s": quantile_of(tried.ttft_s, 0.5),
        "ttft_p95_s": quantile_of(tried.ttft_s, 0.95),
        "ttft_p99_s": quantile_of(tried.ttft_s, 0.99),
    }


def _costs(tried: Tally) -> dict[str, Number]:
    cost_usd = math.fsum(tried.cost_usd)
    return {
        "cost_usd": cost_usd,
        "unknown_cost": tried.n - tried.known_cost,
        "cost_per_attempt_usd": ratio(cost_usd, tried.priced),
        "cost_per_answer_usd": ratio(cost_usd, tried.priced_answers),
    }
