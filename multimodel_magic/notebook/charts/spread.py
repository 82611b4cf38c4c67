"""How values are spread: `latency`, `tokens` and `complexity`."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from multimodel_magic import metrics
from multimodel_magic.exchange import Books
from multimodel_magic.notebook.charts.lettering import bold, fitted, short
from multimodel_magic.notebook.charts.paint import (
    COLOURS,
    INK,
    NOT_SHOWN,
    REST,
    asked,
    beside,
    dress,
    heading,
    log_ticks,
    looks,
    names,
    no_answers,
    nothing,
    panels,
    text,
)
from multimodel_magic.wording import number_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["complexity", "latency", "tokens"]

MOST_PANELS = 4
"""Up to so many models have a panel each; more have a row each."""
MOST_ROWS = 12
_IN_A_ROW = 3
_LOG_FROM = 5
"""Largest over smallest, from where on an axis is logarithmic."""
_BINS = 20


def latency(books: Books, ax: Axes) -> str:
    """Draw how long a model's answers took: the share within a time, or rows of quantiles."""
    attempts = asked(books.attempts)
    answers = attempts[attempts["status"] == "answered"]
    title = f"Latency of answers (n = {len(answers):,})"
    if answers.empty:
        return nothing(ax, title, no_answers(attempts))
    model = names(answers)
    shown = list(model.value_counts().index[:MOST_ROWS])
    labelled = short(shown)
    by_model = {
        labelled[name]: answers.loc[model == name, "latency_s"].clip(lower=1e-3) for name in shown
    }
    hues = [looks(attempts)[name].hue for name in shown]
    draw = _curves if len(shown) <= MOST_PANELS else _rows
    note = draw(ax, by_model, hues)
    left = model.nunique() - len(shown)
    more = f"; {number_of(left, *NOT_SHOWN)}" if left else ""
    few = any(len(seconds) < metrics.RELIABLE_P95_N for seconds in by_model.values())
    more += f"; ? fewer than {metrics.RELIABLE_P95_N} answers" if few else ""
    heading(ax, title, f"{note}{more}", lift=24 if draw is _curves else 0)
    said = "; ".join(f"{name}: {_quantiles(seconds)}" for name, seconds in by_model.items())
    return f"{title}: {said}."


def _quantiles(seconds: pd.Series[float]) -> str:
    p50, p95 = (seconds.quantile(at) for at in (0.5, 0.95))
    few = "" if len(seconds) >= metrics.RELIABLE_P95_N else "?"
    return f"median {p50:.2g} s, p95 {p95:.2g} s{few} (n = {len(seconds):,})"


def _brief_quantiles(seconds: pd.Series[float]) -> str:
    """Return the same for a chart that says what its first number is."""
    return _quantiles(seconds).removeprefix("median ")


def _curves(ax: Axes, by_model: Mapping[str, pd.Series[float]], hues: list[str]) -> str:
    """Draw a panel a model: the share of its answers that came within so many seconds."""
    columns = len(by_model) if len(by_model) <= _IN_A_ROW else 2
    made = panels(ax, math.ceil(len(by_model) / columns), columns, gap=0.75)
    brief = fitted(by_model)
    for panel, (name, seconds), hue in zip(made, by_model.items(), hues, strict=False):
        panel.ecdf(seconds, color=hue, linewidth=2)
        middle, most = (seconds.quantile(at) for at in (0.5, 0.95))
        panel.plot([middle, most], [0.5, 0.95], "o", color=hue, markersize=5, clip_on=False)
        dress(panel, grid="both")
        panel.set_ylim(0, 1)
        panel.set_yticks([0, 0.5, 1], ["0 %", "50 %", "100 %"])
        panel.set_title(
            f"{brief[name]}\n{_brief_quantiles(seconds)}", loc="left", fontsize=9, color=INK, pad=4
        )
    _seconds_axis(made[0], by_model, most=6 - columns)
    for place, panel in enumerate(made):
        last_row = place >= len(made) - columns
        panel.tick_params(labelbottom=last_row, labelleft=place % columns == 0)
        panel.set_xlabel("latency (s)" * last_row, color=INK)
    return "share of answers that came within so many seconds; dots and numbers: median, p95"


