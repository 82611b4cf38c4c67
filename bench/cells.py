"""Wall time of a cell in a real kernel, from execute_request to idle: empty and `%%llm` in turn."""

from __future__ import annotations

import os
import random
import time
from functools import partial
from typing import Any

TURNS = 60
CELLS = {"raw": "pass", "ours": "%%llm openai:n16\nSay something."}


def cell_overhead(base: str) -> dict[str, list[float]]:
    """Return milliseconds a cell for an empty one (`raw`) and for ours, one figure a turn."""
    from jupyter_client.manager import start_new_kernel

    env = {**os.environ, "OPENAI_BASE_URL": f"{base}/v1", "OPENAI_API_KEY": "none"}
    manager, client = start_new_kernel(kernel_name="python3", env=env)
    took: dict[str, list[float]] = {name: [] for name in CELLS}
    try:
        client.execute_interactive("%load_ext multimodel_magic", output_hook=_ignore)
        for turn in range(TURNS):
            for name in random.sample(list(CELLS), len(CELLS)):
                start = time.perf_counter()
                reply = client.execute_interactive(CELLS[name], output_hook=_ignore)
                if reply["content"]["status"] != "ok":
                    raise RuntimeError(str(reply["content"].get("evalue")))
                if turn >= TURNS // 6:  # the first turns import the SDK
                    took[name].append((time.perf_counter() - start) * 1000)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    return took


LOADS = 9
LOAD = """
import time
start = time.process_time()
get_ipython().run_line_magic("load_ext", "multimodel_magic")
print((time.process_time() - start) * 1000)
"""


def load_cost() -> list[float]:
    """Return milliseconds of CPU of `%load_ext`, each in a fresh kernel."""
    from jupyter_client.manager import start_new_kernel

    took = []
    for _ in range(LOADS):
        said: list[str] = []
        manager, client = start_new_kernel(kernel_name="python3")
        try:
            client.execute_interactive("'warm'", output_hook=_ignore)
            client.execute_interactive(LOAD, output_hook=partial(_take, said))
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
        took.append(float("".join(said)))
    return took


def _take(said: list[str], message: dict[str, Any]) -> None:
    said.append(message["content"].get("text", ""))


def _ignore(message: object) -> None:
    """Take the output and do nothing with it."""
