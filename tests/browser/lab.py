"""A real JupyterLab in headless Chromium, for tests that must see what a person sees.

    with LabServer(tmp_path) as server, Lab(server) as lab:
        notebook = lab.open(["print('hi')"])
        notebook.run_all()
        assert notebook.output(0).inner_text() == "hi"

The server listens on loopback with a token and a configuration of its own. Every request to
another origin is listed in `notebook.strays`; those beyond loopback are also blocked.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import unicodedata
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit

import psutil
from nbconvert import HTMLExporter
from playwright.sync_api import ConsoleMessage, Dialog, Locator, Page, Route, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeout
from pypdf import PdfReader

from tests.kernels import environment_of

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
CHROMIUM_ARGS = [
    "--headless=new",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    "--no-first-run",
    "--no-sandbox",  # containers run as root
]
SETTINGS: dict[str, dict[str, Any]] = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "docmanager-extension/plugin": {"autosave": False},
    # Every cell and output in the page, so that all can be read and photographed.
    "notebook-extension/tracker": {"windowingMode": "none", "maxNumberOutputs": 500},
}
FOLDERS = {
    "JUPYTER_CONFIG_DIR": "config",
    "JUPYTER_DATA_DIR": "data",
    "JUPYTER_RUNTIME_DIR": "runtime",
    "IPYTHONDIR": "ipython",
    "JUPYTERLAB_SETTINGS_DIR": "settings",
    "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
}
OPEN = "() => window.jupyterapp?.shell.currentWidget?.content?.widgets?.length > 0"
IDLE = "() => jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'"
START = """i => {
  const panel = jupyterapp.shell.currentWidget, runs = window.runs ??= {};
  runs[i] = false;
  panel.content.activeCellIndex = i;
  panel.content.deselectAll();
  jupyterapp.commands.execute('notebook:run-cell').finally(() => { runs[i] = true; });
}"""
NUDGE = (
    "() => { jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.requestKernelInfo(); }"
)
NUMBER = (
    "() => jupyterapp.shell.currentWidget.content.widgets.forEach((w, i) => w.node.dataset.i = i)"
)
OUTPUTS = "i => jupyterapp.shell.currentWidget.content.widgets[i].model.sharedModel.getOutputs()"


class LabServer:
    """A private JupyterLab server; a context manager that leaves no process behind.

    Parameters
    ----------
    scratch
        An empty folder for its configuration and notebooks.
    environment
        Environment variables of the server and its kernels, over this process's own.
    """

    def __init__(self, scratch: Path, *, environment: dict[str, str] | None = None) -> None:
        self.root = scratch / "root"
        self._scratch = scratch
        self.token = secrets.token_hex(16)
        self._port = _free_port()
        folders = {name: str(scratch / folder) for name, folder in FOLDERS.items()}
        self._environment = {**os.environ, **folders, **(environment or {})}

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self.root.mkdir(parents=True)
        for name, values in SETTINGS.items():
            file = self._scratch / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(values), encoding="utf-8")
        self._log = (self._scratch / "server.log").open("wb")
        self._server = psutil.Popen(
            self._command(),
            cwd=self.root,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        try:
            self._wait_until_up()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    def offer(self, series: str) -> str:
        """Let notebooks run on this series of ipykernel, and return the name of its kernel."""
        name = f"ipykernel-{series}"
        file = self._scratch / "data" / "kernels" / name / "kernel.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        spec = {"argv": argv, "display_name": name, "language": "python"}
        file.write_text(json.dumps(spec | {"env": environment_of(series)}), encoding="utf-8")
        return name

    def address(self, notebook: str) -> str:
        """Return where a page shows a notebook of the root folder."""
        return f"{self.origin}/doc/tree/{quote(notebook)}?token={self.token}"

    def _command(self) -> list[str]:
        return [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
            *("--ServerApp.ip=127.0.0.1", f"--ServerApp.port={self._port}"),
            *("--ServerApp.port_retries=0", f"--ServerApp.root_dir={self.root}"),
            *(f"--IdentityProvider.token={self.token}", "--LabApp.news_url="),
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            "--LabApp.expose_app_in_browser=True",
        ]

    def _wait_until_up(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self._server.is_running():
            try:
                with urllib.request.urlopen(f"{self.origin}/api", timeout=2):  # noqa: S310
                    return
            except (OSError, urllib.error.URLError):
                time.sleep(0.1)
        log = (self._scratch / "server.log").read_text(errors="replace")
        raise RuntimeError(f"JupyterLab did not start: {log[-2000:]}")

    def _end(self) -> None:
        family = [*self._server.children(recursive=True), self._server]
        self._server.terminate()  # it ends its kernels
        _, alive = psutil.wait_procs(family, timeout=8)
        for process in alive:
            process.kill()
        psutil.wait_procs(alive, timeout=5)
        self._log.close()


class Notebook7Server(LabServer):
    """Jupyter Notebook 7 in JupyterLab's place."""

    def address(self, notebook: str) -> str:
        """Return where a page shows a notebook of the root folder."""
        return f"{self.origin}/notebooks/{quote(notebook)}?token={self.token}"

    def _command(self) -> list[str]:
        return [
            *(sys.executable, "-m", "notebook", "--no-browser", "--allow-root"),
            *("--ServerApp.ip=127.0.0.1", f"--ServerApp.port={self._port}"),
            *("--ServerApp.port_retries=0", f"--ServerApp.root_dir={self.root}"),
            f"--IdentityProvider.token={self.token}",
            "--JupyterNotebookApp.expose_app_in_browser=True",
        ]


