"""RoutingConfig -> Strategy: model named by the user > rule > experiment > strategy > default.

The strategy chooses names; `strategies.Resolved` around it (the client's part, which knows what
is usable at the moment) turns them into `provider:model` and leaves out what lacks a need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

from multimodel_magic import plugins, pricing
from multimodel_magic.catalogue import Catalogue
from multimodel_magic.config import Problem, RoutingConfig, as_error
from multimodel_magic.config.document import Path
from multimodel_magic.config.schema import ExperimentSettings, Rule
from multimodel_magic.config.settings import CascadeSettings
from multimodel_magic.errors import MultimodelError, UsageError, did_you_mean
from multimodel_magic.pricing import Rates
from multimodel_magic.routing.matching import Look
from multimodel_magic.routing.rules import Asked, BoundRule, ByRules, Dealt, Guarded
from multimodel_magic.strategies import Fixed, Named
from multimodel_magic.strategies.cascade import (
    Cascade,
    Confident,
    ModelJudge,
    SelfConsistency,
    all_of,
    plain_faults,
    schema_not_met,
    wrong_format,
)
from multimodel_magic.strategies.complexity import ByComplexity
from multimodel_magic.strategies.cost import OUTPUT_TOKENS, ByCostTier, Terms, seed_table
from multimodel_magic.strategies.experiment import Arm, Experiment
from multimodel_magic.strategies.guest import Guest
from multimodel_magic.strategies.task import ByTask
from multimodel_magic.strategies.weighted import Weighted
from multimodel_magic.types import AnyJudge, Provider, Request, Route, Strategy

__all__ = [
    "DEFAULT_MODEL",
    "STRATEGIES",
    "Configured",
    "build_strategies",
    "build_strategy",
    "configured_catalogue",
    "own_rates",
    "servers_of",
]

DEFAULT_MODEL = "balanced"
"""Who answers where nothing at all is configured."""


@dataclass(frozen=True, slots=True)
class Configured:
    """What a configuration chooses, and the configuration that it was built from."""

    strategy: Strategy
    config: RoutingConfig
    name: str = "smart"

    def route(self, request: Request) -> Route:
        """Return the route by the configuration's precedence."""
        return self.strategy.route(request)


def build_strategy(
    config: RoutingConfig | None = None,
    catalogue: Catalogue | None = None,
    *,
    at: datetime | None = None,
) -> Configured:
    """Build what chooses: named by the user > rule > experiment > strategy > default_model.

    Parameters
    ----------
    config
        None is an empty configuration: the role `balanced` answers.
    catalogue
        For prices and for `cost`; with the configuration's own roles and aliases
        (`configured_catalogue`).
    at
        The day of the prices; now by default, and fixed from here on: a strategy has no clock.

    Returns
    -------
    Configured
        Chooses names: wrap it in `strategies.Resolved`. A strategy that a request names
        (`--strategy`) comes behind the rules and before the experiments.

    Raises
    ------
    ConfigError
        For a strategy that is neither ours nor installed, with its line.
    """
    config = config or RoutingConfig()
    _check_names(config)
    look = look_of(config)
    shelf = Shelf(config, configured_catalogue(config, catalogue), at or datetime.now(UTC))
    asked = Asked(shelf, Dealt(_experiments(config), shelf.default, look))
    rules = tuple(_bound(n, rule, shelf) for n, rule in enumerate(config.routing.rules))
    return Configured(Named(ByRules(rules, shelf.guarded(asked), look)), config)


def build_strategies(
    config: RoutingConfig | None = None,
    catalogue: Catalogue | None = None,
    *,
    at: datetime | None = None,
) -> Mapping[str, Strategy]:
    """Return what a client takes for `--strategy NAME`: under each name the configured whole.

    The whole looks at the name that the request gives, so that rules come first there too.
    """
    whole = build_strategy(config, catalogue, at=at)
    return dict.fromkeys((*STRATEGIES, *plugins.strategy_names()), whole)


def configured_catalogue(config: RoutingConfig, catalogue: Catalogue | None = None) -> Catalogue:
    """Return the catalogue with the configuration's aliases, roles and providers."""
    base = catalogue or Catalogue()
    return (
        base.with_providers(config.providers).with_aliases(config.aliases).with_roles(config.roles)
    )


def own_rates(config: RoutingConfig) -> Mapping[str, Rates]:
    """Return the configuration's prices as `pricing` takes them for `overrides`."""
    return {
        name: Rates(own.input, own.output, own.cache_read, own.cache_write)
        for name, own in config.prices.items()
    }


def servers_of(config: RoutingConfig) -> dict[str, Provider]:
    """Make the providers that a configuration adds under names of their own."""
    return {
        name: plugins.make_provider(
            server.type, name=name, base_url=server.base_url, key_env=server.api_key_env
        )
        for name, server in config.providers.items()
    }


