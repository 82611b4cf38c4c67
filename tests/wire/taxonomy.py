"""docs/failures.md, made from the tables that the tests play.

python -m tests.wire.taxonomy > docs/failures.md
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from tests.wire.scenario import Scenario, cases
from tests.wire.scenarios import bodies, sockets, statuses, streams
from tests.wire.sentences import SENTENCES

__all__ = ["COMMAND", "GROUPS", "page"]

COMMAND = "python -m tests.wire.taxonomy > docs/failures.md"

GROUPS: dict[str, tuple[Scenario, ...]] = {
    "A status of failure": statuses.SCENARIOS,
    "Status 200, in one piece": bodies.SCENARIOS,
    "Status 200, streamed": streams.SCENARIOS,
    "Below HTTP, and too late": sockets.SCENARIOS,
}

BEGIN = """\
# What a failure means

What a provider does, which error that is, and what follows. The errors stand in
`multimodel_magic.errors`, drawn by what the caller does next; every attempt, failed or not, is a
row of the ledger with its error, its time, its tokens and its cost.

This page is made from the tables that the tests play over raw sockets against the four wires
(Anthropic Messages, OpenAI Chat Completions, OpenAI Responses, Ollama): {scenarios} scenarios,
{cases} cases. In each, the requests on the wire equal the attempts in the ledger, the request ends
within its deadline, and no text is shown twice. Do not edit it:

    {command}

The settings are the defaults: one retry (`--retries`), `restart` for a broken stream, the next
provider after a refused key. "Another model free" means that the route has one that is not
resting, not rate limited and not refused.
"""

END = """
## Rules behind the tables

- One layer retries. The vendors' SDKs are made with no retries of their own, and follow no
  redirects.
- A wait that a vendor asks for is kept exactly: `Retry-After` in seconds or as a date,
  `retry-after-ms`, then a sentence such as "try again in 20s", then the reset of a rate that is
  spent (`x-ratelimit-reset-*`, `anthropic-ratelimit-*-reset`). Where another model is free nobody
  waits for longer than a second. Above 60 s it counts as a spent quota.
- A deadline (`--timeout`) holds for the request as a whole. While another model is free, silence
  takes half of the time left at most, and a tenth is kept for it at the end.
- A silent, slow or broken model is not asked again where that might leave the others no time.
- A redirect and a certificate that is not trusted are not tried again: nothing mends them.
- What a server floods or never ends is cut: 64 million characters of an answer, 64 MB of a body,
  32 MB of an event, 256 kB of an error.
- An answer is whole when its stop event has come, whatever comes after it. Without one it is none,
  however good it looks.
- Whether an answer comes in events or in one piece its first byte says, not its content type.
- A key that was refused is not sent again in this session until it changes.
"""


def page() -> str:
    """Return the page."""
    everything = [scenario for group in GROUPS.values() for scenario in group]
    names = {(scenario.name, scenario.modes) for scenario in everything}
    begin = BEGIN.format(scenarios=len(names), cases=len(cases(everything)), command=COMMAND)
    tables = "\n".join(part for name, group in GROUPS.items() for part in _table(name, group))
    return f"{begin}\n{tables}\n{_sentences()}{END}"


def _table(name: str, group: tuple[Scenario, ...]) -> Iterator[str]:
    yield f"## {name}\n\n| what comes | error | what follows |\n|---|---|---|"
    for scenario in group:
        if scenario.doc:
            error = f"`{scenario.errors[0]}`" if scenario.errors else "none: it is an answer"
            yield f"| {scenario.doc} | {error} | {_follows(scenario)} |"
    yield ""


def _follows(scenario: Scenario) -> str:
    """Say in words what the tests expect."""
    again = len(scenario.errors) > 1
    if scenario.ends == "answers":
        if not scenario.errors:
            return "the answer stands"
        waits = "Retry-After" in scenario.doc or "reset" in scenario.doc or "again" in scenario.doc
        return f"the same model again{', after exactly that wait' if waits else ''}"
    if scenario.ends == "stops":
        return "the same model again, then the error" if again else "the error"
    if again:
        return "the same model again, then the next"
    special = {
        "AuthenticationFailed": "every model of that provider is skipped; the next provider's",
        "StreamInterrupted": "the next model begins anew (or `keep`, or `fail`)",
        "RateLimited": "the next model at once",
        "ContextTooLong": "the next model with a larger window",
    }
    return special.get(scenario.errors[0], "the next model")


def _sentences() -> str:
    rows = [
        f"| {one.server} | {one.status} | {one.said.replace('|', ' ')} | `{one.error}` |"
        for one in SENTENCES
    ]
    head = "## What servers say in words\n\n| server | status | words | error |\n|---|---|---|---|"
    return "\n".join([head, *rows, ""])


if __name__ == "__main__":
    sys.stdout.write(page())
