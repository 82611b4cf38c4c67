"""What experiments and votes showed: arms, outcomes, ratings, and intervals that may be looked at.

Names are imported on first use: a session knows of votes, and must begin at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multimodel_magic.experiments.abtest import ABTestRouter
    from multimodel_magic.experiments.balance import SampleRatio
    from multimodel_magic.experiments.compare import METRICS, ArmResult, Difference
    from multimodel_magic.experiments.intervals import (
        ArmMean,
        Interval,
        cautious,
        difference,
        half_width,
        least_units,
        more_needed,
        ratio_e_value,
    )
    from multimodel_magic.experiments.position import PositionBias
    from multimodel_magic.experiments.ratings import Rated, Ratings
    from multimodel_magic.experiments.results import Results, analyze
    from multimodel_magic.experiments.store import (
        Assigned,
        Book,
        LedgerStore,
        ResultsStore,
        Store,
        assigned_from,
        assigned_in,
        record_outcome,
    )
    from multimodel_magic.experiments.votes import Vote

_HOMES = {
    "ABTestRouter": "abtest",
    "METRICS": "compare",
    "ArmMean": "intervals",
    "ArmResult": "compare",
    "Assigned": "store",
    "Book": "store",
    "Difference": "compare",
    "Interval": "intervals",
    "LedgerStore": "store",
    "PositionBias": "position",
    "Rated": "ratings",
    "Ratings": "ratings",
    "Results": "results",
    "ResultsStore": "store",
    "SampleRatio": "balance",
    "Store": "store",
    "Vote": "votes",
    "analyze": "results",
    "assigned_from": "store",
    "assigned_in": "store",
    "cautious": "intervals",
    "difference": "intervals",
    "half_width": "intervals",
    "least_units": "intervals",
    "more_needed": "intervals",
    "ratio_e_value": "intervals",
    "record_outcome": "store",
}
"""Public name -> the module that it lives in."""

__all__ = [
    "METRICS",
    "ABTestRouter",
    "ArmMean",
    "ArmResult",
    "Assigned",
    "Book",
    "Difference",
    "Interval",
    "LedgerStore",
    "PositionBias",
    "Rated",
    "Ratings",
    "Results",
    "ResultsStore",
    "SampleRatio",
    "Store",
    "Vote",
    "analyze",
    "assigned_from",
    "assigned_in",
    "cautious",
    "difference",
    "half_width",
    "least_units",
    "more_needed",
    "ratio_e_value",
    "record_outcome",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    """Import a public name on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
