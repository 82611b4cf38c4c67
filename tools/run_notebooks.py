"""Run the tutorials and keep their outputs in them: `make notebooks`.

Who reads a tutorial on GitHub has no kernel. They run as the tests run them: without a key, in a
scratch folder, with a ledger of their own. What differs from run to run for no reader's sake
(timings of cells, the state of widgets) is left out.
"""

from __future__ import annotations

import os
import sys
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TUTORIALS = sorted((ROOT / "notebooks").glob("*.ipynb"))
HIDDEN = ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "OLLAMA_API_KEY")
TIMEOUT_S = 180


def fingerprint(notebook: Any) -> str:  # noqa: ANN401 - nbformat has no types
    """Return 16 hex digits of the sources of all cells, by which outputs are known to be theirs."""
    text = "\0".join(f"{cell.cell_type}\0{cell.source}" for cell in notebook.cells)
    return sha256(text.encode()).hexdigest()[:16]


def environment(home: Path) -> dict[str, str]:
    """Return an environment without keys and servers; empty is set, so no `.env` fills it in."""
    ours = ("_API_KEY", "_BASE_URL", "OLLAMA_HOST", "MULTIMODEL_NO_STREAM", "MULTIMODEL_CONFIG")
    known = {name: value for name, value in os.environ.items() if not name.endswith(ours)}
    return known | {
        **dict.fromkeys(HIDDEN, ""),
        "MULTIMODEL_LEDGER": "ledger.db",
        "IPYTHONDIR": str(home / "ipython"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "JUPYTER_PREFER_ENV_PATH": "1",
    }


def run(path: Path) -> None:
    """Run one tutorial and write it back with what it showed."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "notebooks"
        work.mkdir()
        client = NotebookClient(
            notebook,
            timeout=TIMEOUT_S,
            kernel_name="python3",
            resources={"metadata": {"path": str(work)}},
            store_widget_state=False,
            record_timing=False,
        )
        client.execute(env=environment(Path(folder)))
    notebook.metadata.pop("language_info", None)
    notebook.metadata["multimodel_magic"] = {"outputs_of": fingerprint(notebook)}
    nbformat.write(notebook, path)


def main() -> int:
    """Run those that are named, else all."""
    wanted = [Path(name).resolve() for name in sys.argv[1:]] or TUTORIALS
    for path in wanted:
        run(path)
        print(f"{path.name}: {path.stat().st_size // 1024} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
