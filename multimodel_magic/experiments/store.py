"""Who was dealt to which arm, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeAlias

from multimodel_magic.errors import SLIP, Cancelled, UsageError, did_you_mean
from multimodel_magic.ledger.rows import RequestRow
from multimodel_magic.metrics.counts import asked_nobody
from multimodel_magic.types import Response

__all__ = [
    "Assigned",
    "Book",
    "LedgerStore",
    "Outcome",
    "ResultsStore",
    "Store",
    "assigned_from",
    "assigned_in",
    "record_outcome",
]

Outcome: TypeAlias = "Mapping[str, float | None] | float | bool"
"""A later judgement: `{"success": True, "score": 0.8, ...}`, a score, or whether it was good."""


@dataclass(frozen=True, slots=True)
class Assigned:
    """One request that took part in an experiment; `None` means not known (yet).

    The assignment is kept apart from what happened: a fallback answers in another model's name,
    and its outcome still counts for the arm that the request was dealt to.
    """

    request_id: str
    experiment: str
    arm: str
    model: str
    """What the arm asks for."""
    probability: float
    """With which the unit was dealt to the arm, in (0, 1], at the time."""
    unit: str
    answered_by: str | None = None
    """`provider:model` that really answered."""
    succeeded: bool | None = None
    """Whether there was an answer."""
    cost_usd: float | None = None
    latency_s: float | None = None
    """Of a request that was answered: how soon something fails says nothing of a model."""
    outcome: Mapping[str, float] = field(default_factory=dict)
    asked_nobody: bool = False
    """Whether a wrong name or option, the configuration or a budget stopped it before anybody was
    asked: neither a success nor a failure of the arm, and no cost of it."""
    cached: bool = False
    """Whether the answer came from our cache: its cost and latency then say nothing of the arm."""


class Store(Protocol):
    """Where assignments and outcomes are kept: the ledger, or a dictionary."""

    def assigned(self, experiment: str) -> Iterable[Assigned]:
        """Return every request that was dealt in an experiment, in any order."""
        ...

    def outcome(self, request_id: str) -> Mapping[str, float] | None:
        """Return what is known to have come of a request, or None for an unknown one."""
        ...

    def keep_outcome(self, request_id: str, outcome: Mapping[str, float]) -> None:
        """Add to the outcome of a request, name by name; once done, again is the same."""
        ...


class ResultsStore:
    """A store in memory: the seed's name, for tests and for those who bring their own ids."""

    def __init__(self) -> None:
        self._rows: dict[str, Assigned] = {}

    def assign(self, row: Assigned) -> None:
        """Remember who was dealt where; the first time counts."""
        self._rows.setdefault(row.request_id, row)

    def assigned(self, experiment: str) -> tuple[Assigned, ...]:
        """Return every request that was dealt in an experiment."""
        return tuple(row for row in self._rows.values() if row.experiment == experiment)

    def outcome(self, request_id: str) -> Mapping[str, float] | None:
        """Return what is known to have come of a request, or None for an unknown one."""
        row = self._rows.get(request_id)
        return None if row is None else row.outcome

    def keep_outcome(self, request_id: str, outcome: Mapping[str, float]) -> None:
        """Add to the outcome of a request, name by name."""
        row = self._rows[request_id]
        self._rows[request_id] = replace(row, outcome={**row.outcome, **outcome})


class Book(Protocol):
    """What of the ledger an experiment needs; SQL stays on its side."""

    def dealt(self, experiment: str) -> Iterable[tuple[RequestRow, Mapping[str, float]]]:
        """Return the requests whose `arm` begins with `EXPERIMENT:`, each with its outcome."""
        ...

    def dealt_request(self, request_id: str) -> tuple[RequestRow, Mapping[str, float]] | None:
        """Return one request, dealt or not, with its outcome; None for an unknown one."""
        ...

    def keep_outcome(self, request_id: str, outcome: Mapping[str, float]) -> None:
        """Add to the outcome of a request, name by name."""
        ...


@dataclass(frozen=True, slots=True)
class LedgerStore:
    """The ledger as a store: what was dealt in any kernel, and what came of it since."""

    book: Book

    def assigned(self, experiment: str) -> tuple[Assigned, ...]:
        """Return every request that was dealt in an experiment."""
        found = (assigned_in(row, outcome) for row, outcome in self.book.dealt(experiment))
        return tuple(one for one in found if one is not None and one.experiment == experiment)

    def outcome(self, request_id: str) -> Mapping[str, float] | None:
        """Return what is known to have come of a request, dealt or not; None for an unknown one."""
        found = self.book.dealt_request(request_id)
        return None if found is None else found[1]

    def keep_outcome(self, request_id: str, outcome: Mapping[str, float]) -> None:
        """Add to the outcome of a request, name by name."""
        self.book.keep_outcome(request_id, outcome)


