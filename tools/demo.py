"""Run the first tutorial on the local model in a kernel, and print every receipt.

Vendors' keys are hidden from the kernel, so that the demo costs nothing wherever it runs.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = ROOT / "notebooks" / "01_first_cell.ipynb"
OUT = ROOT / "out"
KEYS = ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "OLLAMA_API_KEY")


def main() -> int:
    """Execute the notebook, write it and its HTML to `out/`, and print the receipts."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError
    from nbconvert import HTMLExporter

    OUT.mkdir(exist_ok=True)
    # Empty is set: a .env file further up cannot fill it in again.
    os.environ.update(dict.fromkeys(KEYS, ""))
    os.environ["MULTIMODEL_LEDGER"] = str(OUT / "demo-ledger.db")
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    start = time.perf_counter()
    failed = None
    try:
        place = {"metadata": {"path": str(ROOT / "notebooks")}}
        # ipykernel warns of its own loopback sockets; whoever runs a demo takes it for a fault.
        quiet = ["--IPKernelApp.log_level=ERROR"]
        client = NotebookClient(
            notebook, kernel_name="python3", resources=place, extra_arguments=quiet
        )
        client.execute()
    except CellExecutionError as error:
        failed = str(error)
    executed, page = OUT / NOTEBOOK.name, OUT / f"{NOTEBOOK.stem}.html"
    nbformat.write(notebook, executed)
    page.write_text(HTMLExporter().from_notebook_node(notebook)[0], encoding="utf-8")
    for receipt in receipts(notebook):
        print(receipt)
    print(f"\n{NOTEBOOK.name} ran in {time.perf_counter() - start:.1f} s")
    print(f"executed notebook: {executed}\nas a page:         {page}")
    if failed:
        print(failed, file=sys.stderr)
    return 1 if failed else 0


def receipts(notebook: dict[str, object]) -> list[str]:
    """Return the receipt of every answer in an executed notebook, in order."""
    found = []
    for number, cell in enumerate(notebook["cells"]):  # type: ignore[arg-type, var-annotated]
        for output in cell.get("outputs", []):
            kept = output.get("metadata", {}).get("multimodel_magic", {})
            if "receipt" in kept:
                found.append(f"cell {number}: {kept['receipt']}")
    return found


if __name__ == "__main__":
    sys.exit(main())
