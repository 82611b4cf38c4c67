"""`%llm cache`: what answers are kept, what they saved, and whether they are given again."""

from __future__ import annotations

from multimodel_magic.client.cache import MODES, Mode
from multimodel_magic.errors import UsageError, did_you_mean
from multimodel_magic.ledger.answers import Stock
from multimodel_magic.notebook.extension import LLMMagics
from multimodel_magic.notebook.table import Report, Table
from multimodel_magic.pricing import money
from multimodel_magic.session import Session
from multimodel_magic.wording import number_of

__all__ = ["cache"]

_MEANS = {
    "auto": "auto: where a request sets the temperature to 0",
    "on": "on: wherever the same is asked of the same model",
    "off": "off: never",
}


def cache(session: Session, settings: LLMMagics, arguments: str) -> Report:
    """Do what `%llm cache [on|off|auto|clear]` asks, and show what is kept.

    Raises
    ------
    UsageError
        For another word, with the nearest.
    """
    word = arguments.strip()
    if word == "clear":
        session.answers.file.clear()
    elif word in MODES:
        settings.cache = word
        session.cache_mode = word
    elif word:
        near = did_you_mean(word, (*MODES, "clear"), most=1)
        raise UsageError(f"%llm cache [{'|'.join(MODES)}|clear]{near}")
    return Report((_shown(session),))


def _shown(session: Session) -> Table:
    file = session.answers.file
    stock = file.stock()
    facts = (
        ("given again", _MEANS[_mode(session)]),
        ("entries", f"{stock.entries:,}"),
        ("size", f"{_size(stock.bytes)} of {_size(file.most_bytes)}"),
        ("given", number_of(stock.hits, "time")),
        ("saved", _saved(stock)),
        ("place", file.trouble or session.answers.objection() or _place(file.path)),
    )
    note = "--fresh asks anew, --cache and --no-cache decide for one cell; %llm cache on|off|clear"
    return Table("Cache", (), facts, note)


def _mode(session: Session) -> Mode:
    found = session.client.cache
    return found.mode if found is not None else "off"


def _saved(stock: Stock) -> str:
    unknown = f"; {stock.unknown:,} of unknown cost are not in it" if stock.unknown else ""
    return f"{money(stock.saved_usd, about=True)} (what they cost when they were asked{unknown})"


def _size(count: int) -> str:
    """Write a number of bytes.

    Examples
    --------
    >>> [_size(n) for n in (950, 20_480, 268_435_456)]
    ['950 B', '20 KiB', '256 MiB']
    """
    for size, unit in ((2**20, "MiB"), (2**10, "KiB")):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} B"


def _place(path: str) -> str:
    return "in memory, for this kernel" if path == ":memory:" else path
