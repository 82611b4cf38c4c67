"""`llm.playground()`: type a prompt, see at every keystroke where it would go; send it or not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from multimodel_magic import bridge, pricing
from multimodel_magic.errors import MultimodelError, must_be
from multimodel_magic.notebook import hosting
from multimodel_magic.notebook.card import LiveCard
from multimodel_magic.notebook.options import Options, request_from
from multimodel_magic.notebook.plan import planned
from multimodel_magic.notebook.safe_markdown import plain
from multimodel_magic.notebook.widgets import explanation, look
from multimodel_magic.notebook.widgets.busy import busy_label
from multimodel_magic.notebook.widgets.explanation import Explanation
from multimodel_magic.notebook.widgets.stage import Bundle, Latest, Place, show_controls
from multimodel_magic.notebook.widgets.stage import has_front_end as has_page
from multimodel_magic.strategies import ByComplexity
from multimodel_magic.types import Event, Finished, Request, Route

if TYPE_CHECKING:
    from multimodel_magic.session import Session

__all__ = ["Playground", "explain", "playground"]

TICK_S = 0.25
AS_CONFIGURED = "as configured"
TWIN = (
    "Playground: the box for the prompt needs a running kernel; llm.playground() opens it. "
    "What it showed last stands below."
)
NO_ANSWER = "Nobody was asked yet: Send asks."
IN_A_TERMINAL = 'a terminal has no box to type into: llm.playground("your prompt") explains one'


def playground(session: Session, prompt: str = "", *, strategy: str = "") -> Playground:
    """Open a box in which a prompt is explained as it is typed, without any call.

    Parameters
    ----------
    prompt
        What stands in the box at first.
    strategy
        The strategy chosen at first; empty is as configured.
    """
    must_be("the prompt", prompt, str, "text")
    return Playground(session, prompt, strategy=strategy)


def explain(session: Session, request: Request) -> Explanation:
    """Say what would become of a request; asks no model and raises nothing that routing raises."""
    prompt, strategy = request.prompt, request.strategy or ""
    if not prompt.strip():
        return Explanation(prompt, strategy)
    scored, cuts = _scored(session, request)
    try:
        session.refresh()  # a configuration that was edited meanwhile counts, as in a cell
        plan = bridge.run(planned(session.client, request))
    except MultimodelError as error:
        return Explanation(prompt, strategy, None, scored, cuts, trouble=str(error))
    return Explanation(prompt, strategy, plan, scored, cuts, _not_reached(session, plan.route))


def _scored(session: Session, request: Request) -> tuple[Route, tuple[float, float]]:
    """Score the prompt on the scale that the configuration's rules use."""
    if session.config is None:
        complexity = ByComplexity()
    else:
        said = session.config.routing.complexity
        complexity = ByComplexity(cuts=said.cuts, classifier=said.classifier)
    return complexity.route(request), complexity.cuts


def _not_reached(session: Session, route: Route) -> tuple[str, ...]:
    """Name the rules behind the one that matched."""
    matched = any(reason.rule == "rules" for reason in route.reasons)
    if session.config is None or not matched:
        return ()
    from multimodel_magic.routing.build import rule_name

    names = [rule_name(n, rule) for n, rule in enumerate(session.config.routing.rules)]
    tried = {reason.rule for reason in route.reasons}
    return tuple(name for name in names if name not in tried)[1:]  # the first of them matched


