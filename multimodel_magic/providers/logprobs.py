"""How probable a model found its own words, as far as a vendor says it."""

from __future__ import annotations

import math

__all__ = ["Logprobs"]

LEAST = -20.0
"""What a token counts at least, in nats: OpenAI writes -9999 for whatever is not in its top 20."""


class Logprobs:
    """Gathers the log-probabilities of an answer's tokens, as OpenAI, Ollama and llama.cpp tell."""

    def __init__(self) -> None:
        self._sum = 0.0
        self._tokens = 0

    def take(self, tokens: object) -> None:
        """Take a list of `{"token": ..., "logprob": ...}`; what is no such thing says nothing."""
        for token in tokens if isinstance(tokens, list) else ():
            said = token.get("logprob") if isinstance(token, dict) else None
            if isinstance(said, int | float) and math.isfinite(said):
                self._sum += max(float(said), LEAST)
                self._tokens += 1

    @property
    def mean(self) -> float | None:
        """The mean in nats; None where nothing was told."""
        return self._sum / self._tokens if self._tokens else None
