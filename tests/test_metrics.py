"""The figures of `%llm stats`, against oracles that were computed apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from statistics import quantiles

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from multimodel_magic.errors import (
    AllModelsFailed,
    AuthenticationFailed,
    BreakerOpen,
    BudgetExceeded,
    Cancelled,
    ConfigError,
    Misconfigured,
    MultimodelError,
    RateLimited,
    TimedOut,
    UnknownModel,
    UsageError,
)
from multimodel_magic.ledger.frames import frame
from multimodel_magic.ledger.recording import recorded
from multimodel_magic.ledger.rows import AttemptRow, RequestRow
from multimodel_magic.metrics import counting, of_models, overall, per_model, summed, wilson
from multimodel_magic.metrics.tally import Tally, Totals, quantile_of, totals_of
from multimodel_magic.types import Attempt, Request, Response, Usage

COSTS = st.none() | st.decimals(min_value=0, max_value=9, places=12)
SECONDS = st.floats(min_value=0.001, max_value=100)


def attempt(
    model: str = "m",
    *,
    number: int = 1,
    latency_s: float = 1.0,
    ttft_s: float | None = 0.5,
    cost_usd: Decimal | None = None,
    output_tokens: int | None = 10,
    error_type: str | None = None,
) -> Attempt:
    return Attempt(
        "p",
        model,
        number,
        rank=number - 1,
        latency_s=latency_s,
        ttft_s=ttft_s,
        usage=Usage(100, output_tokens),
        cost_usd=cost_usd,
        error_type=error_type,
    )


def response(
    *attempts: Attempt, cached: bool = False, stopped: MultimodelError | None = None
) -> Response:
    if stopped is not None:
        return Response(Request("x"), "", attempts, error=stopped)
    last = attempts[-1].error_type if attempts else None
    error = {None: None, "Cancelled": Cancelled("x")}.get(last, AllModelsFailed(attempts))
    latency_s = sum(a.latency_s for a in attempts)
    return Response(Request("x"), "", attempts, error=error, latency_s=latency_s, cached=cached)


def frames(responses: Sequence[Response]) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = [recorded(r) for r in responses]
    attempts = [a for row in rows for a in row.attempts]
    return frame(RequestRow, [row.request for row in rows]), frame(AttemptRow, attempts)


DOWN = attempt("slow", latency_s=2, cost_usd=Decimal("0.01"), error_type="Overloaded", ttft_s=None)
STOPPED = attempt("slow", latency_s=9, error_type="Cancelled", output_tokens=None)
DAY = [
    response(DOWN, attempt("fast", number=2, latency_s=1, cost_usd=Decimal("0.02"))),
    response(attempt("slow", latency_s=4, cost_usd=Decimal("0.04"), output_tokens=60)),
    response(attempt("slow", latency_s=6, cost_usd=None, output_tokens=None)),
    response(DOWN),
    response(STOPPED),
    response(cached=True),
]


def test_a_days_models_are_summed_up_as_worked_by_hand() -> None:
    models = per_model(frames(DAY)[1])
    slow = models.loc["p:slow"]
    assert list(models.index) == ["p:fast", "p:slow"]
    assert (slow["n"], slow["answered"], slow["failed"], slow["interrupted"]) == (5, 2, 2, 1)
    assert slow["success_rate"] == 0.5  # 2 of 4: the user's interrupt is no failure
    assert (slow["latency_p50_s"], slow["ttft_p50_s"]) == (5, 0.5)
    assert slow["latency_p95_s"] == pytest.approx(5.9)
    assert slow["cost_usd"] == pytest.approx(0.06)  # two failures and one answer
    assert slow["unknown_cost"] == 2
    assert (slow["input_tokens"], slow["output_tokens"]) == (500, 80)
    assert slow["tokens_per_s"] == 15  # 60 tokens in 4 s; the answer without a count is left out
    assert slow["time_lost_s"] == 4
    assert not slow["p95_reliable"]


def test_a_days_requests_are_summed_up_as_worked_by_hand() -> None:
    summary = overall(*frames(DAY))
    assert (summary.requests, summary.answered, summary.failed, summary.interrupted) == (6, 4, 1, 1)
    assert (summary.success_rate, summary.fallbacks, summary.fallback_rate) == (0.8, 1, 0.25)
    assert (summary.cached, summary.latency_n, summary.attempts) == (1, 3, 6)
    assert summary.latency_p50_s == 4  # of 3 + 4 + 6 s: the cached answer is not among them
    assert summary.cost_usd == Decimal("0.08")
    assert summary.unknown_cost == 2
    assert summary.time_lost_s == 4


def test_without_attempts_the_time_lost_is_unknown_and_only_whole_costs_count() -> None:
    summary = overall(frames([*DAY, response(DOWN, attempt("fast", number=2))])[0])
    assert summary.time_lost_s is None
    assert summary.cost_usd == Decimal("0.08")
    assert summary.unknown_cost == 3


@pytest.mark.parametrize("error", [UsageError, UnknownModel, ConfigError, BudgetExceeded])
def test_a_request_that_asked_nobody_is_counted_apart_and_in_no_rate(
    error: type[MultimodelError],
) -> None:
    summary = overall(*frames([*DAY, response(stopped=error("no such thing"))]))
    before = overall(*frames(DAY))
    assert (summary.requests, summary.asked_nobody, summary.failed) == (7, 1, 1)
    assert (summary.success_rate, summary.interrupted) == (before.success_rate, 1)
    assert summary.cost_per_request_usd == before.cost_per_request_usd
    assert summary.cost_n == before.cost_n


@pytest.mark.parametrize(
    "error", [BreakerOpen, RateLimited, AuthenticationFailed, TimedOut, Misconfigured]
)
def test_a_request_that_found_no_model_to_ask_has_failed(error: type[MultimodelError]) -> None:
    summary = overall(*frames([response(stopped=error("nobody is there"))]))
    assert (summary.asked_nobody, summary.failed, summary.success_rate) == (0, 1, 0)


def test_a_budget_that_ends_on_the_way_is_a_failure_of_what_was_asked() -> None:
    summary = overall(*frames([response(DOWN, stopped=BudgetExceeded("spent"))]))
    assert (summary.asked_nobody, summary.failed) == (0, 1)


def test_unknown_tokens_are_counted_and_never_added_as_nothing() -> None:
    unsaid = Attempt("p", "m", 1, usage=Usage(None, None))
    requests, attempts = frames([response(attempt()), response(unsaid), response(cached=True)])
    with_attempts, alone = overall(requests, attempts), overall(requests)
    for one in (with_attempts, alone, per_model(attempts).loc["p:m"]):
        assert (one.input_tokens, one.output_tokens) == (100, 10)
        assert (one.unknown_input_tokens, one.unknown_output_tokens) == (1, 1)
    slow = per_model(frames(DAY)[1]).loc["p:slow"]
    assert (slow["unknown_input_tokens"], slow["unknown_output_tokens"]) == (0, 2)


def test_empty_frames_give_every_column_with_its_dtype() -> None:
    empty, full = per_model(frames([])[1]), per_model(frames(DAY)[1])
    assert len(empty) == 0
    assert (empty.dtypes == full.dtypes).all()
    assert (empty.index.name, empty.index.dtype) == (full.index.name, full.index.dtype)


def test_an_empty_ledger_has_no_rates_and_costs_nothing() -> None:
    summary = overall(*frames([]))
    assert (summary.requests, summary.attempts, summary.cost_usd) == (0, 0, 0)
    assert (summary.unknown_cost, summary.time_lost_s) == (0, 0)
    assert math.isnan(summary.success_rate)
    assert math.isnan(summary.latency_p95_s)
    assert not summary.p95_reliable


def test_a_ledger_of_failures_alone_has_rates_but_no_latency() -> None:
    summary, models = overall(*frames([response(DOWN)])), per_model(frames([response(DOWN)])[1])
    assert summary.success_rate == models["success_rate"].item() == 0
    assert math.isnan(summary.latency_p50_s)
    assert models["latency_p50_s"].isna().all()


@pytest.mark.parametrize(("n", "reliable"), [(19, False), (20, True)])
def test_a_p95_is_reliable_from_twenty_answers_on(n: int, reliable: bool) -> None:  # noqa: FBT001
    requests, attempts = frames([response(attempt())] * n)
    assert per_model(attempts)["p95_reliable"].item() is reliable
    assert overall(requests).p95_reliable is reliable


@given(st.integers(0, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilsons_interval_is_scipys_and_holds_the_rate(counts: tuple[int, int]) -> None:
    successes, n = counts
    low, high = wilson(successes, n)
    if n == 0:
        assert math.isnan(low)
        assert math.isnan(high)
        return
    oracle = binomtest(successes, n).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((oracle.low, oracle.high), abs=1e-12)
    assert 0 <= low <= successes / n <= high <= 1


@settings(max_examples=25, deadline=None)
@given(st.lists(SECONDS, min_size=2, max_size=60))
def test_percentiles_are_the_standard_librarys_and_monotone(latencies: list[float]) -> None:
    requests, attempts = frames([response(attempt(latency_s=s)) for s in latencies])
    model, summary = per_model(attempts).iloc[0], overall(requests)
    oracle = quantiles(latencies, n=100, method="inclusive")
    assert (summary.latency_p50_s, summary.latency_p95_s) == pytest.approx((oracle[49], oracle[94]))
    assert (model["latency_p50_s"], model["latency_p95_s"]) == pytest.approx(
        (oracle[49], oracle[94])
    )
    assert min(latencies) <= model["latency_p50_s"] <= model["latency_p95_s"] <= max(latencies)


ATTEMPTS = st.builds(
    attempt,
    st.sampled_from(["a", "b", "c"]),
    latency_s=SECONDS,
    ttft_s=st.none() | SECONDS,
    cost_usd=COSTS,
    output_tokens=st.none() | st.integers(0, 10**6),
    error_type=st.sampled_from([None, None, "Overloaded", "Cancelled"]),
)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(ATTEMPTS, max_size=4), max_size=12))
def test_totals_are_the_sum_of_their_attempts_and_rates_lie_in_zero_to_one(
    tried: list[list[Attempt]],
) -> None:
    requests, attempts = frames([response(*some) for some in tried])
    every = [a for some in tried for a in some]
    summary, models = overall(requests, attempts), per_model(attempts)
    known = [a.cost_usd for a in every if a.cost_usd is not None]
    assert summary.cost_usd == sum(known, Decimal(0))
    assert models["cost_usd"].sum() == pytest.approx(float(sum(known)), abs=1e-12)
    assert models["unknown_cost"].sum() == len(every) - len(known)
    assert models["n"].sum() == summary.attempts == len(every)
    assert models["output_tokens"].sum() == sum(a.usage.output_tokens or 0 for a in every)
    assert (models["n"] == models["answered"] + models["failed"] + models["interrupted"]).all()
    for rate in (*models["success_rate"], summary.success_rate, summary.fallback_rate):
        assert math.isnan(rate) or 0 <= rate <= 1


@settings(max_examples=10, deadline=None)
@given(st.lists(st.lists(ATTEMPTS, max_size=3), min_size=1, max_size=12))
def test_models_agree_with_pandas_own_grouping(tried: list[list[Attempt]]) -> None:
    attempts = frames([response(*some) for some in tried])[1]
    answers = attempts[attempts["error_type"].isna()].groupby("model")["latency_s"]
    models = per_model(attempts).rename(lambda name: name.removeprefix("p:"))
    answered = models[models["answered"] > 0]
    assert dict(answered["answered"]) == dict(answers.size())
    assert dict(answered["latency_p95_s"]) == pytest.approx(dict(answers.quantile(0.95)))


STOPPED_BY = st.sampled_from([None, None, UsageError("x"), BudgetExceeded("x"), BreakerOpen("x")])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.lists(ATTEMPTS, max_size=3), STOPPED_BY), max_size=12), st.booleans())
def test_rows_counted_one_by_one_give_what_their_frames_give(
    tried: list[tuple[list[Attempt], MultimodelError | None]],
    cached: bool,  # noqa: FBT001
) -> None:
    responses = [
        response(*some, cached=cached and i % 2 == 0, stopped=stopped)
        for i, (some, stopped) in enumerate(tried)
    ]
    rows = [recorded(one) for one in responses]
    counted = totals_of(
        [row.request._asdict() for row in rows],
        [attempt._asdict() for row in rows for attempt in row.attempts],
    )
    assert summed(counted) == overall(*frames(responses))
    assert of_models(counted.models).equals(per_model(frames(responses)[1]))


PARTS = st.lists(st.lists(st.integers(0, 9).map(float) | SECONDS, max_size=300), max_size=5)


@settings(max_examples=60, deadline=None)
@given(PARTS, st.sampled_from([0.5, 0.95, 0.99]))
def test_a_percentile_of_parts_is_numpys_of_all(parts: list[list[float]], at: float) -> None:
    found = quantile_of(tuple(sorted(part) for part in parts), at)
    every = [value for part in parts for value in part]
    assert found == np.quantile(every, at) if every else math.isnan(found)


def test_tallies_of_parts_add_up_to_that_of_the_whole() -> None:
    parts = [counting.tally(frames(some)[0]) for some in (DAY[:2], DAY[2:3], DAY[3:])]
    whole = sum(parts, Tally())
    assert summed(Totals(whole, {})).latency_p95_s == overall(frames(DAY)[0]).latency_p95_s
