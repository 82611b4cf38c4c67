"""What the magics' options and subcommands are: the declaration, which is also the manual.

argparse holds it and writes the help; `options` reads the line.
"""

from __future__ import annotations

import argparse
import json
import keyword
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import NoReturn

from multimodel_magic.errors import UsageError, did_you_mean
from multimodel_magic.notebook import FORMATS
from multimodel_magic.types import BREAKS, MAIN_THREAD, NEEDS, Option

__all__ = [
    "CHARTS",
    "FORMATS",
    "NEEDS",
    "SCOPE",
    "SUBCOMMANDS",
    "Subcommand",
    "actions",
    "dollars",
    "identifier",
    "json_or_text",
    "manual",
    "names_in",
    "refuse",
]

MOST_WORDS = 3
"""A line that begins like a subcommand is refused up to so many words; longer ones are prompts."""


@dataclass(frozen=True, slots=True)
class Subcommand:
    """A word that `%llm` takes for a command of its own when it stands alone."""

    help: str
    arguments: str = ""
    """How its arguments are shown in the help."""
    accepts: str = ""
    """The pattern that its arguments must match whole; otherwise the line is a prompt."""
    words: tuple[str, ...] = ()
    """What its first argument may be, for completion."""
    options: tuple[str, ...] = ()
    """What may stand behind that."""


_ONE_SCOPE = r"--\w+(\s+[^\s-]\S*)?"
_SCOPE = rf"(\s+{_ONE_SCOPE})*"
"""The options that say which requests are meant (`notebook.files`)."""

SCOPE = ("--since", "--all", "--session")
"""What `_SCOPE` is made of."""

_FILE = r"(\S*[./\\]\S*|\"[^\"]+\"|'[^']+')"
"""A file's name: a word with a dot or a slash in it, or in quotes; else the line is a prompt."""

CHARTS = ("cost", "latency", "tradeoff", "fallbacks", "tokens", "complexity", "budget")
"""The kinds of `%llm plot` (`notebook.charts`), said here so that nothing draws to name them."""

SUBCOMMANDS: dict[str, Subcommand] = {
    "status": Subcommand("what is configured and usable here (also `%llm` alone)"),
    "models": Subcommand("every model, role and alias, and which of them can answer here"),
    "why": Subcommand(
        "why the last answer (or request N, as history counts) came about",
        "[N]",
        r"\d*",
    ),
    "last": Subcommand("the last response again"),
    "df": Subcommand(
        "this session's requests as a DataFrame; --all sessions",
        "[--since 7d]",
        rf"({_ONE_SCOPE})?" + _SCOPE,
        options=SCOPE,
    ),
    "attempts": Subcommand(
        "this session's attempts as a DataFrame, failed ones included",
        "[--since 7d]",
        rf"({_ONE_SCOPE})?" + _SCOPE,
        options=SCOPE,
    ),
    "stats": Subcommand(
        "success, latency, cost, quality; routing; savings `against p:m`",
        "[by GROUP|routing]",
        rf"(by\s+\w+|routing|against\s+\S+:\S+|{_ONE_SCOPE})?" + _SCOPE,
        ("by", "routing", "against"),
        SCOPE,
    ),
    "plot": Subcommand(
        "/".join(CHARTS),
        "KIND [--since 7d]",
        r"|[\w-]+" + _SCOPE,
        CHARTS,
        SCOPE,
    ),
    "export": Subcommand(
        "requests and attempts into .parquet, .csv or .jsonl; --all sessions",
        "FILE [--since 7d]",
        _FILE + _SCOPE,
        options=SCOPE,
    ),
    "import": Subcommand("what was exported into a file, added to the ledger", "FILE", _FILE),
    "ab": Subcommand("an experiment's arms, with intervals", "[NAME]", r"|[\w.-]+"),
    "vote": Subcommand(
        "the better answer of the last comparison: tie, bad, a place from 1",
        "left|right|tie|bad|N",
        r"\S+",
        ("left", "right", "tie", "bad"),
    ),
    "judge": Subcommand("have a model judge the last comparison, in both orders", "[M]", r"\S*"),
    "ratings": Subcommand(
        "contestants rated by votes; judge M|all; here: of this session",
        "[by model] [judge M]",
        r"(by\s+(name|model)\b)?\s*(judge\s+\S+)?\s*(here)?",
        ("by", "judge", "here"),
    ),
    "compare": Subcommand("the last comparison again, with where its answers agree and differ"),
    "budget": Subcommand(
        "what may be spent, and what was", "[[SPAN] $N|off]", r"|off|(\S+\s+)?\$?[\d.]+"
    ),
    "cache": Subcommand(
        "answers that were kept, and what they saved", "[on|off|auto|clear]", r"|on|off|auto|clear"
    ),
    "chaos": Subcommand("rehearse faults", "[NAME=SPEC|off]", r"|off|[^=\s]+=\S+(\s+[^=\s]+=\S+)*"),
    "config": Subcommand(
        "the routing configuration: shown, checked, used, edited",
        "[check|use|edit FILE]",
        r"|show|check(\s+\S.*)?|use\s+\S.*|edit(\s+\S.*)?",
    ),
    "playground": Subcommand("a box that explains a prompt as it is typed"),
    "dashboard": Subcommand("a live card of this session"),
    "history": Subcommand("this session's requests, numbered from 1 for `why N`"),
    "replay": Subcommand(
        "what another strategy would choose; --since 7d, --named, --call",
        "[STRATEGY|FILE]",
        rf"|([\w-]+|{_FILE})?" + _SCOPE,
    ),
    "reset": Subcommand("forget conversations, history, refused keys; the ledger stays"),
    "doctor": Subcommand("check keys, servers and packages, and say what to do"),
    "help": Subcommand("this page"),
}
"""One line a subcommand; everything else, completion and help included, reads it here."""


