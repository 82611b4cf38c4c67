"""What `%load_ext multimodel_magic` does: hang a few small functions into IPython, import nothing.

The magics' bodies, the client and everything that they need are imported on first use. Loading
twice changes nothing, and unloading takes away exactly what loading brought.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol, TypeAlias, cast

from IPython.core.getipython import get_ipython
from traitlets import Bool, Dict, Enum, Float, Int, TraitError, Unicode, observe, validate
from traitlets.config.configurable import Configurable
from traitlets.config.loader import Config

from multimodel_magic.notebook import FORMATS

if TYPE_CHECKING:
    from multimodel_magic.notebook.completion import Vocabulary

__all__ = ["Backend", "LLMMagics", "load_ipython_extension", "settings", "unload_ipython_extension"]

Shell: TypeAlias = Any
"""IPython's `InteractiveShell`, which mypy sees as untyped."""

NAMES: Final = ("llm", "mm")
_SHOWN: Final = (
    ("multimodel_magic.types.values", "Response"),
    ("multimodel_magic.comparison.values", "Comparison"),
    ("multimodel_magic.comparison.values", "Comparisons"),
    ("multimodel_magic.replay.result", "Replay"),
)
"""What we display ourselves where it is a cell's value: module and name, not to be imported."""


LISTED_CHARS: Final = 60
"""How much of an answer's text a list of responses shows."""


class Backend(Protocol):
    """What the magics run; `multimodel_magic.notebook.magics` unless `LLMMagics.backend` is set."""

    def run_cell(self, line: str, cell: str) -> object:
        """Answer a cell, blocking; the result is the cell's value."""
        ...

    async def run_cell_async(self, line: str, cell: str) -> object:
        """Answer a cell that the kernel awaits, so that an interrupt is a cancellation."""
        ...

    def run_line(self, line: str, local_ns: Mapping[str, object]) -> object:
        """Answer a line or run its subcommand, blocking; `local_ns` is the calling frame's."""
        ...

    def apply_settings(self) -> None:
        """Bring the settings to the session that is running, if any."""
        ...

    def vocabulary(self) -> Vocabulary:
        """Return what completion offers; called at every tab, so it must be quick."""
        ...

    def show_response(self, response: Any) -> None:  # noqa: ANN401 - Response would be an import
        """Display a response that is a cell's value; nothing where it is on the screen already."""
        ...


def _refused(trait: str, value: str, known: Iterable[str]) -> TraitError:
    """Say that a setting cannot be so, and what is near, as traitlets refuses a value."""
    from multimodel_magic.errors import did_you_mean

    near = did_you_mean(value, known, most=1) or f"; there are {', '.join(known)}"
    return TraitError(f"LLMMagics.{trait} cannot be {value!r}{near}")


class Choice(Enum):  # type: ignore[type-arg]  # generic for type checkers alone
    """One of a few words; what is none of them is refused with the nearest."""

    def error(self, obj: Any, value: Any, error: Any = None, info: Any = None) -> NoReturn:  # noqa: ANN401 - theirs
        """Refuse a value (traitlets calls this)."""
        if isinstance(value, str):
            raise _refused(str(self.name), value, self.values or ())
        super().error(obj, value, error, info)


class LLMMagics(Configurable):
    """Defaults of `%llm` and `%%llm`; an option on the line outweighs them."""

    strategy = Unicode("", help="The strategy where none is named; empty: as configured.").tag(
        config=True
    )
    model = Unicode(
        "", help="The model, alias or role where none is named; empty: the strategy chooses."
    ).tag(config=True)
    format = Choice(FORMATS, "auto", help="How an answer is shown.").tag(config=True)
    stream = Bool(True, help="Show the answer while it grows.").tag(config=True)
    max_tokens = Int(
        None, allow_none=True, min=1, help="The longest answer, in tokens; None: the vendor's."
    ).tag(config=True)
    timeout_s = Float(
        None, allow_none=True, min=0.0, help="The deadline of a request, in seconds; None: 600."
    ).tag(config=True)
    store_text = Bool(
        True,
        help="Keep prompts and answers in the ledger; else only numbers, models and errors.",
    ).tag(config=True)
    ledger = Unicode(
        "", help="Where requests are recorded: a path, a database URL, :memory:; empty: your data."
    ).tag(config=True)
    cache = Choice(
        ("auto", "on", "off"),
        None,
        allow_none=True,
        help="Give kept answers again: on, off, auto (temperature 0); None: as configured.",
    ).tag(config=True)
    telemetry = Bool(
        False, help="Send requests on as OpenTelemetry spans, to where OTEL_* variables say."
    ).tag(config=True)
    telemetry_content = Bool(False, help="Send prompts and answers too where telemetry is on.").tag(
        config=True
    )
    aliases = Dict(
        value_trait=Unicode(),
        key_trait=Unicode(),
        help="Your own names: {'mine': 'provider:model'}.",
    ).tag(config=True)
    event_loop = Choice(
        ("background", "kernel"),
        "background",
        help="Whose loop asks: a thread's, or (with nest-asyncio) the kernel's own.",
    ).tag(config=True)

    @validate("strategy")
    def _named(self, proposal: Mapping[str, str]) -> str:
        # What a configuration file says is looked at in the first cell: loading imports nothing.
        name = proposal["value"]
        if name and self in getattr(self.parent, "configurables", ()):
            known = self.backend.vocabulary().strategies
            if name not in known:
                raise _refused("strategy", name, sorted(known))
        return name

    @observe("store_text", "ledger", "aliases", "cache", "telemetry", "telemetry_content")
    def _apply(self, _: object) -> None:
        # At once: what `llm(...)` records must not wait for the next magic to hear of it.
        if "multimodel_magic.session" in sys.modules:
            apply_settings()

    backend_object: Backend | None = None

    @property
    def backend(self) -> Backend:
        """What runs the magics; imported on first use. Set it to put something in its place."""
        if self.backend_object is None:
            module = importlib.import_module("multimodel_magic.notebook.magics")
            self.backend_object = cast("Backend", module)
        return self.backend_object

    @backend.setter
    def backend(self, backend: Backend) -> None:
        self.backend_object = backend


