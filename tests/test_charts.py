"""Charts: every kind says in words what it shows, and draws without a warning whatever is there."""

from __future__ import annotations

import io
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from multimodel_magic import exchange
from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.errors import UsageError
from multimodel_magic.ledger import Ledger
from multimodel_magic.notebook import files
from multimodel_magic.notebook.charts import KINDS, Chart, alt_text, chart, plot
from multimodel_magic.notebook.charts.money import _front
from multimodel_magic.notebook.charts.paint import COLOURS, INK, apart, short
from multimodel_magic.notebook.options import parse_line
from multimodel_magic.session import Session
from multimodel_magic.strategies import ByComplexity
from multimodel_magic.types import Attempt, Request, Response, Route, Usage

mpl.use("agg")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def session_of(models: int, n: int = 40, *, judged: bool = False, free: bool = False) -> Session:
    """A session that asked `models` models `n` things, some failed, some of unknown cost."""
    session = Session(UnifiedLLMClient({}), ledger=Ledger(":memory:"))
    dice = np.random.default_rng(1)
    for i in range(n):
        k = i % models
        request = Request(f"Compare and prove step {i}" if i % 2 else "Hi",
                          labels={"session": session.id})  # fmt: skip
        reasons = ByComplexity().route(request).reasons
        ranks = [k, (k + 1) % models] if i % 5 == 0 and models > 1 else [k]
        tried = []
        for number, rank in enumerate(ranks, start=1):
            failed = rank != ranks[-1]
            cost = Decimal(0) if free else None if i % 9 == 0 else Decimal(k + 1) / 1000
            tried.append(
                Attempt(
                    *("p", f"m${rank}", number, number - 1, NOON + timedelta(minutes=i)),
                    *(float(dice.lognormal()), 0.1, Usage(100 * i, 10 * i, 5 * i), cost),
                    error_type="Overloaded" if failed else None,
                )
            )
        route = Route(tuple(f"p:m${r}" for r in ranks), "complexity", reasons)
        session.ledger.record(
            Response(request, "x", tuple(tried), route, None, 1.0, NOON + timedelta(minutes=i))
        )
        if judged:
            session.ledger.keep_outcome(request.request_id, {"score": float(dice.random())})
    session.ledger.flush()
    return session


def books_of(session: Session) -> exchange.Books:
    return exchange.books(session.ledger)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("models", [1, 9])
def test_every_chart_names_its_n_and_carries_its_alt_text(kind: str, models: int) -> None:
    made = chart(kind, books_of(session_of(models, judged=models > 1)))
    title = made.axes.get_title(loc="left")
    bundle = made._repr_mimebundle_()
    assert "n = " in title
    assert made.text.startswith(title)
    assert alt_text(made.axes) == bundle["text/plain"] == str(made) == made.text
    assert 'alt="' in bundle["text/html"]
    assert made.png.startswith(b"\x89PNG")


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_ledger_says_that_there_is_nothing_to_draw(kind: str) -> None:
    made = chart(kind, books_of(Session(UnifiedLLMClient({}), ledger=Ledger(":memory:"))))
    assert "n = 0" in made.text
    assert " no " in made.text


@pytest.mark.parametrize("kind", KINDS)
def test_models_that_cost_nothing_can_be_drawn(kind: str) -> None:
    assert chart(kind, books_of(session_of(2, free=True))).png


@pytest.mark.parametrize("kind", KINDS)
def test_a_single_request_can_be_drawn(kind: str) -> None:
    assert chart(kind, books_of(session_of(1, 2))).png


def test_python_draws_into_the_axes_it_is_given() -> None:
    ax = Figure().add_subplot()
    assert plot.of(books_of(session_of(2))).cost(ax) is ax
    assert "Spent so far" in alt_text(ax)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_a_method_of_plot(kind: str) -> None:
    ax = Figure().add_subplot()
    assert getattr(plot.of(books_of(session_of(3, 10))), kind)(ax) is ax


def test_nothing_lies_behind_a_chart_and_its_ink_shows_on_white_and_on_black() -> None:
    made = chart("cost", books_of(session_of(2)))
    picture = mpl.image.imread(io.BytesIO(made.png))
    assert picture[0, -1, 3] == 0
    assert min(contrast(INK, "#ffffff"), contrast(INK, "#111111")) > 4.2
    for colour in COLOURS:
        assert min(contrast(colour, "#ffffff"), contrast(colour, "#111111")) > 2


