"""What another strategy or configuration would have chosen over the recorded requests.

Every request of the ledger whose prompt was stored is rebuilt and routed again; no model is asked
unless that is wished. What it then compares, and by what:

- *Routes*: the first model of the recorded route against that of the new one.
- *Cost and latency* of a changed route, from what is known best: the same question was answered
  by that model (`recorded`); the same tokens at that model's price, and the mean latency of its
  recorded answers (`estimate`); else `unknown`, which is counted and in no sum. An unchanged
  route keeps what was recorded (`kept`).
- *Quality* where both the recorded answer and one of the other model to the same question were
  judged, and by votes on answers of the two side by side.

Intervals are Student's 95 % intervals of paired differences: what other requests of the same kind
would give. The error of an estimate itself (another model writes other tokens) is not in them.
pandas is imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multimodel_magic.replay.estimate import Compared
    from multimodel_magic.replay.rebuild import Asking
    from multimodel_magic.replay.result import Replay

__all__ = ["Asking", "Compared", "Replay"]

_HOMES = {"Asking": "rebuild", "Compared": "estimate", "Replay": "result"}


def __getattr__(name: str) -> object:
    """Import a public name on first use (PEP 562): every session imports this package."""
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
