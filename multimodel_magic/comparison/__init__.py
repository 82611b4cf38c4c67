"""Several contestants answer the same prompt at once: values, the race itself, and what differs.

A contestant is a model, an alias, a role or a strategy, each asked through `client.stream` with a
request of its own. Nothing here knows of notebooks.
"""

from multimodel_magic.comparison.ask import compare
from multimodel_magic.comparison.comparing import Comparing
from multimodel_magic.comparison.diff import Differences, differences
from multimodel_magic.comparison.race import Lineup, Race, line_up
from multimodel_magic.comparison.values import Comparison, Comparisons

__all__ = [
    "Comparing",
    "Comparison",
    "Comparisons",
    "Differences",
    "Lineup",
    "Race",
    "compare",
    "differences",
    "line_up",
]
