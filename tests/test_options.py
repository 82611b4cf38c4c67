import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multimodel_magic.errors import UsageError
from multimodel_magic.notebook.options import (
    SUBCOMMANDS,
    Options,
    actions,
    manual,
    parse_cell,
    parse_line,
    prompt_of,
    request_from,
    system_of,
    with_defaults,
)
from multimodel_magic.types import Message


def said(options):
    """Only what differs from an empty line."""
    default = Options()
    return {
        field.name: value
        for field in dataclasses.fields(options)
        if (value := getattr(options, field.name)) != getattr(default, field.name)
    }


def complaint(parse, line):
    with pytest.raises(UsageError) as caught:
        parse(line)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", {}),
        ("fast", {"models": ("fast",)}),
        ("fast -s complexity", {"models": ("fast",), "strategy": "complexity"}),
        ("-m a,b --model=c first", {"models": ("first", "a", "b", "c")}),
        ("answer << fast", {"out": "answer", "models": ("fast",)}),
        ("answer <<", {"out": "answer"}),
        ("answer<<fast", {"out": "answer", "models": ("fast",)}),
        ("--fallback a, --out x", {"fallbacks": ("a",), "out": "x"}),
        ("--no-fallback", {"fallbacks": ()}),
        ("--timeout 2m --retries 0", {"timeout_s": 120.0, "retries": 0}),
        ("--timeout 500ms", {"timeout_s": 0.5}),
        ("--timeout 30", {"timeout_s": 30.0}),
        ("--needs vision,json", {"needs": frozenset({"vision", "json"})}),
        ('-S "be \\"brief\\""', {"system": 'be "brief"'}),
        ("-S 'a \"b\"' -x", {"system": 'a "b"', "extract": True}),
        ("-S=-strict", {"system": "-strict"}),
        (
            "-o temperature -0.5 -o stop '[\"a\"]'",
            {"options": {"temperature": -0.5, "stop": ["a"]}},
        ),
        ("-o user NaN -o n 1 -o n 2", {"options": {"user": "NaN", "n": 2}}),
        ("-c", {"thread": "main"}),
        ("--continue=plan", {"thread": "plan"}),
        ("-c fast", {"thread": "main", "models": ("fast",)}),
        ("--no-stream --quiet --soft", {"stream": False, "quiet": True, "soft": True}),
        ("-n -v --raw -f json", {"dry_run": True, "verbose": True, "raw": True, "format": "json"}),
        ("-h", {"subcommand": "help"}),
    ],
)
def test_a_cells_line_reads_as(line, expected):
    assert said(parse_cell(line)) == expected


@pytest.mark.parametrize(
    ("line", "prompt"),
    [
        ("what is this?", "what is this?"),
        ("what's up?", "what's up?"),
        ('"one line?"', "one line?"),
        ("'one line?'", "one line?"),
        ('"a" and "b"', '"a" and "b"'),
        ('say "hi', 'say "hi'),
        ("{'a': 1}  -m stays", "{'a': 1}  -m stays"),
        ("-- -5 degrees", "-5 degrees"),
        ("-- models", "models"),
        ("- an item", "- an item"),
        ("why is the sky blue?", "why is the sky blue?"),
        ("why 3 strikes?", "why 3 strikes?"),
        ("models of what?", "models of what?"),
        ("hello", "hello"),
        ("$x {x} {{x}}", "$x {x} {{x}}"),
    ],
)
def test_what_follows_the_options_is_the_prompt(line, prompt):
    assert said(parse_line(line)) == {"prompt": prompt}
    assert said(parse_line(f"-m fast {line}")) == {"prompt": prompt, "models": ("fast",)}


@given(st.text(min_size=1).map(str.strip).filter(lambda text: text and text[0] not in "-\"'"))
def test_a_prompt_arrives_as_typed(text):
    assert parse_line(f"-v {text}").prompt == text


