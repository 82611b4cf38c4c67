"""How good the answers were, and whether the routing chose well, where somebody judged them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from multimodel_magic.errors import UsageError, did_you_mean
from multimodel_magic.metrics.numbers import Number, mean, ratio, student_t_95, wilson
from multimodel_magic.wording import number_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Accuracy",
    "accuracy",
    "half_width",
    "judged_answers",
    "label_of",
    "own_measures",
    "quality",
    "welch",
]

_TIE = 1e-9
"""Scores nearer than this are equal."""

_DTYPES = {
    "judged": "int64",
    "success_n": "int64",
    "success_rate": "float64",
    "success_low": "float64",
    "success_high": "float64",
    "score_n": "int64",
    "score": "float64",
    "score_low": "float64",
    "score_high": "float64",
    "difference": "float64",
    "difference_low": "float64",
    "difference_high": "float64",
}


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How often the routing chose the model that was judged best for the prompt.

    `str()` says it in a line, and says so where nothing can be said.
    """

    label: str
    """`score` or `success`: what the judgements are in."""
    routed: int
    """Answers that a strategy chose the model of; those that named one chose nothing."""
    judged: int
    """Of these, how many have the label."""
    comparable: int
    """Of these, how many are of a prompt for which another model's answer was judged too."""
    right: int
    """Of these, how many came from (one of) the best for that prompt."""
    rate: float
    """right / comparable, in [0, 1]."""
    low: float
    high: float
    """Wilson's 95 % interval of `rate`."""
    regret: float
    """Mean of the best model's label minus that of the chosen one, in the label's unit, >= 0."""

    def __str__(self) -> str:
        if not self.comparable:
            return (
                f"routing accuracy is unknown: of {number_of(self.routed, 'routed answer')} "
                f"{number_of(self.judged, 'was', 'were')} judged, and none of a prompt that "
                f"another judged model answered too"
            )
        return (
            f"routing accuracy {self.rate:.0%} ({self.low:.0%} to {self.high:.0%}), regret "
            f"{self.regret:.3g} {self.label} an answer (n = {self.comparable:,} of "
            f"{self.routed:,} routed)"
        )


def accuracy(
    requests: pd.DataFrame, outcomes: pd.DataFrame, *, label: str | None = None
) -> Accuracy:
    """Compare the models that strategies chose with the best that was judged for each prompt.

    Parameters
    ----------
    requests
        As `Ledger.requests_frame` gives it. Those where the user named models are no choices of
        a strategy; their answers are what the choices are compared with.
    outcomes
        As `Ledger.outcomes_frame` gives it.
    label
        `score` or `success`; by default `score` where there is any.

    Notes
    -----
    A model's label for a prompt is the mean over its judged answers to it. Prompts are the same
    where their `prompt_sha256` is. Prompts that were put to several models are seldom a random
    sample of all: the figure is about them.
    """
    label = label_of(outcomes, label)
    answers = judged_answers(requests, outcomes)
    routed = answers[answers["asked"].isna()]
    judged = routed[routed[label].notna()]
    of_model = answers[answers[label].notna()].groupby(["prompt_sha256", "name"])[label].mean()
    best = of_model.groupby("prompt_sha256").agg(["max", "size"])
    keys = list(zip(judged["prompt_sha256"], judged["name"], strict=True))
    pairs = [(best.loc[prompt, "max"] - of_model[prompt, name]) for prompt, name in keys
             if best.loc[prompt, "size"] > 1]  # fmt: skip
    right = sum(lost <= _TIE for lost in pairs)
    low, high = wilson(right, len(pairs))
    return Accuracy(
        label,
        len(routed),
        len(judged),
        len(pairs),
        right,
        ratio(right, len(pairs)),
        low,
        high,
        ratio(math.fsum(pairs), len(pairs)),
    )


