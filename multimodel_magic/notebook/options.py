"""The line of a magic, parsed into a frozen `Options`; its declaration is also the manual.

Options stand at the front; in `%llm` the rest of the line is the prompt as it was typed. argparse
holds the declaration and writes the help, but does not read the line: it would take words of the
prompt for options, abbreviate, and exit.
"""

from __future__ import annotations

import argparse
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, NoReturn

from multimodel_magic.errors import UsageError, did_you_mean
from multimodel_magic.types import Message, Option, Request

__all__ = [
    "FORMATS",
    "NEEDS",
    "SUBCOMMANDS",
    "Options",
    "Subcommand",
    "actions",
    "manual",
    "parse_cell",
    "parse_line",
    "request_from",
    "system_of",
    "with_defaults",
]

FORMATS = ("auto", "markdown", "code", "json", "text")
NEEDS = ("json", "tools", "vision")
DEFAULT_THREAD = "main"


@dataclass(frozen=True, slots=True)
class Options:
    """What the user wrote on a magic's line; `None` where nothing was said."""

    prompt: str | None = None
    """The prompt of a line magic, as typed; None for a cell, whose prompt is its body."""
    subcommand: str | None = None
    """A key of `SUBCOMMANDS`; excludes all else."""
    arguments: str = ""
    """The words after the subcommand."""
    models: tuple[str, ...] = ()
    """In the order in which they are to be asked."""
    strategy: str | None = None
    fallbacks: tuple[str, ...] | None = None
    """`None`: as configured; empty: none at all (`--no-fallback`)."""
    task: str | None = None
    user_tier: str | None = None
    task_value: str | None = None
    needs: frozenset[str] = frozenset()
    unit: str | None = None
    experiment: str | None = None
    retries: int | None = None
    timeout_s: float | None = None
    max_tokens: int | None = None
    options: Mapping[str, Option] = field(default_factory=dict)
    """What goes to the vendor verbatim."""
    system: str | None = None
    """As typed: `@name` is looked up by `system_of`."""
    format: str | None = None
    """One of `FORMATS`."""
    extract: bool = False
    thread: str | None = None
    """The conversation that `-c` continues."""
    raw: bool = False
    out: str | None = None
    quiet: bool | None = None
    stream: bool | None = None
    dry_run: bool = False
    verbose: bool = False
    soft: bool = False


@dataclass(frozen=True, slots=True)
class Subcommand:
    """A word that `%llm` takes for a command of its own when it stands alone."""

    help: str
    arguments: str = ""
    """How its arguments are shown in the help."""
    accepts: str = ""
    """The pattern that its arguments must match whole; otherwise the line is a prompt."""


SUBCOMMANDS: dict[str, Subcommand] = {
    "status": Subcommand("what is configured and usable here (also `%llm` alone)"),
    "models": Subcommand("every model, role and alias, and which of them can answer here"),
    "why": Subcommand(
        "why the last answer (or the N-th last) came from where it did", "[N]", r"\d*"
    ),
    "last": Subcommand("the last response again"),
    "df": Subcommand("all requests as a DataFrame"),
    "attempts": Subcommand("all attempts, failed ones included, as a DataFrame"),
    "stats": Subcommand("success, latency and cost by model"),
    "history": Subcommand("the turns of the conversation that -c continues"),
    "reset": Subcommand("forget the conversations"),
    "doctor": Subcommand("check keys, servers and packages, and say what to do"),
    "help": Subcommand("this page"),
}
"""One line a subcommand; everything else, completion and help included, reads it here."""


# --- what an option's value may be


def _names(text: str) -> tuple[str, ...]:
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
    return frozenset(map(_one_of(NEEDS), _names(text)))


def _whole(least: int) -> Callable[[str], int]:
    def check(text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text) or int(text) < least:
            raise UsageError(f"{text!r} is no whole number from {least}")
        return int(text)

    return check


_UNITS_S = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def _seconds(text: str) -> float:
    """Read a duration: `30`, `30s`, `1.5m`, `500ms`, `1h`."""
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*([a-z]*)", text)
    if match is None or match[2] not in _UNITS_S or not float(match[1]):
        raise UsageError(f"{text!r} is no duration such as 30s, 500ms or 2m")
    seconds = float(match[1]) * _UNITS_S[match[2]]
    return seconds if math.isfinite(seconds) else _refuse(f"{text!r} is too long")


def _identifier(text: str) -> str:
    return text if text.isidentifier() else _refuse(f"{text!r} is no name of a variable")


def _thread(text: str) -> str:
    return text or _refuse("a thread needs a name")


def _json_or_text(text: str) -> Option:
    try:
        value: Option = json.loads(text, parse_constant=_refuse)  # NaN is no JSON: it is text
    except (ValueError, UsageError):
        return text
    return value


def _refuse(message: str) -> NoReturn:
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
        add("-m", "--model", dest="models", metavar="M[,M]", type=_names, action="append",
            help="a model (provider:model), alias or role (fast, balanced, strong, vision); "
                 "several are asked in this order; in a cell the first word needs no -m"),
        add("-s", "--strategy", metavar="NAME", help="what chooses where no model is named"),
        add("--fallback", dest="fallbacks", metavar="M[,M]", type=_names,
            help="whom to ask next when a model fails"),
        add("--no-fallback", dest="fallbacks", action="store_const", const=(),
            help="ask no other model when one fails"),
    ]  # fmt: skip