class Playground:
    """The box, its explanation and its answer; shown where it is a cell's value.

    Parameters
    ----------
    session
        Routes and asks, as it does for cells.
    prompt, strategy
        What is filled in at first.
    """

    def __init__(self, session: Session, prompt: str = "", *, strategy: str = "") -> None:
        self.session = session
        self.seen = explain(session, _request(prompt, strategy))
        self.route = Place(explanation.bundle(self.seen))
        self.answer = Place(_said(NO_ANSWER))
        self._asking: Any = None
        self._controls: Controls | None = None
        self._changes: Latest[tuple[str, str]] = Latest(self._explain)

    def __str__(self) -> str:
        return str(self.route.bundle["text/plain"])

    def __repr__(self) -> str:
        return f"<playground: {self.seen.headline}>"

    def _ipython_display_(self) -> None:
        if not has_page():
            print(f"{self}\n({IN_A_TERMINAL})")  # noqa: T201 - a terminal's display
            return
        show_controls(self.controls.box, TWIN)
        self.route.show()
        self.answer.show()
        self._warm()

    def _warm(self) -> None:
        """Have done in the cell what is done once (0.7 s), that no keystroke has to wait for it."""
        pricing.warm()
        explain(self.session, _request("Is all loaded?", self.seen.strategy))

    @property
    def controls(self) -> Controls:
        """What is typed into and clicked; made when it is first shown."""
        if self._controls is None:
            seen = self.seen
            names = (AS_CONFIGURED, *self.session.client.strategies)
            self._controls = Controls(self, names, seen.prompt, seen.strategy or AS_CONFIGURED)
        return self._controls

    # --- what the controls call

    def change(self, prompt: str, strategy: str) -> None:
        """Take in what is typed or chosen; explained as soon as nothing newer comes."""
        self._changes.put((prompt, strategy))

    def _explain(self, typed: tuple[str, str]) -> None:
        self.seen = explain(self.session, _request(*typed))
        self.route.fill(explanation.bundle(self.seen))

    def send(self, prompt: str, strategy: str) -> None:
        """Ask, through the session's client; returns at once, the answer grows in its place."""
        if self._asking is not None and not self._asking.done():
            return
        if not prompt.strip():
            self.answer.fill(_said("The prompt is empty: there is nothing to send."))
            return
        said = _settings()
        card = LiveCard(said.format if said else "auto", publisher=self.answer)
        # Not in this thread: a click is answered at once, and Stop must find the kernel free.
        asking = self._ask(_request(prompt, strategy), card)
        self._asking = asyncio.run_coroutine_threadsafe(asking, bridge.loop())
        self.controls.asking(True)
        self._asking.add_done_callback(lambda _: self.controls.asking(False))

    def stop(self) -> None:
        """Stop the answer that is growing; what has come stays, and is on the books."""
        if self._asking is not None:
            self._asking.cancel()

    async def _ask(self, request: Request, card: LiveCard) -> None:
        ended = False
        events = bridge.aiterate(self.session.client.stream(request), tick_s=TICK_S)
        try:
            async with aclosing(events):
                async for event in events:
                    ended = ended or isinstance(event, Finished)
                    _paint(card, event)
        except asyncio.CancelledError:
            if not ended:
                card.interrupted()
        except Exception as error:  # noqa: BLE001 - a click has no cell that could fail
            self.answer.fill(_said(f"{type(error).__name__}: {error}"))


def _paint(card: LiveCard, event: Event | None) -> None:
    if event is None:
        card.tick()
    else:
        card.show(event)


def _said(text: str) -> Bundle:
    return {"text/plain": plain(text), "text/html": look.line(text)}


def _settings() -> Any:  # noqa: ANN401 - traitlets are untyped
    """Return what `%config LLMMagics` shows, or None where the extension is not loaded."""
    from multimodel_magic.notebook.extension import settings

    try:
        return settings()
    except LookupError:
        return None


def _request(prompt: str, strategy: str) -> Request:
    """Build the request that a cell with this prompt and `--strategy` would make."""
    from multimodel_magic.notebook.magics import with_settings

    options = Options(strategy=strategy if strategy and strategy != AS_CONFIGURED else None)
    said = _settings()
    if said is not None:
        options = with_settings(options, said, hosting.current_shell())
    labels = {**hosting.labels(), "widget": "playground"}
    return request_from(options, prompt, labels=labels)


class Controls:
    """The playground's widgets: a box for the prompt, the strategies, Send and Stop."""

    def __init__(
        self, owner: Playground, strategies: tuple[str, ...], prompt: str, strategy: str
    ) -> None:
        import ipywidgets as widgets

        # 20px: what Lab leaves free at the right of every other output.
        wide, named = {"width": "auto", "margin": "2px 20px 2px 2px"}, {"description_width": "5em"}
        self.prompt = widgets.Textarea(
            prompt,
            description="Prompt",
            placeholder="What would you ask?",
            tooltip="The prompt; explained at every keystroke, sent by Send alone",
            continuous_update=True,
            rows=5,
            layout=wide,
            style=named,
        )
        self.strategy = widgets.Dropdown(
            options=strategies if strategy in strategies else (*strategies, strategy),
            value=strategy,
            description="Strategy",
            tooltip="What chooses the model",
            layout={"width": "18em"},
            style=named,
        )
        self.send = widgets.Button(
            description="Send", button_style="primary", tooltip="Ask, and pay what it costs"
        )
        self.stop = widgets.Button(
            description="Stop", disabled=True, tooltip="Stop the answer; what has come stays"
        )
        row = widgets.HBox([self.strategy, self.send, self.stop], layout={"flex_flow": "row wrap"})
        self.busy = busy_label()
        self.box = widgets.VBox([self.prompt, row, self.busy], layout={"max_width": "72em"})
        self._tell(owner)

    def _tell(self, owner: Playground) -> None:
        def said(act: Callable[[str, str], None]) -> Callable[[object], None]:
            return lambda _: act(str(self.prompt.value), str(self.strategy.value))

        for widget in (self.prompt, self.strategy):
            widget.observe(said(owner.change), names="value")
        self.send.on_click(said(owner.send))
        self.stop.on_click(lambda _: owner.stop())

    def asking(self, now: bool) -> None:  # noqa: FBT001 - a state
        """Let Stop be clicked while an answer grows, and Send while none does."""
        self.send.disabled, self.stop.disabled = now, not now
        self.send.description = "Asking…" if now else "Send"
