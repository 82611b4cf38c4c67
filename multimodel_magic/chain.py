"""The seed's `FallbackChain`, over the one client: try models in order until one answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypedDict

from multimodel_magic.catalogue import Catalogue
from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.errors import (
    ConnectionFailed,
    MultimodelError,
    Retryable,
    TimedOut,
    UsageError,
)
from multimodel_magic.limits import Patience
from multimodel_magic.providers.faults import classify
from multimodel_magic.types import (
    ProviderEvent,
    Recorder,
    Request,
    Response,
    Stopped,
    TextDelta,
)

__all__ = ["Answer", "FallbackChain"]

BUGS = (
    TypeError,
    NameError,
    AttributeError,
    LookupError,
    ArithmeticError,
    AssertionError,
    ImportError,
)
"""What a function raises by a mistake of its own: no other model would mend that."""

Ask: TypeAlias = Callable[[str], Awaitable[object]]
"""An async function from a prompt to its answer, whose `str` is the text."""


class Answer(TypedDict):
    """What `FallbackChain.generate` returns: the seed's three keys, and the whole response."""

    content: str
    model: str
    fallback_used: bool
    response: Response


@dataclass(frozen=True, slots=True)
class _Functions:
    """A provider over the user's own functions, by name."""

    functions: dict[str, Ask]
    name: str = "chain"

    async def stream(self, model: str, request: Request) -> AsyncGenerator[ProviderEvent, None]:
        try:
            answer = await self.functions[model](request.prompt)
        except (MultimodelError, *BUGS):
            raise
        except Exception as error:  # the user's function may raise anything at all
            raise _translated(model, error) from error
        yield TextDelta(str(answer))
        yield Stopped("stop")

    def unusable(self) -> str | None:
        return None

    async def models(self) -> tuple[str, ...]:
        return tuple(self.functions)

    async def aclose(self) -> None:
        return None


def _unlike(names: Sequence[str]) -> tuple[str, ...]:
    r"""Give what is named twice or not at all a number: each function is a model of its own.

    Examples
    --------
    >>> _unlike(["m", " m\n7 ", "m", ""])
    ('m', 'm 7', 'm#3', '#4')
    """
    told: list[str] = []
    for number, name in enumerate(names, start=1):
        plain = " ".join(name.split())  # a model's name is one line
        while not plain or plain in told:
            plain = f"{plain}#{number}"
        told.append(plain)
    return tuple(told)


def _translated(model: str, error: Exception) -> MultimodelError:
    """Say what a failure of the user's function means, as far as it shows."""
    said = f"{model} failed: {type(error).__name__}: {error}"
    if isinstance(error, TimeoutError):
        return TimedOut(said)
    status = getattr(error, "status_code", None)  # what the vendors' SDKs call it
    if not isinstance(status, int):
        return ConnectionFailed(said)
    verdict = classify(status, getattr(error, "body", None))
    if issubclass(verdict.error, Retryable):
        return verdict.error(said, retry_after_s=verdict.retry_after_s)
    return verdict.error(said)


class FallbackChain:
    """Try models in order until one answers.

    Parameters
    ----------
    models
        Pairs of a name and an async function `prompt -> answer`, as in the seed; or names of
        models, aliases or roles, which `client` asks.
    client
        Asks the models that are given by name.
    patience
        Deadline, retries and waits of a chain of functions.
    ledger
        Where a chain of functions records.

    Raises
    ------
    UsageError
        Where there is no model.

    Notes
    -----
    Unlike the seed's, a mistake of the caller's own (a `TypeError`, a malformed request) is
    raised at once: no other model would mend it. `fallback_used` looks at the place in the
    chain, not at the name: a chain may hold the same model twice.

    A chain has breakers, rates and a budget of its own, and keeps them from call to call. Only a
    chain of names that is handed a client (`client=llm.client`) shares that client's: then what
    it spends counts in the session, and who rests there rests here. The client of functions is
    always the chain's: nobody knows their prices, so that no budget could bind them.
    """

    def __init__(
        self,
        models: Sequence[tuple[str, Ask] | str],
        *,
        client: UnifiedLLMClient | None = None,
        patience: Patience | None = None,
        ledger: Recorder | None = None,
    ) -> None:
        if not models:
            raise UsageError("a FallbackChain needs at least one model")
        self._names = tuple(m if isinstance(m, str) else m[0] for m in models)
        named = _unlike(self._names)
        functions = {
            name: pair[1]
            for name, pair in zip(named, models, strict=True)
            if not isinstance(pair, str)
        }
        if not functions:
            self._client = client or UnifiedLLMClient(ledger=ledger)
            self._models = self._names
            return
        own = _Functions(functions)
        self._models = tuple(
            m if isinstance(m, str) else f"{own.name}:{name}"
            for name, m in zip(named, models, strict=True)
        )
        self._client = UnifiedLLMClient(
            {**(client.providers if client else {}), own.name: own},
            ledger=ledger or (client.ledger if client else None),
            catalogue=(client.catalogue if client else Catalogue()).with_providers([own.name]),
            patience=patience or Patience(retries=0),
        )

    async def generate(self, prompt: str) -> Answer:
        """Ask the models in order and return the first answer.

        Raises
        ------
        AllModelsFailed
            None answered; one line an attempt. A chain of one raises that model's own error.
        """
        response = await self._client.generate(Request(prompt, models=self._models, stream=False))
        answer = response.answered_by
        assert answer is not None, "generate() raises where nothing answered"  # noqa: S101
        return Answer(
            content=response.text,
            model=self._names[answer.rank],
            fallback_used=response.fallback_used,
            response=response,
        )
