"""What a person sees: magics, cards, charts. Only here IPython is imported."""

from typing import Final, Literal, TypeAlias, get_args

__all__ = ["FORMATS", "Format"]

Format: TypeAlias = Literal["auto", "markdown", "code", "json", "text"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
"""What `-f/--format` and `LLMMagics.format` accept; here, where the extension has it for free."""