def settings(shell: Shell = None) -> LLMMagics:
    """Return the live settings of the shell: what `%config LLMMagics` shows and changes.

    Raises
    ------
    LookupError
        Where the extension is not loaded.
    """
    shell = shell or get_ipython()
    for configurable in getattr(shell, "configurables", ()):
        if isinstance(configurable, LLMMagics):
            return configurable
    raise LookupError("the extension is not loaded: %load_ext multimodel_magic")


def apply_settings() -> None:
    """Bring the settings to the session; for `multimodel_magic.llm`. Nothing where unloaded."""
    with contextlib.suppress(LookupError):
        settings().backend.apply_settings()


# --- the magics


def llm_cell(line: str, cell: str) -> object:
    """Answer the cell with a language model: `%%llm?` is the manual."""
    return settings().backend.run_cell(line, cell)


async def llm_cell_awaited(line: str, cell: str) -> object:
    """Answer a top-level cell of a kernel, which awaits it."""
    return await settings().backend.run_cell_async(line, cell)


def llm_line(line: str, local_ns: Mapping[str, object] | None = None) -> object:
    """Answer the line with a language model, or run a subcommand: `%llm?` is the manual."""
    return settings().backend.run_line(line, local_ns or {})


def _manual() -> str:
    from multimodel_magic.notebook.declaration import manual

    return manual()


def _prepare(function: Callable[..., object]) -> None:
    # IPython's own marks. `$x` and `{x}` in the line are the user's text, not IPython's to expand.
    function._ipython_magic_no_var_expand = True  # type: ignore[attr-defined]  # noqa: SLF001
    function.getdoc = _manual  # type: ignore[attr-defined]  # what `?` shows, written on demand


_prepare(llm_cell)
_prepare(llm_line)
llm_cell.awaited = llm_cell_awaited  # type: ignore[attr-defined]
llm_line.needs_local_scope = True  # type: ignore[attr-defined]  # {{x}} in a function sees its x


# --- the input transformer


def transform(lines: list[str]) -> list[str]:
    """Turn our magics into calls before IPython looks at the cell.

    It runs first, because IPython would take a trailing `?` for its help, and strip `>>>` off the
    prompt's lines. A top-level cell of a kernel becomes an `await`, which an interrupt cancels.
    """
    if not any("%llm" in line or "%mm" in line for line in lines):
        return lines
    from multimodel_magic.notebook import transformer

    return transformer.transform(lines, awaited=_awaits)


# check_complete() leaves such transformers out: a terminal must see `%%llm` itself to wait for
# the cell's end.
transform.has_side_effects = True  # type: ignore[attr-defined]


def _awaits(name: str) -> bool:
    """Whether the kernel is about to await this very cell, and the magic in it is ours."""
    shell: Shell = get_ipython()
    cells = shell.magics_manager.magics["cell"]
    return cells.get(name) is llm_cell and _straight_from_kernel(shell)


def _straight_from_kernel(shell: Shell) -> bool:
    # Nested cells (%%time, %%capture, run_cell) and every other host take the blocking magic.
    kernel = sys.modules.get("ipykernel.ipkernel")
    runner = getattr(kernel, "_asyncio_runner", None)
    if not shell.autoawait or shell.loop_runner is not runner or not _loop_is_running():
        return False
    frame = sys._getframe(1)  # noqa: SLF001 - the only way to know who asks
    while frame is not None:
        where = (frame.f_globals.get("__name__"), frame.f_code.co_name)
        if where == ("IPython.core.interactiveshell", "run_code"):
            return False
        if where == ("ipykernel.ipkernel", "do_execute"):
            return True
        frame = frame.f_back  # type: ignore[assignment]  # None ends the loop
    return False


