"""The line of a magic, parsed into a frozen `Options`.

Options stand at the front; in `%llm` the rest of the line is the prompt as it was typed. The
declaration is argparse's, but argparse does not read the line: it would take words of the prompt
for options, abbreviate, and exit.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, Literal

from multimodel_magic.errors import UsageError, did_you_mean
from multimodel_magic.notebook.declaration import (
    MOST_WORDS,
    SUBCOMMANDS,
    actions,
    identifier,
    json_or_text,
    manual,
    names_in,
    refuse,
)
from multimodel_magic.plugins import provider_names
from multimodel_magic.types import Attachment, Message, Option, Request, Schema

__all__ = [
    "SUBCOMMANDS",
    "Options",
    "actions",
    "manual",
    "parse_cell",
    "parse_line",
    "prompt_of",
    "request_from",
    "system_of",
    "with_defaults",
]


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
    compare: tuple[str, ...] = ()
    """Who answers side by side, in the order named; empty: one answer."""
    blind: bool = False
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
    max_cost_usd: Decimal | None = None
    broken_stream: Literal["restart", "keep", "fail"] | None = None
    attach: tuple[str, ...] = ()
    """Files and variables as typed: `attaching.chosen` reads them."""
    options: Mapping[str, Option] = field(default_factory=dict)
    """What goes to the vendor verbatim."""
    system: str | None = None
    """As typed: `@name` is looked up by `system_of`."""
    format: str | None = None
    """One of `declaration.FORMATS`."""
    extract: bool = False
    schema: str | None = None
    """The variable that says what the answer must be: `attaching.schema_in` reads it."""
    thread: str | None = None
    """The conversation that `-c` continues."""
    raw: bool = False
    out: str | None = None
    quiet: bool | None = None
    stream: bool | None = None
    dry_run: bool = False
    cache: Literal["on", "off"] | None = None
    """`--cache` and `--no-cache`; `None`: as configured."""
    fresh: bool = False
    verbose: bool = False
    soft: bool = False


# --- reading a line

_OPTION = re.compile(r"--?[^\W\d][\w-]*(?=[=\s]|$)")
_WORD = re.compile(r"""("(?:\\.|[^"\\])*"|'[^']*')(?=\s|$)|\S+""", re.DOTALL)
_INTO = re.compile(r"\s*([^\W\d]\w*)\s*<<\s*")

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
        values["out"], line = identifier(into[1]), line[into.end() :]
    words = _read_options(line, values, positional=True).split()
    if words:
        meant = f"; a conversation's name: --continue={words[0]}" if "thread" in values else ""
        refuse(f"unexpected {words[0]!r}: the prompt of a cell magic is the cell's body{meant}")
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
        refuse("there is no prompt: %llm [options] prompt")
    return replace(options, prompt=_unquoted_whole(rest.strip()))


def _subcommand(line: str) -> Options | None:
    if line in ("", "?"):
        return Options(subcommand="status" if not line else "help")
    name, arguments = [*line.split(None, 1), ""][:2]
    known = SUBCOMMANDS.get(name)
    if known is not None and re.fullmatch(known.accepts, arguments):
        return Options(subcommand=name, arguments=arguments)
    _refuse_slip(line)
    _refuse_without_dashes(name, arguments, line)
    _refuse_unsaid_model(name, arguments, line)
    # Nearer than did_you_mean asks: "hello" is a prompt, not a misspelt "help".
    near = _nearest(line) if line.isalpha() else []
    if near and line not in SUBCOMMANDS:
        refuse(
            f"{line!r} is no subcommand; did you mean {near[0]!r}? (as a prompt: %llm -- {line})"
        )
    return None


def _nearest(word: str) -> list[str]:
    """List the subcommands that `word` is nearly; of a short one swapped letters are enough."""
    swapped = [name for name in SUBCOMMANDS if sorted(name) == sorted(word)]
    return swapped or get_close_matches(word, SUBCOMMANDS, n=1, cutoff=0.8)


def _refuse_slip(line: str) -> None:
    """Refuse what looks like a subcommand gone wrong: as a prompt it would cost money."""
    words = line.split()
    if "?" in line or len(words) > MOST_WORDS:
        return
    name, as_prompt = words[0].lower(), f"as a prompt: %llm -- {line}"
    if known := SUBCOMMANDS.get(name):
        takes = known.arguments or "no arguments"
        refuse(f"{line!r} is no use of the subcommand {name!r} ({takes}); {as_prompt}")


def _refuse_without_dashes(name: str, arguments: str, line: str) -> None:
    """Refuse `compare A,B ...`: it means the option of that name, and as a prompt it costs."""
    first, _, rest = arguments.partition(" ")
    if name == "compare" and rest.strip() and "," in first.strip(","):
        refuse(
            f"to compare, the option needs its dashes: %llm --compare {first} ..."
            f" (as a prompt: %llm -- {line[:40]} ...)"
        )