def quality(
    requests: pd.DataFrame, outcomes: pd.DataFrame, *, reference: str | None = None
) -> pd.DataFrame:
    """Return how the answers of each model were judged.

    Parameters
    ----------
    requests, outcomes
        As the ledger's frames.
    reference
        `provider:model`: the model whose quality is to be kept.

    Returns
    -------
    DataFrame
        Index `model` (those that have a judged answer, sorted). `judged`; `success_n`,
        `success_rate` with Wilson's 95 % interval; `score_n`, the mean `score` with Student's
        95 % interval; `difference` of the score to the reference's with Welch's 95 % interval
        (NaN without a reference, and for it). Means of few values have no interval: NaN. The
        same columns and dtypes when empty.

    Raises
    ------
    UsageError
        For a reference that has no judged answer, with the nearest.

    Notes
    -----
    Models that strategies gave different prompts are not compared like for like: an experiment
    (`%llm ab`) is.
    """
    import pandas as pd

    answers = judged_answers(requests, outcomes)
    answers = answers[answers["score"].notna() | answers["success"].notna()]
    parts = {str(name): part for name, part in answers.groupby("name")}
    if reference is not None and reference not in parts:
        near = did_you_mean(reference, parts)
        raise UsageError(f"no answer of {reference!r} was judged{near}")
    base = None if reference is None else parts[reference]["score"]
    rows = {
        name: _row(part) | _difference(part["score"], None if name == reference else base)
        for name, part in parts.items()
    }
    index = pd.Index(list(rows), name="model", dtype="string")
    return pd.DataFrame(list(rows.values()), index=index, columns=list(_DTYPES)).astype(_DTYPES)


_NOT_OWN = frozenset(("request_id", "outcome", "recorded_at", "success", "score"))


def own_measures(requests: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return the mean of each measure of one's own, by the model that answered.

    Parameters
    ----------
    requests, outcomes
        As the ledger's frames.

    Returns
    -------
    DataFrame
        Index `model` (those that have one, sorted); for each measure the columns (measure, `mean`)
        and (measure, `count`): over so many answers. Nothing where there is no such measure.
    """
    import pandas as pd

    own = [name for name in outcomes.columns if name not in _NOT_OWN]
    answers = requests[(requests["status"] == "answered") & requests["model"].notna()]
    names = answers["provider"] + ":" + answers["model"]
    said = outcomes.set_index("request_id")[own].dropna(how="all")
    if said.empty:
        return pd.DataFrame(index=pd.Index([], name="model", dtype="string"))
    model = said.index.map(dict(zip(answers["request_id"], names, strict=True)))
    return said.groupby(model.rename("model")).agg(["mean", "count"])


def judged_answers(requests: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return the answers with their `score` and `success`, and the `name` of who answered."""
    answers = requests[(requests["status"] == "answered") & requests["model"].notna()]
    labels = outcomes[["request_id", "score", "success"]]
    both = answers.merge(labels, how="left", on="request_id")
    return both.assign(name=both["provider"] + ":" + both["model"])


def _row(part: pd.DataFrame) -> dict[str, Number]:
    success, score = part["success"].dropna(), part["score"]
    # A success between 0 and 1 is a part of one: Wilson's interval is about whole ones.
    whole = round(float(success.sum()))
    low, high = wilson(whole, len(success))
    middle, half = mean(score), half_width(score)
    return {
        "judged": len(part),
        "success_n": len(success),
        "success_rate": mean(success),
        "success_low": low,
        "success_high": high,
        "score_n": int(score.notna().sum()),
        "score": middle,
        "score_low": middle - half,
        "score_high": middle + half,
    }


def label_of(outcomes: pd.DataFrame, label: str | None = None) -> str:
    """Return in what judgements are compared: `score` where there is any, else `success`."""
    label = label or ("score" if outcomes["score"].notna().any() else "success")
    if label not in ("score", "success"):
        raise UsageError(f"no label {label!r}{did_you_mean(label, ('score', 'success'))}")
    return label


def half_width(score: pd.Series[float]) -> float:
    """Return half of Student's 95 % interval of a mean; `nan` for fewer than two values."""
    n = int(score.notna().sum())
    return student_t_95(n - 1) * math.sqrt(score.var() / n) if n > 1 else math.nan


def _difference(score: pd.Series[float], base: pd.Series[float] | None) -> dict[str, Number]:
    names = ("difference", "difference_low", "difference_high")
    if base is None:
        return dict.fromkeys(names, math.nan)
    between, half = mean(score) - mean(base), welch(score, base)
    return dict(zip(names, (between, between - half, between + half), strict=True))


def welch(one: pd.Series[float], other: pd.Series[float]) -> float:
    """Return half of Welch's interval (B. L. Welch, Biometrika 34, 1947)."""
    counts = [int(part.notna().sum()) for part in (one, other)]
    if min(counts) <= 1:
        return math.nan
    errors = [part.var() / n for part, n in zip((one, other), counts, strict=True)]
    spread = sum(errors)
    if not spread:
        return 0.0
    degrees = spread**2 / sum(e**2 / (n - 1) for e, n in zip(errors, counts, strict=True))
    return student_t_95(degrees) * math.sqrt(spread)
