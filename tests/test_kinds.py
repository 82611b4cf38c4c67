"""A slip in a caller's code is one line, asks nobody, and leaves no row that cannot be read."""

import inspect
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.client.fitting import fitting
from multimodel_magic.errors import UsageError
from multimodel_magic.ledger import Ledger
from multimodel_magic.limits import Budget, Rate
from multimodel_magic.providers.openai import OpenAIProvider
from multimodel_magic.providers.scripted import ScriptedProvider
from multimodel_magic.session import Session
from multimodel_magic.strategies import Weighted
from multimodel_magic.types import Attempt, Request, Response, Usage


@pytest.fixture
def books():
    ledger = Ledger(":memory:")
    yield ledger
    ledger.close()


def client(**parts):
    return UnifiedLLMClient({"scripted": ScriptedProvider()}, **parts)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"max_tokens": 1.5}, "max_tokens is 1.5: it must be a whole number"),
        ({"max_tokens": True}, "max_tokens is True: it must be a whole number"),
        ({"retries": "2"}, "retries is '2': it must be a whole number"),
        ({"timeout_s": "30s"}, "timeout_s is '30s': it must be a number"),
        ({"timeout_s": float("nan")}, "timeout_s is nan: it cannot be below 0"),
        ({"max_cost_usd": "0.05"}, "max_cost_usd is '0.05': it must be a number"),
        ({"system": 5}, "system is 5: it must be text"),
        ({"strategy": 5, "model": None}, "strategy is 5: it must be text"),
        ({"model": ["a", "b"]}, "a model is named by text, one at a time, not by ['a', 'b']"),
        ({"fallbacks": [5]}, "a model is named by text, one at a time, not by 5"),
        ({"options": [1]}, "options is [1]: it must map names to values"),
        ({"options": {"x": object}}, "options: x cannot be sent as JSON"),
        ({"options": {"x": float("inf")}}, "options: x cannot be sent as JSON"),
    ],
)
def test_a_part_of_the_wrong_kind_is_one_line_that_names_it(books, said, message):
    with pytest.raises(UsageError) as caught:
        client(ledger=books).generate_sync("Hi", **{"model": "scripted:echo", **said})
    assert message in str(caught.value)
    assert len(books.attempts_frame()) == 0


def test_a_text_is_no_request_to_stream():
    with pytest.raises(UsageError, match=r"that is str, not a Request: stream\(Request"):
        list(client().stream_sync("Hi"))


def test_numbers_of_every_kind_that_python_has_are_taken():
    answer = client().generate_sync("Hi", "scripted:echo", timeout_s=9, max_cost_usd=Decimal(1))
    assert answer.succeeded


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"strategy": "complexity"}, "strategy is 'complexity': give one such as ByComplexity()"),
        ({"ledger": "books.db"}, "ledger is 'books.db': give Ledger('books.db')"),
        ({"budget": 0.5}, "budget is 0.5: give Budget(session_usd="),
    ],
)
def test_a_client_made_of_the_wrong_parts_says_what_to_give_instead(parts, message):
    with pytest.raises(UsageError) as caught:
        client(**parts)
    assert message in str(caught.value)


def test_half_a_token_of_a_foreign_provider_closes_no_ledger(books):
    attempt = Attempt("mine", "m", 1, usage=Usage(1.5, 7))  # type: ignore[arg-type]
    books.record(Response(Request("one"), "a", (attempt,)))
    books.record(Response(Request("two"), "b", (Attempt("mine", "m", 1, usage=Usage(3, 4)),)))
    frame = books.attempts_frame()
    assert frame["input_tokens"].isna().tolist() == [True, False]
    assert frame["output_tokens"].tolist() == [7, 4]
    assert len(books.requests_frame()) == 2


def test_a_misspelt_attribute_of_the_session_names_the_nearest(books):
    llm = Session(client(), ledger=books)
    with pytest.raises(AttributeError, match="no attribute 'atempts'; did you mean 'attempts'"):
        llm.atempts  # noqa: B018 - the look-up is the act


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"maxtokens": 5}, "no argument is called 'maxtokens'; did you mean 'max_tokens'?"),
        ({"startegy": "cost"}, "no argument is called 'startegy'; did you mean 'strategy'?"),
        ({"temperature": 0}, "what only the vendor knows goes into options={'temperature': 0}"),
        ({"api_key": "sk-1"}, "no argument is called 'api_key': a key comes from the environment"),
        ({"tools": "sk-1"}, "goes into options={'tools': ...}"),
    ],
)
def test_a_misspelt_keyword_is_one_line_that_names_the_right_way(books, said, message):
    llm = Session(client(), ledger=books)
    for ask in (llm, llm.client.generate_sync):
        with pytest.raises(UsageError) as caught:
            ask("Hi", "scripted:echo", **said)
        assert message in str(caught.value)
        assert "sk-1" not in str(caught.value)
    assert len(books.attempts_frame()) == 0


