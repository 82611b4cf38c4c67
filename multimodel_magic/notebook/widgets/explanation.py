"""What would become of a prompt, as a value that reads well on a page and in a terminal.

Every number and reason is the route's own, in the tables of `%llm -n` and `%llm why`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from multimodel_magic.notebook.plan import Plan
from multimodel_magic.notebook.reports import reasons
from multimodel_magic.notebook.safe_markdown import plain
from multimodel_magic.notebook.table import Report, Table
from multimodel_magic.notebook.widgets import look
from multimodel_magic.notebook.widgets.stage import Bundle
from multimodel_magic.pricing import money
from multimodel_magic.types import Reason, Route
from multimodel_magic.wording import number_of

__all__ = ["Explanation", "bundle"]

NOTHING_YET = "Type a prompt: whom it would go to, why, and what it would cost stands here."
PROMPT_SHOWN = 120
"""Characters of the prompt that the explanation quotes."""
SIGNAL = "signal: "


@dataclass(frozen=True, slots=True)
class Explanation:
    """What routing says of one prompt.

    Parameters
    ----------
    prompt, strategy
        What was typed, and the strategy named; empty as configured.
    plan
        The route and its estimated costs; None where there is none.
    complexity
        The route of `complexity` by itself: the score with its signals; None for no prompt.
    cuts
        Where medium and complex begin.
    not_reached
        Rules of the configuration behind the one that matched.
    trouble
        Why there is no plan.
    """

    prompt: str = ""
    strategy: str = ""
    plan: Plan | None = None
    complexity: Route | None = None
    cuts: tuple[float, float] = (0.3, 0.7)
    not_reached: tuple[str, ...] = ()
    trouble: str = ""

    @property
    def score(self) -> float | None:
        """The complexity in [0, 1]; None where nothing can be read from the prompt."""
        return self.complexity.reasons[-1].score if self.complexity else None

    @property
    def headline(self) -> str:
        """Whom the prompt would go to, or why to nobody."""
        if self.plan is None:
            return self.trouble or NOTHING_YET
        first, *others = self.plan.route.models
        return f"{first}{f', then {others[0]}' if others else ''}{', …' * (len(others) > 1)}"

    @property
    def cost(self) -> str:
        """About what the first candidate would cost."""
        return money(self.plan.costs[0][1], about=True) if self.plan and self.plan.costs else ""

    @property
    def trace(self) -> Table | None:
        """Each rule and why it matched or not, then what chose; the signals stand elsewhere."""
        if self.plan is None:
            return None
        route = self.plan.route
        said = [one for one in route.reasons if not one.rule.startswith(SIGNAL)]
        behind = [
            Reason(rule, "not reached: a rule before it matched") for rule in self.not_reached
        ]
        table = reasons(replace(route, reasons=(*said, *behind)))
        rows = tuple(
            (rule, saw if not score else f"{saw} [{score}]") for rule, saw, score in table.rows
        )
        return replace(table, columns=("rule", "saw"), rows=rows)

    @property
    def signals(self) -> Table | None:
        """The signals of complexity, the words that fired and what each contributes."""
        return None if self.complexity is None else _signals(self.complexity)

    @property
    def quote(self) -> str:
        """The beginning of the prompt and how long it is."""
        line = " ".join(self.prompt.split())
        cut = line if len(line) <= PROMPT_SHOWN else f"{line[: PROMPT_SHOWN - 1]}…"
        return f"“{cut}” · {number_of(len(self.prompt), 'character')}" if line else ""

    def __str__(self) -> str:
        tables = [table for table in (self.signals, self.trace) if table is not None]
        if self.plan is not None:
            tables = [self.plan.candidates, *tables, *self.plan.left_out]
        notices = self.plan.route.notices if self.plan else ()
        head = [self.quote, f"→ {self.headline}" if self.plan else self.headline]
        parts = [*head, *(f"! {said}" for said in notices), str(Report(tuple(tables)))]
        return plain("\n".join(part for part in parts[:-1] if part) + f"\n\n{parts[-1]}")


def _signals(route: Route) -> Table:
    *parts, whole = route.reasons
    if not parts:
        return Table("Complexity", (), ((whole.saw,),))
    table = reasons(replace(route, reasons=tuple(parts)))
    rows = tuple((name.removeprefix(SIGNAL), *rest) for name, *rest in table.rows)
    note = "each signal's contribution to the score, before it is squeezed into 0 to 1"
    return Table("Complexity", ("signal", "saw", "contribution"), rows, note)


def bundle(seen: Explanation) -> Bundle:
    """Return the explanation as an output."""
    return {"text/plain": str(seen).strip(), "text/html": _html(seen)}


def _html(seen: Explanation) -> str:
    if not seen.prompt.strip():
        return look.panel("Route", look.line(seen.headline))
    parts = [look.line(seen.quote), _head(seen)]
    if seen.plan is None:
        parts.append(look.notice(f"nobody would be asked: {seen.trouble}", fault=True))
    else:
        parts += map(look.notice, seen.plan.route.notices)
    return look.panel("Route", *parts, look.columns(*_sides(seen)))


def _head(seen: Explanation) -> str:
    items = []
    if seen.plan is not None:
        items.append(look.fact("would go to", seen.headline, seen.plan.route.why))
    if seen.complexity is not None:
        items.append(_complexity(seen))
    if seen.plan is not None:
        used, answer = seen.plan.usage.input_tokens, seen.plan.usage.output_tokens
        items.append(look.fact("cost", seen.cost, f"about {used:,} → {answer:,} tokens"))
    return look.facts(items)


def _complexity(seen: Explanation) -> str:
    score, (low, high) = seen.score, seen.cuts
    if score is None:
        return look.fact("complexity", "unclear", "no signal, so medium")
    tier = "simple" if score < low else "medium" if score < high else "complex"
    words = f"{tier} (cuts at {low:g} and {high:g})"
    number = look.fact("complexity", f"{score:.2f}")
    bar = look.meter(score, f"complexity {score:.2f} of 1, {words}", seen.cuts)
    return f'<div style="min-width:13em">{number}{bar}{look.line(words)}</div>'


def _sides(seen: Explanation) -> Sequence[list[Table]]:
    left = [table for table in (seen.trace,) if table is not None]
    if seen.plan is not None:
        left = [seen.plan.candidates, *left, *seen.plan.left_out]
    right = [table for table in (seen.signals,) if table is not None]
    return [side for side in (left, right) if side]
