"""`%llm ab`: an experiment's arms side by side, and what may be said of them today."""

from __future__ import annotations

from decimal import Decimal

from multimodel_magic.errors import UsageError
from multimodel_magic.experiments import Results
from multimodel_magic.experiments.compare import ArmResult
from multimodel_magic.notebook.table import Report, Table
from multimodel_magic.pricing import money
from multimodel_magic.session import Session

__all__ = ["arms"]


def arms(session: Session, name: str) -> Report:
    """Show the experiment of that name; without a name, the only one that is configured.

    Raises
    ------
    UsageError
        Where no name is given and the configuration holds none, or several.
    """
    return _report(session.experiment(name or _only_one(session)))


def _only_one(session: Session) -> str:
    known = tuple(session.config.routing.experiments) if session.config else ()
    if len(known) != 1:
        there = f"there are {', '.join(known)}" if known else "none is configured"
        raise UsageError(f"which experiment? %llm ab NAME ({there})")
    return known[0]


_COLUMNS = (
    *("arm", "asks", "requests", "units", "asked nobody", "success", "score", "mean cost"),
    *("mean latency", "outcomes", "answered as dealt"),
)
"""Measures of one's own follow."""


def _report(results: Results) -> Report:
    if not results.arms:
        raise UsageError(f"no request was dealt to an experiment called {results.experiment!r}")
    own = sorted({name for arm in results.arms for name in arm.own})
    rows = tuple(
        (*_row(arm), *(_number(arm.own.get(name), ".3g") for name in own)) for arm in results.arms
    )
    return Report(
        (
            Table(
                f"Experiment {results.experiment}",
                (*_COLUMNS, *(f"mean {name}" for name in own)),
                rows,
                results.ratio.why,
            ).without_empty(),
            Table(
                "Differences, with intervals that stay valid however often one looks",
                (),
                tuple((str(one),) for one in results.differences),
                f"all of them together miss with probability {results.alpha:g} at most",
                "nothing can be compared yet: it takes two units or more in two arms",
            ),
        )
    )


def _row(arm: ArmResult) -> tuple[str, ...]:
    return (
        arm.arm,
        arm.model,
        f"{arm.n:,}",
        f"{arm.units:,}",
        f"{arm.asked_nobody:,}" if arm.asked_nobody else "",
        _number(arm.success, ".1%"),
        _number(arm.score, ".3g"),
        _cost(arm),
        _latency(arm.latency_s),
        f"{arm.outcomes:,}",
        _number(arm.as_dealt, ".0%"),
    )


def _cost(arm: ArmResult) -> str:
    if arm.cost_usd is None:
        return "unknown"
    # Three digits: arms are compared by what they cost.
    known = money(Decimal(arm.cost_usd), digits=3)
    return f"{known} + {arm.unknown_cost} unknown" if arm.unknown_cost else known


def _latency(latency_s: float | None) -> str:
    if latency_s is None or latency_s >= 1:
        return "unknown" if latency_s is None else f"{latency_s:.2f} s"
    return f"{latency_s * 1000:.3g} ms"


def _number(value: float | None, shape: str) -> str:
    return "unknown" if value is None else f"{value:{shape}}"
