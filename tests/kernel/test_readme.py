"""Every command and output of the README, run as a reader would."""

import re
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


def test_the_readmes_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"\bmake (\w+)", README)) - {"and"}
    assert {"demo", "test", "lab", "bench"} <= named
    for target in named:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_readmes_pictures_and_folders_exist():
    for path in re.findall(r"\]\(([^)#:]+)\)|^\| `([\w/]+)`", README, re.MULTILINE):
        assert (ROOT / "".join(path)).exists(), path
