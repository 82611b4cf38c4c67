"""What a comparison looks like at one moment, for the live view and for the twin."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from multimodel_magic.comparison import Comparison, differences
from multimodel_magic.comparison.values import letter
from multimodel_magic.experiments.votes import Vote
from multimodel_magic.notebook import card
from multimodel_magic.notebook.compare import diffing
from multimodel_magic.notebook.compare.pane import MARKS, Pane, View
from multimodel_magic.notebook.compare.twin import Picture
from multimodel_magic.notebook.compare.voting import verdicts
from multimodel_magic.notebook.excerpt import excerpt
from multimodel_magic.notebook.safe_markdown import plain
from multimodel_magic.types import Finished

__all__ = ["Agreed", "Agreement", "facts", "payload", "picture", "still", "title"]

_HELD_BACK = ("contestants", "models", "receipts", "errors")


@dataclass(frozen=True, slots=True)
class Agreed:
    """Where the answers agree and differ, as shown."""

    html: str = ""
    text: str = ""


@dataclass(slots=True)
class Agreement:
    """Works out where answers agree, once for every state that they are in."""

    _of: tuple[object, ...] = ()
    _found: Agreed = field(default_factory=Agreed)

    def of(self, comparison: Comparison, *, over: bool) -> Agreed:
        """Return it; nothing while answers grow, or where fewer than two are there."""
        if not over or len(comparison.answered) < 2:  # noqa: PLR2004 - one agrees with itself
            return Agreed()
        now = (comparison.request_ids, comparison.texts, comparison.hidden)
        if now != self._of:
            self._of, self._found = now, agreed(comparison)
        return self._found


def agreed(comparison: Comparison, *, opened: bool = False) -> Agreed:
    """Compare the answers that there are."""
    places = comparison.answered
    labels = [title(comparison, place) for place in places]
    found = differences([excerpt(comparison.texts[place]) for place in places])
    note = _same_model(comparison)
    return Agreed(
        diffing.html(found, labels, opened=opened, note=note),
        diffing.text(found, labels, note=note),
    )


def _same_model(comparison: Comparison) -> str:
    """Say that one model gave all the answers: roles that lead to one place here look like two."""
    responses = (comparison.responses[place] for place in comparison.answered)
    models = {f"{one.provider}:{one.model}" for one in responses if one is not None}
    if comparison.hidden or len(models) != 1:
        return ""
    return f"one model gave them all ({models.pop()}); "


def title(comparison: Comparison, place: int) -> str:
    """Call a pane by its letter, its name, or (once a blind one is revealed) both."""
    if comparison.hidden:
        return f"Answer {letter(place)}"
    name = comparison.names[place]
    return f"{letter(place)} · {name}" if comparison.blind else name


def payload(view: View, *, title: str, chosen: bool) -> dict[str, Any]:
    """Write a pane as the page takes it; only `html` is put in as HTML."""
    return {
        "title": plain(title),
        "state": view.state,
        "mark": MARKS[view.state],
        "status": plain(view.status),
        "html": view.html,
        "notices": [plain(line) for line in view.notices],
        "running": view.running,
        "retry": not view.running,
        "chosen": chosen,
        "run": view.run,
    }


def picture(
    comparison: Comparison,
    views: Iterable[View],
    votes: Sequence[Vote] = (),
    agreement: Agreed | None = None,
    *,
    beside_widget: bool = False,
    prompt: str = "",
) -> Picture:
    """Put together what the twin shows."""
    human = next((vote for vote in votes if vote.judge is None), None)
    agreement = agreement or Agreed()
    return Picture(
        tuple(replace(view, title=title(comparison, at)) for at, view in enumerate(views)),
        human.preferred if human is not None else None,
        verdicts(comparison, votes),
        agreement.html,
        agreement.text,
        prompt,
        beside_widget,
    )


def still(comparison: Comparison, votes: Sequence[Vote] = (), *, opened: bool = False) -> Picture:
    """Put together what is seen of a comparison that nothing happens to any more."""
    panes = [Pane(place, name) for place, name in enumerate(comparison.names)]
    for pane, response in zip(panes, comparison.responses, strict=True):
        if response is not None:
            pane.hear(Finished(response))
        pane.stopped()
    views = [pane.view(hidden=comparison.hidden) for pane in panes]
    several = len(comparison.answered) > 1
    agreement = agreed(comparison, opened=opened) if several else None
    return picture(comparison, views, votes, agreement, prompt=comparison.prompt)


def facts(comparison: Comparison, votes: Sequence[Vote] = ()) -> dict[str, Any]:
    """Gather what a program may want to know of the output; of a hidden one, next to nothing."""
    told: dict[str, Any] = {"comparison": comparison.id, "blind": comparison.blind}
    if comparison.hidden:
        return {"multimodel_magic": {**told, "held_back_until_the_vote": list(_HELD_BACK)}}
    ended = (response for response in comparison.responses)
    told["contestants"] = list(comparison.names)
    told["shuffle"] = list(comparison.shuffle)
    told["responses"] = [None if one is None else card.facts(one) for one in ended]
    told["votes"] = [
        {"verdict": vote.verdict, "preferred": vote.preferred, "judge": vote.judge}
        for vote in votes
    ]
    return {"multimodel_magic": told}
