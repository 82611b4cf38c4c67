"""Whether a provider's events come in time: the first token, each further one, the deadline."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from multimodel_magic.errors import MalformedAnswer, MultimodelError, StreamInterrupted, TimedOut
from multimodel_magic.limits.alarm import Alarm
from multimodel_magic.limits.patience import Deadline, Patience
from multimodel_magic.types import ProviderEvent, Stopped, TextDelta

__all__ = ["within"]

KEPT_FOR_OTHERS = 0.1
"""Share of the time left that a stream leaves to the others: what drips so long will not end."""


async def within(
    events: AsyncGenerator[ProviderEvent, None],
    patience: Patience,
    deadline: Deadline,
    who: str,
    *,
    shared: bool = False,
) -> AsyncGenerator[ProviderEvent, None]:
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
        Whether another model could still answer. A tenth of the time that is left is then kept
        for it, and silence takes half of what is left at most.

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
    kept = deadline.left_s() * KEPT_FOR_OTHERS if shared else 0.0
    async with aclosing(events), Alarm() as alarm:
        while True:
            left = deadline.left_s() - kept
            if left <= 0:  # a flood never waits, and what does not wait is not timed out
                raise _unfinished(who, kept, started=started)
            allowed = patience.stall_s if started else patience.first_token_s
            is_long = allowed > max(left / 2, kept)
            allowed = max(left / 2, kept) if shared and is_long else allowed
            try:
                event = await alarm.within(min(allowed, left), anext(events, None))
            except TimeoutError as error:
                if left <= allowed:
                    raise _unfinished(who, kept, started=started) from error
                raise _silent(who, allowed, started=started, hurried=shared and is_long) from error
            if event is None:
                raise _no_answer(who, started=started)
            started = started or isinstance(event, TextDelta)
            yield event
            if isinstance(event, Stopped):
                return


def _unfinished(who: str, kept: float, *, started: bool) -> MultimodelError:
    when = f"only {kept:.2g} s were left for another model" if kept else "the request's time was up"
    what = f"{who} had not finished when {when}; allow more with --timeout"
    return _late(what, started=started, hurried=True)


def _silent(who: str, allowed: float, *, started: bool, hurried: bool) -> MultimodelError:
    why = ", and another model can answer in the time that is left" if hurried else ""
    what = f"{who} said nothing for {allowed:.3g} s{why}"
    return _late(what, started=started, hurried=hurried)


def _late(what: str, *, started: bool, hurried: bool) -> MultimodelError:
    error = StreamInterrupted(what) if started else TimedOut(what)
    error.hurried = hurried
    return error


def _no_answer(who: str, *, started: bool) -> MultimodelError:
    what = f"{who} ended its stream without saying that the answer is whole"
    return StreamInterrupted(what) if started else MalformedAnswer(what)