def _rows(ax: Axes, by_model: Mapping[str, pd.Series[float]], hues: list[str]) -> str:
    """Draw a row a model: from the 5th to the 95th percentile, the middle half, the median."""
    said = [_brief_quantiles(seconds) for seconds in by_model.values()]
    brief = list(fitted(by_model).values())
    left, right = (beside(ax, words, 9.5) for words in (brief, said))
    (panel,) = panels(ax, 1, left=left, right=1 - right)
    for place, (seconds, hue) in enumerate(zip(by_model.values(), hues, strict=True)):
        low, first, middle, third, high = (seconds.quantile(q) for q in _FIVE)
        panel.hlines(place, low, high, color=hue, linewidth=1.5)
        panel.hlines(place, first, third, color=hue, linewidth=7)
        panel.plot([middle], [place], "D", color=hue, markersize=6, markeredgecolor="white")
        text(panel, 1.02, place, said[place], fontsize=9.5, transform=panel.get_yaxis_transform())
    dress(panel, "latency (s)", grid="x")
    panel.set_yticks(range(len(brief)), brief)
    panel.set_ylim(len(brief) - 0.5, -0.5)
    _seconds_axis(panel, by_model, most=5)
    return "line: 5 % to 95 % of the answers, bar: the middle half; diamond, first number: median"


_FIVE = (0.05, 0.25, 0.5, 0.75, 0.95)


def _seconds_axis(panel: Axes, by_model: Mapping[str, pd.Series[float]], *, most: int) -> None:
    from matplotlib.ticker import NullLocator

    low = min(float(seconds.min()) for seconds in by_model.values())
    high = max(float(seconds.max()) for seconds in by_model.values())
    if high > _LOG_FROM * low:
        panel.set_xscale("log")
        panel.set_xlim(low / 1.25, high * 1.25)
        panel.set_xticks(log_ticks(low / 1.25, high * 1.25, most))
        panel.xaxis.set_minor_locator(NullLocator())
    else:
        panel.set_xlim(0, high * 1.05)
        panel.locator_params(axis="x", nbins=most)
    panel.xaxis.set_major_formatter("{x:g}")


_KINDS = {
    "input": "input, new",
    "cache_read_tokens": "input, cached",
    "answer": "output",
    "reasoning_tokens": "reasoning",
}
"""Columns of the table -> what they are called; the vendor's cache is meant."""


def tokens(books: Books, ax: Axes) -> str:
    """Draw how many tokens of each kind each model took and gave, failed attempts included."""
    attempts = asked(books.attempts)
    said = attempts[["input_tokens", "output_tokens"]].notna()
    known = attempts[said.any(axis="columns")]
    title = f"Tokens by model (n = {number_of(len(known), 'attempt')})"
    if known.empty:
        return nothing(ax, title, "no attempt with counted tokens yet")
    table = _token_table(known)
    kinds = [kind for kind in _KINDS if kind in ("input", "answer") or table[kind].sum()]
    note = _uncounted(known, unknown=int((~said.all(axis="columns")).sum()))
    heading(ax, title, note, lift=14)
    every = looks(attempts)
    labels = list(short(table.index).values())
    brief = list(fitted(labels).values())
    made = panels(ax, 1, len(kinds), share="y", left=beside(ax, brief, 10))
    for panel, kind in zip(made, kinds, strict=True):
        _bars(panel, table[kind], [every.get(name, REST).hue for name in table.index])
        panel.set_title(_KINDS[kind], loc="left", fontsize=9.5, color=INK, pad=3)
        panel.set_xlabel("tokens", color=INK)
        panel.tick_params(axis="y", length=0, labelleft=panel is made[0])
    made[0].set_yticks(range(len(table)), brief)
    made[0].set_ylim(max(len(table), _IN_A_ROW) - 0.5, -0.5)
    told = "; ".join(
        f"{label} " + ", ".join(f"{_KINDS[kind]} {row[kind]:,.0f}" for kind in kinds)
        for label, row in zip(labels, table.to_dict("records"), strict=True)
    )
    return f"{title}: {told}." + (f" {note.capitalize()}." if note else "")


