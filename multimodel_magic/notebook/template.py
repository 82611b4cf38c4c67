"""`{{ name }}` in a prompt: evaluated once, in a sandbox; every other byte passes as it is.

The pieces are found here and only their insides go to jinja2, so that `{% raw %}`, `{# #}`,
`$x$`, line ends and 200 kB pastes are never seen by it, and a value is never expanded again.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING

from multimodel_magic.errors import UsageError, did_you_mean
from multimodel_magic.notebook.reach import (
    MOST_ROWS,
    Value,
    is_array,
    is_frame,
    is_tabular,
    leads_out,
    look_through,
)

if TYPE_CHECKING:
    from multimodel_magic.notebook.sandbox import Sandbox

__all__ = ["FILTERS", "MOST_ROWS", "as_text", "interpolate"]

# On one line, with quotes and one level of braces inside. An opening that never closes, a closing
# without its opening and `{{1,2},{3,4}}` (C++) are text. Bounded, so that a hostile paste of
# openings cannot take quadratic time.
_PIECE = re.compile(
    r"""\{\{(
        (?: [^{}"'\n]
          | "(?:\\.|[^"\\\n]){0,1000}+"
          | '(?:\\.|[^'\\\n]){0,1000}+'
          | \{[^{}\n]{0,1000}+\}
        ){0,1000}?
    )\}\}""",
    re.VERBOSE,
)
_HINT = "(--raw turns interpolation off)"


def interpolate(text: str, namespace: Mapping[str, Value]) -> str:
    """Replace each `{{ expression }}` of `text` by its value in `namespace`, once.

    Parameters
    ----------
    text
        The prompt. An opening `{{` that does not close on its own line, and an empty `{{}}`,
        are text. `{{ "{{" }}` writes a literal one.
    namespace
        The names that expressions may use. Modules, `os.environ` and names that begin with two
        underscores stay out of reach; so do calls, except for methods that only look.

    Raises
    ------
    UsageError
        In one line: an undefined name (with the nearest), a syntax error, whatever the sandbox
        refuses, and an error of the expression itself.

    Examples
    --------
    >>> interpolate('{"a": 1} {{name}}', {"name": "{{secret}}"})
    '{"a": 1} {{secret}}'
    """
    if "{{" not in text:
        return text
    return _PIECE.sub(lambda piece: _expand(piece, namespace), text)


def _expand(piece: re.Match[str], namespace: Mapping[str, Value]) -> str:
    if not piece[1].strip():
        return piece[0]
    shown = piece[0] if len(piece[0]) <= 80 else piece[0][:76] + " ..."  # noqa: PLR2004 - a line
    return _evaluate(piece[1].strip(), shown, namespace)


def _evaluate(expression: str, shown: str, namespace: Mapping[str, Value]) -> str:
    from jinja2.exceptions import SecurityError, TemplateSyntaxError, UndefinedError

    try:
        known = _reachable(expression, namespace)
        result = _environment().compile_expression(expression, undefined_to_none=False)(**known)
        return as_text(result)
    except UsageError as error:
        raise UsageError(f"{shown}: {error} {_HINT}") from error
    except TemplateSyntaxError as error:
        raise UsageError(f"{shown}: {_syntax(error)} {_HINT}") from error
    except UndefinedError as error:
        raise UsageError(f"{_undefined(str(error), shown, namespace)} {_HINT}") from error
    except SecurityError as error:
        raise UsageError(f"{shown}: {error} {_HINT}") from error
    except Exception as error:  # an expression may fail in any way; it is one line all the same
        raise UsageError(f"{shown}: {type(error).__name__}: {error} {_HINT}") from error


def _reachable(expression: str, namespace: Mapping[str, Value]) -> dict[str, Value]:
    """Pick the names that the expression uses; refuse those that lead out of the sandbox."""
    from jinja2 import nodes
    from jinja2.parser import Parser

    tree = Parser(_environment(), expression, state="variable").parse_expression()
    if isinstance(tree, nodes.Concat) or tree.find(nodes.Concat):
        raise UsageError("~ joins nothing here; write {{a}}{{b}}")
    names = {tree.name} if isinstance(tree, nodes.Name) else set()
    names |= {node.name for node in tree.find_all(nodes.Name)}
    for name in names & {*namespace, "self"}:  # jinja2 gives `self` a meaning of its own
        if name == "self" or name.startswith("__") or leads_out(namespace[name]):
            raise UsageError(f"{name!r} is out of reach for a prompt; copy what you need of it")
    return {name: namespace[name] for name in names & namespace.keys()}


def _undefined(message: str, shown: str, namespace: Mapping[str, Value]) -> str:
    name = re.fullmatch(r"'(.+)' is undefined", message)
    if name is None:
        return f"{shown}: {message}"
    known = [word for word, value in namespace.items() if word[:1] != "_" and not leads_out(value)]
    nearest = did_you_mean(name[1], known, most=1)
    return f"undefined name {name[1]!r} in {shown}{nearest}"


def _syntax(error: Exception) -> str:
    unknown = re.match(r"No filter named '(.+?)'", str(error))
    if unknown is None:
        return f"syntax error: {error}"
    known = sorted(_environment().filters)
    ours = f"; there are {', '.join(FILTERS)} and jinja2's"
    return f"no filter {unknown[1]!r}{did_you_mean(unknown[1], known, most=1) or ours}"


@lru_cache(maxsize=1)
def _environment() -> Sandbox:
    from multimodel_magic.notebook.sandbox import sandbox

    return sandbox(FILTERS)


# --- how values read


def as_text(value: Value) -> str:
    """Write a value the way a model reads it; of a long table 60 rows and a line that says so.

    Raises
    ------
    UsageError
        For functions, classes, modules and the environment, which are nobody's prompt, and
        for whatever holds one of them.
    """
    if isinstance(value, str):
        return str(value)
    look_through(value, most_rows=MOST_ROWS)
    if is_frame(value):
        return _table(value)
    if is_array(value):
        return _array(value)
    return str(value)


def _table(frame: Value) -> str:
    import pandas as pd

    with pd.option_context("display.max_colwidth", None):
        shown = frame.head(MOST_ROWS).to_string()
    return str(shown) + _rows_left_out(len(frame))


def _array(array: Value) -> str:
    import numpy as np

    shown = array[:MOST_ROWS] if array.ndim else array
    text = np.array2string(shown, threshold=sys.maxsize, max_line_width=100)
    return text + _rows_left_out(len(array) if array.ndim else 0)


def _rows_left_out(rows: int) -> str:
    if rows <= MOST_ROWS:
        return ""
    return f"\n[{MOST_ROWS} of {rows:,} rows; head({rows}), csv or json shows all]"


# --- filters


def _head(value: Value, rows: int = 5) -> Value:
    """Keep the first rows of a table, lines of a text, items of anything else."""
    if is_frame(value):
        return value.head(rows)
    if isinstance(value, str):
        return "".join(value.splitlines(keepends=True)[:rows])
    return value[:rows] if is_array(value) else list(islice(value, rows))


def _tail(value: Value, rows: int = 5) -> Value:
    """Keep the last rows of a table, lines of a text, items of anything else."""
    if is_frame(value):
        return value.tail(rows)
    if isinstance(value, str):
        return "".join(value.splitlines(keepends=True)[-rows:])
    return value[-rows:] if is_array(value) else list(value)[-rows:]


def _frame_of(value: Value) -> Value:
    import pandas as pd

    if isinstance(value, pd.Series):
        return value.to_frame()
    return value if isinstance(value, pd.DataFrame) else pd.DataFrame(value)


def _has_labels(frame: Value) -> bool:
    import pandas as pd

    return not isinstance(frame.index, pd.RangeIndex)


def _csv(value: Value) -> str:
    """Write all rows as CSV, the index only where it has labels of its own."""
    frame = _frame_of(value)
    return str(frame.to_csv(index=_has_labels(frame), lineterminator="\n"))


def _json(value: Value) -> str:
    """Write JSON: a table as a list of records."""
    if is_frame(value):
        frame = _frame_of(value)
        frame = frame.reset_index() if _has_labels(frame) else frame
        return str(frame.to_json(orient="records", date_format="iso", force_ascii=False))
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: Value) -> Value:
    return value.tolist() if is_tabular(value) and hasattr(value, "tolist") else str(value)


def _markdown(value: Value) -> str:
    """Write a pipe table of all rows."""
    frame = _frame_of(value)
    frame = frame.reset_index() if _has_labels(frame) else frame
    lines = [list(frame.columns), ["---"] * len(frame.columns), *frame.itertuples(index=False)]
    return "\n".join("| " + " | ".join(map(_markdown_cell, line)) + " |" for line in lines)


def _markdown_cell(value: Value) -> str:
    return " ".join(str(value).replace("|", r"\|").split())


FILTERS: dict[str, Callable[..., Value]] = {
    "csv": _csv,
    "head": _head,
    "json": _json,
    "markdown": _markdown,
    "tail": _tail,
    "text": as_text,
}
"""Our own filters; jinja2's `trim`, `join`, `round`, ... are there too."""
