"""The ledger's kinds of row, and what each column says.

They are `NamedTuple`s, not dataclasses: a row goes to the database's driver as it is, and a
frozen dataclass of fifty fields costs 10 us to make and 2 ms to define at import.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import NamedTuple, TypeAlias, get_type_hints

__all__ = [
    "AttemptRow",
    "KeptRow",
    "OutcomeRow",
    "Recorded",
    "RequestRow",
    "Row",
    "VoteRow",
    "kinds",
]


class RequestRow(NamedTuple):
    """One request as the ledger keeps it; `None` means unknown or not applicable.

    In frames `str` is dtype `string`, `int` is `Int64`, `bool` is `boolean`, `float` is `float64`
    and `started_at` is `datetime64[us, UTC]`. Columns said to be JSON hold it as text.
    """

    request_id: str
    """ULID; the same request sent again is kept as `ID#2`, `ID#3`, ..."""
    started_at: str
    """When it began, UTC; ISO 8601 with microseconds in the database, where it sorts as text."""
    session: str | None
    """The label `session`: one kernel's life."""
    notebook: str | None
    """The label `notebook`: its file name."""
    cell: str | None
    """The label `cell`: the cell's id or number."""
    strategy: str | None
    """The strategy that chose; where routing failed, the one that was asked for."""
    asked: str | None
    """Models, aliases and roles that the user named, joined with ` > `."""
    route: str | None
    """The models of the route, `provider:model`, in order, joined with ` > `."""
    why: str | None
    """The last reason in a few words."""
    arm: str | None
    """`EXPERIMENT:ARM`."""
    arm_probability: float | None
    """With which the unit was dealt to the arm, in [0, 1]."""
    experiment: str | None
    """The experiment that the request named."""
    task: str | None
    """The kind of task that the request named, such as `code_generation`."""
    user_tier: str | None
    """The user's tier that it named."""
    task_value: str | None
    """The task's value that it named."""
    needs: str | None
    """Sorted, joined with a comma."""
    unit: str | None
    """What the experiment dealt to the arm; else the request's own, if any."""
    status: str
    """`answered`, `failed`, `interrupted`, or `unfinished` (under way, or the process died)."""
    error_type: str | None
    """The class in `multimodel_magic.errors`."""
    error: str | None
    """What went wrong, in one line."""
    provider: str | None
    """The provider of `model`."""
    model: str | None
    """The model that answered, else the last one asked."""
    fallback_used: bool
    """Whether the answer came from another place of the route than the first."""
    attempts: int
    """How many there were; their rows are in `attempt`."""
    input_tokens: int | None
    """Of the last attempt (tokens, cached ones included), as are the four that follow."""
    output_tokens: int | None
    """Reasoning tokens included."""
    cache_read_tokens: int | None
    """Input tokens that the vendor's own cache gave."""
    cache_write_tokens: int | None
    """Input tokens that it took into its cache."""
    reasoning_tokens: int | None
    """Output tokens that are not in the answer."""
    usage_estimated: bool
    """Whether the tokens were counted by us from characters."""
    cost_usd: float | None
    """US dollars over all attempts; unknown where that of any of them is."""
    latency_s: float
    """Seconds from start to end, all attempts and waits included."""
    ttft_s: float | None
    """Seconds to the first token within the last attempt."""
    stop_reason: str | None
    """In the vendor's word."""
    cached: bool
    """Whether the answer came from our cache."""
    max_tokens: int | None
    """The longest answer that was asked for (tokens)."""
    options: str | None
    """JSON: what went to the vendor; values whose name looks like a secret's are hidden."""
    prompt_sha256: str
    """Hex, of the prompt's UTF-8; kept also where the text is not."""
    prompt: str | None
    """Only where text is stored, as are the three that follow."""
    system: str | None
    """The standing instruction."""
    history: str | None
    """JSON: the earlier turns, `[[role, text], ...]`."""
    answer: str | None
    """The text, also the partial one of a request that was interrupted or failed."""
    reasons: str | None
    """JSON: `[{"rule", "saw", "score"}, ...]`."""
    left_out: str | None
    """JSON: `[{"model", "why"}, ...]`."""
    labels: str | None
    """JSON: the labels but for session, notebook, cell and config. `schema` is what the answer had
    to be, `schema_not_met` where it was not."""
    config: str | None
    """The label `config`: the hash of the routing configuration in force; None: there was none."""

    @property
    def cost(self) -> Decimal | None:
        """`cost_usd` as the decimal that was recorded (up to 15 significant digits)."""
        return None if self.cost_usd is None else Decimal(repr(self.cost_usd))


