"""`check_strategy`: whether something chooses as a strategy must."""

from __future__ import annotations

import json
import math
import os
import pickle
import subprocess
import sys
import warnings
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import replace

from multimodel_magic.errors import Misconfigured
from multimodel_magic.testing.law import Law, name_of, shown
from multimodel_magic.types import Message, Reason, Request, Route, Strategy
from multimodel_magic.wording import number_of

__all__ = ["REQUESTS", "answer_elsewhere", "check_strategy"]

ELSEWHERE_S = 60.0
"""How long the other process may take, in seconds."""

_ASKED = (
    Request("Hello!"),
    Request(""),
    Request("Prove that there are infinitely many primes, step by step."),
    Request("Beweise, dass es unendlich viele Primzahlen gibt. \u2200n \u2203p > n \U0001f642"),
    Request("def f(x):\n    return x + 1\n\nWhy does f('a') fail?", task="code"),
    Request("word " * 20_000, max_tokens=100),
    Request("What is in the picture?", needs=frozenset({"vision"})),
    Request("A table, please.", needs=frozenset({"json", "tools"})),
    Request("Summarize.", task="summarization", system="Be brief.", stream=False),
    Request("And then?", history=(Message("user", "Hi"), Message("assistant", "Hello."))),
    Request("Free.", user_tier="free", task_value="low"),
    Request("Dear.", user_tier="enterprise", task_value="high", unit="ann"),
    Request("Dealt.", unit="bob", experiment="no_such_experiment"),
    Request("Named.", models=("strong", "fast"), fallbacks=()),
    Request("Labelled.", labels={"session": "s", "notebook": "n.ipynb"}),
    Request("With options.", options={"temperature": 0, "stop": ["."]}),
)

REQUESTS: tuple[Request, ...] = tuple(
    # The same ids every time: a failure can be had again.
    replace(request, request_id=f"01CHECK{number:019}")
    for number, request in enumerate(_ASKED)
)
"""What `check_strategy` asks where it is given nothing: something of every kind."""

_ELSEWHERE = """
from multimodel_magic.testing.strategy import answer_elsewhere
answer_elsewhere()
"""


def check_strategy(strategy: Strategy, requests: Iterable[Request] | None = None) -> None:
    """Check that a strategy keeps the laws of strategies.

    It has the protocol's members. Its routes name at least one model and say why, or a
    `Misconfigured` says why there is none. It leaves the request as it was. The same request
    gives the same route: again, from a pickled copy, and in another process with other hash
    seeds.

    Parameters
    ----------
    strategy
        Yours. One that cannot be pickled, or that another process cannot import (defined in a
        notebook, a script, a function), is not checked there, and a warning says so.
    requests
        What to ask it; by default `REQUESTS`, a few of every kind.

    Raises
    ------
    AssertionError
        In one line: what does not hold, and what to do.

    Examples
    --------
    >>> from multimodel_magic.strategies import Fixed
    >>> check_strategy(Fixed(("fast", "strong")))
    """
    law = Law(name_of(strategy, "strategy"))
    law.is_made(strategy)
    law.is_line(getattr(strategy, "name", None), "name")
    law.holds(isinstance(strategy, Strategy), "it has no route(request); see types.Strategy")
    asked = REQUESTS if requests is None else tuple(requests)
    law.holds(asked, "there is no request to check it with")
    first = [_answer(law, strategy, request) for request in asked]
    law.holds(
        any("Route" in said for said in first),
        f"it routes none of {number_of(len(asked), 'request')}; to the last it says {first[-1]}",
    )
    again = _told_all(law, strategy, asked, "asked again")
    _expect_same(law, asked, first, again, "asked again; use no dice, clock or counter")
    _check_copies(law, strategy, asked, first)


def _answer(law: Law, strategy: Strategy, request: Request) -> str:
    """Return what a strategy says to a request, having looked at every part of it."""
    about = f"route({request.prompt[:20]!r}...)"
    before = deepcopy(request)
    advice = "raise Misconfigured with a line that says what to do"
    with law.only(about, Misconfigured, advice=advice) as raised:
        route: object = strategy.route(request)
    if raised.error is not None:
        law.is_line(str(raised.error), f"{about} raises {type(raised.error).__name__}, which says")
        return _said(raised.error)
    law.is_plain(route, about)
    law.holds(isinstance(route, Route), f"{about} gives {type(route).__name__}; give types.Route")
    law.holds(request == before, f"{about} changes the request; leave its mappings alone")
    _check_route(law, about, route)  # type: ignore[arg-type]  # seen above
    return _said(route)  # type: ignore[arg-type]  # seen above


def _check_route(law: Law, about: str, route: Route) -> None:
    models, reasons = route.models, route.reasons
    law.holds(isinstance(models, tuple), f"{about}: models is {shown(models)}; give a tuple")
    law.holds(models, f"{about}: no model; name one, or raise Misconfigured and say why")
    for model in models:
        law.is_line(model, f"{about}: a model")
    twice = [model for model in dict.fromkeys(models) if models.count(model) > 1]
    law.holds(not twice, f"{about}: {shown(twice)} stands there twice; name each model once")
    law.is_line(route.strategy, f"{about}: strategy")
    law.holds(
        isinstance(reasons, tuple) and reasons,
        f"{about}: reasons is {shown(reasons)}; give a tuple with one Reason at least",
    )
    for reason in reasons:
        _check_reason(law, about, reason)
    _check_arm(law, about, route)
    _check_rungs(law, about, route)


