"""Bytes to events: cut anywhere, joined right."""

from __future__ import annotations

import base64
import json
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multimodel_magic.errors import StreamInterrupted
from multimodel_magic.providers import frames, wire
from multimodel_magic.providers.faults import Place
from multimodel_magic.providers.frames import Lines, ServerEvents
from multimodel_magic.providers.hush import redacted
from multimodel_magic.providers.keys import Secret
from multimodel_magic.providers.wire import Reading, tokens
from multimodel_magic.types import TextDelta

TEXTS = st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=6)
CUTS = st.lists(st.integers(min_value=0, max_value=400), max_size=20)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    marks = sorted({0, *(cut for cut in cuts if cut < len(data)), len(data)})
    return [data[a:b] for a, b in pairwise(marks)]


@given(texts=TEXTS, cuts=CUTS, end=ENDS)
def test_events_are_the_same_wherever_the_bytes_are_cut(
    texts: list[str], cuts: list[int], end: str
) -> None:
    documents = [json.dumps({"text": text}, ensure_ascii=False).encode() for text in texts]
    events = [f"event: x{end}: ping{end}data: ".encode() + doc for doc in documents]
    data = b"".join(event + (end * 2).encode() for event in events)
    decoder = ServerEvents()
    got = [doc for piece in pieces(data, cuts) for doc in decoder.feed(piece)]
    assert [json.loads(doc) for doc in [*got, *decoder.flush()]] == [
        {"text": text} for text in texts
    ]


@given(texts=TEXTS, cuts=CUTS)
def test_lines_are_the_same_wherever_the_bytes_are_cut(texts: list[str], cuts: list[int]) -> None:
    data = b"".join(json.dumps(text).encode() + b"\n" for text in texts)
    decoder = Lines()
    got = [line for piece in pieces(data, cuts) for line in decoder.feed(piece)]
    assert [json.loads(line) for line in [*got, *decoder.flush()]] == texts


def test_data_over_several_lines_is_joined_and_a_byte_order_mark_is_dropped() -> None:
    assert ServerEvents().feed(b'\xef\xbb\xbfdata: {"a":\ndata: 1}\n\n') == [b'{"a":\n1}']


def test_an_event_without_end_is_refused_before_it_fills_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(frames, "MAX_EVENT_BYTES", 100)
    with pytest.raises(ValueError, match="more than 100 bytes"):
        ServerEvents().feed(b"data: " + b"x" * 200)


@given(text=st.text(min_size=1), cut=st.integers(min_value=0))
def test_text_cut_within_its_surrogates_comes_out_whole(text: str, cut: int) -> None:
    units = text.encode("utf-16-be", "surrogatepass")
    at = cut % (len(units) // 2 + 1) * 2
    reading = Reading(Place("p", "m"))
    got = ""
    for half in (units[:at], units[at:]):
        reading.pieces.append(half.decode("utf-16-be", "surrogatepass"))
        got += "".join(event.text for event in reading.news() if isinstance(event, TextDelta))
    reading.stop("stop")
    assert got + reading.text() == text


def test_a_lone_surrogate_at_the_end_becomes_a_replacement_character() -> None:
    reading = Reading(Place("p", "m"))
    reading.pieces.append("hi \ud83c")
    assert reading.text() == "hi "
    reading.stop("stop")
    assert reading.text() == "\ufffd"


def test_a_count_that_is_no_number_is_unknown() -> None:
    assert tokens({"a": "many", "b": {"c": None}}, "a") is None
    assert tokens({"a": "many", "b": {"c": None}}, "b", "c") is None
    assert tokens(None, "a") is None


@pytest.mark.parametrize("frames", [ServerEvents, Lines])
def test_no_byte_of_a_long_event_is_looked_at_twice(frames: type[ServerEvents | Lines]) -> None:
    decoder, document = frames(), b'{"x": "' + b"y" * 3_000_000 + b'"}'
    began_s = time.perf_counter()
    data = document + b"\n" if frames is Lines else b"data: " + document + b"\n\n"
    got = [one for at in range(0, len(data), 100) for one in decoder.feed(data[at : at + 100])]
    assert got == [document]
    assert time.perf_counter() - began_s < 3, "a square of the length would take minutes"


def test_more_text_than_any_model_writes_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_TEXT", 10)
    reading = Reading(Place("p", "m"))
    reading.pieces.append("x" * 11)
    with pytest.raises(StreamInterrupted, match="more than 10 characters"):
        reading.news()


@pytest.mark.parametrize(
    ("begin", "is_stream"), [(b"data: {", True), (b": ping", True), (b"{", False), (b"[", False)]
)
def test_the_first_byte_says_whether_an_answer_comes_in_events(
    begin: bytes,
    is_stream: bool,  # noqa: FBT001 - pytest passes parameters by name
) -> None:
    assert ServerEvents().fits(begin) == is_stream
    assert Lines().fits(begin)


@given(
    key=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=16, max_size=60),
    before=st.binary(max_size=5),
    after=st.binary(max_size=5),
)
def test_a_key_in_base64_is_scrubbed_whatever_stands_around_it(
    key: str, before: bytes, after: bytes
) -> None:
    said = base64.b64encode(before + key.encode() + after).decode()
    left = redacted(said, Secret(key))
    assert "[key]" in left
    rest = (len(before) + len(after)) * 4 / 3 + 8  # and what is mixed of a sign and its neighbour
    assert len(left.replace("[key]", "")) <= rest
