"""`%llm stats`: how requests went, and each model's success, times, costs and quality."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

from multimodel_magic import metrics
from multimodel_magic.ledger.judged import judged
from multimodel_magic.notebook.files import Scope
from multimodel_magic.notebook.receipt import count, seconds
from multimodel_magic.notebook.table import Report, Table
from multimodel_magic.pricing import money
from multimodel_magic.session import Session

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "FEW",
    "ends",
    "known",
    "nothing",
    "percentile",
    "rate",
    "share",
    "stats",
    "with_unknown",
]

FEW = "? too few for the percentile (p95: 20, p99: 100)"

Row = Mapping[Any, Any]


@dataclass(frozen=True, slots=True)
class _Figures:
    summary: metrics.Summary
    models: Mapping[str, Row]
    judged: tuple[pd.DataFrame, pd.DataFrame] | None
    """Requests and outcomes; None where no outcome is known."""


def stats(session: Session, meant: Scope) -> Report:
    """Show the figures of a scope; those of the whole ledger come from its totals."""
    figures = _of_all(session) if meant == Scope() else _of_some(session, meant)
    if not figures.summary.requests:
        return nothing(meant)
    named = figures.models.items()
    tables = (
        ("Success (attempts)", _SUCCESS, [_success(n, r) for n, r in named], _SUCCESS_NOTE),
        ("Time (answers)", _TIME, [_time(n, r) for n, r in named], FEW),
        ("Cost (attempts)", _COST, [_cost(n, r) for n, r in named], _COST_NOTE),
    )
    per_model = (
        Table(title, head, tuple(rows), note, empty="no model was asked")
        for title, head, rows, note in tables
    )
    return Report((_overall(figures.summary), *per_model, _quality(figures), *_own(figures)))


def nothing(meant: Scope) -> Report:
    """Say in a line that no request is meant, and how one comes to be there."""
    where = "in the ledger" if meant.session is None else "in this session"
    when = "no request" if meant.since is None else "no request of that time"
    more = "" if meant.session is None else "; --all takes every session of the ledger"
    line = f"{when} is {where} yet: run a %%llm cell and it shows here{more}"
    return Report((Table("Statistics", (), (), empty=line),))


def _of_all(session: Session) -> _Figures:
    totals = session.ledger.totals()
    said = judged(session.ledger)
    return _Figures(metrics.summed(totals), metrics.by_model(totals.models), said)


def _of_some(session: Session, meant: Scope) -> _Figures:
    from multimodel_magic import exchange

    books = exchange.books(session.ledger, session=meant.session, since=meant.since)
    frame = metrics.per_model(books.attempts)
    models = {str(name): row for name, row in frame.to_dict("index").items()}
    said = (books.requests, books.outcomes) if len(books.outcomes) else None
    return _Figures(metrics.overall(books.requests, books.attempts), models, said)


def _overall(summary: metrics.Summary) -> Table:
    times = _percentiles(summary.latency_n, "latency", vars_of(summary))
    first = _percentiles(summary.ttft_n, "ttft", vars_of(summary))
    cost = money(summary.cost_usd) + (
        f" and {summary.unknown_cost:,} of unknown cost" if summary.unknown_cost else ""
    )
    facts = (
        ("requests", f"{summary.requests:,}"),
        ("answered", f"{summary.answered:,}"),
        *([("of these cached", f"{summary.cached:,}")] if summary.cached else []),
        ("failed", f"{summary.failed:,}"),
        *([("asked nobody", _nobody(summary.asked_nobody))] if summary.asked_nobody else []),
        ("interrupted", f"{summary.interrupted:,}"),
        ("success", rate(vars_of(summary)) or "unknown"),
        ("fell back", _of_answers(summary)),
        ("latency p50 / p95 / p99", f"{' / '.join(times[1:])} (n = {times[0]})"),
        ("first token p50 / p95 / p99", f"{' / '.join(first[1:])} (n = {first[0]})"),
        ("tokens/s", _speed(summary.tokens_per_s) or "unknown"),
        ("cost", cost),
        ("per request", _per_request(summary)),
        ("per answer", known(summary.cost_per_answer_usd) or "unknown"),
        ("lost in failed attempts", seconds(summary.time_lost_s or 0.0)),
    )
    return Table("Overall (requests)", (), facts, FEW if "?" in "".join((*times, *first)) else "")


def _nobody(n: int) -> str:
    return f"{n:,} (a wrong name or option, the configuration or a budget: in no rate)"


def _of_answers(summary: metrics.Summary) -> str:
    part = share(summary.fallback_rate)
    return f"{summary.fallbacks:,} ({part} of the answers)" if part else f"{summary.fallbacks:,}"


def _per_request(summary: metrics.Summary) -> str:
    """Write the mean of the known costs, and of how many where some are unknown."""
    mean = known(summary.cost_per_request_usd)
    of = (
        f" (of the {summary.cost_n:,} whose cost is known)" if mean and summary.unknown_cost else ""
    )
    return (mean or "unknown") + of


def vars_of(summary: metrics.Summary) -> Row:
    """Return the fields of a summary by name."""
    return {name: getattr(summary, name) for name in summary.__slots__}


_SUCCESS = ("model", "n", "answered", "success", "failed", "interrupted", "cached", "time lost")
_SUCCESS_NOTE = "success: answered / (answered + failed), with Wilson's 95 % interval"


def _success(name: str, row: Row) -> tuple[str, ...]:
    counts = ("n", "answered", "failed", "interrupted", "cached")
    n, answered, *others = (f"{row[one]:,}" for one in counts)
    lost = seconds(row["time_lost_s"]) if row["failed"] else ""
    return (name, n, answered, rate(row) or "unknown", *others, lost)


_TIME = (
    *("model", "n", "p50", "p95", "p99"),
    *("first token: n", "p50", "p95", "p99", "tokens/s"),
)


def _time(name: str, row: Row) -> tuple[str, ...]:
    latency = _percentiles(row["answered"], "latency", row)
    first = _percentiles(row["ttft_n"], "ttft", row)
    return (name, *latency, *first, _speed(row["tokens_per_s"]))


_COST = ("model", "cost", "per attempt", "per success", "tokens in → out")
_COST_NOTE = "failed attempts are in every cost; per success: over the answers whose cost is known"


def _cost(name: str, row: Row) -> tuple[str, ...]:
    return (
        name,
        with_unknown(row["cost_usd"], row["unknown_cost"], of=row["n"]),
        known(row["cost_per_attempt_usd"]),
        known(row["cost_per_answer_usd"]),
        _tokens(row),
    )


def _tokens(row: Row) -> str:
    """Write the sums of known tokens, and of how many attempts they are unknown."""
    n, unknown = row["n"], [row["unknown_input_tokens"], row["unknown_output_tokens"]]
    sums = (row["input_tokens"], row["output_tokens"])
    if n and unknown == [n, n]:
        return "unknown"
    said = [
        count(None if n and missing == n else known)
        for known, missing in zip(sums, unknown, strict=True)
    ]
    partly = max((missing for missing in unknown if missing < n), default=0)
    return " → ".join(said) + (f" + {partly:,} unknown" if partly else "")


_QUALITY = ("model", "judged", "success", "n", "score", "n")


def _quality(figures: _Figures) -> Table:
    title = "Quality (judged answers)"
    unknown = "unknown: no answer was judged (llm.record_outcome says how one was)"
    if figures.judged is None:
        return Table(title, (), (), empty=unknown)
    made = metrics.quality(*figures.judged)
    rows = tuple(_judged(str(n), r) for n, r in made.to_dict("index").items())
    names = [str(name) for name in made.index]
    note = _kept(figures, names) if names else ""
    return Table(title, _QUALITY, rows, note, empty=unknown).without_empty()


def _own(figures: _Figures) -> tuple[Table, ...]:
    """Show the means of measures of one's own; nothing where there is none."""
    made = None if figures.judged is None else metrics.own_measures(*figures.judged)
    if made is None or made.empty:
        return ()
    measures = tuple(dict.fromkeys(made.columns.get_level_values(0)))
    rows = tuple(
        (
            str(name),
            *(part for own in measures for part in _mean(row[own, "mean"], row[own, "count"])),
        )
        for name, row in made.iterrows()
    )
    columns = ("model", *(part for own in measures for part in (str(own), "n")))
    return (Table("Your own measures (means)", columns, rows),)


