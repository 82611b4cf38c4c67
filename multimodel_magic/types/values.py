"""What is asked, chosen, tried and answered, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, TypeAlias

from multimodel_magic.types.attachments import Attachment, below, described
from multimodel_magic.types.ids import new_ulid
from multimodel_magic.types.schemas import Parsed, Schema

if TYPE_CHECKING:
    from multimodel_magic.types.judges import AnyJudge

__all__ = [
    "BREAKS",
    "MAIN_THREAD",
    "NEEDS",
    "UNFINISHED",
    "Attempt",
    "Candidate",
    "LLMResponse",
    "LeftOut",
    "Message",
    "Model",
    "Option",
    "Price",
    "Reason",
    "Request",
    "Response",
    "Route",
    "Usage",
]

Option: TypeAlias = "str | int | float | bool | list[Option] | dict[str, Option] | None"
"""A JSON value that goes to the vendor as it is."""

UNFINISHED = "Unfinished"
"""The `error_type` of an attempt that is under way, as a recorder's `begin` sees it."""

NEEDS = ("json", "tools", "vision")
"""What a request may need of a model."""

BREAKS = ("restart", "keep", "fail")
"""What may follow a stream that broke after text had come."""

MAIN_THREAD = "main"
"""The conversation that is meant where none is named."""


