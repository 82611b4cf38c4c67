"""All figures of a set of requests, each computed when it is first asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from multimodel_magic import pricing
from multimodel_magic.metrics.models import per_model
from multimodel_magic.metrics.quality import Accuracy, accuracy, own_measures, quality
from multimodel_magic.metrics.reference import Maintenance, maintenance
from multimodel_magic.metrics.routing import distribution, fallback_matrix, fallbacks
from multimodel_magic.metrics.savings import Savings, savings
from multimodel_magic.metrics.summary import Summary, by, overall
from multimodel_magic.types import PriceOf

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Metrics"]


@dataclass(frozen=True)
class Metrics:
    """What there is to say of some requests; the fields of `overall` are attributes of it too.

    Parameters
    ----------
    requests_frame, attempts_frame, outcomes_frame
        As the ledger gives them.
    price
        Prices an attempt, for `savings`.
    """

    requests_frame: pd.DataFrame
    attempts_frame: pd.DataFrame
    outcomes_frame: pd.DataFrame
    price: PriceOf = pricing.price

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - a figure
        """Return a figure of `overall`."""
        if name.startswith("_"):  # asked by pickle and IPython, of what has no figures yet
            raise AttributeError(name)
        return getattr(self.overall, name)

    def __repr__(self) -> str:
        return repr(self.overall)

    @cached_property
    def overall(self) -> Summary:
        """How it went on the whole, measured on requests."""
        return overall(self.requests_frame, self.attempts_frame)

    @cached_property
    def models(self) -> pd.DataFrame:
        """One row a model, measured on attempts: `metrics.per_model`."""
        return per_model(self.attempts_frame)

    @cached_property
    def distribution(self) -> pd.DataFrame:
        """Who was chosen, and who answered: `metrics.distribution`."""
        return distribution(self.requests_frame)

    @cached_property
    def fallback_pairs(self) -> pd.DataFrame:
        """From whom to whom requests went on after a failure: `metrics.fallbacks`."""
        return fallbacks(self.attempts_frame)

    @cached_property
    def fallback_matrix(self) -> pd.DataFrame:
        """`fallback_pairs` as counts, a row a model that failed: `metrics.fallback_matrix`."""
        return fallback_matrix(self.attempts_frame)

    @cached_property
    def accuracy(self) -> Accuracy:
        """Whether the routing chose well, where that was judged: `metrics.accuracy`."""
        return accuracy(self.requests_frame, self.outcomes_frame)

    def by(self, group: str) -> pd.DataFrame:
        """One row a strategy, task, user_tier, day, notebook, ...: `metrics.by`."""
        return by(group, self.requests_frame, self.attempts_frame)

    def savings(self, baseline: str) -> Savings:
        """Estimate what all on one model would have cost: `metrics.savings`."""
        return savings(self.requests_frame, baseline, price=self.price)

    def quality(self, reference: str | None = None) -> pd.DataFrame:
        """How each model's answers were judged: `metrics.quality`."""
        return quality(self.requests_frame, self.outcomes_frame, reference=reference)

    def own_measures(self) -> pd.DataFrame:
        """Mean of each measure of one's own, by model: `metrics.own_measures`."""
        return own_measures(self.requests_frame, self.outcomes_frame)

    def maintenance(self, reference: str) -> Maintenance:
        """Whether the quality of a reference model was kept: `metrics.maintenance`."""
        return maintenance(self.requests_frame, self.outcomes_frame, reference)
