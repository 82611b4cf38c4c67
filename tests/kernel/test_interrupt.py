"""Stop means stop: the vendor's connection too, wherever the interrupt strikes."""

import re
import time

import pytest

from tests.drip import Drip
from tests.kernel.conftest import on_every_ipykernel

KEY = "sk-canary-0123456789abcdef"


@pytest.fixture
def drip(kernel):
    with Drip() as drip:
        where = {"OPENAI_BASE_URL": drip.base_url, "OPENAI_API_KEY": KEY}
        setup = f"import os; os.environ.update({where!r})\n"
        setup += "from multimodel_magic import session; session.start(); None"
        assert kernel.run(setup).status == "ok"
        yield drip
        kernel.run("del os.environ['OPENAI_BASE_URL'], os.environ['OPENAI_API_KEY']")


@on_every_ipykernel
def test_each_kernel_is_of_the_series_that_was_asked_for(kernel, request):
    series = request.node.callspec.params["ipykernel"]
    assert kernel.value("__import__('ipykernel').__version__").startswith(f"{series}.")


@on_every_ipykernel
@pytest.mark.parametrize("how", ["awaited", "blocking", "line"])
def test_an_interrupt_closes_the_vendors_connection_within_half_a_second(kernel, drip, how):
    code = {
        "awaited": "%%llm openai:n\nHello",
        "blocking": "get_ipython().run_cell_magic('llm', 'openai:n', 'Hello')",
        "line": "x = %llm -m openai:n Hello",
    }[how]
    for _ in range(3):  # a busy machine may hold up one try, not three
        drip.closed_s = None
        start = time.monotonic()
        ran = kernel.run(code, interrupt_after_s=2.5)
        ended = time.monotonic()
        assert ran.status == "error"
        time.sleep(0.3)
        if ran.took_s < 2.5 + 0.5 and drip.closed_s is not None:  # else it had not connected yet
            break
    assert ran.took_s < 2.5 + 0.5
    assert drip.closed_s is not None
    assert start + 2.5 < drip.closed_s < ended + 0.2
    attempt = kernel.value("multimodel_magic.llm.attempts.iloc[-1].to_dict().__repr__()")
    assert "'error_type': 'Cancelled'" in attempt
    assert "drip drip" in ran.text
    assert kernel.run("%%llm scripted:echo\nstill here").status == "ok"


SLOW = "from multimodel_magic import llm\nimport asyncio\n%llm chaos scripted=latency=30s"


@on_every_ipykernel
@pytest.mark.parametrize(
    "code",
    [
        "await llm.acall('Hello', 'scripted:echo')",
        "await asyncio.gather(*(llm.acall(one, 'scripted:echo') for one in 'abc'))",
        "llm('Hello', 'scripted:echo')",
        "for _ in llm.client.stream_sync(Request('Hello', models=('scripted:echo',))): pass",
        "async for _ in llm.client.stream(Request('Hello', models=('scripted:echo',))): pass",
    ],
)
def test_an_interrupt_of_what_code_asks_is_one_line_at_once(kernel, code):
    kernel.run(f"{SLOW}\nfrom multimodel_magic import Request")
    ran = kernel.run(code, interrupt_after_s=1.0)
    kernel.run("%llm chaos off")
    assert ran.status == "error"
    assert ran.took_s < 1.0 + 2.0, "nothing but the interrupt wakes the kernel for 30 s"
    assert len(ran.traceback) == 1
    assert re.fullmatch(
        r"Cancelled: interrupted after \d\.\d s of asking scripted:echo; it is in the ledger",
        ran.traceback[0],
    )


@on_every_ipykernel
@pytest.mark.parametrize("call", ["llm.compare", "await llm.acompare"])
def test_an_interrupted_comparison_is_one_line_too(kernel, call):
    kernel.run(SLOW)
    ran = kernel.run(f"{call}('Hello', 'scripted:echo,scripted:answers')", interrupt_after_s=1.0)
    kernel.run("%llm chaos off")
    assert ran.took_s < 1.0 + 2.0
    (line,) = ran.traceback
    assert line.startswith("Cancelled: interrupted: every contestant was stopped")


def test_the_key_appears_nowhere_but_in_the_header(kernel, drip):
    ran = kernel.run("%%llm openai:n -v\nHello", interrupt_after_s=1.5)
    reports = [kernel.run(f"%llm {word}") for word in ("why", "doctor", "", "models", "df")]
    seen = repr([ran, *reports])
    seen += kernel.value(
        "repr(multimodel_magic.llm.last) + repr(vars(multimodel_magic.llm.client))"
    )
    seen += kernel.value(
        "multimodel_magic.llm.df.to_json() + multimodel_magic.llm.attempts.to_json()"
    )
    assert KEY not in seen
    head, _, body = drip.requests[0].partition(b"\r\n\r\n")
    assert KEY.encode() in head
    assert KEY.encode() not in body
