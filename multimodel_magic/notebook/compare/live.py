"""The live view as a widget: one model for all panes, of which a paint sends what has changed.

Not of ipywidgets' stock: its buttons take no keys and no `aria-*`, Lab's shortcuts strike while
one of them has the focus (X cuts the cell, B inserts one), and eight panes of stock widgets are
150 models and 16 messages a paint; this one is 2 and 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

from multimodel_magic.comparison.race import MOST

__all__ = ["Live", "installed", "live"]

Live: TypeAlias = Any
"""An anywidget, which mypy sees as untyped."""

Said: TypeAlias = Mapping[str, Any]
"""What the page sends: checked before it is used."""

_HERE = Path(__file__).parent


def installed() -> bool:
    """Whether there are live views here at all."""
    from importlib.util import find_spec

    return find_spec("anywidget") is not None


@lru_cache(maxsize=1)
def _kind() -> Any:  # noqa: ANN401 - a class that only exists once ipywidgets is imported
    """Make the class on first use: anywidget and ipywidgets take 0.2 s to import."""
    import anywidget
    import traitlets

    traits = {f"pane{place}": traitlets.Dict().tag(sync=True) for place in range(MOST)}
    return type(
        "Comparison",
        (anywidget.AnyWidget,),
        {
            "_esm": (_HERE / "live.js").read_text(encoding="utf-8"),
            "_css": (_HERE / "live.css").read_text(encoding="utf-8"),
            "count": traitlets.Int().tag(sync=True),
            "head": traitlets.Dict().tag(sync=True),
            **traits,
        },
    )


def live(panes: Mapping[int, Said], head: Said, clicked: Callable[[Said], None]) -> Live:
    """Make a live view.

    Parameters
    ----------
    panes
        What every place shows at first.
    head
        What stands around the panes.
    clicked
        Told what a person did, in whatever thread the kernel handles messages in.
    """
    traits = {f"pane{place}": pane for place, pane in panes.items()}
    widget = _kind()(count=len(panes), head=head, **traits)
    widget.on_msg(lambda _, said, __: clicked(said))
    return widget