def _mean(mean: float, n: float) -> tuple[str, str]:
    return (f"{mean:.3g}", f"{n:,.0f}") if n else ("", "")


def _judged(name: str, row: Row) -> tuple[str, ...]:
    score = ""
    if row["score_n"]:
        score = f"{row['score']:.3f}"
        if not math.isnan(row["score_low"]):
            score += f" ({row['score_low']:.3f} to {row['score_high']:.3f})"
    success = f"{row['success_n']:,}" if row["success_n"] else ""
    scored = f"{row['score_n']:,}" if row["score_n"] else ""
    return (name, f"{row['judged']:,}", rate(row), success, score, scored)


def _kept(figures: _Figures, names: list[str]) -> str:
    """Say whether the quality of the dearest judged model was kept."""
    assert figures.judged is not None  # noqa: S101 - asked before

    def price(name: str) -> float:
        row = figures.models.get(name)
        cost = math.nan if row is None else row["cost_per_answer_usd"]
        return -1.0 if math.isnan(cost) else float(cost)

    dearest = max(names, key=price)
    if price(dearest) <= 0:
        return "no judged model has a price; %llm stats against M says whether M's quality was kept"
    said = metrics.maintenance(*figures.judged, dearest)
    return f"{said}. The reference is the dearest judged model; %llm stats against M takes another"


