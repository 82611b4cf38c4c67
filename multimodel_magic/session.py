"""One kernel's client, ledger and conversation: what the magics, the widgets and `llm` hold."""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from multimodel_magic import bridge, pricing
from multimodel_magic.bookkeeping import Bookkeeping
from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.client.cache import Mode
from multimodel_magic.client.fitting import fitting
from multimodel_magic.client.guards import configured, guards_of, set_guards
from multimodel_magic.comparison.comparing import Comparing
from multimodel_magic.config import find_config
from multimodel_magic.errors import ConfigError, UsageError, did_you_mean, must_be
from multimodel_magic.experiments.voting import Voting
from multimodel_magic.ledger import Ledger
from multimodel_magic.ledger.keeping import Keeping
from multimodel_magic.ledger.spending import spent_elsewhere_usd
from multimodel_magic.replay.notes import notes_of
from multimodel_magic.replay.replaying import Replaying
from multimodel_magic.types import (
    MAIN_THREAD,
    Message,
    Option,
    Response,
    Strategy,
    new_ulid,
)
from multimodel_magic.wording import number_of

if TYPE_CHECKING:
    from multimodel_magic.catalogue import Catalogue
    from multimodel_magic.config import RoutingConfig
    from multimodel_magic.experiments import Results

__all__ = ["Session", "current", "start"]

_log = logging.getLogger("multimodel_magic.session")

SEARCH_FRESH_S = 1.0

HISTORY_KEPT = 1000
"""How many responses a session keeps in memory; the ledger keeps all."""

ADDED: Mapping[str, str] = {
    "config_widget": "multimodel_magic.notebook.widgets.config_editor:config_widget",
    "dashboard": "multimodel_magic.notebook.widgets.dashboard:dashboard",
    "playground": "multimodel_magic.notebook.widgets.playground:playground",
    "plot": "multimodel_magic.notebook.charts:Plot",
}
"""What layers above lend to every session: name -> `module:name` of what takes it first.

A function becomes a method, a class a value: `llm.playground()`, `llm.plot.cost()`. Names only: a
session works without a notebook, and what they mean is imported when somebody asks for it.
"""


class _Late(Mapping[str, Strategy]):
    """A mapping that is made when it is first looked at: strategies by name cost an import."""

    def __init__(self, make: Callable[[], Mapping[str, Strategy]]) -> None:
        self._make = make
        self._made: Mapping[str, Strategy] | None = None

    @property
    def _mapping(self) -> Mapping[str, Strategy]:
        if self._made is None:
            self._made = self._make()
        return self._made

    def __getitem__(self, name: str) -> Strategy:
        return self._mapping[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._mapping)

    def __len__(self) -> int:
        return len(self._mapping)


