# /// script
# dependencies = ["numpy", "pandas", "pyarrow"]
# ///
"""Fit, validate and write the weights of `multimodel_magic.scoring`.

    python tools/fit_complexity.py DATA            validate across sources, then write the weights
    python tools/fit_complexity.py DATA --check    refit and compare with the shipped file

DATA holds prompts.parquet, outcomes.parquet and pairs.json, made from
  ulab-uiuc/LLMRouter @ 4e7a7969 (MIT; 13 tasks, 9 models),
  WildEval/ZeroEval @ 8c1485ed (Apache-2.0; MATH level 5, 42 models),
  lm-sys/RouteLLM @ 0b64fdaf (Apache-2.0; a slice of MMLU, 2 models).
Nothing else is read but `everyday_prompts.txt` beside this file, which we wrote.

Method. Every signal has a sign and a prior weight that we set by hand (ASKED, BORNE). The data may
move those of BORNE: ridge towards the prior, the sign kept, at least a quarter of the prior kept,
because a freer fit on these sources does not carry over to a source it has not seen (the table
shows it). The label is the difficulty of a prompt within its source: one minus the mean score of
all models, standardised, so that no source's level or format is learnt. Each source weighs the
same. Then the raw score is mapped to its share of a mixture: each source alike, everyday prompts
a quarter. Everything is deterministic; numpy only.

What there is to gain. The APGR counts where the strong model is right and the weak one is not, and
that is not where a prompt is hard: on mathematics, code, trivia and puzzles the hardest prompts
defeat both, so that even the true difficulty ranks worse than a coin there, and better elsewhere
(its column). "others' answers" is a ceiling: the real answers of the other models to the very
prompt, fitted inside the source. A weight that may follow the sign of one source is wrong on the
next.

How sure it is. The mean of the headline has a standard error of about 0.01, three quarters of its
variance from the 200 puzzles of one group; a coin's mean varies by 0.008. So changes of some
thousandths say nothing there. A weight is set by hand only to what holds in the broad panel
(`routing_measure.py`) by several of its standard errors, and with every family left out.

Kinds. A source is all of one kind, so neither panel can see what code, mathematics and small talk
need of a model, and a person's prompts are of all kinds. The mixed panel can: thirteen tasks as one
heap. It has set the weight of "code", and made it a yes or no: within a field, more words of it
make nothing harder.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from routing_measure import Mixed, Panel, Scores, ceiling, columns, read_mixed, read_panels

from multimodel_magic import scoring

HERE = Path(__file__).parent
TARGET = HERE.parent / "multimodel_magic" / "scoring_weights.py"
ASKED = {
    # What the text asks for varies between sources far more than within one, so a fit within
    # sources cannot see it: these weights are ours, and stay.
    "proof": 3.0,
    "reasoning": 1.3,
    "data": 0.9,
    "code": 2.0,
    "pasted_code": 0.6,
    "formula": 0.6,
    "maths": 0.3,
    "steps": 0.5,
    "items": 0.8,
    "constraint": 0.3,
    "example": 0.6,
    # What any model can do.
    "chore": -0.5,
    "greeting": -1.5,
    "small_sum": -1.5,
}
BORNE = {
    # How much there is to keep in mind: fitted, from here.
    "length": 1.3,
    "person": 0.7,
    "negation": 0.8,
    "comparison": 0.4,
    "connective": 0.4,
    "names": 0.3,
    "clauses": 0.2,
    "numbers": 0.1,
    "rare": 0.15,
    "question": 0.6,
    "why": 0.4,
}
PRIOR = {**ASKED, **BORNE}
FLOOR = 0.25
PENALTY = 10.0
SWEEPS = 400
EVERYDAY_SHARE = 0.25
STEPS = 20
TIMED_CHARACTERS = 3000
REPEATS = 9
FAMILIES = {
    "routellm_mmlu_gold": "mmlu",
    "llmrouter_mmlu": "mmlu",
    "zeroeval_mathl5": "mathematics",
    "llmrouter_math": "mathematics",
    "llmrouter_gsm8k": "mathematics",
    "llmrouter_arc_challenge": "school questions",
    "llmrouter_openbook_qa": "school questions",
    "llmrouter_commonsense_qa": "school questions",
    "llmrouter_natural_qa": "trivia",
    "llmrouter_trivia_qa": "trivia",
    "llmrouter_mbpp": "code",
    "llmrouter_human_eval": "code",
}


@dataclass(frozen=True, slots=True)
class Data:
    """The prompts with what was measured on them, row by row."""

    prompts: list[str]
    source: np.ndarray
    signals: np.ndarray
    difficulty: np.ndarray
    headline: Panel
    broad: Panel
    mixed: Mixed

    @property
    def family(self) -> np.ndarray:
        """The family of sources of each row."""
        return np.array([FAMILIES.get(name, name) for name in self.source])


def load(folder: Path) -> Data:
    """Read the data folder and measure every prompt."""
    prompts = pd.read_parquet(folder / "prompts.parquet")
    outcomes = pd.read_parquet(folder / "outcomes.parquet")
    source = prompts.bench.to_numpy(dtype=str)
    keys = pd.MultiIndex.from_frame(prompts[["bench", "pid"]])
    mean = outcomes.groupby(["bench", "pid"]).score.mean().reindex(keys).to_numpy(float)
    signals = np.array([scoring.read(text).measured for text in prompts.prompt])
    return Data(
        prompts.prompt.tolist(), source, signals, within(1 - mean, source),
        *read_panels(folder, keys), read_mixed(folder, keys),
    )  # fmt: skip


def within(values: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Standardise within each source, so that only differences inside it are left."""
    out = np.zeros_like(values, dtype=float)
    for name in np.unique(source):
        here = source == name
        out[here] = (values[here] - values[here].mean()) / (values[here].std() or 1.0)
    return out


