"""The receipt: one line on who answered, why, how long it took and what it cost.

    model · why · latency (ttft) · in → out tokens · cost · fell back from X (reason, after t)

One grammar for the card, `%llm last`, tests and terminals.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby

from multimodel_magic.pricing import money
from multimodel_magic.types import Attempt, Response, Usage
from multimodel_magic.wording import number_of

__all__ = ["count", "failure", "model_name", "notices", "receipt", "seconds"]

SEPARATOR = " · "

# Names that say whose they are: with any other, the receipt shows `provider:model`.
_SAYS_ITS_PROVIDER = {
    "anthropic": re.compile(r"claude"),
    "openai": re.compile(r"gpt-\d|chatgpt|o\d"),
}
# The vendors' words for an answer that ended by itself; any other is worth reading.
_WHOLE = frozenset({"end_turn", "stop", "stop_sequence", "completed", "eos", "tool_use"})


def receipt(response: Response) -> str:
    """Say in one line how a request was answered, or why it was not.

    Parameters
    ----------
    response
        A finished response, failed and interrupted ones included.

    Returns
    -------
    str
        The clauses in DESIGN.md 7's order; those that there is nothing to say of are left out.
        What is unknown says so, what is estimated says `about`. Never raises: what a provider
        of somebody else's filled with odd values reads `... unreadable`.

    Examples
    --------
    >>> from decimal import Decimal
    >>> from multimodel_magic.types import Request
    >>> attempt = Attempt("local", "smollm2", 1, usage=Usage(12, 5), cost_usd=Decimal(0))
    >>> receipt(Response(Request("Hi"), "Hello", (attempt,), latency_s=1.2))
    'local:smollm2 · 1.2 s · 12 → 5 tokens · $0'
    """
    return SEPARATOR.join(clause for clause in _clauses(response) if clause)


def notices(response: Response) -> tuple[str, ...]:
    """List what must be said louder than in the receipt: replaced models, refused keys.

    Examples
    --------
    >>> from multimodel_magic.types import Request
    >>> notices(Response(Request("Hi"), "Hello"))
    ()
    """
    said = [*_read("notices", _route_notices, response), *_read("schema", _schema, response)]
    elsewhere = " ".join(_read("error", _error, response))
    for refused in _read("refused keys", _refused_keys, response):
        if not any(refused in text for text in (*said, elsewhere)):
            said.append(refused)
    return tuple(said)


def _route_notices(response: Response) -> Iterable[str]:
    return response.route.notices if response.route else ()


def _schema(response: Response) -> Iterable[str]:
    """Say where an answer is not what the request's schema describes."""
    parsed = response.parsed
    return [] if parsed is None or parsed.error is None else [str(parsed.error)]


def _error(response: Response) -> Iterable[str]:
    """Give the error of the whole request, which the cell ends with anyway."""
    return () if response.error is None else (" ".join(str(response.error).split()),)


def _refused_keys(response: Response) -> Iterator[str]:
    for attempt in response.attempts:
        if attempt.error_type == "AuthenticationFailed":
            said = " ".join(str(attempt.error).split())
            # Our providers' errors say whose key it is, and whether there was one at all.
            yield said if str(attempt.provider) in said else f"{attempt.provider}: {said}"


def seconds(duration_s: float) -> str:
    """Write a duration for reading: milliseconds when short, minutes when long.

    Examples
    --------
    >>> [seconds(s) for s in (0.0123, 0.42, 12.345, 125.0)]
    ['12 ms', '0.4 s', '12.3 s', '2 min 5 s']
    """
    if duration_s < 0.095:  # noqa: PLR2004  # below it one decimal of a second says too little
        return f"{duration_s * 1000:.0f} ms"
    if duration_s < 99.95:  # noqa: PLR2004  # same, above
        return f"{duration_s:.1f} s"
    minutes, rest = divmod(round(duration_s), 60)
    return f"{minutes} min {rest} s"


def model_name(provider: str, model: str) -> str:
    """Name a model so that one knows whose it is.

    Examples
    --------
    >>> model_name("anthropic", "claude-haiku-5-5"), model_name("ollama", "gpt-oss:20b")
    ('claude-haiku-5-5', 'ollama:gpt-oss:20b')
    """
    provider, model = str(provider), str(model)
    says = _SAYS_ITS_PROVIDER.get(provider)
    return model if says and says.match(model) else f"{provider}:{model}"


def failure(attempt: Attempt) -> str:
    """Say in a few words which attempt failed, of what, and after how long.

    Examples
    --------
    >>> failure(Attempt("ollama", "llama3", 1, latency_s=2.1, error_type="RateLimited"))
    'ollama:llama3 failed (rate limited, 2.1 s)'
    """
    return f"{_name(attempt)} failed ({_reasons([attempt])[0]}, {seconds(attempt.latency_s)})"


def _clauses(response: Response) -> Iterator[str]:
    for name, clause in _GRAMMAR.items():
        yield from _read(name, clause, response)


def _read(
    name: str, clause: Callable[[Response], Iterable[str]], response: Response
) -> Iterable[str]:
    try:
        return [str(text) for text in clause(response)]
    except Exception:  # noqa: BLE001  # odd values of a foreign provider fail no paid answer
        return [f"{name} unreadable"]


