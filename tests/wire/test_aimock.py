"""The SDKs against aimock: all four wires."""
# ruff: noqa: FBT001, PLR0917 - pytest passes parameters by name

from __future__ import annotations

from typing import Any

import pytest

from multimodel_magic.errors import (
    AuthenticationFailed,
    MultimodelError,
    Overloaded,
    RateLimited,
    StreamInterrupted,
)
from multimodel_magic.types import Request

STREAMED = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])


@STREAMED
async def test_an_answer(wire: Any, aimock: str, ask: Any, stream: bool) -> None:
    answer = await ask(wire.provider(aimock), Request("hello", stream=stream))
    assert answer.text == "Hello, wörld 🌍!"
    assert answer.usage.output_tokens is not None
    assert answer.stops[0].stop_reason in {"end_turn", "stop", "completed"}


@pytest.mark.parametrize(
    ("status", "expected"), [(401, AuthenticationFailed), (429, RateLimited), (529, Overloaded)]
)
@STREAMED
async def test_a_failing_status_is_translated(
    wire: Any, aimock: str, ask: Any, stream: bool, status: int, expected: type[MultimodelError]
) -> None:
    with pytest.raises(expected, match=str(status)):
        await ask(wire.provider(aimock), Request(f"fail {status}", stream=stream))


async def test_a_truncated_stream_was_interrupted(wire: Any, aimock: str, ask: Any) -> None:
    with pytest.raises(StreamInterrupted):
        await ask(wire.provider(aimock), Request("cut"))


async def test_models_are_listed(wire: Any, aimock: str) -> None:
    assert await wire.provider(aimock).models()
