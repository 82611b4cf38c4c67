"""What `%%llm` and `%llm` do: parse, interpolate, ask, show, return the response.

A magic is a parser and a renderer. Choosing, asking, pricing and recording happen in the
session's client; what is shown is made by the card and the reports.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakKeyDictionary

from multimodel_magic import bridge
from multimodel_magic import session as sessions
from multimodel_magic.comparison import Comparison, Comparisons
from multimodel_magic.errors import Cancelled, ConfigError, MultimodelError, UsageError
from multimodel_magic.ledger import Ledger
from multimodel_magic.notebook import hosting, reports
from multimodel_magic.notebook.asked import TICK_S, Asked, read, read_async, read_here
from multimodel_magic.notebook.attaching import chosen, schema_in
from multimodel_magic.notebook.card import Card, LiveCard
from multimodel_magic.notebook.completion import Vocabulary
from multimodel_magic.notebook.declaration import manual
from multimodel_magic.notebook.extension import LLMMagics, settings
from multimodel_magic.notebook.guards import budget, chaos
from multimodel_magic.notebook.options import (
    Options,
    parse_cell,
    parse_line,
    prompt_of,
    request_from,
    system_of,
    with_defaults,
)
from multimodel_magic.notebook.plan import plan
from multimodel_magic.notebook.served import Served, served
from multimodel_magic.notebook.table import Report
from multimodel_magic.notebook.template import interpolate
from multimodel_magic.notebook.worth import format_of, tell, worth
from multimodel_magic.session import Session
from multimodel_magic.types import Response

if TYPE_CHECKING:
    from multimodel_magic.replay import Replay

__all__ = [
    "Magics",
    "run_cell",
    "run_cell_async",
    "run_line",
    "show_response",
    "vocabulary",
    "with_settings",
]

_SHOW_WHAT_IS_IN_FORCE = frozenset({"status", "models", "config", "replay", "playground", "ab"})
_FILES = (["check"], ["use"], ["edit"])
"""What `%llm config` does with a file that it is told of itself."""

Namespace: TypeAlias = Mapping[str, object]
Shell: TypeAlias = Any
"""IPython's `InteractiveShell`, which mypy sees as untyped."""


