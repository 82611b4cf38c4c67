"""The ledger's rows -> the requests that they were."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from multimodel_magic.replay.notes import ARROW, FALLBACKS, STRATEGY
from multimodel_magic.schemas import recalled
from multimodel_magic.types import Message, Request

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["OWN", "Asking", "Row", "askings", "plain_rows"]

Row: TypeAlias = Mapping[str, Any]
"""A row of the ledger's frames, None for unknown."""

OWN = ("judges", "replays")
"""Labels of requests that we ourselves made about others: they are not replayed."""


@dataclass(frozen=True, slots=True)
class Asking:
    """A recorded request, as it can be routed and asked again."""

    request: Request
    row: Row
    question: tuple[str, str, str]
    """What was asked, whoever was: hash of the prompt, standing instruction, earlier turns."""

    @property
    def was(self) -> str:
        """The model that was chosen first, `provider:model`."""
        return str(self.row["route"]).partition(ARROW)[0]


@dataclass(slots=True)
class Sifted:
    """Which recorded requests can be replayed, and why the others cannot."""

    askings: list[Asking] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def askings(requests: pd.DataFrame, *, named: bool = False) -> Sifted:
    """Rebuild the requests of a frame, oldest first.

    Parameters
    ----------
    requests
        As `Ledger.requests_frame` gives it.
    named
        Also those whose models the user named; the strategy chooses for them too then.
    """
    sifted = Sifted()
    for row in plain_rows(requests):
        labels = _object(row["labels"])
        if any(name in labels for name in OWN):
            continue
        why = _objection(row, labels, named=named)
        if why is None:
            sifted.askings.append(Asking(_request(row, labels, named=named), row, question_of(row)))
        else:
            sifted.left_out[why] += 1
    return sifted


def plain_rows(frame: pd.DataFrame) -> Iterator[Row]:
    """Return the rows as mappings of Python's own values."""
    columns = {
        name: frame[name].astype("object").where(frame[name].notna(), None).tolist()
        for name in frame.columns
    }
    return (
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    )


def question_of(row: Row) -> tuple[str, str, str]:
    """Return what was asked, whoever was."""
    return row["prompt_sha256"], row["system"] or "", row["history"] or ""


def _objection(row: Row, labels: Mapping[str, str], *, named: bool) -> str | None:
    if row["status"] == "unfinished":
        return "never finished"
    if row["prompt"] is None:
        return "of a text that was not stored"
    if "attachments" in labels:
        return "with attachments, which the ledger does not keep"
    if row["route"] is None:
        return "that nobody could answer"
    if row["asked"] is not None and not named:
        return "whose model you named"
    return None


def _request(row: Row, labels: Mapping[str, str], *, named: bool) -> Request:
    fallbacks = labels.get(FALLBACKS)
    places = {name: row[name] for name in ("session", "notebook", "cell") if row[name] is not None}
    return Request(
        row["prompt"],
        system=row["system"],
        history=tuple(Message(role, text) for role, text in json.loads(row["history"] or "[]")),
        models=() if named else _split(row["asked"] or "", ARROW),
        strategy=labels.get(STRATEGY),
        fallbacks=None if fallbacks is None else _split(fallbacks, ARROW),
        task=row["task"],
        user_tier=row["user_tier"],
        task_value=row["task_value"],
        needs=frozenset(_split(row["needs"] or "", ",")),
        unit=row["unit"],
        experiment=row["experiment"],
        max_tokens=row["max_tokens"],
        options=_object(row["options"]),
        schema=recalled(labels.get("schema")),
        # The same request asked twice is kept under ID#2.
        request_id=row["request_id"].partition("#")[0],
        labels={**places, **labels},
    )


def _split(text: str, at: str) -> tuple[str, ...]:
    return tuple(part for part in text.split(at) if part)


def _object(text: str | None) -> dict[str, Any]:
    found = json.loads(text) if text else {}
    return found if isinstance(found, dict) else {}
