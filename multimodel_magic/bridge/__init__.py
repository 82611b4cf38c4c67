"""The one place that knows threads and event loops.

One background loop per process owns what synchronous code starts. `run` and `iterate` block
the caller, and an interrupt (`KeyboardInterrupt`) cancels the task and waits for it to close
its connection: a stream that nobody reads must not go on costing. `arun` awaits the same task
from another loop (the kernel's), whose cancellation is treated alike.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import queue
import threading
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from typing import Any, Generic, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from multimodel_magic.bridge.worker import Worker

__all__ = [
    "Worker",
    "aiterate",
    "arun",
    "aside",
    "awake",
    "blocking",
    "consume",
    "iterate",
    "loop",
    "run",
    "run_here",
]

P = ParamSpec("P")
T = TypeVar("T")
E = TypeVar("E", bound=BaseException)

HEARTBEAT_S = 0.05
"""How often a blocked caller looks up: Ctrl-C is seen between two waits on Windows too."""

GRACE_S = 0.4
"""How long an interrupt waits for the task to close its connection (a cell ends within 0.5 s)."""

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def loop() -> asyncio.AbstractEventLoop:
    """Return the process's background loop, started on first use in a daemon thread."""
    global _loop  # noqa: PLW0603 - one per process is the point
    with _lock:
        if _loop is None or _loop.is_closed():
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="multimodel-magic", daemon=True).start()
        return _loop


class _Job(Generic[T]):
    """A coroutine on the background loop, in a copy of the caller's context."""

    def __init__(self, coro: Coroutine[Any, Any, T], when_done: Callable[[], None]) -> None:
        self._coro = coro
        self._when_done = when_done
        self._done = threading.Event()
        self._task: asyncio.Task[None] | None = None
        self._entered = False
        self._cancelled = False
        self._value: T | None = None
        self._error: BaseException | None = None
        self._loop = loop()
        context = contextvars.copy_context()
        self._loop.call_soon_threadsafe(self._start, context)

    def _start(self, context: contextvars.Context) -> None:
        self._task = self._loop.create_task(self._runner(), context=context)

    async def _runner(self) -> None:
        self._entered = True
        if self._cancelled:
            self._cancel()
        try:
            self._value = await self._coro
        except BaseException as error:  # noqa: BLE001 - it is raised again in the caller's thread
            self._error = error
        finally:
            self._done.set()
            self._when_done()

    def cancel(self) -> None:
        self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        # A task that is cancelled before its first step never enters its coroutine, which would
        # then clean up nothing and record nothing: it is entered first.
        self._cancelled = True
        if self._entered and self._task is not None:
            self._task.cancel()

    def is_done(self) -> bool:
        return self._done.is_set()

    def wait(self, timeout_s: float) -> bool:
        return self._done.wait(timeout_s)

    def explain(self, interrupt: E) -> E:
        """Let an interrupt show what the coroutine says of its cancellation, where it does."""
        vars(interrupt).update(vars(self._error) if self._error is not None else {})
        return interrupt

    def result(self) -> T:
        if isinstance(self._error, asyncio.CancelledError):
            raise self.explain(KeyboardInterrupt()) from None
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]  # set where there is no error


def background(work: Callable[[], object]) -> None:
    """Run `work` in a daemon thread of its own and forget it: for imports that take long."""
    threading.Thread(target=work, name="multimodel-magic-background", daemon=True).start()


async def aside(work: Callable[[], T]) -> T:
    """Do blocking work in a daemon thread and await it; whoever is cancelled does not wait."""
    here, over = asyncio.get_running_loop(), asyncio.Event()
    values: list[T] = []
    errors: list[BaseException] = []

    def do() -> None:
        try:
            values.append(work())
        except BaseException as error:  # noqa: BLE001 - raised where it is awaited
            errors.append(error)
        finally:
            with contextlib.suppress(RuntimeError):  # the loop may be gone already
                here.call_soon_threadsafe(over.set)

    background(do)
    await over.wait()
    if errors:
        raise errors[0]
    return values[0]


