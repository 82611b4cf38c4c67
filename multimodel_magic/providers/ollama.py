"""Ollama's /api/chat, over the `ollama` SDK."""

from __future__ import annotations

import asyncio
import functools
import time
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit
from urllib.request import getproxies

from multimodel_magic.errors import ContextTooLong, FeatureMissing
from multimodel_magic.providers.faults import Place, Rule, fault, rule
from multimodel_magic.providers.frames import Lines
from multimodel_magic.providers.http import address_fault, origin, patience
from multimodel_magic.providers.keys import setting
from multimodel_magic.providers.remote import Remote, turns
from multimodel_magic.providers.wire import Json, Reading, tokens, word
from multimodel_magic.types import Message, Option, Request, Usage

if TYPE_CHECKING:
    import httpx2
    import ollama

__all__ = ["OllamaProvider"]

PROBE_FRESH_S = 30.0
PROBE_DOWN_S = 2.0
"""Who reads that no server is there starts one, and asks again at once."""
PROBE_S = 0.3
PROBE_HERE_S = 2.0
"""On this machine a port that nobody listens to says so at once: only a busy one takes its time."""
PORT = 11434

PARSING = (AttributeError, TypeError, ValueError)
"""What the SDK raises about an error body of another shape."""

TOP_LEVEL = ("think", "format", "keep_alive", "tools", "logprobs", "top_logprobs")
"""What Ollama's chat takes beside `options`; all else of a request's options belongs in there."""


class OllamaProvider(Remote):
    """An Ollama server: on this machine, or wherever `OLLAMA_HOST` says.

    Whether it is usable is known only after `probe()` (or any answered request): a server is
    there or it is not, and `unusable` asks no network. Before the first probe it says so.

    Parameters
    ----------
    base_url, host
        Two words for one thing, as the SDK says `host`; None asks `OLLAMA_HOST`, then
        `http://127.0.0.1:11434`.
    api_key
        For ollama.com; None asks `OLLAMA_API_KEY`. A server of one's own needs none.
    timeout
        Seconds of silence that are too long; None is 120 s in a stream, 600 s otherwise.
    name
        The word before the colon.

    Notes
    -----
    `Request.options` go where Ollama looks for them: `think`, `format`, `keep_alive`, `tools`,
    `logprobs` and `options` at the top, all others (`temperature`, `num_ctx`, ...) in `options`.

    Examples
    --------
    >>> OllamaProvider(host="gpu-box").base_url
    'http://gpu-box:11434'
    """

    package: ClassVar[str] = "ollama"
    vendor_url: ClassVar[str] = f"http://127.0.0.1:{PORT}"
    missing_hint: ClassVar[str] = "fetch it with `ollama pull {model}`"
    down_hint: ClassVar[str] = "start it with `ollama serve`, or check the address"
    rules: ClassVar[tuple[Rule, ...]] = (
        rule(ContextTooLong, 400, 500, words=r"input length exceeds|exceeds the context"),
        rule(
            FeatureMissing,
            *(400, 500),
            words=r"does not support|missing data required for image|"
            r"grammar|json schema|invalid format",
        ),
    )

    def __init__(
        self,
        *,
        base_url: str | None = None,
        host: str | None = None,
        api_key: str | None = None,
        timeout: float | None = None,
        name: str = "ollama",
        key_env: str | None = None,
    ) -> None:
        super().__init__(
            name=name,
            base_url=base_url or host,
            api_key=api_key,
            timeout=timeout,
            key_env=key_env,
        )
        self._url_env = "OLLAMA_HOST"
        self._probed_at: float | None = None
        self._trouble: str | None = "not asked yet whether a server is there"

    @property
    def base_url(self) -> str:
        """The server's address, with scheme and port."""
        return address((self._given_url or setting(self._url_env) or self.vendor_url).strip())

    def unusable(self) -> str | None:
        """Say what the last probe or request found, or that none was made. No network."""
        return super().unusable() or self._trouble

    def unfit(self) -> str | None:
        """Say why it cannot be asked, whether or not a server is there. No network."""
        return super().unusable()

    async def probe(self) -> str | None:
        """Ask whether a server listens, within 0.3 s; return why not.

        What listened counts as there for 30 s, what did not as gone for 2 s.
        """
        if why := super().unusable():
            return why
        now = time.monotonic()
        fresh_s = PROBE_DOWN_S if self._trouble else PROBE_FRESH_S
        if self._probed_at is not None and now - self._probed_at < fresh_s:
            return self._trouble
        self._trouble = await self._knock()
        self._probed_at = time.monotonic()
        return self._trouble

    async def _knock(self) -> str | None:
        """Say why nobody listens; behind a proxy only a request would tell, and none is made.

        What a server that listens has to say, its answers will: no request is spent on it.
        """
        if getproxies().keys() - {"no"}:
            return None
        there = urlsplit(self.base_url)
        port = there.port or (443 if there.scheme == "https" else 80)
        try:
            is_here = there.hostname in {"127.0.0.1", "::1", "localhost"}
            async with asyncio.timeout(PROBE_HERE_S if is_here else PROBE_S):
                _, writer = await asyncio.open_connection(there.hostname, port)
        except (OSError, ValueError):  # a TimeoutError is an OSError
            at = origin(self.base_url)
            return f"no Ollama server at {at}: start it with `ollama serve`"
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        return None

    def _wants_key(self, url: str) -> bool:  # noqa: ARG002
        return False  # a server of one's own has none, and one that wants it says so

    def _tells(self, place: Place) -> bool:  # noqa: ARG002
        return False  # the schema becomes a grammar, of which the model knows nothing

    def _sdk(
        self, place: Place, timeout: httpx2.Timeout, caught: list[httpx2.Response] | None
    ) -> ollama.AsyncClient:
        import ollama

        from multimodel_magic.providers.transport import Carrier

        has_key = bool(place.secret)
        return ollama.AsyncClient(
            host=place.url,
            # No variable of ours holds the key: some tracebacks show them.
            headers={"authorization": f"Bearer {place.secret.reveal()}"} if has_key else None,
            follow_redirects=False,
            trust_env=False,  # proxies and certificates are the carrying client's business
            transport=Carrier(self._pools.client, timeout, caught, has_key=has_key),
        )

    async def _send(self, place: Place, request: Request) -> httpx2.Response:
        import httpx2
        import ollama

        caught: list[httpx2.Response] = []
        top, inner = _options(request)
        sdk: Any = self._sdk(
            place, self._patience(request), caught
        )  # its overloads know no plain bool
        try:
            answer = await sdk.chat(
                place.model,
                turns(request, system=True, seen=_seen),
                stream=request.stream,
                options=inner or None,
                **top,
            )
            if request.stream:  # the SDK sends only once it is asked for the first chunk
                async with aclosing(answer) as chunks:
                    await anext(chunks)
        except (ollama.ResponseError, httpx2.DecodingError, *PARSING) as error:
            if not caught or caught[0].is_success:
                raise
            # The SDK's error has lost the headers, or is about a body that it cannot read.
            failed = caught[0]
            body = None if isinstance(error, httpx2.DecodingError) else failed.content
            raise fault(place, failed.status_code, body, failed.headers) from error
        self._trouble, self._probed_at = None, time.monotonic()
        return caught[0]

    async def _list(self, place: Place) -> list[str]:
        sdk = self._sdk(place, patience(self.timeout_s, stream=True), None)
        return [model.model for model in (await sdk.list()).models if model.model]

    def _reading(self, place: Place) -> Reading:
        return Chat(place)

    def _frames(self) -> Lines:
        return Lines()

    def _is_whole(self, request: Request) -> bool:
        return not request.stream

    def _sdk_errors(self) -> tuple[type[Exception], ...]:
        import httpx
        import ollama

        return (ollama.ResponseError, ollama.RequestError, httpx.HTTPError, httpx.InvalidURL)


