"""The seed's router for A/B tests: assignment, memory and results behind its three methods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import overload

from multimodel_magic.experiments.results import analyze
from multimodel_magic.experiments.store import (
    Assigned,
    Outcome,
    ResultsStore,
    record_outcome,
)
from multimodel_magic.strategies.experiment import Experiment
from multimodel_magic.types import Option, Request, Route

__all__ = ["ABTestRouter"]


class ABTestRouter:
    """The seed's A/B router, in the seed's call shape, and a `Strategy` besides.

    Parameters
    ----------
    experiment_config
        `treatment_percentage`, `treatment_model` and `control_model`, or the YAML's
        `percentage`, `treatment` and `control`, or `arms`; see `Experiment.from_settings`.
    name
        Of the experiment: two of different names deal independently. By default the models'
        names, which stay when the percentage grows.
    results_store
        Where assignments are remembered; by default in memory.

    Examples
    --------
    >>> router = ABTestRouter(
    ...     {"treatment_percentage": 50, "treatment_model": "strong", "control_model": "fast"}
    ... )
    >>> router.route("request-1") in {"strong", "fast"}
    True
    >>> router.record_outcome("request-1", {"success": True})
    >>> sum(arm["outcomes"] for arm in router.get_results()["arms"].values())
    1
    """

    def __init__(
        self,
        experiment_config: Mapping[str, Option],
        *,
        name: str | None = None,
        results_store: ResultsStore | None = None,
    ) -> None:
        self.config = experiment_config
        unnamed = Experiment.from_settings("unnamed", experiment_config)
        models = (f"{arm} {settings.model}" for arm, settings in unnamed.arms.items())
        self.experiment = Experiment.from_settings(name or ", ".join(models), experiment_config)
        self.results_store = ResultsStore() if results_store is None else results_store
        self.name = "ab"

    @overload
    def route(self, request_id: Request) -> Route: ...
    @overload
    def route(self, request_id: str) -> str: ...
    def route(self, request_id: Request | str) -> Route | str:
        """Deal a request and remember it; of an id, name the model."""
        if isinstance(request_id, Request):
            return self._deal(request_id)
        return self._deal(Request("", request_id=request_id)).models[0]

    def record_outcome(self, request_id: str, outcome: Outcome) -> None:
        """Keep what came of a request; twice counts once, `UsageError` for an unknown id."""
        record_outcome(self.results_store, request_id, outcome)

    def get_results(self) -> dict[str, object]:
        """Return the arms, their differences with anytime-valid intervals, and the ratio check."""
        rows = self.results_store.assigned(self.experiment.name)
        return analyze(self.experiment, rows).as_dict()

    def _deal(self, request: Request) -> Route:
        route = self.experiment.route(request)
        unit = self.experiment.unit_of(request)
        arm = self.experiment.arm_of(unit)
        self.results_store.assign(
            Assigned(
                request.request_id,
                self.experiment.name,
                arm,
                route.models[0],
                self.experiment.probability(arm),
                unit,
            )
        )
        return route
