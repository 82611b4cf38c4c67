"""Routing by what the user pays and what the task is worth: the seed's second pattern."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import ClassVar, overload

from multimodel_magic import pricing
from multimodel_magic.catalogue import Catalogue
from multimodel_magic.errors import SLIP, BudgetExceeded, UnknownModel, UsageError, did_you_mean
from multimodel_magic.pricing import money
from multimodel_magic.types import LeftOut, Reason, Request, Route

__all__ = [
    "LADDER",
    "OUTPUT_TOKENS",
    "ByCostTier",
    "CostOf",
    "CostTierRouter",
    "Terms",
    "seed_table",
]

OUTPUT_TOKENS = 500
"""How long an answer is taken to be in an estimate, where the request's max_tokens is not lower."""

LADDER = ("fast", "balanced", "strong")
"""Roles by quality: who asks for a floor takes that role or a later one."""

CostOf = Callable[[str, str, int, int], Decimal | None]
"""`(provider, model, input_tokens, output_tokens) -> US dollars`, None where it is unknown."""

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Terms:
    """What a kind of request may have: at least this quality, and at most this price.

    Parameters
    ----------
    floor
        The lowest role that will do: with one of `LADDER`, the roles above it will do too. Any
        other role, alias or model stands for itself.
    ceiling_mtok
        US dollars per million tokens, input and output in the mix that the request is estimated
        to have. None: no dearer than the dearest model of the floor's role.
    """

    floor: str
    ceiling_mtok: Decimal | None = None

    def ceiling_usd(self, tokens: int) -> Decimal | None:
        """Return the ceiling in US dollars for a request of so many tokens, both ways."""
        return None if self.ceiling_mtok is None else self.ceiling_mtok * tokens / _MILLION


def seed_table() -> dict[tuple[str, str], Terms]:
    """Return the seed's three-way rule as a table of (user_tier, task_value) -> terms.

    Enterprise with a high value gets `strong`, pro and enterprise `balanced`, the rest `fast`.
    """
    table = {("free", value): Terms("fast") for value in ("low", "medium", "high")}
    for tier in ("pro", "enterprise"):
        table |= {(tier, value): Terms("balanced") for value in ("low", "medium", "high")}
    return table | {("enterprise", "high"): Terms("strong")}


@dataclass(frozen=True, slots=True)
class ByCostTier:
    """The cheapest model that is good enough for this user and this task.

    Parameters
    ----------
    catalogue
        Where the candidates are: the models of the floor's role and of those above it. None
        leaves the choice within the role to the catalogue's own order.
    table
        (user_tier, task_value) -> `Terms`; the seed's three-way rule by default.
    cost_of
        What a call would cost; by default the listed prices of the day `at`.
    output_tokens
        How long an answer is taken to be, where the request's max_tokens is not lower.
    at
        The day of the prices: the moment of construction, so that a route stays reproducible.

    Raises
    ------
    UsageError
        From `route`, for a user_tier or task_value that the table does not have.
    BudgetExceeded
        From `route`, where nothing is within the ceiling; says what each would cost.

    Notes
    -----
    What the request does not say is the seed's default: `free`, `low`. The route holds the
    candidates from the cheapest up, as far as the ceiling; a model of unknown price is never
    taken for free: it comes after all others, and not at all where a ceiling is given. Models of
    the user's own machine cost 0. What stands last in every role of the ladder is a last resort
    and not a candidate: it comes last here too, however cheap.
    """

    catalogue: Catalogue | None = None
    table: Mapping[tuple[str, str], Terms] = field(default_factory=seed_table)
    cost_of: CostOf | None = None
    output_tokens: int = OUTPUT_TOKENS
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    name: str = "cost"

    def route(self, request: Request) -> Route:
        """Return the candidates that meet the terms, cheapest first, with what each would cost."""
        tier, value = request.user_tier or "free", request.task_value or "low"
        terms = self.terms(tier, value)
        what = f"{tier} user, {value} value: {terms.floor}"
        if self.catalogue is None:
            return Route((terms.floor,), self.name, (Reason(self.name, what),))
        usage = request.estimated_input_tokens(), self._output_tokens(request)
        offers = self._offers(self.catalogue, terms.floor, usage)
        kept, left_out = _within(offers, terms.ceiling_usd(sum(usage)))
        last = _last_resorts(self.catalogue) if terms.floor in LADDER else ()
        models = (*(offer.model for offer in kept), *last)
        if not models and not left_out:
            raise UnknownModel(f"cost: no model for {what}: the role is empty")
        if not models:
            whys = "; ".join(f"{out.model}: {out.why}" for out in left_out)
            raise BudgetExceeded(f"cost: no model for {what}. {whys}")
        listed = tuple(Reason(f"candidate: {o.model}", o.words, o.score) for o in kept)
        return Route(models, self.name, (*listed, Reason(self.name, what)), left_out=left_out)

    def terms(self, user_tier: str, task_value: str) -> Terms:
        """Return the terms of a kind of request; `UsageError` names the nearest for a typo."""
        found = self.table.get((user_tier, task_value))
        if found is not None:
            return found
        tiers = dict.fromkeys(tier for tier, _ in self.table)
        if user_tier not in tiers:
            raise UsageError(_unknown("user_tier", user_tier, tiers))
        values = [value for tier, value in self.table if tier == user_tier]
        raise UsageError(_unknown("task_value", task_value, values))

    def _output_tokens(self, request: Request) -> int:
        asked = request.max_tokens
        return self.output_tokens if asked is None else min(asked, self.output_tokens)

    def _offers(self, catalogue: Catalogue, floor: str, usage: tuple[int, int]) -> list[_Offer]:
        """Price every candidate of the floor and above, cheapest first, unknown last."""
        cost_of = self.cost_of or self._listed
        last = _last_resorts(catalogue)
        offers: dict[str, _Offer] = {}
        roles = LADDER[LADDER.index(floor) :] if floor in LADDER else (floor,)
        for rung, role in enumerate(roles):
            for name in catalogue.roles.get(role, (role,)):
                model = catalogue.resolve(name).model
                full = model.full_name
                if name not in last and full not in offers:
                    cost_usd = cost_of(model.provider, model.name, *usage)
                    offers[full] = _Offer(full, rung == 0, cost_usd)
        return sorted(offers.values(), key=lambda o: (o.cost_usd is None, o.cost_usd or 0))

    def _listed(
        self, provider: str, model: str, input_tokens: int, output_tokens: int
    ) -> Decimal | None:
        priced = pricing.estimate(
            provider, model, self.at, input_tokens=input_tokens, output_tokens=output_tokens
        )
        return priced.cost_usd