class AttemptRow(NamedTuple):
    """One call to one model as the ledger keeps it; dtypes as in `RequestRow`."""

    request_id: str
    """Joins with `request`."""
    number: int
    """Counts the request's attempts from 1."""
    rank: int
    """The model's place in the route, from 0."""
    provider: str
    """Who was asked."""
    model: str
    """The name given to the provider."""
    response_model: str | None
    """The model that the vendor says it used."""
    response_id: str | None
    """The vendor's id of the answer."""
    started_at: str
    """When it began, UTC; as in `RequestRow`."""
    latency_s: float
    """Seconds from sending to the last token or the failure."""
    ttft_s: float | None
    """Seconds from sending to the first token."""
    input_tokens: int | None
    """Tokens as billed, cached ones included."""
    output_tokens: int | None
    """Tokens as billed, reasoning ones included."""
    cache_read_tokens: int | None
    """Input tokens that the vendor's own cache gave."""
    cache_write_tokens: int | None
    """Input tokens that it took into its cache."""
    reasoning_tokens: int | None
    """Output tokens that are not in the answer."""
    usage_estimated: bool
    """Whether the tokens were counted by us from characters."""
    cost_usd: float | None
    """US dollars; None where the price is unknown."""
    price_source: str
    """`override`, `catalogue`, `catalogue-loose`, `local` or `unknown`; `cache`: an answer of
    before, for which nobody was asked."""
    stop_reason: str | None
    """Why the answer ended, in the vendor's word."""
    error_type: str | None
    """The class in `multimodel_magic.errors`."""
    error: str | None
    """What went wrong, in one line; `turned down: ...` for an answer that a cascade found poor."""
    status: str
    """`answered`, `failed`, `interrupted` or `unfinished`."""

    @property
    def cost(self) -> Decimal | None:
        """`cost_usd` as the decimal that was recorded (up to 15 significant digits)."""
        return None if self.cost_usd is None else Decimal(repr(self.cost_usd))

    @property
    def name(self) -> str:
        """The model as `provider:model`."""
        return f"{self.provider}:{self.model}"


Row: TypeAlias = RequestRow | AttemptRow
"""What a response becomes: a row of either kind."""


class OutcomeRow(NamedTuple):
    """What came of a request, as somebody judged it later; dtypes as in `RequestRow`."""

    request_id: str
    """Joins with `request`; one row a request, the last word."""
    outcome: str
    """JSON: `{"success": 1.0, "score": 0.8, ...}`, numbers by name."""
    recorded_at: str
    """When it was last said: UTC, ISO 8601 with microseconds; `datetime64[us, UTC]` in frames."""


class VoteRow(NamedTuple):
    """What was said of answers to one prompt side by side; dtypes as in `RequestRow`.

    Rows are only ever added: of those with the same comparison and judge the last one stands.
    """

    vote_id: str
    """ULID."""
    comparison: str
    """The comparison's id; all votes on it share it."""
    session: str | None
    """In which kernel's life it was said."""
    judge: str | None
    """`provider:model` that judged; None: a person did."""
    request_ids: str
    """JSON: the ids of the requests, as shown, left to right; each joins with `request`."""
    contestants: str
    """JSON: the names as the user named them, in the order shown."""
    verdict: str
    """`prefer`, `tie` or `bad` (none was any good)."""
    preferred: int | None
    """The place shown, from 0, of the one preferred."""
    blind: bool
    """Whether the names were hidden until the vote."""
    shuffle: str | None
    """JSON: for each place shown, which of those asked for it was, from 0; None: as asked."""
    why: str | None
    """What the judge said of it."""
    recorded_at: str
    """UTC, ISO 8601 with microseconds; `datetime64[us, UTC]` in frames."""

    @property
    def said(self) -> tuple[str, str | None]:
        """The verdict, and the request preferred: the same in whatever order they were shown."""
        if self.preferred is None:
            return self.verdict, None
        return self.verdict, json.loads(self.request_ids)[self.preferred]


KeptRow: TypeAlias = Row | OutcomeRow | VoteRow
"""Any row of the ledger."""


class Recorded(NamedTuple):
    """A request's row together with those of its attempts, in order."""

    request: RequestRow
    attempts: tuple[AttemptRow, ...]

    def of(self, row: type[Row]) -> tuple[Row, ...]:
        """Return the rows of one kind."""
        return (self.request,) if row is RequestRow else self.attempts


def kinds(row: type[KeptRow]) -> dict[str, type]:
    """Return each column's Python type (`str`, `int`, `float` or `bool`), in order."""
    hints = get_type_hints(row)
    return {name: getattr(hints[name], "__args__", (hints[name],))[0] for name in row._fields}
