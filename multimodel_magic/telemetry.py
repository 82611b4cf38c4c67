"""Requests as OpenTelemetry spans and metrics, where that is asked for.

One span a request, and below it one an attempt (a call to a model, failed ones included), in the
words of OpenTelemetry's GenAI conventions; what they have no word for is `multimodel_magic.*`.
The tables `ATTEMPT` and `REQUEST` say which is which. Prompts and answers, and the words of
errors, which may quote them, are left out unless asked for.

OpenTelemetry is imported when the first telemetry begins. Where the spans go is for its
environment variables to say (`OTEL_EXPORTER_OTLP_ENDPOINT`, ...); a tracer provider that the
process has set up already is used as it is.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

from multimodel_magic.errors import Cancelled, ProviderMissing
from multimodel_magic.types import Attempt, Response

if TYPE_CHECKING:
    from opentelemetry.metrics import Histogram, MeterProvider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.trace import Span, TracerProvider

__all__ = ["ATTEMPT", "CONTENT", "REQUEST", "Telemetry", "attributes", "from_environment", "switch"]

_log = logging.getLogger("multimodel_magic.telemetry")

Value: TypeAlias = "str | int | float | bool | tuple[str, ...]"
Of: TypeAlias = "Callable[[Response, Attempt], Value | None]"
OfRequest: TypeAlias = "Callable[[Response], Value | None]"
Watchers: TypeAlias = "list[Callable[[Response], None]]"

ENVIRONMENT = "MULTIMODEL_TELEMETRY"
"""Asks for telemetry from outside: `1`, or `content` for the prompts and answers too."""

_DURATION_S = (
    0.01,
    0.02,
    0.04,
    0.08,
    0.16,
    0.32,
    0.64,
    1.28,
    2.56,
    5.12,
    10.24,
    20.48,
    40.96,
    81.92,
)
_TOKENS = tuple(4**power for power in range(14))
"""Bounds of the histograms, as the conventions advise: open-telemetry/semantic-conventions,
docs/gen-ai/gen-ai-metrics.md."""


def _status(response: Response) -> str:
    if response.error is None:
        return "answered"
    return "interrupted" if isinstance(response.error, Cancelled) else "failed"


ATTEMPT: Mapping[str, Of] = {
    "gen_ai.operation.name": lambda *_: "chat",
    "gen_ai.provider.name": lambda _, a: a.provider,
    "gen_ai.request.model": lambda _, a: a.model,
    "gen_ai.request.max_tokens": lambda r, _: r.request.max_tokens,
    "gen_ai.request.temperature": lambda r, _: _number(r.request.options.get("temperature")),
    "gen_ai.request.top_p": lambda r, _: _number(r.request.options.get("top_p")),
    "gen_ai.output.type": lambda r, _: None if r.request.schema is None else "json",
    "gen_ai.response.model": lambda _, a: a.response_model,
    "gen_ai.response.id": lambda _, a: a.response_id,
    "gen_ai.response.finish_reasons": lambda _, a: (a.stop_reason,) if a.stop_reason else None,
    "gen_ai.usage.input_tokens": lambda _, a: a.usage.input_tokens,
    "gen_ai.usage.output_tokens": lambda _, a: a.usage.output_tokens,
    "gen_ai.usage.cache_read.input_tokens": lambda _, a: a.usage.cache_read_tokens,
    "gen_ai.usage.cache_creation.input_tokens": lambda _, a: a.usage.cache_write_tokens,
    "error.type": lambda _, a: a.error_type,
    "multimodel_magic.request_id": lambda r, _: r.request_id,
    "multimodel_magic.number": lambda _, a: a.number,
    "multimodel_magic.rank": lambda _, a: a.rank,
    "multimodel_magic.ttft_s": lambda _, a: a.ttft_s,
    "multimodel_magic.reasoning_tokens": lambda _, a: a.usage.reasoning_tokens,
    "multimodel_magic.usage_estimated": lambda _, a: a.usage.estimated,
    "multimodel_magic.cost_usd": lambda _, a: None if a.cost_usd is None else float(a.cost_usd),
    "multimodel_magic.price_source": lambda _, a: a.price_source,
    "multimodel_magic.turned_down": lambda _, a: a.turned_down,
}
"""What an attempt's span says, in whose words."""

