"""The house keeps its size: a function is read at a glance, a file in one sitting."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import multimodel_magic

FILES = sorted(Path(multimodel_magic.__file__).parent.rglob("*.py"))
MOST_LINES = 40
MOST_LINES_OF_A_FILE = 500


def _bodies(file: Path) -> Iterator[tuple[str, int]]:
    """Yield every function with the lines of its body, its docstring left out."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            yield f"{file.name}: {node.name}", lines


def test_no_function_is_longer_than_forty_lines() -> None:
    counted = [one for file in FILES for one in _bodies(file)]
    assert len(counted) > 1000
    assert [(name, lines) for name, lines in counted if lines > MOST_LINES] == []


def test_no_file_is_longer_than_five_hundred_lines() -> None:
    lines = {file.name: len(file.read_text(encoding="utf-8").splitlines()) for file in FILES}
    assert {name: n for name, n in lines.items() if n > MOST_LINES_OF_A_FILE} == {}
