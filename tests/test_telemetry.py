"""Telemetry: requests as spans in the conventions' words, to a real receiver, off by default."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.errors import AllModelsFailed
from multimodel_magic.ledger import Ledger
from multimodel_magic.providers.scripted import ScriptedProvider
from multimodel_magic.session import Session
from multimodel_magic.telemetry import Telemetry, from_environment, switch
from multimodel_magic.types import Attempt, Message, Request, Response, Route, Usage

pytest.importorskip("opentelemetry.sdk", reason="OpenTelemetry is not installed")

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
FAILED = Attempt(
    "openai",
    "gpt-6.1-sol",
    1,
    started_at=NOON,
    latency_s=2.0,
    error_type="Overloaded",
    error="openai is overloaded: SECRET PROMPT",
)
ANSWER = Attempt(
    "anthropic",
    "claude-haiku-5-5",
    2,
    rank=1,
    started_at=NOON + timedelta(seconds=2),
    latency_s=1.25,
    ttft_s=0.5,
    usage=Usage(312, 88, 12, 3, 5),
    cost_usd=Decimal("0.0002"),
    price_source="catalogue",
    stop_reason="end_turn",
    response_model="claude-haiku-5-5-20260901",
    response_id="msg_1",
)
REQUEST = Request(
    "SECRET PROMPT",
    system="SECRET SYSTEM",
    history=(Message("user", "Hi"), Message("assistant", "Hello")),
    max_tokens=50,
    options={"temperature": 0.5},
    labels={"notebook": "a.ipynb"},
)
ROUTE = Route(("openai:gpt-6.1-sol", "anthropic:claude-haiku-5-5"), "complexity", arm="x:control")
ANSWERED = Response(
    REQUEST, "SECRET ANSWER", (FAILED, ANSWER), ROUTE, latency_s=3.5, started_at=NOON
)


SETUP = """
import sys
from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.ledger import Ledger
from multimodel_magic.providers.scripted import ScriptedProvider
from multimodel_magic.session import Session

session = Session(UnifiedLLMClient({"scripted": ScriptedProvider()}), ledger=Ledger(":memory:"))
"""
ASK = "print(session('Hello', 'scripted:echo').succeeded)"


def python(script: str, **environment: str) -> str:
    """Run a script, which must say nothing on stderr, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", SETUP + script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class Books:
    """A telemetry that keeps its spans and metrics in memory."""

    def __init__(self, *, content: bool = False) -> None:
        self.exporter, self.reader = InMemorySpanExporter(), InMemoryMetricReader()
        tracers = TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.telemetry = Telemetry(tracers, MeterProvider([self.reader]), content=content)

    def spans(self, response: Response) -> list:
        self.telemetry.record(response)
        return list(self.exporter.get_finished_spans())

    def metrics(self) -> dict[str, list]:
        scopes = self.reader.get_metrics_data().resource_metrics[0].scope_metrics
        return {m.name: list(m.data.data_points) for s in scopes for m in s.metrics}


def test_a_request_is_one_span_with_one_below_for_each_attempt() -> None:
    failed, answered, request = Books().spans(ANSWERED)
    assert [s.name for s in (failed, answered)] == ["chat gpt-6.1-sol", "chat claude-haiku-5-5"]
    assert request.name == "multimodel_magic.request"
    assert request.parent is None
    assert {s.parent.span_id for s in (failed, answered)} == {request.context.span_id}
    assert (answered.end_time - answered.start_time) / 1e9 == 1.25
    assert answered.start_time / 1e9 == ANSWER.started_at.timestamp()
    assert (request.end_time - request.start_time) / 1e9 == 3.5


def test_an_attempt_speaks_in_the_words_of_the_conventions() -> None:
    _, answered, _ = Books().spans(ANSWERED)
    said = dict(answered.attributes)
    assert {n: v for n, v in said.items() if n.startswith("gen_ai.")} == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "claude-haiku-5-5",
        "gen_ai.request.max_tokens": 50,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.response.model": "claude-haiku-5-5-20260901",
        "gen_ai.response.id": "msg_1",
        "gen_ai.response.finish_reasons": ("end_turn",),
        "gen_ai.usage.input_tokens": 312,
        "gen_ai.usage.output_tokens": 88,
        "gen_ai.usage.cache_read.input_tokens": 12,
        "gen_ai.usage.cache_creation.input_tokens": 3,
    }
    assert said["multimodel_magic.cost_usd"] == 0.0002
    assert answered.kind.name == "CLIENT"


def test_failures_carry_their_type_and_tokens_are_the_attempts_alone() -> None:
    failed, answered, request = Books().spans(ANSWERED)
    assert failed.attributes["error.type"] == "Overloaded"
    assert (failed.status.status_code.name, answered.status.status_code.name) == ("ERROR", "UNSET")
    assert request.attributes["multimodel_magic.fallback_used"] is True
    assert request.attributes["multimodel_magic.arm"] == "x:control"
    assert not [name for name in request.attributes if name.startswith("gen_ai.")]