_BY_US = ("of them was", "of them were")


def _uncounted(known: pd.DataFrame, *, unknown: int) -> str:
    """Say of how many attempts the vendor did not count the tokens."""
    estimated = int(known["usage_estimated"].fillna(False).astype(bool).sum())
    notes = (
        f"{number_of(estimated, *_BY_US)} counted by us, not the vendor" if estimated else "",
        f"not in it: unknown tokens of {number_of(unknown, 'attempt')}" if unknown else "",
    )
    return "; ".join(filter(None, notes))


def _token_table(known: pd.DataFrame) -> pd.DataFrame:
    """Sum up by model, most tokens first; those beyond the last row together in one."""
    import pandas as pd

    counts = known[
        ["input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens"]
    ].fillna(0)
    made = counts.astype("int64").groupby(names(known)).sum()
    made["input"] = made["input_tokens"] - made["cache_read_tokens"]
    made["answer"] = made["output_tokens"] - made["reasoning_tokens"]
    made["all"] = made["input_tokens"] + made["output_tokens"]
    made = made.sort_values("all", ascending=False)
    if len(made) > MOST_ROWS:
        rest = made.iloc[MOST_ROWS - 1 :].sum().rename(f"{len(made) - MOST_ROWS + 1} others")
        made = pd.concat([made.iloc[: MOST_ROWS - 1], rest.to_frame().T])
    return made


def _bars(panel: Axes, counts: pd.Series[int], hues: list[str]) -> None:
    places = range(len(counts))
    panel.barh(places, counts, height=0.6, color=hues)
    dress(panel, grid="x")
    most = max(int(counts.max()), 1)
    panel.set_xlim(0, most * 1.45)
    panel.set_xticks([0, most])
    panel.xaxis.set_major_formatter(lambda value, _: _brief(value))
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
    heading(ax, title, f"{unclear:,} more had no signal and took the middle tier" * (unclear > 0))
    dress(ax, "complexity, 0 to 1", "requests")
    ax.hist(scores, bins=_BINS, range=(0, 1), color=COLOURS[0], rwidth=0.92)
    ax.set_xlim(0, 1)
    ax.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    cuts = sorted({float(cut) for _, saw in judged for cut in _CUT.findall(saw)})
    for cut in cuts:
        ax.axvline(cut, color=COLOURS[1], linewidth=1.8, linestyle="--")
    shares = _between(scores, cuts)
    edges = [0.0, *cuts, 1.0]
    top = ax.get_ylim()[1] * 1.2
    ax.set_ylim(0, top)
    for low, high, count in zip(edges, edges[1:], shares, strict=False):
        middle = (low + high) / 2
        text(ax, middle, top * 0.97, f"{count:,}", ha="center", **bold())
        text(ax, middle, top * 0.91, _region(low, high), ha="center", fontsize=9)
    said = ", ".join(f"{cut:g}" for cut in cuts)
    counts = " / ".join(f"{count:,}" for count in shares)
    return f"{title}: {counts} requests between the cuts at {said or 'none'}; {unclear:,} unclear."


def _region(low: float, high: float) -> str:
    """Say which scores are meant."""
    if low == 0.0:
        return "all" if high == 1.0 else f"below {high:g}"
    return f"from {low:g}" if high == 1.0 else f"{low:g} to {high:g}"


def _clauses(requests: pd.DataFrame) -> Iterator[tuple[float | None, str]]:
    """Find what the strategy `complexity` said of each request: the score, and what it saw."""
    for said in requests["reasons"].dropna():
        clause = next((c for c in json.loads(said) if c["rule"] == "complexity"), None)
        if clause is not None:
            yield clause["score"], clause["saw"]


def _between(scores: list[float], cuts: list[float]) -> list[int]:
    counts = Counter(sum(score >= cut for cut in cuts) for score in scores)
    return [counts[place] for place in range(len(cuts) + 1)]