def look_of(config: RoutingConfig) -> Look:
    """Return what a configuration's conditions look at."""
    routing = config.routing
    return Look(
        routing.complexity.classifier,
        routing.complexity.cuts,
        routing.task.all_families,
        routing.task.known,
        routing.task.infer,
    )


def _check_names(config: RoutingConfig) -> None:
    rules = enumerate(config.routing.rules)
    named: dict[Path, str | None] = {("routing", "strategy"): config.routing.strategy}
    named |= {("routing", "rules", n, "strategy"): rule.strategy for n, rule in rules}
    unknown = [
        Problem(path, unknown_strategy(name))
        for path, name in named.items()
        if name is not None and name not in {*STRATEGIES, *plugins.strategy_names()}
    ]
    wrong = [*unknown, *_rates_of_nobody(config), *_unchecked_schema(config), *_unmade(named)]
    if wrong:
        raise as_error(wrong, config.source)


def _unmade(named: Mapping[Path, str | None]) -> Iterator[Problem]:
    """Find plugins that are installed and cannot be made: the file names them, at these lines."""
    for path, name in named.items():
        if name in plugins.strategy_names() and name not in STRATEGIES:
            try:
                _guest(name)
            except MultimodelError as error:
                yield Problem(path, str(error))


def _guest(name: str) -> Guest:
    """Make the strategy that a package registers under that name."""
    plugin = plugins.make_strategy(name)
    if not isinstance(plugin, Strategy):
        raise UsageError(f"the plugin {name!r} gives {type(plugin).__name__}, no Strategy")
    return Guest(plugin, name)


def _unchecked_schema(config: RoutingConfig) -> Iterator[Problem]:
    """Find what the cascade's schema says and nobody here checks: better than to pass it over."""
    schema = config.routing.cascade.answer_schema
    try:
        _ = schema is None or schema_not_met(schema)
    except UsageError as error:
        yield Problem(("routing", "cascade", "schema"), str(error).removeprefix("schema: "))


def _rates_of_nobody(config: RoutingConfig) -> Iterator[Problem]:
    """Find rates whose name is no provider's: they would hold nobody back."""
    known = sorted({*plugins.provider_names(), *config.providers})
    for name in config.limits.rates:
        if (provider := name.partition(":")[0]) not in known:
            near = did_you_mean(provider, known, most=1) or f"; there are {', '.join(known)}"
            what = f"{provider!r} is no provider{near}"
            yield Problem(("limits", "rates", name), what)


def unknown_strategy(name: str) -> str:
    """Say that no strategy has that name, and which are near."""
    known = sorted({*STRATEGIES, *plugins.strategy_names()})
    near = did_you_mean(name, known) or f"; there are {', '.join(known)}"
    return f"no strategy is called {name!r}{near}"


def _bound(n: int, rule: Rule, shelf: Shelf) -> BoundRule:
    target = Fixed(rule.chosen) if rule.strategy is None else shelf(rule.strategy)
    return BoundRule(rule_name(n, rule), rule.condition, shelf.guarded(target, rule))


def rule_name(n: int, rule: Rule) -> str:
    """Return what an explanation calls a rule, counting from 1."""
    return f"rule {n + 1} ({rule.name})" if rule.name else f"rule {n + 1}"


def _experiments(config: RoutingConfig) -> tuple[BoundRule, ...]:
    experiments = config.routing.experiments.items()
    return tuple(BoundRule(name, e.condition, _experiment(name, e)) for name, e in experiments)


def _experiment(name: str, settings: ExperimentSettings) -> Experiment:
    arms = {arm: Arm(dealt.model, dealt.share) for arm, dealt in settings.dealt.items()}
    return Experiment(name, arms, settings.salt, settings.unit)


@dataclass(frozen=True, slots=True)
class Listed:
    """Costs of tokens by the prices of a day, the configuration's own first."""

    rates: Mapping[str, Rates]
    at: datetime

    def __call__(
        self, provider: str, model: str, input_tokens: int, output_tokens: int
    ) -> Decimal | None:
        """Estimate what so many tokens cost in US dollars; None where the price is unknown."""
        return pricing.estimate(
            provider,
            model,
            self.at,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            overrides=self.rates,
        ).cost_usd


@dataclass(frozen=True, slots=True)
class Estimator:
    """Estimates what asking a model, alias or role would cost."""

    catalogue: Catalogue
    cost_of: Listed

    def __call__(self, name: str, request: Request) -> Decimal | None:
        """Estimate the cost of a request in US dollars; None where the price is unknown."""
        model = self.catalogue.resolve(name).model
        most = OUTPUT_TOKENS if request.max_tokens is None else request.max_tokens
        tokens = request.estimated_input_tokens(), min(most, OUTPUT_TOKENS)
        return self.cost_of(model.provider, model.name, *tokens)