REQUEST: Mapping[str, OfRequest] = {
    "error.type": lambda r: None if r.error is None else type(r.error).__name__,
    "multimodel_magic.request_id": lambda r: r.request_id,
    "multimodel_magic.status": _status,
    "multimodel_magic.strategy": lambda r: r.route.strategy if r.route else r.request.strategy,
    "multimodel_magic.route": lambda r: r.route.models if r.route else None,
    "multimodel_magic.why": lambda r: r.route.why if r.route else None,
    "multimodel_magic.arm": lambda r: r.route.arm if r.route else None,
    "multimodel_magic.provider": lambda r: r.provider,
    "multimodel_magic.model": lambda r: r.model,
    "multimodel_magic.fallback_used": lambda r: r.fallback_used,
    "multimodel_magic.cached": lambda r: r.cached,
    "multimodel_magic.schema": lambda r: r.request.schema.name if r.request.schema else None,
    "multimodel_magic.schema_not_met": lambda r: r.parsed.fault or None if r.parsed else None,
    "multimodel_magic.attempts": lambda r: len(r.attempts),
    "multimodel_magic.cost_usd": lambda r: None if r.cost_usd is None else float(r.cost_usd),
    "multimodel_magic.task": lambda r: r.request.task,
    "multimodel_magic.user_tier": lambda r: r.request.user_tier,
    "multimodel_magic.task_value": lambda r: r.request.task_value,
    "multimodel_magic.session": lambda r: r.request.labels.get("session"),
    "multimodel_magic.notebook": lambda r: r.request.labels.get("notebook"),
    "multimodel_magic.cell": lambda r: r.request.labels.get("cell"),
}
"""What a request's span says; tokens are its attempts' alone, so that none is counted twice."""

CONTENT: Mapping[str, Of] = {
    "gen_ai.system_instructions": lambda r, _: _parts(r.request.system),
    "gen_ai.input.messages": lambda r, _: _asked(r),
    "gen_ai.output.messages": lambda r, a: _said(r, a),  # noqa: PLW0108 - it is below
}
"""What an attempt's span says besides where content is asked for: JSON, as the conventions do."""


def switch(watchers: Watchers, *, on: bool, content: bool = False) -> None:
    """Have a session's watchers send requests on from now on, or no more.

    Raises
    ------
    ProviderMissing
        Where OpenTelemetry is not installed; what was sent on before goes on.
    """
    new = [Telemetry(content=content).record] if on else []
    kept = [tell for tell in watchers if not isinstance(_owner(tell), Telemetry)]
    watchers[:] = [*kept, *new]


def _owner(tell: Callable[[Response], None]) -> object:
    return getattr(tell, "__self__", None)


def from_environment(watchers: Watchers, environment: Mapping[str, str] = os.environ) -> None:
    """Switch on where `MULTIMODEL_TELEMETRY` says so; what is missing is said, and no error."""
    said = environment.get(ENVIRONMENT, "").strip().lower()
    if said in ("", "0", "false", "no", "off"):
        return
    try:
        switch(watchers, on=True, content=said == "content")
    except ProviderMissing as error:
        _log.warning("%s", error)


class Telemetry:
    """Sends finished requests on as spans and metrics; never fails the call that it records.

    Parameters
    ----------
    tracer_provider, meter_provider
        OpenTelemetry's; by default the process's own, and where it has none one that sends by
        OTLP over HTTP, as the environment says. Metrics are sent only where the environment names
        an endpoint that takes them.
    content
        Whether prompts, answers and the words of errors are sent too.

    Raises
    ------
    ProviderMissing
        Where OpenTelemetry is not installed.
    """

    def __init__(
        self,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        *,
        content: bool = False,
    ) -> None:
        try:
            self._tracers = tracer_provider or _tracer_provider()
            meters = meter_provider or _meter_provider()
        except ImportError as error:
            raise ProviderMissing(
                "telemetry needs OpenTelemetry: pip install 'multimodel_magic[otel]'"
            ) from error
        self._content = content
        self._tracer = self._tracers.get_tracer("multimodel_magic")
        self._metrics = None if meters is None else _Metrics(meters)
        self._in_trouble = False

    def record(self, response: Response) -> None:
        """Send a finished request on."""
        try:
            self._send(response)
        # A number that is none, a moment before 1970: whatever a response may hold.
        except (ValueError, TypeError, ArithmeticError, AttributeError, RuntimeError) as error:
            if not self._in_trouble:
                _log.warning("telemetry of request %s failed: %r", response.request_id, error)
            self._in_trouble = True

    def flush(self) -> None:
        """Wait until everything recorded so far is sent, or has been tried to."""
        flush = getattr(self._tracers, "force_flush", None)
        if flush is not None:
            flush()

    def _send(self, response: Response) -> None:
        from opentelemetry.trace import SpanKind, set_span_in_context

        start = _ns(response.started_at)
        span = self._tracer.start_span(
            "multimodel_magic.request",
            attributes=_known({name: of(response) for name, of in REQUEST.items()}),
            start_time=start,
        )
        for attempt in response.attempts:
            begun = _ns(attempt.started_at)
            below = self._tracer.start_span(
                f"chat {attempt.model}",
                set_span_in_context(span),
                SpanKind.CLIENT,
                attributes(response, attempt, content=self._content),
                start_time=begun,
            )
            self._mark(below, attempt.error_type, attempt.error)
            below.end(begun + _duration_ns(attempt.latency_s))
            if self._metrics is not None and not attempt.cached:
                self._metrics.record(attempt)
        error = response.error
        self._mark(span, None if error is None else type(error).__name__, str(error))
        span.end(start + _duration_ns(response.latency_s))

    def _mark(self, span: Span, error_type: str | None, words: str | None) -> None:
        from opentelemetry.trace import StatusCode

        if error_type is not None and error_type != Cancelled.__name__:
            span.set_status(StatusCode.ERROR, words if self._content else error_type)