# --- what an option's value may be


def names_in(text: str) -> tuple[str, ...]:
    """Split a list at its commas; `UsageError` where it is empty."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise UsageError(f"{text!r} names nothing")
    return names


def _one_of(known: tuple[str, ...]) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text not in known:
            near = did_you_mean(text, known, most=1) or f" (one of {', '.join(known)})"
            raise UsageError(f"{text!r} is unknown{near}")
        return text

    return check


def _needs(text: str) -> frozenset[str]:
    return frozenset(map(_one_of(NEEDS), names_in(text)))


def _whole(least: int) -> Callable[[str], int]:
    def check(text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text) or int(text) < least:
            raise UsageError(f"{text!r} is no whole number from {least}")
        return int(text)

    return check


_UNITS_S = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def _seconds(text: str) -> float:
    """Read a duration: `30`, `30s`, `1.5m`, `500ms`, `1h`."""
    match = re.fullmatch(r"(\d{1,9}(?:\.\d*)?|\.\d+)\s*([a-z]*)", text)
    if match is None or match[2] not in _UNITS_S or not float(match[1]):
        raise UsageError(f"{text!r} is no duration such as 30s, 500ms or 2m")
    return float(match[1]) * _UNITS_S[match[2]]


_AMOUNT = re.compile(r"\$?(\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})")


def dollars(text: str) -> Decimal:
    """Read an amount of US dollars: `0.05`, `$0.05`; `UsageError` where it is none."""
    found = _AMOUNT.fullmatch(text)
    if found is None:
        refuse(f"{text!r} is no amount such as 0.05 or $0.05 (US dollars)")
    return Decimal(found[1])


def identifier(text: str) -> str:
    """Read the name of a variable; `UsageError` where Python would not take it."""
    if not text.isidentifier() or keyword.iskeyword(text):
        refuse(f"{text!r} is no name of a variable")
    return text


def _variable(text: str) -> str:
    return identifier(text.removeprefix("@"))


def _thread(text: str) -> str:
    return text or refuse("a thread needs a name")


def json_or_text(text: str) -> Option:
    """Read JSON, or take the text as it is where it is none."""
    try:
        value: Option = json.loads(text, parse_constant=refuse)  # NaN is no JSON: it is text
    except (ValueError, UsageError):
        return text
    return value


def refuse(message: str) -> NoReturn:
    """Raise `UsageError`, as an expression."""
    raise UsageError(message)


# --- the declaration


@dataclass(frozen=True, slots=True)
class _Declared:
    parser: argparse.ArgumentParser
    actions: Mapping[str, argparse.Action]
    """By flag: `-m` and `--model` both."""


@lru_cache(maxsize=1)
def _declared() -> _Declared:
    parser = argparse.ArgumentParser(
        "llm", usage=argparse.SUPPRESS, add_help=False, formatter_class=_page
    )
    found: dict[str, argparse.Action] = {}
    for title, declare in _GROUPS.items():
        group = parser.add_argument_group(title)
        for action in declare(group):
            found.update(dict.fromkeys(action.option_strings, action))
    return _Declared(parser, found)


def _page(prog: str) -> argparse.HelpFormatter:
    return argparse.HelpFormatter(prog, max_help_position=30, width=100)


def _whom(group: argparse._ArgumentGroup) -> list[argparse.Action]:
    add = group.add_argument
    return [
        add("-m", "--model", dest="models", metavar="M[,M]", type=names_in, action="append",
            help="a model (provider:model), alias or role (fast, balanced, strong, vision); "
                 "several are asked in this order; in a cell the first word needs no -m"),
        add("-s", "--strategy", metavar="NAME", help="what chooses where no model is named"),
        add("--compare", metavar="A,B[,C]", type=names_in,
            help="ask several at once, side by side: models, aliases, roles or strategies"),
        add("--blind", action="store_true",
            help="with --compare: shuffled, and unnamed until you have voted"),
        add("--fallback", dest="fallbacks", metavar="M[,M]", type=names_in,
            help="whom to ask next when a model fails"),
        add("--no-fallback", dest="fallbacks", action="store_const", const=(),
            help="ask no other model when one fails"),
    ]  # fmt: skip


def _routing(group: argparse._ArgumentGroup) -> list[argparse.Action]:
    add = group.add_argument
    return [
        add("--task", metavar="T", help="the kind of task, such as code_generation"),
        add("--tier", dest="user_tier", metavar="T", help="the user's tier: free, pro, enterprise"),
        add("--value", dest="task_value", metavar="V", help="the task's value: low, medium, high"),
        add("--needs", metavar="N[,N]", type=_needs,
            help=f"what the model must have: {', '.join(NEEDS)}"),
        add("--unit", metavar="ID", help="what an experiment randomises over (else the request)"),
        add("--experiment", metavar="NAME", help="the experiment to take part in"),
    ]  # fmt: skip


def _vendor(group: argparse._ArgumentGroup) -> list[argparse.Action]:
    add = group.add_argument
    return [
        add("-S", "--system", metavar="TEXT|@VAR",
            help="the standing instruction; @VAR takes it from a variable, @@ begins a literal @"),
        add("--max-tokens", metavar="N", type=_whole(1), help="the longest answer, in tokens"),
        add("-o", "--option", dest="options", nargs=2, metavar=("KEY", "VALUE"), action="append",
            help="goes to the vendor verbatim; VALUE is JSON, else text; repeatable"),
        add("-a", "--attach", dest="attach", metavar="PATH|VAR", action="append",
            help="a picture or a UTF-8 text file, or a variable with a path, bytes, an image or a "
                 "figure (@VAR where a file has that name too); repeatable"),
        add("--timeout", dest="timeout_s", metavar="30s", type=_seconds,
            help="the deadline of the whole request: 30, 30s, 500ms, 2m"),
        add("--retries", metavar="N", type=_whole(0),
            help="how often the same model is asked again"),
        add("--budget", dest="max_cost_usd", metavar="$0.05", type=dollars,
            help="what the request may cost in US dollars, all its attempts together"),
        add("--on-break", dest="broken_stream", metavar="|".join(BREAKS), type=_one_of(BREAKS),
            help="after a stream that broke in mid-answer: begin again with the next model, "
                 "keep what came, or fail"),
    ]  # fmt: skip


def _answer(group: argparse._ArgumentGroup) -> list[argparse.Action]:
    add = group.add_argument
    return [
        add("-f", "--format", metavar="|".join(FORMATS), type=_one_of(FORMATS),
            help="how the answer is shown"),
        add("-x", "--extract", action="store_true",
            help="take the first code block or JSON out of the answer; with --schema the object"),
        add("--schema", metavar="VAR", type=_variable,
            help="what the answer must be: a variable with a JSON Schema (a dict), a pydantic "
                 "model, a dataclass or a TypedDict; the response's value is such an object"),
        add("-c", "--continue", dest="thread", nargs="?", metavar="=THREAD", type=_thread,
            const=MAIN_THREAD,
            help="go on with the conversation (--continue=NAME: with that one)"),
        add("--out", metavar="NAME", type=identifier,
            help="keep the response in this variable; in a cell also `NAME <<` in front"),
        add("--quiet", action="store_true", help="show nothing; the response is the result"),
        add("--no-stream", dest="stream", action="store_false",
            help="show the answer once, when it is whole"),
        add("--soft", action="store_true", help="a failure is shown, but Run All goes on"),
    ]  # fmt: skip


def _other(group: argparse._ArgumentGroup) -> list[argparse.Action]:
    add = group.add_argument
    return [
        add("--cache", dest="cache", action="store_const", const="on",
            help="an answer of before will do, where the same was asked of the same model"),
        add("--no-cache", dest="cache", action="store_const", const="off",
            help="no answer of before, and this one is not kept"),
        add("--fresh", action="store_true",
            help="ask anew; the answer takes the place of the one that was kept"),
        add("--raw", action="store_true", help="leave {{ }} in the prompt alone"),
        add("-n", "--dry-run", action="store_true", help="route and estimate, ask nobody"),
        add("-v", "--verbose", action="store_true", help="show every attempt and reason"),
        add("-h", "--help", dest="subcommand", action="store_const", const="help",
            help="this page"),
        # `--` is read by the splitter; it is named in the manual's text.
    ]  # fmt: skip


_GROUPS: dict[str, Callable[[argparse._ArgumentGroup], list[argparse.Action]]] = {
    "whom to ask": _whom,
    "what routing looks at": _routing,
    "what the model gets": _vendor,
    "the answer": _answer,
    "otherwise": _other,
}

_MANUAL = """\
Answer the cell, or the rest of the line, with a language model; the value is the response.

    %%llm [MODEL|ROLE] [options]        the cell's body is the prompt
    %%llm NAME << [options]             the same, kept in the variable NAME
    %llm [options] prompt               options first; the rest is the prompt as typed
    x = %llm -m fast "one line?"        quotes around the whole prompt are optional
    %llm -- models                      `--` ends the options: what follows is the prompt
    %llm SUBCOMMAND                     see below; a subcommand stands alone

A line that begins with a subcommand but does not fit it is a prompt if it has a question mark or
more than three words, and is refused if not: it is more likely a slip. `--` makes it a prompt.

{{name}} and {{df | head}} in the prompt are replaced by the variable's value, once; nothing else
is. %mm and %%mm are the same magic. Defaults: %config LLMMagics
"""


def manual() -> str:
    """Write the manual: what `%%llm?` and `%llm help` show."""
    words = [(f"{name} {sub.arguments}".strip(), sub.help) for name, sub in SUBCOMMANDS.items()]
    wide = max(len(word) for word, _ in words) + 2
    subcommands = "\n".join(f"  {word:<{wide}}{text}" for word, text in words)
    return f"{_MANUAL}\n{_declared().parser.format_help()}\nsubcommands:\n{subcommands}\n"


def actions() -> Mapping[str, argparse.Action]:
    """Return every option's declaration by flag, for completion."""
    return _declared().actions