def _seen(turn: Message) -> Json:
    # Bytes, never a text: the SDK would take that for the path of a file, and send the file.
    return {"content": turn.text, "images": [one.data for one in turn.attachments]}


def _options(request: Request) -> tuple[dict[str, Any], dict[str, Option]]:
    """Split a request's options into what stands at the top of the body and what in `options`."""
    limit: dict[str, Option] = (
        {} if request.max_tokens is None else {"num_predict": request.max_tokens}
    )
    given = dict(request.options)
    nested = given.pop("options", None)
    asked: dict[str, Any] = {"logprobs": True} if request.logprobs else {}
    if request.schema is not None:
        asked["format"] = request.schema.to_json()
    top = asked | {name: given.pop(name) for name in TOP_LEVEL if name in given}
    return top, {**limit, **given, **(nested if isinstance(nested, dict) else {})}


@functools.lru_cache(maxsize=64)
def address(host: str) -> str:
    """Return a server's address with scheme and port.

    Examples
    --------
    >>> address("0.0.0.0"), address(":8080"), address("https://ollama.com")
    ('http://127.0.0.1:11434', 'http://127.0.0.1:8080', 'https://ollama.com')
    """
    bare = "://" not in host
    whole = f"http://{host}" if bare else host
    whole = whole.replace("://:", "://127.0.0.1:", 1)
    if address_fault(whole):
        return whole  # what is wrong with it `unusable` says
    parts = urlsplit(whole)
    # A server that listens on all addresses is asked at this machine's own.
    name = parts.hostname or ""
    name = "127.0.0.1" if name == "0.0.0.0" else f"[{name}]" if ":" in name else name  # noqa: S104
    port = parts.port or (PORT if bare else None)
    return f"{parts.scheme}://{name}{f':{port}' if port else ''}{parts.path.rstrip('/')}"


class Chat(Reading):
    """One answer of /api/chat."""

    def take(self, event: Json) -> None:
        """Take one line: a piece of text, and with `done` the reason and the usage."""
        if event.get("error"):
            raise self.fault(event)
        message = (event.get("message") or {}) if event.get("done") else event["message"]
        if content := message.get("content"):
            self.pieces.append(content)
        self.logprobs.take(event.get("logprobs"))
        self.called = self.called or bool(message.get("tool_calls"))
        if event.get("done"):
            self._finish(event)

    def take_whole(self, body: Json) -> None:
        """Take an answer that came in one piece, which has the shape of a last line."""
        self.take(body)
        if not self.stopped:
            raise ValueError("not done")

    def _finish(self, event: Json) -> None:
        self.response_model = word(event.get("model"))
        self.usage = Usage(
            input_tokens=tokens(event, "prompt_eval_count"),
            output_tokens=tokens(event, "eval_count"),
        )
        self.stop(event.get("done_reason"))
        self.complete = True