def test_a_request_without_an_answer_is_an_error() -> None:
    response = Response(REQUEST, "", (FAILED,), ROUTE, AllModelsFailed((FAILED,)), started_at=NOON)
    *_, request = Books().spans(response)
    assert request.attributes["error.type"] == "AllModelsFailed"
    assert request.attributes["multimodel_magic.status"] == "failed"
    assert request.status.status_code.name == "ERROR"


def test_no_text_leaves_unless_asked_for() -> None:
    assert "SECRET" not in "".join(span.to_json() for span in Books().spans(ANSWERED))
    failed, answered, _ = Books(content=True).spans(ANSWERED)
    asked = json.loads(answered.attributes["gen_ai.input.messages"])
    assert [turn["role"] for turn in asked] == ["user", "assistant", "user"]
    assert asked[-1]["parts"] == [{"type": "text", "content": "SECRET PROMPT"}]
    (said,) = json.loads(answered.attributes["gen_ai.output.messages"])
    assert said["parts"][0]["content"] == "SECRET ANSWER"
    assert "SECRET SYSTEM" in answered.attributes["gen_ai.system_instructions"]
    assert "gen_ai.output.messages" not in failed.attributes
    assert "overloaded" in failed.status.description


def test_durations_and_tokens_are_metrics() -> None:
    books = Books()
    books.spans(ANSWERED)
    found = books.metrics()
    durations = found["gen_ai.client.operation.duration"]
    assert sorted(point.sum for point in durations) == [1.25, 2.0]
    tokens = {p.attributes["gen_ai.token.type"]: p.sum for p in found["gen_ai.client.token.usage"]}
    assert tokens == {"input": 312, "output": 88}


def test_what_cannot_be_sent_fails_no_call_and_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = Response(REQUEST, "", (), None, started_at=None)
    books = Books()
    books.spans(broken)
    assert books.spans(broken) == []
    assert len(caplog.records) == 1


def test_a_session_sends_what_is_asked_for_and_no_more_after() -> None:
    client = UnifiedLLMClient({"scripted": ScriptedProvider()})
    session = Session(client, ledger=Ledger(":memory:"))
    books = Books()
    session.watchers.append(books.telemetry.record)
    session("Hello", "scripted:echo")
    assert len(books.exporter.get_finished_spans()) == 2
    switch(session.watchers, on=False)
    session("Hello", "scripted:echo")
    assert len(books.exporter.get_finished_spans()) == 2
    assert session.watchers == []


def test_the_environment_asks_for_it_or_does_not() -> None:
    for said in ("", "0", "off"):
        watchers = []
        from_environment(watchers, {"MULTIMODEL_TELEMETRY": said})
        assert watchers == []


def test_it_costs_no_import_while_it_is_off() -> None:
    python("""
assert not [m for m in sys.modules if m.startswith("opentelemetry")]
assert "multimodel_magic.telemetry" not in sys.modules
""")


class Receiver(BaseHTTPRequestHandler):
    """An OTLP/HTTP receiver that keeps what it gets."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, dict(self.headers), body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.got = []
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_spans_and_metrics_reach_an_otlp_receiver(receiver: ThreadingHTTPServer) -> None:
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
        ExportMetricsServiceRequest,
    )
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    said = python(
        ASK,
        MULTIMODEL_TELEMETRY="1",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{receiver.server_port}",
        OTEL_EXPORTER_OTLP_HEADERS="x-key=canary",
        OTEL_SERVICE_NAME="a-notebook",
    )
    assert said == "True\n"
    got = {path: (headers, body) for path, headers, body in receiver.got}
    headers, body = got["/v1/traces"]
    assert {name.lower(): v for name, v in headers.items()}["x-key"] == "canary"
    (resource,) = ExportTraceServiceRequest.FromString(body).resource_spans
    names = {a.key: a.value.string_value for a in resource.resource.attributes}
    assert names["service.name"] == "a-notebook"
    spans = {span.name: span for span in resource.scope_spans[0].spans}
    assert set(spans) == {"multimodel_magic.request", "chat echo"}
    assert spans["chat echo"].parent_span_id == spans["multimodel_magic.request"].span_id
    (measured,) = ExportMetricsServiceRequest.FromString(got["/v1/metrics"][1]).resource_metrics
    assert "gen_ai.client.operation.duration" in {
        metric.name for metric in measured.scope_metrics[0].metrics
    }


def test_a_receiver_that_is_down_fails_no_call() -> None:
    said = python(
        ASK,
        MULTIMODEL_TELEMETRY="1",
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="http://127.0.0.1:9/v1/traces",
        OTEL_EXPORTER_OTLP_TIMEOUT="1",
    )
    assert said == "True\n"
