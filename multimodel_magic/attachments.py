"""What a user names -> `Attachment`: read once, bounded, and nothing that was not named.

A file, its bytes, a picture of PIL or a figure of matplotlib. No folder, pattern or address is
followed; what a thing is, its first bytes say, not its name.
"""

from __future__ import annotations

import io
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, cast

from multimodel_magic.errors import UsageError
from multimodel_magic.types import Attachment

__all__ = ["MOST_ALL_BYTES", "MOST_PICTURE_BYTES", "MOST_TEXT_BYTES", "attached", "attachment"]

MOST_PICTURE_BYTES = 5 * 2**20 // 4 * 3
"""3.9 MB. Anthropic takes 5 MiB a picture, and counts them in base64, which is a third longer
(platform.claude.com/docs, "Vision"); OpenAI and Ollama take more."""
MOST_TEXT_BYTES = 1_000_000
"""About 250,000 tokens: more than most windows hold."""
MOST_ALL_BYTES = 20_000_000
"""Of one request: Anthropic takes 32 MB, base64 and all."""

NAME_SHOWN = 100

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


def attached(things: object) -> tuple[Attachment, ...]:
    """Read everything that is to be attached to one request: one thing, or several.

    Raises
    ------
    UsageError
        As `attachment`, and where all together are too much.
    """
    # A text or bytes would else be taken letter by letter.
    alone = isinstance(things, str | bytes | bytearray) or not isinstance(things, Iterable)
    found = (attachment(things),) if alone else tuple(map(attachment, cast("Any", things)))
    total = sum(len(one.data) for one in found)
    if total > MOST_ALL_BYTES:
        most = _size(MOST_ALL_BYTES)
        raise UsageError(f"the attachments are {_size(total)} together; the limit is {most}")
    return found


def attachment(thing: object, name: str | None = None) -> Attachment:
    """Make an attachment of a path, bytes, a picture (PIL) or a figure (matplotlib).

    Parameters
    ----------
    thing
        A `Path` or a text is the path of a file, which is read now and not again.
    name
        What the model and the ledger call it; a file's own name by default.

    Raises
    ------
    UsageError
        In one line: no such file, neither picture nor UTF-8 text, too large.

    Examples
    --------
    >>> attachment(b"a,b", "data.csv").media_type
    'text/plain'
    >>> attachment("*.png")
    Traceback (most recent call last):
    ...
    multimodel_magic.errors.UsageError: *.png: no such file (patterns are not followed)
    """
    if isinstance(thing, Attachment):
        return thing
    if isinstance(thing, str | Path):
        return _from_file(str(thing), name)
    if isinstance(thing, bytes | bytearray | memoryview):
        return _of(bytes(thing), name or "bytes")
    save = getattr(thing, "savefig", None) or getattr(thing, "save", None)
    if callable(save) and type(thing).__module__.partition(".")[0] in {"PIL", "matplotlib"}:
        return _of(_png(save), name or "picture.png")
    kind = type(thing).__name__
    raise UsageError(
        f"{name or 'that'} is {kind}, which cannot be attached: give a file's path, bytes, "
        "a PIL image or a matplotlib figure, or put its text into the prompt with {{name}}"
    )


def _png(save: Callable[..., object]) -> bytes:
    buffer = io.BytesIO()
    save(buffer, format="png")
    return buffer.getvalue()


def _from_file(text: str, name: str | None) -> Attachment:
    shown = text if len(text) <= NAME_SHOWN and text.isprintable() else "the text given"
    if "://" in text[:12] or text.startswith("data:"):
        raise UsageError(f"{shown}: addresses are not fetched; save it as a file first")
    try:
        path = Path(text).expanduser()
        data = _read(path)
    except UsageError as error:
        raise UsageError(f"{shown}: {error}") from None
    except FileNotFoundError:
        glob = " (patterns are not followed)" if set("*?[") & set(text) else ""
        raise UsageError(f"{shown}: no such file{glob}") from None
    except (OSError, ValueError, RuntimeError) as error:  # a NUL, or ~ of nobody
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{shown}: cannot be read ({why})") from None
    return _of(data, name or path.name)


def _read(path: Path) -> bytes:
    """Read a regular file: a pipe or a device might never end."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise UsageError("is a folder; name its files one by one")
    if not stat.S_ISREG(mode):
        raise UsageError("is no regular file")
    most = max(MOST_PICTURE_BYTES, MOST_TEXT_BYTES)
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise UsageError(f"is {_size(path.stat().st_size)}; {_LIMITS}")
    return data


def _of(data: bytes, name: str) -> Attachment:
    name = "".join(c if c.isprintable() and c != "`" else "?" for c in name)[:NAME_SHOWN]
    kind = _media_type(data)
    if kind is None:
        raise UsageError(f"{name}: {_FOREIGN if data.startswith(_PDF) else _UNKNOWN}")
    if not data:
        raise UsageError(f"{name}: is empty")
    if len(data) > (MOST_TEXT_BYTES if kind == "text/plain" else MOST_PICTURE_BYTES):
        raise UsageError(f"{name}: is {_size(len(data))}; {_LIMITS}")
    return Attachment(name, kind, data)


_PDF = b"%PDF"
_FOREIGN = "PDFs are not sent; attach the text, or the pages as pictures"
_UNKNOWN = "is neither a picture (png, jpeg, gif, webp) nor UTF-8 text"

_LIMITS = (
    f"a picture may have {MOST_PICTURE_BYTES / 1e6:.1f} MB, a text {MOST_TEXT_BYTES / 1e6:.0f} MB"
)


def _media_type(data: bytes) -> str | None:
    """Return what the bytes are: a picture by its signature, UTF-8 text, or None."""
    for signature, kind in _SIGNATURES:
        if data.startswith(signature):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text or data.startswith(_PDF) else "text/plain"


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 100_000 else f"{count:,} bytes"  # noqa: PLR2004
