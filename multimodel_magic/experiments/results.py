"""Arms side by side: what each got, each difference with its interval, and whether to trust it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import exp, isinf
from typing import TYPE_CHECKING

from multimodel_magic.errors import UsageError, did_you_mean
from multimodel_magic.experiments.intervals import (
    ArmMean,
    Interval,
    cautious,
    difference,
    least_units,
    ratio_e_value,
)
from multimodel_magic.experiments.store import Assigned

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

__all__ = ["METRICS", "ArmResult", "Difference", "Results", "SampleRatio", "analyze"]

METRICS = ("success", "score", "cost_usd", "latency_s")
"""What arms are compared by. All differences together are wrong with probability alpha."""

ALARM = 100.0
"""Evidence at which the sample ratio counts as broken: a false alarm in at most 1 of 100."""

_WORDS = {
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
        shown = ".3f" if self.kind == "ratio" else "+.3g"
        numbers = f"{self.estimate:{shown}} [{self.low:{shown}}, {self.high:{shown}}]"
        what = f"{self.arm} {'/' if self.kind == 'ratio' else '-'} {self.control}"
        return f"{_WORDS.get(self.metric, self.metric)}: {what} = {numbers}, {self.verdict}"

    @property
    def verdict(self) -> str:
        """What may be said of it today."""
        if self.decided:
            neutral = 1.0 if self.kind == "ratio" else 0.0
            return f"{self.arm} is {'higher' if self.estimate > neutral else 'lower'}"
        if self.more is None:
            return "not decided yet, and no end in sight"
        return f"not decided yet, about {self.more:,} more"


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """Whether the arms got as many units as they should have."""

    counts: Mapping[str, int]
    e_value: float | None
    """Evidence against it; None where it could not be checked."""
    ok: bool
    why: str


@dataclass(frozen=True, slots=True)
class Results:
    """What an experiment showed so far. `str()` of it is the report."""

    experiment: str
    control: str | None
    arms: tuple[ArmResult, ...]
    differences: tuple[Difference, ...]
    ratio: SampleRatio
    alpha: float

    def __str__(self) -> str:
        lines = [f"experiment {self.experiment}"]
        lines += [_arm_line(arm) for arm in self.arms]
        lines += [f"  {one}" for one in self.differences]
        return "\n".join([*lines, f"  {self.ratio.why}"])

    def as_dict(self) -> dict[str, object]:
        """Return the results as plain values: arms and differences by name."""
        return {
            "experiment": self.experiment,
            "control": self.control,
            "arms": {arm.arm: asdict(arm) for arm in self.arms},
            "differences": [{**asdict(d), "verdict": d.verdict} for d in self.differences],
            "sample_ratio": {**asdict(self.ratio), "counts": dict(self.ratio.counts)},
            "alpha": self.alpha,
        }

    def frame(self) -> pd.DataFrame:
        """Return a DataFrame with a row an arm; imports pandas."""
        import pandas as pd

        return pd.DataFrame([asdict(arm) for arm in self.arms]).set_index("arm")


def _arm_line(arm: ArmResult) -> str:
    known = [
        f"{_WORDS[name]} {getattr(arm, name):.4g}"
        for name in METRICS
        if getattr(arm, name) is not None
    ]
    return "  " + " · ".join([f"{arm.arm} ({arm.model})", f"n {arm.n:,}", *known])


def analyze(
    experiment: str,
    rows: Iterable[Assigned],
    *,
    control: str | None = None,
    alpha: float = 0.05,
) -> Results:
    """Compare the arms of an experiment by what each request was dealt to.

    Parameters
    ----------
    experiment
        Its name, for the report.
    rows
        Every request that took part.
    control
        The arm that the others are compared with: by default `control`, else the first by name.
    alpha
        The probability that any interval of the report ever misses, over all looks, metrics and
        arms together (Bonferroni).

    Raises
    ------
    UsageError
        For a control that no request was dealt to.

    Notes
    -----
    Requests count for the arm that they were dealt to, whoever answered. Means are weighted by
    one over the probability of the deal (Hajek), so that a share which grew on the way biases
    nothing, and their variance is that over units: a unit with many requests counts as one.
    """
    by_arm: dict[str, list[Assigned]] = defaultdict(list)
    for row in rows:
        by_arm[row.arm].append(row)
    first = _control(by_arm, control)
    names = [first, *sorted(by_arm.keys() - {first})] if first is not None else []
    arms = tuple(_arm_result(name, by_arm[name]) for name in names)
    each = alpha / (len(METRICS) * max(len(names) - 1, 1))
    found = (
        _difference(metric, (names[0], name), (by_arm[names[0]], by_arm[name]), each)
        for name in names[1:]
        for metric in METRICS
    )
    ratio = _sample_ratio(by_arm)
    differences = tuple(one if ratio.ok else _undecided(one) for one in found if one is not None)
    return Results(experiment, first, arms, differences, ratio, alpha)


def _control(by_arm: Mapping[str, Sequence[Assigned]], control: str | None) -> str | None:
    if control is not None and control not in by_arm and by_arm:
        near = did_you_mean(control, by_arm)
        raise UsageError(f"no request was dealt to an arm {control!r}{near}")
    if control is None:
        return "control" if "control" in by_arm else min(by_arm, default=None)
    return control if by_arm else None


def _undecided(one: Difference) -> Difference:
    # With arms that were not dealt as they should be, no difference means what it says.
    return replace(one, decided=False, more=None)


# --- one arm


def _value(row: Assigned, metric: str) -> float | None:
    if metric in row.outcome:
        return row.outcome[metric]
    if metric == "success":
        return None if row.succeeded is None else float(row.succeeded)
    if metric == "score":
        return None
    measured = row.cost_usd if metric == "cost_usd" else row.latency_s
    return None if measured is None else float(measured)


def _arm_result(name: str, rows: Sequence[Assigned]) -> ArmResult:
    means = {metric: _plain_mean(_known(rows, metric)) for metric in METRICS}
    answered = [row.answered_by == row.model for row in rows if row.answered_by is not None]
    return ArmResult(
        name,
        ", ".join(dict.fromkeys(row.model for row in rows)),
        len(rows),
        len({row.unit for row in rows}),
        sum(bool(row.outcome) for row in rows),
        _plain_mean([float(own) for own in answered]),
        means["success"],
        means["score"],
        means["cost_usd"],
        len(rows) - len(_known(rows, "cost_usd")),
        means["latency_s"],
    )


def _known(rows: Sequence[Assigned], metric: str) -> list[float]:
    return [value for row in rows if (value := _value(row, metric)) is not None]


def _plain_mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


# --- two arms


def _difference(
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
    numbers = (found.estimate, found.low, found.high)
    estimate, low, high = map(_exp, numbers) if log else numbers
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


# --- the sample ratio


def _sample_ratio(by_arm: Mapping[str, Sequence[Assigned]]) -> SampleRatio:
    """Check how units were dealt, whatever came of them."""
    dealt = {row.unit: row for rows in by_arm.values() for row in reversed(rows)}
    counts = Counter(row.arm for row in dealt.values())
    designs = _designs(dealt.values())
    if designs is None:
        return SampleRatio(counts, None, True, "sample ratio not checked: the shares changed")
    e_value = 1.0
    for shares, dealt_then in designs:
        e_value *= ratio_e_value(dealt_then, shares)
    if e_value >= ALARM:
        shown = "beyond doubt" if isinf(e_value) else f"evidence {e_value:.3g} to 1"
        why = f"sample ratio broken ({shown}): the arms were not dealt as they should be"
        return SampleRatio(counts, e_value, False, f"{why}, so nothing here is decided")
    return SampleRatio(counts, e_value, True, "sample ratio as it should be")


_Design = tuple[dict[str, float], Counter[str]]


def _designs(rows: Iterable[Assigned]) -> list[_Design] | None:
    """Group units by the shares they were dealt with; None where these cannot be told.

    With two arms the one probability that a unit brings along gives both shares, so shares may
    have changed on the way. With more they must have stayed.
    """
    rows = list(rows)
    arms = sorted({row.arm for row in rows})
    if len(arms) == 2:  # noqa: PLR2004
        return _two_arm_designs(rows, arms)
    shares: dict[str, float] = {}
    for row in rows:
        if abs(shares.setdefault(row.arm, row.probability) - row.probability) > 1e-9:  # noqa: PLR2004
            return None
    rest = 1 - sum(shares.values())
    if rest < -1e-6:  # noqa: PLR2004 - rounding
        return None
    # Arms that nobody was dealt to count too: an arm that never answers must not go unseen.
    shares["(nobody)"] = max(rest, 0.0)
    return [(shares, Counter(row.arm for row in rows))]


def _two_arm_designs(rows: Sequence[Assigned], arms: Sequence[str]) -> list[_Design]:
    groups: dict[float, Counter[str]] = defaultdict(Counter)
    for row in rows:
        first = row.probability if row.arm == arms[0] else 1 - row.probability
        groups[round(first, 6)][row.arm] += 1
    return [({arms[0]: share, arms[1]: 1 - share}, counts) for share, counts in groups.items()]
