"""Replay: recorded requests are rebuilt, routed by another strategy, and compared."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from multimodel_magic.catalogue import Catalogue
from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.config import parse_config
from multimodel_magic.errors import BudgetExceeded, ConfigError, Overloaded, UsageError
from multimodel_magic.experiments.votes import Vote, row_of
from multimodel_magic.ledger import Ledger
from multimodel_magic.ledger.frames import frame
from multimodel_magic.ledger.recording import recorded
from multimodel_magic.ledger.rows import RequestRow
from multimodel_magic.limits import Budget
from multimodel_magic.notebook.charts import alt_text, plot, replay_chart
from multimodel_magic.notebook.replaying import replay as shown
from multimodel_magic.notebook.replaying import tables
from multimodel_magic.providers.scripted import Fail, Say, ScriptedProvider, UsageIs
from multimodel_magic.replay.notes import notes_of
from multimodel_magic.replay.rebuild import askings
from multimodel_magic.routing import build_strategy, configured_catalogue
from multimodel_magic.session import Session
from multimodel_magic.strategies import Fixed, Named, Resolved, WithFallbacks
from multimodel_magic.types import Message, Request, Response, Schema, Usage

CONFIG = parse_config("""
roles: {fast: ["a:cheap"], balanced: ["a:mid"], strong: ["a:dear"]}
prices:
  "a:cheap": {input: 1, output: 1}
  "a:mid": {input: 5, output: 5}
  "a:dear": {input: 20, output: 20}
routing:
  strategy: complexity
  fallbacks: [fast]
  rules:
    - {condition: {task_type: code}, model: strong}
    - {condition: {user_tier: free}, strategy: cost}
  experiments:
    trial: {treatment: strong, control: fast, percentage: 30, condition: {task_type: chat}}
    room: {treatment: strong, control: fast, percentage: 50, unit: notebook,
           condition: {task_type: analysis}}
  weighted: {models: {fast: 1, strong: 1}}