class Lab:
    """A browser that opens notebooks of a server; a context manager.

    Playwright's loop lives in this thread until the end: no async test may run meanwhile.
    """

    def __init__(self, server: LabServer) -> None:
        self._server = server

    def __enter__(self) -> Self:
        self._playwright = sync_playwright().start()
        self._browser = self._playwright.chromium.launch(
            executable_path=CHROMIUM, args=CHROMIUM_ARGS, ignore_default_args=["--headless"]
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._browser.close()
        self._playwright.stop()

    def open(
        self,
        notebook: Sequence[str] | dict[str, Any],
        *,
        kernel: str = "python3",
        server: LabServer | None = None,
    ) -> Notebook:
        """Open a notebook, given as code cells or as its JSON, and wait for its kernel.

        Another server's page opens in the same browser: a second one would need a thread.
        """
        server = server or self._server
        content = notebook if isinstance(notebook, dict) else _notebook(notebook, kernel)
        name = f"notebook-{secrets.token_hex(4)}.ipynb"
        (server.root / name).write_text(json.dumps(content), encoding="utf-8")
        page = self._browser.new_page(
            viewport={"width": 1000, "height": 900}, reduced_motion="reduce"
        )
        opened = Notebook(page, server.origin, server.root / name)
        page.goto(server.address(name))
        page.wait_for_function(OPEN, timeout=60_000)
        _await_idle(page)
        page.evaluate(NUMBER)
        if isinstance(server, Notebook7Server):
            opened.console.clear()  # it complains of a schema of its own before any cell has run
        return opened


def _await_idle(page: Page) -> None:
    """Wait until Lab has heard that the kernel is idle; one that started unheard is asked again."""
    try:
        page.wait_for_function(IDLE, timeout=20_000)
    except PlaywrightTimeout:
        page.evaluate(NUDGE)
        page.wait_for_function(IDLE, timeout=60_000)


class Notebook:
    """An open notebook and everything that its page said: drive it, read it, photograph it."""

    def __init__(self, page: Page, origin: str, file: Path) -> None:
        self.page = page
        self.file = file
        self.console: list[str] = []
        """Errors in the browser's console, uncaught ones included."""
        self.dialogs: list[str] = []
        """What `alert` and its kin said."""
        self.strays: list[str] = []
        """Addresses of requests to anywhere but this JupyterLab."""
        self._origin = origin
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.console.append(str(error)))
        page.on("dialog", self._on_dialog)
        page.route("**/*", self._on_request)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.console.append(message.text)

    def _on_dialog(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def _on_request(self, route: Route) -> None:
        url = urlsplit(route.request.url)
        if url.scheme in {"http", "https"} and f"{url.scheme}://{url.netloc}" != self._origin:
            self.strays.append(route.request.url)
        if url.hostname in {"127.0.0.1", "localhost", None}:
            route.continue_()
        else:
            route.abort()

    def start(self, cell: int) -> None:
        """Run a cell and return at once."""
        self.page.evaluate(START, cell)

    def wait(self, cell: int, *, timeout_s: float = 60) -> None:
        """Wait until a started cell has ended and the kernel is idle."""
        self.page.wait_for_function("i => window.runs[i]", arg=cell, timeout=timeout_s * 1000)
        self.page.wait_for_function(IDLE, timeout=timeout_s * 1000)

    def run(self, cell: int, *, timeout_s: float = 60) -> None:
        """Run a cell and wait for its end."""
        self.start(cell)
        self.wait(cell, timeout_s=timeout_s)

    def run_all(self, *, timeout_s: float = 60) -> None:
        """Run every cell, one after the other."""
        for cell in range(self.page.locator("[data-i]").count()):
            self.run(cell, timeout_s=timeout_s)

    def interrupt(self) -> None:
        """Interrupt the kernel, as the stop button does."""
        kernel = "jupyterapp.shell.currentWidget.sessionContext.session.kernel"
        self.page.evaluate(f"() => {kernel}.interrupt()")

    def outputs(self, cell: int) -> list[dict[str, Any]]:
        """Return a cell's outputs as the notebook's file would hold them."""
        found: list[dict[str, Any]] = self.page.evaluate(OUTPUTS, cell)
        return found

    def output(self, cell: int) -> Locator:
        """Return the element that shows a cell's outputs."""
        return self.page.locator(f"[data-i='{cell}'] .jp-OutputArea-output").first

    def evaluate(self, script: str, argument: object = None) -> Any:
        """Evaluate JavaScript in the page."""
        return self.page.evaluate(script, argument)

    def settle(self, seconds: float = 0.5) -> None:
        """Give the page time for what it does on its own: typesetting, fetching."""
        self.page.wait_for_timeout(seconds * 1000)

    def use_theme(self, name: str) -> None:
        """Switch to `JupyterLab Light` or `JupyterLab Dark`."""
        self.page.evaluate(
            "theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", name
        )
        light = "true" if name.endswith("Light") else "false"
        self.page.wait_for_selector(f"body[data-jp-theme-light='{light}']", state="attached")
        self.settle(0.3)

    def screenshot(self, cell: int, file: Path) -> None:
        """Photograph a cell's whole output."""
        height = self.page.evaluate(
            "i => document.querySelector(`[data-i='${i}']`).getBoundingClientRect().height", cell
        )
        self.page.set_viewport_size({"width": 1000, "height": int(height) + 300})
        self.page.locator(f"[data-i='{cell}'] .jp-Cell-outputWrapper").screenshot(
            path=file, animations="disabled"
        )
        self.page.set_viewport_size({"width": 1000, "height": 900})

    def save(self) -> dict[str, Any]:
        """Save the notebook as Lab does, and return its JSON."""
        self.page.evaluate("() => jupyterapp.shell.currentWidget.context.save()")
        saved: dict[str, Any] = json.loads(self.file.read_text(encoding="utf-8"))
        return saved

    def printed(self, file: Path) -> str:
        """Save, convert to HTML as nbconvert does, print that to PDF, and return the PDF's text."""
        self.save()
        html, _ = HTMLExporter().from_filename(self.file)  # type: ignore[no-untyped-call]
        browser = self.page.context.browser
        assert browser
        page = browser.new_page()
        page.route("**/*", lambda route: route.abort())  # MathJax and RequireJS, from afar
        page.set_content(html)
        page.pdf(path=file, format="A4")
        page.close()
        text = "\n".join(sheet.extract_text() for sheet in PdfReader(file).pages)
        return unicodedata.normalize("NFKC", text)  # ligatures are one letter there

    def close(self) -> None:
        """Close the page; its kernel lives until the server ends."""
        self.page.close()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _notebook(cells: Sequence[str], kernel: str) -> dict[str, Any]:
    spec = {"name": kernel, "display_name": kernel, "language": "python"}
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": spec},
        "cells": [
            {
                "cell_type": "code",
                "id": f"cell-{number}",
                "metadata": {},
                "execution_count": None,
                "outputs": [],
                "source": source,
            }
            for number, source in enumerate(cells)
        ],
    }
