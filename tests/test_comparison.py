"""Several contestants at once: the race, its values, what differs."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.comparison import (
    Comparison,
    Comparisons,
    Race,
    differences,
    line_up,
)
from multimodel_magic.comparison.diff import blocks, numbers, sentences
from multimodel_magic.comparison.values import letter, shuffled
from multimodel_magic.errors import Overloaded, UsageError
from multimodel_magic.experiments.votes import Vote
from multimodel_magic.ledger import Ledger
from multimodel_magic.limits import Patience
from multimodel_magic.providers.scripted import Fail, Say, ScriptedProvider, Wait
from multimodel_magic.session import Session
from multimodel_magic.strategies import Fixed
from multimodel_magic.types import Finished, Request, Response, TextDelta, new_ulid


def client(**plays):
    provider = ScriptedProvider({name: [play] for name, play in plays.items()})
    return UnifiedLLMClient({"scripted": provider}, patience=Patience(retries=0))


def session(**plays):
    return Session(client(**plays), ledger=Ledger(":memory:"))


def race(asking, names, hear=None, **options):
    return Race(asking, line_up(asking, Request("Hi"), names, **options), hear)


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - any condition, of a race that runs here too
            await asyncio.sleep(0.001)


SLOW = [Say("so ", delay_s=0.001), Wait(30.0), Say("late")]


# --- the race


async def test_all_contestants_stream_at_once():
    heard = []
    asking = client(
        a=[Say("one two", chunk_chars=3, delay_s=0.01)], b=[Say("three four", delay_s=0.01)]
    )
    racing = race(asking, ["scripted:a", "scripted:b"], lambda *said: heard.append(said))
    done = await racing.run()
    assert done.texts == ("one two", "three four")
    assert done.answered == (0, 1)
    first_end = next(n for n, (_, event) in enumerate(heard) if isinstance(event, Finished))
    spoke = {place for place, event in heard[:first_end] if isinstance(event, TextDelta)}
    assert spoke == {0, 1}


async def test_a_failure_stays_in_its_pane():
    asking = client(a=[Say("fine")], b=[Fail(Overloaded("busy"))])
    done = await race(asking, ["scripted:a", "scripted:b"]).run()
    assert done.answered == (0,)
    assert "busy" in str(done.responses[1].error)


async def test_one_is_stopped_and_the_others_go_on():
    asking = client(a=SLOW, b=[Say("done", delay_s=0.05)])
    spoken = set()
    racing = race(asking, ["scripted:a", "scripted:b"], lambda place, _: spoken.add(place))
    running = asyncio.create_task(racing.run())
    await until(lambda: 0 in spoken)
    racing.stop(0)
    done = await running
    assert type(done.responses[0].error).__name__ == "Cancelled"
    assert done.responses[1].text == "done"


async def test_who_is_stopped_before_the_race_begins_is_not_waited_for():
    racing = race(client(a=SLOW, b=[Say("done")]), ["scripted:a", "scripted:b"])
    racing.stop(0)
    async with asyncio.timeout(10):
        done = await racing.run()
    assert done.answered == (1,)


async def test_one_is_asked_again_with_a_request_of_its_own():
    provider = ScriptedProvider({"a": [[Fail(Overloaded("busy"))], [Say("now")]], "b": [SLOW]})
    asking = UnifiedLLMClient({"scripted": provider}, patience=Patience(retries=0))
    racing = race(asking, ["scripted:a", "scripted:b"])
    first = racing.comparison.request_ids
    running = asyncio.create_task(racing.run())
    await until(lambda: racing.comparison.responses[0] is not None)
    racing.retry(0)
    await until(lambda: racing.comparison.answered == (0,))
    racing.stop(1)
    done = await running
    assert done.texts[0] == "now"
    assert done.request_ids[0] != first[0]
    assert done.request_ids[1] == first[1]


async def test_cancelling_the_race_stops_all_and_keeps_what_came():
    asking = session(a=SLOW, b=SLOW)
    spoken = Counter()
    racing = race(
        asking.client, ["scripted:a", "scripted:b"], lambda place, _: spoken.update([place])
    )
    running = asyncio.create_task(racing.run())
    await until(lambda: spoken[0] > 2 and spoken[1] > 2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert racing.comparison.texts == ("so ", "so ")
    recorded = [attempt for response in asking.history for attempt in response.attempts]
    assert [attempt.error_type for attempt in recorded] == ["Cancelled", "Cancelled"]


async def test_a_bug_in_one_contestant_is_its_own_error():
    class Buggy(ScriptedProvider):
        async def stream(self, model, request):
            if model == "a":
                raise ZeroDivisionError("a plugin's bug")
            async for event in super().stream(model, request):
                yield event

    asking = UnifiedLLMClient({"scripted": Buggy({"b": [[Say("fine")]]})})
    done = await race(asking, ["scripted:a", "scripted:b"]).run()
    assert done.finished
    assert done.responses[0].error is not None
    assert done.answered == (1,)


def test_every_attempt_is_in_the_ledger_with_the_comparisons_id():
    llm = session(a=[Say("A")], b=[Fail(Overloaded("busy"))])
    done = llm.compare("Hi", "scripted:a, scripted:b")
    labels = [response.request.labels for response in llm.history]
    assert {label["comparison"] for label in labels} == {done.id}
    assert {label["contestant"] for label in labels} == {"scripted:a", "scripted:b"}
    assert set(llm.df.request_id) == set(done.request_ids)


def test_a_strategy_may_compete_and_a_model_of_the_same_name_wins():
    asking = client(a=[Say("A")], b=[Say("B")])
    asking.strategies = {"mine": Fixed(("scripted:a",)), "fast": Fixed(("scripted:a",))}
    lineup = line_up(asking, Request("Hi"), ["mine", "scripted:b", "fast"])
    said = [(request.strategy, request.models) for request in lineup.requests]
    assert said == [("mine", ()), (None, ("scripted:b",)), (None, ("fast",))]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["fast"], "two contestants or more"),
        (["fast", "fast"], "'fast' is named twice"),
        (["fsat", "strong"], "did you mean 'fast'"),
        ([f"scripted:{n}" for n in range(13)], "too many"),
        ([], "two contestants or more"),
    ],
)
def test_contestants_that_are_none_are_refused_in_a_line(names, said):
    with pytest.raises(UsageError, match=said):
        line_up(client(), Request("Hi"), names)


@pytest.mark.parametrize("prompts", ["", "  ", [], ["a", ""], ["a", None]])
def test_a_prompt_that_is_none_is_refused(prompts):
    with pytest.raises(UsageError, match="prompt"):
        session().compare(prompts, "fast,strong")


# --- tables


def test_several_prompts_make_a_table_with_a_row_for_each_answer():
    llm = session(a=[Say("A")], b=[Fail(Overloaded("busy"))])
    table = llm.compare(["one", "two"], ["scripted:a", "scripted:b"])
    assert isinstance(table, Comparisons)
    frame = table.frame()
    assert list(frame.prompt) == ["one", "one", "two", "two"]
    assert list(frame.contestant) == ["scripted:a", "scripted:b"] * 2
    assert frame.answer[0] == "A"
    assert frame.model[0] == "a"
    assert frame.cost_usd[0] == 0.0
    assert frame.error_type[1] == "Overloaded"
    assert list(llm.comparisons) == list(table)


async def test_no_more_are_under_way_at_a_time_than_allowed():
    now = most = 0

    class Counting(ScriptedProvider):
        async def stream(self, model, request):
            nonlocal now, most
            now += 1
            most = max(most, now)
            try:
                async for event in super().stream(model, request):
                    yield event
            finally:
                now -= 1

    asking = UnifiedLLMClient({"scripted": Counting({"a": [[Say("x", delay_s=0.002)]]})})
    llm = Session(asking, ledger=Ledger(":memory:"))
    await llm.acompare(list("abcdef"), "scripted:a,scripted:answers", at_once=3)
    assert most == 3


def test_a_session_remembers_the_last_hundred_comparisons():
    llm = session()
    for n in range(105):
        llm.keep(Comparison(str(n), ("a", "b"), ("1", "2"), (None, None)))
    assert len(llm.comparisons) == 100
    assert llm.last_comparison.prompt == "104"


# --- blind


@given(st.text(max_size=20), st.integers(2, 12))
def test_a_shuffle_is_an_order_and_the_same_seed_deals_the_same(seed, count):
    assert sorted(shuffled(count, seed)) == list(range(count))
    assert shuffled(count, seed) == shuffled(count, seed)


def test_every_order_of_three_is_equally_likely():
    dealt = Counter(shuffled(3, new_ulid()) for _ in range(6000))
    assert set(dealt) == set(permutations(range(3)))
    # Chi squared with 5 degrees of freedom passes 40 once in 10 million runs (scipy.stats.chi2).
    assert sum((count - 1000) ** 2 / 1000 for count in dealt.values()) < 40


def test_a_hidden_comparison_tells_no_name_in_its_repr_and_frame():
    llm = session(secret=[Say("A")], other=[Say("B")])
    done = llm.compare("Hi", "scripted:secret,scripted:other", blind=True)
    assert done.hidden
    assert done.labels == ("A", "B")
    assert "scripted" not in repr(done)
    assert "scripted" not in done.frame().to_json()
    assert sorted(done.names) == ["scripted:other", "scripted:secret"]
    assert "scripted:secret" in done.reveal().frame().to_json()


def test_a_persons_vote_reveals_and_a_judges_does_not():
    llm = session(a=[Say("A")], b=[Say("B")])
    done = llm.compare("Hi", "scripted:a,scripted:b", blind=True)
    told = []
    llm.vote_watchers.append(told.append)

    def vote(judge):
        return Vote(
            comparison=done.id,
            request_ids=done.request_ids,
            contestants=done.names,
            verdict="prefer",
            preferred=0,
            blind=True,
            shuffle=done.shuffle,
            judge=judge,
        )

    llm.vote(vote("scripted:judge"))
    assert llm.last_comparison.hidden
    llm.vote(vote(None))
    assert not llm.last_comparison.hidden
    assert [one.judge for one in told] == ["scripted:judge", None]


def test_what_was_revealed_stays_so_when_a_contestant_is_asked_again():
    llm = session()
    hidden = Comparison("Hi", ("a", "b"), ("1", "2"), (None, None), blind=True, seed="s")
    llm.keep(hidden.reveal())
    llm.keep(hidden)
    assert not llm.last_comparison.hidden


def test_places_are_lettered():
    assert "".join(letter(place) for place in range(12)) == "ABCDEFGHIJKL"


# --- what differs

PROSE = st.lists(
    st.sampled_from(
        ["It is 42.", "It is 43 km.", "Paris is big.", "Really?", "- one", "x", "1,000 a", "## Top"]
    ),
    max_size=8,
).map("\n\n".join)
ANSWERS = st.lists(st.one_of(PROSE, st.text(max_size=200)), min_size=2, max_size=4)


@given(ANSWERS)
def test_everything_said_stands_in_exactly_one_row(answers):
    found = differences(answers)
    for place, answer in enumerate(answers):
        column = [row.said[place] for row in found.sentences if row.said[place] is not None]
        assert Counter(column) == Counter(sentences(answer))
        counted = [row.said[place] for row in found.numbers if row.said[place] is not None]
        assert Counter(counted) == Counter(numbers(answer))
        code = [row.said[place] for row in found.code if row.said[place] is not None]
        assert code == blocks(answer)


@given(st.one_of(PROSE, st.text(max_size=300)), st.integers(2, 4))
def test_the_same_answer_differs_in_nothing(answer, count):
    found = differences([answer] * count)
    assert all(row.agreed for row in (*found.sentences, *found.numbers, *found.code))
    assert found.agreed_share in (None, 1.0)


@given(st.lists(PROSE, min_size=2, max_size=3))
def test_the_order_of_the_answers_changes_nothing_that_all_say(answers):
    def agreed(texts):
        return Counter(row.first for row in differences(texts).sentences if row.agreed)

    assert agreed(answers) == agreed(answers[::-1])


def test_sentences_that_differ_in_a_number_are_not_the_same():
    found = differences(["The tower is 330 m high.", "The tower is 300 m high."])
    assert [row.by for row in found.sentences] == [(0,), (1,)]
    assert [(row.first, row.by) for row in found.numbers] == [("330", (0,)), ("300", (1,))]


def test_the_same_thing_in_other_words_stands_in_one_row():
    (row,) = differences(
        ["Paris is the capital city of France.", "Paris is the capital of France!"]
    ).sentences
    assert row.by_all
    assert not row.agreed


@pytest.mark.parametrize(
    ("one", "other"), [("1,000", "1000.0"), ("1e3", "1000"), ("-0.50", "\u2212.5"[:1] + "0.5")]
)
def test_a_number_is_the_same_in_every_notation(one, other):
    (row,) = differences([f"It is {one} here.", f"It is {other} here."]).numbers
    assert row.agreed


def test_a_percentage_is_no_plain_number():
    assert [row.by for row in differences(["12% of it", "12 of it"]).numbers] == [(0,), (1,)]


def test_numbers_of_list_items_and_of_code_count_for_nothing():
    assert numbers("1. one\n2. two\n```\nx = 5\n```\n") == []


def test_code_is_compared_as_code():
    first = "```python\nx = 1  \ny = 2\n```"
    found = differences([first, "~~~\nx = 1\ny = 2\n~~~", "```\nx = 1\ny = 3\n```"])
    (row,) = found.code
    assert row.by_all
    assert not row.same
    assert found.code_diff(row, ["a", "b", "c"])[-2:] == ("-y = 2", "+y = 3")


def test_a_hostile_answer_is_compared_in_no_time():
    long = "a. " * 30_000 + "`" * 50_000 + "9" * 50_000 + " " * 50_000
    found = differences([long, long + "x", "1e999 " * 1000])
    assert len(found.sentences) <= 600
    assert Response(Request("x"), long).text