@pytest.mark.parametrize(
    ("line", "subcommand", "arguments"),
    [
        ("", "status", ""),
        ("?", "help", ""),
        ("--help", "help", ""),
        ("models", "models", ""),
        (" why ", "why", ""),
        ("why 3", "why", "3"),
        ("why\t2", "why", "2"),
        ("config check", "config", "check"),
    ],
)
def test_a_subcommand_stands_alone(line, subcommand, arguments):
    options = parse_line(line)
    assert (options.subcommand, options.arguments) == (subcommand, arguments)
    assert options.prompt is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--modle x hi", "unknown option '--modle'; did you mean '--model'?"),
        ("--modle=x hi", "unknown option '--modle'; did you mean '--model'?"),
        ("-5 degrees", "put -- first"),
        ("-nv hi", "unknown option '-nv'"),
        ("-m", "-m needs M[,M]"),
        ("-m fast", "there is no prompt"),
        ("-o temperature", "-o needs KEY VALUE"),
        ("--raw=1 hi", "--raw takes no value"),
        ("-f jsn hi", "-f: 'jsn' is unknown; did you mean 'json'?"),
        ("--needs vison hi", "--needs: 'vison' is unknown; did you mean 'vision'?"),
        ("--timeout soon hi", "--timeout: 'soon' is no duration such as 30s"),
        ("--timeout 0 hi", "no duration"),
        ("--max-tokens 0 hi", "--max-tokens: '0' is no whole number from 1"),
        ("--retries -1 hi", "--retries: '-1' is no whole number from 0"),
        ("--out 1x hi", "no name of a variable"),
        ("--out class hi", "--out: 'class' is no name of a variable"),
        ('-S "open hi', "is not closed"),
        ("-s a -s b hi", "-s contradicts or repeats"),
        ("--fallback a --no-fallback hi", "--no-fallback contradicts or repeats"),
        ("modls", "'modls' is no subcommand; did you mean 'models'?"),
        ("local:smollm2 hi", "name it with -m: %llm -m local:smollm2 ..."),
        ("wyh", "'wyh' is no subcommand; did you mean 'why'?"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_nearest(line, message):
    assert message in complaint(parse_line, line)


def test_a_prompt_on_a_cells_line_is_refused():
    assert "the cell's body" in complaint(parse_cell, "fast what is this?")


def test_a_conversation_named_after_a_space_is_told_where_its_name_goes():
    told = complaint(parse_cell, "fast -c planning")
    assert told.endswith("the cell's body; a conversation's name: --continue=planning")


@given(st.text())
def test_any_line_parses_or_is_a_usage_error(text):
    for parse in (parse_cell, parse_line):
        try:
            assert isinstance(parse(text), Options)
        except UsageError as error:
            assert "\n" not in str(error)  # noqa: PT017 - a law over both outcomes


def test_the_manual_names_every_option_and_subcommand():
    text = manual()
    assert all(flag in text for flag in actions())
    assert all(f"\n  {name} " in text for name in SUBCOMMANDS)
    assert max(map(len, text.splitlines())) <= 100


def test_system_takes_a_variable():
    assert system_of(parse_cell("-S @rules"), {"rules": "Be brief."}) == "Be brief."
    assert system_of(parse_cell("-S @@home"), {}) == "@home"
    assert system_of(parse_cell(""), {}) is None
    with pytest.raises(UsageError, match="no variable 'ruls'; did you mean 'rules'"):
        system_of(parse_cell("-S @ruls"), {"rules": "Be brief."})


def test_defaults_fill_only_what_was_left_unsaid():
    made = with_defaults(parse_cell("-f json"), strategy="cost", format="text", timeout_s=9.0)
    assert (made.strategy, made.format, made.timeout_s) == ("cost", "json", 9.0)
    assert with_defaults(parse_cell("fast"), strategy="cost").strategy is None
    assert with_defaults(parse_cell("-s task"), models=("m",)).models == ()
    assert with_defaults(parse_cell(""), models=("m",)).models == ("m",)


def test_a_request_holds_what_was_said():
    line = "a -s b --fallback c --task t --tier u --value v --needs json --unit w --experiment e"
    options = parse_cell(f"{line} --retries 2 --timeout 3s --max-tokens 4 -o k 5 --no-stream")
    turns = (Message("user", "before"),)
    request = request_from(options, "p", system="s", history=turns, labels={"cell": "1"})
    assert (request.prompt, request.system, request.history) == ("p", "s", turns)
    assert (request.models, request.strategy, request.fallbacks) == (("a",), "b", ("c",))
    assert (request.task, request.user_tier, request.task_value) == ("t", "u", "v")
    assert (request.needs, request.unit, request.experiment) == (frozenset({"json"}), "w", "e")
    assert (request.retries, request.timeout_s, request.max_tokens) == (2, 3.0, 4)
    assert (request.options, request.stream, request.labels) == ({"k": 5}, False, {"cell": "1"})


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("why -1", "'why -1' is no use of the subcommand 'why' ([N]); as a prompt: %llm -- why -1"),
        ("why 1 2", "no use of the subcommand 'why' ([N])"),
        ("LAST", "no use of the subcommand 'last' (no arguments); as a prompt: %llm -- LAST"),
        ("Why 2", "no use of the subcommand 'why'"),
        ("models fast", "no use of the subcommand 'models' (no arguments)"),
        ("config chek x.yml", "no use of the subcommand 'config' ([check|use|edit FILE])"),
        ("status report please", "no use of the subcommand 'status'"),
        ("compare fast,strong Who are you really?", "%llm --compare fast,strong ..."),
    ],
)
def test_a_subcommand_with_odd_arguments_is_no_paid_prompt(line, message):
    assert message in complaint(parse_line, line)


@pytest.mark.parametrize(
    "line",
    [
        "why is the sky blue?",
        "why not?",
        "help me write a haiku about rain",
        "history of Rome in one line",
        "models of the solar system, explained",
        "export controls: what are they?",
        "compare apples and pears",
        "compare apples, pears and plums by their sugar",
        "Hello",
    ],
)
def test_a_prompt_that_begins_like_a_subcommand_stays_a_prompt(line):
    assert said(parse_line(line)) == {"prompt": line}


def test_the_manual_says_what_the_subcommands_do():
    text = " ".join(manual().split())
    assert "request N, as history counts" in text
    assert "history this session's requests, numbered from 1" in text
    assert "question mark or more than three words" in text


def test_a_keyword_is_no_variable_to_keep_an_answer_in():
    assert "'class' is no name of a variable" in complaint(parse_cell, "class << fast")


def test_a_cell_loses_the_line_end_that_nobody_typed_and_no_other():
    assert prompt_of("a\r\nb\r\n") == "a\r\nb"
    assert prompt_of("a\n\n") == "a\n"
    assert prompt_of("a\r") == "a\r"


def test_a_default_list_of_models_may_have_spaces():
    assert with_defaults(parse_cell(""), models=("a", " b", " ")).models == ("a", "b")


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--temperature", "(what only the vendor knows: -o temperature VALUE)"),
        ("--seed", "-o seed VALUE"),
        ("--startegy", "did you mean '--strategy'?"),
        ("--maxtokens", "did you mean '--max-tokens'?"),
        ("-9", "put -- first"),
    ],
)
def test_an_option_that_there_is_not_names_the_right_way(flag, said):
    with pytest.raises(UsageError) as caught:
        parse_cell(f"{flag} 3")
    assert said in str(caught.value)
