"""The ledger's kinds of row, and how a response becomes them.

They are `NamedTuple`s, not dataclasses: a row goes to the database's driver as it is, and a
frozen dataclass of fifty fields costs 10 us to make and 2 ms to define at import.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import NamedTuple, TypeAlias, get_type_hints

from multimodel_magic.errors import Cancelled
from multimodel_magic.types import Attempt, LeftOut, Reason, Request, Response

__all__ = [
    "HIDDEN",
    "AttemptRow",
    "KeptRow",
    "OutcomeRow",
    "Recorded",
    "RequestRow",
    "Row",
    "VoteRow",
    "kinds",
    "recorded",
]

HIDDEN = "[hidden]"
"""What the ledger holds in place of an option whose name or value looks like a secret's."""

_SECRET_WORDS = ("key", "token", "authorization", "secret", "password", "credential", "cookie")
_NOT_SECRET = frozenset({"max_tokens", "max_completion_tokens", "max_output_tokens"})
_KEYLIKE = re.compile(
    r"\b(?:sk|pk|rk|xai|gsk|hf)[-_](?=[\w-]*\d)[\w-]{12,}|\bBearer\s+\S{8,}", re.ASCII
)
_COLUMNS_OF_THEIR_OWN = frozenset({"session", "notebook", "cell", "config"})
_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode


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
    """JSON: the labels but for session, notebook, cell and config."""
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


def recorded(response: Response, *, store_text: bool = True) -> Recorded:
    """Return the rows of a response.

    Parameters
    ----------
    response
        However it ended.
    store_text
        Whether prompt, system prompt, history and answer are kept; the hash always is.
    """
    request_id = response.request.request_id
    attempts = tuple(_attempt_row(request_id, attempt) for attempt in response.attempts)
    return Recorded(_request_row(response, attempts, store_text=store_text), attempts)


def _request_row(
    response: Response, attempts: tuple[AttemptRow, ...], *, store_text: bool
) -> RequestRow:
    request, route, error, usage = response.request, response.route, response.error, response.usage
    labels = request.labels
    last = response.attempts[-1] if response.attempts else None
    return RequestRow(
        request_id=request.request_id,
        started_at=_iso(response.started_at),
        session=labels.get("session"),
        notebook=labels.get("notebook"),
        cell=labels.get("cell"),
        strategy=route.strategy if route is not None else request.strategy,
        asked=" > ".join(request.models) or None,
        route=" > ".join(route.models) if route is not None else None,
        why=route.why if route is not None else None,
        arm=route.arm if route is not None else None,
        arm_probability=route.arm_probability if route is not None else None,
        experiment=request.experiment,
        task=request.task,
        user_tier=request.user_tier,
        task_value=request.task_value,
        needs=",".join(sorted(request.needs)) or None,
        unit=request.unit if route is None or route.unit is None else route.unit,
        status=_status(response),
        error_type=type(error).__name__ if error is not None else None,
        error=str(error) if error is not None else None,
        provider=last.provider if last is not None else None,
        model=last.model if last is not None else None,
        fallback_used=response.fallback_used,
        attempts=len(attempts),
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        usage_estimated=usage.estimated,
        cost_usd=_dollars(response.cost_usd),
        latency_s=response.latency_s,
        ttft_s=last.ttft_s if last is not None else None,
        stop_reason=last.stop_reason if last is not None else None,
        cached=response.cached,
        max_tokens=request.max_tokens,
        options=_to_json(_without_secrets(request.options)) if request.options else None,
        prompt_sha256=sha256(request.prompt.encode("utf-8", "surrogatepass")).hexdigest(),
        prompt=request.prompt if store_text else None,
        system=request.system if store_text else None,
        history=_history(request) if store_text else None,
        answer=response.text if store_text else None,
        reasons=_listed(route.reasons) if route is not None else None,
        left_out=_listed(route.left_out) if route is not None else None,
        labels=_other_labels(labels),
        config=labels.get("config"),
    )


def _attempt_row(request_id: str, attempt: Attempt) -> AttemptRow:
    usage = attempt.usage
    return AttemptRow(
        request_id,
        attempt.number,
        attempt.rank,
        attempt.provider,
        attempt.model,
        attempt.response_model,
        attempt.response_id,
        _iso(attempt.started_at),
        attempt.latency_s,
        attempt.ttft_s,
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_tokens,
        usage.cache_write_tokens,
        usage.reasoning_tokens,
        usage.estimated,
        _dollars(attempt.cost_usd),
        attempt.price_source,
        attempt.stop_reason,
        attempt.error_type,
        attempt.error if attempt.turned_down is None else f"turned down: {attempt.turned_down}",
        _attempt_status(attempt),
    )


def _iso(moment: datetime) -> str:
    # Fixed width, so that it sorts as text in every database.
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.isoformat(timespec="microseconds")


def _dollars(cost: Decimal | None) -> float | None:
    # A double gives back every decimal of up to 15 significant digits: below $1000 the 12th
    # place is exact, and SQL and pandas can add what they read.
    return None if cost is None else float(cost)


def _status(response: Response) -> str:
    if response.error is None:
        return "answered"
    return "interrupted" if isinstance(response.error, Cancelled) else "failed"


def _attempt_status(attempt: Attempt) -> str:
    if attempt.error_type is None:
        return "answered"
    return "interrupted" if attempt.error_type == Cancelled.__name__ else "failed"


def _listed(clauses: tuple[Reason, ...] | tuple[LeftOut, ...]) -> str | None:
    if not clauses:
        return None
    # Not dataclasses.asdict: its deep copy costs 8 us a clause.
    return _to_json([{name: getattr(c, name) for name in c.__slots__} for c in clauses])


def _history(request: Request) -> str | None:
    if not request.history:
        return None
    return _to_json([[turn.role, turn.text] for turn in request.history])


def _other_labels(labels: Mapping[str, str]) -> str | None:
    rest = {name: value for name, value in labels.items() if name not in _COLUMNS_OF_THEIR_OWN}
    return _to_json(rest) if rest else None


def _without_secrets(value: object) -> object:
    if isinstance(value, Mapping):
        return {n: HIDDEN if _is_secret(str(n)) else _without_secrets(v) for n, v in value.items()}
    if isinstance(value, list | tuple):
        return [_without_secrets(item) for item in value]
    return HIDDEN if isinstance(value, str) and _KEYLIKE.search(value) else value


def _is_secret(name: str) -> bool:
    lower = name.lower()
    return lower not in _NOT_SECRET and any(word in lower for word in _SECRET_WORDS)