@dataclass(frozen=True, slots=True)
class Message:
    """One earlier turn of a conversation: who spoke (`user` or `assistant`) and what."""

    role: Literal["user", "assistant"]
    text: str
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """One thing to be answered: the prompt, what routing may look at, and what the vendor gets.

    `options` alone goes to the vendor verbatim; nothing that routing looks at ever does.
    """

    prompt: str
    system: str | None = None
    history: tuple[Message, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    """Pictures, and texts that stand below the prompt once it is sent."""
    # What routing may look at.
    models: tuple[str, ...] = ()
    """Models, aliases or roles that the user named, in order; empty lets the strategy choose."""
    strategy: str | None = None
    fallbacks: tuple[str, ...] | None = None
    """`None`: as configured; empty: no fallback at all."""
    task: str | None = None
    user_tier: str | None = None
    task_value: str | None = None
    needs: frozenset[str] = frozenset()
    """What a model must have: any of `vision` (added where a picture is attached), `tools`, `json`.
    """
    unit: str | None = None
    """What an experiment randomises over; the request_id where it is None."""
    experiment: str | None = None
    # What the vendor gets.
    max_tokens: int | None = None
    options: Mapping[str, Option] = field(default_factory=dict)
    stream: bool = True
    logprobs: bool = False
    """Ask how probable the model found each of its tokens, where the provider can say so."""
    schema: Schema | None = None
    """What the answer must be; a model that cannot be held to a schema is not asked."""
    # Patience.
    timeout_s: float | None = None
    """Deadline of the whole request in seconds, all attempts and waits included."""
    retries: int | None = None
    """How often the same model may be asked again after a `Retryable` failure."""
    hedge_s: float | None = None
    """A second model is asked when the first has said nothing for so long; 0 is never."""
    max_cost_usd: Decimal | None = None
    """What the request may cost in US dollars, all its attempts together."""
    broken_stream: Literal["restart", "keep", "fail"] | None = None
    """What follows a stream that broke after text had come; None: as configured."""
    connect_s: float | None = None
    """How long a connection may take; None: as the client's patience or the provider says."""
    silence_s: float | None = None
    """The longest silence on the wire; None: as the client's patience or the provider says."""
    # Answers given before.
    cache: Literal["auto", "on", "off"] | None = None
    """Whether an answer that was kept will do, and a new one is kept; `None`: as configured."""
    fresh: bool = False
    """Ask anew, whatever was kept; the new answer takes its place."""
    sample: int = 0
    """Which of several answers to the same request it is: each has its own place in the cache."""
    request_id: str = field(default_factory=new_ulid)
    labels: Mapping[str, str] = field(default_factory=dict)
    """Where it came from (`notebook`, `cell`, `session`, ...): kept in the ledger, never sent."""

    def __post_init__(self) -> None:
        """Let attachments and schema say what the request needs, and what the ledger keeps."""
        if self.attachments:
            labels = {**self.labels, "attachments": described(self.attachments)}
            object.__setattr__(self, "labels", labels)
        if (self.attachments or self.history) and any(p.is_picture for p in self._attached()):
            object.__setattr__(self, "needs", self.needs | {"vision"})
        if isinstance(self.schema, Schema):  # the client says what is wrong with anything else
            object.__setattr__(self, "needs", self.needs | {"json"})
            labels = {**self.labels, "schema": self.schema.described()}
            object.__setattr__(self, "labels", labels)

    def without_schema(self) -> Request:
        """Return the request as one whose answer may be any text."""
        if self.schema is None:
            return self
        labels = {name: said for name, said in self.labels.items() if name != "schema"}
        return replace(self, schema=None, needs=self.needs - {"json"}, labels=labels)

    def _attached(self) -> list[Attachment]:
        return [*self.attachments, *(one for turn in self.history for one in turn.attachments)]

    def spelled_out(self) -> Request:
        """Return the request as providers get it: attached texts stand in the prompts."""
        if all(one.is_picture for one in self._attached()):
            return self
        history = tuple(
            replace(turn, text=below(turn.text, turn.attachments), attachments=_pictures(turn))
            for turn in self.history
        )
        prompt = below(self.prompt, self.attachments)
        return replace(self, prompt=prompt, history=history, attachments=_pictures(self))

    def estimated_input_tokens(self) -> int:
        """Estimate the input tokens from the characters; an estimate, and to be shown as one.

        Notes
        -----
        Four characters a token, the vendors' own rule of thumb for English
        (help.openai.com article 4936856), plus four tokens a message for its frame.
        """
        turns = [self.system or "", *(turn.text for turn in self.history), self.prompt]
        attached = sum(one.estimated_tokens for one in self._attached())
        asked_for = self.schema.estimated_tokens if self.schema is not None else 0
        return sum(len(text) for text in turns) // 4 + 4 * len(turns) + attached + asked_for


def _pictures(turn: Message | Request) -> tuple[Attachment, ...]:
    return tuple(one for one in turn.attachments if one.is_picture)


@dataclass(frozen=True, slots=True)
class Reason:
    """One clause of an explanation: the rule that spoke, what it saw, what it scored."""

    rule: str
    saw: str
    score: float | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A candidate that the route does not hold, and why."""

    model: str
    why: str


@dataclass(frozen=True, slots=True)
class Route:
    """What a strategy chose: models in the order in which they are to be asked, and why.

    Strategies may name roles, aliases or models; a resolved route holds `provider:model` only.
    """

    models: tuple[str, ...]
    strategy: str
    reasons: tuple[Reason, ...] = ()
    arm: str | None = None
    """The experiment's arm (`EXPERIMENT:ARM`) that the request was dealt to, if any."""
    arm_probability: float | None = None
    left_out: tuple[LeftOut, ...] = ()
    passed_over: tuple[LeftOut, ...] = ()
    """Models that a role names before the one that it means here; told, and not recorded."""
    notices: tuple[str, ...] = ()
    """What the user should know of the choice, such as a retired model's replacement."""
    stands_in_for: tuple[str, ...] = ()
    """Models that come before the first one of the route and cannot be asked here."""
    rungs: tuple[str, ...] = ()
    """Those of `models` that a cascade climbs: `judge` looks at each one's answer but the last's.
    """
    judge: AnyJudge | None = None
    unit: str | None = None
    """What the experiment dealt to the arm: the request's `unit`, its id or one of its labels."""

    @property
    def why(self) -> str:
        """The last reason in a few words, for the receipt."""
        return self.reasons[-1].saw if self.reasons else self.strategy


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the vendor billed them; `None` where it did not say.

    `input_tokens` includes the cached ones, `output_tokens` includes the reasoning ones.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    estimated: bool = False
    """True where we counted characters because the vendor's count never came."""


@dataclass(frozen=True, slots=True)
class Price:
    """What an attempt cost and how we know.

    `source` is one of `override`, `catalogue`, `catalogue-loose`, `local`, `unknown`, and of an
    answer from our cache `cache`.
    """

    cost_usd: Decimal | None
    source: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call to one model, failed or not."""

    provider: str
    model: str
    number: int
    """Counts the request's attempts from 1."""
    rank: int = 0
    """The model's place in the route, from 0: above 0 means that this attempt was a fallback."""
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    latency_s: float = 0.0
    """From sending to the last token or the failure."""
    ttft_s: float | None = None
    """From sending to the first token; None where none came."""
    usage: Usage = field(default_factory=Usage)
    cost_usd: Decimal | None = None
    price_source: str = "unknown"
    stop_reason: str | None = None
    """In the vendor's word; None where the answer did not end properly."""
    response_model: str | None = None
    """The model that the vendor says it used."""
    response_id: str | None = None
    error_type: str | None = None
    """The name of the error's class in `multimodel_magic.errors`; None for an answer."""
    error: str | None = None
    turned_down: str | None = None
    """Why a cascade went up from this answer; None where it stands or there is none."""
    mean_logprob: float | None = None
    """Mean log-probability of the answer's tokens in nats; None where it was not given."""

    @property
    def succeeded(self) -> bool:
        """Whether the attempt gave an answer, be it one that a cascade turned down."""
        return self.error_type is None

    @property
    def cached(self) -> bool:
        """Whether the answer came from our cache: nobody was asked, and it cost nothing."""
        return self.price_source == "cache"

    @property
    def name(self) -> str:
        """The model as `provider:model`."""
        return f"{self.provider}:{self.model}"


@dataclass(frozen=True, slots=True)
class Response:
    """How a request ended: the text, every attempt, and the error if there is no answer.

    `str(response)` is the text, `value` what a schema made of it.
    """

    request: Request
    text: str
    attempts: tuple[Attempt, ...] = ()
    route: Route | None = None
    """None where routing itself failed."""
    error: Exception | None = None
    """Why there is no (whole) answer; partial text, if any, is in `text`."""
    latency_s: float = 0.0
    """Wall time of the whole request, waits included."""
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    cached: bool = False
    """Whether the answer came from our cache."""
    parsed: Parsed | None = None
    """What the answer was read as by the request's schema; None without one, or an answer."""

    def __str__(self) -> str:
        return self.text

    @property
    def value(self) -> object:
        """What was asked for: an object as the request's schema describes it, else the text.

        Raises
        ------
        SchemaNotMet
            The answer is not what the schema describes; its text is kept.
        Exception
            There is no (whole) answer: `error`.
        """
        error = self.error or (self.parsed.error if self.parsed is not None else None)
        if error is not None:
            raise error.with_traceback(None)  # raised once more, it would grow each time
        return self.text if self.parsed is None else self.parsed.value

    @property
    def request_id(self) -> str:
        """The request's ULID."""
        return self.request.request_id

    @property
    def succeeded(self) -> bool:
        """Whether there is an answer."""
        return self.error is None

    @property
    def answered_by(self) -> Attempt | None:
        """The attempt that answered; None where none did."""
        last = self.attempts[-1] if self.attempts else None
        stands = last is not None and last.succeeded and last.turned_down is None
        return last if stands else None

    @property
    def model(self) -> str | None:
        """The model that answered, else the last one asked, else None."""
        return self.attempts[-1].model if self.attempts else None

    @property
    def provider(self) -> str | None:
        """The provider of `model`."""
        return self.attempts[-1].provider if self.attempts else None

    @property
    def fallback_used(self) -> bool:
        """Whether a model before the one that answered failed or could not be asked.

        Going up a cascade is no fallback: the rungs below answered (`cascaded`).
        """
        answer = self.answered_by
        if answer is None:
            return False
        absent = self.route is not None and bool(self.route.stands_in_for)
        return absent or answer.rank > len({a.rank for a in self.went_up_from})

    @property
    def fell_back_from(self) -> tuple[Attempt, ...]:
        """The failed attempts at models before the one that answered (its own retries are not)."""
        answer = self.answered_by
        if answer is None or answer.rank == 0:
            return ()
        answered = {attempt.rank for attempt in self.went_up_from}
        return tuple(a for a in self.attempts if a.rank < answer.rank and a.rank not in answered)

    @property
    def cascaded(self) -> bool:
        """Whether a cascade went up from a poor answer."""
        return bool(self.went_up_from)

    @property
    def went_up_from(self) -> tuple[Attempt, ...]:
        """The answers that a cascade turned down, lowest rung first; `turned_down` says why."""
        return tuple(attempt for attempt in self.attempts if attempt.turned_down is not None)

    @property
    def usage(self) -> Usage:
        """The usage of the attempt that answered, or of the last one."""
        return self.attempts[-1].usage if self.attempts else Usage()

    @property
    def stop_reason(self) -> str | None:
        """Why the model stopped, in the vendor's word."""
        return self.attempts[-1].stop_reason if self.attempts else None

    @property
    def ttft_s(self) -> float | None:
        """Seconds from sending to the first token, within the last attempt."""
        return self.attempts[-1].ttft_s if self.attempts else None

    @property
    def cost_usd(self) -> Decimal | None:
        """What all attempts cost together; None where the cost of any of them is unknown."""
        total = Decimal(0)
        for attempt in self.attempts:
            if attempt.cost_usd is None:
                return None
            total += attempt.cost_usd
        return total

    def labelled(self, labels: Mapping[str, str]) -> Response:
        """Return the same response with more labels on its request."""
        request = replace(self.request, labels={**self.request.labels, **labels})
        return replace(self, request=request)


LLMResponse = Response
"""The seed's name for `Response`."""


@dataclass(frozen=True, slots=True)
class Model:
    """What the catalogue knows of a model; `None` where it does not know."""

    provider: str
    name: str
    needs: frozenset[str] | None = None
    """What it can do, of `vision`, `tools`, `json`."""
    context_tokens: int | None = None
    retired_on: str | None = None
    """ISO date of its retirement, past or announced."""

    @property
    def full_name(self) -> str:
        """`provider:model`."""
        return f"{self.provider}:{self.name}"


Candidate: TypeAlias = Model