def attributes(response: Response, attempt: Attempt, *, content: bool = False) -> dict[str, Value]:
    """Return what an attempt's span says; what is unknown is left out."""
    table = {**ATTEMPT, **(CONTENT if content else {})}
    return _known({name: of(response, attempt) for name, of in table.items()})


class _Metrics:
    """The conventions' two metrics of a client."""

    def __init__(self, meters: MeterProvider) -> None:
        meter = meters.get_meter("multimodel_magic")
        self._duration: Histogram = meter.create_histogram(
            "gen_ai.client.operation.duration",
            unit="s",
            description="How long calls to models took.",
            explicit_bucket_boundaries_advisory=_DURATION_S,
        )
        self._tokens: Histogram = meter.create_histogram(
            "gen_ai.client.token.usage",
            unit="{token}",
            description="Tokens that calls to models took and gave.",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )

    def record(self, attempt: Attempt) -> None:
        said = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": attempt.provider,
            "gen_ai.request.model": attempt.model,
            "gen_ai.response.model": attempt.response_model,
        }
        labels = {name: value for name, value in said.items() if value is not None}
        failed = {"error.type": attempt.error_type} if attempt.error_type else {}
        self._duration.record(attempt.latency_s, labels | failed)
        usage = attempt.usage
        for kind, tokens in (("input", usage.input_tokens), ("output", usage.output_tokens)):
            if tokens is not None:
                self._tokens.record(tokens, labels | {"gen_ai.token.type": kind})


def _tracer_provider() -> TracerProvider:
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    known = trace.get_tracer_provider()
    if isinstance(known, TracerProvider):
        return known
    made = TracerProvider(resource=_resource())
    made.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return made


def _meter_provider() -> MeterProvider | None:
    from opentelemetry import metrics
    from opentelemetry.sdk.metrics import MeterProvider

    known = metrics.get_meter_provider()
    if isinstance(known, MeterProvider):
        return known
    named = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")
    if os.environ.get("OTEL_METRICS_EXPORTER") == "none" or not any(map(os.environ.get, named)):
        return None
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    reader = PeriodicExportingMetricReader(OTLPMetricExporter())
    return MeterProvider([reader], resource=_resource())


def _resource() -> Resource:
    from opentelemetry.sdk.resources import Resource

    # The environment's OTEL_SERVICE_NAME outweighs it.
    name = os.environ.get("OTEL_SERVICE_NAME", "multimodel_magic")
    return Resource.create({"service.name": name})


def _known(said: Mapping[str, Value | None]) -> dict[str, Value]:
    return {name: value for name, value in said.items() if value is not None}


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _ns(moment: datetime) -> int:
    return int(moment.timestamp() * 1e9)


def _duration_ns(duration_s: float) -> int:
    return max(0, int(duration_s * 1e9))


# --- content


def _part(text: str) -> dict[str, str]:
    return {"type": "text", "content": text}


def _parts(text: str | None) -> str | None:
    return None if text is None else json.dumps([_part(text)], ensure_ascii=False)


def _asked(response: Response) -> str:
    turns = [(turn.role, turn.text) for turn in response.request.history]
    said = [{"role": role, "parts": [_part(text)]}
            for role, text in (*turns, ("user", response.request.prompt))]  # fmt: skip
    return json.dumps(said, ensure_ascii=False)


def _said(response: Response, attempt: Attempt) -> str | None:
    """Return the answer; that of an attempt that was not the last is not kept by anybody."""
    if attempt is not response.attempts[-1] or not response.text:
        return None
    reason = attempt.stop_reason or "error"
    said = {"role": "assistant", "parts": [_part(response.text)], "finish_reason": reason}
    return json.dumps([said], ensure_ascii=False)
