"""A line beside the controls while a cell runs: a click may have to wait for its end.

Whether it has to is the front end's and the kernel's affair: JupyterLab hands clicks to a subshell
of ipykernel 7, which answers at once; others queue them behind the cell. The line is true of both.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from multimodel_magic import bridge
from multimodel_magic.notebook import hosting

__all__ = ["SAID", "busy_label"]

SAID = "A cell is running: what you do here is answered when it ends, at the latest."
MOST_LABELS = 8
AFTER_S = 0.4
"""Shorter cells are not worth a line that comes and goes."""


class _Watch:
    """Follows the shell's cells, from the first label on."""

    def __init__(self) -> None:
        # ipywidgets keeps every widget alive: those of cells run long ago are left alone.
        self.labels: deque[Any] = deque(maxlen=MOST_LABELS)
        self._shell: Any = None
        self._run = 0
        self._shown = False

    def begin(self, shell: Any) -> None:  # noqa: ANN401 - IPython's shell
        """Hear of the shell's cells."""
        if shell is self._shell:
            return
        self._shell = shell
        shell.events.register("pre_run_cell", self._started)
        shell.events.register("post_run_cell", self._ended)

    def _started(self, _: object) -> None:
        self._run += 1
        loop = bridge.loop()
        loop.call_soon_threadsafe(loop.call_later, AFTER_S, self._still, self._run)

    def _still(self, run: int) -> None:
        if run == self._run and self.labels:
            self._shown = True
            self._say(SAID)

    def _ended(self, _: object) -> None:
        self._run += 1
        if self._shown:
            self._shown = False
            self._say("")

    def _say(self, text: str) -> None:
        for label in tuple(self.labels):
            label.value = text
            label.layout.display = "" if text else "none"


_watch = _Watch()


def busy_label() -> Any:  # noqa: ANN401 - an ipywidgets label
    """Make the line: a label that is empty while no cell runs."""
    import ipywidgets as widgets

    label = widgets.Label("", layout={"display": "none"})
    shell = hosting.current_shell()
    if shell is not None:
        _watch.labels.append(label)
        _watch.begin(shell)
    return label
