"""Keys that a vendor refused: not sent again in this session until they change."""

from __future__ import annotations

from multimodel_magic.errors import AuthenticationFailed
from multimodel_magic.types import Provider

__all__ = ["RefusedKeys", "key_mark"]

_WITH_A_KEY = "its key was refused before and is not sent again until it changes"
_WITHOUT = "a request without a key was refused before and none is sent again until there is a key"


def key_mark(provider: Provider) -> str | None:
    """Return what tells the provider's key from another without showing it; empty: there is none.

    None where the provider has no method `key_mark`: of its keys nothing is remembered beyond
    the request.
    """
    mark = getattr(provider, "key_mark", None)
    return None if mark is None else str(mark())


class RefusedKeys:
    """Which providers refused which key, by the key's mark; the key itself is never held."""

    def __init__(self) -> None:
        self._refused: dict[str, tuple[str, str]] = {}

    def __len__(self) -> int:
        return len(self._refused)

    def refuse(self, name: str, provider: Provider, error: AuthenticationFailed) -> None:
        """Remember that the key which the provider now has was refused."""
        mark = key_mark(provider)
        if mark is not None:
            self._refused[name] = mark, str(error)

    def why(self, name: str, provider: Provider) -> str | None:
        """Say why the provider is not asked, or None; another key is another chance."""
        if name not in self._refused:
            return None
        mark, said = self._refused[name]
        if key_mark(provider) == mark:
            return f"{_WITH_A_KEY if mark else _WITHOUT} or %llm reset ({said})"
        del self._refused[name]
        return None

    def forget(self) -> None:
        """Give every key another chance, as after a bill was paid."""
        self._refused.clear()