class Magics:
    """The magics of one shell.

    Parameters
    ----------
    shell
        IPython's shell.
    settings
        Defaults for what a line leaves unsaid.
    session
        Asks and records; by default the kernel's own, begun on first use.
    """

    def __init__(self, shell: Shell, settings: LLMMagics, session: Session | None = None) -> None:
        self._shell = shell
        self._settings = settings
        self._session = session
        self._ledger_named = ""
        self._telemetry_named = False, False
        self._cache_named: str | None = None
        self._shown: tuple[str, int] | None = None
        self._served: Served = {}
        self._told: set[str] = set()
        """Notices that were shown already: each is loud once."""

    @property
    def session(self) -> Session:
        """The session that the magics share with `multimodel_magic.llm`, settings applied."""
        session = self._session or sessions.current()
        said = self._settings
        if said.ledger != self._ledger_named:
            self._ledger_named = said.ledger
            session.ledger = Ledger(said.ledger or None)
        session.ledger.store_text = said.store_text
        session.where = partial(hosting.labels, self._shell)  # for what is asked from code
        session.alias(said.aliases)
        asked = said.telemetry, said.telemetry_content
        if asked != self._telemetry_named:
            self._telemetry_named = asked
            session.telemetry(said.telemetry, content=said.telemetry_content)
        if said.cache != self._cache_named:
            self._cache_named = said.cache
            session.cache_mode = said.cache
        return session

    # --- the three ways in

    def cell(self, line: str, body: str) -> object:
        """Answer a cell and return its value, blocking until it is there."""
        return self._run(self._parsed(parse_cell(line)), body, self._shell.user_ns)

    async def cell_async(self, line: str, body: str) -> object:
        """As `cell`, awaited: widgets' clicks are handled meanwhile."""
        options = self._parsed(parse_cell(line))
        if options.subcommand or options.dry_run:
            return self._run(options, body, self._shell.user_ns)
        self._refresh()
        asked = self._prepared(options, body, self._shell.user_ns)
        if options.compare:
            from multimodel_magic.notebook.compare.cell import compare_async

            here = self._settings.event_loop == "kernel"
            comparison = await compare_async(self.session, options, asked.request, here=here)
            return self._compared(options, comparison)
        stream = self.session.client.stream(asked.request)
        if self._settings.event_loop == "background":
            await read_async(bridge.aiterate(stream, tick_s=TICK_S), asked)
        else:
            await read_here(stream, asked)
        return self._value(asked)

    def line(self, line: str, local_ns: Mapping[str, object]) -> object:
        """Answer a line, or run a sub-command, and return its value."""
        options = self._parsed(parse_line(line))
        namespace = ChainMap(dict(local_ns), self._shell.user_ns)
        return self._run(options, options.prompt or "", namespace)

    # --- one request

    def _parsed(self, options: Options) -> Options:
        return with_settings(options, self._settings, self._shell)

    def _run(self, options: Options, body: str, namespace: Namespace) -> object:
        if options.subcommand:
            self._refresh_if_read(options)
            return SUBCOMMANDS[options.subcommand](self, options)
        self._refresh()
        asked = self._prepared(options, body, namespace)
        client = self.session.client
        if options.dry_run and options.compare:
            from multimodel_magic.notebook.compare.cell import dry_run

            return bridge.run(dry_run(self.session, options, asked.request))
        if options.dry_run:
            return bridge.run(plan(client, asked.request))
        nested = self._settings.event_loop == "kernel"
        if nested:
            hosting.enable_nested_asyncio()
        if options.compare:
            from multimodel_magic.notebook.compare.cell import compare

            comparison = compare(self.session, options, asked.request, nested=nested)
            return self._compared(options, comparison)
        if nested:
            bridge.run_here(read_here(client.stream(asked.request), asked))
        else:
            read(client.stream_sync(asked.request, tick_s=TICK_S), asked)
        return self._value(asked)

    def _refresh(self) -> None:
        """Take up a changed configuration, and say so."""
        said = self.session.refresh(search=True)
        if said is not None:
            print(said)  # noqa: T201 - a notice in the cell

    def _refresh_if_read(self, options: Options) -> None:
        """Take it up before a subcommand shows what is in force; a broken file stops none."""
        named = options.arguments.split(None, 1)[:1] in _FILES
        if options.subcommand not in _SHOW_WHAT_IS_IN_FORCE or named:
            return
        try:
            self._refresh()
        except ConfigError as error:
            print(f"not in force: {error}")  # noqa: T201 - a notice

    def _prepared(self, options: Options, body: str, namespace: Namespace) -> Asked:
        prompt = prompt_of(body)
        if not prompt.strip():
            raise UsageError("the prompt is empty: write it below the %%llm line")
        system = system_of(options, namespace)
        if not options.raw:
            prompt = interpolate(prompt, namespace)
            typed = system is not None and system == options.system  # not a variable's value
            system = interpolate(system, namespace) if system is not None and typed else system
        request = request_from(
            options,
            prompt,
            system=system,
            history=self.session.thread(options.thread) if options.thread else (),
            attachments=chosen(options.attach, namespace) if options.attach else (),
            schema=schema_in(options.schema, namespace) if options.schema else None,
            labels=hosting.labels(self._shell),
        )
        # The wire always streams: what is shown is another matter, and an interrupt keeps the text.
        request = replace(request, stream=True)
        stream = bool(options.stream)
        card = (
            None if options.quiet else LiveCard(format_of(options), stream=stream, told=self._told)
        )
        return Asked(options, request, card)

    def _value(self, asked: Asked) -> object:
        """Return what the cell is worth, or raise why it is worth nothing."""
        response, options = asked.response, asked.options
        if response is None:
            raise Cancelled("interrupted before anything was recorded")
        self._shown = response.request_id, self._shell.execution_count
        if response.error is not None:
            stopped = isinstance(response.error, Cancelled)  # Stop means stop, in a loop too
            if stopped or not options.soft or not isinstance(response.error, MultimodelError):
                raise response.error
            tell(response.error)
            return response
        self.session.remember(response, thread=options.thread)
        value = worth(response, options)
        if options.verbose and not options.quiet:
            self._display(reports.why(response, self.session.client.price))
        if options.out:
            self._shell.user_ns[options.out] = value
            return None
        return value

    def _compared(self, options: Options, comparison: Comparison) -> object:
        """Return what a cell is worth that has shown a comparison."""
        self._shown = comparison.id, self._shell.execution_count
        if options.out:
            self._shell.user_ns[options.out] = comparison
            return None
        return comparison

    # --- showing

    def show_response(self, response: Response | Comparison | Comparisons | Replay) -> None:
        """Show a response that is a cell's value, unless that cell has shown it already."""
        if not isinstance(response, Response | Comparison | Comparisons):
            from multimodel_magic.notebook.replaying import shown  # draws: matplotlib

            self._display(shown(response))
            return
        known = response.request_id if isinstance(response, Response) else response.id
        if self._shown == (known, self._shell.execution_count):
            return
        if isinstance(response, Response):
            self._display(Card(response, format_of(self._settings)))
            return
        from multimodel_magic.notebook.compare.cell import show

        show(response, self.session)

    def _display(self, value: object) -> None:
        from IPython.display import display

        display(value)  # type: ignore[no-untyped-call]  # IPython's

    def unusable(self) -> Mapping[str, str]:
        """Say which providers cannot be asked here, and why."""
        return bridge.run(self.session.client.survey())

    def models(self) -> Report:
        """Show what there is to ask; asks each usable provider what it serves."""
        unusable = self.unusable()
        self._served = bridge.run(served(self.session.client, unusable))
        return reports.models(self.session, unusable, self._served)

    def vocabulary(self) -> Vocabulary:
        """Return what completion offers; asks nobody."""
        client = self.session.client
        return Vocabulary(
            models=(*client.catalogue.names(), *_full_names(self._served)),
            strategies=tuple(client.strategies),
            namespace=self._shell.user_ns,
        )


