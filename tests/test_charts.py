"""Charts: every kind says in words what it shows, and draws without a warning whatever is there."""

from __future__ import annotations

import dataclasses
import io
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import combinations, pairwise
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from multimodel_magic import exchange
from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.errors import UsageError
from multimodel_magic.ledger import Ledger
from multimodel_magic.limits import Budget
from multimodel_magic.notebook import files
from multimodel_magic.notebook.charts import (
    ALL_KINDS,
    KINDS,
    Chart,
    Plot,
    alt_text,
    budget_chart,
    chart,
    plot,
    spending,
)
from multimodel_magic.notebook.charts.figure import HouseFigure
from multimodel_magic.notebook.charts.lettering import drawable, fitted, short
from multimodel_magic.notebook.charts.money import _front, dollars
from multimodel_magic.notebook.charts.paint import COLOURS, INK, apart, looks, time_axis
from multimodel_magic.notebook.options import parse_line
from multimodel_magic.session import Session
from multimodel_magic.strategies import ByComplexity
from multimodel_magic.types import Attempt, Request, Response, Route, Usage
from tests.colours import cielab, contrast, in_dark_lab

mpl.use("agg")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


LONG = "deepseek/deepseek-r2-distill-llama-90b-instruct-2026-10-{}"
"""Such names there are."""

WIDE = "模型-通义千问-{}-大语言模型-指令微调版-🚀"
"""And such."""


def session_of(
    models: int, n: int = 40, *, judged: bool = False, free: bool = False, name: str = "m${}"
) -> Session:
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
                    *("p", name.format(rank), number, number - 1, NOON + timedelta(minutes=i)),
                    *(float(dice.lognormal()), 0.1, Usage(100 * i, 10 * i, 5 * i), cost),
                    error_type="Overloaded" if failed else None,
                )
            )
        route = Route(tuple(f"p:{name.format(r)}" for r in ranks), "complexity", reasons)
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


def test_a_ledger_where_nothing_cost_anything_says_so() -> None:
    said = chart("cost", books_of(session_of(2, free=True))).text
    assert "of 48 attempts none is known to have cost anything." in said


@pytest.mark.parametrize("kind", KINDS)
def test_a_single_request_can_be_drawn(kind: str) -> None:
    assert chart(kind, books_of(session_of(1, 2))).png


def test_python_draws_into_the_axes_it_is_given() -> None:
    ax = Figure().add_subplot()
    assert plot.of(books_of(session_of(2))).cost(ax) is ax
    assert "Spent so far" in alt_text(ax)


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_every_kind_is_a_method_of_plot(kind: str) -> None:
    ax = Figure().add_subplot()
    assert getattr(plot.of(books_of(session_of(3, 10))), kind)(ax) is ax


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_every_kind_is_a_method_of_a_session_and_draws_its_requests(kind: str) -> None:
    session = session_of(2, 10)
    ax = getattr(session.plot, kind)()
    assert isinstance(session.plot, Plot)
    assert isinstance(ax.figure, HouseFigure)
    assert "n = " in alt_text(ax)
    plt.close(ax.figure)


def test_failures_alone_are_said_to_be_that() -> None:
    session = Session(UnifiedLLMClient({}), ledger=Ledger(":memory:"))
    failed = Attempt("p", "m", 1, 0, NOON, 1.0, None, Usage(5, 0), None, error_type="Overloaded")
    session.ledger.record(Response(Request("x"), "", (failed,), None, None, 1.0, NOON))
    source = books_of(session)
    assert "1 attempt failed" in chart("latency", source).text
    assert "1 attempt failed" in chart("tradeoff", source).text
    assert "1 attempt failed" in chart("fallbacks", source).text
    assert "no price here" in chart("cost", source).text


def test_models_of_unknown_price_are_said_to_have_none() -> None:
    session = Session(UnifiedLLMClient({}), ledger=Ledger(":memory:"))
    attempt = Attempt("p", "m", 1, 0, NOON, 1.0, 0.1, Usage(5, 5), None)
    session.ledger.record(Response(Request("x"), "y", (attempt,), None, None, 1.0, NOON))
    for kind in ("cost", "tradeoff"):
        assert "their models have no price here" in chart(kind, books_of(session)).text


def test_quality_of_some_models_alone_makes_none_better() -> None:
    session = session_of(2, 10)
    dear = session.attempts.query("model == 'm$1' and status == 'answered'")["request_id"].iloc[0]
    session.ledger.keep_outcome(dear, {"score": 1.0})
    assert "the Pareto front of cost and latency" in chart("tradeoff", books_of(session)).text