@dataclass(frozen=True, slots=True)
class _Offer:
    """One candidate and what this request would cost with it."""

    model: str
    of_the_floor: bool
    cost_usd: Decimal | None

    @property
    def score(self) -> float | None:
        return None if self.cost_usd is None else float(self.cost_usd)

    @property
    def words(self) -> str:
        if self.cost_usd is None:
            return "price unknown"
        return money(self.cost_usd, about=True) if self.cost_usd else "free of charge"


def _within(
    offers: list[_Offer], given_usd: Decimal | None
) -> tuple[list[_Offer], tuple[LeftOut, ...]]:
    """Part the offers by the ceiling, which is by default the dearest one of the floor."""
    floor = [o.cost_usd for o in offers if o.of_the_floor and o.cost_usd is not None]
    ceiling_usd = max(floor, default=Decimal(0)) if given_usd is None else given_usd
    kept, left_out = [], []
    for offer in offers:
        if offer.cost_usd is None:
            # Not free, but nobody set a limit, and the floor's own role asks for it.
            fits = given_usd is None and offer.of_the_floor
        else:
            fits = offer.cost_usd <= ceiling_usd
        if fits:
            kept.append(offer)
        else:
            why = f"{offer.words}, and the ceiling is {money(ceiling_usd)}"
            left_out.append(LeftOut(offer.model, why))
    return kept, tuple(left_out)


def _last_resorts(catalogue: Catalogue) -> tuple[str, ...]:
    """Return what every role ends with: it answers where nothing else can."""
    lists = [catalogue.roles.get(role, ()) for role in LADDER]
    if not all(lists):
        return ()
    return (lists[0][-1],) if all(models[-1] == lists[0][-1] for models in lists) else ()


class CostTierRouter:
    """The seed's router by cost, in the seed's call shape, and a `Strategy` besides.

    `router.route({"user_tier": "pro", "task_value": "high"})` gives a model name;
    `router.route(Request(...))` gives a `Route`.

    Parameters
    ----------
    catalogue
        With one, the name is the cheapest listed model that meets the floor. Without, it is the
        seed's own, which the catalogue replaces by today's with a notice when it is asked.

    Raises
    ------
    UsageError
        From `route`, for an unknown user_tier or task_value, with the nearest, and for a key that
        is nearly one of these: a misspelt tier would else be served as `free`. Other keys are
        the caller's own.

    Examples
    --------
    >>> CostTierRouter().route({"user_tier": "enterprise", "task_value": "high"})
    'claude-3-opus'
    >>> CostTierRouter().route({})
    'claude-3-haiku'
    """

    PRICING: ClassVar[Mapping[str, float]] = {
        "gpt-3.5-turbo": 0.002,
        "claude-3-haiku": 0.001,
        "claude-3-sonnet": 0.01,
        "gpt-4-turbo": 0.02,
        "claude-3-opus": 0.05,
    }
    """The seed's table of March 2024, kept to be read; real prices come from `pricing`."""

    SEED_MODELS: ClassVar[Mapping[str, str]] = {
        "fast": "claude-3-haiku",
        "balanced": "claude-3-sonnet",
        "strong": "claude-3-opus",
    }

    def __init__(self, catalogue: Catalogue | None = None) -> None:
        self.strategy = ByCostTier(catalogue)
        self.name = self.strategy.name

    @overload
    def route(self, request: Request) -> Route: ...
    @overload
    def route(self, request: Mapping[str, object]) -> str: ...
    def route(self, request: Request | Mapping[str, object]) -> Route | str:
        """Route a request; of a dict with user_tier and task_value, name the model."""
        if isinstance(request, Request):
            return self.strategy.route(request)
        if not isinstance(request, Mapping):
            told = "{'user_tier': ..., 'task_value': ...}"
            raise UsageError(f"cost: {request!r} is no request; give {told}, or a Request")
        for key in request:
            if key not in {"user_tier", "task_value"} and (near := _slip(str(key))):
                raise UsageError(f"cost: unknown key {key!r}{near}")
        tier, value = (
            str(otherwise if (said := request.get(key)) is None else said)
            for key, otherwise in (("user_tier", "free"), ("task_value", "low"))
        )
        asked = Request(str(request.get("prompt", "")), user_tier=tier, task_value=value)
        if self.strategy.catalogue is not None:
            return self.strategy.route(asked).models[0]
        return self.SEED_MODELS[self.strategy.terms(tier, value).floor]


def _slip(key: str) -> str:
    """Say which key was meant where one nearly is; nothing for the caller's own."""
    return did_you_mean(key, ("user_tier", "task_value"), most=1, alike=SLIP)


def _unknown(what: str, word: str, known: Iterable[str]) -> str:
    names = list(known)
    near = did_you_mean(word, names) or f": known are {', '.join(names)}"
    return f"cost: unknown {what} {word!r}{near}"
