"""Whether the answers that routing gave are as good as those of one model would have been."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from multimodel_magic.errors import UsageError, did_you_mean
from multimodel_magic.metrics.numbers import mean, ratio
from multimodel_magic.metrics.quality import half_width, judged_answers, label_of, welch
from multimodel_magic.wording import number_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Maintenance", "maintenance"]

_FEWEST_PAIRS = 2


@dataclass(frozen=True, slots=True)
class Maintenance:
    """The quality of routed answers beside that of a reference model.

    `str()` says it in a line, and says so where nothing can be said.
    """

    reference: str
    """`provider:model`."""
    label: str
    """`score` or `success`: what the judgements are in."""
    paired: bool
    """Whether both are of the same prompts, one by one; else they are of different ones."""
    n: int
    """Prompts that are compared; where they differ, judged answers that a strategy chose; 0 where
    all of these are the reference's own."""
    reference_n: int
    """The same of the reference."""
    quality: float
    """Mean label of the routed answers."""
    reference_quality: float
    low: float
    high: float
    """95 % interval of `difference`: Student's of the pairs, else Welch's; NaN for too few."""

    @property
    def difference(self) -> float:
        """`quality` minus `reference_quality`; negative where routing answers worse."""
        return self.quality - self.reference_quality

    @property
    def kept(self) -> float:
        """`quality` over `reference_quality`."""
        return ratio(self.quality, self.reference_quality)

    def __str__(self) -> str:
        if math.isnan(self.difference):
            return (
                f"quality against {self.reference} is unknown: "
                f"{number_of(self.n, 'routed answer')} of other models and "
                f"{self.reference_n:,} of its own were judged"
            )
        on = (
            f"on the same {number_of(self.n, 'prompt')}"
            if self.paired
            else (f"on different prompts: n = {self.n:,} and {self.reference_n:,}")
        )
        sure = (
            "no interval from so few"
            if math.isnan(self.low)
            else f"95 %: {self.low:+.3f} to {self.high:+.3f}"
        )
        return (
            f"{self.kept:.0%} of the quality of {self.reference} kept: {self.label} "
            f"{self.quality:.3f} instead of {self.reference_quality:.3f} "
            f"({self.difference:+.3f}; {sure}; {on})"
        )


def maintenance(
    requests: pd.DataFrame, outcomes: pd.DataFrame, reference: str, *, label: str | None = None
) -> Maintenance:
    """Compare how routed answers were judged with how those of a reference model were.

    Parameters
    ----------
    requests, outcomes
        As the ledger's frames. Routed are the answers whose model a strategy chose, be it the
        reference itself; its own are all that it gave.
    reference
        `provider:model`.
    label
        `score` or `success`; by default `score` where there is any.

    Raises
    ------
    UsageError
        For a reference that answered nothing, with the nearest.

    Notes
    -----
    Where the reference's answers to at least two of the prompts were judged too, those prompts
    alone are compared, each with the means of its answers; a prompt whose only answers are routed
    ones of the reference itself is not among them, for it would be compared with itself. Else the
    two sets of prompts differ, and so may what makes them hard: the line says so. Where every
    routed answer is one of the reference, nothing is compared.
    """
    label = label_of(outcomes, label)
    answers = judged_answers(requests, outcomes)
    names = sorted(answers["name"].unique())
    if reference not in names:
        raise UsageError(f"{reference!r} has answered nothing{did_you_mean(reference, names)}")
    known = answers[answers[label].notna()]
    is_routed, is_theirs = known["asked"].isna(), known["name"] == reference
    routed, theirs = known[is_routed], known[is_theirs]
    # A prompt that only the reference answered, by routing, would be compared with itself.
    told = known.loc[is_routed != is_theirs, "prompt_sha256"]
    both = (
        _by_prompt(routed[routed["prompt_sha256"].isin(told)], label)
        .to_frame("ours")
        .join(_by_prompt(theirs, label).to_frame("theirs"), how="inner")
    )
    paired = len(both) >= _FEWEST_PAIRS
    if not (is_routed & ~is_theirs).any():
        routed = routed[:0]  # its own answers alone: nothing to compare
    ours, base = (both["ours"], both["theirs"]) if paired else (routed[label], theirs[label])
    half = half_width(both["ours"] - both["theirs"]) if paired else welch(ours, base)
    between = mean(ours) - mean(base)
    return Maintenance(
        reference, label, paired, len(ours), len(base), mean(ours), mean(base),
        between - half, between + half,
    )  # fmt: skip


def _by_prompt(answers: pd.DataFrame, label: str) -> pd.Series[float]:
    return answers.groupby("prompt_sha256")[label].mean()
