"""A configuration under work: the file as it was read, the form, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from multimodel_magic.config import Problem, Source, as_error, parse_config
from multimodel_magic.config.document import Plain, read
from multimodel_magic.config.edits import edited
from multimodel_magic.config.files import shown
from multimodel_magic.errors import MultimodelError, UsageError
from multimodel_magic.notebook.configure import checked
from multimodel_magic.notebook.safe_markdown import code_block, plain
from multimodel_magic.notebook.table import Table
from multimodel_magic.notebook.widgets import look
from multimodel_magic.notebook.widgets.form import Form
from multimodel_magic.notebook.widgets.stage import Bundle

if TYPE_CHECKING:
    from multimodel_magic.session import Session

__all__ = ["Draft", "File", "bundle", "drafted"]

COMMENTS_SHOWN = 5
_OF_KEYS = ("API key", "no key", "write a key", "the key in")
"""Words of the refusals of a file that holds a key: its text is not shown then."""


@dataclass(frozen=True, slots=True)
class File:
    """A configuration file as it was read."""

    path: Path
    data: bytes | None = None
    """What it held; None where there is none yet."""
    document: Mapping[str, Plain] = field(default_factory=dict)
    trouble: str = ""
    """Why it cannot be edited here."""

    @property
    def text(self) -> str:
        """Its text."""
        return (self.data or b"").decode("utf-8-sig", "replace")

    @classmethod
    def read(cls, path: Path) -> File:
        """Read a file, or note that there is none."""
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return cls(path)
        except OSError as error:
            return cls(path, trouble=f"{path}: cannot be read ({error.strerror or error})")
        document, _, problems = read(data)
        if isinstance(document, dict):
            return cls(path, data, document)
        wrong = problems or (Problem((), "must be a mapping", 1),)
        said = as_error(wrong, Source(shown(path)))
        return cls(path, data, trouble=f"{said}; mend it in an editor, then Reload")


@dataclass(frozen=True, slots=True)
class Draft:
    """What Save would write, and what is to be said of it."""

    file: File
    text: str = ""
    fault: str = ""
    """Why it cannot be saved, in the line that `%llm config check` says."""
    doubts: Table | None = None
    """What is valid and can hardly be meant."""
    lost: tuple[str, ...] = ()
    """Comments that saving would lose."""
    said: str = ""
    """What was done last."""

    @property
    def changed(self) -> bool:
        """Whether saving would change the file."""
        return self.text != self.file.text

    @property
    def can_be_saved(self) -> bool:
        """Whether Save would write something, and something valid."""
        return self.changed and not self.fault

    @property
    def state(self) -> str:
        """Say in a line where things stand."""
        if self.fault:
            return "not valid: nothing can be saved"
        if not self.changed:
            return self.said or ("nothing to save" if self.file.data is not None else "empty")
        new = "" if self.file.data is not None else " a new file"
        return f"valid; Save writes{new} {shown(self.file.path)}"


def drafted(session: Session, file: File, form: Form, said: str = "") -> Draft:
    """Say what the form comes to as YAML; nothing is written, and nothing taken into use."""
    if file.trouble:
        return Draft(file, file.text, file.trouble)
    try:
        document = form.document(file.document)
    except UsageError as error:
        return Draft(file, file.text, str(error))
    if file.data is None and document:
        document = {"version": 1, **document}
    change = edited(file.text, document) if document or file.data else None
    text = change.text if change else ""
    lost = change.lost if change else ()
    try:
        doubts = checked(session, parse_config(text, name=shown(file.path))) if text else None
    except MultimodelError as error:
        return Draft(file, text, str(error), None, lost)
    return Draft(file, text, "", doubts, lost, said)


def bundle(draft: Draft) -> Bundle:
    """Return a draft as an output: where it stands, what is doubtful, and the YAML itself."""
    return {"text/plain": _plain(draft), "text/html": _html(draft)}


def _plain(draft: Draft) -> str:
    parts = [f"{shown(draft.file.path)}: {draft.state}"]
    parts += [f"✗ {draft.fault}"] if draft.fault else []
    parts += [f"! {said}" for said in _warnings(draft)]
    parts += ["", str(draft.doubts)] if draft.doubts else []
    return plain("\n".join([*parts, "", _shown(draft)])).rstrip()


def _html(draft: Draft) -> str:
    parts = [look.line(draft.state)]
    parts += [look.notice(draft.fault, fault=True)] if draft.fault else []
    parts += map(look.notice, _warnings(draft))
    parts += [draft.doubts._repr_html_()] if draft.doubts else []
    return look.panel(shown(draft.file.path), *parts, code_block(_shown(draft), "yaml"))


def _shown(draft: Draft) -> str:
    if any(words in draft.fault for words in _OF_KEYS):
        return "# not shown: it seems to hold a key"
    return draft.text.rstrip() or "# nothing is configured yet"


def _warnings(draft: Draft) -> list[str]:
    if not draft.lost or not draft.changed:
        return []
    shown = " ".join(draft.lost[:COMMENTS_SHOWN])
    more = f" and {len(draft.lost) - COMMENTS_SHOWN} more" * (len(draft.lost) > COMMENTS_SHOWN)
    return [f"Save will lose {len(draft.lost)} of the file's comments: {shown}{more}"]
