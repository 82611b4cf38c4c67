import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from multimodel_magic.errors import BudgetExceeded, Cancelled, Overloaded, UsageError
from multimodel_magic.experiments import (
    ABTestRouter,
    ArmMean,
    Assigned,
    LedgerStore,
    ResultsStore,
    analyze,
    assigned_from,
    assigned_in,
    cautious,
    difference,
    half_width,
    least_units,
    more_needed,
    ratio_e_value,
    record_outcome,
)
from multimodel_magic.ledger.recording import recorded
from multimodel_magic.ledger.rows import RequestRow
from multimodel_magic.strategies import Experiment, Fixed, Named, WithFallbacks
from multimodel_magic.strategies.experiment import Arm, declared
from multimodel_magic.strategies.smart import SmartRouter
from multimodel_magic.types import Attempt, Request, Response, Strategy

CONFIG = {"treatment_percentage": 50, "treatment_model": "strong", "control_model": "fast"}
TEST = Experiment.split("trial", control="fast", treatment="strong", share=0.5)


def row(arm: str, number: int, *, probability: float = 0.5, **known: object) -> Assigned:
    model = "fast" if arm == "control" else "strong"
    name = f"{arm}-{number}"
    return replace(Assigned(name, "trial", arm, model, probability, name), **known)


def rows(arm: str, successes: Sequence[float], **known: object) -> list[Assigned]:
    return [row(arm, i, outcome={"success": s}, **known) for i, s in enumerate(successes)]


# --- the seed's class


def test_sample_of_the_article_runs() -> None:
    router = ABTestRouter(CONFIG)
    models = {f"request-{i}": router.route(f"request-{i}") for i in range(50)}
    for request_id in models:
        router.record_outcome(request_id, {"success": True})
    results = router.get_results()
    assert set(models.values()) == {"strong", "fast"}
    assert sum(arm["n"] for arm in results["arms"].values()) == 50


@pytest.mark.parametrize(("percentage", "model"), [(0, "fast"), (100, "strong")])
def test_percentage_is_what_it_says(percentage: int, model: str) -> None:
    router = ABTestRouter({**CONFIG, "treatment_percentage": percentage})
    assert {router.route(str(i)) for i in range(100)} == {model}


def test_growing_percentage_keeps_the_treated_in_their_arm() -> None:
    small, large = (ABTestRouter({**CONFIG, "treatment_percentage": p}) for p in (10, 40))
    ids = [str(i) for i in range(500)]
    treated = {i for i in ids if small.route(i) == "strong"}
    assert treated < {i for i in ids if large.route(i) == "strong"}


def test_two_routers_over_other_models_deal_independently() -> None:
    one, two = ABTestRouter(CONFIG), ABTestRouter({**CONFIG, "treatment_model": "balanced"})
    same = sum((one.route(str(i)) == "fast") == (two.route(str(i)) == "fast") for i in range(1000))
    assert 400 < same < 600


def test_results_before_any_outcome_and_before_any_request() -> None:
    router = ABTestRouter(CONFIG)
    arms = router.get_results()["arms"]
    assert {name: (arm["n"], arm["success"]) for name, arm in arms.items()} == {
        "control": (0, None),
        "treatment": (0, None),
    }
    router.route("one")
    assert router.get_results()["differences"] == []


def test_router_is_a_strategy_too_and_remembers_what_it_dealt() -> None:
    router = ABTestRouter(CONFIG)
    assert isinstance(router, Strategy)
    route = router.route(Request("Hi", request_id="r1"))
    assert route.arm is not None
    router.record_outcome("r1", 0.7)
    assert sum(arm["outcomes"] for arm in router.get_results()["arms"].values()) == 1


# --- outcomes


def store_with(*names: str) -> ResultsStore:
    store = ResultsStore()
    for name in names:
        store.assign(Assigned(name, "trial", "control", "fast", 0.5, name))
    return store


def test_unknown_id_is_one_line() -> None:
    with pytest.raises(UsageError) as caught:
        record_outcome(store_with("a"), "b", {"success": True})
    assert str(caught.value) == "no request 'b' is known here; ids are in llm.df"


def test_outcome_said_twice_counts_once() -> None:
    store = store_with("a")
    assert record_outcome(store, "a", {"success": True})
    assert not record_outcome(store, "a", {"success": True})
    (arm,) = analyze("trial", store.assigned("trial")).arms
    assert (arm.n, arm.outcomes, arm.success) == (1, 1, 1.0)


