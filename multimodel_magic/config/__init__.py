"""`routing_config.yml` -> `RoutingConfig`, strictly: each fault is one line with its line number.

Everything but `find_config` is imported on first use: pydantic and its models cost 0.3 s, which
who has no configuration shall not pay.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from multimodel_magic.config.search import find_config

if TYPE_CHECKING:
    from multimodel_magic.config.conditions import Band, ComplexityBand, Condition
    from multimodel_magic.config.document import Problem, Source
    from multimodel_magic.config.faults import as_error
    from multimodel_magic.config.files import config_hash, load_config, parse_config
    from multimodel_magic.config.limits import (
        BreakerSettings,
        BudgetSettings,
        LimitsSettings,
        RateSettings,
    )
    from multimodel_magic.config.schema import Arm, ExperimentSettings, Routing, RoutingConfig, Rule
    from multimodel_magic.config.settings import (
        CacheSettings,
        CascadeSettings,
        ComplexitySettings,
        CostSettings,
        OwnPrice,
        ProviderSettings,
        TaskSettings,
        Terms,
        Tiers,
        WeightedSettings,
    )

__all__ = [
    "Arm",
    "Band",
    "BreakerSettings",
    "BudgetSettings",
    "CacheSettings",
    "CascadeSettings",
    "ComplexityBand",
    "ComplexitySettings",
    "Condition",
    "CostSettings",
    "ExperimentSettings",
    "LimitsSettings",
    "OwnPrice",
    "Problem",
    "ProviderSettings",
    "RateSettings",
    "Routing",
    "RoutingConfig",
    "Rule",
    "Source",
    "TaskSettings",
    "Terms",
    "Tiers",
    "WeightedSettings",
    "as_error",
    "config_hash",
    "find_config",
    "load_config",
    "parse_config",
]

_HOMES = {
    "conditions": ("Band", "ComplexityBand", "Condition"),
    "document": ("Problem", "Source"),
    "faults": ("as_error",),
    "files": ("config_hash", "load_config", "parse_config"),
    "limits": ("BreakerSettings", "BudgetSettings", "LimitsSettings", "RateSettings"),
    "schema": ("Arm", "ExperimentSettings", "Routing", "RoutingConfig", "Rule"),
    "settings": (
        "CacheSettings",
        "CascadeSettings",
        "ComplexitySettings",
        "CostSettings",
        "OwnPrice",
        "ProviderSettings",
        "TaskSettings",
        "Terms",
        "Tiers",
        "WeightedSettings",
    ),
}
"""Submodule -> what it defines of `__all__`."""


def __getattr__(name: str) -> object:
    """Import a public name on first use (PEP 562)."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
