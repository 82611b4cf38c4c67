"""A third party's package is built and installed, and what it brings works by name everywhere."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SOURCE = Path(__file__).parent / "plugin_distribution"

# No client of the test's own: what is asked here is what a kernel that starts anew can do.
PRELUDE = """
from multimodel_magic.ledger import Ledger
from multimodel_magic.session import Session

llm = Session(ledger=Ledger(":memory:"))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel as pip would and unpack it, which is all that installing it means."""
    folder = tmp_path_factory.mktemp("acme")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=SOURCE, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder / "site")
    return folder / "site"


def run(site: Path | None, code: str, *, folder: Path) -> str:
    """Run code where the package is installed; return what it prints."""
    known = {name: value for name, value in os.environ.items() if name != "MULTIMODEL_CONFIG"}
    known["PYTHONPATH"] = "" if site is None else str(site)
    # Neither the ledger nor the configuration of whoever runs the tests.
    known |= {"MULTIMODEL_LEDGER": ":memory:", "HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    known["IPYTHONDIR"] = str(folder)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PRELUDE + code],
        capture_output=True,
        text=True,
        env=known,
        cwd=folder,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_strategy_and_provider_keep_the_laws(site: Path, tmp_path: Path) -> None:
    checks = """
from multimodel_magic import plugins
from multimodel_magic.testing import check_provider, check_strategy

check_strategy(plugins.load_strategy("always_fast")())
check_provider(plugins.load_provider("acme")(), model="parrot-1")
"""
    assert run(site, checks, folder=tmp_path) == ""


def test_strategy_works_by_name(site: Path, tmp_path: Path) -> None:
    code = """
response = llm("to be or not", strategy="always_fast")
print(response.text, response.provider, response.model, response.route.strategy, sep="|")
print(response.route.why)
"""
    said = run(site, code, folder=tmp_path).splitlines()
    assert said == ["to be or not |acme|parrot-1|always_fast", "12 characters are soon repeated"]


def test_strategy_works_by_name_in_a_clients_call(site: Path, tmp_path: Path) -> None:
    code = """
response = llm.client.generate_sync("to be", strategy="always_fast")
print(response.text, response.model, sep="|")
"""
    assert run(site, code, folder=tmp_path) == "to be |parrot-1"


@pytest.mark.parametrize(
    "config",
    [
        "routing:\n  strategy: always_fast\n",
        "routing:\n  rules:\n    - condition: {task_type: chat}\n      strategy: always_fast\n",
    ],
)
def test_strategy_works_in_the_configuration(site: Path, tmp_path: Path, config: str) -> None:
    (tmp_path / "routing_config.yml").write_text(config)
    code = """
response = llm("to be", task="chat")
print(response.text, response.model, response.route.reasons[-1].rule, sep="|")
"""
    assert run(site, code, folder=tmp_path) == "to be |parrot-1|always_fast"


def test_configuration_without_the_package_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "routing_config.yml").write_text("routing:\n  strategy: always_fast\n")
    code = """
from multimodel_magic.errors import ConfigError
try:
    llm("to be")
except ConfigError as error:
    print(error)
"""
    said = run(None, code, folder=tmp_path)
    assert "routing_config.yml:2: routing.strategy: no strategy is called 'always_fast'" in said
    assert len(said.splitlines()) == 1


def test_provider_works_by_name(site: Path, tmp_path: Path) -> None:
    code = """
from multimodel_magic.errors import ModelNotFound
print(llm("to be", "acme:parrot-2").attempts[0].name)
try:
    llm("to be", "acme:eagle")
except ModelNotFound as error:
    print(error)
"""
    said = run(site, code, folder=tmp_path).splitlines()
    assert said == ["acme:parrot-2", "acme has no eagle; it has parrot-1, parrot-2"]


def test_roles_may_lead_to_the_provider(site: Path, tmp_path: Path) -> None:
    (tmp_path / "routing_config.yml").write_text("roles:\n  fast: [acme:parrot-2]\n")
    code = 'print(llm("to be", "fast").attempts[0].name)'
    assert run(site, code, folder=tmp_path) == "acme:parrot-2"


def test_names_are_offered_in_completion(site: Path, tmp_path: Path) -> None:
    code = """
from IPython.core.interactiveshell import InteractiveShell
from multimodel_magic.notebook.completion import offer
from multimodel_magic.notebook.magics import vocabulary

shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "multimodel_magic")
cell = "%%llm --strategy alw"
print(*offer(cell, 0, len(cell), vocabulary).words)
"""
    assert run(site, code, folder=tmp_path) == "always_fast"


def test_strategy_works_in_a_cell(site: Path, tmp_path: Path) -> None:
    code = """
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "multimodel_magic")
shell.run_cell_magic("llm", "--strategy always_fast --out answer --no-stream", "to be")
print("model:", shell.user_ns["answer"].model)
"""
    assert run(site, code, folder=tmp_path).endswith("model: parrot-1")


def test_misspelt_strategy_names_the_strangers(site: Path, tmp_path: Path) -> None:
    code = """
from multimodel_magic.errors import UsageError
try:
    llm("to be", strategy="always_fest")
except UsageError as error:
    print(error)
"""
    assert "did you mean 'always_fast'" in run(site, code, folder=tmp_path)