def test_where_no_score_was_given_success_is_the_quality() -> None:
    session = session_of(2, 10)
    for request_id in session.df["request_id"]:
        session.ledger.keep_outcome(request_id, {"success": 1.0})
    said = chart("tradeoff", books_of(session)).text
    assert ", success 1.00" in said
    assert "the Pareto front of cost, latency and quality" in said


# --- the budget


def spent_session(*limits: str | None, n: int = 40) -> tuple[Session, datetime]:
    """A session with limits for a call, itself and the day, and a moment after its requests."""
    session = session_of(3, n)
    session.client.budget = Budget(*(limit and Decimal(limit) for limit in limits))
    return session, NOON + timedelta(hours=3)


def test_without_a_budget_the_chart_says_so_and_what_was_spent() -> None:
    session, now = spent_session(None, None, None)
    said = budget_chart(spending(session, now)).text
    spent = dollars(session.attempts["cost_usd"].sum())
    assert f"no budget is set: {spent} spent so far; %llm budget $1 sets one" in said


def test_what_is_left_of_each_budget_is_what_the_attempts_leave() -> None:
    session, now = spent_session("0.004", "0.5", "2")
    made = budget_chart(spending(session, now))
    spent = session.attempts["cost_usd"].sum()
    dearest = session.attempts.groupby("request_id")["cost_usd"].sum().max()
    over = (session.attempts.groupby("request_id")["cost_usd"].sum() > 0.004).sum()
    assert f"{dollars(spent)} spent of $0.50, {dollars(0.5 - spent)} left" in made.text
    assert f"{dollars(spent)} spent of $2.00, {dollars(2 - spent)} left" in made.text
    assert f"the dearest {dollars(dearest)} of $0.004, {over} cost more (n = 40" in made.text
    lines = [panel.lines[0].get_ydata() for panel in made.axes.child_axes]
    assert lines[0][-1] == pytest.approx(0.5 - spent)
    assert list(lines[0]) == sorted(lines[0], reverse=True)


def test_unknown_costs_count_as_nothing_in_a_budget_and_the_chart_says_so() -> None:
    session, now = spent_session(None, "1", None)
    unknown = session.attempts["cost_usd"].isna().sum()
    assert unknown
    said = budget_chart(spending(session, now)).text
    assert f"{unknown} attempts of unknown cost count as nothing" in said


def test_a_budget_that_was_overdrawn_says_by_how_much() -> None:
    session, now = spent_session(None, "0.01", None)
    too_much = session.attempts["cost_usd"].sum() - 0.01
    assert f"{dollars(too_much)} too much" in budget_chart(spending(session, now)).text


def test_the_days_budget_is_spent_by_other_sessions_too_and_by_no_other_day() -> None:
    session, now = spent_session(None, None, "1")
    own = session.attempts["cost_usd"].sum()
    for at, cost in ((NOON, "0.3"), (NOON - timedelta(days=1), "0.2")):
        attempt = Attempt("p", "m", 1, 0, at, 1.0, 0.1, Usage(1, 1), Decimal(cost))
        other = Request("x", labels={"session": "other"})
        session.ledger.record(Response(other, "y", (attempt,), None, None, 1.0, at))
    said = budget_chart(spending(session, now)).text
    assert f"{dollars(own + 0.3)} spent of $1.00" in said
    assert "($0.30 in other sessions)" in said


@pytest.mark.parametrize("limits", [("0", "0", "0"), ("1", "1", "1")])
def test_a_budget_of_which_nothing_is_spent_can_be_drawn(limits: tuple[str, ...]) -> None:
    session, now = spent_session(*limits, n=0)
    assert "$0 spent of" in budget_chart(spending(session, now)).text


def test_a_budget_takes_no_other_span() -> None:
    with pytest.raises(UsageError, match="takes no --all: each budget has its own span"):
        files.plot(session_of(1, 1), "budget --all")
    assert "no budget is set" in files.plot(session_of(1, 1), "budget").text


WHITE, LAB_DARK, BLACK = "#ffffff", "#111111", "#000000"


def test_nothing_lies_behind_a_chart_and_its_ink_shows_on_the_grounds_of_both_themes() -> None:
    made = chart("cost", books_of(session_of(2)))
    picture = mpl.image.imread(io.BytesIO(made.png))
    assert picture[0, -1, 3] == 0
    assert contrast(INK, WHITE) >= 4.5
    assert min(contrast(INK, BLACK), contrast(in_dark_lab(INK), BLACK)) >= 4.5