def _routing(group: argparse._ArgumentGroup) -> list[argparse.Action]:
    add = group.add_argument
    return [
        add("--task", metavar="T", help="the kind of task, such as code_generation"),
        add("--tier", dest="user_tier", metavar="T", help="the user's tier: free, premium, ..."),
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
        add("--timeout", dest="timeout_s", metavar="30s", type=_seconds,
            help="the deadline of the whole request: 30, 30s, 500ms, 2m"),
        add("--retries", metavar="N", type=_whole(0),
            help="how often the same model is asked again"),
    ]  # fmt: skip


def _answer(group: argparse._ArgumentGroup) -> list[argparse.Action]:
    add = group.add_argument
    return [
        add("-f", "--format", metavar="|".join(FORMATS), type=_one_of(FORMATS),
            help="how the answer is shown"),
        add("-x", "--extract", action="store_true",
            help="take the first code block or JSON out of the answer"),
        add("-c", "--continue", dest="thread", nargs="?", metavar="=THREAD", type=_thread,
            const=DEFAULT_THREAD,
            help="go on with the conversation (--continue=NAME: with that one)"),
        add("--out", metavar="NAME", type=_identifier,
            help="keep the response in this variable; in a cell also `NAME <<` in front"),
        add("--quiet", action="store_true", help="show nothing; the response is the result"),
        add("--no-stream", dest="stream", action="store_false",
            help="show the answer once, when it is whole"),
        add("--soft", action="store_true", help="a failure is shown, but Run All goes on"),
    ]  # fmt: skip


