"""The frame of attempts -> one row a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from multimodel_magic.metrics.numbers import (
    RELIABLE_P95_N,
    RELIABLE_P99_N,
    Number,
    mean,
    quantile,
    ratio,
    tokens_per_s,
    total,
    wilson,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["per_model"]

_DTYPES = {
    "n": "int64",
    "answered": "int64",
    "failed": "int64",
    "interrupted": "int64",
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
    "cost_usd": "float64",
    "unknown_cost": "int64",
    "cost_per_attempt_usd": "float64",
    "cost_per_answer_usd": "float64",
    "input_tokens": "int64",
    "output_tokens": "int64",
    "tokens_per_s": "float64",
    "time_lost_s": "float64",
}

_READ = [
    *("provider", "model", "status", "latency_s", "ttft_s"),
    *("cost_usd", "input_tokens", "output_tokens"),
]


def per_model(attempts: pd.DataFrame) -> pd.DataFrame:
    """Return one row a model from the frame of attempts.

    Returns
    -------
    DataFrame
        Index `model` (`provider:model`, sorted). Columns: `n`, `answered`, `failed`,
        `interrupted` (unfinished ones too), `success_rate` with `success_low` and `success_high`
        (Wilson, 95 %), `latency_p50_s`, `latency_p95_s`, `p95_reliable` (`answered` >= 20),
        `latency_p99_s`, `p99_reliable` (`answered` >= 100), `ttft_n`, `ttft_p50_s`, `ttft_p95_s`,
        `cost_usd` (of known costs), `unknown_cost` (attempts), `cost_per_attempt_usd` (the mean
        of known costs), `cost_per_answer_usd` (known costs, those of failures included, over the
        answers whose cost is known), `input_tokens`, `output_tokens`, `tokens_per_s` (output
        tokens over the latency of answers) and `time_lost_s` (in failed attempts). The same
        columns and dtypes when empty.
    """
    import pandas as pd

    # Not by the joined name: a million joins take longer than all else here.
    parts = attempts[_READ].groupby(["provider", "model"])
    found = {f"{provider}:{model}": _row(group) for (provider, model), group in parts}
    rows = dict(sorted(found.items()))
    index = pd.Index(list(rows), name="model", dtype="string")
    made = pd.DataFrame(list(rows.values()), index=index, columns=list(_DTYPES))
    return made.astype(_DTYPES)


def _row(attempts: pd.DataFrame) -> dict[str, Number]:
    answers = attempts[attempts["status"] == "answered"]
    failures = attempts[attempts["status"] == "failed"]
    judged = len(answers) + len(failures)
    low, high = wilson(len(answers), judged)
    return {
        "n": len(attempts),
        "answered": len(answers),
        "failed": len(failures),
        "interrupted": len(attempts) - judged,
        "success_rate": ratio(len(answers), judged),
        "success_low": low,
        "success_high": high,
        **_times(answers),
        **_costs(attempts, answers),
        "input_tokens": int(attempts["input_tokens"].sum()),
        "output_tokens": int(attempts["output_tokens"].sum()),
        "tokens_per_s": tokens_per_s(answers),
        "time_lost_s": total(failures["latency_s"]),
    }


def _times(answers: pd.DataFrame) -> dict[str, Number]:
    latency_s, ttft_s = answers["latency_s"], answers["ttft_s"]
    return {
        "latency_p50_s": quantile(latency_s, 0.5),
        "latency_p95_s": quantile(latency_s, 0.95),
        "p95_reliable": len(answers) >= RELIABLE_P95_N,
        "latency_p99_s": quantile(latency_s, 0.99),
        "p99_reliable": len(answers) >= RELIABLE_P99_N,
        "ttft_n": int(ttft_s.notna().sum()),
        "ttft_p50_s": quantile(ttft_s, 0.5),
        "ttft_p95_s": quantile(ttft_s, 0.95),
    }


def _costs(attempts: pd.DataFrame, answers: pd.DataFrame) -> dict[str, Number]:
    cost_usd = attempts["cost_usd"]
    return {
        "cost_usd": total(cost_usd),
        "unknown_cost": int(cost_usd.isna().sum()),
        "cost_per_attempt_usd": mean(cost_usd),
        "cost_per_answer_usd": ratio(total(cost_usd), int(answers["cost_usd"].notna().sum())),
    }
