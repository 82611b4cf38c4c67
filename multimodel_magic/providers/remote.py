"""What the vendors' providers share: keys, clients, and the border at which errors translate."""

from __future__ import annotations

import asyncio
import base64
import functools
import importlib
import importlib.util
import logging
import re
import ssl
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, ClassVar

from multimodel_magic import bridge
from multimodel_magic.errors import (
    AuthenticationFailed,
    BadRequest,
    ConnectionFailed,
    FeatureMissing,
    MalformedAnswer,
    Misconfigured,
    MultimodelError,
    ProviderMissing,
    Retryable,
    TimedOut,
    UsageError,
)
from multimodel_magic.providers.faults import Place, Rule, fault
from multimodel_magic.providers.frames import Frames
from multimodel_magic.providers.http import Pools, address_fault, origin, patience, tls, veiled
from multimodel_magic.providers.hush import hush_libraries, hush_logs, hushed, scrub
from multimodel_magic.providers.keys import Secret, setting
from multimodel_magic.providers.owned import refuse_owned
from multimodel_magic.providers.rates import rate_hint
from multimodel_magic.providers.structured import in_words, refuses_schema
from multimodel_magic.providers.wire import Json, Reading, read
from multimodel_magic.types import Attachment, Message, Notice, ProviderEvent, Request, Schema

if TYPE_CHECKING:
    import httpx2

__all__ = ["Remote"]

_log = logging.getLogger(__name__)

LIST_S = 2.0
"""How long a list of models may take: it is looked at, not waited for."""

NO_KEY = Secret("")

BROKEN = (ImportError, AttributeError, OSError, RuntimeError, SyntaxError, TypeError, ValueError)
"""What importing a package raises that does not fit its own dependencies."""