def _other(group: argparse._ArgumentGroup) -> list[argparse.Action]:
    add = group.add_argument
    return [
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


# --- reading a line

_OPTION = re.compile(r"--?[^\W\d][\w-]*(?=[=\s]|$)")
_WORD = re.compile(r"""("(?:\\.|[^"\\])*"|'[^']*')(?=\s|$)|\S+""", re.DOTALL)
_INTO = re.compile(r"\s*([^\W\d]\w*)\s*<<(?=\s|$)\s*")

_Values = dict[str, Any]
"""Read values by field of `Options`."""


def parse_cell(line: str) -> Options:
    """Parse the line of `%%llm`.

    Raises
    ------
    UsageError
        In one line, with the nearest option, word or value.

    Examples
    --------
    >>> parse_cell("answer << fast --max-tokens 20").models
    ('fast',)
    """
    values: _Values = {}
    if into := _INTO.match(line):
        values["out"], line = into[1], line[into.end() :]
    words = _read_options(line, values, positional=True).split()
    if words:
        _refuse(f"unexpected {words[0]!r}: the prompt of a cell magic is the cell's body")
    return _options(values)


def parse_line(line: str) -> Options:
    """Parse the line of `%llm`: a subcommand, or options and then the prompt as typed.

    Raises
    ------
    UsageError
        In one line, with the nearest option or subcommand.

    Examples
    --------
    >>> parse_line("-m fast what's this?").prompt
    "what's this?"
    >>> parse_line("why 2").subcommand
    'why'
    """
    if subcommand := _subcommand(line.strip()):
        return subcommand
    values: _Values = {}
    rest = _read_options(line, values, positional=False)
    options = _options(values)
    if options.subcommand is not None:
        return options
    if not rest.strip():
        _refuse("there is no prompt: %llm [options] prompt")
    return replace(options, prompt=_unquoted_whole(rest.strip()))


def _subcommand(line: str) -> Options | None:
    name, _, arguments = line.partition(" ")
    if line in ("", "?"):
        return Options(subcommand="status" if not line else "help")
    known = SUBCOMMANDS.get(name)
    if known is not None and re.fullmatch(known.accepts, arguments.strip()):
        return Options(subcommand=name, arguments=arguments.strip())
    # Nearer than did_you_mean asks: "hello" is a prompt, not a misspelt "help".
    near = get_close_matches(line, SUBCOMMANDS, n=1, cutoff=0.8) if line.isalpha() else []
    if near and line not in SUBCOMMANDS:
        _refuse(
            f"{line!r} is no subcommand; did you mean {near[0]!r}? (as a prompt: %llm -- {line})"
        )
    return None


def _read_options(text: str, values: _Values, *, positional: bool) -> str:
    """Read options off the front of `text` into `values`; return what follows them."""
    while True:
        text = text.lstrip()
        if not text.startswith("-") or text.split(None, 1)[0] == "-":
            if not text or not positional or "positional" in values:
                return text
            values["positional"], text = _word(text)
            continue
        if text.split(None, 1)[0] == "--":
            return text[2:].lstrip()
        text = _read_option(text, values)


def _read_option(text: str, values: _Values) -> str:
    known = actions()
    match = _OPTION.match(text)
    flag = match[0] if match else re.split(r"[=\s]", text, maxsplit=1)[0]
    if match is None or flag not in known:
        near = (
            did_you_mean(flag, known, most=1) or " (a prompt that begins with a dash: put -- first)"
        )
        _refuse(f"unknown option {flag!r}{near}")
    action, rest = known[flag], text[match.end() :]
    words, rest = _values_of(action, flag, rest)
    _set(action, flag, words, values)
    return rest


def _values_of(action: argparse.Action, flag: str, rest: str) -> tuple[list[str], str]:
    glued = rest.startswith("=")
    if action.nargs in (0, "?") and not glued:
        return [], rest
    if action.nargs == 0:
        _refuse(f"{flag} takes no value")
    words: list[str] = []
    rest = rest.removeprefix("=") if glued else rest.lstrip()
    for _ in range(action.nargs if isinstance(action.nargs, int) else 1):
        rest = rest if glued and not words else rest.lstrip()
        if not rest or rest[0].isspace():
            _refuse(f"{flag} needs {_shape(action)}")
        word, rest = _word(rest)
        words.append(word)
    return words, rest


def _shape(action: argparse.Action) -> str:
    return " ".join(action.metavar) if isinstance(action.metavar, tuple) else str(action.metavar)


def _word(text: str) -> tuple[str, str]:
    """Split the first word off, its quotes removed."""
    match = _WORD.match(text)
    if match is None:
        _refuse("a word is missing")
    rest = text[match.end() :]
    if match[1] is None and text[0] in "\"'":
        _refuse(f"the quote of {match[0]!r} is not closed before a space")
    return (_unquote(match[1]) if match[1] else match[0]), rest


def _unquote(word: str) -> str:
    inside = word[1:-1]
    return re.sub(r'\\(["\\])', r"\1", inside) if word[0] == '"' else inside


def _unquoted_whole(text: str) -> str:
    """Drop the quotes of a prompt that is one quoted word; any other prompt stays as typed."""
    match = _WORD.fullmatch(text)
    return _unquote(text) if match and match[1] else text


def _set(action: argparse.Action, flag: str, words: list[str], values: _Values) -> None:
    name = action.dest
    if name in values and name not in ("models", "options"):
        _refuse(f"{flag} contradicts or repeats an option before it")
    try:
        _put(action, words, values)
    except UsageError as error:
        raise UsageError(f"{flag}: {error}") from None


def _put(action: argparse.Action, words: list[str], values: _Values) -> None:
    name = action.dest
    if name == "options":
        values.setdefault(name, {})[words[0]] = _json_or_text(words[1])
    elif name == "models":
        values[name] = (*values.get(name, ()), *_names(words[0]))
    elif words:
        values[name] = action.type(words[0]) if callable(action.type) else words[0]
    else:
        values[name] = action.const


def _options(values: _Values) -> Options:
    if named := values.pop("positional", None):
        values["models"] = (*_names(named), *values.get("models", ()))
    return Options(**values)


# --- from options to a request


def system_of(options: Options, namespace: Mapping[str, object]) -> str | None:
    """Return the standing instruction, `@name` replaced by the variable's text.

    Raises
    ------
    UsageError
        Where there is no such variable (with the nearest).
    """
    said = options.system
    if said is None or not said.startswith("@"):
        return said
    name = said[1:]
    if name.startswith("@"):
        return name
    if name not in namespace:
        near = did_you_mean(name, (word for word in namespace if word[:1] != "_"), most=1)
        _refuse(f"--system: there is no variable {name!r}{near} (@@ begins a literal @)")
    return str(namespace[name])


def with_defaults(
    options: Options,
    *,
    strategy: str | None = None,
    models: tuple[str, ...] = (),
    format: str | None = None,  # noqa: A002 - the option's own name
    stream: bool | None = None,
    timeout_s: float | None = None,
    max_tokens: int | None = None,
) -> Options:
    """Fill in what the user left unsaid; a default model only where no strategy was named."""
    chosen = bool(options.models or options.strategy)
    return replace(
        options,
        strategy=options.strategy if chosen else strategy,
        models=options.models if chosen or strategy else models,
        format=options.format or format,
        stream=stream if options.stream is None else options.stream,
        timeout_s=timeout_s if options.timeout_s is None else options.timeout_s,
        max_tokens=max_tokens if options.max_tokens is None else options.max_tokens,
    )


def request_from(
    options: Options,
    prompt: str,
    *,
    system: str | None = None,
    history: tuple[Message, ...] = (),
    labels: Mapping[str, str] | None = None,
) -> Request:
    """Build the request that the options and the finished prompt describe."""
    return Request(
        prompt=prompt,
        system=system,
        history=history,
        models=options.models,
        strategy=options.strategy,
        fallbacks=options.fallbacks,
        task=options.task,
        user_tier=options.user_tier,
        task_value=options.task_value,
        needs=options.needs,
        unit=options.unit,
        experiment=options.experiment,
        max_tokens=options.max_tokens,
        options=options.options,
        stream=options.stream is not False,
        timeout_s=options.timeout_s,
        retries=options.retries,
        labels=labels or {},
    )
