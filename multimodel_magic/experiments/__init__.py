"""What an experiment showed: arms, outcomes, and intervals that may be looked at every day."""

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
    "Results",
    "ResultsStore",
    "SampleRatio",
    "Store",
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
