"""How widgets keep up: the newest state only, a paint now and then, nothing by itself."""

import asyncio
import os
import subprocess
import sys
import threading

import pytest

from multimodel_magic.notebook.widgets import stage
from multimodel_magic.notebook.widgets.stage import Latest, Paced, Place


async def test_a_burst_of_keystrokes_is_worked_on_once_with_the_last_one():
    worked, done = [], asyncio.Event()
    latest = Latest(lambda number: (worked.append(number), done.set()))
    for number in range(100):
        latest.put(number)
    await done.wait()
    await asyncio.sleep(5 * stage.QUIET_S)
    assert worked == [99]


async def test_what_comes_while_one_is_worked_on_is_not_queued():
    worked, done = [], asyncio.Event()

    def work(number):
        worked.append(number)
        if number == 0:
            for more in range(1, 50):  # the messages that queued up meanwhile
                latest.put(more)
        else:
            done.set()

    latest = Latest(work)
    latest.put(0)
    await done.wait()
    await asyncio.sleep(5 * stage.QUIET_S)
    assert worked == [0, 49]


async def test_typing_without_a_pause_is_followed_all_the_same():
    worked, now = [], [0.0]
    latest = Latest(worked.append, clock=lambda: now[0])
    for number in range(40):
        latest.put(number)
        now[0] += 0.03
        await asyncio.sleep(0)
        if number % 10 == 9:
            await asyncio.sleep(2 * stage.QUIET_S)
    assert worked[-1] == 39
    assert len(worked) < 40


def test_without_a_loop_the_work_is_done_at_once():
    worked = []
    Latest(worked.append).put(1)
    assert worked == [1]


def test_work_that_fails_warns_and_the_next_is_done():
    worked = []

    def work(number):
        worked.append(number)
        raise ValueError("odd")

    latest = Latest(work)
    for number in (1, 2):
        with pytest.warns(UserWarning, match="could not follow"):
            latest.put(number)
    assert worked == [1, 2]


def test_paints_are_paced_and_the_last_state_is_painted():
    painted, done = [], threading.Event()

    def paint():
        painted.append(calls)
        if len(painted) == 2:
            done.set()

    paced = Paced(paint, every_s=0.05, clock=lambda: 0.0)
    for calls in range(1000):  # noqa: B007 - paint() reads it
        paced.call()
    assert painted == [0]
    assert done.wait(20)
    assert painted == [0, 999]


def test_a_place_that_is_not_shown_publishes_nothing():
    place = Place({"text/plain": "a"})
    place.fill({"text/plain": "b"})
    assert place.bundle == {"text/plain": "b"}


def test_a_twin_in_css_cannot_leave_its_string():
    written = stage._css('"; } </style><script>alert(1)</script> \\ \n')
    assert not {"<", ">", ";", "}", "/", "\n"} & set(written)
    assert written.count('"') == 2


def test_nothing_heavy_is_imported_for_the_lent_methods():
    code = (
        "import sys; from multimodel_magic import llm; assert 'playground' in dir(llm);"
        "found = {'ipywidgets', 'multimodel_magic.notebook'} & set(sys.modules); assert not found"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ})