def test_later_outcome_adds_and_corrects_key_by_key() -> None:
    store = store_with("a")
    record_outcome(store, "a", True)
    record_outcome(store, "a", {"score": 0.5})
    record_outcome(store, "a", {"success": 0, "note_length": 3, "score": None})
    (found,) = store.assigned("trial")
    assert found.outcome == {"success": 0.0, "score": 0.5, "note_length": 3.0}


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=12))
def test_recording_everything_again_changes_nothing(said: list[tuple[str, bool]]) -> None:
    store = store_with("a", "b", "c")
    for name, success in said:
        record_outcome(store, name, success)
    before = store.assigned("trial")
    for name, success in dict(said).items():
        assert not record_outcome(store, name, success)
    assert store.assigned("trial") == before


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        ({"success": 0.5}, "success is 0.5; give 0 or 1"),
        ({"score": "good"}, "score is 'good'; give a number"),
        ({"score": math.nan}, "score is nan; give a number"),
        ({"score": 10**400}, "give a number"),
        ("good", "give numbers by name, not 'good'"),
        ({"sucess": True}, "no measure is called 'sucess'; did you mean 'success'"),
        ({"latency": 0.3}, "no measure is called 'latency'; did you mean 'latency_s'"),
        ({"cost": 0.01}, "no measure is called 'cost'; did you mean 'cost_usd'"),
    ],
)
def test_outcome_that_is_no_number_is_one_line(outcome: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        record_outcome(store_with("a"), "a", outcome)


def test_first_assignment_of_a_request_stands() -> None:
    store = store_with("a")
    store.assign(Assigned("a", "trial", "treatment", "strong", 0.5, "a"))
    (found,) = store.assigned("trial")
    assert found.arm == "control"


def test_assignment_and_the_model_that_answered_are_kept_apart() -> None:
    request = Request("Hi", unit="u")
    route = WithFallbacks(TEST, ("local:smollm2",)).route(request)
    failed = Attempt("openai", "x", 1, cost_usd=Decimal("0.1"), error_type="Overloaded")
    answered = Attempt("local", "smollm2", 2, rank=1, cost_usd=Decimal(0))
    kept = assigned_from(Response(request, "hello", (failed, answered), route, latency_s=2.0))
    assert kept is not None
    assert (kept.model, kept.answered_by) == (route.models[0], "local:smollm2")
    assert f"{kept.experiment}:{kept.arm}" == route.arm
    assert (kept.unit, kept.succeeded, kept.cost_usd, kept.latency_s) == ("u", True, 0.1, 2.0)
    assert analyze("trial", [kept]).arms[0].as_dealt == 0.0


def test_a_request_that_no_budget_allowed_says_nothing_of_its_arm() -> None:
    request = Request("Hi", unit="u")
    stopped = Response(request, "", (), TEST.route(request), BudgetExceeded("spent"))
    ours, books = assigned_from(stopped), LedgerStore(PaperBook(stopped)).assigned("trial")
    assert books == (ours,)
    assert (ours.succeeded, ours.cost_usd, ours.asked_nobody) == (None, None, True)
    arm = analyze("trial", books).arms[0]
    assert (arm.n, arm.asked_nobody, arm.success, arm.unknown_cost) == (1, 1, None, 0)
    assert "n 1 · 1 asked nobody" in str(analyze("trial", books))


def test_response_outside_any_experiment_is_not_assigned() -> None:
    assert assigned_from(Response(Request("Hi"), "hello")) is None


class PaperBook:
    """A ledger of rows in a list."""

    def __init__(self, *responses: Response) -> None:
        self.rows = {r.request_id: recorded(r).request for r in responses}
        self.outcomes: dict[str, Mapping[str, float]] = {}

    def dealt(self, experiment: str) -> list[tuple[RequestRow, Mapping[str, float]]]:
        found = [row for row in self.rows.values() if (row.arm or "").startswith(experiment)]
        return [(row, self.outcomes.get(row.request_id, {})) for row in found]

    def dealt_request(self, request_id: str) -> tuple[RequestRow, Mapping[str, float]] | None:
        row = self.rows.get(request_id)
        return None if row is None else (row, self.outcomes.get(request_id, {}))

    def keep_outcome(self, request_id: str, outcome: Mapping[str, float]) -> None:
        self.outcomes[request_id] = {**self.outcomes.get(request_id, {}), **outcome}


def responses(error: Exception | None) -> Response:
    request = Request("Hi", unit="u")
    name = None if error is None else type(error).__name__
    attempt = Attempt("local", "smollm2", 1, cost_usd=Decimal(0), error_type=name)
    route = TEST.route(request)
    return Response(request, "hello", (attempt,), route, error, 1.5)


@pytest.mark.parametrize("error", [None, Overloaded("busy"), Cancelled("stopped")])
def test_ledgers_row_and_the_response_tell_the_same(error: Exception | None) -> None:
    response = responses(error)
    assert assigned_in(recorded(response).request, {}) == assigned_from(response)


def test_failure_counts_against_its_arm_and_an_interrupt_does_not() -> None:
    told = [assigned_from(responses(e)) for e in (None, Overloaded("x"), Cancelled("x"))]
    (arm,) = analyze("trial", [one for one in told if one is not None]).arms
    assert (arm.n, arm.success, arm.latency_s) == (3, 0.5, 1.5)


def test_outcome_of_a_request_in_the_ledger_may_come_in_a_later_kernel() -> None:
    response, outside = responses(None), Response(Request("Hi"), "hello")
    store = LedgerStore(PaperBook(response, outside))
    assert record_outcome(store, response.request_id, {"score": 0.9})
    assert not record_outcome(store, response.request_id, 0.9)
    assert [one.outcome for one in store.assigned("trial")] == [{"score": 0.9}]
    assert store.assigned("tri") == ()
    # Quality and routing accuracy live on outcomes outside experiments too.
    assert record_outcome(store, outside.request_id, 0.9)
    assert len(store.assigned("trial")) == 1


# --- intervals, against oracles


@pytest.mark.parametrize(("n", "alpha"), [(30, 0.05), (500, 0.05), (20_000, 0.01)])
def test_half_width_is_where_robbins_mixture_reaches_one_over_alpha(n: int, alpha: float) -> None:
    spread = -2 * math.log(alpha)
    rho = math.sqrt((spread + math.log(spread + 1)) / 500)
    reached = n * half_width(1 / n, n, alpha=alpha)

    def bet(slope: float) -> float:
        return math.exp(slope * reached - slope**2 * n / 2) * float(stats.norm.pdf(slope, 0, rho))

    best = reached / (n + 1 / rho**2)
    wealth, _ = integrate.quad(bet, best - 12 / math.sqrt(n), best + 12 / math.sqrt(n))
    assert wealth == pytest.approx(1 / alpha, rel=1e-6)


def test_half_width_exceeds_that_of_an_interval_for_one_look() -> None:
    for n in (50, 500, 50_000):
        assert half_width(1 / n, n) > stats.norm.ppf(0.975) / math.sqrt(n)


@given(
    st.lists(st.integers(0, 300), min_size=2, max_size=4).filter(any),
    st.lists(st.integers(1, 9), min_size=4, max_size=4),
)
def test_ratio_e_value_is_dirichlet_multinomial_over_multinomial(
    counts: list[int], parts: list[int]
) -> None:
    shares = np.array(parts[: len(counts)]) / sum(parts[: len(counts)])
    n = sum(counts)
    log_e = stats.dirichlet_multinomial.logpmf(counts, 100 * shares, n) - stats.multinomial.logpmf(
        counts, n, shares
    )
    named = {str(i): count for i, count in enumerate(counts)}
    found = ratio_e_value(named, {str(i): float(share) for i, share in enumerate(shares)})
    beyond_any_doubt = 700.0  # exp of more is no float
    assert math.log(found) == pytest.approx(min(log_e, beyond_any_doubt), abs=1e-6)


def test_means_and_variances_are_those_of_numpy() -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(2, 400)) + np.array([[0.0], [0.3]])
    dealt = [
        row(arm, i, outcome={"score": float(score)})
        for arm, values in zip(("control", "treatment"), scores, strict=True)
        for i, score in enumerate(values)
    ]
    (found,) = analyze("trial", dealt).differences
    se2 = scores[0].var(ddof=1) / 400 + scores[1].var(ddof=1) / 400
    assert found.estimate == pytest.approx(scores[1].mean() - scores[0].mean())
    half = half_width(se2, 800, alpha=0.05 / 4)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=2e-3)