""")
HARD = "Prove the Riemann hypothesis step by step and analyze the algorithm in every detail"
PROMPTS = ("Hello", HARD, "Write a poem about rain")


def _provider():
    plays = {m: [[Say(m), UsageIs(Usage(100, 50))]] for m in ("cheap", "mid", "dear", "unpriced")}
    return ScriptedProvider({**plays, "down": [[Fail(Overloaded("busy"))]]}, name="a")


def _session(config=CONFIG, **more):
    catalogue = Catalogue(providers=frozenset({"a"}))
    client = UnifiedLLMClient({"a": _provider()}, catalogue=catalogue, sleep=_no_sleep)
    llm = Session(client, ledger=Ledger(":memory:"), **more)
    llm.configure(config)
    llm.refresh = lambda: None  # no file of this machine's
    return llm


async def _no_sleep(seconds):
    await asyncio.sleep(0)


def _asked(llm):
    return [model for model, _ in llm.client.providers["a"].requests]


def _day(llm):
    for n in range(24):
        llm(f"{PROMPTS[n % 3]} {n // 6}", user_tier=("pro", "free")[n % 2], strategy="complexity")
    return llm


# --- the law: the same strategy over the same requests changes nothing

WORDS = st.text("abc é\n{}", min_size=1, max_size=6).filter(str.strip)
REQUESTS = st.builds(
    Request,
    st.sampled_from(PROMPTS) | WORDS,
    system=st.none() | WORDS,
    history=st.lists(st.builds(Message, st.sampled_from(["user", "assistant"]), WORDS),
                     max_size=2).map(tuple),
    strategy=st.none() | st.sampled_from(["complexity", "cost", "task", "weighted", "ab"]),
    fallbacks=st.none() | st.just(()) | st.just(("balanced", "a:dear")),
    task=st.none() | st.sampled_from(["code_generation", "chat", "analysis"]),
    user_tier=st.none() | st.sampled_from(["free", "pro", "enterprise"]),
    task_value=st.none() | st.sampled_from(["low", "medium", "high"]),
    unit=st.none() | WORDS,
    experiment=st.none() | st.sampled_from(["trial", "room"]),
    max_tokens=st.none() | st.integers(1, 4000),
    options=st.dictionaries(WORDS, st.integers() | st.none() | WORDS, max_size=2),
    schema=st.none() | st.just(Schema("n", '{"type":"integer"}')),
    labels=st.just({}) | st.just({"notebook": "x.ipynb", "cell": "7", "own": "é"}),
)  # fmt: skip


def _way():
    catalogue = configured_catalogue(CONFIG, Catalogue(providers=frozenset({"a"})))
    strategy = build_strategy(CONFIG, catalogue, at=datetime(2026, 11, 1, tzinfo=UTC))
    return Resolved(WithFallbacks(Named(strategy)), catalogue)


WAY = _way()


@settings(max_examples=50, deadline=None)
@given(REQUESTS)
def test_a_rebuilt_request_is_routed_as_the_recorded_one_was(request_):
    route = WAY.route(request_)
    labelled = replace(request_, labels={**notes_of(request_), **request_.labels})
    row = recorded(Response(labelled, "", (), route)).request
    (asking,) = askings(frame(RequestRow, [row])).askings
    again = WAY.route(asking.request)
    assert (again.models, again.arm, again.strategy) == (route.models, route.arm, route.strategy)
    for name in (
        "prompt",
        "system",
        "history",
        "fallbacks",
        "task",
        "options",
        "max_tokens",
        "schema",
    ):
        assert getattr(asking.request, name) == getattr(request_, name)


@pytest.mark.parametrize("chooser", [None, "complexity", CONFIG], ids=["present", "name", "config"])
def test_replaying_what_recorded_the_requests_changes_nothing(chooser):
    llm = _day(_session())
    found = llm.replay(chooser)
    assert (len(found.requests), found.changed) == (24, 0)
    assert (found.cost_usd.difference, found.cost_usd.low, found.cost_usd.high) == (0, 0, 0)
    assert found.requests["cost_from"].eq("kept").all()


def test_the_same_replay_twice_gives_the_same_figures_and_asks_nobody():
    llm = _day(_session())
    asked = len(_asked(llm))
    one, other = llm.replay("cost"), llm.replay("cost")
    assert one.requests.equals(other.requests)
    assert (str(one), one.cost_usd) == (str(other), other.cost_usd)
    assert len(_asked(llm)) == asked


# --- figures against an oracle


def test_costs_and_their_interval_are_those_of_an_oracle():
    llm = _day(_session())
    found = llm.replay("cost")
    changed = found.requests[found.requests["changed"]]
    assert 0 < len(changed) < 24
    price = {"a:cheap": 1, "a:mid": 5, "a:dear": 20}
    was = np.array([price[name] * 150 / 1e6 for name in found.requests["was"]])
    would = np.array([price[name] * 150 / 1e6 for name in found.requests["would"]])
    assert found.requests["cost_usd"].to_numpy() == pytest.approx(was)
    assert found.requests["would_cost_usd"].to_numpy() == pytest.approx(would)
    low, high = stats.ttest_rel(would, was).confidence_interval()
    one = found.cost_usd
    assert (one.was, one.would) == pytest.approx((was.mean(), would.mean()))
    assert (one.low, one.high) == pytest.approx((low, high), rel=1e-4)
    assert (one.n, one.changed, one.estimated, one.unknown) == (24, *[len(changed)] * 2, 0)
    assert found.matrix.to_numpy().sum() == 24
    assert found.changes["n"].sum() == len(changed)


def test_an_estimate_is_priced_at_the_models_price_of_that_moment():
    seen = []

    def price(provider, model, usage, at):
        from multimodel_magic.types import Price

        seen.append((model, usage, at))
        return Price(Decimal("0.25"), "override")

    llm = _session()
    response = llm(HARD)
    llm.client.price = price
    found = llm.replay(Fixed(("a:mid",), name="mid"))
    assert found.requests["would_cost_usd"].tolist() == [0.25]
    assert found.requests["cost_from"].tolist() == ["estimate"]
    assert seen == [("mid", Usage(100, 50), response.started_at)]


def test_an_unknown_price_is_counted_and_in_no_sum():
    llm = _session()
    for prompt in PROMPTS:
        llm(prompt)
    found = llm.replay(Fixed(("a:unpriced",), name="odd"))
    assert (found.changed, found.cost_usd.n, found.cost_usd.unknown) == (3, 0, 3)
    assert "cannot be compared (3 unknown)" in str(found)


def test_what_a_model_answered_to_the_same_question_is_taken_before_any_estimate():
    llm = _session()
    llm(HARD)
    other = llm(HARD, "a:mid")
    found = llm.replay(Fixed(("a:mid",), name="mid"))
    row = found.requests.iloc[0]
    assert (row["cost_from"], row["latency_from"]) == ("recorded", "recorded")
    assert row["would_cost_usd"] == float(other.cost_usd)
    assert row["would_latency_s"] == other.attempts[0].latency_s


def test_a_latency_is_estimated_from_the_models_other_answers():
    llm = _session()
    llm(HARD)
    others = [llm(prompt, "a:mid").attempts[0].latency_s for prompt in ("one", "two")]
    row = llm.replay(Fixed(("a:mid",), name="mid")).requests.iloc[0]
    assert row["latency_from"] == "estimate"
    assert row["would_latency_s"] == pytest.approx(np.mean(others))


def test_quality_is_compared_where_both_answers_to_a_question_were_judged():
    llm = _session()
    scores = {"dear": [0.9, 0.8, 0.5, 0.4], "mid": [0.6, 0.9, 0.1, None]}
    judged = {}
    for n in range(4):
        for model, response in (("dear", llm(f"{HARD} {n}")), ("mid", llm(f"{HARD} {n}", "a:mid"))):
            judged[response.request_id] = scores[model][n]
    for request_id, score in judged.items():
        if score is not None:
            llm.ledger.keep_outcome(request_id, {"score": score})
    found = llm.replay(Fixed(("a:mid",), name="mid"))
    was, would = np.array([0.9, 0.8, 0.5]), np.array([0.6, 0.9, 0.1])
    low, high = stats.ttest_rel(would, was).confidence_interval()
    one = found.quality
    assert (found.label, one.n, one.changed, one.unknown) == ("score", 3, 3, 1)
    assert (one.was, one.would) == pytest.approx((was.mean(), would.mean()))
    assert (one.low, one.high) == pytest.approx((low, high), rel=0.011)  # t of two degrees


def test_without_judgements_the_quality_is_said_to_be_unknown():
    assert "quality: unknown" in str(_day(_session()).replay("cost"))


def test_votes_between_the_two_models_are_counted_with_wilsons_interval():
    llm = _session()
    dear, mid = llm(HARD), llm(HARD, "a:mid")
    ids = (dear.request_id, mid.request_id)
    verdicts = [("prefer", 1), ("prefer", 1), ("prefer", 0), ("tie", None)]
    for n, (verdict, place) in enumerate(verdicts):
        vote = Vote(comparison=f"c{n}", request_ids=ids, contestants=("a:dear", "a:mid"),
                    verdict=verdict, preferred=place)  # fmt: skip
        llm.ledger.keep_vote(row_of(vote))
    votes = llm.replay(Fixed(("a:mid",), name="mid")).votes
    assert (votes.would, votes.was, votes.ties) == (2, 1, 1)
    oracle = stats.binomtest(2, 3).proportion_ci(method="wilson")
    assert votes.interval == pytest.approx(tuple(oracle))
    assert "preferred in 2 of 3" in str(llm.replay(Fixed(("a:mid",), name="mid")))
    assert llm.replay().votes == replace(votes, would=0, was=0, ties=0)


# --- what is replayed


def test_what_cannot_be_replayed_is_counted_by_why():
    llm = _session()
    llm("Hello")
    llm("named", "a:mid")
    llm.ledger.store_text = False
    llm("forgotten")
    found = llm.replay("cost")
    assert len(found.requests) == 1
    assert found.left_out == {"whose model you named": 1, "of a text that was not stored": 1}
    assert len(llm.replay("cost", named=True).requests) == 2


def test_what_judges_and_replays_asked_is_not_replayed():
    llm = _session()
    llm("Hello")
    for label in ("judges", "replays"):
        llm.client.generate_sync(Request("about it", labels={label: "x"}))
    assert len(llm.df) == 3
    assert len(llm.replay("cost").requests) == 1


def test_cached_and_failed_requests_are_routed_again_but_are_in_no_cost_or_latency():
    llm = _session(cache="on")
    for _ in range(2):
        llm("Hello")
    with pytest.raises(Overloaded):
        llm.client.generate_sync(Request("Hello", models=("a:down",)))
    found = llm.replay(Fixed(("a:mid",), name="mid"), named=True)
    assert found.changed == 3
    assert (found.cost_usd.n, found.cost_usd.unknown) == (1, 0)
    assert found.requests["cost_from"].isna().sum() == 2


def test_only_this_sessions_requests_or_all_or_those_since_a_moment_are_replayed(tmp_path):
    books = Ledger(tmp_path / "l.db")
    first, second = _session(), _session()
    first.ledger = second.ledger = books
    first("Hello")
    second("Hello")
    assert len(second.replay("cost").requests) == 1
    assert len(second.replay("cost", everything=True).requests) == 2
    later = datetime.now(UTC) + timedelta(hours=1)
    assert len(second.replay("cost", everything=True, since=later).requests) == 0


def test_an_empty_ledger_replays_to_nothing_with_every_column():
    llm = _session()
    found = llm.replay("cost")
    assert (len(found.requests), found.changed, found.cost_usd.n) == (0, 0, 0)
    assert list(found.requests.columns) == list(_day(llm).replay("cost").requests.columns)
    assert found.matrix.empty


# --- by whom


def test_a_configuration_file_is_replayed(tmp_path):
    llm = _session()
    for prompt in PROMPTS:
        llm(prompt)
    file = tmp_path / "other.yml"
    file.write_text(
        'roles: {balanced: ["a:mid"]}\nprices: {"a:mid": {input: 10, output: 10}}\n'
        "routing: {default_model: balanced}\n"
    )
    found = llm.replay(file)
    assert (found.strategy, found.changed) == ("other.yml", 3)
    assert set(found.requests["would"]) == {"a:mid"}
    # Its own prices, for 150 tokens each.
    assert found.requests["would_cost_usd"].tolist() == pytest.approx([0.0015] * 3)


def test_an_unknown_strategy_and_a_broken_file_are_refused(tmp_path):
    llm = _session()
    with pytest.raises(UsageError, match=r"no strategy is called 'complexty'; did you mean"):
        llm.replay("complexty")
    (tmp_path / "b.yml").write_text("routing: {rule: []}")
    with pytest.raises(ConfigError, match="did you mean 'rules'"):
        llm.replay(str(tmp_path / "b.yml"))


def test_a_request_that_nobody_could_answer_then_says_why():
    llm = _session()
    llm("Hello")
    found = llm.replay(Fixed(("a:text-only:nobody",), name="odd"))
    assert found.changed == 1
    assert found.cost_usd.unknown == 1
    unknown = llm.replay(Fixed(("no-such-model",), name="odd"))
    assert "no-such-model" in unknown.requests["why"].iloc[0]
    assert "(nobody)" in str(unknown)


# --- calls


def test_with_call_the_other_models_are_asked_once_and_the_cost_is_told_before():
    llm = _session()
    for _ in range(3):
        llm(HARD)
    told = []
    before = len(_asked(llm))
    found = llm.replay(Fixed(("a:mid",), name="mid"), call=True, tell=told.append)
    assert _asked(llm)[before:] == ["mid"]
    assert told == ["asking 1 request, about $0.00075 (an estimate); Stop stops it",
                    "asked 1 of 1"]  # fmt: skip
    assert found.requests["cost_from"].tolist() == ["recorded"] * 3
    assert (found.cost_usd.estimated, found.cost_usd.would) == (0, pytest.approx(0.00075))
    again = llm.replay(Fixed(("a:mid",), name="mid"), call=True, tell=told.append)
    assert _asked(llm)[before:] == ["mid"]
    assert "nobody needs to be asked" in told[-1]
    assert len(again.requests) == 3


def test_with_call_a_kept_answer_comes_first(tmp_path):
    llm = _session()
    llm(HARD)
    other = _session()
    other.ledger = llm.ledger
    other(HARD, "a:mid", cache="on")  # in another session: its answer is kept beside the ledger
    llm.answers = other.answers
    llm.client.cache.answers = other.client.cache.answers
    asked = len(_asked(llm))
    found = llm.replay(Fixed(("a:mid",), name="mid"), call=True, tell=lambda _: None)
    assert len(_asked(llm)) == asked
    assert found.requests["would_cost_usd"].tolist() == pytest.approx([0.00075])


def test_with_call_a_spent_budget_stops_and_a_failure_is_counted():
    llm = _session()
    llm(HARD)
    found = llm.replay(Fixed(("a:down",), name="down"), call=True, tell=lambda _: None)
    assert found.failed_calls == 1
    llm.client.budget = Budget(session_usd=Decimal("0.001"))
    with pytest.raises(BudgetExceeded):
        llm.replay(Fixed(("a:mid",), name="mid"), call=True, tell=lambda _: None)


def test_interrupted_calls_keep_what_was_answered_and_the_next_time_ask_the_rest():
    llm = _session()
    for n in range(9):
        llm(f"{HARD} {n}")

    def tell(line):
        if line == "asked 2 of 9":
            raise KeyboardInterrupt

    mid = Fixed(("a:mid",), name="mid")
    with pytest.raises(KeyboardInterrupt):
        llm.replay(mid, call=True, tell=tell)
    told = []
    found = llm.replay(mid, call=True, tell=told.append)
    assert "asking 9 " not in told[0]
    calls = llm.df[llm.df["labels"].fillna("").str.contains("replays")]
    assert (calls["status"] == "answered").sum() == 9
    assert found.requests["cost_from"].eq("recorded").all()


# --- what is shown


def test_the_tables_say_what_changes_what_is_an_estimate_and_what_is_left_out():
    llm = _day(_session())
    llm("named", "a:mid")
    text = str(tables(llm.replay("cost")))
    assert "Replay of cost:" in text
    assert "of 24 requests" in text
    assert "a:dear" in text
    assert "--call asks it" in text
    assert "not replayed: 1 whose model you named (--named)" in text


def test_the_chart_says_in_words_what_it_shows_and_gives_its_axes():
    llm = _day(_session())
    found = llm.replay("cost")
    said = str(replay_chart(found))
    assert said.startswith("Replay of cost (n = 24 requests): ")
    assert "dear" in said
    assert "about" in said
    assert alt_text(plot.replay(found)) == said
    assert "no recorded request" in str(replay_chart(_session().replay("cost")))


def test_the_line_takes_a_strategy_and_a_scope():
    llm = _day(_session())
    value = shown(llm, "cost --since 1h --named", print)
    assert value.found.strategy == "cost"
    bundle = value._repr_mimebundle_()
    assert list(bundle) == ["text/plain", "text/html"]
    assert "<img alt=" in bundle["text/html"]
    with pytest.raises(UsageError, match="'--snce' is unknown; did you mean '--since'"):
        shown(llm, "cost --snce 1h", print)
