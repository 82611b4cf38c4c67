"""What a call costs, by dated prices, and `None` where nobody can say: never 0 for unknown.

In order: the user's own prices, models that run on this machine (0), genai-prices (exact, then
flagged as loose), unknown. genai-prices is offline but costs 0.7 s to import, so it is imported
on first use, or by `warm` in a worker thread; on an event loop `not_loading` says when that is
needed. Pricing never fails a call: it warns once.
"""

from __future__ import annotations

import gc
import logging
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from multimodel_magic.types import Price, Usage

if TYPE_CHECKING:
    from genai_prices.types import MatchLogic, ModelInfo, ModelPrice

__all__ = [
    "LOCAL",
    "NotLoaded",
    "Rates",
    "estimate",
    "is_warm",
    "listed_context_tokens",
    "money",
    "not_loading",
    "price",
    "table",
    "warm",
]

LOCAL = frozenset({"local", "ollama", "scripted"})
"""Providers whose answers cost nothing: they run on the user's own machine, or are played."""

UNKNOWN = Price(None, "unknown")
NOTHING = Price(Decimal(0), "local")

SPELLINGS = {
    # Names in use that genai-prices 0.2.3 does not list, and what they were sold as.
    ("openai", "gpt-4-vision"): "gpt-4-vision-preview",
}

VENDORS = {"gemini": "google", "xai": "x-ai", "bedrock": "aws", "moonshot": "moonshotai"}
"""What users call a vendor, and what genai-prices does."""

_log = logging.getLogger(__name__)
_DATED = re.compile(r"-(latest|\d{8}|\d{4}-\d{2}-\d{2})$")
_MILLION = Decimal(1_000_000)
_LEAST_SHOWN = Decimal("0.000001")
_CENTS = 2


@dataclass(frozen=True, slots=True)
class Rates:
    """Prices in US dollars per million tokens; a `None` of the cache is billed as plain input."""

    input_mtok: Decimal
    output_mtok: Decimal
    cache_read_mtok: Decimal | None = None
    cache_write_mtok: Decimal | None = None
    request_usd: Decimal = Decimal(0)
    """What each request costs besides its tokens."""

    def cost_usd(self, usage: Usage) -> Decimal | None:
        """Cost of `usage` in US dollars; None where a token count is unknown or absurd.

        Unknown cache counts are read as none: a vendor that discounts them reports them.
        """
        if usage.input_tokens is None or usage.output_tokens is None:
            return None
        read, write = usage.cache_read_tokens or 0, usage.cache_write_tokens or 0
        plain = usage.input_tokens - read - write
        if min(plain, read, write, usage.output_tokens) < 0:
            return None
        total = plain * self.input_mtok + usage.output_tokens * self.output_mtok
        if read:
            total += read * _or(self.cache_read_mtok, self.input_mtok)
        if write:
            total += write * _or(self.cache_write_mtok, self.input_mtok)
        return total / _MILLION + self.request_usd


def _or(rate: Decimal | None, otherwise: Decimal) -> Decimal:
    return otherwise if rate is None else rate


@dataclass(frozen=True, slots=True)
class _Tariff:
    """One price list: its rates from so many input tokens on, dearest tier first.

    Crossing a tier's start prices all tokens of the request at it, which is what Anthropic,
    Google and OpenAI do (genai_prices.types.TieredPrices).
    """

    tiers: tuple[tuple[int, Rates], ...]
    """(more input tokens than this, rates); the last one starts at -1."""

    def rates(self, input_tokens: int) -> Rates:
        """Rates of a request with so many input tokens, cached ones included."""
        return next((rates for start, rates in self.tiers if input_tokens > start), self.base)

    @property
    def base(self) -> Rates:
        """Rates of the smallest requests."""
        return self.tiers[-1][1]


@dataclass(frozen=True, slots=True)
class _Listing:
    """A model of genai-prices, found once."""

    info: ModelInfo
    source: str
    always: _Tariff | None
    """The tariff of a model whose price never changed; None where the moment decides."""

    def tariff(self, at: datetime) -> _Tariff | None:
        """Find the tariff at a moment; None where the list does not price text answers."""
        if self.always is not None:
            return self.always
        return _tariff(self.info.get_prices(at))


