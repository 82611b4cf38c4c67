"""`%llm budget` and `%llm chaos`: what a session may spend, and the faults that it rehearses."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Final

from multimodel_magic import bridge
from multimodel_magic.errors import UsageError, did_you_mean
from multimodel_magic.limits import Budget
from multimodel_magic.notebook.declaration import dollars
from multimodel_magic.notebook.table import Report, Table
from multimodel_magic.pricing import money
from multimodel_magic.session import Session
from multimodel_magic.wording import number_of

__all__ = ["budget", "chaos", "guards"]

_SPANS: Final = ("call", "session", "day")


def budget(session: Session, arguments: str) -> Report:
    """Do what `%llm budget [call|session|day] $AMOUNT` asks; `off` ends it, nothing shows it.

    Raises
    ------
    UsageError
        For an amount that is none, or a span that is neither `call`, `session` nor `day`.
    """
    words = arguments.split()
    if words == ["off"]:
        session.client.budget = Budget()
    elif words:
        session.client.budget = _with(session.client.budget, *_read(words))
    bridge.run(session.client.recount())
    return Report((_spent(session),))


def _read(words: list[str]) -> tuple[str, Decimal]:
    span, amount = ("session", words[0]) if len(words) == 1 else (words[0], words[-1])
    if span not in _SPANS or len(words) > len(("day", "$1")):
        near = did_you_mean(span, _SPANS, most=1)
        raise UsageError(f"%llm budget [call|session|day] $0.50, or off{near}")
    return span, dollars(amount)


def _with(old: Budget, span: str, amount: Decimal) -> Budget:
    if span == "call":
        return replace(old, call_usd=amount)
    return replace(old, session_usd=amount) if span == "session" else replace(old, day_usd=amount)


def _spent(session: Session) -> Table:
    purse, limits = session.client.purse, session.client.budget
    spent = sorted((name, Decimal(usd)) for name, usd in purse.by_provider.items())
    rows = (
        ("this session", money(purse.spent_usd), _limit(limits.session_usd)),
        ("today (UTC, all kernels)", money(purse.spent_today_usd), _limit(limits.day_usd)),
        ("one request", "", _limit(limits.call_usd)),
        *((f"at {name}", money(usd), "") for name, usd in spent),
    )
    unknown = f"; {number_of(purse.unknown, 'attempt')} of unknown cost" if purse.unknown else ""
    note = f"models that cost nothing answer whatever was spent{unknown}"
    return Table("Budget", ("", "spent", "limit"), rows, note)


def _limit(usd: Decimal | None) -> str:
    return "none" if usd is None else money(usd)


def chaos(session: Session, arguments: str) -> Report:
    """Do what `%llm chaos NAME=SPEC ...` asks; `off` ends it, nothing shows it.

    Raises
    ------
    UsageError
        For a word without `=`, an unknown name, and a fault that is none.
    """
    words = arguments.split()
    if words == ["off"]:
        session.client.chaos()
    elif words:
        loose = [word for word in words if "=" not in word]
        if loose:
            raise UsageError(f"{loose[0]!r} is no NAME=FAULTS, such as strong=529:0.3,latency=2s")
        session.client.chaos(dict(word.split("=", 1) for word in words))
    rows = tuple(session.client.rehearsed.items())
    none = "no faults are rehearsed: %llm chaos NAME=FAULTS does, such as strong=529:0.3"
    return Report((Table("Chaos", ("who", "faults"), rows, "%llm chaos off ends it", none),))


def guards(session: Session) -> tuple[Table, ...]:
    """Show what keeps models from being asked, where anything does.

    Breakers that are not closed, rates and what is left of them, a budget, rehearsed faults.
    Refused keys stand in the table of providers.
    """
    client = session.client
    resting = tuple((name, str(b)) for name, b in client.breakers.items() if b.state != "closed")
    faults = tuple((name, spec) for name, spec in client.rehearsed.items())
    rates = tuple(
        (w.name, w.kind, f"{max(0.0, w.left):,.0f} of {w.most:,.0f}", f"{w.per_minute:,.6g}")
        for w in client.limiter.windows()
    )
    tables = [_spent(session)] if client.budget else []
    if rates:
        columns = ("who", "rate", "free at once", "per minute")
        tables.append(Table("Rates", columns, rows=rates))
    if resting:
        tables.append(Table("Resting after failures", ("model", "breaker"), resting))
    if faults:
        tables.append(Table("Chaos is on", ("who", "faults"), faults, "%llm chaos off ends it"))
    return tuple(tables)
