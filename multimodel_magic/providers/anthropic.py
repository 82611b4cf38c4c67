"""Anthropic's Messages, over the `anthropic` SDK."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, cast

from multimodel_magic.errors import ContentFiltered, ContextTooLong, QuotaExceeded
from multimodel_magic.providers.faults import Place, Rule, rule
from multimodel_magic.providers.frames import ServerEvents
from multimodel_magic.providers.remote import Remote, in_base64, turns
from multimodel_magic.providers.structured import mapped, merged
from multimodel_magic.providers.wire import Json, Reading, tokens, word
from multimodel_magic.schemas import parts
from multimodel_magic.types import Message as Turn
from multimodel_magic.types import Request, Schema, Usage

if TYPE_CHECKING:
    import anthropic
    import httpx2

__all__ = ["AnthropicProvider"]

MAX_TOKENS = 4096
"""Messages insists on a limit; every Claude since 3 allows this one."""


class AnthropicProvider(Remote):
    """Claude, from Anthropic itself or from whoever speaks its Messages wire.

    Parameters
    ----------
    base_url
        Without `/v1`; None asks `ANTHROPIC_BASE_URL`, then `https://api.anthropic.com`.
    api_key
        None asks `ANTHROPIC_API_KEY`.
    timeout
        Seconds of silence that are too long; None is 120 s in a stream, 600 s otherwise.
    name
        The word before the colon; under another name the variables are `NAME_API_KEY` and
        `NAME_BASE_URL`.
    key_env
        The key's environment variable, where it goes by a name of its own.

    Examples
    --------
    >>> AnthropicProvider(api_key="sk-ant-canary")
    AnthropicProvider(name='anthropic', base_url='https://api.anthropic.com')
    """

    package: ClassVar[str] = "anthropic"
    vendor_url: ClassVar[str] = "https://api.anthropic.com"
    rules: ClassVar[tuple[Rule, ...]] = (
        rule(ContextTooLong, 400, words=r"prompt is too long|exceed context limit"),
        rule(QuotaExceeded, 400, words=r"credit balance is too low|usage limits"),
        rule(ContentFiltered, 400, words=r"blocked by content filtering"),
    )

    def __init__(
        self,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        timeout: float | None = None,
        name: str = "anthropic",
        key_env: str | None = None,
    ) -> None:
        super().__init__(
            name=name, base_url=base_url, api_key=api_key, timeout=timeout, key_env=key_env
        )

    async def _sdk(self, place: Place) -> anthropic.AsyncAnthropic:
        import anthropic

        def make(client: httpx2.AsyncClient) -> anthropic.AsyncAnthropic:
            sdk = anthropic.AsyncAnthropic(
                # Never None: the SDK would go looking for other credentials on this machine.
                api_key=place.secret.reveal() or "none",
                base_url=place.url,
                max_retries=0,
                http_client=client,
            )
            if not self._is_vendors(place.url):
                # The headers of ANTHROPIC_CUSTOM_HEADERS, which no argument keeps away.
                sdk._custom_headers = {}  # noqa: SLF001
            if not place.secret:
                unsent: dict[str, Any] = dict.fromkeys(
                    ("Authorization", "X-Api-Key"), anthropic.Omit()
                )
                sdk._custom_headers = {**sdk._custom_headers, **unsent}  # noqa: SLF001
            return sdk

        return await self._pools.sdk((place.secret, place.url), make)

    async def _send(self, place: Place, request: Request) -> httpx2.Response:
        import anthropic
        import httpx2

        sdk = await self._sdk(place)
        response = await sdk.post(
            "/v1/messages",
            cast_to=httpx2.Response,
            body=_body(place.model, request),
            options={"timeout": self._patience(request)},
            stream=True,  # the body is left to us to read
            stream_cls=anthropic.AsyncStream[Any],
        )
        # With this `cast_to` the SDKs hand the response over; their types do not say so.
        return cast("httpx2.Response", response)

    def _says(self, place: Place, schema: Schema) -> bool:  # noqa: ARG002 - of any address
        return in_dialect(schema.to_json()) is not None

    async def _list(self, place: Place) -> list[str]:
        sdk = await self._sdk(place)
        return [model.id async for model in sdk.models.list(limit=1000)]

    def _reading(self, place: Place) -> Reading:
        return Message(place)

    def _frames(self) -> ServerEvents:
        return ServerEvents()

    def _sdk_errors(self) -> tuple[type[Exception], ...]:
        import anthropic

        return (anthropic.AnthropicError,)


def _body(model: str, request: Request) -> Json:
    system = {"system": request.system} if request.system else {}
    schema = request.schema and in_dialect(request.schema.to_json())
    form = {"format": {"type": "json_schema", "schema": schema}} if schema else {}
    return {
        "model": model,
        "max_tokens": MAX_TOKENS if request.max_tokens is None else request.max_tokens,
        "messages": turns(request, system=False, seen=_seen),
        "stream": request.stream,
        **system,
        **request.options,
        **merged(request.options, "output_config", form),
    }


# --- the dialect of structured outputs (platform.claude.com/docs, "Structured outputs")


def in_dialect(schema: Mapping[str, Any]) -> Json | None:
    """Say a schema as Messages takes it; None where that would change its meaning.

    The SDK closes objects and puts what the dialect lacks into descriptions. An open object would
    be an empty one then, branches that must all fit would shut each other out, and a schema that
    holds itself is not taken.
    """
    import anthropic

    if _recursive(schema) or any(map(_opens, _all_of(schema))):
        return None
    try:
        return anthropic.transform_schema(_without_lists(schema))
    except (AssertionError, AttributeError, TypeError, ValueError):
        return None  # it holds what the SDK has no words for


def _all_of(schema: object) -> Iterator[object]:
    yield schema
    for _, part in parts(schema) if isinstance(schema, Mapping) else ():
        yield from _all_of(part)


def _opens(schema: object) -> bool:
    """Whether closing it would leave out what it means to let in."""
    if not isinstance(schema, Mapping) or "allOf" in schema or "patternProperties" in schema:
        return True
    known = schema.get("additionalProperties", not schema.get("properties"))
    return "object" in (kind := schema.get("type"), *_listed(kind)) and known is not False


def _recursive(schema: Mapping[str, Any], seen: tuple[str, ...] = ()) -> bool:
    """Whether a definition leads back to itself, as far as references lead from here."""
    defs = schema.get("$defs", {})

    def leads_back(part: object, seen: tuple[str, ...]) -> bool:
        for inner in _all_of(part):
            name = str(inner.get("$ref", "")) if isinstance(inner, Mapping) else ""
            found = defs.get(name.removeprefix("#/$defs/")) if name else None
            if name and (name in seen or found is None or leads_back(found, (*seen, name))):
                return True
        return False

    bare = {key: value for key, value in schema.items() if key != "$defs"}
    return leads_back(bare, seen)


def _without_lists(schema: Any) -> Any:  # noqa: ANN401 - a part may be any JSON value
    """Say a list of types as alternatives: the SDK knows one type at a time."""
    return mapped(schema, _alternatives)


def _alternatives(schema: dict[str, Any]) -> dict[str, Any]:
    kinds = schema.pop("type", None)
    if not isinstance(kinds, list):
        return schema if kinds is None else {"type": kinds, **schema}
    told = schema.keys() & {"title", "description"}
    notes: dict[str, Any] = {key: schema.pop(key) for key in told}
    return {**notes, "anyOf": [{"type": kind, **schema} for kind in kinds]}


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _seen(turn: Turn) -> Json:
    pictures = [
        {
            "type": "image",
            "source": {"type": "base64", "media_type": one.media_type, "data": in_base64(one)},
        }
        for one in turn.attachments
    ]
    return {"content": [*pictures, {"type": "text", "text": turn.text}]}


class Message(Reading):
    """One answer of Messages."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._billed: Json = {}

    def take(self, event: Json) -> None:
        """Take one event; kinds that are not known yet are passed over, as Anthropic asks."""
        kind = event.get("type")
        if kind == "content_block_delta":
            delta = event["delta"]
            if delta.get("type") == "text_delta" and not self.stopped:
                self.pieces.append(delta["text"])
        elif kind == "message_start":
            self._start(event["message"])
        elif kind == "message_delta":
            self._bill(event.get("usage"), final=True)
            if (reason := event["delta"].get("stop_reason")) is not None:
                self.stop(reason)
        elif kind == "message_stop":
            self.stop(None)
            self.complete = True
        elif kind == "error" or event.get("error"):
            raise self.fault(event)

    def take_whole(self, body: Json) -> None:
        """Take a message that came in one piece."""
        self._start(body)
        self._bill(None, final=True)
        self.pieces.extend(part["text"] for part in body["content"] if part.get("type") == "text")
        self.stop(body["stop_reason"])

    def _start(self, message: Json) -> None:
        self.response_model = word(message.get("model"))
        self.response_id = word(message.get("id"))
        self._bill(message.get("usage"), final=False)

    def _bill(self, usage: Json | None, *, final: bool) -> None:
        """Add a count to what is known. Anthropic counts cached tokens beside the others."""
        told = usage if isinstance(usage, dict) else {}
        said = {name: count for name, count in told.items() if count is not None}
        self._billed = {**self._billed, **said}
        read = tokens(self._billed, "cache_read_input_tokens")
        written = tokens(self._billed, "cache_creation_input_tokens")
        fresh = tokens(self._billed, "input_tokens")
        self.usage = Usage(
            input_tokens=None if fresh is None else fresh + (read or 0) + (written or 0),
            # What message_start says of the output is a placeholder.
            output_tokens=tokens(self._billed, "output_tokens") if final else None,
            cache_read_tokens=read,
            cache_write_tokens=written,
            reasoning_tokens=tokens(self._billed, "output_tokens_details", "thinking_tokens"),
        )
