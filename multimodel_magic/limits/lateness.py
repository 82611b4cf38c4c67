"""Whether a provider's events come in time: the first token, each further one, the deadline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from multimodel_magic.errors import MalformedAnswer, MultimodelError, StreamInterrupted, TimedOut
from multimodel_magic.limits.patience import Deadline, Patience
from multimodel_magic.types import ProviderEvent, Stopped, TextDelta

__all__ = ["within"]


async def within(
    events: AsyncGenerator[ProviderEvent, None],
    patience: Patience,
    deadline: Deadline,
    who: str,
    *,
    shared: bool = False,
) -> AsyncIterator[ProviderEvent]:
    """Pass on a provider's events as long as they come in time.

    Parameters
    ----------
    events
        The provider's.
    patience, deadline
        How long any silence may be, and when the request must have ended.
    who
        `provider:model`, for the errors.
    shared
        Whether another model could still answer: silence then takes half of the time that is
        left at most, so that the other has the other half.

    Raises
    ------
    TimedOut
        Where the first token or the deadline is late and no text has come.
    MalformedAnswer
        Where the stream ends without `Stopped` and no text has come.
    StreamInterrupted
        Where any of that happens after text had come.
    """
    started = False
    async with aclosing(events):
        while True:
            left = deadline.left_s()
            if left <= 0:  # a flood never waits, and what does not wait is not timed out
                raise _late(who, 0.0, left, started=started)
            allowed = patience.stall_s if started else patience.first_token_s
            allowed = min(allowed, left / 2) if shared else allowed
            try:
                async with asyncio.timeout(min(allowed, left)):
                    event = await anext(events, None)
            except TimeoutError as error:
                raise _late(who, allowed, left, started=started) from error
            if event is None:
                raise _no_answer(who, started=started)
            started = started or isinstance(event, TextDelta)
            yield event
            if isinstance(event, Stopped):
                return


def _late(who: str, allowed: float, left: float, *, started: bool) -> MultimodelError:
    if left <= allowed:
        what = f"{who} had not finished when the request's time was up"
        hint = "; allow more with --timeout"
    else:
        what = f"{who} said nothing for {allowed:.3g} s"
        hint = ""
    return StreamInterrupted(what + hint) if started else TimedOut(what + hint)


def _no_answer(who: str, *, started: bool) -> MultimodelError:
    what = f"{who} ended its stream without saying that the answer is whole"
    return StreamInterrupted(what) if started else MalformedAnswer(what)