def centred(values: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Subtract each source's mean, column by column."""
    out = values.astype(float).copy()
    for name in np.unique(source):
        out[source == name] -= values[source == name].mean(axis=0)
    return out


def fit(data: Data, keep: np.ndarray, penalty: float = PENALTY) -> np.ndarray:
    """Fit weights on the kept rows: ridge towards the prior, signs kept; prior's own unit."""
    prior = np.array([PRIOR[name] for name in scoring.SIGNALS])
    source = data.source[keep]
    names, counts = np.unique(source, return_counts=True)
    share = 1 / counts[np.searchsorted(names, source)] / len(names)
    x = centred(data.signals[keep], source)
    gram = (x * share[:, None]).T @ x
    aim = (x * share[:, None]).T @ data.difficulty[keep]
    # The prior says only directions and proportions; its strength is this one number.
    strength = abs(float(prior @ aim) / float(prior @ gram @ prior))
    anchor = penalty * (np.diag(gram) + 1e-6)
    gram = gram + np.diag(anchor)
    aim = aim / strength + anchor * prior
    weights = prior.copy()
    fitted = [k for k, name in enumerate(scoring.SIGNALS) if name in BORNE]
    for _ in range(SWEEPS):
        for k in fitted:
            free = weights[k] + (aim[k] - gram[k] @ weights) / gram[k, k]
            weights[k] = np.sign(prior[k]) * max(free * np.sign(prior[k]), FLOOR * abs(prior[k]))
    return weights


def held_out(data: Data, block: np.ndarray, penalty: float = PENALTY) -> Scores:
    """Score each source with weights that were fitted without its block of sources."""
    score_of: dict[str, np.ndarray] = {}
    for name in np.unique(block):
        raw = data.signals @ fit(data, block != name, penalty)
        score_of.update(dict.fromkeys(np.unique(data.source[block == name]), raw))
    return score_of


def everywhere(data: Data, score: np.ndarray) -> Scores:
    """Use one score for all sources."""
    return dict.fromkeys(np.unique(data.source), score)


def calibrate(data: Data, weights: np.ndarray) -> list[float]:
    """Find the raw scores at equal shares of the reference mixture."""
    lines = (HERE / "everyday_prompts.txt").read_text(encoding="utf-8").splitlines()
    everyday = [line for line in lines if line and not line.startswith("#")]
    extra = np.array([scoring.read(text).measured for text in everyday]) @ weights
    names, counts = np.unique(data.source, return_counts=True)
    per_row = (1 - EVERYDAY_SHARE) / counts[np.searchsorted(names, data.source)] / len(names)
    raw = np.r_[data.signals @ weights, extra]
    share = np.r_[per_row, np.full(len(extra), EVERYDAY_SHARE / len(extra))]
    order = np.argsort(raw, kind="stable")
    middle = np.cumsum(share[order]) - share[order] / 2
    knots = np.interp(np.linspace(0, 1, STEPS + 1), middle, raw[order])
    for k in range(1, len(knots)):
        # Equal raw scores at the low end would make an empty step.
        knots[k] = max(knots[k], knots[k - 1] + 0.01)
    return [round(float(knot), 4) for knot in knots]


def render(weights: np.ndarray, knots: list[float]) -> str:
    """Write the module that ships."""
    lines = [
        f'    "{name}": {weight:.4f},'
        for name, weight in zip(scoring.SIGNALS, weights, strict=True)
    ]
    numbers = [f"    {knot:.4f}," for knot in knots]
    return "\n".join([*HEADER, *lines, "}", *MIDDLE, *numbers, ")", ""])


THAN = "source out"
OTHERS = "others' answers"
"""The columns that the table is about, and above which nobody gets."""

HEADER = (
    '"""Weights of the signals of `scoring`, and how raw scores map to [0, 1].',
    "",
    "Made by tools/fit_complexity.py; do not edit. Fitted on ulab-uiuc/LLMRouter @ 4e7a7969 (MIT),",
    "WildEval/ZeroEval @ 8c1485ed (Apache-2.0) and lm-sys/RouteLLM @ 0b64fdaf (Apache-2.0).",
    '"""',
    "",
    "from __future__ import annotations",
    "",
    '__all__ = ["KNOTS", "WEIGHTS"]',
    "",
    "WEIGHTS: dict[str, float] = {",
)
MIDDLE = (
    '"""What one unit of a signal adds to the raw score."""',
    "",
    "KNOTS: tuple[float, ...] = (",
)


def compared(data: Data) -> dict[str, Scores]:
    """Score every prompt by what docs/complexity.md compares."""
    return {
        "seed": everywhere(data, np.array([scoring.seed_complexity(one) for one in data.prompts])),
        "length": everywhere(data, np.array([float(len(one)) for one in data.prompts])),
        "source out": held_out(data, data.source),
        "family out": held_out(data, data.family),
    }


def headline(data: Data, score_of: dict[str, Scores]) -> pd.DataFrame:
    """Tabulate the pairs of pairs.json by group."""
    table = columns(data.headline, score_of, THAN)
    table[OTHERS] = ceiling(data.headline)
    table.loc["mean", OTHERS] = table[OTHERS].mean()
    return table


def markdown(table: pd.DataFrame) -> str:
    """Write the headline as it stands in docs/complexity.md."""
    names = ["seed", "length", THAN, "family out"]
    figures = table[[*names, f"s.e. ({THAN})", OTHERS]].map("{:.3f}".format)
    # Below a mean stands its standard error, as a row: in the document it is a column.
    figures.loc["mean", f"s.e. ({THAN})"] = figures[THAN].iloc[-5]
    figures.loc["weighted mean", f"s.e. ({THAN})"] = figures[THAN].iloc[-3]
    figures.loc["mean", THAN] = f"**{figures.loc['mean', THAN]}**"
    figures.loc["weighted mean", OTHERS] = ""
    figures = figures.iloc[[*range(len(figures) - 6), -6, -4]]
    figures = figures.rename({"mean": "**mean**", "weighted mean": "weighted by noise"})
    head = ["group", *names, "±", "other models' answers"]
    rows = [[str(label), *row] for label, row in zip(figures.index, figures.values, strict=True)]
    lines = [f"| {' | '.join(row)} |".replace("|  |", "| |") for row in [head, *rows]]
    return "\n".join([lines[0], "|---" * len(head) + "|", *lines[1:]])


def validate(data: Data) -> None:
    """Print how well it does on sources that it was not fitted on, beside the baselines."""
    prior = np.array([PRIOR[name] for name in scoring.SIGNALS])
    everything = np.ones(len(data.source), dtype=bool)
    plain = {
        "prior": data.signals @ prior,
        "in sample": data.signals @ fit(data, everything),
        "true difficulty": data.difficulty,
    }
    score_of = compared(data) | {name: everywhere(data, score) for name, score in plain.items()}
    score_of["freer fit, source out"] = held_out(data, data.source, PENALTY / 300)
    table = headline(data, score_of)
    print("headline: the pairs of pairs.json by group\n", table.round(3).to_string(na_rep=""))
    broad = columns(data.broad, score_of, THAN)
    print("\nbroad: all pairs of a source\n", broad.round(3).to_string(na_rep=""))
    mixed = data.mixed.table(score_of, THAN)
    print("\nmixed: all tasks as one heap\n", mixed.round(3).to_string(na_rep=""))
    print("\ndocs/complexity.md\n", markdown(table), sep="")


def elapsed_us(scorer: Callable[[str], object], text: str) -> float:
    """Time one call, in microseconds."""
    begin = time.perf_counter_ns()
    scorer(text)
    return (time.perf_counter_ns() - begin) / 1000


def report_time(data: Data) -> None:
    """Print what scoring one prompt of 3,000 characters takes, in microseconds.

    Of each prompt the best of `REPEATS`, so that a busy machine does not speak for the scorer.
    """
    half = TIMED_CHARACTERS // 2
    long = [text[:half] for text in data.prompts if len(text) >= half]
    prompts = [f"{one}\n{two}" for one, two in zip(long, long[7:], strict=False)]
    for name, scorer in (("score", scoring.score), ("complexity", scoring.complexity)):
        taken = [min(elapsed_us(scorer, text) for _ in range(REPEATS)) for text in prompts]
        middle, slow = np.percentile(taken, [50, 99])
        print(f"{name}: median {middle:.0f} us, p99 {slow:.0f} us at {TIMED_CHARACTERS} characters")


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    options = parser.parse_args()
    data = load(options.data)
    weights = fit(data, np.ones(len(data.source), dtype=bool)).round(4)
    text = render(weights, calibrate(data, weights))
    if options.check:
        same = TARGET.read_text() == text
        print("the shipped weights are reproduced" if same else "the shipped weights differ")
        return 0 if same else 1
    validate(data)
    report_time(data)
    TARGET.write_text(text)
    print(f"wrote {TARGET}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