class Remote:
    """A provider that asks over HTTP, through its vendor's SDK.

    Parameters
    ----------
    name
        The word before the colon in `provider:model`.
    base_url
        Where the vendor's wire is spoken; None asks the environment, then the vendor itself.
        An address with a user, a password, a query or a fragment is refused.
    api_key
        The key; None asks the environment variable `key_env`, then a `.env` upward from here.
    timeout
        Seconds of silence that are too long; None is 120 s within a stream and 600 s before an
        answer in one piece. The deadline of a whole request is the client's.
    key_env
        The environment variable of the key; None is `NAME_API_KEY`, so that no vendor's key is
        ever sent to an address that goes by another name.
    """

    takes_schemas: ClassVar[bool] = True
    vendor_url: ClassVar[str]
    """The vendor's own address, which wants a key."""
    package: ClassVar[str]
    """The SDK's package, by which it is imported and installed."""
    rules: ClassVar[tuple[Rule, ...]] = ()
    missing_hint: ClassVar[str] = "see what it serves with `%llm models`"
    down_hint: ClassVar[str] = "check the network and the address"

    def __init__(
        self,
        *,
        name: str,
        base_url: str | None,
        api_key: str | None,
        timeout: float | None,
        key_env: str | None = None,
    ) -> None:
        prefix = re.sub(r"\W", "_", name.upper())
        self.name = name
        self.timeout_s = timeout
        self._given_url = base_url and veiled(base_url)
        if not isinstance(api_key, str | None):  # its value stays unsaid
            raise UsageError(f"api_key is {type(api_key).__name__}: give text")
        self._given_key = Secret(api_key or "")
        self._key_env = key_env or f"{prefix}_API_KEY"
        self._url_env = f"{prefix}_BASE_URL"
        self._needs_key = key_env is not None
        self._pools = Pools()
        self._is_warm = False
        self._is_found = False
        self._broken: str | None = None
        self._only_in_words: set[tuple[str, str]] = set()
        """Models, and the schemas (by hash) that their servers do not take."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name!r}, base_url={origin(self.base_url)!r})"

    @property
    def base_url(self) -> str:
        """The address that is asked: as given, else from the environment, else the vendor's."""
        return (self._given_url or setting(self._url_env) or self.vendor_url).strip()

    @property
    def secret(self) -> Secret:
        """The key that a request sent now would carry; falsy where there is none."""
        return self._given_key or Secret(setting(self._key_env) or "")

    def key_mark(self) -> str:
        """Return what tells the key that would be sent now from another, without showing it."""
        return self.secret.mark()

    def unusable(self) -> str | None:
        """Say why it cannot be asked here, or None. No network."""
        url = self.base_url
        return self._missing() or self._bad_address(url) or self._bad_key(self.secret, url)

    def prepare(self) -> None:
        """Import the SDK and read the certificates: a second or more, but nothing once done.

        Raises
        ------
        ProviderMissing
            A package is not installed or cannot be imported, with the command that mends it.
        """
        if self._is_warm:
            return
        if why := self._missing():
            raise ProviderMissing(f"{self.name}: {why}")
        try:
            for module in (self.package, "httpx2", "multimodel_magic.providers.connections"):
                importlib.import_module(module)
            self._sdk_errors()
            with suppress(ImportError):  # what httpcore2 imports at the first request, 40 ms
                importlib.import_module("anyio._backends._asyncio")
        except BROKEN as error:
            told = scrub(f"{type(error).__name__}: {error}", NO_KEY)
            self._broken = (
                f"the package {self.package} cannot be imported ({told}); "
                f"try: pip install --upgrade {self.package}, then restart"
            )
            raise ProviderMissing(f"{self.name}: {self._broken}") from error
        hush_libraries()
        tls()
        self._is_warm = True

    @property
    def is_warm(self) -> bool:
        """Whether `warm` has nothing more to do."""
        return self._is_warm

    async def warm(self) -> None:
        """Do the same in a thread; whatever is missing `stream` will say."""
        if self._is_warm:
            return
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def work() -> None:
            try:
                with suppress(ProviderMissing):
                    self.prepare()
            finally:
                with suppress(RuntimeError):  # the loop may be gone already
                    loop.call_soon_threadsafe(done.set)

        bridge.background(work)
        await done.wait()

    async def stream(self, model: str, request: Request) -> AsyncGenerator[ProviderEvent, None]:
        """Ask `model` and yield what comes; an answer that is whole ends with `Stopped`.

        Raises
        ------
        MultimodelError
            Whatever goes wrong, translated, with the SDK's own error as its cause.
        """
        before = _handled()
        place = self._place(model)
        self._require(place)
        refuse_owned(self.name, request)
        reading = self._reading(place)
        try:
            if request.schema is None:
                response = await self._send(place, request)
            else:
                response = await self._held(place, request, request.schema)
            try:
                if (hint := rate_hint(response.headers)) is not None:
                    yield hint
                if request.schema and (model, request.schema.sha256) in self._only_in_words:
                    yield Notice(f"{place.name} is told the schema in words, and not held to it")
                whole = self._is_whole(request)
                frames = self._frames()
                async with aclosing(read(response, reading, frames, whole=whole)) as events:
                    async for event in events:
                        yield event
            finally:
                await response.aclose()
        except MultimodelError as error:
            _log.debug("%s", place.name, exc_info=error)
            hushed(error, place.secret, before)
            raise
        except self._foreign() as error:
            _log.debug("%s", place.name, exc_info=error)
            told = reading.softened(translated(error, place))
            cause = hushed(error, place.secret, before)
        else:
            return
        raise told from cause  # out here the original is not its context

    async def models(self) -> tuple[str, ...]:
        """List what models the vendor serves for this key, sorted; asks for 2 s at most.

        Raises
        ------
        MultimodelError
            Whatever goes wrong, translated.
        """
        await self.warm()
        before = _handled()
        place = self._place("")
        self._require(place)
        try:
            async with asyncio.timeout(LIST_S):
                names = await self._list(place)
        except self._foreign() as error:
            told, cause = translated(error, place), hushed(error, place.secret, before)
        else:
            return tuple(sorted({name for name in names if name and isinstance(name, str)}))
        raise told from cause

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        await self._pools.aclose()

    # What each vendor says for itself.

    async def _send(self, place: Place, request: Request) -> httpx2.Response:
        """Send the request through the SDK and return the open response."""
        raise NotImplementedError

    async def _list(self, place: Place) -> list[str]:
        """List the models through the SDK."""
        raise NotImplementedError

    def _reading(self, place: Place) -> Reading:
        """Make what reads this wire's answers."""
        raise NotImplementedError

    def _frames(self) -> Frames:
        """Make what cuts this wire's bytes into events."""
        raise NotImplementedError

    def _is_whole(self, request: Request) -> bool:  # noqa: ARG002 - Ollama's asks for it
        """Whether the answer comes in one piece; else its first byte says so."""
        return False

    def _sdk_errors(self) -> tuple[type[Exception], ...]:
        """Return the roots of the SDK's own errors."""
        raise NotImplementedError

    def _says(self, place: Place, schema: Schema) -> bool:  # noqa: ARG002 - the vendors' ask
        """Whether this wire has an option that holds a model to the schema."""
        return True

    def _tells(self, place: Place) -> bool:
        """Whether the vendor itself shows the schema to the model, or only holds it to it."""
        return self._is_vendors(place.url)

    # What they share.

    async def _held(self, place: Place, request: Request, schema: Schema) -> httpx2.Response:
        """Send a request whose answer must meet a schema: by the wire's option, else in words."""
        key = place.model, schema.sha256
        if key not in self._only_in_words and self._says(place, schema):
            try:
                return await self._send(place, request if self._tells(place) else in_words(request))
            except (*self._foreign(), BadRequest, FeatureMissing) as error:  # type: ignore[misc]
                if not refuses_schema(error):
                    raise
        response = await self._send(place, in_words(request).without_schema())
        self._only_in_words.add(key)
        return response

    def _place(self, model: str) -> Place:
        given = bool(self._given_key)
        return Place(
            provider=self.name,
            model=model,
            url=self.base_url,
            key_name="" if given else self._key_env,
            secret=self.secret,
            rules=self.rules,
            missing_hint=self.missing_hint.format(model=model),
            down_hint=self.down_hint,
        )

    def _require(self, place: Place) -> None:
        """Raise what `unusable` says, before anything is sent."""
        if why := self._bad_address(place.url):
            raise Misconfigured(f"{self.name}: {why}")
        if why := self._bad_key(place.secret, place.url):
            raise AuthenticationFailed(f"{self.name}: {why}")
        self.prepare()
        hush_logs(place.secret)

    def _missing(self) -> str | None:
        """Say which package is not there; looking costs 0.1 ms, until it is found."""
        if not self._is_found:
            for package in (self.package, "httpx2"):
                if not _is_installed(package):
                    return f"the package {package} is not installed; try: pip install {package}"
            self._is_found = True
        return self._broken

    def _bad_address(self, url: str) -> str | None:
        why = address_fault(url)
        return why and f"{'base_url' if self._given_url else self._url_env} {why}"

    def _bad_key(self, secret: Secret, url: str) -> str | None:
        if not secret and self._wants_key(url):
            return f"{self._key_env} is not set: put it into the environment or a .env file"
        if not secret.is_sendable():
            where = "the api_key given in code" if self._given_key else self._key_env
            return f"{where} holds characters that no key has: copy it again"
        return None

    def _wants_key(self, url: str) -> bool:
        return self._needs_key or self._is_vendors(url)

    def _is_vendors(self, url: str) -> bool:
        return origin(url) == origin(self.vendor_url)

    def _patience(self, request: Request) -> httpx2.Timeout:
        return patience(
            self.timeout_s or request.silence_s, stream=request.stream, connect_s=request.connect_s
        )

    def _foreign(self) -> tuple[type[Exception], ...]:
        """Return every error that can come from below; asked for only once one has come."""
        import httpx2

        strangers = (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError)
        # The SDKs let errors of their own parsing through: Unicode, JSON, and AttributeErrors.
        parsing = (ValueError, TypeError, AttributeError, RecursionError)
        return (*self._sdk_errors(), *strangers, OSError, *parsing)


