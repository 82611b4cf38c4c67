"""The tasks and families that need no declaration: literals, so that reading them costs nothing."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["FAMILIES", "TASKS"]

TASKS = (
    "analysis",
    "chat",
    "code_generation",
    "code_review",
    "creative_writing",
    "summarization",
    "translation",
)
"""The seed's seven tasks."""

FAMILIES: Mapping[str, tuple[str, ...]] = {
    "code": ("code_generation", "code_review"),
    "text": ("summarization", "translation", "creative_writing"),
}
"""A word for several tasks: the seed's YAML says `code` where its table has two."""
