"""Takes keys out of what is shown: texts, errors with all their causes, and the libraries' logs."""

from __future__ import annotations

import base64
import functools
import logging
import re
import traceback
from collections.abc import Iterator, Mapping
from typing import Any

from multimodel_magic.providers.keys import Secret

__all__ = ["hush_logs", "hushed", "redacted", "scrub"]

SAID_LENGTH = 240

SHORT_KEY = 8

DEPTH = 50
"""Bodies that are nested deeper are cut off: a server chooses how deep."""

LIBRARIES = (
    "anthropic",
    "httpcore",
    "httpcore2",
    "httpx",
    "httpx2",
    "multimodel_magic",
    "ollama",
    "openai",
)

LATE_LOGGERS = tuple(
    f"{core}.{part}"
    for core in ("httpcore", "httpcore2")
    for part in ("connection", "http11", "http2", "proxy", "socks")
)
"""Made by modules that are imported at the first request, which they log."""

_KEYLIKE = re.compile(r"\b(?:sk|pk|xai|gsk|hf|key|api)[-_][\w*.\-]{6,}|\bBearer\s+\S+", re.ASCII)


def redacted(text: str, secret: Secret) -> str:
    """Return `text` with the key, and what looks like one, replaced by `[key]`.

    Examples
    --------
    >>> redacted("Incorrect API key provided: sk-abc***wxyz.", Secret("sk-abcdefghwxyz"))
    'Incorrect API key provided: [key]'
    """
    key = secret.reveal()
    text = _without(text, key)
    if len(key) >= SHORT_KEY:  # vendors say it back with its middle starred out
        text = re.sub(re.escape(key[:6]) + r"[\w*.\-]*", "[key]", text, flags=re.IGNORECASE)
    return _KEYLIKE.sub("[key]", text)


def _without(text: str, key: str) -> str:
    return _pattern(key).sub("[key]", text) if key else text


@functools.lru_cache(maxsize=64)
def _pattern(key: str) -> re.Pattern[str]:
    """Match a key in any case, its signs escaped as in addresses or JSON, and its codings."""
    whole = "".join(rf"(?:{re.escape(one)}|(?:%|\\x|\\u00){ord(one):02x})" for one in key)
    if len(key) < SHORT_KEY:  # `ollama` may be one: only where it stands alone
        return re.compile(rf"(?<!\w){whole}(?!\w)", re.IGNORECASE)
    return re.compile("|".join((whole, *_codings(key))), re.IGNORECASE)


def _codings(key: str) -> Iterator[str]:
    """Give what stands for a key in hexadecimal and Base64, whatever stands before and after it.

    Base64 codes three bytes at a time: a key may begin at any of three places, and its first and
    last signs then depend on its neighbours.
    """
    data = key.encode()
    yield data.hex()
    for shift, skipped in enumerate((0, 2, 3)):
        code = base64.b64encode(bytes(shift) + data).decode().rstrip("=")
        core = code[skipped : len(code) - bool((shift + len(data)) % 3)]
        yield "".join({"+": r"[+\-]", "/": "[/_]"}.get(sign, sign) for sign in core)


def scrub(text: str, secret: Secret) -> str:
    r"""Return `text` redacted, in one line of at most 240 characters.

    Examples
    --------
    >>> scrub("Incorrect API key\nprovided: sk-abc***wxyz.", Secret("sk-abcdefghwxyz"))
    'Incorrect API key provided: [key]'
    """
    text = " ".join(redacted(text, secret).split())
    return text if len(text) <= SAID_LENGTH else text[: SAID_LENGTH - 1] + "…"


