"""What an answer must be, as the user said it, and what the answer then is."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

__all__ = ["Parsed", "Schema"]


AROUND_TOKENS = 25
"""Of the sentence that says what the schema is for, ours or the vendor's; an estimate."""


@dataclass(frozen=True, slots=True)
class Schema:
    """A JSON Schema that an answer must meet; `multimodel_magic.schemas.schema_of` makes it."""

    name: str
    """What vendors, receipts and the ledger call it."""
    text: str
    """The JSON Schema as JSON, in the user's order: models write properties in that order."""
    shape: object = field(default=None, repr=False, hash=False)
    """The class or type that an answer becomes an instance of; None: it stays as JSON has it."""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON Schema as a dict of the caller's own."""
        found: dict[str, Any] = json.loads(self.text)
        return found

    @property
    def sha256(self) -> str:
        """Hex, of the JSON Schema as it stands."""
        return sha256(self.text.encode()).hexdigest()

    @property
    def estimated_tokens(self) -> int:
        """About how many input tokens it costs: it stands before the model, in a few words more."""
        return len(self.text) // 4 + AROUND_TOKENS

    def described(self) -> str:
        """Say as JSON what it is: the label under which the ledger keeps it."""
        return f'{{"name": {json.dumps(self.name, ensure_ascii=False)}, "schema": {self.text}}}'


@dataclass(frozen=True, slots=True)
class Parsed:
    """What an answer was read as: the value, or why there is none."""

    value: object = None
    error: Exception | None = None
    """`SchemaNotMet` where the answer is not what the schema describes."""
    fault: str = ""
    """The same in the words of the schema alone, nothing of the answer: `$.year: type integer`."""
