"""Run All twice, in two kernels: the second time nobody is asked."""

import pytest

from .conftest import started, stopped

CELLS = (
    "import multimodel_magic\n%load_ext multimodel_magic",
    "%config LLMMagics.cache = 'on'",
    """
from decimal import Decimal
from multimodel_magic import llm
from multimodel_magic.types import Price
llm.client.price = lambda *_: Price(Decimal("0.25"), "override")
""",
    "%%llm one << scripted:echo\nfirst question",
    "%%llm two << scripted:echo\nsecond question",
    "x = %llm -m scripted:echo 'a third?'",
    "%llm cache",
)


def _run_all(env):
    kernel = started(env)
    try:
        ran = [kernel.run(cell) for cell in CELLS]
        assert [one.status for one in ran] == ["ok"] * len(CELLS)
        spent = kernel.value("float(llm.metrics().cost_usd)")
        cached = kernel.value("llm.df['cached'].tolist()")
        fresh = kernel.run("%%llm scripted:echo --fresh\nfirst question")
    finally:
        stopped(kernel)
    return ran, spent, cached, fresh


@pytest.fixture(scope="module")
def runs(bare_environment, tmp_path_factory):
    ledger = tmp_path_factory.mktemp("cache") / "ledger.db"
    env = bare_environment | {"MULTIMODEL_LEDGER": str(ledger)}
    return _run_all(env), _run_all(env)


def test_run_all_twice_costs_nothing_the_second_time(runs):
    (_, first, cached_first, _), (_, second, cached_second, _) = runs
    assert (first, cached_first) == (0.75, [False] * 3)
    assert (second, cached_second) == (0, [True] * 3)


def test_the_receipt_says_cached_and_the_text_is_the_same(runs):
    (first, *_), (second, *_) = runs
    for cell in (3, 4, 5):
        assert "cached" not in first[cell].text
        assert " · $0 · cached" in second[cell].text
        assert first[cell].text.splitlines()[0] == second[cell].text.splitlines()[0]


def test_the_status_of_the_cache_says_what_was_saved(runs):
    _, (second, *_) = runs
    assert "about $0.75" in second[-1].text
    assert "ledger.answers.db" in second[-1].text


def test_asked_afresh_the_model_answers_and_it_costs(runs):
    _, (*_, fresh) = runs
    assert "cached" not in fresh.text
    assert "$0.25" in fresh.text
