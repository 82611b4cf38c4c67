"""OpenAI's Chat Completions and Responses, over the `openai` SDK, for any base URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from multimodel_magic.errors import ContentFiltered
from multimodel_magic.providers.faults import Place, Rule, rule
from multimodel_magic.providers.frames import ServerEvents
from multimodel_magic.providers.remote import Remote, data_url, turns
from multimodel_magic.providers.structured import merged, strictly, vendor_name
from multimodel_magic.providers.wire import Json, Reading, tokens, word
from multimodel_magic.types import Message, Request, Schema, Usage

if TYPE_CHECKING:
    import httpx2
    import openai

__all__ = ["OpenAIProvider"]


class OpenAIProvider(Remote):
    """OpenAI, or whoever speaks its wire, under a name of its own.

    Parameters
    ----------
    base_url
        With `/v1`; None asks `OPENAI_BASE_URL`, then `https://api.openai.com/v1`.
    api_key
        None asks `OPENAI_API_KEY`.
    timeout
        Seconds of silence that are too long; None is 120 s in a stream, 600 s otherwise.
    name
        The word before the colon; under another name the variables are `NAME_API_KEY` and
        `NAME_BASE_URL`, so that OpenAI's key goes to OpenAI only.
    api
        `chat` or `responses`. `chat` is the default because every compatible server knows it.
    key_env
        The key's environment variable, where it goes by a name of its own.

    Examples
    --------
    >>> OpenAIProvider(name="groq", base_url="https://api.groq.com/openai/v1")
    OpenAIProvider(name='groq', base_url='https://api.groq.com')
    """

    package: ClassVar[str] = "openai"
    vendor_url: ClassVar[str] = "https://api.openai.com/v1"
    rules: ClassVar[tuple[Rule, ...]] = (
        rule(ContentFiltered, 400, words=r"invalid_prompt|usage policy|ResponsibleAIPolicy"),
    )

    def __init__(
        self,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        timeout: float | None = None,
        name: str = "openai",
        api: Literal["chat", "responses"] = "chat",
        key_env: str | None = None,
    ) -> None:
        super().__init__(
            name=name, base_url=base_url, api_key=api_key, timeout=timeout, key_env=key_env
        )
        self.api = api
        self._without_logprobs: set[str] = set()

    async def _sdk(self, place: Place) -> openai.AsyncOpenAI:
        import openai

        def make(client: httpx2.AsyncClient) -> openai.AsyncOpenAI:
            foreign = not self._is_vendors(place.url)
            sdk = openai.AsyncOpenAI(
                # Never None: the SDK would take OPENAI_API_KEY for whatever address.
                api_key=place.secret.reveal() or "none",
                admin_api_key="" if foreign else None,
                base_url=place.url,
                max_retries=0,
                http_client=client,
            )
            if foreign:
                # What the environment holds for OpenAI alone: OPENAI_ORG_ID, OPENAI_PROJECT_ID,
                # and the headers of OPENAI_CUSTOM_HEADERS, which no argument keeps away.
                names = ("OpenAI-Organization", "OpenAI-Project")
                unsent: dict[str, Any] = dict.fromkeys(names, openai.Omit())
                sdk._custom_headers = unsent  # noqa: SLF001
            return sdk

        return await self._pools.sdk((place.secret, place.url), make)

    async def _send(self, place: Place, request: Request) -> httpx2.Response:
        import openai

        if not request.logprobs or self.api != "chat" or place.model in self._without_logprobs:
            return await self._post(place, request)
        try:
            return await self._post(place, request, logprobs=True)
        except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
            # Servers that check a body against a schema say 422 and no `message` of their own.
            if "logprobs" not in f"{error} {error.body}".lower():
                raise
        # Reasoning models and some servers refuse them, and the catalogue cannot know which.
        response = await self._post(place, request)
        self._without_logprobs.add(place.model)
        return response

    async def _post(
        self, place: Place, request: Request, *, logprobs: bool = False
    ) -> httpx2.Response:
        import httpx2
        import openai

        sdk = await self._sdk(place)
        chat = self.api == "chat"
        response = await sdk.post(
            "/chat/completions" if chat else "/responses",
            cast_to=httpx2.Response,
            body=self._chat(place, request, logprobs) if chat else self._responses(place, request),
            options={"timeout": self._patience(request), "headers": _authorization(place)},
            stream=True,  # the body is left to us to read
            stream_cls=openai.AsyncStream[Any],
        )
        # With this `cast_to` the SDKs hand the response over; their types do not say so.
        return cast("httpx2.Response", response)

    def _chat(self, place: Place, request: Request, logprobs: bool) -> Json:  # noqa: FBT001
        # OpenAI's reasoning models refuse `max_tokens`, most compatible servers know only that.
        limit = "max_completion_tokens" if self._is_vendors(place.url) else "max_tokens"
        said = self._format(request)
        return {
            "model": place.model,
            "messages": turns(request, system=True, seen=_seen_in_chat),
            "stream": request.stream,
            **({"stream_options": {"include_usage": True}} if request.stream else {}),
            **({} if request.max_tokens is None else {limit: request.max_tokens}),
            **({"logprobs": True} if logprobs else {}),
            **request.options,
            **({"response_format": {"type": "json_schema", "json_schema": said}} if said else {}),
        }

    def _responses(self, place: Place, request: Request) -> Json:
        said = self._format(request)
        form = {"format": {"type": "json_schema", **said}} if said else {}
        return {
            "model": place.model,
            "input": turns(request, system=False, seen=_seen),
            "stream": request.stream,
            "store": False,  # OpenAI keeps answers for 30 days otherwise; nobody asked it to
            **({"instructions": request.system} if request.system else {}),
            **({} if request.max_tokens is None else {"max_output_tokens": request.max_tokens}),
            **request.options,
            **merged(request.options, "text", form),
        }

    def _format(self, request: Request) -> Json:
        """Say the request's schema in OpenAI's dialect; nothing where there is none."""
        schema = request.schema
        if schema is None:
            return {}
        strict = strictly(schema.to_json())
        return {
            "name": vendor_name(schema),
            "schema": strict or schema.to_json(),
            # Without it models are led by the schema and not held to it.
            **({"strict": True} if strict else {}),
        }

    def _says(self, place: Place, schema: Schema) -> bool:
        # OpenAI itself wants an object at the root, be it lenient or strict.
        root = schema.to_json()
        return (
            not self._is_vendors(place.url) or root.get("type") == "object" or bool(strictly(root))
        )

    async def _list(self, place: Place) -> list[str]:
        sdk = await self._sdk(place)
        return [model.id async for model in sdk.models.list(extra_headers=_authorization(place))]

    def _reading(self, place: Place) -> Reading:
        return Completion(place) if self.api == "chat" else ResponseObject(place)

    def _frames(self) -> ServerEvents:
        return ServerEvents()

    def _sdk_errors(self) -> tuple[type[Exception], ...]:
        import openai

        return (openai.OpenAIError,)


def _authorization(place: Place) -> dict[str, openai.Omit]:
    """Return what keeps the SDK from sending `Bearer none` where there is no key."""
    import openai

    return {} if place.secret else {"Authorization": openai.Omit()}


def _seen_in_chat(turn: Message) -> Json:
    pictures = [
        {"type": "image_url", "image_url": {"url": data_url(one)}} for one in turn.attachments
    ]
    return {"content": [*pictures, {"type": "text", "text": turn.text}]}


def _seen(turn: Message) -> Json:
    pictures = [{"type": "input_image", "image_url": data_url(one)} for one in turn.attachments]
    return {"content": [*pictures, {"type": "input_text", "text": turn.text}]}


class Completion(Reading):
    """One answer of Chat Completions."""

    def take_data(self, data: bytes) -> None:
        """Take one event; `[DONE]` is the only one that is not JSON."""
        if data.strip() != b"[DONE]":
            super().take_data(data)
            return
        # Some servers never give a finish reason: then this is the stop.
        self.stop(None)
        self.complete = True

    def take(self, event: Json) -> None:
        """Take one chunk: a piece of text, a finish reason, usage, or several of them."""
        if event.get("error"):
            raise self.fault(event)
        self._note(event)
        for choice in () if self.stopped else event.get("choices") or ():
            if choice.get("index", 0) == 0:
                self._choose(choice, choice.get("delta") or {})
        self.complete = self.stopped and self.usage.output_tokens is not None

    def take_whole(self, body: Json) -> None:
        """Take a completion that came in one piece."""
        self._note(body)
        choices = body["choices"]
        choice = next((one for one in choices if one.get("index") == 0), choices[0])
        self._choose(choice, choice["message"])

    def _choose(self, choice: Json, said: Json) -> None:
        if isinstance(weighed := choice.get("logprobs"), dict):
            self.logprobs.take(weighed.get("content"))
        if content := said.get("content"):
            self.pieces.append(content if isinstance(content, str) else _joined(content))
        if said.get("tool_calls") or said.get("function_call"):
            self.called = True
        if refusal := said.get("refusal"):
            self.refused = True
            self.refusal.append(refusal)
        if reason := choice.get("finish_reason"):
            self.stop(reason)

    def _note(self, event: Json) -> None:
        self.response_model = word(event.get("model")) or self.response_model
        self.response_id = word(event.get("id")) or self.response_id
        if usage := event.get("usage"):
            self.usage = Usage(
                input_tokens=tokens(usage, "prompt_tokens"),
                output_tokens=tokens(usage, "completion_tokens"),
                cache_read_tokens=tokens(usage, "prompt_tokens_details", "cached_tokens"),
                cache_write_tokens=tokens(usage, "prompt_tokens_details", "cache_write_tokens"),
                reasoning_tokens=tokens(usage, "completion_tokens_details", "reasoning_tokens"),
            )


def _joined(parts: list[Json]) -> str:
    """Return the text of content that came as parts, as some compatible servers send it."""
    return "".join(part["text"] for part in parts if part.get("type") == "text")


class ResponseObject(Reading):
    """One answer of Responses."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._last: Json = {}

    def take(self, event: Json) -> None:
        """Take one event; kinds that matter to no text, usage or stop are passed over."""
        kind = event.get("type")
        if event.get("sequence_number") is not None and event == self._last:
            return  # the same event again
        self._last = event
        if kind == "response.output_text.delta":
            self.pieces.append(event["delta"])
        elif kind == "response.refusal.delta":
            self.refused = True
            self.refusal.append(event["delta"])
        elif kind in {"response.completed", "response.incomplete"}:
            self._finish(event["response"])
        elif kind == "response.failed":
            raise self.fault(event["response"])
        elif kind == "error" or event.get("error"):
            raise self.fault(event)

    def take_whole(self, body: Json) -> None:
        """Take a response that came in one piece."""
        self._finish(body)

    def _finish(self, body: Json) -> None:
        self.response_model = word(body.get("model"))
        self.response_id = word(body.get("id"))
        reason = (body.get("incomplete_details") or {}).get("reason") or body["status"]
        if reason == "failed":
            raise self.fault(body)
        self._take_output(body["output"])
        self._bill(body.get("usage"))
        self.stop(reason)
        self.complete = True

    def _take_output(self, output: list[Json]) -> None:
        """Take the text of the finished object, unless it came in deltas before."""
        streamed = self.begun or self.pieces or self.refusal
        for item in output:
            if item.get("type") == "function_call":
                self.called = True
            for part in () if streamed else item.get("content") or ():
                if part.get("type") == "output_text":
                    self.pieces.append(part["text"])
                elif part.get("type") == "refusal":
                    self.refused = True
                    self.refusal.append(part["refusal"])

    def _bill(self, usage: Json | None) -> None:
        self.usage = Usage(
            input_tokens=tokens(usage, "input_tokens"),
            output_tokens=tokens(usage, "output_tokens"),
            cache_read_tokens=tokens(usage, "input_tokens_details", "cached_tokens"),
            cache_write_tokens=tokens(usage, "input_tokens_details", "cache_write_tokens"),
            reasoning_tokens=tokens(usage, "output_tokens_details", "reasoning_tokens"),
        )
