"""docs/ledger.md, made from the rows' own docstrings.

python tools/ledger_columns.py > docs/ledger.md
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator

from multimodel_magic.ledger import AttemptRow, OutcomeRow, RequestRow, VoteRow
from multimodel_magic.ledger.frames import dtypes
from multimodel_magic.ledger.rows import KeptRow

COMMAND = "python tools/ledger_columns.py > docs/ledger.md"

FRAMES: dict[str, tuple[type[KeptRow], str]] = {
    "Requests": (RequestRow, "`llm.df`, `llm.ledger.requests_frame(session=, since=)`, `%llm df`"),
    "Attempts": (
        AttemptRow,
        "`llm.attempts`, `llm.ledger.attempts_frame(session=, since=)`, `%llm attempts`",
    ),
    "Outcomes": (
        OutcomeRow,
        (
            "`llm.ledger.outcomes_frame()`, which adds from `outcome` (float64) `success`, `score` "
            "and every measure of your own by its name, unless a request has a column called that "
            "(such as `cost_usd`). `%llm stats` shows the means of your own measures by model, "
            "`%llm ab NAME` by arm"
        ),
    ),
    "Votes": (VoteRow, "`llm.ledger.votes_frame()`, which adds `winner` (string) from `preferred`"),
}

HEAD = f"""\
# The ledger's columns

Made by `{COMMAND}`.

A ledger is an SQLite file (`MULTIMODEL_LEDGER`, else `ledger.db` in the user's data folder) or any
PostgreSQL database by URL. One row a request, one an attempt, one an outcome, one a vote; they join
on `request_id`:

```python
llm.df.merge(llm.attempts, on="request_id", suffixes=("", "_attempt"))
llm.df.merge(llm.ledger.outcomes_frame(), how="left", on="request_id")
```

Missing (`<NA>`, NaN) means unknown or not applicable; 0 means zero. The dtypes are the same for an
empty frame. `%config LLMMagics.store_text = False` keeps prompts and answers out; the hash stays.

From 20,000 requests on a file has a copy in columns beside it, the folder `ledger.db-mirror`, from
which large frames are read; it may be deleted at any time and is made anew. Answers that may be
given again lie in `ledger.answers.db`. Who deletes a ledger for its texts deletes these two, too.
"""


def page() -> str:
    """Return the page."""
    return "\n".join(
        [HEAD, *(_section(title, row, where) for title, (row, where) in FRAMES.items())]
    )


def _section(title: str, row: type[KeptRow], where: str) -> str:
    said, types = dict(_said(row)), dtypes(row)
    lines = [f"| `{name}` | {types[name]} | {said[name]} |" for name in row._fields]
    head = [
        f"## {title}",
        "",
        f"{where}.",
        "",
        "| column | dtype | meaning, unit |",
        "|---|---|---|",
    ]
    return "\n".join([*head, *lines, ""])


def _said(row: type[KeptRow]) -> Iterator[tuple[str, str]]:
    """Give each field with the text that stands below it."""
    (body,) = ast.parse(inspect.getsource(row)).body
    assert isinstance(body, ast.ClassDef)  # noqa: S101 - a row is a class
    below = [*body.body[1:], None]
    for one, text in zip(body.body, below, strict=True):
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
            said = text.value if isinstance(text, ast.Expr) else None
            words = said.value if isinstance(said, ast.Constant) else ""
            yield one.target.id, " ".join(str(words).split())


if __name__ == "__main__":
    print(page(), end="")
