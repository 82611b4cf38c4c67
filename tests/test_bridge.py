"""The bridge between synchronous cells and one event loop."""

import _thread
import asyncio
import gc
import subprocess
import sys
import textwrap
import threading
import time
import weakref

import pytest

from multimodel_magic import bridge


async def _count(to, *, gap_s=0.0, log=None):
    try:
        for n in range(to):
            if gap_s:
                await asyncio.sleep(gap_s)
            yield n
    finally:
        if log is not None:
            log.append("closed")


def _interrupt_in(seconds):
    threading.Timer(seconds, _thread.interrupt_main).start()


async def _double(x):
    await asyncio.sleep(0)
    return 2 * x


async def _fail():
    raise LookupError("no")


def test_run_returns_the_coroutines_value():
    assert bridge.run(_double(21)) == 42


def test_run_raises_what_the_coroutine_raises():
    with pytest.raises(LookupError, match="no"):
        bridge.run(_fail())


def test_blocking_keeps_the_arguments_and_the_name():
    twin = bridge.blocking(_double)
    assert twin(4) == 8
    assert twin.__name__ == "_double"


def test_run_on_its_own_loop_is_refused_rather_than_hanging():
    async def nested():
        bridge.run(_double(1))

    with pytest.raises(RuntimeError, match="await it"):
        bridge.run(nested())


def test_an_interrupt_cancels_the_coroutine_and_waits_for_its_cleanup():
    log = []

    async def forever():
        try:
            await asyncio.sleep(60)
        finally:
            log.append("closed")

    _interrupt_in(0.1)
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        bridge.run(forever())
    assert log == ["closed"]
    assert time.monotonic() - start < 5.0


def test_iterate_yields_everything_in_order():
    assert list(bridge.iterate(_count(1000))) == list(range(1000))


def test_iterate_ticks_while_nothing_comes():
    seen = list(bridge.iterate(_count(1, gap_s=0.2), tick_s=0.05))
    assert seen[-1] == 0
    assert seen.count(None) >= 2


def test_leaving_an_iteration_early_closes_the_generator():
    log = []
    events = bridge.iterate(_count(10**9, gap_s=0.001, log=log))
    next(events)
    events.close()
    assert log == ["closed"]


def test_an_interrupt_of_an_iteration_still_delivers_the_last_words():
    async def polite():
        try:
            yield "first"
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            yield "last words"
            raise

    seen = []
    _interrupt_in(0.1)
    with pytest.raises(KeyboardInterrupt):
        bridge.consume(bridge.iterate(polite()), seen.append)
    assert seen == ["first", "last words"]


def test_an_interrupt_in_the_consumers_own_code_delivers_the_last_words_too():
    async def polite():
        try:
            for n in range(10**9):
                yield n
                await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            yield "last words"
            raise

    seen = []

    def paint(event):
        seen.append(event)
        if event == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bridge.consume(bridge.iterate(polite()), paint)
    assert seen[:4] == [0, 1, 2, 3]
    assert seen[-1] == "last words"


async def test_arun_awaits_on_the_background_loop():
    async def where():
        return asyncio.get_running_loop()

    assert await bridge.arun(where()) is bridge.loop()


async def test_cancelling_arun_cancels_the_coroutine():
    log = []

    async def forever():
        try:
            await asyncio.sleep(60)
        finally:
            log.append("closed")

    task = asyncio.create_task(bridge.arun(forever()))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ["closed"]


async def test_one_beat_keeps_a_loop_awake_for_all_and_ends_after_the_last():
    here = asyncio.get_running_loop()

    def beats():
        return [timer for timer in here._scheduled if timer._callback is bridge._beat]

    for _ in range(3):
        with bridge.awake(), bridge.awake():
            assert len(beats()) == 1
            first = beats()[0]
            await asyncio.sleep(3 * bridge.HEARTBEAT_S)
            assert beats() != [first], "it beats on"
    await asyncio.sleep(3 * bridge.HEARTBEAT_S)
    assert beats() == []


async def test_aiterate_yields_everything_and_closes_when_cancelled():
    log = []
    seen = []

    async def read():
        async for event in bridge.aiterate(_count(10**9, gap_s=0.001, log=log)):
            seen.append(event)

    assert [e async for e in bridge.aiterate(_count(5))] == [0, 1, 2, 3, 4]
    task = asyncio.create_task(read())
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen
    assert log == ["closed"]


def test_a_worker_works_through_everything_before_flush_returns():
    done = []
    worker = bridge.Worker(done.extend, name="test-worker")
    for n in range(100):
        worker.put(n)
    assert worker.flush()
    assert done == list(range(100))


def test_a_worker_that_waits_holds_nothing_of_what_it_did():
    class Item:
        pass

    worker = bridge.Worker(len, name="test-worker")
    items = [Item() for _ in range(100)]
    known = [weakref.ref(item) for item in items]
    while items:
        worker.put(items.pop())
    assert worker.flush()
    assert [one() for one in known] == [None] * 100


def test_flushing_a_worker_that_never_started_returns_at_once():
    assert bridge.Worker(print, name="idle").flush()


def _threads(name: str) -> int:
    return sum(thread.name == name for thread in threading.enumerate())


def test_a_stopped_worker_has_done_everything_and_has_no_thread():
    done = []
    worker = bridge.Worker(done.extend, name="stopped")
    for n in range(100):
        worker.put(n)
    assert worker.stop()
    assert (done, _threads("stopped")) == (list(range(100)), 0)
    assert worker.stop(), "a second time"
    worker.put(100)
    assert worker.stop()
    assert (done[-1], _threads("stopped")) == (100, 0)


def test_a_worker_without_work_ends_its_thread_and_can_be_collected():
    done = []
    worker = bridge.Worker(done.extend, name="idle-worker", idle_s=0.02, linger_s=0.0)
    worker.put(1)
    assert worker.flush()
    known = weakref.ref(worker)
    del worker
    stop_s = time.monotonic() + 5
    while known() is not None and time.monotonic() < stop_s:
        time.sleep(0.01)
        gc.collect()
    assert (done, known(), _threads("idle-worker")) == ([1], None, 0)


def test_no_item_is_lost_between_a_worker_that_ends_and_the_next_thread():
    done = []
    worker = bridge.Worker(done.extend, name="ending", idle_s=0.0, linger_s=0.0)
    stopping = bridge.Worker(lambda batch: [one.stop() for one in batch], name="stopper")
    for n in range(2000):
        worker.put(n)
        if n % 7 == 0:
            stopping.put(worker)
        if n % 50 == 0:
            time.sleep(0.0005)
    assert stopping.stop()
    assert worker.flush()
    assert done == list(range(2000))


def test_where_no_thread_can_be_had_the_caller_does_the_work():
    code = """
        import atexit
        from multimodel_magic.bridge import Worker
        worker = Worker(print, name="late", idle_s=0.0, linger_s=0.0)

        def late():
            import threading
            threading.Thread.start = lambda self: (_ for _ in ()).throw(RuntimeError("no thread"))
            worker.put("said")
            print(worker.flush(), worker.stop())

        atexit.register(late)
    """
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    assert ran.stdout.splitlines() == ["['said']", "True True"]


def test_what_is_cancelled_before_its_first_step_still_cleans_up():
    log = []

    async def careful():
        try:
            await asyncio.sleep(60)
        finally:
            log.append("closed")

    over = threading.Event()
    # The loop is kept busy, so that the cancellation is there before the first step.
    bridge.loop().call_soon_threadsafe(time.sleep, 0.2)
    job = bridge._Job(careful(), over.set)
    job.cancel()
    assert over.wait(5)
    assert log == ["closed"]