def price(
    provider: str,
    model: str,
    usage: Usage,
    at: datetime,
    *,
    overrides: Mapping[str, Rates] | None = None,
    local: Collection[str] = LOCAL,
) -> Price:
    """Price one attempt; the cost is None wherever it is unknown.

    Parameters
    ----------
    provider, model
        As in `provider:model`. A provider of the user's own (an OpenAI-compatible `groq`) is
        looked up under that name in genai-prices.
    usage
        Tokens as billed.
    at
        When it was asked (UTC): prices change.
    overrides
        The user's prices, by `provider:model`, else by model, else by `provider:*`.
    local
        Providers whose models cost nothing. Leave `ollama` out where its server is not yours;
        its `-cloud` models are billed elsewhere and are unknown in any case.

    Examples
    --------
    >>> from datetime import UTC
    >>> price("local", "smollm2", Usage(5, 5), datetime.now(UTC)).cost_usd
    Decimal('0')
    >>> price("acme", "unheard-of", Usage(5, 5), datetime.now(UTC)).cost_usd is None
    True
    """
    own = _override(provider, model, overrides)
    if own is not None:
        return _priced(own, usage, "override")
    if provider in local:
        return UNKNOWN if _runs_elsewhere(provider, model) else NOTHING
    listing = _listing(provider, model)
    tariff = _tariff_at(listing, at) if listing else None
    if listing is None or tariff is None or usage.input_tokens is None:
        return UNKNOWN
    return _priced(tariff.rates(usage.input_tokens), usage, listing.source)


def table(
    provider: str,
    model: str,
    at: datetime,
    *,
    input_tokens: int = 0,
    overrides: Mapping[str, Rates] | None = None,
    local: Collection[str] = LOCAL,
) -> Rates | None:
    """Prices per million tokens of a model at a moment, or None where they are unknown.

    `input_tokens` picks the tier of models that cost more from a size on.
    """
    own = _override(provider, model, overrides)
    if own is not None:
        return own
    if provider in local:
        return None if _runs_elsewhere(provider, model) else Rates(Decimal(0), Decimal(0))
    listing = _listing(provider, model)
    tariff = _tariff_at(listing, at) if listing else None
    return tariff.rates(input_tokens) if tariff else None


def estimate(
    provider: str,
    model: str,
    at: datetime,
    *,
    input_tokens: int,
    output_tokens: int,
    overrides: Mapping[str, Rates] | None = None,
    local: Collection[str] = LOCAL,
) -> Price:
    """Price a call that has not been made, from estimated tokens; show it as an estimate."""
    usage = Usage(input_tokens, output_tokens, estimated=True)
    return price(provider, model, usage, at, overrides=overrides, local=local)


def warm() -> None:
    """Import the price list (0.7 s) so that no later call waits; meant for a worker thread."""
    # Half of the list's import is the collector walking what is being made, 120 ms at a stretch
    # in which no other thread runs; nothing of it is garbage.
    collects = gc.isenabled()
    gc.disable()
    try:
        _listing("openai", "gpt-4o")
    finally:
        if collects:
            gc.enable()


class NotLoaded(BaseException):
    """A price was asked for that needs the list, while `not_loading` forbids to import it here.

    No `Exception`: it tells who forbade it to load the list and ask again, and nobody between
    the two shall take it for an unknown price.
    """


_FORBIDDEN: ContextVar[bool] = ContextVar("multimodel_magic_prices", default=False)


@contextmanager
def not_loading() -> Iterator[None]:
    """Raise `NotLoaded` within, where a price needs the list and it is not there yet.

    For event loops: importing the list there would hold up every other request.
    """
    token = _FORBIDDEN.set(True)
    try:
        yield
    finally:
        _FORBIDDEN.reset(token)


def is_warm() -> bool:
    """Whether the price list is there."""
    return "genai_prices.data_snapshot" in sys.modules and _listing.cache_info().currsize > 0


def listed_context_tokens(provider: str, model: str) -> int | None:
    """Context window in tokens as genai-prices lists it; None where it does not."""
    listing = _listing(provider, model)
    return listing.info.context_window if listing else None


def _priced(rates: Rates, usage: Usage, source: str) -> Price:
    cost_usd = rates.cost_usd(usage)
    return UNKNOWN if cost_usd is None else Price(cost_usd, source)


def _override(provider: str, model: str, overrides: Mapping[str, Rates] | None) -> Rates | None:
    if not overrides:
        return None
    names = (f"{provider}:{model}", model, f"{provider}:*")
    return next((overrides[name] for name in names if name in overrides), None)


def _runs_elsewhere(provider: str, model: str) -> bool:
    """Whether an Ollama model only looks local: `gpt-oss:120b-cloud` is billed by ollama.com."""
    return provider == "ollama" and model.endswith(("-cloud", ":cloud"))


@lru_cache(maxsize=4096)
def _listing(provider: str, model: str) -> _Listing | None:
    try:
        return _find(provider, SPELLINGS.get((provider, model), model))
    except LookupError:
        return None  # genai-prices does not know it: quite usual
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        _give_up(f"{provider}:{model}", error)
        return None


