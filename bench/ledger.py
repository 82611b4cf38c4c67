"""Measure the ledger: what recording costs, and how soon a million requests are summed up.

`python bench/ledger.py` alone, or as a part of `make bench`. `BENCH_LEDGER_ROWS` says how many
requests (a million unless said; 0 leaves it out). A fresh process stands for a restarted kernel:
its first summary is measured with all that it imports, beyond the package itself. For frames numpy,
pandas and pyarrow are imported before, and measured apart.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles

from multimodel_magic.ledger import Ledger, Recorded
from multimodel_magic.ledger.recording import recorded
from multimodel_magic.types import Attempt, Reason, Request, Response, Route

ROWS = int(os.environ.get("BENCH_LEDGER_ROWS", "1_000_000"))
APPENDS = 2_000
FAILED, FELL_BACK, CACHED = 0.04, 0.05, 0.02
"""Shares of the requests; as many as are cached have no known cost."""
WRITERS, EACH = 4, 5_000
RESTARTS = 3
START = datetime(2026, 1, 1, tzinfo=UTC)
MODELS = (
    *(("openai", "gpt-6.1-sol"), ("anthropic", "claude-haiku-5-5"), ("ollama", "llama3.3")),
    *(("anthropic", "claude-opus-5"), ("local", "smollm2-135m"), ("openai", "gpt-6.1-mini")),
)
ANSWER = "An answer of a few sentences that says what it says, and then a little more. " * 4


def response() -> Response:
    """Return an ordinary answer."""
    prompt = "Say something about this number, and why it matters to us all, in a line or two."
    request = Request(prompt, labels={"session": "s", "notebook": "a.ipynb", "cell": "3"})
    reason = Reason("complexity", "complexity 0.25 < 0.30", 0.25)
    route = Route(("openai:gpt-6.1-sol",), "complexity", (reason,))
    return Response(request, ANSWER, (Attempt("openai", "gpt-6.1-sol", 1),), route)


def rows(first: int, n: int) -> Iterator[Recorded]:
    """Give recorded requests: 4 % failed, 5 % with a fallback, 2 % from the cache."""
    dice, plain = random.Random(first), recorded(response())  # noqa: S311 - made-up figures
    for number in range(first, first + n):
        moment = START + timedelta(seconds=20 * number + 30 * dice.random())
        at, request_id = moment.isoformat(timespec="microseconds"), f"01K{number:023d}"
        (provider, model), latency_s = dice.choice(MODELS), dice.lognormvariate(0, 0.6)
        status = "failed" if dice.random() < FAILED else "answered"
        attempt = plain.attempts[0]._replace(
            request_id=request_id,
            started_at=at,
            provider=provider,
            model=model,
            latency_s=latency_s,
            ttft_s=latency_s / 3,
            cost_usd=None if dice.random() < CACHED else dice.randrange(90_000) / 1e7,
            input_tokens=dice.randrange(2_000),
            output_tokens=dice.randrange(900),
            status=status,
        )
        failed = attempt._replace(status="failed", error_type="Overloaded")
        fell_back = dice.random() < FELL_BACK
        attempts = (failed, attempt._replace(number=2, rank=1)) if fell_back else (attempt,)
        shared = {name: getattr(attempt, name) for name in SHARED}
        request = plain.request._replace(
            **shared,
            session=f"s{number // 5_000}",
            attempts=len(attempts),
            fallback_used=fell_back and status == "answered",
            cached=dice.random() < CACHED,
        )
        yield Recorded(request, attempts)


SHARED = (
    *("request_id", "started_at", "provider", "model", "latency_s", "ttft_s", "cost_usd"),
    *("input_tokens", "output_tokens", "status"),
)


def timed(job: Callable[[], object]) -> tuple[float, float]:
    """Return wall and CPU milliseconds of a job, all threads."""
    wall, cpu = time.perf_counter(), time.process_time()
    job()
    return (time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000


def appends(file: Path) -> dict[str, float]:
    """Record answers one after another, as cells do, and say what the caller waits for each."""
    ledger, took = Ledger(file), []
    ledger.last(1)
    made = [response() for _ in range(APPENDS)]
    cpu = time.process_time()
    for number, one in enumerate(made):
        start = time.perf_counter()
        ledger.record(one)
        took.append((time.perf_counter() - start) * 1e6)
        if number % 10 == 0:
            ledger.flush()
    cpu_us = (time.process_time() - cpu) / APPENDS * 1e6
    ledger.close()
    return {"median_us": median(took), "p99_us": quantiles(took, n=100)[98], "cpu_us": cpu_us}


def fill(file: Path, n: int) -> None:
    """Add so many requests, as an import does."""
    ledger, held = Ledger(file), 0
    while held < n:
        part = min(20_000, n - held)
        ledger.add(list(rows(held, part)))
        held += part
    ledger.close()


WRITER = """
import sys
sys.path.insert(0, sys.argv[2])
from ledger import EACH, response
from multimodel_magic.ledger import Ledger
ledger, made = Ledger(sys.argv[1]), [response() for _ in range(EACH)]
ledger.last(1)
print("ready", flush=True)
sys.stdin.readline()
for one in made:
    ledger.record(one)
