"""What guards a request: patience, breakers, rates, budgets, refused keys.

One layer retries, and it is this one: the SDK clients are made with `max_retries=0`. Each guard
is a value or a small state machine with the clock handed in; none of them waits or asks.
"""

from multimodel_magic.limits.breaker import Breaker, Breakers, BreakerTerms
from multimodel_magic.limits.budget import Budget, Purse
from multimodel_magic.limits.following import Next, what_next
from multimodel_magic.limits.keys import RefusedKeys
from multimodel_magic.limits.lateness import within
from multimodel_magic.limits.pace import Pace
from multimodel_magic.limits.patience import Deadline, Patience, dice
from multimodel_magic.limits.rate import Limiter, Rate, Window

__all__ = [
    "Breaker",
    "BreakerTerms",
    "Breakers",
    "Budget",
    "Deadline",
    "Limiter",
    "Next",
    "Pace",
    "Patience",
    "Purse",
    "Rate",
    "RefusedKeys",
    "Window",
    "dice",
    "what_next",
    "within",
]