def _refuse_unsaid_model(name: str, arguments: str, line: str) -> None:
    """Refuse `PROVIDER:MODEL prompt`: only a cell magic takes the model so; here it is text."""
    provider, _, model = name.partition(":")
    if model and arguments.strip() and provider in provider_names():
        refuse(
            f"to ask that model, name it with -m: %llm -m {name} ..."
            f" (as a prompt: %llm -- {line[:40]} ...)"
        )


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


_DASHED = " (a prompt that begins with a dash: put -- first)"


def _read_option(text: str, values: _Values) -> str:
    known = actions()
    match = _OPTION.match(text)
    flag = match[0] if match else re.split(r"[=\s]", text, maxsplit=1)[0]
    if match is None or flag not in known:
        refuse(f"unknown option {flag!r}{_instead_of(flag)}")
    action, rest = known[flag], text[match.end() :]
    words, rest = _values_of(action, flag, rest)
    _set(action, flag, words, values)
    return rest


def _instead_of(flag: str) -> str:
    """Name the nearest option, else how the vendor's own are given, or how a prompt is."""
    near = did_you_mean(flag, actions(), most=1)
    name = re.fullmatch(r"--([a-z]\w{2,})", flag)
    if name is None or did_you_mean(flag, actions(), most=1, alike=0.8):
        return near or _DASHED
    return f"{near} (what only the vendor knows: -o {name[1]} VALUE)"


def _values_of(action: argparse.Action, flag: str, rest: str) -> tuple[list[str], str]:
    glued = rest.startswith("=")
    if action.nargs in (0, "?") and not glued:
        return [], rest
    if action.nargs == 0:
        refuse(f"{flag} takes no value")
    words: list[str] = []
    rest = rest.removeprefix("=") if glued else rest.lstrip()
    for _ in range(action.nargs if isinstance(action.nargs, int) else 1):
        rest = rest if glued and not words else rest.lstrip()
        if not rest or rest[0].isspace():
            refuse(f"{flag} needs {_shape(action)}")
        word, rest = _word(rest)
        words.append(word)
    return words, rest


def _shape(action: argparse.Action) -> str:
    return " ".join(action.metavar) if isinstance(action.metavar, tuple) else str(action.metavar)


def _word(text: str) -> tuple[str, str]:
    """Split the first word off, its quotes removed."""
    match = _WORD.match(text)
    if match is None:
        refuse("a word is missing")
    rest = text[match.end() :]
    if match[1] is None and text[0] in "\"'":
        refuse(f"the quote of {match[0]!r} is not closed before a space")
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
    if name in values and name not in ("attach", "models", "options"):
        refuse(f"{flag} contradicts or repeats an option before it")
    try:
        _put(action, words, values)
    except UsageError as error:
        raise UsageError(f"{flag}: {error}") from None


def _put(action: argparse.Action, words: list[str], values: _Values) -> None:
    name = action.dest
    if name == "options":
        values.setdefault(name, {})[words[0]] = json_or_text(words[1])
    elif name == "models":
        values[name] = (*values.get(name, ()), *names_in(words[0]))
    elif name == "attach":
        values[name] = (*values.get(name, ()), words[0])
    elif words:
        values[name] = action.type(words[0]) if callable(action.type) else words[0]
    else:
        values[name] = action.const


def _options(values: _Values) -> Options:
    if named := values.pop("positional", None):
        values["models"] = (*names_in(named), *values.get("models", ()))
    _check_comparison(values)
    return Options(**values)


_OF_ONE_ANSWER = {
    "models": "a model of its own",
    "strategy": "-s",
    "thread": "-c",
    "extract": "-x",
    "verbose": "-v",
}
"""What says something of one answer, and nothing of several side by side."""


def _check_comparison(values: _Values) -> None:
    if "compare" not in values:
        if "blind" in values:
            refuse("--blind hides who answers in a comparison: --compare A,B names them")
        return
    odd = next((said for name, said in _OF_ONE_ANSWER.items() if name in values), None)
    if odd is not None:
        refuse(f"--compare names who answers; it does not go together with {odd}")


# --- from options to a request


def prompt_of(body: str) -> str:
    r"""Return a cell's body without the line end that IPython adds and nobody typed.

    Examples
    --------
    >>> prompt_of("two\r\nlines\r\n")
    'two\r\nlines'
    """
    return body.removesuffix("\r\n" if body.endswith("\r\n") else "\n")


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
        refuse(f"--system: there is no variable {name!r}{near} (@@ begins a literal @)")
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
    stripped = tuple(filter(None, map(str.strip, models)))  # a setting may read "a, b"
    return replace(
        options,
        strategy=options.strategy if chosen else strategy,
        models=options.models if chosen or strategy else stripped,
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
    attachments: tuple[Attachment, ...] = (),
    schema: Schema | None = None,
    labels: Mapping[str, str] | None = None,
) -> Request:
    """Build the request that the options and the finished prompt describe."""
    return Request(
        prompt=prompt,
        system=system,
        history=history,
        attachments=attachments,
        schema=schema,
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
        max_cost_usd=options.max_cost_usd,
        broken_stream=options.broken_stream,
        cache=options.cache,
        fresh=options.fresh,
        labels=labels or {},
    )
