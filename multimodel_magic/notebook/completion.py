"""Completion of options, their values and names in `%llm` and `%%llm`, in every front end.

IPython's matcher API, version 2: JupyterLab shows what it offers; `set_hook` does not reach it.
No network: what is offered comes from a `Vocabulary` that knows it already.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from multimodel_magic.notebook.declaration import FORMATS, NEEDS, SUBCOMMANDS, actions
from multimodel_magic.types import BREAKS

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult

__all__ = ["Offer", "Vocabulary", "complete", "offer"]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names that exist here and now."""

    models: tuple[str, ...] = ()
    """Roles first, then aliases and `provider:model`."""
    strategies: tuple[str, ...] = ()
    experiments: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    namespace: Mapping[str, object] = field(default_factory=dict)
    """The user's variables."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What fits at the cursor, and the fragment before it that it replaces."""

    words: tuple[str, ...]
    fragment: str
    kind: str


_CELL = re.compile(r"\s*%%(?:llm|mm)(?![\w?])")
_LINE = re.compile(r"\s*(?:[^\W\d][\w.]*(?:\[[^\]\n]*\])?\s*=\s*)?%(?:llm|mm)(?=\s)")
_EXPRESSION = re.compile(r"\{\{(?!.*\}\})[^{}\n]*?(\|?)\s*([^\W\d]\w*)?$")
_QUOTED = re.compile(r"""(?<=[\s=])("(?:\\.|[^"\\])*"|'[^']*')(?=\s)""")
_INTO = re.compile(r"\s*[^\W\d]\w*\s*<<\s*")


class _Silence(list[Any]):
    """Completions that silence all other matchers, even where there are none.

    IPython heeds `suppress` only of a matcher that has completions, by their number: without
    this, prose in a cell's body would be completed with Python's names.
    """

    def __len__(self) -> int:
        return max(1, super().__len__())


def complete(
    context: CompletionContext, vocabulary: Callable[[], Vocabulary]
) -> SimpleMatcherResult:
    """Answer IPython's completer; nothing outside of our magics.

    Parameters
    ----------
    context
        IPython's: the text and where the cursor is.
    vocabulary
        Called only where something of it may be offered.
    """
    from IPython.core.completer import SimpleCompletion

    found = offer(context.full_text, context.cursor_line, context.cursor_position, vocabulary)
    if found is None:
        return {"completions": [], "suppress": False}
    return {
        "completions": _Silence(
            SimpleCompletion(text=word, type=found.kind) for word in found.words
        ),
        "matched_fragment": found.fragment,
        "suppress": True,  # neither Python names nor files belong here
        "ordered": True,
    }


def offer(
    text: str, line_number: int, column: int, vocabulary: Callable[[], Vocabulary]
) -> Offer | None:
    """Say what fits at a place of a cell; None outside of our magics."""
    lines = text.split("\n")
    first = next((n for n, line in enumerate(lines) if line.strip()), 0)
    before = lines[line_number][:column]
    if lines[first].lstrip().startswith("%%"):
        if not _CELL.match(lines[first]):
            return None
        if line_number != first:
            return _in_prompt(before, vocabulary) or Offer((), "", "text")
        match = _CELL.match(before)
        after = before[match.end() :] if match else ""
        return _in_options(after, vocabulary, cell=True) if after else None
    match = _LINE.match(before)
    return _in_options(before[match.end() :], vocabulary, cell=False) if match else None


# --- in the prompt


def _in_prompt(before: str, vocabulary: Callable[[], Vocabulary]) -> Offer | None:
    match = _EXPRESSION.search(before)
    if match is None:
        return None
    fragment = match[2] or ""
    if match[1]:
        from multimodel_magic.notebook.template import FILTERS

        return _fitting(sorted(FILTERS), fragment, "filter")
    return _fitting(_variables(vocabulary()), fragment, "variable")


def _variables(vocabulary: Vocabulary) -> list[str]:
    hidden = {"In", "Out", "exit", "quit", "get_ipython", "open"}
    return sorted(
        name
        for name, value in vocabulary.namespace.items()
        if not name.startswith("_")
        and name not in hidden
        and not isinstance(value, ModuleType | FunctionType | type)
    )


def _schemas(vocabulary: Vocabulary) -> list[str]:
    """List the variables that may say what an answer must be."""
    from multimodel_magic.schemas import is_schema

    named = vocabulary.namespace.items()
    return sorted(name for name, value in named if name[:1] != "_" and is_schema(value))


# --- among the options