# --- how figures are written


class Ends(Protocol):
    """How often requests ended how: a summary, or a dashboard's counts."""

    @property
    def answered(self) -> int: ...
    @property
    def failed(self) -> int: ...
    @property
    def asked_nobody(self) -> int: ...
    @property
    def interrupted(self) -> int: ...
    @property
    def cached(self) -> int: ...


def ends(counts: Ends) -> str:
    """Write how requests ended: answers first, then what there was of all else."""
    others = {
        "failed": counts.failed,
        "asked nobody": counts.asked_nobody,
        "interrupted": counts.interrupted,
        "cached": counts.cached,
    }
    said = (f"{n:,} {word}" for word, n in others.items() if n)
    return ", ".join([f"{counts.answered:,} answered", *said])


def rate(row: Row) -> str:
    """Write a success rate with its interval, in digits that tell its ends apart."""
    if math.isnan(row["success_rate"]):
        return ""
    low, high = row["success_low"], row["success_high"]
    digits = sum(high - low < width for width in (0.02, 0.002))
    return f"{row['success_rate']:.{digits}%} ({low:.{digits}%} to {high:.{digits}%})"


def share(part: float) -> str:
    """Write a share; nothing where it is unknown."""
    return "" if math.isnan(part) else f"{part:.0%}"


def percentile(value: float, *, sure: bool) -> str:
    """Write a percentile, marked where it is of too few values."""
    return "" if math.isnan(value) else seconds(value) + " ?" * (not sure)


def known(cost_usd: float) -> str:
    """Write a cost; nothing where it is unknown."""
    return "" if math.isnan(cost_usd) else money(Decimal(cost_usd))


def with_unknown(cost_usd: float | Decimal, unknown: int, *, of: int) -> str:
    """Write a sum of known costs, and how many are unknown; nothing of it, where all are."""
    if unknown and unknown == of:
        return "unknown"
    return money(Decimal(cost_usd)) + (f" + {unknown:,} unknown" if unknown else "")


def _percentiles(n: int, what: str, row: Row) -> tuple[str, ...]:
    enough = {50: 1, 95: metrics.RELIABLE_P95_N, 99: metrics.RELIABLE_P99_N}
    values = (percentile(row[f"{what}_p{p}_s"], sure=n >= least) for p, least in enough.items())
    return (f"{n:,}", *values)


def _speed(tokens_per_s: float) -> str:
    return "" if math.isnan(tokens_per_s) else f"{tokens_per_s:.0f}"