def contrast(one: str, other: str) -> float:
    """WCAG 2's contrast ratio."""

    def luminance(colour: str) -> float:
        parts = np.array(mpl.colors.to_rgb(colour))
        linear = np.where(parts <= 0.03928, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_figures_in_the_words_are_those_of_the_data() -> None:
    source = books_of(session_of(3))
    spent = source.attempts.groupby("model")["cost_usd"].sum()
    said = chart("cost", source).text
    assert all(f"{model} ${cost:.2g}" in said.replace("0 ", " ") or f"{model} $" in said
               for model, cost in spent.items())  # fmt: skip
    assert f"{source.attempts['cost_usd'].isna().sum()} attempts of unknown cost" in said


def test_an_unknown_kind_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'latency'"):
        chart("latencies", books_of(session_of(1, 1)))


def test_charts_of_a_hostile_model_name_hold_no_markup() -> None:
    session = Session(UnifiedLLMClient({}), ledger=Ledger(":memory:"))
    attempt = Attempt("p", '"><script>$x$', 1, 0, NOON, 1.0, 0.1, Usage(1, 1), Decimal(1))
    session.ledger.record(Response(Request("x"), "y", (attempt,), None, None, 1.0, NOON))
    for kind in KINDS:
        assert "<script" not in chart(kind, books_of(session))._repr_mimebundle_()["text/html"]


# --- what the charts are made of


@given(st.lists(st.floats(-100, 100), max_size=8))
def test_labels_are_moved_apart_in_their_order(wanted: list[float]) -> None:
    placed = apart(wanted, 2.0)
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    gaps = [placed[b] - placed[a] for a, b in pairwise(order)]
    assert all(gap >= 2.0 - 1e-9 for gap in gaps)
    assert sum(placed) == pytest.approx(sum(wanted), abs=1e-6)


def test_names_keep_their_provider_only_where_they_must() -> None:
    assert short(["a:x", "b:x", "b:y"]) == {"a:x": "a:x", "b:x": "b:x", "b:y": "y"}


POINTS = st.lists(st.tuples(*[st.integers(0, 4)] * 3).map(list), min_size=1, max_size=8)


@given(POINTS)
def test_the_front_is_what_nobody_beats(points: list[list[float]]) -> None:
    front = _front(points)
    assert any(front)
    for point, on_it in zip(points, front, strict=True):
        cost, latency, score = point
        beaten = [p for p in points if p != point
                  and p[0] <= cost and p[1] <= latency and p[2] >= score]  # fmt: skip
        assert on_it == (not beaten)


# --- the sub-commands


def test_plot_draws_this_sessions_requests_and_with_all_every_ones() -> None:
    session = session_of(2, 10)
    other = Response(Request("x", labels={"session": "other"}), "y", (), None, None, 1.0, NOON)
    session.ledger.record(other)
    assert "in 10 requests" in files.plot(session, "fallbacks").text
    assert "in 11 requests" in files.plot(session, "fallbacks --all").text
    assert "in 1 requests" in files.plot(session, "fallbacks --session other").text
    assert isinstance(files.plot(session, "cost --since 1w"), Chart)


def test_export_and_import_say_what_they_did(tmp_path: Path) -> None:
    session, other = session_of(2, 10), session_of(1, 1)
    file = tmp_path / "a day.csv"
    assert str(files.export(session, f"'{file}'")).startswith("10 requests, 12 attempts")
    assert str(files.import_file(other, f"'{file}'")).startswith("10 requests with 12 attempts")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("cost --sinse 7d", "did you mean '--since'"),
        ("cost --since yesterday", "is no time such as"),
        ("", "which chart"),
    ],
)
def test_a_wrong_scope_is_said_in_a_line(arguments: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        files.plot(session_of(1, 1), arguments)


@pytest.mark.parametrize(
    ("line", "subcommand"),
    [
        ("plot cost", "plot"),
        ("plot cost --since 7d --all", "plot"),
        ("plot the course of the war", None),
        ("export day.parquet", "export"),
        ("export day.xlsx --all", "export"),
        ('export "a day.csv"', "export"),
        ("export laws of Norway", None),
        ("import day.csv", "import"),
        ("import numpy and explain it", None),
    ],
)
def test_what_is_no_subcommand_is_a_prompt(line: str, subcommand: str | None) -> None:
    assert parse_line(line).subcommand == subcommand


def test_matplotlib_is_imported_only_when_something_is_drawn() -> None:
    code = "import sys; from multimodel_magic import plot; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