def _why(response: Response) -> Iterable[str]:
    return [response.route.why if response.route else ""]


def _fell_back(response: Response) -> Iterable[str]:
    return [f"fell back from {_failed(group)}" for group in _models(response.fell_back_from)]


def _who(response: Response) -> Iterator[str]:
    """Name the model that answered; without an answer, all that were asked and how they failed."""
    last = response.attempts[-1] if response.attempts else None
    if last is not None and (response.succeeded or _interrupted(response)):
        yield _name(last)
        yield _served_by(last)
        return
    yield "no answer"
    yield from map(_failed, _models(response.attempts))


def _name(attempt: Attempt) -> str:
    return model_name(attempt.provider, attempt.model)


def _served_by(attempt: Attempt) -> str:
    """Say when the vendor used another model than asked, a dated or tagged name of it excepted."""
    used = (attempt.response_model or "").lower()
    asked = attempt.model.lower()
    if not used or used.startswith(asked) or asked.endswith(used) or used == attempt.provider:
        return ""
    return f"answered as {attempt.response_model}"


def _latency(response: Response) -> Iterable[str]:
    ttft_s = response.ttft_s if response.request.stream else None
    first = "" if ttft_s is None else f" ({seconds(ttft_s)} to first token)"
    return [f"{seconds(response.latency_s)}{first}"]


def _tokens(response: Response) -> Iterable[str]:
    return [_flow(response.usage)] if response.attempts else []


def _flow(usage: Usage) -> str:
    if usage.input_tokens is None and usage.output_tokens is None:
        return "tokens unknown"
    cached = f" ({usage.cache_read_tokens:,} cached)" if usage.cache_read_tokens else ""
    thought = f" ({usage.reasoning_tokens:,} reasoning)" if usage.reasoning_tokens else ""
    flow = f"{count(usage.input_tokens)}{cached} → {count(usage.output_tokens)}{thought} tokens"
    return f"about {flow}" if usage.estimated else flow


def count(tokens: int | None) -> str:
    """Write a number of tokens; `?` where it is unknown."""
    return "?" if tokens is None else f"{tokens:,}"


def _cost(response: Response) -> Iterable[str]:
    if not response.attempts:
        return []
    guessed = (a.usage.estimated or a.price_source == "catalogue-loose" for a in response.attempts)
    return [money(response.cost_usd, about=any(guessed))]


def _cached(response: Response) -> Iterable[str]:
    return ["cached" if response.cached else ""]


def _ending(response: Response) -> Iterable[str]:
    if _interrupted(response):
        return ["interrupted"]
    stop = response.stop_reason if response.succeeded else None
    stopped = [f"stopped: {stop}"] if stop and stop not in _WHOLE else []
    unmet = response.parsed is not None and response.parsed.error is not None
    return [*stopped, *(["schema not met"] if unmet else [])]


def _interrupted(response: Response) -> bool:
    return type(response.error).__name__ in {"Cancelled", "KeyboardInterrupt"}


def _retried(response: Response) -> Iterable[str]:
    """Count the retries of the model that answered: its failures before."""
    answer = response.answered_by
    failed = [a for a in response.attempts if answer and a.rank == answer.rank and not a.succeeded]
    if not failed:
        return []
    times = "once" if len(failed) == 1 else number_of(len(failed), "time")
    return [f"retried {times} ({', '.join(_reasons(failed))})"]


def _skipped(response: Response) -> Iterator[str]:
    """Name the models before the one that answered that were not asked, and why in a few words.

    A refused key is none of them: a notice says it louder.
    """
    answer, route = response.answered_by, response.route
    before = route.models[: answer.rank] if answer is not None and route is not None else ()
    tried = {attempt.name for attempt in response.attempts}
    for out in route.left_out if route is not None else ():
        if out.model in before and out.model not in tried and "refused before" not in out.why:
            why = re.split(r" \(|; |: \$", out.why, maxsplit=1)[0]
            yield f"skipped {model_name(*out.model.split(':', 1))} ({why})"


def _models(attempts: Iterable[Attempt]) -> Iterator[list[Attempt]]:
    """Group attempts by place in the route."""
    return (list(group) for _, group in groupby(attempts, key=lambda attempt: attempt.rank))


def _failed(attempts: list[Attempt]) -> str:
    often = [number_of(len(attempts), "attempt")] if len(attempts) > 1 else []
    took = seconds(sum(attempt.latency_s for attempt in attempts))
    return f"{_name(attempts[0])} ({', '.join([*_reasons(attempts), *often, took])})"


def _reasons(attempts: list[Attempt]) -> list[str]:
    """Give each kind of failure once, in words: `RateLimited` reads `rate limited`."""
    kinds = dict.fromkeys(attempt.error_type or "answered" for attempt in attempts)
    return [re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind).lower() for kind in kinds]


_GRAMMAR: Mapping[str, Callable[[Response], Iterable[str]]] = {
    "model": _who,
    "why": _why,
    "latency": _latency,
    "tokens": _tokens,
    "cost": _cost,
    "cache": _cached,
    "ending": _ending,
    "retries": _retried,
    "fallback": _fell_back,
    "skipped models": _skipped,
}
"""The receipt's clauses in order, each under the word for what is unreadable in it."""
