"""What a changed route would have cost, how long it would have taken, how good it would have been.

Each figure says where it comes from: `kept`, `recorded`, `estimate` or `unknown`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from statistics import fmean, stdev
from typing import TYPE_CHECKING, TypeAlias

from multimodel_magic.metrics import student_t_95
from multimodel_magic.replay.rebuild import Asking, plain_rows, question_of
from multimodel_magic.types import PriceOf, Usage

if TYPE_CHECKING:
    from multimodel_magic.exchange import Books

__all__ = ["Compared", "Figure", "Records", "compared"]

Question: TypeAlias = "tuple[str, str, str]"

_TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")


@dataclass(frozen=True, slots=True)
class Figure:
    """A number and where it comes from; None is unknown."""

    value: float | None
    source: str


@dataclass(frozen=True, slots=True)
class Compared:
    """One measure of the recorded requests and of the replayed ones, over the same requests.

    `nan` where nothing can be said: no request of which both are known, or too few for an
    interval.
    """

    n: int
    """Requests of which both are known."""
    changed: int
    """Of these, how many have another route."""
    estimated: int
    """Of these, how many are estimates."""
    unknown: int
    """Requests of which one is not known: in no figure here."""
    was: float
    """Mean over the n, as recorded."""
    would: float
    low: float
    high: float
    """Student's 95 % interval of the mean of `would - was`."""

    @property
    def difference(self) -> float:
        """The mean of `would - was`."""
        return self.would - self.was


def compared(pairs: Iterable[tuple[float | None, Figure]]) -> Compared:
    """Compare what was with what would have been, request by request."""
    pairs = list(pairs)
    known = [
        (was, f.value, f.source) for was, f in pairs if was is not None and f.value is not None
    ]
    differences = [would - was for was, would, _ in known]
    n = len(known)
    mean = math.fsum(differences) / n if n else math.nan
    half = student_t_95(n - 1) * stdev(differences) / math.sqrt(n) if n > 1 else math.nan
    was = math.fsum(was for was, _, _ in known) / n if n else math.nan
    return Compared(
        n,
        sum(source != "kept" for *_, source in known),
        sum(source == "estimate" for *_, source in known),
        len(pairs) - n,
        was,
        was + mean,
        mean - half,
        mean + half,
    )


@dataclass(slots=True)
class Records:
    """What the ledger knows of each model's answers."""

    cost_usd: dict[tuple[Question, str], list[float | None]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """US dollars of each model's answers to a question."""
    latency_s: dict[tuple[Question, str], list[float]] = field(
        default_factory=lambda: defaultdict(list)
    )
    of_model_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Latency of each model's answers to whatever question."""
    means_s: dict[str, float] = field(default_factory=dict)
    """Means of `of_model_s`, as far as they were asked for."""
    label: dict[tuple[Question, str], list[float]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """How its answers to a question were judged."""
    by_request: dict[str, float] = field(default_factory=dict)
    """How a request's answer was judged."""

    @classmethod
    def of(cls, books: Books) -> Records:
        """Read a ledger's frames; answers from our cache say nothing of cost and latency."""
        made = cls()
        questions = {row["request_id"]: row for row in plain_rows(books.requests)}
        for attempt in plain_rows(books.attempts):
            row = questions.get(attempt["request_id"])
            if attempt["status"] != "answered" or attempt["price_source"] == "cache" or row is None:
                continue
            name = f"{attempt['provider']}:{attempt['model']}"
            made.note(question_of(row), name, attempt["cost_usd"], attempt["latency_s"])
        name_of_label = label_of(books)
        for said in plain_rows(books.outcomes):
            row, value = questions.get(said["request_id"]), said[name_of_label]
            if row is not None and value is not None and row["status"] == "answered":
                made.by_request[said["request_id"]] = value
                made.label[question_of(row), f"{row['provider']}:{row['model']}"].append(value)
        return made

    def note(self, question: Question, name: str, cost_usd: float | None, latency_s: float) -> None:
        """Take in one answer of a model."""
        self.cost_usd[question, name].append(cost_usd)
        self.latency_s[question, name].append(latency_s)
        self.of_model_s[name].append(latency_s)
        self.means_s.pop(name, None)

    def cost_of(self, asking: Asking, name: str, price: PriceOf) -> Figure:
        """Return what the request would have cost in US dollars, had `name` answered it."""
        known = self.cost_usd.get((asking.question, name), [])
        costs = [cost for cost in known if cost is not None]
        if costs:
            return Figure(fmean(costs), "recorded")
        provider, _, model = name.partition(":")
        usage = Usage(*(asking.row[tokens] for tokens in _TOKENS))
        at: datetime = asking.row["started_at"]
        cost_usd = price(provider, model, usage, at).cost_usd
        return Figure(None, "unknown") if cost_usd is None else Figure(float(cost_usd), "estimate")

    def latency_of(self, asking: Asking, name: str) -> Figure:
        """Return how long the request would have taken in seconds, had `name` answered it."""
        if known := self.latency_s.get((asking.question, name)):
            return Figure(fmean(known), "recorded")
        if name not in self.of_model_s:
            return Figure(None, "unknown")
        if name not in self.means_s:
            self.means_s[name] = fmean(self.of_model_s[name])
        return Figure(self.means_s[name], "estimate")

    def label_of(self, asking: Asking, name: str) -> Figure:
        """Return how the answer of `name` would have been judged."""
        known = self.label.get((asking.question, name))
        return Figure(fmean(known), "recorded") if known else Figure(None, "unknown")


def label_of(books: Books) -> str:
    """Return in what the judgements are: `score` where there is any, else `success`."""
    return "score" if books.outcomes["score"].notna().any() else "success"