def test_latency_and_cost_compare_as_ratios_of_geometric_means() -> None:
    dealt = [
        row(arm, i, cost_usd=price * (1 + i % 3), latency_s=0.5 * price)
        for arm, price in (("control", 1.0), ("treatment", 2.0))
        for i in range(60)
    ]
    cost = next(d for d in analyze("trial", dealt).differences if d.metric == "cost_usd")
    assert (cost.kind, cost.estimate) == ("ratio", pytest.approx(2.0))
    assert cost.decided
    assert cost.verdict == "treatment is higher"


def test_a_few_units_claim_no_impossible_difference_and_no_row_of_digits() -> None:
    dealt = [
        row(arm, i, succeeded=bool(i), latency_s=seconds * 10**i)
        for arm, seconds in (("control", 0.1), ("treatment", 1.0))
        for i in range(2)
    ]
    found = {one.metric: one for one in analyze("trial", dealt).differences}
    assert (found["success"].low, found["success"].high) == (-1.0, 1.0)
    assert "[under 0.001, over 1,000]" in str(found["latency_s"])


def test_cost_of_a_free_arm_compares_as_a_difference_in_dollars() -> None:
    dealt = [*(row("control", i, cost_usd=0.0) for i in range(60))]
    dealt += [row("treatment", i, cost_usd=0.01 + i % 2 * 0.01) for i in range(60)]
    (cost,) = analyze("trial", dealt).differences
    assert (cost.kind, cost.estimate) == ("difference", pytest.approx(0.015))


