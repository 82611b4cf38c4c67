"""What no option may replace, whoever is asked."""

from __future__ import annotations

from multimodel_magic.errors import UsageError
from multimodel_magic.types import Request

__all__ = ["refuse_owned"]

OWNED = frozenset({"input", "instructions", "messages", "model", "prompt", "stream", "system"})
"""Another model would be billed at the wrong price, another prompt is not the one recorded."""


FORMATS = frozenset({"format", "grammar", "json_schema", "response_format"})
"""What says what an answer is, as a request's schema does."""
HOLD_A_FORMAT = frozenset({"output_config", "text"})
"""What may say other things beside it."""


def refuse_owned(provider: str, request: Request) -> None:
    """Raise `UsageError` for an option that is the request's own affair.

    Examples
    --------
    >>> refuse_owned("openai", Request("hi", options={"temperature": 0}))
    >>> refuse_owned("openai", Request("hi", options={"Model": "m"}))
    Traceback (most recent call last):
    ...
    multimodel_magic.errors.UsageError: openai: 'Model' is no option: the request has its own
    """
    for name in request.options:
        if name.casefold() in OWNED:  # servers written in Go take field names in any case
            raise UsageError(f"{provider}: {name!r} is no option: the request has its own")
    for name, value in request.options.items() if request.schema is not None else ():
        known = name.casefold()
        if known in FORMATS or (known in HOLD_A_FORMAT and "format" in str(value)):
            said = "and the schema both say what the answer must be"
            raise UsageError(f"{provider}: {name!r} {said}; leave one of them out")
