"""Routing by the kind of task: the seed's fourth pattern."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, overload

from multimodel_magic.config.tasks import FAMILIES
from multimodel_magic.errors import UsageError, did_you_mean
from multimodel_magic.types import Reason, Request, Route

__all__ = ["FAMILIES", "TASKS", "ByTask", "TaskSpecializedRouter", "tasks_of"]

TASKS = {
    "code_generation": "balanced",
    "code_review": "strong",
    "summarization": "fast",
    "translation": "strong",
    "analysis": "strong",
    "chat": "fast",
    "creative_writing": "balanced",
}
"""The seed's seven tasks, with the roles that its models had."""


def tasks_of(word: str, families: Mapping[str, tuple[str, ...]] = FAMILIES) -> frozenset[str]:
    """Return the tasks that a word covers: itself and, for a family, its members.

    Examples
    --------
    >>> sorted(tasks_of("code"))
    ['code', 'code_generation', 'code_review']
    """
    return frozenset({word, *families.get(word, ())})


@dataclass(frozen=True, slots=True)
class ByTask:
    """Each kind of task to the model that does it best.

    Parameters
    ----------
    models
        Task or family -> role, alias or model, on top of the seed's seven. A task's own entry
        comes before its family's.
    families
        Family -> its tasks, on top of `code` and `text`.
    default
        Where the request names no task and none is inferred.
    infer
        Guess the task from the prompt where the request names none.
    least
        The confidence in [0, 1] below which a guess is not used.

    Raises
    ------
    UsageError
        From `route`, for a task that is neither in the tables nor a family; names the nearest.

    Examples
    --------
    >>> ByTask().route(Request("...", task="code_review")).models
    ('strong',)
    >>> ByTask({"code": "local:smollm2"}).route(Request("...", task="code")).models
    ('local:smollm2',)
    """

    models: Mapping[str, str] = field(default_factory=dict)
    families: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    default: str = "balanced"
    infer: bool = False
    least: float = 0.6
    name: str = "task"

    def route(self, request: Request) -> Route:
        """Return the model of the request's task, given or inferred."""
        if request.task is not None:
            return self._of(request.task, Reason(self.name, f"task {request.task}"))
        if not self.infer:
            return self._default("no task given")
        from multimodel_magic.strategies.inference import infer_task

        guess = infer_task(request.prompt)
        if guess.task is None:
            return self._default("no task recognised")
        what = f"looks like {guess.task} ({guess.confidence:.2f})"
        if guess.confidence < self.least:
            return self._default(f"{what}, too unsure")
        seen = Reason("inferred from", ", ".join(guess.saw), guess.confidence)
        return self._of(guess.task, seen, Reason(self.name, what, guess.confidence))

    def model_for(self, task: str) -> str:
        """Return the role, alias or model of a task or family."""
        families = {**FAMILIES, **self.families}
        above = [family for family, members in families.items() if task in members]
        for table in (self.models, TASKS):
            # A user's entry for the family comes before the seed's for the task.
            for word in (task, *above):
                if word in table:
                    return table[word]
        if task in families:
            # A family without a model of its own: its first task stands for it.
            return self.model_for(families[task][0])
        raise UsageError(_unknown(task, {**TASKS, **families, **self.models}))

    def _of(self, task: str, *reasons: Reason) -> Route:
        return Route((self.model_for(task),), self.name, reasons)

    def _default(self, why: str) -> Route:
        return Route((self.default,), self.name, (Reason(self.name, why),))


class TaskSpecializedRouter:
    """The seed's router by task, in the seed's call shape, and a `Strategy` besides.

    `router.route("code_review")` gives a model name; `router.route(Request(...))` a `Route`.

    Parameters
    ----------
    models
        Task or family -> role, alias or model, on top of `TASK_MODELS`.

    Raises
    ------
    UsageError
        From `route`, for an unknown task: the seed sent a typo to claude-3-sonnet.

    Notes
    -----
    The names in `TASK_MODELS` are the seed's, of March 2024; the catalogue replaces them by
    today's with a notice. `ByTask` names roles.

    Examples
    --------
    >>> TaskSpecializedRouter().route("code_review")
    'claude-3-opus'
    >>> TaskSpecializedRouter().route("code")
    'claude-3-sonnet'
    """

    TASK_MODELS: ClassVar[Mapping[str, str]] = {
        "code_generation": "claude-3-sonnet",
        "code_review": "claude-3-opus",
        "summarization": "gpt-3.5-turbo",
        "translation": "gpt-4-turbo",
        "analysis": "claude-3-opus",
        "chat": "claude-3-haiku",
        "creative_writing": "claude-3-sonnet",
    }

    def __init__(self, models: Mapping[str, str] | None = None) -> None:
        own = models or {}
        self.strategy = ByTask({**self.TASK_MODELS, **own}, default="claude-3-sonnet")
        self.name = self.strategy.name

    @overload
    def route(self, task_type: Request) -> Route: ...
    @overload
    def route(self, task_type: str) -> str: ...
    def route(self, task_type: Request | str) -> Route | str:
        """Route a request; of a task, name the model."""
        if isinstance(task_type, Request):
            return self.strategy.route(task_type)
        if not isinstance(task_type, str):
            raise UsageError(f"task: {task_type!r} is no task; give its name, or a Request")
        return self.strategy.model_for(task_type)


def _unknown(task: str, known: Iterable[str]) -> str:
    names = sorted(set(known))
    near = did_you_mean(task, names) or f": known are {', '.join(names)}"
    return f"task: unknown task {task!r}{near}"
