"""How well a score routes, and how sure that is: the measure behind `fit_complexity.py`.

The APGR of a score is the area under PGR(c): the share of the gap between a weak and a strong model
that is closed when the share c of the prompts, those with the highest scores, goes to the strong
one (RouteLLM, arXiv 2406.18665). It is also the mean rank of the prompts, from 0 to 1, weighted by
what the strong model gains on each; a coin has 0.5.

Two panels are measured. `headline` has the pairs of pairs.json, averaged by group. `broad` has
every pair of a source whose strong model is at least `LEAST_GAIN` better and whose weak one is at
least half as good (less is mostly a model that missed the format), averaged: the same prompts, many
more answers, less noise.

A third, `mixed`, puts the tasks of one study together, each with the same share: it alone sees
whether the kinds of prompts are told apart that need a strong model more and less.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

__all__ = [
    "Entry",
    "Mixed",
    "Panel",
    "Scores",
    "ceiling",
    "columns",
    "read_mixed",
    "read_panels",
]

LEAST_GAIN = 0.1
DRAWS = 400
SEED = 20240318
SPREAD = 0.02
"""About how much the APGR of one score differs between sources beyond noise."""
STUDY = "llmrouter_"
"""The sources that were all put to the same models."""
OF_A_KIND = frozenset({"codegemma-7b", "llama3-chatqa-1.5-8b", "llama3-chatqa-1.5-70b"})
"""Models made for one kind of task (code, reading): to send that there is no matter of hardness."""
ONE_SIGMA = (16, 84)
FOLDS = 10
RIDGE = 30.0

Scores = Mapping[str, np.ndarray]
"""For each source, scores of the rows of all sources: what a scorer says that never saw it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a strong model gains over a weak one on each prompt of a source."""

    label: str
    """The row of the table that it counts in."""
    source: str
    rows: np.ndarray
    gain: np.ndarray
    others: np.ndarray
    """What the other models of the source scored on the same prompts, one column a model."""

    def apgr(self, scores: Scores, times: np.ndarray) -> np.ndarray:
        """Return the APGR where prompt k counts `times[:, k]` times; ties in expectation."""
        level = np.unique(scores[self.source][self.rows], return_inverse=True)[1]
        order = np.argsort(level, kind="stable")
        starts = np.flatnonzero(np.r_[True, np.diff(level[order]) > 0])
        held = np.add.reduceat(times[:, order], starts, axis=1)
        upto = np.cumsum(held, axis=1)
        rank = (upto - held / 2) / upto[:, -1:]
        gain = times * self.gain
        with np.errstate(divide="ignore", invalid="ignore"):
            return (rank[:, level] * gain).sum(axis=1) / gain.sum(axis=1)

    def noise(self) -> float:
        """Return the standard deviation of the APGR of a coin."""
        spread = float(self.gain.std() / self.gain.mean())
        return spread / np.sqrt(12 * len(self.gain))


@dataclass(frozen=True, slots=True)
class Panel:
    """What a score is measured on."""

    entries: list[Entry]

    @property
    def labels(self) -> list[str]:
        """The rows of the table, in order."""
        return list(dict.fromkeys(entry.label for entry in self.entries))

    def shares(self) -> np.ndarray:
        """Return what each row counts for in the weighted mean: less where there is more noise."""
        noise = np.array([[entry.noise()] for entry in self.entries])
        weight = 1 / (self._by_label(noise)[:, 0] ** 2 + SPREAD**2)
        return weight / weight.sum()

    def measure(self, scores: Scores) -> np.ndarray:
        """Return the APGR of each row."""
        once = [entry.apgr(scores, np.ones((1, len(entry.rows)))) for entry in self.entries]
        return self._by_label(np.array(once))[:, 0]

    def resample(self, scores: Scores) -> np.ndarray:
        """Return the APGR of each row in `DRAWS` bootstrap samples of the prompts of each source.

        The samples are the same for every score, so that differences of two scores are paired.
        """
        drawn = [entry.apgr(scores, draw(entry)) for entry in self.entries]
        return self._by_label(np.array(drawn))

    def _by_label(self, values: np.ndarray) -> np.ndarray:
        """Average the entries of a row."""
        of = np.array([self.labels.index(entry.label) for entry in self.entries])
        return np.array([values[of == k].mean(axis=0) for k in range(len(self.labels))])


@dataclass(frozen=True, slots=True)
class Mixed:
    """All tasks of a study as one heap of prompts, each task with the same share of it."""

    rows: np.ndarray
    task: np.ndarray
    gains: dict[str, np.ndarray]
    """What a strong model gains over a weak one on each row, by pair."""

    def table(self, score_of: Mapping[str, Scores], than: str) -> pd.DataFrame:
        """Tabulate the APGR of each score by pair, and the mean with its standard error.

        The error is a jackknife over the tasks: there are few, and whole tasks are what a new
        user's prompts will differ by. The last two rows are the difference to `than`.
        """
        tasks = np.unique(self.task)
        without = {
            name: np.array([self.by_pair(scores, self.task != task).mean() for task in tasks])
            for name, scores in score_of.items()
        }
        base = self.by_pair(score_of[than], self.task != "").mean()
        told = {}
        for name, scores in score_of.items():
            by_pair = self.by_pair(scores, self.task != "")
            told[name] = [
                *by_pair, by_pair.mean(), jackknife_error(without[name]),
                by_pair.mean() - base, jackknife_error(without[name] - without[than]),
            ]  # fmt: skip
        return pd.DataFrame(told, index=[*self.gains, "mean", "  s.e.", f"less {than}", "  s.e."])

    def by_pair(self, score_of: Scores, kept: np.ndarray) -> np.ndarray:
        """Return the APGR of each pair on the kept rows; ties by half, as everywhere."""
        score = np.zeros(len(self.rows))
        for task in np.unique(self.task):
            here = self.task == task
            score[here] = score_of[task][self.rows[here]]
        names, counts = np.unique(self.task[kept], return_counts=True)
        share = 1 / counts[np.searchsorted(names, self.task[kept])] / len(names)
        level = np.unique(score[kept], return_inverse=True)[1]
        held = np.bincount(level, weights=share)
        rank = (np.cumsum(held) - held / 2)[level] * share
        return np.array([rank @ gain[kept] / (share @ gain[kept]) for gain in self.gains.values()])


def jackknife_error(left_out: np.ndarray) -> float:
    """Return the standard error of a mean from its values with each part left out in turn."""
    return float(np.sqrt((len(left_out) - 1) * left_out.var()))


def draw(entry: Entry) -> np.ndarray:
    """Say how often each prompt is in each bootstrap sample, alike for all pairs of a source."""
    size = len(entry.rows)
    rng = np.random.default_rng([SEED, *entry.source.encode()])
    return rng.multinomial(size, np.full(size, 1 / size), size=DRAWS).astype(float)


def standard_error(drawn: np.ndarray) -> float:
    """Return half of what two thirds of the samples span: small gains make wild outliers."""
    low, high = np.nanpercentile(drawn, ONE_SIGMA)
    return float(high - low) / 2


def columns(panel: Panel, score_of: Mapping[str, Scores], than: str) -> pd.DataFrame:
    """Tabulate the APGR of each score: by row, and its means with their standard errors.

    The last two rows are the weighted mean of the differences to the score called `than`.
    """
    share = panel.shares()
    base, base_drawn = panel.measure(score_of[than]), panel.resample(score_of[than])
    table = {}
    for name, scores in score_of.items():
        row, drawn = panel.measure(scores), panel.resample(scores)
        table[name] = [
            *row, row.mean(), standard_error(drawn.mean(axis=0)),
            row @ share, standard_error(share @ drawn),
            (row - base) @ share, standard_error(share @ (drawn - base_drawn)),
        ]  # fmt: skip
    table[f"s.e. ({than})"] = [*map(standard_error, base_drawn), *[np.nan] * 6]
    means = ["mean", "  s.e.", "weighted mean", "  s.e.", f"less {than}", "  s.e."]
    return pd.DataFrame(table, index=[*panel.labels, *means])


def read_panels(folder: Path, keys: pd.MultiIndex) -> tuple[Panel, Panel]:
    """Read the headline and the broad panel; `keys` are (source, prompt id) of the rows."""
    outcomes = pd.read_parquet(folder / "outcomes.parquet")
    rows = pd.Series(np.arange(len(keys)), index=keys)
    answers = {
        str(source): here.pivot_table(index="pid", columns="model", values="score")
        for source, here in outcomes.groupby("bench", sort=False)
    }
    specs = json.loads((folder / "pairs.json").read_text())
    headline = [_pair(spec, answers[spec["bench"]], rows) for spec in specs]
    broad = [_every_pair(source, table, rows) for source, table in answers.items()]
    return Panel(headline), Panel([entry for entry in broad if entry is not None])


def read_mixed(folder: Path, keys: pd.MultiIndex) -> Mixed:
    """Read the mixed panel: every pair that counts, by the same rule as in the broad one."""
    outcomes = pd.read_parquet(folder / "outcomes.parquet")
    outcomes = outcomes[outcomes.bench.str.startswith(STUDY) & ~outcomes.model.isin(OF_A_KIND)]
    table = outcomes.pivot_table(index=["bench", "pid"], columns="model", values="score").fillna(0)
    rows = pd.Series(np.arange(len(keys)), index=keys).loc[table.index].to_numpy()
    mean = table.groupby(level="bench").mean().mean()
    return Mixed(
        rows,
        table.index.get_level_values("bench").to_numpy(str),
        {
            f"{weak} > {strong}": (table[strong] - table[weak]).to_numpy()
            for weak, strong in apart(mean)
        },
    )


def apart(mean: pd.Series) -> list[tuple[str, str]]:
    """Name the pairs of models that are far enough apart, though not too far, weak one first."""
    ordered = [sorted(pair, key=lambda name: mean[name]) for pair in combinations(mean.index, 2)]
    return [
        (weak, strong)
        for weak, strong in ordered
        if mean[strong] - mean[weak] >= LEAST_GAIN and mean[weak] >= mean[strong] / 2
    ]


def _pair(spec: dict[str, str], table: pd.DataFrame, rows: pd.Series) -> Entry:
    """Look up what the strong model of a pair gains over the weak one."""
    weak, strong = spec["weak"], spec["strong"]
    table = table.dropna(subset=[weak, strong])
    gain = (table[strong] - table[weak]).to_numpy(float)
    others = table.drop(columns=[weak, strong]).fillna(0).to_numpy(float)
    at = rows.loc[spec["bench"]].loc[table.index].to_numpy()
    return Entry(spec["group"], spec["bench"], at, gain, others)


def _every_pair(source: str, table: pd.DataFrame, rows: pd.Series) -> Entry | None:
    """Average the gains of all pairs that count, each in units of its own mean."""
    mean = table.fillna(0).mean()
    gains = [
        (table[strong].fillna(0) - table[weak].fillna(0)) / (mean[strong] - mean[weak])
        for weak, strong in apart(mean)
    ]
    if not gains:
        return None
    at = rows.loc[source].loc[table.index].to_numpy()
    return Entry(source, source, at, np.mean(gains, axis=0), np.empty((len(at), 0)))


def ceiling(panel: Panel) -> pd.Series:
    """Return by row what the other models' answers tell, where the source has other models."""
    rows = [(entry.label, _told(entry)) for entry in panel.entries if entry.others.shape[1]]
    return pd.DataFrame(rows, columns=["label", "apgr"]).groupby("label", sort=False).apgr.mean()


def _told(entry: Entry) -> float:
    """Find the APGR of what the other models did on the very prompts: a ceiling, not a router.

    Ridge in ten folds inside the source, so it knows the source as well, which no scorer does.
    """
    fold = np.arange(len(entry.gain)) % FOLDS
    told = np.zeros(len(entry.gain))
    for k in range(FOLDS):
        x, y = entry.others[fold != k], entry.gain[fold != k]
        spread = x - x.mean(axis=0)
        gram = spread.T @ spread + RIDGE * np.eye(x.shape[1])
        told[fold == k] = (entry.others[fold == k] - x.mean(axis=0)) @ np.linalg.solve(
            gram, spread.T @ (y - y.mean())
        )
    scores = np.zeros(entry.rows.max() + 1)
    scores[entry.rows] = told
    return float(entry.apgr({entry.source: scores}, np.ones((1, len(told))))[0])