def test_unknown_cost_is_counted_and_never_zero() -> None:
    dealt = [row("control", 1, cost_usd=0.2), row("control", 2)]
    (arm,) = analyze("trial", dealt).arms
    assert (arm.cost_usd, arm.unknown_cost) == (0.2, 1)


def test_unit_with_many_requests_counts_as_one() -> None:
    rng = random.Random(2)  # noqa: S311 - a simulation
    dealt = []
    for arm in ("control", "treatment"):
        for unit in range(40):
            success = float(rng.random() < 0.5)
            dealt += [
                replace(one, unit=f"{arm}{unit}", request_id=f"{arm}{unit}{i}")
                for i, one in enumerate(rows(arm, [success] * 25))
            ]
    (found,) = analyze("trial", dealt).differences
    once = analyze("trial", dealt[::25])
    assert found.n == 80
    assert found.high - found.low == pytest.approx(
        once.differences[0].high - once.differences[0].low, rel=1e-6
    )


def test_share_that_grew_while_times_changed_biases_nothing() -> None:
    # Success falls from 90 % to 10 % as the share grows from 10 % to 90 %: pooled means would
    # call the treatment far worse.
    def spell(first: int, n: int, rate: float, probability: float) -> list[Assigned]:
        found = []
        for arm, chance in (("control", 1 - probability), ("treatment", probability)):
            size = round(n * chance)
            good = round(size * rate)
            found += [
                row(arm, first + i, probability=chance, outcome={"success": float(i < good)})
                for i in range(size)
            ]
        return found

    results = analyze("trial", [*spell(0, 1000, 0.9, 0.1), *spell(1000, 1000, 0.1, 0.9)])
    assert results.differences[0].estimate == pytest.approx(0.0, abs=1e-9)
    assert results.ratio.ok


def test_arm_of_a_few_equal_values_claims_no_certainty() -> None:
    results = analyze("trial", [*rows("control", [1.0] * 30), *rows("treatment", [1.0] * 30)])
    (found,) = results.differences
    assert found.low < -0.05 < 0.05 < found.high
    assert not found.decided


def test_too_few_units_decide_nothing_whatever_the_difference() -> None:
    results = analyze("trial", [*rows("control", [0.0] * 10), *rows("treatment", [1.0] * 10)])
    (found,) = results.differences
    assert not found.decided
    assert found.more is not None
    assert found.more >= 30


def test_skewed_values_need_more_units() -> None:
    assert least_units(0.0) == 25
    assert least_units(-6.0) == 900


