"""One timer for many waits: who is too late, who is not, and who was cancelled by somebody else."""

import asyncio
import time

import pytest

from multimodel_magic.limits.alarm import Alarm

pytestmark = pytest.mark.slow  # real clocks


def _timers():
    loop = asyncio.get_running_loop()
    return [timer for timer in loop._scheduled if not timer.cancelled()]


async def test_a_wait_that_is_too_long_ends_in_time_and_its_step_is_cancelled():
    step = asyncio.ensure_future(asyncio.sleep(60))
    began_s = time.monotonic()
    async with Alarm() as alarm:
        with pytest.raises(TimeoutError):
            await alarm.within(0.05, step)
    assert 0.04 < time.monotonic() - began_s < 1
    assert step.cancelled()
    assert asyncio.current_task().cancelling() == 0


async def test_every_wait_has_its_own_time():
    async with Alarm() as alarm:
        for _ in range(5):
            assert await alarm.within(0.1, asyncio.sleep(0.04, "in time")) == "in time"
        with pytest.raises(TimeoutError):
            await alarm.within(0.1, asyncio.sleep(60))
        assert await alarm.within(0.1, asyncio.sleep(0.04, "again")) == "again"


@pytest.mark.parametrize("limits", [(60, 0.05), (0.05, 0.02), (0.01, 0.05)])
async def test_a_later_wait_may_have_less_time_or_more(limits):
    first, second = limits
    async with Alarm() as alarm:
        await alarm.within(first, asyncio.sleep(0))
        began_s = time.monotonic()
        with pytest.raises(TimeoutError):
            await alarm.within(second, asyncio.sleep(60))
    assert second - 0.01 < time.monotonic() - began_s < second + 1


async def test_a_look_at_a_long_wait_does_not_end_it():
    began_s = time.monotonic()
    async with Alarm(look_s=0.02) as alarm:
        assert await alarm.within(60, asyncio.sleep(0.1, "in time")) == "in time"
        with pytest.raises(TimeoutError):
            await alarm.within(0.1, asyncio.sleep(60))
    assert time.monotonic() - began_s > 0.19


async def test_what_is_done_between_two_waits_takes_as_long_as_it_likes():
    async with Alarm() as alarm:
        await alarm.within(0.02, asyncio.sleep(0))
        await asyncio.sleep(0.1)
        assert await alarm.within(0.02, asyncio.sleep(0, "there")) == "there"


async def test_a_thousand_waits_hold_one_timer_and_none_is_left():
    before = len(_timers())
    async with Alarm() as alarm:
        for _ in range(1000):
            await alarm.within(60, asyncio.sleep(0))
            assert len(_timers()) == before + 1
    assert len(_timers()) == before


async def test_who_is_cancelled_while_waiting_is_cancelled():
    async def wait():
        async with Alarm() as alarm:
            await alarm.within(60, asyncio.sleep(60))

    task = asyncio.create_task(wait())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_who_is_cancelled_by_another_too_is_not_merely_late():
    async def wait():
        async with Alarm() as alarm:
            await alarm.within(0.02, _stubborn())

    async def _stubborn():
        try:
            await asyncio.sleep(60)
        finally:  # the alarm has rung; somebody cancels while this goes on
            await asyncio.sleep(0.1)

    task = asyncio.create_task(wait())
    await asyncio.sleep(0.06)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelling() == 1


async def test_an_outer_timeout_ends_a_longer_wait():
    async with Alarm() as alarm:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await alarm.within(60, asyncio.sleep(60))
        assert asyncio.current_task().cancelling() == 0
        assert await alarm.within(60, asyncio.sleep(0, "goes on")) == "goes on"


async def test_an_error_of_the_step_goes_on_as_it_is():
    async def fail():
        await asyncio.sleep(0)
        raise ValueError("mine")

    async with Alarm() as alarm:
        with pytest.raises(ValueError, match="mine"):
            await alarm.within(60, fail())


async def test_an_alarm_goes_from_task_to_task():
    async with Alarm() as alarm:
        await alarm.within(0.05, asyncio.sleep(0))

        async def other():
            with pytest.raises(TimeoutError):
                await alarm.within(0.05, asyncio.sleep(60))
            return "late"

        assert await asyncio.create_task(other()) == "late"
    assert asyncio.current_task().cancelling() == 0