def _in_options(before: str, vocabulary: Callable[[], Vocabulary], *, cell: bool) -> Offer | None:
    if into := _INTO.match(before) if cell else None:
        before = before[into.end() :]
    words = _QUOTED.sub("_", before).split()
    word = words.pop() if words and not before[-1:].isspace() else ""
    if "=" in word and word.startswith("-"):
        flag, _, word = word.partition("=")
        return _values(flag, word, vocabulary)
    pending = _pending(words, most=int(cell))
    if pending.flag:
        return _values(pending.flag, word, vocabulary)
    if pending.rest and not cell:
        return _in_prompt(before, vocabulary) or _argument(words, word, vocabulary)
    if word.startswith("-"):
        return _fitting(_unused(words), word, "option")
    if not cell:
        known = () if words else tuple(SUBCOMMANDS)
        return _in_prompt(before, vocabulary) or _fitting(known, word, "subcommand")
    models = () if pending.rest else vocabulary().models
    return _fitting((*models, *([] if word else _unused(words))), word, "model")


def _argument(words: list[str], word: str, vocabulary: Callable[[], Vocabulary]) -> Offer:
    """Offer what may follow a subcommand; nothing in a prompt."""
    known = SUBCOMMANDS.get(words[0])
    if known and word.startswith("-"):
        return _fitting((o for o in known.options if o not in words), word, "option")
    if words in (["export"], ["import"]):
        from multimodel_magic.notebook.attaching import files

        return Offer(tuple(files(word)), word, "path")
    if words == ["stats", "by"]:
        from multimodel_magic.metrics import GROUPS

        return _fitting(GROUPS, word, "value")
    if words == ["stats", "against"]:
        return _fitting((one for one in vocabulary().models if ":" in one), word, "model")
    return (
        _fitting(known.words, word, "value") if known and len(words) == 1 else Offer((), "", "text")
    )


@dataclass(frozen=True, slots=True)
class _Pending:
    flag: str
    """The option that still waits for its value, if any."""
    rest: tuple[str, ...]
    """The words that are no options."""


def _pending(words: Iterable[str], *, most: int) -> _Pending:
    """Say what the words wait for; `most`: so many that are no options may stand before one."""
    known = actions()
    flag, awaited = "", 0
    rest: list[str] = []
    for word in words:
        if awaited:
            awaited -= 1
        elif word in known and len(rest) <= most:
            flag, awaited = word, _how_many(known[word])
        elif not word.startswith("-"):
            rest.append(word)
    return _Pending(flag if awaited else "", tuple(rest))


def _how_many(action: argparse.Action) -> int:
    if action.nargs == "?":
        return 0
    return action.nargs if isinstance(action.nargs, int) else 1


def _unused(words: list[str]) -> list[str]:
    known = actions()
    used = {id(known[word]) for word in words if word in known}
    again = {id(known["-m"]), id(known["-o"]), id(known["-a"])}
    long = {flag: action for flag, action in known.items() if flag.startswith("--")}
    return [flag for flag, action in long.items() if id(action) not in used - again]


def _values(flag: str, word: str, vocabulary: Callable[[], Vocabulary]) -> Offer:
    action = actions().get(flag)
    if action is None:
        return Offer((), "", "value")
    if action.dest in ("models", "compare", "fallbacks", "needs"):
        word = word.rpartition(",")[2]
    if action.dest == "attach":
        from multimodel_magic.notebook.attaching import files

        named = [*_variables(vocabulary()), *files(word)]
        return Offer(tuple(name for name in named if name.startswith(word)), word, "path")
    return _fitting(_known_values(action.dest, vocabulary), word, "value")


def _known_values(option: str, vocabulary: Callable[[], Vocabulary]) -> Iterable[str]:
    if option == "format":
        return FORMATS
    if option == "needs":
        return NEEDS
    if option == "broken_stream":
        return BREAKS
    known = vocabulary()
    return {
        "models": known.models,
        "compare": (*known.models, *known.strategies),
        "fallbacks": known.models,
        "strategy": known.strategies,
        "experiment": known.experiments,
        "task": known.tasks,
        "user_tier": known.tiers,
        "task_value": known.values,
        "system": [f"@{name}" for name in _variables(known)],
        "schema": _schemas(known) if option == "schema" else (),
    }.get(option, ())


def _fitting(known: Iterable[str], fragment: str, kind: str) -> Offer:
    """Offer what begins with the fragment, then what only holds it (`haiku` in a long name)."""
    words = list(dict.fromkeys(known))
    begins = [word for word in words if word.startswith(fragment)]
    holds = [word for word in words if fragment in word and not word.startswith(fragment)]
    return Offer((*begins, *(holds if fragment.strip("-") else ())), fragment, kind)