def test_interval_that_includes_zero_says_about_how_many_more() -> None:
    results = analyze("trial", [*rows("control", [1, 0] * 100), *rows("treatment", [1, 1, 0] * 66)])
    (found,) = results.differences
    assert found.more is not None
    assert f"not decided yet, about {found.more:,} more" in str(found)


@given(st.floats(0.01, 1), st.floats(0.1, 10), st.integers(50, 5000))
def test_more_needed_is_enough_and_not_twice_what_is(
    estimate: float, spread: float, n: int
) -> None:
    variance = spread / n
    more = more_needed(estimate, variance, n)
    if more is None:
        return
    later = n + more
    assert half_width(spread / later, later) <= abs(estimate)
    if more > 1:
        sooner = n + more // 2
        assert half_width(spread / sooner, sooner) >= abs(estimate) * 0.99


def test_no_difference_at_all_has_no_end_in_sight() -> None:
    same = ArmMean(0.5, 0.25 / 100, 100)
    found = difference(same, same)
    assert (found.decided, found.more) == (False, None)


# --- the report


def test_report_never_says_significant_or_probability_of_best() -> None:
    dealt = [*rows("control", [0.0] * 300), *rows("treatment", [1.0] * 300)]
    report = str(analyze("trial", dealt)).lower()
    assert "treatment is higher" in report
    assert "significant" not in report
    assert "p(best)" not in report
    assert "winner" not in report


def test_broken_sample_ratio_is_said_and_decides_nothing() -> None:
    dealt = [*rows("control", [0.0] * 500), *rows("treatment", [1.0] * 300)]
    results = analyze("trial", dealt)
    assert not results.ratio.ok
    assert "the arms were not dealt as they should be" in str(results)
    assert not any(one.decided for one in results.differences)


def test_arm_that_nobody_reaches_breaks_the_sample_ratio() -> None:
    assert not analyze("trial", rows("control", [1.0] * 50)).ratio.ok


def test_a_share_that_grows_while_units_come_back_breaks_no_sample_ratio() -> None:
    dealt = []
    for day, share in enumerate((0.1, 0.2, 0.35, 0.6, 1.0)):
        test = Experiment.split("trial", control="fast", treatment="strong", share=share)
        for i in range(300):
            arm = test.arm_of(f"u{i}")
            one = row(arm, i, probability=test.probability(arm), unit=f"u{i}")
            dealt.append(replace(one, request_id=f"{day}-{i}"))
    ratio = analyze("trial", dealt).ratio
    assert ratio.ok
    assert ratio.counts.total() == 300


def test_three_arms_are_each_compared_with_the_control() -> None:
    dealt = [
        one
        for arm in ("control", "a", "b")
        for one in rows(arm, [1.0, 0.0] * 30, probability=1 / 3)
    ]
    results = analyze("trial", dealt)
    assert [(d.control, d.arm) for d in results.differences] == [("control", "a"), ("control", "b")]
    assert results.ratio.ok


def test_more_than_two_arms_whose_shares_changed_are_not_checked_and_it_says_so() -> None:
    dealt = [row(arm, i, probability=0.1 * (1 + i % 2)) for arm in "abc" for i in range(10)]
    results = analyze("trial", dealt)
    assert (results.ratio.e_value, results.ratio.ok) == (None, True)
    assert "not checked" in str(results)


def test_control_that_is_not_there_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'control'"):
        analyze("trial", rows("control", [1.0]), control="contrl")


def test_the_control_is_the_declared_one_whoever_was_dealt_first() -> None:
    results = analyze(TEST, rows("treatment", [1.0, 0.0]))
    assert results.control == "control"
    assert [(arm.arm, arm.model, arm.n) for arm in results.arms] == [
        ("control", TEST.arms["control"].model, 0),
        ("treatment", "strong", 2),
    ]
    assert results.differences == ()


def test_of_a_name_alone_one_arm_is_not_taken_for_the_control() -> None:
    assert analyze("trial", rows("treatment", [1.0])).control is None
    assert analyze("trial", rows("control", [1.0])).control == "control"
    assert analyze("trial", [row("b", 1), row("a", 1)]).control == "a"