class Once:
    """Blocking work that is done once, in a thread of its own, for all who wait on any loop.

    Parameters
    ----------
    work
        What to do; it must not raise.
    """

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._is_begun = self._is_over = False
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def begin(self) -> None:
        """Begin, unless it has begun."""
        with self._lock:
            if not self._is_begun:
                background(self._do)
                self._is_begun = True  # Not before: where no thread can be had, nobody waits.

    async def done(self) -> None:
        """Wait until it is done; whoever is cancelled does not wait, and the work goes on."""
        self.begin()
        over = asyncio.Event()
        with self._lock:
            if self._is_over:
                return
            self._waiting.append((asyncio.get_running_loop(), over))
        await over.wait()

    def _do(self) -> None:
        try:
            self._work()
        finally:
            with self._lock:
                self._is_over = True
            for loop, over in self._waiting:
                with contextlib.suppress(RuntimeError):  # the loop may be gone already
                    loop.call_soon_threadsafe(over.set)
            self._waiting.clear()


def _nothing() -> None:
    """Do nothing: for jobs whose end nobody is told of."""


def _refuse_own_loop() -> None:
    if threading.current_thread().name == "multimodel-magic":
        raise RuntimeError("a blocking call on the background loop itself; await it there")


def run(coro: Coroutine[Any, Any, T]) -> T:
    """Run `coro` on the background loop and block until it ends.

    Raises
    ------
    KeyboardInterrupt
        When interrupted; `coro` has then been cancelled and given 0.4 s to clean up.
    """
    try:
        _refuse_own_loop()
    except RuntimeError:
        coro.close()
        raise
    job = _Job(coro, _nothing)
    try:
        while not job.wait(HEARTBEAT_S):
            pass
    except KeyboardInterrupt as interrupt:
        job.cancel()
        job.wait(GRACE_S)
        job.explain(interrupt)
        raise
    return job.result()