def assigned_in(row: RequestRow, outcome: Mapping[str, float]) -> Assigned | None:
    """Return how a request of the ledger took part in an experiment, or None.

    A request that was interrupted, or asked nobody, is neither a success nor a failure of its arm.
    """
    if row.arm is None or row.status == "unfinished":
        return None
    experiment, _, arm = row.arm.rpartition(":")
    answered, nobody = row.status == "answered", asked_nobody(row._asdict())
    return Assigned(
        row.request_id,
        experiment,
        arm,
        (row.route or "").partition(" > ")[0],
        row.arm_probability or 1.0,
        row.request_id if row.unit is None else row.unit,
        f"{row.provider}:{row.model}" if answered else None,
        None if nobody or row.status == "interrupted" else answered,
        None if nobody or row.cached else row.cost_usd,
        row.latency_s if answered and not row.cached else None,
        outcome,
        asked_nobody=nobody,
        cached=bool(row.cached),
    )


def assigned_from(response: Response) -> Assigned | None:
    """Return how a response took part in an experiment, or None where it did not."""
    route = response.route
    if route is None or route.arm is None or not route.models:
        return None
    experiment, _, arm = route.arm.rpartition(":")
    answer, cost_usd = response.answered_by, response.cost_usd
    unit = response.request.unit if route.unit is None else route.unit
    nobody = asked_nobody(
        {"attempts": len(response.attempts), "error_type": type(response.error).__name__}
    )
    return Assigned(
        response.request_id,
        experiment,
        arm,
        route.models[0],
        route.arm_probability or 1.0,
        response.request_id if unit is None else unit,
        None if answer is None else answer.name,
        None if nobody or isinstance(response.error, Cancelled) else response.succeeded,
        None if nobody or cost_usd is None or response.cached else float(cost_usd),
        response.latency_s if response.succeeded and not response.cached else None,
        asked_nobody=nobody,
        cached=response.cached,
    )


def record_outcome(store: Store, request_id: str, outcome: Outcome) -> bool:
    """Keep what came of a request; said twice it counts once, and it may come late.

    Parameters
    ----------
    store
        Where the request was remembered.
    request_id
        The request's id.
    outcome
        A mapping of numbers: `success` (0 or 1), `score`, and measures of your own; `cost_usd`
        and `latency_s` replace what was measured. A bool alone is the success, a number the
        score. A later outcome adds to an earlier one and corrects it, key by key.

    Returns
    -------
    bool
        Whether it changed anything.

    Raises
    ------
    UsageError
        For an unknown id, for what is no number, and for a measure that is nearly one of those
        that are compared: it would be kept and never seen.
    """
    known = store.outcome(request_id)
    if known is None:
        raise UsageError(f"no request {request_id!r} is known here; ids are in llm.df")
    said = _numbers(request_id, outcome)
    if {**known, **said} == known:
        return False
    # What is said now and no more: another kernel may have added to the outcome in between.
    store.keep_outcome(request_id, said)
    return True


MEASURES = ("success", "score", "cost_usd", "latency_s")
"""What is compared; other names are the user's own, and kept for them."""


def _slip(name: str) -> str:
    """Say which measure was meant: under a misspelt name, or without its unit, it would be lost."""
    if name in MEASURES:
        return ""
    meant = "cost_usd" if name == "cost" else name
    return did_you_mean(meant, MEASURES, most=1, alike=SLIP)


def _numbers(request_id: str, outcome: Outcome) -> dict[str, float]:
    if isinstance(outcome, bool):
        return {"success": float(outcome)}
    if isinstance(outcome, int | float):
        outcome = {"score": outcome}
    if not isinstance(outcome, Mapping):
        raise UsageError(f"outcome of {request_id}: give numbers by name, not {outcome!r}")
    numbers = {}
    for name, value in outcome.items():
        if value is None:
            continue
        if not isinstance(value, bool | int | float) or not _is_finite(value):
            raise UsageError(f"outcome of {request_id}: {name} is {value!r}; give a number")
        if near := _slip(str(name)):
            raise UsageError(f"outcome of {request_id}: no measure is called {name!r}{near}")
        if name == "success" and value not in {0, 1}:
            raise UsageError(f"outcome of {request_id}: success is {value!r}; give 0 or 1")
        numbers[str(name)] = float(value)
    return numbers


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer that no float can hold
        return False