def _loop_is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


# --- completion and display


def matcher(context: Any) -> Any:  # noqa: ANN401 - IPython's types, imported on the first tab
    """Complete options, values and names in our magics (IPython's matcher API, version 2)."""
    from multimodel_magic.notebook import completion

    return completion.complete(context, settings().backend.vocabulary)


matcher.matcher_api_version = 2  # type: ignore[attr-defined]
matcher.matcher_identifier = "multimodel_magic"  # type: ignore[attr-defined]
matcher.matcher_priority = 1000  # type: ignore[attr-defined]  # above the Python matchers


def show_response(response: object) -> None:
    """Display a response that is a cell's value."""
    settings().backend.show_response(response)


def _in_a_list(response: Any, printer: Any, cycle: bool) -> None:  # noqa: ANN401, FBT001 - theirs
    """Write a response inside a list or a dict in one line: whole, it is some fifty fields."""
    who = response.model or "nobody"
    said = response.text or (response.error and type(response.error).__name__) or ""
    short = said if len(said) <= LISTED_CHARS else said[: LISTED_CHARS - 1] + "…"
    printer.text("Response(...)" if cycle else f"Response({short!r}, model={who!r})")


def _without_prompt(hook: Any) -> Callable[..., None]:  # noqa: ANN401 - IPython's DisplayHook
    """Let a terminal show a response or a comparison without `Out[2]:`.

    IPython writes that prompt before it asks our formatter, which leaves nothing to put behind it.
    """

    def show(result: object = None) -> None:
        if (type(result).__module__, type(result).__name__) not in _SHOWN or hook.quiet():
            hook(result)
            return
        hook.check_for_underscore()
        hook.compute_format_data(result)  # displays it
        hook.update_user_ns(result)
        hook.fill_exec_result(result)

    show.around = hook  # type: ignore[attr-defined]
    return show


# --- loading and unloading


def load_ipython_extension(shell: Shell) -> None:
    """Register `%llm`, `%%llm`, `%mm`, `%%mm`, their completion, help and settings."""
    if any(isinstance(found, LLMMagics) for found in shell.configurables):
        return
    shell.configurables.append(_configured(shell))
    _register_magics(shell)
    shell.input_transformers_cleanup.insert(0, transform)
    shell.Completer.custom_matchers.append(matcher)
    for module, name in _SHOWN:
        formatter = shell.display_formatter.ipython_display_formatter
        formatter.for_type_by_name(module, name, show_response)
    shell.display_formatter.formatters["text/plain"].for_type_by_name(*_SHOWN[0], _in_a_list)
    if getattr(shell, "kernel", None) is None:
        shell.display_trap.hook = _without_prompt(shell.display_trap.hook)


def _configured(shell: Shell) -> LLMMagics:
    try:
        return LLMMagics(parent=shell, config=shell.config)
    except TraitError as error:  # IPython keeps what `%config` refused, too: seen at %reload_ext
        warnings.warn(f"{error}; what is configured of LLMMagics is passed over", stacklevel=3)
        return LLMMagics(parent=shell, config=Config())


def unload_ipython_extension(shell: Shell) -> None:
    """Take away what loading brought; what others registered since then stays."""
    tables = shell.magics_manager.magics
    for name in NAMES:
        for kind, function in (("cell", llm_cell), ("line", llm_line)):
            if tables[kind].get(name) is function:
                del tables[kind][name]
    _discard(shell.input_transformers_cleanup, transform)
    _discard(shell.Completer.custom_matchers, matcher)
    for shown in _SHOWN:
        shell.display_formatter.ipython_display_formatter.pop(".".join(shown), None)
    shell.display_formatter.formatters["text/plain"].pop(".".join(_SHOWN[0]), None)
    shell.display_trap.hook = getattr(shell.display_trap.hook, "around", shell.display_trap.hook)
    for found in [c for c in shell.configurables if isinstance(c, LLMMagics)]:
        shell.configurables.remove(found)


def _register_magics(shell: Shell) -> None:
    tables = shell.magics_manager.magics
    for name in NAMES:
        if name in tables["cell"] or name in tables["line"]:
            _warn_of_foreign(name, tables["cell"].get(name) or tables["line"].get(name))
            continue
        shell.register_magic_function(llm_cell, "cell", name)
        shell.register_magic_function(llm_line, "line", name)


def _warn_of_foreign(name: str, foreign: object) -> None:
    owner = str(getattr(foreign, "__module__", None) or "another extension").split(".")[0]
    other = next(word for word in NAMES if word != name)
    warnings.warn(
        f"%%{name} belongs to {owner} here and stays so; multimodel_magic answers to %%{other}",
        stacklevel=2,
    )


def _discard(items: list[Any], item: object) -> None:
    if item in items:
        items.remove(item)