ledger.flush()
print(ledger.trouble)
"""


def writers(file: Path) -> dict[str, float]:
    """Let four kernels write one ledger; return rows (of both tables) a second, and those lost."""
    command = [sys.executable, "-c", WRITER, str(file), str(Path(__file__).parent)]
    pipe = subprocess.PIPE
    kernels = [subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
               for _ in range(WRITERS)]  # fmt: skip
    for kernel in kernels:
        assert kernel.stdout is not None  # noqa: S101 - a pipe was asked for
        kernel.stdout.readline()
    start = time.perf_counter()
    for kernel in kernels:
        assert kernel.stdin is not None  # noqa: S101 - same
        kernel.stdin.write("go\n")
        kernel.stdin.flush()
    said = [kernel.communicate() for kernel in kernels]
    took = time.perf_counter() - start
    ledger = Ledger(file)
    held = len(ledger.requests_frame()) + len(ledger.attempts_frame())
    ledger.close()
    wanted = 2 * WRITERS * EACH
    troubles = sum(one != ("None\n", "") for one in said)
    return {"rows_per_s": wanted / took, "lost": wanted - held, "in_trouble": troubles}


def restarted(file: Path) -> dict[str, object]:
    """Measure fresh processes: the first summary, the second, the frames, a group-by.

    An installed package is compiled; the first of them compiles it.
    """
    with tempfile.TemporaryDirectory() as compiled:
        unlike = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": compiled}
        done = [
            subprocess.run([sys.executable, __file__, str(file)], capture_output=True, text=True,
                           check=True, env=os.environ | unlike)
            for _ in range(1 + RESTARTS)
        ]  # fmt: skip
    found = [json.loads(one.stdout) for one in done[1:]]
    found.sort(key=lambda one: one["first_summary_ms"])
    middle: dict[str, object] = found[RESTARTS // 2]
    return middle


def reading(file: str) -> None:
    """Measure what `restarted` asks for, and print it."""
    from multimodel_magic import metrics

    ledger = Ledger(file)

    def summary() -> object:
        totals = ledger.totals()
        return metrics.summed(totals), metrics.by_model(totals.models)

    first, again = timed(summary), [timed(summary) for _ in range(5)]
    imports = timed(import_all)
    frames = timed(ledger.requests_frame)
    attempts = ledger.attempts_frame()
    ours = [timed(summary)[0] for _ in range(5)]
    # CPU, taking turns: neither uses a second thread, and others may use the machine.
    pairs = [
        (timed(lambda: metrics.per_model(attempts))[1], timed(lambda: by_pandas(attempts))[1])
        for _ in range(7)
    ]
    on_frame, theirs = zip(*pairs, strict=True)
    figures = {
        "imports_ms": imports,
        "first_summary_ms": first,
        "next_summary_ms": median(wall for wall, _ in again),
        "requests_frame_ms": frames,
        "group_by_ms": median(ours),
        "group_by_on_the_frame_ms": median(on_frame),
        "pandas_group_by_ms": median(theirs),
    }
    print(json.dumps(figures))


def import_all() -> None:
    """Import what a kernel that asked and looked once has imported."""
    import numpy as np  # noqa: F401
    import pandas as pd
    import pyarrow.compute
    import pyarrow.ipc  # noqa: F401
    import sqlalchemy.dialects.sqlite  # noqa: F401

    pd.DataFrame({"a": pd.Series(["b"], dtype="string")})


def by_pandas(attempts: object) -> object:
    """Compute with pandas, from a frame in memory, the sums and percentiles of `per_model`."""
    groups = attempts.groupby(["provider", "model"])  # type: ignore[attr-defined]
    times = groups[["latency_s", "ttft_s"]].quantile([0.5, 0.95, 0.99])
    sums = groups[["cost_usd", "input_tokens", "output_tokens"]].sum()
    return times, sums, groups.size(), groups["status"].value_counts()


def measure(n: int = ROWS) -> dict[str, object]:
    """Return all figures."""
    with tempfile.TemporaryDirectory() as folder:
        few, many = Path(folder) / "few.db", Path(folder) / "many.db"
        fill(few, min(1_000, n))
        figures: dict[str, object] = {"rows": n, "append_at_1e3": appends(few)}
        figures["fill_ms"] = timed(lambda: fill(many, n))
        figures["restarted"] = restarted(many)
        figures["append_full"] = appends(many)
        figures["writers"] = writers(Path(folder) / "shared.db")
    return figures


def table(figures: dict[str, object]) -> list[tuple[str, ...]]:
    """Return the figures as lines of the benchmark's table."""
    read, n = figures["restarted"], figures["rows"]
    lines = []
    for at, name in (("1,000", "append_at_1e3"), (f"{n:,}", "append_full")):
        one = figures[name]
        said = f"{one['median_us']:.1f} us, p99 {one['p99_us']:.0f} us"  # type: ignore[index]
        lines.append((f"append at {at} requests", "", said, said, "<= 40 us, p99 200 us", ""))
    first, frame = read["first_summary_ms"], read["requests_frame_ms"]  # type: ignore[index]
    lines += [
        _line(f"first summary of {n:,}", first, "<= 50 ms"),
        _line(f"frame of {n:,}", frame, "<= 1000 ms"),
    ]
    theirs = read["pandas_group_by_ms"]  # type: ignore[index]
    for title, name in (("ledger", "group_by_ms"), ("frame", "group_by_on_the_frame_ms")):
        ours = read[name]  # type: ignore[index]
        said = f"group-by of the {title}, against pandas"
        ratio = f"{ours / theirs:.2f} x"
        lines.append((said, f"{theirs:.0f} ms", f"{ours:.0f} ms", ratio, "<= 1 x", ""))
    wrote = figures["writers"]
    said = f"{wrote['rows_per_s']:,.0f} rows/s, {wrote['lost']} lost"  # type: ignore[index]
    return [*lines, (f"{WRITERS} kernels writing", "", said, said, ">= 8000 rows/s, 0 lost", "")]


def _line(title: str, took: tuple[float, float], goal: str) -> tuple[str, ...]:
    wall, cpu = took
    return title, "", f"{wall:.0f} ms", f"{wall:.0f} ms ({cpu:.0f} ms CPU)", goal, ""


if __name__ == "__main__":
    if len(sys.argv) > 1:
        reading(sys.argv[1])
    else:
        found = measure()
        for line in table(found):
            print("  ".join(filter(None, line)))
        print(json.dumps(found, indent=1))