def hushed(
    error: BaseException, secret: Secret, seen: frozenset[int] = frozenset()
) -> BaseException:
    """Return the error without the key, should a server have echoed it, and its causes likewise.

    Tracebacks show messages, and debuggers the rest: bodies, parsed documents, and the request,
    whose headers always hold the key. An error that cannot be cleaned is replaced by its words.
    Its frames are dropped: their variables hold headers and bodies, and some tracebacks show them
    (IPython's Verbose mode, and whoever collects reports). At DEBUG they are logged before.
    """
    if id(error) in seen:
        return error
    seen |= {id(error)}
    error.__traceback__ = None
    below = error.__cause__, error.__context__
    error = _cleaned_error(error, secret)
    cause, context = (None if one is None else hushed(one, secret, seen) for one in below)
    if cause is not None:
        error.__cause__ = cause
    error.__context__ = context  # after the cause: it alone decides whether this one is shown
    return error


def _cleaned_error(error: BaseException, secret: Secret) -> BaseException:
    error.args = tuple(_cleaned(arg, secret) for arg in error.args)
    if isinstance(error, UnicodeDecodeError | UnicodeEncodeError):
        error.object = _cleaned(error.object, secret)
    held = vars(error)
    for name in held:
        held[name] = _cleaned(held[name], secret)
    said = str(error)
    if said == _without(said, secret.reveal()):
        return error
    # pydantic's errors are made in Rust and quote what they were given.
    return ValueError(f"{type(error).__name__}: {scrub(said, secret)}")


def _cleaned(value: Any, secret: Secret, depth: int = DEPTH) -> Any:  # noqa: ANN401 - any attribute
    """Return a value without the key; responses lose all but their status, requests everything."""
    if isinstance(value, str):
        return redacted(value, secret)
    if isinstance(value, bytes):
        return redacted(value.decode("latin-1"), secret).encode("latin-1", "replace")
    if isinstance(value, Mapping | list | tuple):
        return _cleaned_items(value, secret, depth)
    if type(value).__module__.partition(".")[0] in {"httpx", "httpx2"}:
        return type(value)(value.status_code) if hasattr(value, "status_code") else None
    return value


def _cleaned_items(value: Any, secret: Secret, depth: int) -> Any:  # noqa: ANN401 - as above
    if not depth:
        return "…"
    if isinstance(value, Mapping):
        return {
            _cleaned(name, secret, depth - 1): _cleaned(one, secret, depth - 1)
            for name, one in value.items()
        }
    items = [_cleaned(one, secret, depth - 1) for one in value]
    return tuple(items) if isinstance(value, tuple) else items


class Redactor(logging.Filter):
    """Takes the keys that were sent out of log records.

    At DEBUG the SDKs and httpcore2 log the headers of every response, and tracebacks of errors.
    """

    def __init__(self) -> None:
        super().__init__()
        self._secrets: frozenset[Secret] = frozenset()

    def know(self, secret: Secret) -> None:
        """Keep this key out of the logs from now on."""
        if secret and secret not in self._secrets:
            self._secrets |= {secret}  # a new set: another thread may be going through the old

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through, without keys."""
        said = record.getMessage()
        clean = self._clean(said)
        if clean != said:
            record.msg, record.args = clean, ()
        if record.exc_info and record.exc_info[0] is not None:
            told = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
            clean = self._clean(told)
            if clean != told:
                record.exc_info, record.exc_text = None, clean
        return True

    def _clean(self, text: str) -> str:
        for secret in self._secrets:
            text = _without(text, secret.reveal())
        return text


_REDACTOR = Redactor()
_hushed: set[str] = set()
"""Names of loggers that were looked at."""


def hush_logs(secret: Secret) -> None:
    """Keep `secret` out of the logs of the libraries that are imported by now."""
    _REDACTOR.know(secret)
    if len(logging.root.manager.loggerDict) != len(_hushed):
        hush_libraries()


def hush_libraries() -> None:
    """Filter the logs of the libraries that are imported by now.

    Each logger needs the filter: one on a parent sees no records of its children.
    """
    for name in LATE_LOGGERS:
        logging.getLogger(name)
    names = list(logging.root.manager.loggerDict)
    for name in names:
        if name not in _hushed and name.partition(".")[0] in LIBRARIES:
            logging.getLogger(name).addFilter(_REDACTOR)
    _hushed.update(names)
