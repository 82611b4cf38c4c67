"""RoutingConfig -> Strategy, with precedence, a trace of the rules, and a lint.

Imports pydantic and yaml through `config`: import it where a configuration is read.
"""

from multimodel_magic.routing.build import (
    DEFAULT_MODEL,
    STRATEGIES,
    Configured,
    build_strategies,
    build_strategy,
    configured_catalogue,
    own_rates,
    servers_of,
)
from multimodel_magic.routing.lint import Finding, lint
from multimodel_magic.routing.rules import Asked, BoundRule, ByRules, Dealt, Guarded

__all__ = [
    "DEFAULT_MODEL",
    "STRATEGIES",
    "Asked",
    "BoundRule",
    "ByRules",
    "Configured",
    "Dealt",
    "Finding",
    "Guarded",
    "build_strategies",
    "build_strategy",
    "configured_catalogue",
    "lint",
    "own_rates",
    "servers_of",
]
