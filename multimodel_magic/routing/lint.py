"""What is allowed in a configuration and yet can hardly be meant, each with its line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from multimodel_magic import plugins
from multimodel_magic.catalogue import Catalogue
from multimodel_magic.config import RoutingConfig
from multimodel_magic.config.document import Path
from multimodel_magic.config.schema import Rule
from multimodel_magic.config.tasks import FAMILIES, TASKS
from multimodel_magic.errors import SLIP, UnknownModel, did_you_mean
from multimodel_magic.routing.build import (
    STRATEGIES,
    configured_catalogue,
    look_of,
    rule_name,
    unknown_strategy,
)
from multimodel_magic.routing.reach import can_match, needed, taken_by

__all__ = ["Finding", "lint"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One doubt about a configuration; `line` is None where it was not read from a file."""

    line: int | None
    path: str
    what: str

    def __str__(self) -> str:
        return f"{self.line or '-'}: {self.path}: {self.what}"


def lint(config: RoutingConfig, catalogue: Catalogue | None = None) -> tuple[Finding, ...]:
    """Look for what a valid configuration gets wrong, in the order of its lines.

    Parameters
    ----------
    config
        As `load_config` gives it.
    catalogue
        What models there are, and what is usable here (`with_unusable`).

    Returns
    -------
    tuple[Finding, ...]
        Rules that can never match or are never reached, experiments likewise, fallbacks that
        lack what a rule requires, retired and unknown models, roles that lead to nothing usable
        here, strategies that do not exist, tasks that look misspelt, a judge of its own answers.
    """
    known = configured_catalogue(config, catalogue)
    doubts = [
        *_rules(config),
        *_experiments(config),
        *_strategies(config),
        *_models(config, known),
        *_needs(config, known),
        *_tasks(config),
        *_judge(config, known),
        *_plain_http(config),
    ]
    findings = [
        Finding(config.source.line(path), ".".join(map(str, path)), what)
        for path, what in dict.fromkeys(doubts)
    ]
    return tuple(sorted(findings, key=lambda finding: finding.line or 0))


Doubt = tuple[Path, str]


def _rules(config: RoutingConfig) -> Iterator[Doubt]:
    look, rules = look_of(config), config.routing.rules
    conditions = [rule.condition for rule in rules]
    for n, rule in enumerate(rules):
        path: Path = ("routing", "rules", n)
        if not can_match(rule.condition, look):
            yield path, "can never match: no request meets its condition"
        elif before := taken_by(rule.condition, conditions[:n], look):
            names = " and ".join(rule_name(b, rules[b]) for b in before)
            takes = "takes" if len(before) == 1 else "together take"
            yield path, f"is never reached: {names} {takes} all of its requests"


def _experiments(config: RoutingConfig) -> Iterator[Doubt]:
    look, routing = look_of(config), config.routing
    rules = [rule.condition for rule in routing.rules]
    before = {f"rule {n + 1}": condition for n, condition in enumerate(rules)}
    everything = next((name for name, c in before.items() if c is None), None)
    for name, experiment in routing.experiments.items():
        taken = taken_by(experiment.condition, list(before.values()), look)
        if taken:
            names = " and ".join(list(before)[n] for n in taken)
            yield ("routing", "experiments", name), f"is never reached by itself: {names} first"
        elif experiment.condition is None:
            everything = everything or f"the experiment {name}"
        before[f"the experiment {name}"] = experiment.condition
    for key in ("strategy", "default_model"):
        if everything and getattr(routing, key) is not None:
            yield ("routing", key), f"is never asked: {everything} takes every request before it"


def _strategies(config: RoutingConfig) -> Iterator[Doubt]:
    known = {*STRATEGIES, *plugins.strategy_names()}
    for path, name in _named_strategies(config):
        if name not in known:
            yield path, unknown_strategy(name)


def _named_strategies(config: RoutingConfig) -> Iterator[tuple[Path, str]]:
    if config.routing.strategy is not None:
        yield ("routing", "strategy"), config.routing.strategy
    for n, rule in enumerate(config.routing.rules):
        if rule.strategy is not None:
            yield ("routing", "rules", n, "strategy"), rule.strategy


def _models(config: RoutingConfig, catalogue: Catalogue) -> Iterator[Doubt]:
    for path, name in _mentions(config):
        try:
            found = catalogue.resolve(name)
        except UnknownModel as error:
            yield path, str(error)
            continue
        yield from ((path, notice) for notice in found.notices)
        why = catalogue.unusable.get(found.model.provider)
        if why is not None and name in catalogue.roles:
            yield path, f"the role {name!r} leads to nothing that is usable here ({why})"


