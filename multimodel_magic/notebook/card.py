"""The card: one answer in one output, that grows while it streams and ends with its receipt."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from decimal import Decimal
from html import escape
from typing import Any, Protocol, TypeAlias

from multimodel_magic.notebook import FORMATS, Format, hosting
from multimodel_magic.notebook.activity import Activity
from multimodel_magic.notebook.excerpt import LAYOUT_S, Growing, excerpt, left_out
from multimodel_magic.notebook.receipt import notices, receipt
from multimodel_magic.notebook.safe_markdown import (
    IGNORED_BY_MATHJAX,
    code_block,
    fences,
    plain,
    prepare,
    text_block,
    to_html,
)
from multimodel_magic.notebook.terminal import status_line
from multimodel_magic.types import (
    Attempt,
    AttemptStarted,
    Event,
    Finished,
    Reason,
    Response,
    Routed,
    TextDelta,
    Usage,
)

__all__ = ["FORMATS", "Card", "Format", "InOutput", "LiveCard", "Publisher", "answer_html", "facts"]

_MARKDOWN = frozenset({"auto", "markdown"})
_WHOLE = "_.text, or NAME.text with --out NAME"

Bundle: TypeAlias = dict[str, str]
Metadata: TypeAlias = dict[str, Any]

REFRESH_S = 0.1
"""Seconds between two paints: `update_display` per token made a 5 s answer take 24.9 s."""
# A paint, here and in the page, may not take more than this share of the time, however long the
# answer has grown.
PAINTING_SHARE = 0.1

# `contain` clips whatever a formula places outside its card: nothing can be painted over others.
_CARD_STYLE = "contain:content;max-width:100%"
_ANSWER_STYLE = "contain:content;overflow-x:auto;overflow-wrap:anywhere"
_LINE_STYLE = (
    "margin-top:.5em;padding-top:.35em;border-top:1px solid var(--jp-border-color2,#8884);"
    "font-size:.85em;color:var(--jp-ui-font-color2,inherit)"
)
_NOTICE_STYLE = (
    "margin-top:.5em;padding:.25em .6em;font-weight:600;"
    "border-left:3px solid var(--jp-warn-color1,#b36b00)"
)


@dataclass(frozen=True, slots=True)
class Card:
    """A finished response as a notebook shows it; a plain value, so `display(Card(r))` works.

    Parameters
    ----------
    response
        What to show; a failed or interrupted one shows the text that came and its receipt.
    format
        `markdown`, `code` (the fenced code alone), `json` (indented if valid), `text` (as it
        is), or `auto`: json where the whole answer is JSON, else markdown.
    told
        Notices of routing that were shown before, and are not shown again.
    """

    response: Response
    format: Format = "auto"
    told: frozenset[str] = frozenset()

    def __str__(self) -> str:
        """Give the answer, a blank line, then notices and the receipt."""
        lines = [*(f"! {notice}" for notice in self._loud()), receipt(self.response)]
        shown = excerpt(self._text())
        return plain("\n\n".join(part for part in (shown, "\n".join(lines)) if part))

    def _repr_html_(self) -> str:
        below = [*map(_notice_html, self._loud()), _line_html(receipt(self.response))]
        return _page(answer_html(self._text(), self.format), "".join(below))

    def _text(self) -> str:
        return str(self.response.text or "")

    def _loud(self) -> list[str]:
        loud = (notice for notice in notices(self.response) if notice not in self.told)
        return [*left_out(self._text(), _WHOLE), *loud]

    def _repr_mimebundle_(
        self,
        include: object = None,  # IPython's signature
        exclude: object = None,  # same
    ) -> tuple[Bundle, Metadata]:
        bundle = {"text/plain": str(self), "text/html": self._repr_html_()}
        return bundle, {"multimodel_magic": facts(self.response)}


class Publisher(Protocol):
    """Puts a bundle on the page: anew, or over the one that the same publisher put there."""

    def __call__(self, bundle: Bundle, metadata: Metadata, *, update: bool) -> None:
        """Show `bundle`; with `update` in the place of the last one."""
        ...


class InOutput:
    """The publisher for a notebook's or a terminal's output area: one display id."""

    def __init__(self) -> None:
        self._handle: Any = None

    def __call__(self, bundle: Bundle, metadata: Metadata, *, update: bool) -> None:
        """Display `bundle`, or replace what was displayed."""
        from IPython.display import DisplayHandle

        if self._handle is None or not update:
            self._handle = DisplayHandle()  # type: ignore[no-untyped-call]  # theirs
            self._handle.display(bundle, raw=True, metadata=metadata)
        else:
            self._handle.update(bundle, raw=True, metadata=metadata)


class LiveCard:
    """Shows a request's events as they come, in one output, repainted at most every 0.1 s.

    A fault of the display never fails the call: it warns, and painting stops until the end.

    Parameters
    ----------
    format
        As in `Card`.
    stream
        False shows one final output and nothing before it, for runs under nbval. So does a
        terminal, whose output cannot be replaced: one line says there what is waited for.
    publisher
        Where to show; the cell's output by default.
    told
        Notices that the session has shown: they are not shown again, and what is shown here
        joins them. None shows all.
    clock
        Seconds from anywhere, monotonic.
    """

    def __init__(
        self,
        format: Format = "auto",  # noqa: A002  # the option's name
        *,
        stream: bool = True,
        publisher: Publisher | None = None,
        told: set[str] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._format: Format = format
        self._stream = stream and (publisher is not None or hosting.streaming())
        self._line = None if self._stream or publisher is not None else status_line()
        self._publish = publisher or InOutput()
        self._told = set[str]() if told is None else told
        self._told_before = frozenset(self._told)
        self._clock = clock
        self._begun_s = clock()
        # An answer that is whole by then is painted once.
        self._next_s = self._begun_s + REFRESH_S
        self._shown = self._broken = False
        self._activity = Activity(clock)
        self._said: list[str] = []
        self._void()

    def show(self, event: Event) -> None:
        """Take in one event; repaint if it is time, and always at `Finished`."""
        try:
            self._show(event)
        except Exception as error:  # noqa: BLE001  # a display must not fail a paid call
            self._break(error)

    def _show(self, event: Event) -> None:
        self._activity.take(event)
        match event:
            case TextDelta(text):
                self._growing.add(text)
            case Routed(route):
                self._said += [text for text in route.notices if text not in self._told_before]
            case AttemptStarted():
                self._begin()
            case Finished(response):
                self._finish(response)
                return
        self.tick()
        if isinstance(event, AttemptStarted) and self._stream and self._format in _MARKDOWN:
            prepare()  # while the first token is on its way

    def tick(self) -> None:
        """Repaint if it is time: to be called every so often while nothing comes."""
        if self._line is not None:
            self._line.show(self._activity.line())
        elif self._stream and not self._broken and self._clock() >= self._next_s:
            self._paint()

    def interrupted(self) -> None:
        """Keep what came, marked: for an interrupt after which no `Finished` came."""
        self._activity.stop("interrupted")
        self._clear()
        if self._growing or self._shown:
            self._put(lambda: self._growth(final=True))

    def _void(self) -> None:
        self._growing = Growing(self._format, _WHOLE)

    def _begin(self) -> None:
        if self._growing:
            model = self._activity.model
            self._said.append(f"The answer broke off and begins again with {model}.")
        self._void()

    def _paint(self) -> None:
        begun_s = self._clock()
        sent = self._put(self._growth)
        done_s = self._clock()
        took_s = done_s - begun_s + sent * LAYOUT_S
        self._next_s = max(begun_s + REFRESH_S, done_s + took_s / PAINTING_SHARE)

    def _growth(self, *, final: bool = False) -> tuple[Bundle, Metadata]:
        text, said = self._growing.text, [*self._growing.left_out(), *self._said]
        status = self._activity.line()
        lines = "".join([*map(_notice_html, said), _line_html(status)])
        shown = plain("\n\n".join(part for part in (text, *said, status) if part))
        html = answer_html(text, self._format) if final else self._growing.html()
        return {"text/plain": shown, "text/html": _page(html, lines)}, {}

    def _clear(self) -> None:
        if self._line is not None:
            self._line.clear()
            self._line = None

    def _finish(self, response: Response) -> None:
        self._clear()
        if not (self._shown or response.route or response.attempts):
            return  # a word that means nothing: the error's own line says all there is
        self._put(Card(response, self._format, self._told_before)._repr_mimebundle_)
        self._told.update(response.route.notices if response.route else ())

    def _put(self, bundle_of: Callable[[], tuple[Bundle, Metadata]]) -> int:
        """Show a bundle, and return how many characters of HTML the page gets."""
        try:
            bundle, metadata = bundle_of()
            self._publish(bundle, metadata, update=self._shown)
        except Exception as error:  # noqa: BLE001  # a display must not fail a paid call
            self._break(error)
            return 0
        self._shown = True
        return len(bundle["text/html"])

    def _break(self, error: Exception) -> None:
        self._broken, self._line = True, None
        warnings.warn(f"the answer could not be displayed: {error}", stacklevel=3)


def _page(answer: str, below: str) -> str:
    body = f'<div style="{_ANSWER_STYLE}">\n{answer}</div>\n' if answer else ""
    return f'<div class="{IGNORED_BY_MATHJAX}" style="{_CARD_STYLE}">\n{body}{below}</div>'


def _line_html(text: str) -> str:
    return f'<div style="{_LINE_STYLE}">{escape(plain(text))}</div>\n'


def _notice_html(text: str) -> str:
    return f'<div style="{_NOTICE_STYLE}">⚠ {escape(plain(text))}</div>\n'


def answer_html(text: str, wanted: Format) -> str:
    """Show an answer in the format wanted, as much as a page takes; every tag is ours."""
    if not text:
        return ""
    shown = excerpt(text)
    match wanted:
        case "text":
            return text_block(shown)
        case "code":
            return _code_html(shown)
        case "json":
            return _json_html(text) or text_block(shown)
        case "auto":
            return _json_html(text) or to_html(shown)
        case "markdown":
            return to_html(shown)


def _json_html(text: str) -> str | None:
    """Indent `text` if it is a JSON object or array, alone or in one fence; None if not.

    One that is indented more than a page takes is shown as it came, for a page ends somewhere.
    """
    begin = text.lstrip()[:1]
    fenced = fences(text) if begin in {"`", "~"} else []
    inner = fenced[0][1] if len(fenced) == 1 else text
    if inner.lstrip()[:1] not in {"{", "["}:
        return None
    try:
        indented = json.dumps(json.loads(inner), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return None
    fits = excerpt(indented) == indented
    return code_block(indented, "json") if fits else text_block(excerpt(inner))


def _code_html(text: str) -> str:
    """Show the fenced code alone; the whole text where nothing is fenced."""
    fenced = fences(text)
    if not fenced:
        return code_block(text)
    return code_block("\n".join(code for _, code in fenced), fenced[0][0])


def facts(response: Response) -> Metadata:
    """Gather what a program may want to know of the output; odd values become their text."""
    try:
        known: Metadata = json.loads(json.dumps(_known(response), default=str))
    except Exception as error:  # noqa: BLE001  # odd values of a foreign provider
        return {"receipt": receipt(response), "unreadable": type(error).__name__}
    return known


def _known(response: Response) -> Metadata:
    route = response.route
    return {
        "request_id": response.request_id,
        "receipt": receipt(response),
        "notices": list(notices(response)),
        "strategy": route.strategy if route else None,
        "route": list(route.models) if route else [],
        "reasons": [_reason(reason) for reason in route.reasons] if route else [],
        "arm": route.arm if route else None,
        "provider": response.provider,
        "model": response.model,
        "fallback_used": response.fallback_used,
        "cached": response.cached,
        "schema": response.request.schema.name if response.request.schema else None,
        "schema_not_met": response.parsed.fault or None if response.parsed else None,
        "latency_s": response.latency_s,
        "usage": _usage(response.usage),
        "cost_usd": _dollars(response.cost_usd),
        "error_type": type(response.error).__name__ if response.error else None,
        "attempts": [_attempt(attempt) for attempt in response.attempts],
    }


def _reason(reason: Reason) -> Metadata:
    return {"rule": reason.rule, "saw": reason.saw, "score": reason.score}


def _usage(usage: Usage) -> Metadata:
    return asdict(usage)


def _attempt(attempt: Attempt) -> Metadata:
    return {
        "provider": attempt.provider,
        "model": attempt.model,
        "number": attempt.number,
        "rank": attempt.rank,
        "latency_s": attempt.latency_s,
        "ttft_s": attempt.ttft_s,
        "usage": _usage(attempt.usage),
        "cost_usd": _dollars(attempt.cost_usd),
        "stop_reason": attempt.stop_reason,
        "error_type": attempt.error_type,
    }


def _dollars(cost_usd: Decimal | None) -> float | None:
    return None if cost_usd is None else float(cost_usd)
