"""Who looks at a cascade's answers, and what they say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

from multimodel_magic.types.values import Request

__all__ = ["AnyJudge", "AskingJudge", "InTurn", "Judge", "Verdict", "WeighingJudge"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an answer will do, and in a few words why not. Never quotes the answer."""

    ok: bool
    why: str = ""


Judge: TypeAlias = Callable[[Request, str, str | None], Verdict]
"""`(request, text, stop_reason) -> Verdict`; pure and cheap, asks nobody."""


@runtime_checkable
class AskingJudge(Protocol):
    """A judge that needs further answers: the client asks, the judge reads (a pure value).

    Every question is a request of its own, with its own row, labelled `judges: REQUEST_ID`.
    """

    def questions(self, request: Request, text: str, model: str) -> tuple[Request, ...]:
        """Return what to ask about the answer that `model` (`provider:model`) gave."""

    def read(self, text: str, said: tuple[str, ...]) -> Verdict:
        """Judge the answer by what was said to the questions."""


@runtime_checkable
class WeighingJudge(Protocol):
    """A judge that looks at how probable the model found its own words."""

    def weigh(self, mean_logprob: float | None) -> Verdict:
        """Judge by the mean log-probability of the answer's tokens in nats; None: not given."""


@dataclass(frozen=True, slots=True)
class InTurn:
    """Judges of any kind, one after the other: the first that turns an answer down speaks."""

    judges: tuple[AnyJudge, ...]


AnyJudge: TypeAlias = "Judge | AskingJudge | WeighingJudge | InTurn"
