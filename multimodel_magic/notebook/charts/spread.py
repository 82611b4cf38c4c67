"""How values are spread: `latency`, `tokens` and `complexity`."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from multimodel_magic import metrics
from multimodel_magic.exchange import Books
from multimodel_magic.notebook.charts.paint import (
    COLOURS,
    INK,
    REST,
    asked,
    colours,
    dress,
    heading,
    names,
    nothing,
    panels,
    short,
    text,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["complexity", "latency", "tokens"]

MOST_PANELS = 6
MOST_IN_ONE_COLUMN = 3
_BINS = 20


def latency(books: Books, ax: Axes) -> str:
    """Draw which share of a model's answers came within a time; a small panel a model."""
    attempts = asked(books.attempts)
    answers = attempts[attempts["status"] == "answered"]
    title = f"Latency of answers (n = {len(answers):,})"
    if answers.empty:
        return nothing(ax, title, "no answers yet")
    model = names(answers)
    shown = list(model.value_counts().index[:MOST_PANELS])
    left = model.nunique() - len(shown)
    more = f"; {left} models with fewer answers are not shown" if left else ""
    heading(ax, title, f"share of answers that came within so many seconds{more}", lift=14)
    labelled, hues = short(shown), colours(attempts)
    columns = 1 if len(shown) < MOST_IN_ONE_COLUMN else 2
    made = panels(ax, math.ceil(len(shown) / columns), columns)
    said = []
    for panel, name in zip(made, shown, strict=False):
        seconds = answers.loc[model == name, "latency_s"].clip(lower=1e-3)
        said.append(_ecdf(panel, seconds, labelled[name], hues.get(name, REST)))
    for spare in made[len(shown) :]:
        spare.set_visible(False)
    _seconds_axis(
        made[: len(shown)], columns, answers.loc[model.isin(shown), "latency_s"].clip(lower=1e-3)
    )
    return f"{title}: {'; '.join(said)}."


def _ecdf(panel: Axes, seconds: pd.Series[float], name: str, hue: str) -> str:
    n = len(seconds)
    p50, p95 = (seconds.quantile(at) for at in (0.5, 0.95))
    few = "" if n >= metrics.RELIABLE_P95_N else "?"
    panel.ecdf(seconds, color=hue, linewidth=2)
    panel.plot([p50, p95], [0.5, 0.95], "o", color=hue, markersize=5, clip_on=False)
    dress(panel, grid="both")
    panel.set_ylim(0, 1)
    panel.set_yticks([0, 0.5, 1], ["0 %", "50 %", "100 %"])
    said = f"{name}: median {p50:.2g} s, p95 {p95:.2g} s{few} (n = {n:,})"
    panel.set_title(said, loc="left", fontsize=9.5, color=INK, pad=3)
    return said + (", too few for a p95" if few else "")


def _seconds_axis(made: list[Axes], columns: int, seconds: pd.Series[float]) -> None:
    if seconds.max() > 10 * seconds.min():
        made[0].set_xscale("log")
        made[0].set_xlim(seconds.min() * 0.8, seconds.max() * 1.25)
    else:
        made[0].set_xlim(0, seconds.max() * 1.05)
    made[0].xaxis.set_major_formatter("{x:g}")
    for place, panel in enumerate(made):
        panel.tick_params(labelbottom=place >= len(made) - columns, labelleft=place % columns == 0)
        if place >= len(made) - columns:
            panel.set_xlabel("latency (s)", color=INK)


_KINDS = {
    "input": "input, not cached",
    "cache_read_tokens": "input, from the cache",
    "answer": "output",
    "reasoning_tokens": "output, reasoning",
}


def tokens(books: Books, ax: Axes) -> str:
    """Draw how many tokens of each kind each model took and gave, failed attempts included."""
    attempts = asked(books.attempts)
    known = attempts[attempts["input_tokens"].notna() | attempts["output_tokens"].notna()]
    title = f"Tokens by model (n = {len(known):,} attempts)"
    if known.empty:
        return nothing(ax, title, "no attempt with counted tokens yet")
    table = _token_table(known)
    kinds = [kind for kind in _KINDS if kind in ("input", "answer") or table[kind].sum()]
    estimated = int(known["usage_estimated"].fillna(False).astype(bool).sum())
    note = f"{estimated:,} of them were counted by us, not the vendor" if estimated else ""
    heading(ax, title, note, lift=14)
    labelled, hues = short(table.index), colours(attempts)
    bars = [hues.get(name, REST) for name in table.index]
    made = panels(ax, 1, len(kinds), share="y")
    for panel, kind in zip(made, kinds, strict=True):
        _bars(panel, table[kind], bars, first=panel is made[0])
        panel.set_title(_KINDS[kind], loc="left", fontsize=9.5, color=INK, pad=3)
    made[0].set_yticks(range(len(table)), [labelled[name] for name in table.index])
    made[0].invert_yaxis()
    ax.set_xlabel("tokens", color=INK, labelpad=18)
    said = "; ".join(
        f"{labelled[name]} " + ", ".join(f"{row[kind]:,.0f} {_KINDS[kind]}" for kind in kinds)
        for name, row in zip(map(str, table.index), table.to_dict("records"), strict=True)
    )
    return f"{title}: {said}."


