"""Where the code runs: in which kind of front end, which notebook, which cell.

Importing it imports nothing but the standard library.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

__all__ = ["Host", "cell_id", "enable_nested_asyncio", "host", "labels", "notebook", "streaming"]

Host: TypeAlias = Literal["kernel", "terminal", "none"]
Shell: TypeAlias = Any
"""IPython's `InteractiveShell`, or None outside of IPython."""

NO_STREAM = "MULTIMODEL_NO_STREAM"
"""Set it to anything but `0` or nothing: answers are shown once, when they are whole."""


def current_shell() -> Shell:
    """Return the running IPython shell, or None; does not import IPython."""
    module = sys.modules.get("IPython.core.getipython")
    return module.get_ipython() if module is not None else None


def host(shell: Shell = None) -> Host:
    """Say where output goes: a `kernel` with front ends, an IPython `terminal`, or `none`."""
    shell = shell or current_shell()
    if shell is None:
        return "none"
    return "kernel" if getattr(shell, "kernel", None) is not None else "terminal"


def streaming(shell: Shell = None, environ: Mapping[str, str] = os.environ) -> bool:
    """Say whether a growing answer can be shown.

    It cannot where the environment variable `MULTIMODEL_NO_STREAM` is set, outside of a kernel
    (a terminal does not take text back), and under nbval, which compares the first display and
    ignores `update_display_data`.
    """
    if environ.get(NO_STREAM, "0") not in ("", "0"):
        return False
    # pytest sets this while nbval starts the notebook's kernel, which inherits it.
    under_nbval = ".ipynb::" in environ.get("PYTEST_CURRENT_TEST", "")
    return host(shell) == "kernel" and not under_nbval


def notebook(shell: Shell = None, environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the notebook's path as the front end gives it, or None where it does not."""
    namespace = getattr(shell or current_shell(), "user_ns", {})
    path = namespace.get("__vsc_ipynb_file__") or environ.get("JPY_SESSION_NAME")
    return str(path) if path else None


def cell_id(shell: Shell = None) -> str | None:
    """Return the id of the cell that is being run, or None where the front end sends none."""
    parent: dict[str, Any] = getattr(shell or current_shell(), "get_parent", dict)() or {}
    found = (parent.get("metadata") or {}).get("cellId")
    return str(found) if found else None


def labels(shell: Shell = None, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return `notebook` (its file's name, not its folders) and `cell`, as far as known."""
    path = notebook(shell, environ)
    known = {"notebook": Path(path).name if path else None, "cell": cell_id(shell)}
    return {name: value for name, value in known.items() if value}


def enable_nested_asyncio() -> None:
    """Let blocking calls run on the kernel's own, already running loop, through nest_asyncio.

    For users whose own async objects live on that loop (`%config LLMMagics.event_loop =
    "kernel"`). It patches asyncio for the whole process, so it happens only here, on demand, and
    once.

    Raises
    ------
    ProviderMissing
        Where nest-asyncio is not installed.
    RuntimeError
        Outside of a running loop.
    """
    import asyncio

    loop = asyncio.get_running_loop()
    try:
        import nest_asyncio
    except ImportError as error:
        from multimodel_magic.errors import ProviderMissing

        raise ProviderMissing(
            'LLMMagics.event_loop = "kernel" needs nest-asyncio: pip install nest-asyncio'
        ) from error
    nest_asyncio.apply(loop)
