"""Splitting traffic by weight, without an experiment's bookkeeping."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from multimodel_magic.errors import UsageError, must_be
from multimodel_magic.strategies.dealing import BUCKETS, bucket
from multimodel_magic.types import Reason, Request, Route

__all__ = ["Weighted"]


@dataclass(frozen=True, slots=True)
class Weighted:
    """Deal requests over models in proportion to their weights; no dice, so a rerun repeats it.

    Parameters
    ----------
    weights
        Role, alias or model -> weight, any scale; 0 switches a model off.
    salt
        Deals anew where it changes.

    Raises
    ------
    UsageError
        Where a weight is negative or not finite, or none is above 0.

    Notes
    -----
    Dealt by the request's unit, else by its id, with sha256. To *compare* the models use an
    `Experiment`: that one keeps its arms when shares change, and remembers them.

    Examples
    --------
    >>> Weighted({"fast": 9, "strong": 0}).route(Request("Hello")).models
    ('fast',)
    """

    weights: Mapping[str, float]
    salt: str = ""
    name: str = "weighted"

    def __post_init__(self) -> None:
        must_be("weighted: the weights", self.weights, Mapping, "{'fast': 9, 'strong': 1}")
        for model, weight in self.weights.items():
            must_be(f"weighted: the weight of {model!r}", weight, (int, float), "0 or more")
            if isinstance(weight, bool) or not (math.isfinite(weight) and weight >= 0):
                raise UsageError(f"weighted: the weight of {model!r} is {weight!r}; give 0 or more")
        if not any(self.weights.values()):
            raise UsageError("weighted: no model has a weight above 0")

    def route(self, request: Request) -> Route:
        """Return the one model that the request's unit is dealt to."""
        unit = request.request_id if request.unit is None else request.unit
        place = (bucket(self.name, self.salt, unit) + 0.5) / BUCKETS
        total = math.fsum(self.weights.values())
        reached, chosen = 0.0, ""
        for model, weight in self.weights.items():
            if not weight:
                continue
            chosen, reached = model, reached + weight / total
            if place < reached:
                break
        share = self.weights[chosen] / total
        return Route((chosen,), self.name, (Reason(self.name, f"weight {share:.0%}", share),))