def _token_table(known: pd.DataFrame) -> pd.DataFrame:
    counts = known[
        ["input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens"]
    ].fillna(0)
    made = counts.astype("int64").groupby(names(known)).sum()
    made["input"] = made["input_tokens"] - made["cache_read_tokens"]
    made["answer"] = made["output_tokens"] - made["reasoning_tokens"]
    made["all"] = made["input_tokens"] + made["output_tokens"]
    return made.sort_values("all", ascending=False).head(10)


def _bars(panel: Axes, counts: pd.Series[int], hues: list[str], *, first: bool) -> None:
    places = range(len(counts))
    panel.barh(places, counts, height=0.6, color=hues)
    dress(panel, grid="x")
    most = max(int(counts.max()), 1)
    panel.set_xlim(0, most * 1.45)
    panel.set_xticks([0, most])
    panel.xaxis.set_major_formatter(lambda value, _: _brief(value))
    panel.tick_params(axis="y", length=0, labelleft=first)
    for place, count in zip(places, counts, strict=True):
        text(panel, count + most * 0.04, place, _brief(count), fontsize=9)


def _brief(count: float) -> str:
    """Write a count in four characters or so.

    Examples
    --------
    >>> [_brief(n) for n in (0, 950, 12_345, 2_500_000)]
    ['0', '950', '12k', '2.5M']
    """
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if count >= size:
            return (
                f"{count / size:.2g}{letter}"
                if count < 100 * size
                else f"{count / size:.0f}{letter}"
            )
    return f"{count:.0f}"


_CUT = re.compile(r"(?:<|>=) (\d\.\d+)")


def complexity(books: Books, ax: Axes) -> str:
    """Draw how complex the prompts looked, with the cuts between the tiers."""
    from matplotlib.ticker import MaxNLocator

    judged = list(_clauses(books.requests))
    scores = [score for score, _ in judged if score is not None]
    title = f"Complexity of prompts (n = {len(scores):,})"
    if not scores:
        return nothing(ax, title, "no request was routed by complexity yet")
    unclear = len(judged) - len(scores)
    heading(ax, title, f"{unclear:,} more had no signal: they take the middle tier" * (unclear > 0))
    dress(ax, "complexity, 0 to 1", "requests")
    ax.hist(scores, bins=_BINS, range=(0, 1), color=COLOURS[0], rwidth=0.92)
    ax.set_xlim(0, 1)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    cuts = sorted({float(cut) for _, saw in judged for cut in _CUT.findall(saw)})
    for cut in cuts:
        ax.axvline(cut, color=COLOURS[3], linewidth=1.8, linestyle="--")
    shares = _between(scores, cuts)
    edges = [0.0, *cuts, 1.0]
    top = ax.get_ylim()[1] * 1.12
    ax.set_ylim(0, top)
    for low, high, count in zip(edges, edges[1:], shares, strict=False):
        text(ax, (low + high) / 2, top * 0.97, f"{count:,}", ha="center", fontweight="bold")
    said = ", ".join(f"{cut:g}" for cut in cuts)
    counts = " / ".join(f"{count:,}" for count in shares)
    return f"{title}: {counts} requests between the cuts at {said or 'none'}; {unclear:,} unclear."


def _clauses(requests: pd.DataFrame) -> Iterator[tuple[float | None, str]]:
    """Find what the strategy `complexity` said of each request: the score, and what it saw."""
    for said in requests["reasons"].dropna():
        clause = next((c for c in json.loads(said) if c["rule"] == "complexity"), None)
        if clause is not None:
            yield clause["score"], clause["saw"]


def _between(scores: list[float], cuts: list[float]) -> list[int]:
    counts = Counter(sum(score >= cut for cut in cuts) for score in scores)
    return [counts[place] for place in range(len(cuts) + 1)]
