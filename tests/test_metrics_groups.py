"""By group, routing, savings and quality: every figure against an oracle computed apart."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from multimodel_magic import metrics
from multimodel_magic.errors import AllModelsFailed, Cancelled, UsageError
from multimodel_magic.ledger.frames import frame
from multimodel_magic.ledger.outcomes import as_frame, outcome_row
from multimodel_magic.ledger.recording import recorded
from multimodel_magic.ledger.rows import AttemptRow, RequestRow
from multimodel_magic.pricing import money
from multimodel_magic.types import Attempt, Price, Request, Response, Route, Usage

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MODELS = ("a:x", "b:y", "c:z")
ERRORS = {"Cancelled": Cancelled("stopped"), "Overloaded": AllModelsFailed(())}


def attempt(
    rank: int = 0,
    error_type: str | None = None,
    cost_usd: str | None = "0.01",
    latency_s: float = 1.0,
    *,
    output_tokens: int | None = 10,
    ttft_s: float | None = 0.5,
    turned_down: str | None = None,
) -> Attempt:
    provider, _, model = MODELS[rank].partition(":")
    cost = None if cost_usd is None else Decimal(cost_usd)
    usage = Usage(100, output_tokens)
    return Attempt(
        *(provider, model, 1, rank, NOON, latency_s, ttft_s, usage, cost),
        error_type=error_type,
        turned_down=turned_down,
    )


def response(
    *tried: Attempt,
    prompt: str = "p",
    at: datetime = NOON,
    cached: bool = False,
    models: tuple[str, ...] = (),
    task: str | None = None,
    notebook: str | None = None,
    strategy: str = "cost",
    labels: Mapping[str, str] | None = None,
) -> Response:
    labels = {**(labels or {}), **({"notebook": notebook} if notebook else {})}
    request = Request(prompt, models=models, task=task, labels=labels)
    numbered = [Attempt(a.provider, a.model, n, *_rest(a)) for n, a in enumerate(tried, start=1)]
    last = tried[-1].error_type if tried else None
    error = ERRORS[last] if last else None
    seconds = sum(a.latency_s for a in tried)
    route = Route(MODELS, strategy)
    return Response(request, "", tuple(numbered), route, error, seconds, at, cached)


def _rest(a: Attempt) -> list[object]:
    return [getattr(a, field.name) for field in fields(Attempt)[3:]]


def frames(responses: Sequence[Response]) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = [recorded(r) for r in responses]
    attempts = [a for row in rows for a in row.attempts]
    return frame(RequestRow, [row.request for row in rows]), frame(AttemptRow, attempts)


def outcomes(said: dict[str, dict[str, float]]) -> pd.DataFrame:
    return as_frame({name: outcome_row(name, numbers) for name, numbers in said.items()})


@lru_cache(maxsize=1)
def day() -> list[Response]:
    """Three hundred requests with failures, retries, interrupts, unknown prices, cached ones."""
    dice = np.random.default_rng(5)
    made: list[Response] = []
    for n in range(300):
        down = [attempt(0, "Overloaded", latency_s=float(dice.exponential(1)))] * (n % 5 == 0)
        ends = "Cancelled" if n % 17 == 0 else "Overloaded" if n % 13 == 0 else None
        cost = None if n % 11 == 0 else f"{dice.exponential(0.01):.9f}"
        last = attempt(
            int(n % 5 == 0),
            ends,
            cost,
            float(dice.lognormal()),
            output_tokens=None if n % 7 == 0 else int(dice.integers(1, 500)),
            ttft_s=None if n % 19 == 0 else 0.1 * (n % 9),
        )
        tried = () if n % 23 == 0 else (*down, *down, last)
        made.append(
            response(
                *tried,
                prompt=f"p{n % 40}",
                cached=not tried,
                at=NOON - timedelta(hours=n),
                task=("code", "chat", None)[n % 3],
                notebook=("a.ipynb", None)[n % 2],
                strategy=("cost", "complexity")[n % 4 == 0],
            )
        )
    return made


@pytest.mark.parametrize("group", ["strategy", "task", "notebook", "day"])
def test_groups_agree_with_pandas_own_grouping(group: str) -> None:
    requests, attempts = frames(day())
    key = requests["started_at"].dt.date.astype(str) if group == "day" else requests[group]
    made = metrics.by(group, requests, attempts)
    known = requests[key.notna()]
    keys = key[key.notna()]
    assert dict(made["requests"][made.index.notna()]) == dict(known.groupby(keys).size())
    for name, row in made[made.index.notna()].iterrows():
        mine = requests[(key == name).fillna(False).astype(bool)]
        asked = mine[(mine["status"] == "answered") & ~mine["cached"].astype(bool)]["latency_s"]
        tried = attempts[attempts["request_id"].isin(mine["request_id"])]
        at = np.percentile(asked, [50, 95, 99])
        assert [row[f"latency_p{p}_s"] for p in (50, 95, 99)] == pytest.approx(at)
        assert row["cost_usd"] == pytest.approx(np.nansum(tried["cost_usd"]), abs=1e-11)
        assert row["unknown_cost"] == mine["cost_usd"].isna().sum()
        paid = mine.loc[~mine["cached"].astype(bool), "cost_usd"]
        assert row["cost_per_request_usd"] == pytest.approx(np.nanmean(paid))
        lost = tried.loc[tried["error_type"] == "Overloaded", "latency_s"]
        assert row["time_lost_s"] == pytest.approx(lost.sum())
        counts = mine["status"].value_counts()
        n = counts["answered"] + counts.get("failed", 0)
        oracle = stats.binomtest(int(counts["answered"]), int(n)).proportion_ci(method="wilson")
        assert (row["success_low"], row["success_high"]) == pytest.approx(tuple(oracle))


def test_requests_without_the_key_stand_in_a_row_of_their_own() -> None:
    requests, attempts = frames(day())
    made = metrics.by("task", requests, attempts)
    none = made[made.index.isna()].iloc[0]
    mine = requests[requests["task"].isna()]
    tried = attempts[attempts["request_id"].isin(mine["request_id"])]
    assert none["requests"] == len(mine)
    assert none["cost_usd"] == pytest.approx(tried["cost_usd"].sum(), abs=1e-11)


@pytest.mark.parametrize("group", metrics.GROUPS)
def test_groups_add_up_to_the_whole(group: str) -> None:
    requests, attempts = frames(day())
    made, whole = metrics.by(group, requests, attempts), metrics.overall(requests, attempts)
    for name in ("requests", "answered", "failed", "interrupted", "cached", "attempts"):
        assert made[name].sum() == getattr(whole, name)
    assert made["cost_usd"].sum() == pytest.approx(float(whole.cost_usd), abs=1e-11)
    assert made["time_lost_s"].sum() == pytest.approx(whole.time_lost_s)


@pytest.mark.parametrize("group", metrics.GROUPS)
def test_empty_groups_have_every_column_with_its_dtype(group: str) -> None:
    empty, full = metrics.by(group, *frames([])), metrics.by(group, *frames(day()))
    assert len(empty) == 0
    assert dict(empty.dtypes) == dict(full.dtypes)
    assert (empty.index.name, empty.index.dtype) == (full.index.name, full.index.dtype)


def test_an_unknown_group_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'user_tier'"):
        metrics.by("usertier", *frames([]))


@pytest.mark.parametrize(("n", "reliable"), [(99, False), (100, True)])
def test_a_p99_is_reliable_from_a_hundred_answers_on(n: int, reliable: bool) -> None:  # noqa: FBT001
    requests, attempts = frames([response(attempt())] * n)
    assert metrics.overall(requests).p99_reliable is reliable
    assert metrics.per_model(attempts)["p99_reliable"].item() is reliable


def test_costs_per_request_and_per_answer_are_those_worked_by_hand() -> None:
    requests, attempts = frames(
        [
            response(attempt(0, cost_usd="0.02")),
            response(attempt(0, "Overloaded", "0.01")),
            response(attempt(0, cost_usd=None)),
            response(cached=True),
        ]
    )
    summary, model = metrics.overall(requests, attempts), metrics.per_model(attempts).iloc[0]
    # One is unknown, and one was spared: neither says what asking costs.
    assert summary.cost_per_request_usd == pytest.approx(0.015)  # 0.03 over 2
    assert summary.cost_per_answer_usd == pytest.approx(0.03)  # over the one that was paid for
    assert model["cost_per_attempt_usd"] == pytest.approx(0.015)
    assert model["cost_per_answer_usd"] == pytest.approx(0.03)


# --- routing


def test_distribution_counts_who_was_chosen_and_who_answered() -> None:
    requests, _ = frames(day())
    made = metrics.distribution(requests)
    answered = requests[(requests["status"] == "answered") & requests["model"].notna()]
    oracle = Counter(answered["provider"] + ":" + answered["model"])
    assert dict(made["answered"][made["answered"] > 0]) == dict(oracle)
    assert made.loc["a:x", "chosen"] == 300
    assert made[["chosen_share", "answered_share"]].sum().tolist() == pytest.approx([1, 1])


def test_fallbacks_count_who_stood_in_for_whom_and_what_was_lost() -> None:
    made = metrics.fallbacks(frames(day())[1])
    twice = [r for r in day() if len(r.attempts) == 3]
    assert made[["from", "to", "n"]].to_numpy().tolist() == [["a:x", "b:y", len(twice)]]
    lost = sum(a.latency_s for r in twice for a in r.attempts[:2])
    assert made["time_lost_s"].tolist() == pytest.approx([lost])
    assert made["error_type"].tolist() == ["Overloaded"]


def test_retries_and_cascades_are_no_fallbacks() -> None:
    retried = response(attempt(0, "Overloaded"), attempt(0))
    went_up = response(attempt(0, turned_down="too short"), attempt(1))
    other = response(attempt(0, "Overloaded"))
    made = metrics.fallbacks(frames([retried, went_up, other, response(attempt(1))])[1])
    assert made.empty


def test_a_chain_of_fallbacks_is_a_matrix() -> None:
    down = attempt(0, "Overloaded"), attempt(1, "Overloaded")
    matrix = metrics.fallback_matrix(frames([response(*down, attempt(2)), response(*down[:2])])[1])
    assert matrix.loc["a:x", "b:y"] == 2
    assert matrix.loc["b:y", "c:z"] == 1
    assert matrix.to_numpy().sum() == 3


def test_empty_routing_frames_have_their_columns() -> None:
    requests, attempts = frames([])
    full = frames(day())
    assert dict(metrics.distribution(requests).dtypes) == dict(metrics.distribution(full[0]).dtypes)
    assert dict(metrics.fallbacks(attempts).dtypes) == dict(metrics.fallbacks(full[1]).dtypes)
    assert metrics.fallback_matrix(attempts).empty


# --- savings


def per_token(provider: str, model: str, usage: Usage, at: datetime) -> Price:
    known = usage.input_tokens is not None and usage.output_tokens is not None
    tokens = (usage.input_tokens or 0) + (usage.output_tokens or 0)
    return Price(Decimal(tokens) / 1000 if known else None, "override")


def test_savings_compare_the_same_answers_at_the_price_of_the_same_tokens() -> None:
    requests, _ = frames(day())
    made = metrics.savings(requests, "a:big", price=per_token)
    ours = requests[(requests["status"] == "answered") & ~requests["cached"].astype(bool)]
    ours = ours.dropna(subset=["cost_usd", "output_tokens"])
    theirs = (ours["input_tokens"] + ours["output_tokens"]).sum() / 1000
    assert made.n == len(ours)
    assert made.n + made.left_out == (requests["status"] == "answered").sum()
    assert float(made.cost_usd) == pytest.approx(ours["cost_usd"].sum())
    assert float(made.baseline_usd) == pytest.approx(theirs)
    assert made.saved_share == pytest.approx(1 - ours["cost_usd"].sum() / theirs)
    assert "estimate" in str(made)
    assert str(made).startswith("saved about $")
    dearer = metrics.savings(requests, "a:big", price=lambda *_: Price(Decimal(0), "override"))
    assert str(dearer).startswith(f"spent about {money(dearer.cost_usd)} more than all on a:big")


def test_nothing_to_compare_is_said() -> None:
    made = metrics.savings(frames([])[0], "a:big", price=per_token)
    assert (made.n, made.saved_usd) == (0, 0)
    assert "no answer can be compared" in str(made)


def test_a_baseline_without_a_provider_is_refused() -> None:
    with pytest.raises(UsageError, match="provider:model"):
        metrics.savings(frames([])[0], "opus")


def test_the_price_list_prices_the_baseline() -> None:
    made = metrics.savings(frames([response(attempt())])[0], "openai:gpt-4o")
    assert made.baseline_usd == Decimal("0.00035")  # 100 at $2.50 and 10 at $10 a million


# --- quality


def judged_day() -> tuple[pd.DataFrame, pd.DataFrame]:
    requests, _ = frames(day())
    dice = np.random.default_rng(7)
    said = {name: {"score": float(dice.beta(2, 1)), "success": float(dice.random() < 0.8)}
            for name in requests["request_id"][::2]}  # fmt: skip
    return requests, outcomes(said)


def test_quality_and_its_intervals_are_scipys() -> None:
    requests, said = judged_day()
    made = metrics.quality(requests, said, reference="a:x")
    both = requests[requests["status"] == "answered"].merge(said, on="request_id")
    scores = {m: part["score"].to_numpy() for m, part in both.groupby("model")}
    for name, model in (("a:x", "x"), ("b:y", "y")):
        row, one = made.loc[name], scores[model]
        low, high = stats.t.interval(0.95, len(one) - 1, one.mean(), stats.sem(one))
        got = row[["score_n", "score", "score_low", "score_high"]].tolist()
        assert got == pytest.approx([len(one), one.mean(), low, high], rel=1e-5)
    oracle = stats.ttest_ind(scores["y"], scores["x"], equal_var=False).confidence_interval()
    row = made.loc["b:y"]
    assert (row["difference_low"], row["difference_high"]) == pytest.approx(tuple(oracle), rel=1e-4)
    assert math.isnan(made.loc["a:x", "difference"])


@pytest.mark.parametrize("degrees", [1, 1.5, 2, 2.7, 3, 4, 4.9, 5, 9, 30, 120, 5000])
def test_students_quantile_is_scipys(degrees: float) -> None:
    tolerance = 1e-5 if degrees >= 3 else 0.011
    assert metrics.student_t_95(degrees) == pytest.approx(
        stats.t.ppf(0.975, degrees), rel=tolerance
    )


def test_an_unjudged_reference_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'a:x'"):
        metrics.quality(*judged_day(), reference="a:xx")


def test_accuracy_and_regret_are_worked_by_hand() -> None:
    routed = [response(attempt(0), prompt=p) for p in ("one", "two", "three", "four")]
    named = [response(attempt(1), prompt=p, models=("b:y",)) for p in ("one", "two", "three")]
    scores = [0.9, 0.5, 0.7, 0.1, 0.4, 0.8, 0.7]  # right, 0.3 lost, a tie, nobody else judged
    said = {r.request_id: {"score": s} for r, s in zip(routed + named, scores, strict=True)}
    made = metrics.accuracy(frames(routed + named)[0], outcomes(said))
    assert (made.routed, made.judged, made.comparable, made.right) == (4, 4, 3, 2)
    assert made.regret == pytest.approx(0.1)
    assert (made.low, made.high) == metrics.wilson(2, 3)
    assert "n = 3 of 4" in str(made)


def test_quality_kept_on_the_same_prompts_is_scipys_paired_interval() -> None:
    prompts = [f"p{n}" for n in range(12)]
    routed = [response(attempt(n % 2), prompt=p) for n, p in enumerate(prompts)]
    named = [response(attempt(1), prompt=p, models=("b:y",)) for p in prompts[3:]]
    dice = np.random.default_rng(3)
    scores = dice.beta(3, 1, len(routed + named))
    said = {r.request_id: {"score": s} for r, s in zip(routed + named, scores, strict=True)}
    made = metrics.maintenance(frames(routed + named)[0], outcomes(said), "b:y")
    # Who is the reference itself has two answers to a prompt where the routing chose it too.
    theirs = [
        (scores[n] + scores[12 + n - 3]) / 2 if n % 2 else scores[12 + n - 3] for n in range(3, 12)
    ]
    # The second prompt only the reference answered: an answer is not compared with itself.
    ours = scores[3:12]
    oracle = stats.ttest_rel(ours, theirs).confidence_interval()
    assert made.paired
    assert (made.n, made.reference_n) == (9, 9)
    assert made.difference == pytest.approx(np.mean(ours) - np.mean(theirs))
    assert (made.low, made.high) == pytest.approx((oracle.low, oracle.high), rel=1e-4)
    assert made.kept == pytest.approx(np.mean(ours) / np.mean(theirs))


def test_quality_kept_on_different_prompts_is_welchs_interval_and_says_so() -> None:
    routed = [response(attempt(0), prompt=f"a{n}") for n in range(8)]
    named = [response(attempt(1), prompt=f"b{n}", models=("b:y",)) for n in range(6)]
    scores = np.random.default_rng(4).beta(3, 1, 14)
    said = {r.request_id: {"score": s} for r, s in zip(routed + named, scores, strict=True)}
    made = metrics.maintenance(frames(routed + named)[0], outcomes(said), "b:y")
    oracle = stats.ttest_ind(scores[:8], scores[8:], equal_var=False).confidence_interval()
    assert (made.low, made.high) == pytest.approx((oracle.low, oracle.high), rel=1e-4)
    assert "on different prompts: n = 8 and 6" in str(made)


def test_quality_kept_is_unknown_without_judgements_and_an_unknown_reference_is_refused() -> None:
    requests, _ = frames(day())
    assert "unknown" in str(metrics.maintenance(requests, outcomes({}), "a:x"))
    with pytest.raises(UsageError, match="did you mean 'a:x'"):
        metrics.maintenance(requests, outcomes({}), "a:xx")


def test_what_judges_and_replays_asked_stands_apart() -> None:
    asked = [response(attempt(0)), response(attempt(1), labels={"judges": "c", "x": "1"})]
    made = metrics.by("purpose", *frames([*asked, response(attempt(0), labels={"replays": "r"})]))
    assert dict(made["requests"]) == {"answer": 1, "judge": 1, "replay": 1}


def test_all_figures_of_the_books_are_one_value() -> None:
    made = metrics.Metrics(*frames(day()), outcomes({}))
    assert made.cost_usd == made.overall.cost_usd == metrics.overall(*frames(day())).cost_usd
    assert made.models.equals(metrics.per_model(frames(day())[1]))
    assert made.by("task").equals(metrics.by("task", *frames(day())))
    assert int(made.fallback_matrix.to_numpy().sum()) == int(made.fallback_pairs["n"].sum())
    assert made.savings("openai:gpt-4o") == metrics.savings(made.requests_frame, "openai:gpt-4o")
    with pytest.raises(AttributeError):
        _ = made.no_such_figure


def test_accuracy_without_labels_says_so() -> None:
    made = metrics.accuracy(frames(day())[0], outcomes({}))
    assert made.comparable == 0
    assert math.isnan(made.rate)
    assert math.isnan(made.regret)
    assert "unknown" in str(made)


def test_empty_quality_has_every_column() -> None:
    empty = metrics.quality(frames([])[0], outcomes({}))
    assert dict(empty.dtypes) == dict(metrics.quality(*judged_day()).dtypes)


# --- laws

SECONDS = st.floats(min_value=0.001, max_value=100)
ATTEMPTS = st.builds(
    attempt,
    st.integers(0, 2),
    st.sampled_from([None, None, "Overloaded", "Cancelled"]),
    st.none() | st.decimals(0, 9, places=9).map(str),
    SECONDS,
    output_tokens=st.none() | st.integers(0, 10**6),
)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.lists(ATTEMPTS, max_size=4), max_size=12), st.sampled_from(metrics.GROUPS))
def test_laws_of_every_group(tried: list[list[Attempt]], group: str) -> None:
    requests, attempts = frames([response(*some, prompt=str(len(some))) for some in tried])
    made = metrics.by(group, requests, attempts)
    known = sum(a.cost_usd or 0 for some in tried for a in some)
    assert made["cost_usd"].sum() == pytest.approx(float(known), abs=1e-9)
    for _, row in made.iterrows():
        low, middle, high = (row[f"latency_p{p}_s"] for p in (50, 95, 99))
        assert row["latency_n"] == 0 or 0 <= low <= middle <= high
        for rate in (row["success_rate"], row["fallback_rate"]):
            assert math.isnan(rate) or 0 <= rate <= 1
    pairs = metrics.fallbacks(attempts)
    failures = attempts[attempts["status"] == "failed"]
    assert pairs["n"].sum() <= len(failures)
    assert (pairs["time_lost_s"] <= failures["latency_s"].sum() + 1e-9).all()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.floats(0, 1)), max_size=20))
def test_regret_is_never_negative_and_nothing_when_always_right(
    said: list[tuple[int, int, float]],
) -> None:
    made = [response(attempt(rank), prompt=str(p)) for rank, p, _ in said]
    labels = {r.request_id: {"score": s} for r, (_, _, s) in zip(made, said, strict=True)}
    found = metrics.accuracy(frames(made)[0], outcomes(labels))
    assert found.right <= found.comparable <= found.judged == found.routed == len(said)
    assert found.comparable == 0 or found.regret >= 0
    assert found.rate != 1 or found.regret == pytest.approx(0, abs=1e-8)
