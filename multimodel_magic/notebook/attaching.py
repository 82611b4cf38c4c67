"""`-a PATH|VAR` and `--schema VAR`: which file or variable a word on the line means."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from multimodel_magic.attachments import attached, attachment
from multimodel_magic.errors import UsageError, did_you_mean
from multimodel_magic.schemas import schema_of
from multimodel_magic.types import Attachment, Schema

__all__ = ["chosen", "files", "schema_in"]

MOST_OFFERED = 200


def chosen(words: Iterable[str], namespace: Mapping[str, object]) -> tuple[Attachment, ...]:
    """Read what the words name: a variable (`name`, or `@name`), else a file.

    Raises
    ------
    UsageError
        In one line: neither variable nor file, both of them, or not to be attached.
    """
    try:
        return attached([_named(word, namespace) for word in words])
    except UsageError as error:
        raise UsageError(f"--attach: {error}") from None


def schema_in(name: str, namespace: Mapping[str, object]) -> Schema:
    """Read the variable that says what the answer must be.

    Raises
    ------
    UsageError
        In one line: there is no such variable (with the nearest), or it holds no schema.
    """
    try:
        _require(name, namespace)
        return schema_of(namespace[name], name)
    except UsageError as error:
        raise UsageError(f"--schema: {error}") from None


def _require(name: str, namespace: Mapping[str, object]) -> None:
    if name not in namespace:
        near = did_you_mean(name, (known for known in namespace if known[:1] != "_"), most=1)
        raise UsageError(f"there is no variable {name!r}{near}")


def _named(word: str, namespace: Mapping[str, object]) -> Attachment:
    name = word.removeprefix("@")
    if word != name:
        _require(name, namespace)
    if name not in namespace:
        return attachment(word)
    if word == name and Path(word).exists():
        raise UsageError(f"{word} is a variable and a file: write @{word} or ./{word}")
    value = namespace[name]
    # A file goes by its own name, a value by the variable's.
    return attachment(value, None if isinstance(value, str | Path | Attachment) else name)


def files(fragment: str) -> list[str]:
    """List the files and folders that begin like the fragment, as typed; for completion."""
    folder, begin = os.path.split(fragment)
    try:
        with os.scandir(Path(folder or ".").expanduser()) as found:
            entries = sorted(
                entry.name + ("/" if entry.is_dir() else "")
                for entry in found
                if entry.name.startswith(begin) and (begin or entry.name[0] != ".")
            )
    except OSError:
        return []
    return [f"{folder}/{name}" if folder else name for name in entries[:MOST_OFFERED]]
