"""One arm in numbers, and two arms compared in one metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import exp
from typing import TYPE_CHECKING

from multimodel_magic.experiments.intervals import (
    ArmMean,
    Interval,
    cautious,
    difference,
    least_units,
)
from multimodel_magic.experiments.store import MEASURES, Assigned

if TYPE_CHECKING:
    import numpy as np

__all__ = ["METRICS", "WORDS", "ArmResult", "Difference", "arm_result", "compare"]

METRICS = MEASURES
"""What arms are compared by. All differences together are wrong with probability alpha."""

_FAR = 1000

WORDS = {
    "success": "success rate",
    "score": "mean score",
    "cost_usd": "cost",
    "latency_s": "latency",
}


@dataclass(frozen=True, slots=True)
class ArmResult:
    """What one arm got; means are None where nothing is known."""

    arm: str
    model: str
    """What the arm asked for; several, joined with a comma, where that changed."""
    n: int
    """Requests that were dealt to it."""
    units: int
    outcomes: int
    """Requests with a later judgement."""
    as_dealt: float | None
    """Share of the answers that the arm's own model gave, and no fallback."""
    success: float | None
    score: float | None
    cost_usd: float | None
    """Mean per request, US dollars."""
    unknown_cost: int
    """Requests whose cost is not known; they are not in the mean."""
    latency_s: float | None
    """Mean per request, seconds."""
    asked_nobody: int = 0
    """Requests that were stopped before anybody was asked; they are in no mean."""
    cached: int = 0
    """Answers from our cache; they are in neither mean of cost nor of latency."""
    own: Mapping[str, float] = field(default_factory=dict)
    """Means of the user's own measures, by name; they are shown and not compared."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How a treatment differs from the control in one metric.

    For `kind` `difference` it is treatment minus control; for `ratio` the ratio of geometric
    means, which a few slow or long answers do not decide.
    """

    metric: str
    arm: str
    control: str
    kind: str
    estimate: float
    low: float
    high: float
    n: int
    """Units of both arms in which the metric is known."""
    decided: bool
    more: int | None

    def __str__(self) -> str:
        shown = _times if self.kind == "ratio" else "{:+.3g}".format
        numbers = f"{shown(self.estimate)} [{shown(self.low)}, {shown(self.high)}]"
        what = f"{self.arm} {'/' if self.kind == 'ratio' else '-'} {self.control}"
        return f"{WORDS.get(self.metric, self.metric)}: {what} = {numbers}, {self.verdict}"

    @property
    def verdict(self) -> str:
        """What may be said of it today."""
        if self.decided:
            neutral = 1.0 if self.kind == "ratio" else 0.0
            return f"{self.arm} is {'higher' if self.estimate > neutral else 'lower'}"
        if self.more is None:
            return "not decided yet, and no end in sight"
        return f"not decided yet, about {self.more:,} more"


def _value(row: Assigned, metric: str) -> float | None:
    if metric in row.outcome:
        return row.outcome[metric]
    if metric == "success":
        return None if row.succeeded is None else float(row.succeeded)
    if metric == "score":
        return None
    measured = row.cost_usd if metric == "cost_usd" else row.latency_s
    return None if measured is None else float(measured)


def arm_result(name: str, rows: Sequence[Assigned], model: str = "") -> ArmResult:
    """Return what one arm got; `model` is what it asks for where nobody was dealt to it yet."""
    means = {metric: _plain_mean(_known(rows, metric)) for metric in METRICS}
    answered = [row.answered_by == row.model for row in rows if row.answered_by is not None]
    return ArmResult(
        name,
        ", ".join(dict.fromkeys(row.model for row in rows)) or model,
        len(rows),
        len({row.unit for row in rows}),
        sum(bool(row.outcome) for row in rows),
        _plain_mean([float(own) for own in answered]),
        means["success"],
        means["score"],
        means["cost_usd"],
        sum(_value(row, "cost_usd") is None and not _is_free(row) for row in rows),
        means["latency_s"],
        sum(row.asked_nobody for row in rows),
        sum(row.cached for row in rows),
        _own(rows),
    )


def _is_free(row: Assigned) -> bool:
    """Whether its cost says nothing of the arm: it asked nobody."""
    return row.cached or row.asked_nobody


