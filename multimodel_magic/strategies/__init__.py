"""What chooses: pure values that map a request to a route, and compose by wrapping."""

from multimodel_magic.strategies.basic import Fixed, Named, Resolved, WithFallbacks
from multimodel_magic.strategies.cascade import Cascade
from multimodel_magic.strategies.complexity import ByComplexity, ComplexityRouter
from multimodel_magic.strategies.cost import ByCostTier, CostTierRouter, Terms
from multimodel_magic.strategies.experiment import Arm, Experiment
from multimodel_magic.strategies.smart import First, SmartRouter
from multimodel_magic.strategies.task import ByTask, TaskSpecializedRouter
from multimodel_magic.strategies.weighted import Weighted

__all__ = [
    "Arm",
    "ByComplexity",
    "ByCostTier",
    "ByTask",
    "Cascade",
    "ComplexityRouter",
    "CostTierRouter",
    "Experiment",
    "First",
    "Fixed",
    "Named",
    "Resolved",
    "SmartRouter",
    "TaskSpecializedRouter",
    "Terms",
    "Weighted",
    "WithFallbacks",
]