def _check_reason(law: Law, about: str, reason: object) -> None:
    if not isinstance(reason, Reason):
        law.holds(False, f"{about}: {shown(reason)} is no Reason; give Reason(rule, saw)")
        return
    law.is_line(reason.rule, f"{about}: a reason's rule")
    law.is_line(reason.saw, f"{about}: what a reason saw")
    score = reason.score
    is_number = score is None or (isinstance(score, int | float) and math.isfinite(score))
    law.holds(is_number, f"{about}: a reason's score is {shown(score)}; give a number or None")


def _check_arm(law: Law, about: str, route: Route) -> None:
    if route.arm is None:
        return
    experiment, _, arm = route.arm.rpartition(":")
    law.holds(experiment and arm, f"{about}: arm is {route.arm!r}; give 'EXPERIMENT:ARM'")
    chance = route.arm_probability
    law.holds(
        chance is not None and 0 < chance <= 1,
        f"{about}: arm_probability is {chance!r}; give that of the arm, in (0, 1]",
    )


def _check_rungs(law: Law, about: str, route: Route) -> None:
    strange = [rung for rung in route.rungs if rung not in route.models]
    law.holds(not strange, f"{about}: the rungs {shown(strange)} are not among its models")
    advice = "give the judge that turns poor answers down"
    law.holds(not route.rungs or route.judge, f"{about}: rungs without a judge; {advice}")


def _check_copies(
    law: Law, strategy: Strategy, asked: tuple[Request, ...], first: list[str]
) -> None:
    try:
        packed = pickle.dumps((strategy, asked))
    except (pickle.PicklingError, TypeError, AttributeError):
        _warn(law, "it cannot be pickled")  # A strategy need not travel.
        return
    with law.only("pickle.loads(pickle.dumps(it))", advice="make it a frozen dataclass"):
        copy, _ = pickle.loads(packed)  # noqa: S301 - packed above
    there = _told_all(law, copy, asked, "asked of a pickled copy")
    _expect_same(law, asked, first, there, "asked of a pickled copy; keep its state in fields")
    if (elsewhere := _elsewhere(law, packed)) is None:
        _warn(law, "it cannot be imported there")
        return
    advice = "asked in another process; hash() is salted, and sets have no order"
    _expect_same(law, asked, first, elsewhere, advice)


def _warn(law: Law, why: str) -> None:
    """Say that the law which strangers break most often was not looked at."""
    unseen = "a hash() or the order of a set in it would go unseen; define it in a module"
    warnings.warn(
        f"{law.who}: not asked in another process, for {why}: {unseen}",
        stacklevel=4,  # whoever called check_strategy
    )


def _told_all(law: Law, strategy: Strategy, asked: tuple[Request, ...], when: str) -> list[str]:
    said: list[str] = []
    with law.only(f"route() {when}", advice="give what it gave the first time"):
        said += [told(strategy, request) for request in asked]
    return said


def _elsewhere(law: Law, packed: bytes) -> list[str] | None:
    """Ask in another process, whose hash seed is another one; None where it is unknown there."""
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    where = {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(  # noqa: S603 - this interpreter, and our own words
        [sys.executable, "-c", _ELSEWHERE],
        input=packed,
        capture_output=True,
        env={**os.environ, **where},
        timeout=ELSEWHERE_S,
        check=False,
    )
    last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
    law.holds(done.returncode == 0, f"it cannot be asked in another process: {''.join(last)}")
    said: list[str] | None = json.loads(done.stdout.splitlines()[-1])  # Imports may have printed.
    return said


def answer_elsewhere() -> None:
    """Read a strategy and requests from the standard input and write what it says to them."""
    try:
        strategy, asked = pickle.loads(sys.stdin.buffer.read())  # noqa: S301 - from `_elsewhere`
    except (ImportError, AttributeError):
        said = None
    else:
        said = [told(strategy, request) for request in asked]
    sys.stdout.write("\n" + json.dumps(said))


def told(strategy: Strategy, request: Request) -> str:
    """Return what a strategy says to a request as a text that can be compared."""
    try:
        return _said(strategy.route(request))
    except Misconfigured as error:
        return _said(error)


def _said(route: Route | Exception) -> str:
    if isinstance(route, Exception):
        return f"{type(route).__name__}: {route}"
    parts = (route.models, route.strategy, route.reasons, route.arm, route.arm_probability)
    return f"Route{(*parts, route.left_out, route.notices, route.rungs, route.unit)!r}"


def _expect_same(
    law: Law, asked: tuple[Request, ...], first: list[str], then: list[str], when: str
) -> None:
    for request, before, after in zip(asked, first, then, strict=True):
        about = f"route({request.prompt[:20]!r}...)"
        law.holds(before == after, f"{about} is another when {when}; {before} became {after}")
