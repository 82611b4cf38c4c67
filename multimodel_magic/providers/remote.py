"""What the vendors' providers share: keys, clients, and the border at which errors translate."""

from __future__ import annotations

import asyncio
import functools
import re
import ssl
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, ClassVar

from multimodel_magic import bridge
from multimodel_magic.errors import (
    AuthenticationFailed,
    BadRequest,
    ConnectionFailed,
    MalformedAnswer,
    Misconfigured,
    MultimodelError,
    TimedOut,
)
from multimodel_magic.providers.faults import Place, Rule, fault
from multimodel_magic.providers.http import Pools, origin, patience
from multimodel_magic.providers.keys import Secret, setting
from multimodel_magic.providers.rates import rate_hint
from multimodel_magic.providers.wire import Frames, Json, Reading, read
from multimodel_magic.types import ProviderEvent, Request

if TYPE_CHECKING:
    import httpx2

__all__ = ["Remote"]


class Remote:
    """A provider that asks over HTTP, through its vendor's SDK.

    Parameters
    ----------
    name
        The word before the colon in `provider:model`.
    base_url
        Where the vendor's wire is spoken; None asks the environment, then the vendor itself.
    api_key
        The key; None asks the environment variable `key_env`, then a `.env` upward from here.
    timeout
        Seconds of silence that are too long; None is 120 s within a stream and 600 s before an
        answer in one piece. The deadline of a whole request is the client's.
    key_env
        The environment variable of the key; None is `NAME_API_KEY`, so that no vendor's key is
        ever sent to an address that goes by another name.
    """

    vendor_url: ClassVar[str]
    """The vendor's own address, which wants a key."""
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
        self._given_url = base_url
        self._given_key = Secret(api_key or "")
        self._key_env = key_env or f"{prefix}_API_KEY"
        self._url_env = f"{prefix}_BASE_URL"
        self._needs_key = key_env is not None
        self._pools = Pools()
        self._is_warm = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name!r}, base_url={origin(self.base_url)!r})"

    @property
    def base_url(self) -> str:
        """The address that is asked: as given, else from the environment, else the vendor's."""
        return self._given_url or setting(self._url_env) or self.vendor_url

    @property
    def secret(self) -> Secret:
        """The key that a request sent now would carry; falsy where there is none."""
        return self._given_key or Secret(setting(self._key_env) or "")

    def key_mark(self) -> str:
        """Return what tells the key that would be sent now from another, without showing it."""
        return self.secret.mark()

    def unusable(self) -> str | None:
        """Say why it cannot be asked here, or None. No network."""
        return self._unusable(self.secret, self.base_url)

    def _unusable(self, secret: Secret, url: str) -> str | None:
        if not secret and (self._needs_key or self._is_vendors(url)):
            return f"{self._key_env} is not set: put it into the environment or a .env file"
        if not secret.is_sendable():
            return f"{self._key_env} holds characters that no key has: copy it again"
        return None

    async def warm(self) -> None:
        """Import the SDK, once, in a thread: it takes a second or more of anybody's patience."""
        if self._is_warm:
            return
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def work() -> None:
            with suppress(ImportError):  # `stream` will say so
                self._sdk_errors()
            with suppress(RuntimeError):  # the loop may be gone already
                loop.call_soon_threadsafe(done.set)

        bridge.background(work)
        await done.wait()
        self._is_warm = True

    async def stream(self, model: str, request: Request) -> AsyncGenerator[ProviderEvent, None]:
        """Ask `model` and yield what comes; an answer that is whole ends with `Stopped`.

        Raises
        ------
        MultimodelError
            Whatever goes wrong, translated, with the SDK's own error as its cause.
        """
        place = self._place(model)
        self._require_key(place)
        reading = self._reading(place)
        try:
            response = await self._send(place, request)
            try:
                if (hint := rate_hint(response.headers)) is not None:
                    yield hint
                whole = self._is_whole(response, request)
                frames = self._frames()
                async with aclosing(read(response, reading, frames, whole=whole)) as events:
                    async for event in events:
                        yield event
            finally:
                await response.aclose()
        except self._foreign() as error:
            raise reading.softened(translated(error, place)) from hushed(error, place)

    async def models(self) -> tuple[str, ...]:
        """List what models the vendor serves for this key, sorted; asks the network."""
        place = self._place("")
        self._require_key(place)
        try:
            return tuple(sorted(await self._list(place)))
        except self._foreign() as error:
            raise translated(error, place) from hushed(error, place)

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

    def _is_whole(self, response: httpx2.Response, request: Request) -> bool:
        """Whether the answer comes in one piece."""
        raise NotImplementedError

    def _sdk_errors(self) -> tuple[type[Exception], ...]:
        """Return the roots of the SDK's own errors."""
        raise NotImplementedError

    # What they share.

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

    def _require_key(self, place: Place) -> None:
        if why := self._unusable(place.secret, place.url):
            raise AuthenticationFailed(f"{self.name}: {why}")

    def _is_vendors(self, url: str) -> bool:
        return origin(url) == origin(self.vendor_url)

    def _patience(self, request: Request) -> httpx2.Timeout:
        return patience(self.timeout_s, stream=request.stream)

    def _foreign(self) -> tuple[type[Exception], ...]:
        """Return every error that can come from below; asked for only once one has come."""
        import httpx2

        strangers = (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError)
        # The SDKs let errors of their own parsing through: Unicode, JSON, and AttributeErrors.
        return (*self._sdk_errors(), *strangers, OSError, ValueError, TypeError, AttributeError)


def turns(request: Request, *, system: bool) -> list[Json]:
    """Return the conversation as role and content, the prompt last and byte for byte."""
    first = [{"role": "system", "content": request.system}] if system and request.system else []
    earlier = [{"role": turn.role, "content": turn.text} for turn in request.history]
    return [*first, *earlier, {"role": "user", "content": request.prompt}]


def hushed(error: Exception, place: Place) -> Exception:
    """Return the error without the key, should a server have echoed it: tracebacks show causes."""
    key = place.secret.reveal()
    if key and key in str(error):
        error.args = (place.scrub(str(error)),)
        if hasattr(error, "error"):  # ollama's keeps what the server said here
            error.error = error.args[0]
    return error


def translated(error: Exception, place: Place) -> MultimodelError:
    """Return our error for one of the SDK's or of the libraries below it."""
    status = getattr(error, "status_code", None)
    if isinstance(status, int) and status > 0:
        response = getattr(error, "response", None)
        body = getattr(error, "body", None)
        return fault(place, status, body, getattr(response, "headers", None))
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
    return kind(f"{told} ({said})" if said else told)


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
