"""`%llm vote`, `%llm judge` and `%llm ratings`: what was said of comparisons, and what follows."""

from __future__ import annotations

import re

from multimodel_magic.comparison.values import Comparison, letter
from multimodel_magic.errors import UsageError
from multimodel_magic.experiments.ratings import FEW, Rated, Ratings
from multimodel_magic.experiments.votes import votes_in
from multimodel_magic.notebook.compare.voting import verdicts
from multimodel_magic.notebook.table import Report, Table
from multimodel_magic.pricing import money
from multimodel_magic.session import Session

__all__ = ["judge", "ratings", "vote"]


def vote(session: Session, word: str) -> Table:
    """Vote on the last comparison, and show who stood where.

    Raises
    ------
    UsageError
        For a word that is no vote, and where nothing was compared yet.
    """
    changed = session.vote(word)
    comparison = session.last_comparison
    assert comparison is not None, "the vote found it"  # noqa: S101
    rows = tuple(_place(comparison, place) for place in range(len(comparison)))
    said, _ = votes_in(session.ledger.votes(comparison=comparison.id))
    lines = [*verdicts(comparison, said), "%llm ratings shows what all votes say together"]
    caption = "Your vote" if changed else "Your vote, as it was already"
    return Table(caption, ("place", "contestant", "answered by"), rows, "; ".join(lines))


def _place(comparison: Comparison, place: int) -> tuple[str, str, str]:
    response = comparison.responses[place]
    answer = None if response is None else response.answered_by
    who = "nobody" if answer is None else answer.name
    return letter(place), comparison.names[place], who


def judge(session: Session, model: str) -> Table:
    """Have a model judge the last comparison, in both orders; it costs two requests."""
    judgement = session.judge(model=model or "strong")
    comparison = session.last_comparison
    hidden = comparison is not None and comparison.hidden
    facts = [
        ("judge", judgement.judge),
        ("as shown", judgement.rounds[0]),
        ("reversed", judgement.rounds[1]),
        ("counts as", _counts_as(judgement.rounds)),
        ("cost", money(judgement.cost_usd)),
    ]
    if judgement.own:
        facts.append(("beware", "it is one of the contestants, and models like their own answers"))
    note = "kept apart from people's votes: %llm ratings judge " + judgement.judge
    return Table("Judged" + " (still blind)" * hidden, (), tuple(facts), note)


def _counts_as(rounds: tuple[str, ...]) -> str:
    first, second = rounds
    if first != second:
        return "a tie: the verdict changed with the order"
    return {"tie": "a tie", "bad": "none is any good"}.get(first, f"{first} preferred")


# --- ratings

_ARGUMENTS = re.compile(
    r"(?:by\s+(?P<by>name|model)\b)?\s*(?:judge\s+(?P<judge>\S+))?\s*(?P<here>here)?"
)


def ratings(session: Session, arguments: str) -> Report:
    """Show how contestants rate by the votes on them.

    Parameters
    ----------
    session
        Whose ledger.
    arguments
        `by model`, `judge NAME` (or `all`), `here` (this session's votes alone), in this order.
    """
    said = _ARGUMENTS.fullmatch(arguments.strip())
    if said is None:
        raise UsageError(f"ratings {arguments!r}: say [by model] [judge NAME|all] [here]")
    rated = session.ratings(
        by="model" if said["by"] == "model" else "name",
        judge=said["judge"],
        everything=said["here"] is None,
    )
    if not rated.n and not rated.notes:
        return Report((_table(rated),))
    facts = [("position", rated.places.removeprefix("position: "))]
    if rated.agreement is not None:
        words = str(rated.agreement).removeprefix("agreement with people: ")
        facts.append(("agreement with people", words))
    tables = [_table(rated)]
    if rated.notes:
        notes = tuple((note,) for note in rated.notes)
        tables.append(Table("What the votes leave open", (), notes))
    return Report((*tables, Table("How it was voted", (), tuple(facts))))


_COLUMNS = ("rating (95 %)", "won", "win rate (95 %)", "n", "all bad")


def _table(rated: Ratings) -> Table:
    several = max((one.group for one in rated.contestants), default=1) > 1
    rows = tuple(
        (one.name, *((str(one.group),) if several else ()), *_cells(one))
        for one in rated.contestants
    )
    first = "contestant" if rated.by == "name" else "model that answered"
    columns = (first, *(("group",) if several else ()), *_COLUMNS)
    note = (
        "Bradley-Terry on Elo's scale: 1000 is the mean of a group, 400 more wins 10 to 1; "
        "bootstrap over comparisons, for one look"
    )
    if any(one.n < FEW for one in rated.contestants):
        note += f"; ? fewer than {FEW} comparisons"
    empty = (
        "nothing can be rated yet: compare with %%llm --compare A,B --blind, "
        "then %llm vote left|right|tie|bad"
    )
    return Table(f"Ratings: {rated.said}", columns, rows, note, empty).without_empty()


def _cells(one: Rated) -> tuple[str, ...]:
    return (
        _rating(one),
        f"{one.wins:g} of {one.pairs}",
        _rate(one),
        str(one.n),
        str(one.bad) if one.bad else "",
    )


def _rating(one: Rated) -> str:
    if one.rating is None:
        return "no finite estimate"
    if one.rating_low is None or one.rating_high is None:
        return f"{one.rating:.0f} (too few)"
    few = " ?" if one.n < FEW else ""
    return f"{one.rating:.0f} ({one.rating_low:.0f} to {one.rating_high:.0f}){few}"


def _rate(one: Rated) -> str:
    if one.win_rate is None or one.win_low is None or one.win_high is None:
        return ""
    return f"{one.win_rate:.0%} ({one.win_low:.0%} to {one.win_high:.0%})"