def turns(
    request: Request, *, system: bool, seen: Callable[[Message], Json] | None = None
) -> list[Json]:
    """Return the conversation as role and content, the prompt last and byte for byte.

    Parameters
    ----------
    seen
        Says how the wire puts a turn that has pictures.
    """
    first = [{"role": "system", "content": request.system}] if system and request.system else []
    said = (*request.history, Message("user", request.prompt, request.attachments))
    return [*first, *({"role": turn.role, **_content(turn, seen)} for turn in said)]


def _content(turn: Message, seen: Callable[[Message], Json] | None) -> Json:
    return {"content": turn.text} if seen is None or not turn.attachments else seen(turn)


def in_base64(picture: Attachment) -> str:
    """Write a picture's bytes as every vendor's JSON takes them."""
    return base64.b64encode(picture.data).decode("ascii")


def data_url(picture: Attachment) -> str:
    """Write a picture as an address that holds it, as OpenAI's wires take it."""
    return f"data:{picture.media_type};base64,{in_base64(picture)}"


def _handled() -> frozenset[int]:
    """Return the id of the caller's own error, where we are asked while it is being handled."""
    return frozenset({id(sys.exception())})


def _is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):  # what stands in for it has no spec
        return False


def translated(error: Exception, place: Place) -> MultimodelError:
    """Return our error for one of the SDK's or of the libraries below it."""
    status = getattr(error, "status_code", None)
    if isinstance(status, int) and status > 0:
        response = getattr(error, "response", None)
        body = getattr(error, "body", None)
        return fault(place, status, body, getattr(response, "headers", None))
    if (response := _failed(error)) is not None:
        return fault(place, response.status_code, None, response.headers)
    chain = [error, *_causes(error)]
    kind, line = next(
        (kind, line)
        for types, kind, line in _meanings()
        if any(isinstance(one, types) for one in chain)
    )
    said = next((place.scrub(str(one)) for one in reversed(chain) if str(one)), "")
    told = line.format(
        server=place.server, name=place.name, provider=place.provider, hint=place.down_hint
    )
    if kind is TimedOut:  # what the libraries say of it is how they count, not what happened
        return kind(told)
    made = kind(f"{told} ({said})" if said else told)
    if isinstance(made, Retryable):  # nobody signs a certificate between two tries
        made.again = not any(isinstance(one, ssl.SSLCertVerificationError) for one in chain)
    return made


