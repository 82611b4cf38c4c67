"""Frames of the ledger -> the numbers of `%llm stats`: per model, by group, of the routing.

What counts as what, everywhere here:

- A *success rate* is answered / (answered + failed). What the user interrupted, and what never
  finished, says nothing of the model; it is counted beside. So are requests that *asked nobody*
  because of a wrong name or option, the configuration or a budget (`counts.ASKED_NOBODY`); where
  no model could be asked (a breaker, a key, a server), the request has failed.
- *Latency* and ttft are those of answers that were not cached: a model that fails at once is not
  quick. The time that failures cost is `time_lost_s`.
- *Cost* and tokens are those of every attempt, failed ones included. An unknown cost is counted
  (`unknown_cost`), never added as 0, and is in no mean; so are unknown tokens.
- *Answers from our cache* are answers of a request, and count in its success rate and its total
  cost ($0). They asked nobody: they are in no latency, in no tokens, in no cost per request or
  per answer (which say what asking costs), and of a model's figures in `cached` alone.
- *Percentiles* interpolate linearly (numpy's default). A p95 of fewer than 20 values, a p99 of
  fewer than 100, is one of the two largest: it is given, and marked as not reliable.
- *Quality* is what outcomes say (`Ledger.outcomes_frame`); without them there is none.
"""

from __future__ import annotations

from multimodel_magic.metrics.models import by_model, of_models, per_model
from multimodel_magic.metrics.numbers import (
    RELIABLE_P95_N,
    RELIABLE_P99_N,
    student_t_95,
    wilson,
)
from multimodel_magic.metrics.quality import Accuracy, accuracy, own_measures, quality
from multimodel_magic.metrics.reference import Maintenance, maintenance
from multimodel_magic.metrics.routing import distribution, fallback_matrix, fallbacks
from multimodel_magic.metrics.savings import Savings, savings
from multimodel_magic.metrics.summary import GROUPS, Summary, by, overall, summed
from multimodel_magic.metrics.whole import Metrics

__all__ = [
    "GROUPS",
    "RELIABLE_P95_N",
    "RELIABLE_P99_N",
    "Accuracy",
    "Maintenance",
    "Metrics",
    "Savings",
    "Summary",
    "accuracy",
    "by",
    "by_model",
    "distribution",
    "fallback_matrix",
    "fallbacks",
    "maintenance",
    "of_models",
    "overall",
    "own_measures",
    "per_model",
    "quality",
    "savings",
    "student_t_95",
    "summed",
    "wilson",
]
