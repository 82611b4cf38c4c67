"""What a cell is worth that was answered, and how that is shown."""

from __future__ import annotations

import json
import sys

from multimodel_magic.errors import SchemaNotMet
from multimodel_magic.notebook.card import Format
from multimodel_magic.notebook.extension import LLMMagics
from multimodel_magic.notebook.options import Options
from multimodel_magic.notebook.safe_markdown import fences
from multimodel_magic.types import Response

__all__ = ["extracted", "format_of", "tell", "worth"]


def format_of(said: Options | LLMMagics) -> Format:
    """Return how an answer is shown: what must meet a schema as JSON, while it grows, too."""
    wanted: Format = said.format or "auto"  # type: ignore[assignment]  # the parser and traitlets check
    held = isinstance(said, Options) and said.schema is not None
    return "json" if held and wanted == "auto" else wanted


def worth(response: Response, options: Options) -> object:
    """Return the response, or with `-x` what it holds.

    Raises
    ------
    SchemaNotMet
        What it holds is not what the schema describes, and the line does not say `--soft`.
    """
    if not options.extract:
        return response
    if response.parsed is None:
        return extracted(response.text)
    try:
        return response.value
    except SchemaNotMet as error:
        if not options.soft:
            raise
        tell(error)
        return response


def extracted(text: str) -> object:
    r"""Return the first fenced block of an answer, parsed where it is JSON; else the text itself.

    Examples
    --------
    >>> extracted('So:\n```json\n{"a": 1}\n```\nDone.')
    {'a': 1}
    """
    inner = next((code for _, code in fences(text)), text.strip())
    try:
        return json.loads(inner)
    except (ValueError, RecursionError):  # a hostile answer nests deeper than the stack
        return inner.removesuffix("\n")


def tell(error: Exception) -> None:
    """Say in one line what went wrong in a cell that goes on."""
    print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201 - a notice