def _mentions(config: RoutingConfig) -> Iterator[tuple[Path, str]]:
    """Yield every place where a model, alias or role is named."""
    routing = config.routing
    if routing.default_model is not None:
        yield ("routing", "default_model"), routing.default_model
    for n, rule in enumerate(routing.rules):
        yield from _of_rule(("routing", "rules", n), rule)
    yield from _listed(("routing", "fallbacks"), routing.fallbacks)
    for name, experiment in routing.experiments.items():
        for arm, dealt in experiment.dealt.items():
            keys = (arm,) if experiment.arms is None else ("arms", arm, "model")
            yield ("routing", "experiments", name, *keys), dealt.model
    tables: Mapping[Path, Mapping[str, str]] = {
        ("routing", "complexity", "tiers"): routing.complexity.tiers.model_dump(exclude_unset=True),
        ("routing", "task", "models"): routing.task.models,
        ("routing", "weighted", "models"): dict.fromkeys(routing.weighted.models, ""),
        ("aliases",): config.aliases,
    }
    for path, table in tables.items():
        yield from (((*path, key), value or key) for key, value in table.items())
    if "cascade" in routing.model_fields_set:
        yield from _listed(("routing", "cascade", "models"), routing.cascade.models)
        if routing.cascade.judge is not None:
            yield ("routing", "cascade", "judge"), routing.cascade.judge
    for role, models in config.roles.items():
        yield ("roles", role), role
        yield from _listed(("roles", role), models)


def _of_rule(path: Path, rule: Rule) -> Iterator[tuple[Path, str]]:
    if rule.model is not None:
        yield (*path, "model"), rule.model
    yield from _listed((*path, "models"), rule.models)
    yield from _listed((*path, "fallbacks"), rule.fallbacks)


def _listed(path: Path, names: tuple[str, ...] | None) -> Iterator[tuple[Path, str]]:
    return (((*path, n), name) for n, name in enumerate(names or ()))


def _needs(config: RoutingConfig, catalogue: Catalogue) -> Iterator[Doubt]:
    """Find who is named for requests that need more than that model has."""
    look, routing = look_of(config), config.routing
    for n, rule in enumerate(routing.rules):
        needs = needed(rule.condition, look)
        if not needs:
            continue
        named = dict(_of_rule(("routing", "rules", n), rule))
        if rule.fallbacks is None:
            named |= dict(_listed(("routing", "fallbacks"), routing.fallbacks))
        for path, name in named.items():
            if why := _lacks(catalogue, name, needs):
                yield path, f"{name} has {why}: left out where {rule_name(n, rule)} applies"


def _lacks(catalogue: Catalogue, name: str, needs: frozenset[str]) -> str | None:
    try:
        return catalogue.meets(catalogue.resolve(name).model, needs, 0)
    except UnknownModel:
        return None  # spoken of already


def _tasks(config: RoutingConfig) -> Iterator[Doubt]:
    """Find tasks of the user's own that look like a slip for a known one."""
    said, known = config.routing.task, sorted({*TASKS, *FAMILIES})
    own: list[tuple[Path, str]] = [(("routing", "task", "models", t), t) for t in said.models]
    for family, tasks in said.families.items():
        own += [(("routing", "task", "families", family, n), task) for n, task in enumerate(tasks)]
    for path, name in own:
        near = did_you_mean(name, known, most=1, alike=SLIP)
        if near and name not in {*known, *said.families}:
            yield path, f"declares a task {name!r}{near}"


def _judge(config: RoutingConfig, catalogue: Catalogue) -> Iterator[Doubt]:
    said = config.routing.cascade
    if said.judge is None:
        return
    try:
        judge = catalogue.resolve(said.judge).model
        below = [catalogue.resolve(name).model for name in said.models[:-1]]
    except UnknownModel:
        return  # spoken of already
    if judge in below:
        what = f"{judge.full_name} would judge its own answers"
        yield ("routing", "cascade", "judge"), f"{what}; take another model"


def _plain_http(config: RoutingConfig) -> Iterator[Doubt]:
    for name, server in config.providers.items():
        url = server.base_url or ""
        here = re.match(r"http://(localhost|127\.|\[::1\])", url)
        if url.startswith("http://") and server.api_key_env and not here:
            yield ("providers", name, "base_url"), "sends the key unencrypted: use https://"
