"""One kernel's client, ledger and conversation: what the magics, the widgets and `llm` hold."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from multimodel_magic import bridge
from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.ledger import Ledger
from multimodel_magic.types import Message, Option, Request, Response, new_ulid

if TYPE_CHECKING:
    import pandas as pd

    from multimodel_magic.metrics import Summary

__all__ = ["Session", "current", "start"]

HISTORY_KEPT = 1000
"""How many responses a session keeps in memory; the ledger keeps all."""

MAIN_THREAD = "main"


class Session:
    """Ask models from Python, with the same client, ledger and history as the magics.

    `from multimodel_magic import llm` gives the kernel's own session.

    Parameters
    ----------
    client
        Answers; its `ledger` is replaced by this session's books.
    ledger
        Keeps every request and attempt; by default the user's ledger file.

    Examples
    --------
    >>> from multimodel_magic.providers.scripted import ScriptedProvider
    >>> client = UnifiedLLMClient({"scripted": ScriptedProvider()})
    >>> llm = Session(client, ledger=Ledger(":memory:"))
    >>> llm("Hello", "scripted:echo").provider
    'scripted'
    """

    def __init__(
        self, client: UnifiedLLMClient | None = None, *, ledger: Ledger | None = None
    ) -> None:
        self.id = new_ulid()
        self.ledger = ledger if ledger is not None else Ledger()
        self.client = client or UnifiedLLMClient()
        self.client.ledger = self
        self.history: deque[Response] = deque(maxlen=HISTORY_KEPT)
        self.threads: dict[str, tuple[Message, ...]] = {}

    def __repr__(self) -> str:
        return f"<multimodel_magic session: {len(self.history)} requests, ledger {self.ledger!r}>"

    # --- asking

    async def acall(
        self,
        prompt: str,
        model: str | None = None,
        *,
        system: str | None = None,
        strategy: str | None = None,
        fallbacks: Iterable[str] | None = None,
        task: str | None = None,
        user_tier: str | None = None,
        task_value: str | None = None,
        needs: Iterable[str] = (),
        unit: str | None = None,
        max_tokens: int | None = None,
        timeout_s: float | None = None,
        retries: int | None = None,
        options: Mapping[str, Option] | None = None,
    ) -> Response:
        """Answer a prompt; as `UnifiedLLMClient.generate`, awaited on the caller's own loop.

        Raises
        ------
        MultimodelError
            Where there is no answer; the attempts are in the ledger all the same.
        """
        return await self.client.generate(
            prompt,
            model,
            system=system,
            strategy=strategy,
            fallbacks=fallbacks,
            task=task,
            user_tier=user_tier,
            task_value=task_value,
            needs=needs,
            unit=unit,
            max_tokens=max_tokens,
            timeout_s=timeout_s,
            retries=retries,
            options=options,
        )

    __call__ = bridge.blocking(acall)

    # --- conversation

    def thread(self, name: str) -> tuple[Message, ...]:
        """Return what was said so far in a conversation; nothing where it has not begun."""
        return self.threads.get(name, ())

    def remember(self, response: Response, *, thread: str | None) -> None:
        """Add an answered request to its conversation; without a name, `main` begins anew."""
        if not response.succeeded:
            return
        said = Message("user", response.request.prompt), Message("assistant", response.text)
        self.threads[thread or MAIN_THREAD] = (*response.request.history, *said)

    def reset(self) -> None:
        """Forget conversations and history; the ledger keeps its rows."""
        self.threads.clear()
        self.history.clear()

    # --- books

    def record(self, response: Response) -> None:
        """Keep a finished request in the history and the ledger (the client calls this)."""
        request = response.request
        labelled = replace(request, labels={"session": self.id, **request.labels})
        response = replace(response, request=labelled)
        self.history.append(response)
        self.ledger.record(response)

    @property
    def last(self) -> Response | None:
        """The last finished request of this session, answered or not."""
        return self.history[-1] if self.history else None

    @property
    def df(self) -> pd.DataFrame:
        """The session's requests, one a row; the columns stand in `multimodel_magic.ledger`."""
        return self.ledger.requests_frame(session=self.id)

    @property
    def attempts(self) -> pd.DataFrame:
        """The session's attempts, one a row, failed and interrupted ones included."""
        return self.ledger.attempts_frame(session=self.id)

    def metrics(self) -> Summary:
        """Sum this session up."""
        from multimodel_magic import metrics

        return metrics.overall(self.df, self.attempts)

    def request(self, prompt: str, *, model: str | None = None) -> Request:
        """Make a request that carries this session's label."""
        return Request(prompt, models=(model,) if model else (), labels={"session": self.id})


_current: Session | None = None


def current() -> Session:
    """Return the kernel's session, begun on first use."""
    return _current or start()


def start(session: Session | None = None) -> Session:
    """Make `session` (by default a new one) the kernel's session and return it."""
    global _current  # noqa: PLW0603 - one per kernel is the point
    _current = session or Session()
    return _current