def test_two_of_three_declared_arms_are_not_taken_for_the_whole() -> None:
    three = Experiment("trial", {name: Arm(name, 0.25) for name in "ab"} | {"c": Arm("c", 0.5)})
    dealt = [row(arm, i, probability=0.25) for arm in "ab" for i in range(300)]
    assert analyze("trial", dealt[:10]).ratio.ok
    assert not analyze(three, dealt).ratio.ok
    fair = [row("c", i, probability=0.5) for i in range(600)]
    assert analyze(three, [*dealt, *fair]).ratio.ok


def test_an_experiment_is_found_by_its_name_in_what_holds_it() -> None:
    other = Experiment.split("other", control="fast", treatment="strong", share=0.5)
    held = Named(WithFallbacks(SmartRouter(experiments=(other, TEST)), ("fast",)))
    assert declared("trial", Fixed(("fast",)), held) is TEST
    assert declared("trail", held, other) is None


def test_frame_has_a_row_an_arm() -> None:
    frame = analyze("trial", [*rows("control", [1.0]), *rows("treatment", [0.0])]).frame()
    assert list(frame.index) == ["control", "treatment"]
    assert frame.loc["control", "success"] == 1.0


# --- looking again and again


def looks(arm: np.ndarray, y: np.ndarray, every: int) -> list[tuple[ArmMean, ArmMean, float]]:
    """Means of both arms after every so many outcomes, by running sums."""
    at = np.arange(every, len(y) + 1, every) - 1
    found = []
    for mask in (~arm, arm):
        n, s, q = (np.cumsum(np.where(mask, v, 0.0))[at] for v in (np.ones_like(y), y, y * y))
        found.append((n, s / np.maximum(n, 1), q / np.maximum(n, 1)))
    (na, ma, qa), (nb, mb, qb) = found
    n = na + nb
    spread = (na * qa + nb * qb) / n - ((na * ma + nb * mb) / n) ** 2
    return [
        (
            ArmMean(ma[i], max(qa[i] - ma[i] ** 2, 0) / (na[i] - 1), int(na[i])),
            ArmMean(mb[i], max(qb[i] - mb[i] ** 2, 0) / (nb[i] - 1), int(nb[i])),
            float(spread[i]),
        )
        for i in range(len(at))
        if min(na[i], nb[i]) > 1
    ]


def called(arm: np.ndarray, y: np.ndarray, *, binary: bool) -> bool:
    return any(
        difference(cautious(a, s, binary=binary), cautious(b, s, binary=binary)).decided
        for a, b, s in looks(arm, y, 50)
    )


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.5, 0.1])
@pytest.mark.parametrize("kind", ["rate 0.5", "rate 0.95", "normal", "log of latency"])
def test_500_experiments_of_equal_arms_looked_at_every_50_call_at_most_5_percent(
    share: float, kind: str
) -> None:
    rng = np.random.default_rng(7)
    draw = {
        "rate 0.5": lambda: (rng.random(2000) < 0.5).astype(float),
        "rate 0.95": lambda: (rng.random(2000) < 0.95).astype(float),
        "normal": lambda: rng.normal(size=2000),
        "log of latency": lambda: np.log(rng.gamma(2.0, size=2000)),
    }[kind]
    wrong = sum(
        called(rng.random(2000) < share, draw(), binary=kind.startswith("rate")) for _ in range(500)
    )
    assert wrong <= 25


@pytest.mark.slow
def test_whole_reports_of_equal_arms_call_at_most_5_percent() -> None:
    rng = np.random.default_rng(11)
    wrong = 0
    for _ in range(100):
        treated = rng.random(600) < 0.5
        dealt = [
            row("treatment" if t else "control", i, cost_usd=c, latency_s=s,
                outcome={"success": float(g), "score": float(v)})
            for i, (t, c, s, g, v) in enumerate(
                zip(treated, rng.lognormal(size=600), rng.gamma(2.0, size=600),
                    rng.random(600) < 0.8, rng.random(600), strict=True)
            )
        ]  # fmt: skip
        reports = (analyze("trial", dealt[:n]) for n in range(100, 601, 100))
        wrong += any(one.decided for report in reports for one in report.differences)
    assert wrong <= 5


@pytest.mark.slow
def test_real_differences_are_found() -> None:
    rng = np.random.default_rng(3)
    found = 0
    for _ in range(100):
        arm = rng.random(4000) < 0.5
        found += called(
            arm, (rng.random(4000) < np.where(arm, 0.6, 0.5)).astype(float), binary=True
        )
    assert found >= 95