def test_where_no_theme_is_told_a_chart_stands_on_a_ground_that_its_ink_shows_on() -> None:
    html = chart("cost", books_of(session_of(2)))._repr_mimebundle_()["text/html"]
    told = re.findall(r"background(-color)?:(?:var\([\w-]+,)?(#\w+)", html)
    assert [is_plain for is_plain, _ in told] == ["-color", ""]  # without trust; another front end
    assert all(contrast(INK, ground) >= 4.5 for _, ground in told)


def test_every_colour_shows_on_white_and_on_dark() -> None:
    for colour in COLOURS:
        assert min(contrast(colour, ground) for ground in (WHITE, LAB_DARK, BLACK)) >= 3
        assert contrast(in_dark_lab(colour), BLACK) >= 3


SEES = {
    "all": np.eye(3),
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                 [-0.011820, 0.042940, 0.968881]],
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
               [-0.003882, -0.048116, 1.051998]],
}  # fmt: skip
"""Machado, Oliveira, Fernandes 2009, severity 1: linear RGB as who lacks a cone sees it."""


@pytest.mark.parametrize("sees", SEES)
@pytest.mark.parametrize("shown", [str, in_dark_lab])
def test_every_two_colours_differ_to_the_colour_blind_too(sees: str, shown) -> None:
    seen = [cielab(shown(colour), np.array(SEES[sees])) for colour in COLOURS]
    apart_by = [float(np.linalg.norm(a - b)) for a, b in combinations(seen, 2)]
    assert min(apart_by) >= 20


def test_no_two_of_many_models_look_the_same() -> None:
    every = looks(books_of(session_of(24, 60)).attempts)
    assert len(set(every.values())) == len(every) == 24


@pytest.mark.slow
@pytest.mark.parametrize("kind", ALL_KINDS)
@pytest.mark.parametrize(
    ("models", "name"),
    [(1, "m"), (3, "gpt-6-{}"), (4, LONG), (12, LONG), (14, LONG), (4, WIDE), (12, WIDE)],
)
def test_no_text_is_cut_off_or_lies_on_another(kind: str, models: int, name: str) -> None:
    session = session_of(models, 60, judged=models != 3, name=name)
    session.client.budget = Budget(Decimal("0.02"), Decimal(1), Decimal(5))
    source = books_of(session)
    made = budget_chart(spending(session)) if kind == "budget" else chart(kind, source)
    made.figure.set_dpi(144)  # as in a notebook: letters are not as wide at every resolution
    made.figure.draw_without_rendering()
    frame, texts = made.figure.bbox, texts_of(made.figure)
    for text, box in texts:
        inside = (box.x0 - frame.x0, frame.x1 - box.x1, box.y0 - frame.y0, frame.y1 - box.y1)
        assert min(inside) >= 0, f"cut off: {text}"
    for (one, box), (other, its_box) in combinations(texts, 2):
        assert not box.overlaps(its_box), f"{one!r} lies on {other!r}"


