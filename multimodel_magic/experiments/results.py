"""Arms side by side: what each got, each difference with its interval, and whether to trust it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from multimodel_magic.errors import UsageError, did_you_mean
from multimodel_magic.experiments.balance import SampleRatio, sample_ratio
from multimodel_magic.experiments.compare import (
    METRICS,
    WORDS,
    ArmResult,
    Difference,
    arm_result,
    compare,
)
from multimodel_magic.experiments.store import Assigned
from multimodel_magic.pricing import money
from multimodel_magic.strategies.experiment import Experiment

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Results", "analyze"]


@dataclass(frozen=True, slots=True)
class Results:
    """What an experiment showed so far. `str()` of it is the report."""

    experiment: str
    control: str | None
    """What the other arms are compared with; None where that is not known yet."""
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
        f"{WORDS[name]} {_SHOWN[name](getattr(arm, name))}"
        for name in METRICS
        if getattr(arm, name) is not None
    ]
    if arm.unknown_cost and arm.cost_usd is not None:
        known.append(f"cost of {arm.unknown_cost:,} unknown")
    if arm.asked_nobody:
        known.append(f"{arm.asked_nobody:,} asked nobody")
    if arm.cached:
        known.append(f"{arm.cached:,} cached")
    return "  " + " · ".join([f"{arm.arm} ({arm.model})", f"n {arm.n:,}", *known])


_SHOWN: Mapping[str, Callable[[float], str]] = {
    "success": "{:.1%}".format,
    "score": "{:.4g}".format,
    "cost_usd": lambda usd: money(Decimal(usd), digits=3),
    "latency_s": "{:.3g} s".format,
}


def analyze(
    experiment: str | Experiment,
    rows: Iterable[Assigned],
    *,
    control: str | None = None,
    alpha: float = 0.05,
) -> Results:
    """Compare the arms of an experiment by what each request was dealt to.

    Parameters
    ----------
    experiment
        As it is declared: arms that nobody was dealt to yet are in the report too. Or its name
        alone: then its arms are those that somebody was dealt to.
    rows
        Every request that took part, oldest first.
    control
        The arm that the others are compared with: by default the declared one; of a name alone
        `control`, else of several the first by name.
    alpha
        The probability that any interval of the report ever misses, over all looks, metrics and
        arms together (Bonferroni).

    Raises
    ------
    UsageError
        For a control that is not declared, and that no request was dealt to.

    Notes
    -----
    Requests count for the arm that they were dealt to, whoever answered. Means are weighted by
    one over the probability of the deal (Hajek), so that a share which grew on the way biases
    nothing, and their variance is that over units: a unit with many requests counts as one.
    """
    declared = {} if isinstance(experiment, str) else experiment.arms
    by_arm: dict[str, list[Assigned]] = {arm: [] for arm in declared}
    rows = _unjudged_as_unknown(list(rows))
    for row in sorted(rows, key=lambda row: row.arm):
        by_arm.setdefault(row.arm, []).append(row)
    first = _control(experiment, by_arm, control)
    names = sorted(by_arm, key=lambda arm: arm != first)
    arms = tuple(
        arm_result(name, by_arm[name], declared[name].model if name in declared else "")
        for name in names
    )
    each = alpha / (len(METRICS) * max(len(names) - 1, 1))
    found = (
        compare(metric, (names[0], name), (by_arm[names[0]], by_arm[name]), each)
        for name in names[1:]
        for metric in METRICS
    )
    ratio = sample_ratio(rows, by_arm)
    differences = tuple(one if ratio.ok else _undecided(one) for one in found if one is not None)
    name = experiment if isinstance(experiment, str) else experiment.name
    return Results(name, first, arms, differences, ratio, alpha)


def _unjudged_as_unknown(rows: Sequence[Assigned]) -> Sequence[Assigned]:
    """Where answers are judged, one that is not judged yet is no success: it is unknown.

    A request that nobody answered is a failure without any judge.
    """
    if not any("success" in row.outcome for row in rows):
        return rows
    waiting = [bool(row.succeeded) and "success" not in row.outcome for row in rows]
    return [
        replace(row, succeeded=None) if waits else row
        for row, waits in zip(rows, waiting, strict=True)
    ]


def _control(
    experiment: str | Experiment, by_arm: Mapping[str, Sequence[Assigned]], control: str | None
) -> str | None:
    if control is not None and control not in by_arm and by_arm:
        near = did_you_mean(control, by_arm)
        raise UsageError(f"no request was dealt to an arm {control!r}{near}")
    if control is not None:
        return control if by_arm else None
    if not isinstance(experiment, str):
        return experiment.control
    # Of one arm alone nobody can say whether it is what the others will be compared with.
    return "control" if "control" in by_arm else min(by_arm) if len(by_arm) > 1 else None


def _undecided(one: Difference) -> Difference:
    # With arms that were not dealt as they should be, no difference means what it says.
    return replace(one, decided=False, more=None)