def blocking(ask: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Return the synchronous twin of an async function: the same arguments, through `run`."""

    @functools.wraps(ask)
    def twin(*args: P.args, **kwargs: P.kwargs) -> T:
        return run(ask(*args, **kwargs))

    twin.__doc__ = f"Do as `{ask.__name__}` and block until it ends.\n\n{ask.__doc__ or ''}"
    return twin


def run_here(coro: Coroutine[Any, Any, T]) -> T:
    """Run `coro` on the caller's own loop, which must allow nesting (nest_asyncio).

    An interrupt cancels it and waits for its end, so that it does not go on behind the next
    cell.
    """
    here = asyncio.get_event_loop()
    task = here.create_task(coro)
    try:
        return here.run_until_complete(task)
    except KeyboardInterrupt:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            return here.run_until_complete(task)
        raise


_awake: WeakKeyDictionary[asyncio.AbstractEventLoop, int] = WeakKeyDictionary()
"""By how many a loop is kept awake; it stays here until its next beat finds nobody."""


@contextlib.contextmanager
def awake() -> Generator[None, None, None]:
    """Have the caller's own loop look up every 50 ms, that it sees an interrupt in good time.

    ipykernel schedules the cancellation of an interrupted cell with a plain `call_soon`, which an
    idle loop sees only when it next wakes. One beat serves all who wait on a loop; ours needs none.
    """
    here = asyncio.get_running_loop()
    if here is _loop:
        yield
        return
    many = _awake.get(here)
    if many is None:
        here.call_later(HEARTBEAT_S, _beat, here)
    _awake[here] = (many or 0) + 1
    try:
        yield
    finally:
        _awake[here] -= 1


def _beat(here: asyncio.AbstractEventLoop) -> None:
    if _awake.get(here):
        here.call_later(HEARTBEAT_S, _beat, here)
    else:
        del _awake[here]


async def arun(coro: Coroutine[Any, Any, T]) -> T:
    """Await `coro`, which runs on the background loop, from any other loop."""
    here = asyncio.get_running_loop()
    if here is loop():
        return await coro
    over = asyncio.Event()
    job = _Job(coro, lambda: _wake(here, over))
    try:
        with awake():
            await over.wait()
    except asyncio.CancelledError:
        job.cancel()
        await _settle(job)
        raise
    return job.result()


def _wake(here: asyncio.AbstractEventLoop, over: asyncio.Event) -> None:
    with contextlib.suppress(RuntimeError):  # the caller's loop may be gone already
        here.call_soon_threadsafe(over.set)


async def _settle(job: _Job[Any]) -> None:
    for _ in range(int(GRACE_S / 0.02)):
        if job.is_done():
            return
        await asyncio.sleep(0.02)


_END = object()
_NOTHING_YET = object()


async def _pump(events: AsyncGenerator[T, None], put: Callable[[object], None]) -> None:
    async with contextlib.aclosing(events):
        async for event in events:
            put(event)


def iterate(
    events: AsyncGenerator[T, None], *, tick_s: float | None = None
) -> Generator[T | None, None, None]:
    """Iterate an async generator, which runs on the background loop, from synchronous code.

    Parameters
    ----------
    events
        The async generator. It is closed when the iteration ends, in whatever way.
    tick_s
        Where given, `None` is yielded whenever so many seconds passed without an event, so that
        a display can count up while nothing comes.

    Raises
    ------
    KeyboardInterrupt
        When interrupted, after the events that the generator still yielded while it closed.
        An interrupt that strikes in the caller's own code may be thrown into the iteration to
        the same effect; `consume` does.
    """
    _refuse_own_loop()
    arrived: queue.SimpleQueue[object] = queue.SimpleQueue()
    job = _Job(_pump(events, arrived.put), lambda: arrived.put(_END))
    stop_s: float | None = None
    while True:
        # The whole loop stands inside the `try`: an interrupt may strike between two steps.
        try:
            while stop_s is None or time.monotonic() < stop_s:
                event = _next(arrived, tick_s)
                if event is _END:
                    break
                if event is not _NOTHING_YET:
                    yield event  # type: ignore[misc]  # all but the two marks are events
                elif tick_s is not None:
                    yield None
        except KeyboardInterrupt:
            stop_s = time.monotonic() + GRACE_S
            job.cancel()
        except GeneratorExit:
            job.cancel()
            job.wait(GRACE_S)
            raise
        else:
            break
    if stop_s is not None:
        raise job.explain(KeyboardInterrupt())
    job.result()


def _next(arrived: queue.SimpleQueue[object], tick_s: float | None) -> object:
    patience = HEARTBEAT_S if tick_s is None else min(tick_s, HEARTBEAT_S)
    try:
        return arrived.get(timeout=patience)
    except queue.Empty:
        return _NOTHING_YET


def consume(events: Generator[T | None, None, None], handle: Callable[[T | None], None]) -> None:
    """Call `handle` with everything that `iterate` yields.

    Raises
    ------
    KeyboardInterrupt
        When interrupted, wherever that strikes: `handle` has then seen the last event too.
    """
    while True:
        try:
            for event in events:
                handle(event)
        except KeyboardInterrupt as interrupt:
            # Struck in `handle`: the iteration is still open and learns of it here. Struck in
            # the iteration itself: that one has ended, and throwing into it raises again.
            last = events.throw(interrupt)
            handle(last)
        else:
            return


async def aiterate(
    events: AsyncGenerator[T, None], *, tick_s: float | None = None
) -> AsyncGenerator[T | None, None]:
    """Iterate an async generator, which runs on the background loop, from another loop.

    As `iterate`, but awaited: cancelling the caller's task is the interrupt, and what the
    generator still yields while it closes arrives before the `CancelledError`.
    """
    here = asyncio.get_running_loop()
    arrived: asyncio.Queue[object] = asyncio.Queue()

    def put(event: object) -> None:
        with contextlib.suppress(RuntimeError):  # the caller's loop may be gone already
            here.call_soon_threadsafe(arrived.put_nowait, event)

    job = _Job(_pump(events, put), lambda: put(_END))
    stop_s: float | None = None
    try:
        while stop_s is None or time.monotonic() < stop_s:
            try:
                event = await _anext(arrived, tick_s)
            except asyncio.CancelledError:
                stop_s = time.monotonic() + GRACE_S
                job.cancel()
                continue
            if event is _END:
                break
            if event is not _NOTHING_YET:
                yield event  # type: ignore[misc]  # all but the two marks are events
            elif tick_s is not None:
                yield None
    finally:
        if not job.is_done():
            job.cancel()
            await _settle(job)
    if stop_s is not None:
        # Not KeyboardInterrupt: asyncio lets that tear down the caller's loop.
        raise job.explain(asyncio.CancelledError())
    job.result()


async def _anext(arrived: asyncio.Queue[object], tick_s: float | None) -> object:
    patience = HEARTBEAT_S if tick_s is None else min(tick_s, HEARTBEAT_S)
    try:
        async with asyncio.timeout(patience):
            return await arrived.get()
    except TimeoutError:
        return _NOTHING_YET
