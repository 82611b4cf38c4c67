"""Budgets: what may be spent, what was spent, and where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Literal

from multimodel_magic.errors import must_be_amounts
from multimodel_magic.pricing import money
from multimodel_magic.wording import number_of

__all__ = ["Budget", "Purse"]

NOTHING = Decimal(0)

CALL, DAY = "budget per call", "day's budget"


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent in US dollars; None is no limit.

    Parameters
    ----------
    call_usd
        By one request, all its attempts together.
    session_usd
        By one client.
    day_usd
        From midnight UTC on: by this client, and what `Purse.begin_day` was told.
    unknown
        Whether a model of unknown price is asked while any limit holds. `refuse` by default:
        a limit that a model without a price walks past is none. With `allow`, what cannot be
        priced counts as nothing.
    """

    call_usd: Decimal | None = None
    session_usd: Decimal | None = None
    day_usd: Decimal | None = None
    unknown: Literal["refuse", "allow"] = "refuse"

    def __post_init__(self) -> None:
        names = ("call_usd", "session_usd", "day_usd")
        must_be_amounts(self, *names, give="US dollars such as Decimal('0.50')")
        for name in names:
            value = getattr(self, name)
            if isinstance(value, int | float):  # its digits as written: 0.1 is no tenth
                object.__setattr__(self, name, Decimal(str(value)))

    def __bool__(self) -> bool:
        return (self.call_usd, self.session_usd, self.day_usd) != (None, None, None)


class Purse:
    """What one client has spent and what is promised to attempts under way, in US dollars.

    Parameters
    ----------
    today
        The date in UTC.
    """

    def __init__(self, *, today: Callable[[], date] = lambda: datetime.now(UTC).date()) -> None:
        self._today = today
        self._day = today()
        self.by_provider: Counter[str] = Counter()
        """Spent in this session, by provider; `Decimal`s."""
        self.spent_usd = NOTHING
        self._own_today_usd = self._others_today_usd = NOTHING
        self.held_usd = NOTHING
        """Estimates of attempts under way."""
        self.unknown = 0
        """How many attempts of unknown cost there were."""

    @property
    def spent_today_usd(self) -> Decimal:
        """Spent since midnight UTC, by this client and, as far as was told, by others."""
        self._turn_page()
        return self._own_today_usd + self._others_today_usd

    def begin_day(self, spent_usd: Decimal) -> None:
        """Tell what others spent today, or this user before this session began; the last holds."""
        self._turn_page()
        self._others_today_usd = spent_usd

    def hold(self, estimate_usd: Decimal) -> None:
        """Promise an estimate to an attempt that begins."""
        self.held_usd += estimate_usd

    def pay(self, provider: str, cost_usd: Decimal | None, held_usd: Decimal = NOTHING) -> None:
        """Book what an attempt cost (None: unknown) in place of its estimate."""
        self.held_usd -= held_usd
        if cost_usd is None:
            self.unknown += 1
        elif cost_usd:
            self._turn_page()
            self.spent_usd += cost_usd
            self._own_today_usd += cost_usd
            self.by_provider[provider] += cost_usd  # type: ignore[assignment]  # of Decimals

    def objection(
        self,
        budget: Budget,
        name: str,
        estimate_usd: Decimal | None,
        *,
        call_usd: Decimal | None = None,
        spent_in_call_usd: Decimal = NOTHING,
    ) -> str | None:
        """Say in one line why a budget does not allow an attempt, or None.

        Parameters
        ----------
        name
            `provider:model`.
        estimate_usd
            What the attempt will cost; None where the price is unknown. What is free passes.
        call_usd
            The request's own limit, instead of the budget's.
        spent_in_call_usd
            What the request's earlier attempts cost.
        """
        if estimate_usd == 0:
            return None
        limits = [*self._limits(budget, call_usd, spent_in_call_usd)]
        if estimate_usd is None:
            if not limits or budget.unknown == "allow":
                return None
            return f"the price of {name} is unknown, so the {limits[0][0]} does not allow it"
        for what, limit_usd, spent_usd in limits:
            if spent_usd + estimate_usd > limit_usd:
                return self._told(what, limit_usd, spent_usd, name, estimate_usd)
        return None

    def _limits(
        self, budget: Budget, call_usd: Decimal | None, spent_in_call_usd: Decimal
    ) -> Iterator[tuple[str, Decimal, Decimal]]:
        self._turn_page()
        own = budget.call_usd if call_usd is None else call_usd
        if own is not None:
            yield CALL, own, spent_in_call_usd
        if budget.session_usd is not None:
            yield "session's budget", budget.session_usd, self.spent_usd + self.held_usd
        if budget.day_usd is not None:
            yield DAY, budget.day_usd, self.spent_today_usd + self.held_usd

    def _told(
        self, what: str, limit_usd: Decimal, spent_usd: Decimal, name: str, estimate_usd: Decimal
    ) -> str:
        payees = [] if what == CALL else self.by_provider.most_common()
        where = ", ".join(f"{who} {money(Decimal(usd))}" for who, usd in payees)
        if what == DAY and self._others_today_usd:
            others = f"other sessions {money(self._others_today_usd)}"
            where = ", ".join(filter(None, [where, others]))
        spent = f"{money(spent_usd)} spent" + (f" ({where})" if where else "")
        unknown = (
            f" and {number_of(self.unknown, 'attempt')} of unknown cost" if self.unknown else ""
        )
        return (
            f"the {what} is {money(limit_usd)}: {spent}{unknown}, "
            f"{name} would cost about {money(estimate_usd)} more"
        )

    def _turn_page(self) -> None:
        if (today := self._today()) != self._day:
            self._day = today
            self._own_today_usd = self._others_today_usd = NOTHING