@dataclass(frozen=True, slots=True)
class Shelf:
    """The strategies by name, each with the configuration's settings."""

    config: RoutingConfig
    catalogue: Catalogue
    at: datetime

    def __call__(self, name: str) -> Strategy:
        """Make the strategy of that name.

        Raises
        ------
        UsageError
            There is none of that name; the message names the nearest.
        ProviderMissing
            It is a plugin, and cannot be imported or made.
        """
        if name in _MAKERS:
            return _MAKERS[name](self)
        if name not in plugins.strategy_names():
            raise UsageError(unknown_strategy(name))
        return _guest(name)

    @property
    def default(self) -> Strategy:
        """The configured strategy, else the default model, else `balanced`."""
        name = self.config.routing.strategy
        return self.fixed() if name is None or name in Asked.WHOLE else self(name)

    @property
    def estimator(self) -> Estimator:
        """What prices candidates."""
        return Estimator(self.catalogue, Listed(own_rates(self.config), self.at))

    def guarded(self, strategy: Strategy, rule: Rule | None = None) -> Guarded:
        """Put the fallbacks behind a strategy, a rule's own before the configuration's."""
        general = self.config.routing
        own = rule or general
        return Guarded(
            strategy,
            general.fallbacks if own.fallbacks is None else own.fallbacks,
            self.estimator,
            general.max_cost_usd if own.max_cost_usd is None else own.max_cost_usd,
            bool(general.allow_dearer_fallbacks)
            if own.allow_dearer_fallbacks is None
            else own.allow_dearer_fallbacks,
        )

    def fixed(self) -> Fixed:
        """Make the last resort: the default model."""
        model = self.config.routing.default_model
        return Fixed((model,), "default_model") if model else Fixed((DEFAULT_MODEL,))

    def complexity(self) -> ByComplexity:
        """Make `complexity`."""
        settings = self.config.routing.complexity
        tiers = settings.tiers.model_dump()
        return ByComplexity(tiers, settings.cuts, settings.classifier)

    def cost(self) -> ByCostTier:
        """Make `cost`: the configuration's rows over the seed's table, the first that fits."""
        table = seed_table()
        rows = [*reversed(self.config.routing.cost.table)]
        for row in rows:
            terms = Terms(row.floor, row.ceiling_mtok)
            tiers, values = row.user_tier, row.task_value
            fits = [(t, v) for t, v in table if _in(t, tiers) and _in(v, values)]
            table |= dict.fromkeys(fits, terms)
        return ByCostTier(self.catalogue, table, self.estimator.cost_of, OUTPUT_TOKENS, self.at)

    def cascade(self) -> Cascade:
        """Make `cascade`."""
        said = self.config.routing.cascade
        judges = tuple(_judges(said))
        return Cascade(said.models, all_of(plain_faults, *judges) if judges else plain_faults)

    def task(self) -> ByTask:
        """Make `task`."""
        settings = self.config.routing.task
        default = settings.default or self.fixed().models[0]
        return ByTask(settings.models, settings.families, default, settings.infer)

    def weighted(self) -> Weighted:
        """Make `weighted`.

        Raises
        ------
        UsageError
            No weights are configured.
        """
        weights = self.config.routing.weighted.models
        if not weights:
            raise UsageError("weighted: give the weights in routing.weighted.models")
        return Weighted(weights)

    def ab(self) -> Dealt:
        """Make `ab`: the experiments alone.

        Raises
        ------
        UsageError
            No experiment is configured.
        """
        experiments = _experiments(self.config)
        if not experiments:
            raise UsageError("ab: give an experiment in routing.experiments")
        return Dealt(experiments, self.fixed(), look_of(self.config))


def _judges(said: CascadeSettings) -> Iterator[AnyJudge]:
    """Make what judges a cascade's answers besides their plain faults, the cheap ones first."""
    if said.format is not None:
        yield wrong_format(said.format)
    if said.answer_schema is not None:
        yield schema_not_met(said.answer_schema)
    if said.least_logprob is not None:
        yield Confident(said.least_logprob)
    if said.samples is not None:
        again = SelfConsistency(said.samples)
        yield again if said.agree is None else replace(again, least=said.agree)
    if said.judge is not None:
        grader = ModelJudge(said.judge)
        yield grader if said.least is None else replace(grader, least=said.least)


def _in(value: str, wanted: tuple[str, ...] | None) -> bool:
    return wanted is None or value in wanted


_MAKERS: Mapping[str, Callable[[Shelf], Strategy]] = {
    "ab": Shelf.ab,
    "cascade": Shelf.cascade,
    "complexity": Shelf.complexity,
    "cost": Shelf.cost,
    "fallback": Shelf.fixed,
    "fixed": Shelf.fixed,
    "task": Shelf.task,
    "weighted": Shelf.weighted,
}

STRATEGIES = tuple(sorted({*_MAKERS, *Asked.WHOLE}))
"""Names that need no plugin."""