def test_a_keyword_to_stream_belongs_into_the_request():
    with pytest.raises(UsageError, match=r"a Request says everything, Request\(prompt, .*options="):
        client().stream_sync(Request("Hi"), temperature=0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda llm: llm(), "missing a required argument: 'prompt'; it takes prompt, model"),
        (lambda llm: llm("a", "b", "c"), "too many positional arguments"),
        (lambda llm: llm.metrics(sinse=None), "called 'sinse'; did you mean 'since'?"),
        (lambda llm: llm.compare("a", "b", blnd=True), "called 'blnd'; did you mean 'blind'?"),
        (lambda llm: llm.export(), "missing a required argument: 'file'"),
    ],
)
def test_a_call_that_does_not_fit_is_one_line(books, call, message):
    with pytest.raises(UsageError) as caught:
        call(Session(client(), ledger=books))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda llm: llm.use(3), "the configuration is 3: give its file, or None"),
        (lambda llm: llm.configure("a.yml"), "that is a file, not a configuration: llm.use('a.yml"),
        (lambda llm: llm.alias("x"), "aliases is 'x': give names of your own"),
        (lambda llm: llm.alias({"a": 3}), "an alias is 3: give what it stands for"),
        (lambda llm: llm.record_outcome(3, 1), "the request is 3: give a response or its"),
        (lambda llm: llm.experiment(3), "the experiment is 3: give its name"),
        (lambda llm: llm("Hi", needs=3), "a list of names is 3: give names such as"),
        (lambda llm: llm("Hi", needs=[3]), "a need is 3: give text such as 'vision'"),
        (lambda llm: llm("Hi", fallbacks=3), "a list of names is 3"),
        (lambda llm: llm("Hi", broken_stream=3), "broken_stream is 3: it must be text"),
        (lambda llm: llm("Hi", options={3: 4}), "the name of an option is 3: give text"),
        (lambda llm: llm.client.generate_sync("Hi", history=["x"]), "give Message('user', 'text')"),
        (lambda llm: llm.client.generate_sync("Hi", history=3), "the history is 3: give what was"),
        (lambda llm: llm.compare(3, "a,b"), "the prompts is 3: give a text, or several"),
        (lambda llm: llm.compare("Hi", 3), "the contestants is 3: give 'fast,strong'"),
        (lambda llm: llm.replay(3), "that is 3: give a strategy, its name or a file"),
        (lambda llm: llm.replay(since=3), "since is 3: give timedelta(days=7) or '7d'"),
        (lambda llm: llm.metrics(since="7q"), "'7q' is no time such as 12h, 7d or 2w"),
        (lambda llm: llm.export(3), "the file is 3: give its path"),
        (lambda llm: llm.import_file(3), "the file is 3: give its path"),
        (lambda llm: llm.judge(3), "that is 3, no comparison: such as llm.last_comparison"),
        (lambda llm: llm.playground(3), "the prompt is 3: give text"),
        (lambda llm: llm.config_widget(3), "the file is 3: give its path"),
        (lambda llm: llm.plot.cost(3), "ax is 3: give matplotlib's Axes, or nothing"),
        (lambda llm: llm.plot.cost(since="7d"), "no argument is called 'since'"),
    ],
)
def test_an_argument_of_the_wrong_kind_is_one_line_for_every_method(books, call, message):
    with pytest.raises(UsageError) as caught:
        call(Session(client(), ledger=books))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Session(3), "the client is 3: give UnifiedLLMClient(...)"),
        (lambda: Session(ledger="a.db"), "the ledger is 'a.db': give Ledger('books.db')"),
        (lambda: Budget(session_usd="x"), "session_usd is 'x': give US dollars such as"),
        (lambda: Budget(day_usd=-1), "day_usd is -1: give US dollars"),
        (lambda: Rate(requests="x"), "requests is 'x': give so many a minute"),
        (lambda: Weighted({"fast": "x"}), "the weight of 'fast' is 'x': give 0 or more"),
        (lambda: Weighted("fast"), "the weights is 'fast': give {'fast': 9, 'strong': 1}"),
        (lambda: OpenAIProvider(api_key=b"sk-1"), "api_key is bytes: give text"),
    ],
)
def test_a_part_made_of_the_wrong_kind_is_one_line(make, message):
    with pytest.raises(UsageError) as caught:
        make()
    assert message in str(caught.value)
    assert "sk-1" not in str(caught.value)


def test_dollars_may_be_written_as_a_float_and_keep_their_digits():
    assert Budget(session_usd=0.1).session_usd == Decimal("0.1")


def test_a_budget_that_is_set_later_is_looked_at_too(books):
    llm = Session(client(), ledger=books)
    llm.client.budget = 0.5
    with pytest.raises(UsageError, match=r"budget is 0\.5: give Budget"):
        llm("Hi", "scripted:echo")
    assert len(books.attempts_frame()) == 0


def test_how_long_ago_may_be_written_as_on_the_line(books):
    llm = Session(client(), ledger=books)
    llm("Hi", "scripted:echo")
    assert llm.metrics(since="7d").requests == llm.metrics(since=timedelta(days=7)).requests == 1
    assert llm.metrics(since=datetime.now(UTC) + timedelta(hours=1)).requests == 0


def test_a_chart_that_there_is_not_is_told_with_the_nearest(books):
    with pytest.raises(AttributeError, match="there is no chart 'cst'; did you mean 'cost'"):
        Session(client(), ledger=books).plot.cst  # noqa: B018 - the look-up is the act


def test_a_type_error_of_the_body_is_let_through_and_a_coroutine_function_stays_one():
    def body(prompt):
        return prompt + 1

    with pytest.raises(TypeError, match="concatenate"):
        fitting(body)("Hi")
    assert inspect.iscoroutinefunction(Session.acall)