def with_settings(options: Options, said: LLMMagics, shell: Shell) -> Options:
    """Fill in what the user left unsaid from the settings (`%config LLMMagics`)."""
    return with_defaults(
        options,
        strategy=said.strategy or None,
        models=tuple(filter(None, said.model.split(","))),
        format=said.format,
        stream=said.stream and hosting.streaming(shell),
        timeout_s=said.timeout_s,
        max_tokens=said.max_tokens,
    )


def _full_names(served: Served) -> tuple[str, ...]:
    lists = {name: models for name, models in served.items() if not isinstance(models, str)}
    return tuple(f"{name}:{model}" for name, models in lists.items() for model in models)


# --- sub-commands


def _why(magics: Magics, options: Options) -> object:
    number = int(options.arguments) if options.arguments else None
    return reports.why(reports.nth(magics.session, number), magics.session.client.price)


def _votes(magics: Magics, options: Options) -> object:
    from multimodel_magic.notebook import votes

    shown = {"vote": votes.vote, "judge": votes.judge, "ratings": votes.ratings}
    return shown[options.subcommand or ""](magics.session, options.arguments)


def _cache(magics: Magics, options: Options) -> object:
    from multimodel_magic.notebook.caching import cache

    return cache(magics.session, magics._settings, options.arguments)  # noqa: SLF001 - our own


def _playground(magics: Magics, _: Options) -> object:
    from multimodel_magic.notebook.widgets.playground import playground

    return playground(magics.session)