class Session(Comparing, Voting, Keeping, Replaying, Bookkeeping):
    """Ask models from Python, with the same client, ledger and history as the magics.

    `from multimodel_magic import llm` gives the kernel's own session.

    Parameters
    ----------
    client
        Answers; its `ledger` is replaced by this session's books.
    ledger
        Keeps every request and attempt; by default the user's ledger file.
    folder
        Where the search for `routing_config.yml` begins; the current one by default.
    cache
        Whether answers of before are given again (`auto`, `on`, `off`); None: as configured.

    Examples
    --------
    >>> from multimodel_magic.providers.scripted import ScriptedProvider
    >>> client = UnifiedLLMClient({"scripted": ScriptedProvider()})
    >>> llm = Session(client, ledger=Ledger(":memory:"))
    >>> llm("Hello", "scripted:echo").provider
    'scripted'
    """

    def __init__(
        self,
        client: UnifiedLLMClient | None = None,
        *,
        ledger: Ledger | None = None,
        folder: Path | None = None,
        cache: Mode | None = None,
    ) -> None:
        super().__init__()
        if client is not None:
            must_be("the client", client, UnifiedLLMClient, "UnifiedLLMClient(...)")
        if ledger is not None:
            must_be("the ledger", ledger, Ledger, "Ledger('books.db')")
        self.id = new_ulid()
        self.ledger = ledger if ledger is not None else Ledger()
        self.client = client or UnifiedLLMClient()
        self.client.ledger = self
        self.history: deque[Response] = deque(maxlen=HISTORY_KEPT)
        self.threads: dict[str, tuple[Message, ...]] = {}
        self.watchers: list[Callable[[Response], None]] = []
        """Told of every finished request, in whatever thread it ended; they must not raise."""
        self.where: Callable[[], Mapping[str, str]] = dict
        """Gives the labels that say where requests come from; the magics set it."""
        if "MULTIMODEL_TELEMETRY" in os.environ:
            from multimodel_magic import telemetry

            telemetry.from_environment(self.watchers)
        self.config: RoutingConfig | None = None
        self.config_path: Path | None = None
        self._is_given = False
        """Whether a program gave the configuration, which no file then replaces."""
        self._folder = folder
        self._found: Path | None = None
        self._searched_s: float | None = None
        self._stamp: tuple[int, int] | None = None
        self._config_hash = ""
        before = self.client
        self._guards = guards_of(before)
        self._unconfigured = before.strategy, before.catalogue, self._guards, before.price
        self._own_strategies = dict(before.strategies)
        self._catalogue = before.catalogue
        self._aliases: Mapping[str, str] = {}
        self.keep_answers(cache)
        self._name_strategies()

    def __repr__(self) -> str:
        asked = number_of(len(self.history), "request")
        return f"<multimodel_magic session: {asked}, ledger {self.ledger!r}>"

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever is lent
        """Import what a layer above lends (`ADDED`): a method, or a value made of the session."""
        if name not in ADDED:
            public = () if name[:1] == "_" else [one for one in dir(self) if one[:1] != "_"]
            near = did_you_mean(name, public, most=1)
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{near}")
        module, _, lent_name = ADDED[name].partition(":")
        lent = getattr(import_module(module), lent_name)
        return lent(self) if isinstance(lent, type) else partial(fitting(lent), self)

    def __dir__(self) -> list[str]:
        """List what is lent too."""
        return [*super().__dir__(), *ADDED]

    # --- asking

    @fitting
    async def acall(
        self,
        prompt: str,
        model: str | None = None,
        *,
        system: str | None = None,
        strategy: str | None = None,
        fallbacks: Iterable[str] | None = None,
        task: str | None = None,
        user_tier: str | None = None,
        task_value: str | None = None,
        needs: Iterable[str] = (),
        unit: str | None = None,
        max_tokens: int | None = None,
        timeout_s: float | None = None,
        retries: int | None = None,
        max_cost_usd: Decimal | None = None,
        broken_stream: Literal["restart", "keep", "fail"] | None = None,
        attachments: Iterable[object] = (),
        cache: Mode | None = None,
        fresh: bool = False,
        options: Mapping[str, Option] | None = None,
        schema: object = None,
    ) -> Response:
        """Answer a prompt; as `UnifiedLLMClient.generate`, awaited on the caller's own loop.

        Raises
        ------
        MultimodelError
            Where there is no answer; the attempts are in the ledger all the same.
        """
        if (said := self.refresh()) is not None:
            _log.warning(said)
        return await self.client.generate(
            prompt,
            model,
            system=system,
            strategy=strategy,
            fallbacks=fallbacks,
            task=task,
            user_tier=user_tier,
            task_value=task_value,
            needs=needs,
            unit=unit,
            max_tokens=max_tokens,
            timeout_s=timeout_s,
            retries=retries,
            max_cost_usd=max_cost_usd,
            broken_stream=broken_stream,
            attachments=attachments,
            cache=cache,
            fresh=fresh,
            options=options,
            schema=schema,
        )

    __call__ = bridge.blocking(acall)

    # --- configuration

    def refresh(self, *, search: bool = False) -> str | None:
        """Load the routing configuration where it is new or has changed, and say so in a line.

        A changed file that is broken leaves the earlier configuration in force, and the line says
        what is wrong with it. `search` looks for a new one though one has just looked (a cell).

        Raises
        ------
        ConfigError
            Where the first configuration found is broken: nothing is ever half-applied.
        """
        if self._is_given:
            return None
        path = self.config_path or self._search(search)
        stamp = _stamp(path)
        if self.config_path is not None and stamp is None and self._stamp is not None:
            self._stamp = None
            return f"{self.config_path.name} is gone (what it said stays in force)"
        if path is None or stamp is None or stamp == self._stamp:
            return None
        known, self._stamp = self.config_path, stamp
        try:
            self.use(path)
        except ConfigError as error:
            if known is None:
                self._stamp = None
                raise
            return f"{error} (the earlier configuration stays in force)"
        return f"{path.name} has changed and was read again" if known else f"using {path}"

    def _search(self, anew: bool) -> Path | None:  # noqa: FBT001
        """Look for a configuration: at most once a second where a program asks."""
        now_s = time.monotonic()
        if anew or self._searched_s is None or now_s - self._searched_s > SEARCH_FRESH_S:
            self._found, self._searched_s = find_config(self._folder), now_s
        return self._found

    @fitting
    def use(self, path: str | Path | None) -> None:
        """Take a routing configuration, or with None none at all, until one is named again.

        Raises
        ------
        ConfigError
            With file, line, path and the nearest key; the earlier configuration stays in force.
        """
        if path is None:
            self.configure(None)
            self._is_given = True  # or the next cell would find the very file that was let go
            return
        must_be("the configuration", path, (str, Path), "its file, or None")
        from multimodel_magic.config import load_config  # pydantic: 0.3 s

        path = Path(path).expanduser()
        self._apply(load_config(path))
        self.config_path, self._stamp = path, _stamp(path)
        self._is_given = False

    def configure(self, config: RoutingConfig | None) -> None:
        """Route by `config` from now on, wholly or (where it is refused) not at all.

        No file is read in its place until `use` names one, or None ends it.
        """
        if isinstance(config, str | Path):
            raise UsageError(f"that is a file, not a configuration: llm.use({str(config)!r})")
        self._apply(config)
        self.config_path = self._stamp = None
        self._is_given = config is not None

    def _apply(self, config: RoutingConfig | None) -> None:
        strategy, catalogue, guards, price = self._unconfigured
        digest = ""
        if config is not None:
            from multimodel_magic import routing
            from multimodel_magic.config import config_hash

            catalogue = routing.configured_catalogue(config, catalogue)
            strategy = routing.build_strategy(config, catalogue)
            guards = configured(config, guards)
            price = partial(pricing.price, overrides=routing.own_rates(config))
            digest = config_hash(config)
            self.client.providers.update(routing.servers_of(config))
        self.config, self._config_hash = config, digest
        self.use_cache(None if config is None else config.cache)
        self.client.strategy, self._catalogue = strategy, catalogue
        self.client.price = price
        set_guards(self.client, guards, self._guards)
        self._guards = guards
        self.alias(self._aliases)
        self._name_strategies()

    def alias(self, aliases: Mapping[str, str]) -> None:
        """Take these names of the user's own instead of those given before; a file's stay."""
        must_be("aliases", aliases, Mapping, "names of your own: {'mine': 'provider:model'}")
        for name in aliases.values():
            must_be("an alias", name, str, "what it stands for: {'mine': 'provider:model'}")
        self._aliases = dict(aliases)
        self.client.catalogue = self._catalogue.with_aliases(self._aliases)

    def _name_strategies(self) -> None:
        def make() -> Mapping[str, Strategy]:
            from multimodel_magic import routing

            built = routing.build_strategies(self.config, self.client.catalogue)
            return {**built, **self._own_strategies}

        self.client.strategies = _Late(make)

    # --- experiments

    @fitting
    def record_outcome(
        self, request: Response | str, outcome: Mapping[str, float | None] | float
    ) -> bool:
        """Keep what came of a request, in an experiment or not; it may come late.

        Parameters
        ----------
        request
            The response, or its request_id.
        outcome
            `True` or `False` for success, a number for a score, or a mapping of numbers by name
            (`success`, `score`, measures of your own).

        Returns
        -------
        bool
            Whether it changed anything: said twice it counts once.

        Raises
        ------
        UsageError
            For an id that the ledger does not know, and for what is no number.
        """
        from multimodel_magic.experiments import LedgerStore, record_outcome

        must_be("the request", request, (str, Response), "a response or its request_id")
        request_id = request if isinstance(request, str) else request.request_id
        return record_outcome(LedgerStore(self.ledger), request_id, outcome)

    @fitting
    def experiment(self, name: str, *, control: str | None = None) -> Results:
        """Compare the arms of an experiment over all sessions of the ledger.

        Parameters
        ----------
        name
            The experiment's name.
        control
            The arm that the others are compared with; by default the one that the strategy in
            force declares, else `control`, else the first.
        """
        from multimodel_magic.experiments import LedgerStore, analyze
        from multimodel_magic.strategies.experiment import declared

        must_be("the experiment", name, str, "its name")
        ours = declared(name, self.client.strategy, *self.client.strategies.values())
        return analyze(ours or name, LedgerStore(self.ledger).assigned(name), control=control)

    # --- conversation

    def thread(self, name: str) -> tuple[Message, ...]:
        """Return what was said so far in a conversation; nothing where it has not begun."""
        return self.threads.get(name, ())

    def remember(self, response: Response, *, thread: str | None) -> None:
        """Add an answered request to its conversation; without a name, `main` begins anew."""
        if not response.succeeded:
            return
        asked = response.request
        said = (
            Message("user", asked.prompt, asked.attachments),
            Message("assistant", response.text),
        )
        self.threads[thread or MAIN_THREAD] = (*response.request.history, *said)

    def reset(self) -> None:
        """Forget conversations, history, refused keys and breakers; the ledger keeps its rows."""
        self.client.forgive()
        self.threads.clear()
        self.history.clear()

    # --- books

    def begin(self, request_id: str, so_far: Callable[[], Response]) -> None:
        """Have the ledger keep a request under way, should the kernel die (the client calls this).

        Parameters
        ----------
        request_id
            The request's id.
        so_far
            Returns the response as it stands; called in the ledger's thread.
        """
        self.ledger.begin(request_id, lambda: self._labelled(so_far()))

    def record(self, response: Response) -> None:
        """Keep a finished request in the history and the ledger (the client calls this)."""
        response = self._labelled(response)
        self.history.append(response)
        self.ledger.record(response)
        for tell in tuple(self.watchers):
            tell(response)

    @fitting
    def telemetry(self, on: bool = True, *, content: bool = False) -> None:  # noqa: FBT001, FBT002 - a switch
        """Send requests on as OpenTelemetry spans from now on, or no more: docs/telemetry.md.

        `content` sends prompts and answers too. `MULTIMODEL_TELEMETRY` says it from the start.
        """
        from multimodel_magic import telemetry

        telemetry.switch(self.watchers, on=on, content=content)

    def spent_elsewhere_usd(self, since: datetime) -> Decimal | None:
        """Return what other sessions of the ledger spent since a moment (the client asks this)."""
        return spent_elsewhere_usd(self.ledger, since, session=self.id)

    def _labelled(self, response: Response) -> Response:
        ours = {"session": self.id} | ({"config": self._config_hash} if self.config else {})
        notes = notes_of(response.request)
        return response.labelled({**ours, **self.where(), **notes, **response.request.labels})

    def _base_catalogue(self) -> Catalogue:
        return self._unconfigured[1].with_aliases(self._aliases)

    @property
    def last(self) -> Response | None:
        """The last finished request of this session, answered or not."""
        return self.history[-1] if self.history else None


def _stamp(path: Path | None) -> tuple[int, int] | None:
    """Return what changes when a file does; None where there is none."""
    try:
        found = path.stat() if path is not None else None
    except OSError:
        return None
    return None if found is None else (found.st_mtime_ns, found.st_size)


_current: Session | None = None


def current() -> Session:
    """Return the kernel's session, begun on first use."""
    return _current or start()


def start(session: Session | None = None) -> Session:
    """Make `session` (by default a new one) the kernel's session and return it."""
    global _current  # noqa: PLW0603 - one per kernel is the point
    _current = session or Session()
    return _current
