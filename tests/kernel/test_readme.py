"""Every command and output of the README, run as a reader would."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```(\w+)\n(.*?)\n```", re.DOTALL)


def _normal(text):
    """Make durations alike: they differ from run to run."""
    text = re.sub(r"\d+(\.\d+)? m?s\b", "T", text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


@pytest.mark.local
def test_the_readmes_cells_run_in_order_and_print_what_it_says(kernel):
    kernel.run("from multimodel_magic import session; session.start(); None")
    blocks = [(kind, text) for kind, text in BLOCK.findall(README) if kind in ("ipython", "text")]
    last = None
    for kind, text in blocks:
        if kind == "ipython":
            last = kernel.run(text)
            assert last.status == "ok", (text, last.traceback)
        else:
            assert _normal(last.text + last.streams) == _normal(text)


@pytest.mark.local
def test_make_demo_prints_its_receipts_and_nothing_that_looks_like_a_fault():
    command = [sys.executable, str(ROOT / "tools" / "demo.py")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stderr
    receipts = [line for line in ran.stdout.splitlines() if line.startswith("cell ")]
    assert len(receipts) == 7
    assert "fell back from scripted:overloaded" in receipts[5]
    assert "WARNING" not in ran.stderr


def test_the_readmes_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"\bmake (\w+)", README)) - {"and"}
    assert {"demo", "test", "lab", "bench"} <= named
    for target in named:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_readmes_pictures_and_folders_exist():
    for path in re.findall(r"\]\(([^)#:]+)\)|^\| `([\w/]+)`", README, re.MULTILINE):
        assert (ROOT / "".join(path)).exists(), path