def _own(rows: Sequence[Assigned]) -> Mapping[str, float]:
    values: dict[str, list[float]] = {}
    for row in rows:
        for name in row.outcome.keys() - set(METRICS):
            values.setdefault(name, []).append(row.outcome[name])
    return {name: sum(known) / len(known) for name, known in sorted(values.items())}


def _known(rows: Sequence[Assigned], metric: str) -> list[float]:
    return [value for row in rows if (value := _value(row, metric)) is not None]


def _plain_mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def compare(
    metric: str,
    names: tuple[str, str],
    arms: tuple[Sequence[Assigned], Sequence[Assigned]],
    alpha: float,
) -> Difference | None:
    """Compare two arms in one metric; None where either has fewer than two units."""
    samples = [_sample(rows, metric) for rows in arms]
    if any(len(set(sample.units)) < 2 for sample in samples):  # noqa: PLR2004 - a variance
        return None
    positive = all(value > 0 for sample in samples for value in sample.numbers)
    log = metric in {"cost_usd", "latency_s"} and positive
    means, least = _means(samples, log=log, binary=metric == "success")
    if not sum(mean.variance for mean in means):
        return None
    return _said(metric, names, difference(*means, alpha=alpha, least=least), log=log)


def _said(metric: str, names: tuple[str, str], found: Interval, *, log: bool) -> Difference:
    numbers = [found.estimate, found.low, found.high]
    if log:
        numbers = list(map(_exp, numbers))
    elif metric == "success":  # two rates are at most 1 apart, whatever a few units leave open
        numbers = [max(-1.0, min(number, 1.0)) for number in numbers]
    estimate, low, high = numbers
    return Difference(
        metric,
        names[1],
        names[0],
        "ratio" if log else "difference",
        estimate,
        low,
        high,
        found.n,
        found.decided,
        found.more,
    )


def _exp(number: float) -> float:
    return exp(min(number, 700.0))


def _times(ratio: float) -> str:
    """Write a ratio; beyond a thousandth and a thousand its digits say nothing."""
    if ratio > _FAR:
        return f"over {_FAR:,}"
    return f"under {1 / _FAR}" if ratio < 1 / _FAR else f"{ratio:.3f}"


@dataclass(frozen=True, slots=True)
class _Sample:
    """A metric in one arm: numbers, weights and units, in step."""

    numbers: list[float]
    weights: list[float]
    units: list[str]


def _sample(rows: Sequence[Assigned], metric: str) -> _Sample:
    known = [(row, value) for row in rows if (value := _value(row, metric)) is not None]
    return _Sample(
        [value for _, value in known],
        [1 / row.probability for row, _ in known],
        [row.unit for row, _ in known],
    )


def _means(
    samples: Sequence[_Sample], *, log: bool, binary: bool
) -> tuple[tuple[ArmMean, ArmMean], int]:
    """Return the arms' means and the units that each needs before they may be compared."""
    import numpy as np

    values = [np.asarray(sample.numbers, float) for sample in samples]
    if log:
        values = [np.log(one) for one in values]
    pooled = np.concatenate(values)
    off = pooled - pooled.mean()
    spread = float((off**2).mean())
    # A rate's small counts are taken care of by `cautious`.
    skewness = 0.0 if binary or not spread else float((off**3).mean()) / spread**1.5
    control, treatment = (
        _arm_mean(one, sample, spread, binary=binary)
        for one, sample in zip(values, samples, strict=True)
    )
    return (control, treatment), least_units(skewness)


def _arm_mean(values: np.ndarray, sample: _Sample, spread: float, *, binary: bool) -> ArmMean:
    """Return the weighted mean over units; linearised, as that of a ratio of two sums."""
    import numpy as np

    weights = np.asarray(sample.weights, float)
    total = float(weights.sum())
    mean = float((weights * values).sum() / total)
    _, codes = np.unique(sample.units, return_inverse=True)
    residuals = np.bincount(codes, weights * (values - mean))
    n = len(residuals)
    variance = float((residuals**2).sum()) / total**2 * n / (n - 1)
    return cautious(ArmMean(mean, variance, n), spread, binary=binary)
