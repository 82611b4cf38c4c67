import os

import pytest

from multimodel_magic.notebook.completion import Vocabulary, offer
from multimodel_magic.notebook.declaration import CHARTS

WORDS = Vocabulary(
    models=("fast", "strong", "anthropic:claude-haiku-5"),
    strategies=("complexity", "cost"),
    namespace={"df": 1, "rules": "r", "_1": 1, "os": os, "In": [], "run": lambda: 1},
)


def offered(text, *, words=WORDS):
    """What is offered where `▮` stands."""
    at = text.index("▮")
    before = text[:at]
    lines = before.split("\n")
    return offer(text.replace("▮", ""), len(lines) - 1, len(lines[-1]), lambda: words)


def first_words(text):
    return list(offered(text).words)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%%llm -s ▮", ["complexity", "cost"]),
        ("%%llm --strategy=c▮", ["complexity", "cost"]),
        ("%%llm --strategy co▮\nbody", ["complexity", "cost"]),
        ("%%mm f▮", ["fast"]),
        ("%%llm answer << f▮", ["fast"]),
        ("%%llm -m haiku▮", ["anthropic:claude-haiku-5"]),
        ("%%llm -m fast,st▮", ["strong", "fast"]),
        ("%%llm --fallback an▮", ["anthropic:claude-haiku-5"]),
        ("%%llm -f j▮", ["json"]),
        ("%%llm --needs vision,▮", ["json", "tools", "vision"]),
        ("%%llm -S ▮", ["@df", "@rules"]),
        ("%%llm -S @r▮", ["@rules"]),
        ('%%llm -S "be brief" -s cos▮', ["cost"]),
        ("%%llm --no-s▮", ["--no-stream"]),
        ("%%llm -x --ext▮", []),
        ("%%llm -m fast --mod▮", ["--model"]),
        ("%llm wh▮", ["why"]),
        ("x = %llm --dry▮", ["--dry-run"]),
        ("a = 1\n%llm -s com▮", ["complexity"]),
        ("%%llm\nUse {{ru▮", ["rules"]),
        ("%%llm\nUse {{▮", ["df", "rules"]),
        ("%%llm\n{{rules}} and {{ df | he▮", ["head"]),
        ("%llm sum up {{d▮", ["df"]),
        ("%llm what is di▮", []),
        ("%llm plot ▮", list(CHARTS)),
        ("c = %llm plot la▮", ["latency"]),
        ("%llm plot bud▮", ["budget"]),
        ("%llm plot cost --s▮", ["--since", "--session"]),
        ("%llm plot cost --all --▮", ["--since", "--session"]),
        ("%llm stats r▮", ["routing"]),
        ("%llm stats by us▮", ["user_tier"]),
        ("%llm stats against hai▮", ["anthropic:claude-haiku-5"]),
        ("%llm stats by task --a▮", ["--all"]),
        ("%llm import CHANGE▮", ["CHANGELOG.md"]),
        ("%llm export tests/test_comple▮", ["tests/test_completion.py"]),
        ("%llm plot cost of▮", []),
        ("%%llm\nplain prose is▮", []),
        ("%%llm --timeout ▮", []),
        ("%%llm --nonsense=▮", []),
    ],
)
def test_what_fits_is_offered(text, expected):
    assert first_words(text) == expected


def test_a_cells_first_word_may_be_a_model_or_an_option():
    words = first_words("%%llm ▮")
    assert words[:3] == list(WORDS.models)
    assert {"--model", "--strategy", "--help"} <= set(words)


@pytest.mark.parametrize(
    "text", ["imp▮", "%time ll▮", "%%time\n%llm▮x", "%llmx ▮", "%ll▮", "%%llm▮", "x = ▮"]
)
def test_outside_of_the_magics_nothing_is_said(text):
    assert offered(text) is None


def test_the_vocabulary_is_left_alone_where_options_are_completed():
    def unwanted():
        raise AssertionError

    found = offer("%%llm --no-st", 0, 13, unwanted)
    assert found is not None
    assert (found.words, found.fragment) == (("--no-stream",), "--no-st")


def test_the_charts_that_are_offered_are_those_that_there_are():
    from multimodel_magic.notebook.charts import KINDS

    assert (*KINDS, "budget") == CHARTS