def _dashboard(magics: Magics, _: Options) -> object:
    from multimodel_magic.notebook.widgets.dashboard import dashboard

    return dashboard(magics.session)


def _config(magics: Magics, options: Options) -> object:
    from multimodel_magic.notebook.configure import configuration

    return configuration(magics.session, options.arguments)


def _ab(magics: Magics, options: Options) -> object:
    from multimodel_magic.notebook.arms import arms

    return arms(magics.session, options.arguments)


def _stats(magics: Magics, options: Options) -> object:
    from multimodel_magic.notebook.groups import groups

    return groups(magics.session, options.arguments)


def _frame(magics: Magics, options: Options) -> object:
    from multimodel_magic.notebook import files

    return files.frame(magics.session, options)


def _plot(magics: Magics, options: Options) -> object:
    from multimodel_magic.notebook import files

    return files.plot(magics.session, options.arguments)


def _export(magics: Magics, options: Options) -> None:
    from multimodel_magic.notebook import files

    print(files.export(magics.session, options.arguments))  # noqa: T201 - what was written


def _import(magics: Magics, options: Options) -> None:
    from multimodel_magic.notebook import files

    print(files.import_file(magics.session, options.arguments))  # noqa: T201 - what was taken


def _replay(magics: Magics, options: Options) -> object:
    from multimodel_magic.notebook.replaying import Line, replay

    return replay(magics.session, options.arguments, Line())


def _compare(magics: Magics, _: Options) -> None:
    from multimodel_magic.notebook.compare.cell import again

    again(magics.session)


def _reset(magics: Magics, _: Options) -> None:
    magics.session.reset()
    print("Conversations, history and refused keys are forgotten; the ledger keeps its rows.")  # noqa: T201


SUBCOMMANDS: dict[str, Callable[[Magics, Options], object]] = {
    "status": lambda magics, _: reports.status(magics.session, magics.unusable()),
    "models": lambda magics, _: magics.models(),
    "why": _why,
    "last": lambda magics, _: reports.nth(magics.session, None),
    "df": _frame,
    "attempts": _frame,
    "stats": _stats,
    "plot": _plot,
    "export": _export,
    "import": _import,
    "ab": _ab,
    "compare": _compare,
    "vote": _votes,
    "judge": _votes,
    "ratings": _votes,
    "budget": lambda magics, options: budget(magics.session, options.arguments),
    "cache": _cache,
    "chaos": lambda magics, options: chaos(magics.session, options.arguments),
    "config": _config,
    "playground": _playground,
    "dashboard": _dashboard,
    "history": lambda magics, _: reports.history(magics.session),
    "replay": _replay,
    "reset": _reset,
    "doctor": lambda magics, _: reports.doctor(magics.session, magics.unusable()),
    "help": lambda *_: print(manual()),  # noqa: T201 - help is printed
}


# --- what the extension calls (its `Backend`), on the running shell


def _magics() -> Magics:
    shell = hosting.current_shell()
    said = settings(shell)
    found = _OF_SHELL.get(said)
    if found is None:
        found = _OF_SHELL[said] = Magics(shell, said)
    return found


_OF_SHELL: WeakKeyDictionary[LLMMagics, Magics] = WeakKeyDictionary()


def run_cell(line: str, cell: str) -> object:
    """Answer a cell, blocking."""
    return _magics().cell(line, cell)


async def run_cell_async(line: str, cell: str) -> object:
    """Answer a cell that the kernel awaits."""
    return await _magics().cell_async(line, cell)


def run_line(line: str, local_ns: Mapping[str, object]) -> object:
    """Answer a line or run its sub-command."""
    return _magics().line(line, local_ns)


def apply_settings() -> None:
    """Bring the settings to the session."""
    _ = _magics().session


def vocabulary() -> Vocabulary:
    """Return what completion offers."""
    return _magics().vocabulary()


def show_response(response: Response | Comparison | Comparisons | Replay) -> None:
    """Display a response that is a cell's value."""
    _magics().show_response(response)