def _failed(error: BaseException | None) -> httpx2.Response | None:
    """Return the failure whose body could not be read: its status says enough."""
    import httpx2

    while error is not None and not isinstance(error, httpx2.HTTPStatusError):
        error = error.__context__  # set beside a cause, too
    return None if error is None else error.response


@functools.cache
def _meanings() -> tuple[tuple[tuple[type[Exception], ...], type[MultimodelError], str], ...]:
    """Return what errors without a status mean, the most specific first."""
    import httpx2

    return (
        (
            (httpx2.TimeoutException, TimeoutError),
            TimedOut,
            "{server} sent nothing in time: ask again, or give it a longer timeout",
        ),
        ((UnicodeEncodeError,), BadRequest, "{name}: the text to send is no valid Unicode"),
        (
            (httpx2.InvalidURL, httpx2.UnsupportedProtocol),
            Misconfigured,
            "{provider}: its base URL is no http(s) address, mend it",
        ),
        ((httpx2.DecodingError,), MalformedAnswer, "{server}: its compression is broken"),
        ((ssl.SSLCertVerificationError,), ConnectionFailed, "{server}: untrusted certificate"),
        (
            (httpx2.HTTPError, OSError),
            ConnectionFailed,
            "the connection to {server} failed: {hint}",
        ),
        ((Exception,), MalformedAnswer, "{server}: no answer in what came"),
    )


def _causes(error: BaseException) -> list[BaseException]:
    below = error.__cause__ or error.__context__
    return [] if below is None else [below, *_causes(below)]