@pytest.mark.parametrize("kind", ["latency", "tradeoff"])
@pytest.mark.parametrize("models", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("most_s", [0.1, 0.00036])
def test_quick_answers_have_axes_that_can_be_read(kind: str, models: int, most_s: float) -> None:
    source = books_of(session_of(models, 60, judged=True))
    quick = (source.attempts["latency_s"] / 100).clip(upper=most_s)
    attempts = source.attempts.assign(latency_s=quick)
    made = chart(kind, dataclasses.replace(source, attempts=attempts))
    made.figure.set_dpi(144)
    made.figure.draw_without_rendering()
    for (one, box), (other, its_box) in combinations(texts_of(made.figure), 2):
        assert not box.overlaps(its_box), f"{one!r} lies on {other!r}"


def texts_of(figure: Figure) -> list[tuple[str, mpl.transforms.Bbox]]:
    """What can be read in a figure, and where it stands."""
    seen = [text for ax in axes_of(figure.axes) for text in drawn(ax) if text.get_visible()]
    return [(t.get_text(), t.get_window_extent().padded(-1)) for t in seen if t.get_text().strip()]


def axes_of(axes: list[mpl.axes.Axes]) -> list[mpl.axes.Axes]:
    return [one for ax in axes for one in (ax, *axes_of(ax.child_axes))]


def drawn(ax: mpl.axes.Axes) -> list[mpl.text.Text]:
    """Texts of axes; of ticks only those within the axis are drawn."""
    found = [ax._left_title, ax.title, *ax.texts]
    for axis in (ax.xaxis, ax.yaxis) if ax.axison else ():
        found += [axis.label, axis.offsetText, *(tick.label1 for tick in axis._update_ticks())]
    return found


def test_the_figures_in_the_words_are_those_of_the_data() -> None:
    source = books_of(session_of(3))
    spent = source.attempts.groupby("model")["cost_usd"].sum()
    said = chart("cost", source).text
    assert all(f"{model} ${cost:.2g}" in said.replace("0 ", " ") or f"{model} $" in said
               for model, cost in spent.items())  # fmt: skip
    assert f"{source.attempts['cost_usd'].isna().sum()} attempts of unknown cost" in said


def test_the_chart_of_tokens_says_of_how_many_attempts_they_are_unknown() -> None:
    session = Session(UnifiedLLMClient({}), ledger=Ledger(":memory:"))
    for usage in (Usage(10, 5), Usage(7, None), Usage(None, None)):
        attempt = Attempt("openai", "a", 1, usage=usage)
        labels = {"session": session.id}
        session.record(Response(Request("x", labels=labels), "y", (attempt,)))
    said = chart("tokens", books_of(session)).text
    assert "(n = 2 attempts)" in said
    assert "Not in it: unknown tokens of 2 attempts." in said


def test_an_unknown_kind_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'latency'"):
        chart("latencies", books_of(session_of(1, 1)))


def test_charts_of_a_hostile_model_name_hold_no_markup() -> None:
    session = Session(UnifiedLLMClient({}), ledger=Ledger(":memory:"))
    attempt = Attempt("p", '"><script>$x$', 1, 0, NOON, 1.0, 0.1, Usage(1, 1), Decimal(1))
    session.ledger.record(Response(Request("x"), "y", (attempt,), None, None, 1.0, NOON))
    for kind in KINDS:
        assert "<script" not in chart(kind, books_of(session))._repr_mimebundle_()["text/html"]


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_names_in_any_script_are_drawn_without_a_warning(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    session = session_of(3, 12, judged=True, name=WIDE + "-नमस्ते-\U0001fae8\u200d\ufe0f\x07")
    session.client.budget = Budget(session_usd=Decimal(1))
    getattr(session.plot, kind)().figure.canvas.draw()  # pytest makes a warning an error
    assert caplog.text == ""
    plt.close("all")


def test_a_sign_without_a_font_here_is_told_and_two_names_of_such_stay_apart() -> None:
    with mpl.rc_context({"font.family": ["DejaVu Sans"]}):
        assert drawable("gpt-6 µ …") == "gpt-6 µ …"
        assert drawable("go\U000e0041 \U0001f680\ufe0f") == "go :rocket:\ufe0f"
        assert drawable("\U00030000") == "□"  # an ideograph that few fonts have
        assert [*fitted(["\U00030000", "\U00030001"]).values()] == ["□ (1)", "□ (2)"]


# --- what the charts are made of


@given(st.lists(st.floats(-100, 100), max_size=8))
def test_labels_are_moved_apart_in_their_order(wanted: list[float]) -> None:
    placed = apart(wanted, 2.0)
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    gaps = [placed[b] - placed[a] for a, b in pairwise(order)]
    assert all(gap >= 2.0 - 1e-9 for gap in gaps)
    assert sum(placed) == pytest.approx(sum(wanted), abs=1e-6)


@given(st.integers(0, 3 * 365 * 86_400))
def test_any_span_of_time_has_an_axis_that_can_be_read(seconds: int) -> None:
    figure = Figure(figsize=(6, 1))
    ax = figure.add_subplot()
    time_axis(ax, NOON - timedelta(seconds=seconds), NOON)
    assert 2 <= len([tick for tick in ax.get_xticks() if ax.viewLim.containsx(tick)]) <= 7


def test_a_session_of_some_seconds_fills_its_axis_of_time() -> None:
    ax = Figure(figsize=(6, 1)).add_subplot()
    time_axis(ax, NOON - timedelta(seconds=8), NOON)
    assert np.diff(ax.get_xlim()) * 86_400 == pytest.approx(8, abs=0.01)


def test_long_names_are_cut_in_the_middle_where_they_stay_apart() -> None:
    cut = fitted([LONG.format(1), LONG.format(2), "x" * 40 + "a" * 20, "x" * 41 + "a" * 19])
    assert [len(name) for name in cut.values()] == [30, 30, 60, 60]
    assert len(set(cut.values())) == 4


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
    assert "in 1 request" in files.plot(session, "fallbacks --session other").text
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
        ("latencies --all", "did you mean 'latency'"),
        ("bugdet", "did you mean 'budget'"),
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
