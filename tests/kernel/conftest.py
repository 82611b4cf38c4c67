"""A real kernel with the extension loaded, as a notebook has it."""

import os
import threading
import time
from dataclasses import dataclass, field

import pytest
from jupyter_client.manager import start_new_kernel

from tests.kernels import SERIES, environment_of

on_every_ipykernel = pytest.mark.parametrize("ipykernel", SERIES, indirect=True, scope="module")


@dataclass
class Ran:
    """What a front end saw of one cell."""

    status: str
    took_s: float
    shown: list = field(default_factory=list)
    """Outputs as they stand at the end, `(data, metadata)`."""
    updates: int = 0
    streams: str = ""
    traceback: list = field(default_factory=list)

    @property
    def text(self):
        return "\n".join(data.get("text/plain", "") for data, _ in self.shown)

    @property
    def facts(self):
        return next(m["multimodel_magic"] for _, m in self.shown if "multimodel_magic" in m)


class Kernel:
    def __init__(self, manager, client):
        self.manager, self.client = manager, client

    def run(self, code, *, interrupt_after_s=None, timeout=60):
        ran = Ran("", 0.0)
        at = {}

        def hook(message):
            kind, content = message["msg_type"], message["content"]
            if kind in ("display_data", "execute_result"):
                at[content.get("transient", {}).get("display_id")] = len(ran.shown)
                ran.shown.append((content["data"], content["metadata"]))
            elif kind == "update_display_data":
                ran.updates += 1
                place = at.get(content["transient"]["display_id"])
                if place is not None:
                    ran.shown[place] = (content["data"], content["metadata"])
            elif kind == "stream":
                ran.streams += content["text"]
            elif kind == "error":
                ran.traceback = content["traceback"]

        if interrupt_after_s is not None:
            threading.Timer(interrupt_after_s, self.manager.interrupt_kernel).start()
        start = time.monotonic()
        reply = self.client.execute_interactive(code, output_hook=hook, timeout=timeout)
        ran.took_s = time.monotonic() - start
        ran.status = reply["content"]["status"]
        return ran

    def value(self, expression):
        """Evaluate an expression there and return it, through its repr."""
        reply = self.client.execute_interactive(
            "", user_expressions={"it": expression}, output_hook=lambda _: None, timeout=60
        )
        found = reply["content"]["user_expressions"]["it"]
        assert found["status"] == "ok", found
        return eval(found["data"]["text/plain"])  # noqa: S307 - our own kernel's repr


@pytest.fixture(scope="session")
def bare_environment(tmp_path_factory):
    """An environment without keys, whose ledger is a scratch file."""
    home = tmp_path_factory.mktemp("kernel")
    secret = ("_API_KEY", "_BASE_URL", "OLLAMA_HOST")
    env = {k: v for k, v in os.environ.items() if not k.endswith(secret)}
    return env | {
        "MULTIMODEL_LEDGER": str(home / "ledger.db"),
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_PREFER_ENV_PATH": "1",
    }


def started(env):
    manager, client = start_new_kernel(kernel_name="python3", env=env)
    return Kernel(manager, client)


def stopped(kernel):
    kernel.client.stop_channels()
    kernel.manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def ipykernel(request):
    """The variables of a kernel: of the series that a test asks for, else as installed."""
    series = getattr(request, "param", None)
    return environment_of(series) if series else {}


@pytest.fixture(scope="module")
def kernel(bare_environment, ipykernel):
    kernel = started(bare_environment | ipykernel)
    assert kernel.run("import multimodel_magic\n%load_ext multimodel_magic").status == "ok"
    yield kernel
    stopped(kernel)
