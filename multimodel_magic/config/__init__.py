"""`routing_config.yml` -> `RoutingConfig`, strictly: each fault is one line with its line number.

Imports pydantic and yaml: import it where a configuration is read, not at load time.
"""

from multimodel_magic.config.conditions import Band, ComplexityBand, Condition
from multimodel_magic.config.document import Problem, Source
from multimodel_magic.config.faults import as_error
from multimodel_magic.config.files import (
    config_hash,
    find_config,
    load_config,
    parse_config,
)
from multimodel_magic.config.schema import Arm, ExperimentSettings, Routing, RoutingConfig, Rule
from multimodel_magic.config.settings import (
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
    "CascadeSettings",
    "ComplexityBand",
    "ComplexitySettings",
    "Condition",
    "CostSettings",
    "ExperimentSettings",
    "OwnPrice",
    "Problem",
    "ProviderSettings",
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