def _tariff_at(listing: _Listing, at: datetime) -> _Tariff | None:
    try:
        return listing.tariff(at)
    except (AttributeError, TypeError, ValueError) as error:
        _give_up(listing.info.id, error)
        return None


@lru_cache(maxsize=4096)
def _warned(what: str) -> None:
    _log.warning("no price for %s; its cost is unknown, not zero", what)


def _give_up(name: str, error: Exception) -> None:
    """Warn once a model: pricing must not fail the call that it prices."""
    _warned(f"{name} ({type(error).__name__}: {error})")


def _find(provider: str, model: str) -> _Listing:
    if _FORBIDDEN.get() and not is_warm():
        raise NotLoaded(f"{provider}:{model}")
    from genai_prices.data_snapshot import get_snapshot
    from genai_prices.types import ModelPrice

    snapshot, vendor = get_snapshot(), VENDORS.get(provider, provider)
    # Not its own search for providers: that takes a server named `openai-lab` for OpenAI.
    if all(vendor != known.id for known in snapshot.providers):
        raise LookupError(vendor)
    _, info = snapshot.find_provider_model(model, None, vendor, None)
    exact = _bare(model) in {_bare(name) for name in (info.id, *_names(info.match))}
    always = _tariff(info.prices) if isinstance(info.prices, ModelPrice) else None
    return _Listing(info, "catalogue" if exact else "catalogue-loose", always)


def _bare(name: str) -> str:
    """Name without the date of its snapshot, which never changed a price under the same name."""
    return _DATED.sub("", name.lower())


def _names(match: MatchLogic) -> set[str]:
    """Names that a listing spells out, as against those that only begin or end like it."""
    if (name := getattr(match, "equals", None)) is not None:
        return {name}
    parts = getattr(match, "or_", None) or ()
    return {name for part in parts for name in _names(part)}


# Priced apart, in units that no vendor's usage gives us: such a model's cost stays unknown.
_UNSEEN = ("output_citation_mtok", "output_reasoning_mtok")


def _tariff(prices: ModelPrice) -> _Tariff | None:
    """Read a price list; None where it lacks what every text answer is billed by."""
    listed = {key: value for key, value in vars(prices).items() if value is not None}
    if not {"input_mtok", "output_mtok"} <= listed.keys() or any(key in listed for key in _UNSEEN):
        return None
    starts = {tier.start for value in listed.values() for tier in getattr(value, "tiers", ())}
    return _Tariff(tuple((s, _rates(listed, s)) for s in (*sorted(starts, reverse=True), -1)))


def _rates(listed: Mapping[str, object], start: int) -> Rates:
    """Rates that hold for just over `start` input tokens."""
    at_start = {field.name: _at(listed.get(field.name), start) for field in fields(Rates)[:4]}
    per_thousand = _at(listed.get("requests_kcount"), start) or Decimal(0)
    return Rates(**at_start, request_usd=per_thousand / 1000)  # type: ignore[arg-type]  # not None


def _at(value: Any, start: int) -> Decimal | None:  # noqa: ANN401 - Decimal or TieredPrices
    rate: Decimal | None = getattr(value, "base", value)
    for tier in getattr(value, "tiers", ()):  # sorted by start
        if tier.start <= start:
            rate = tier.price
    return rate


def money(cost_usd: Decimal | None, *, about: bool = False, digits: int = 2) -> str:
    """Write a cost in US dollars, everywhere alike: never as 3.2e-05, and cents at least.

    Parameters
    ----------
    cost_usd
        US dollars; None where the price is not known.
    about
        Say that it is an estimate.
    digits
        How many that say something are kept.

    Examples
    --------
    >>> [money(Decimal(c)) for c in ("1234.5", "0.126", "0.00023", "0.0000001", "0")]
    ['$1,234.50', '$0.13', '$0.00023', '<$0.000001', '$0']
    >>> money(None)
    'cost unknown'
    """
    if cost_usd is None:
        return "cost unknown"
    if cost_usd == 0:
        return "$0"
    if abs(cost_usd) < _LEAST_SHOWN:
        return f"<${_LEAST_SHOWN}"
    places = max(_CENTS, digits - 1 - cost_usd.adjusted())
    whole, _, part = f"{abs(cost_usd):,.{places}f}".partition(".")
    sign = "-" if cost_usd < 0 else ""
    amount = f"{whole}.{part[:_CENTS]}{part[_CENTS:].rstrip('0')}"
    return f"{'about ' if about else ''}{sign}${amount}"
