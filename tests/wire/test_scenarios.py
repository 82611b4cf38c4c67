"""Every fault on every wire, streamed or not: how one request over it ends (DESIGN.md 5).

All cases are played at once, in one loop, before the first test looks at its own. The table of
scenario x wire x outcome goes to `out/wire_scenarios.md`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.wire.scenario import HEALTHY, Case, Outcome, cases, play, play_all
from tests.wire.taxonomy import COMMAND, GROUPS, page
from tests.wire.wires import CANARY

CASES = [case for group in GROUPS.values() for case in cases(group)]
SLACK_S = 2.0
"""What a busy machine may add to a deadline."""
TABLE = Path(__file__).parents[2] / "out" / "wire_scenarios.md"


@pytest.fixture(scope="session")
def outcomes(request: pytest.FixtureRequest) -> Mapping[str, Outcome]:
    chosen = [
        item.callspec.params["case"]
        for item in request.session.items
        if "outcomes" in getattr(item, "fixturenames", ()) and hasattr(item, "callspec")
    ]
    ended = asyncio.run(play_all(chosen))
    _write_table([(case, ended[case.name]) for case in chosen])
    return ended


def _write_table(ended: list[tuple[Case, Outcome]]) -> None:
    rows = [
        f"| {case.scenario.name} | {case.wire.name} | {case.mode} | {outcome.posts} | "
        f"{', '.join(outcome.errors) or '-'} | {outcome.ends} | {outcome.took_s:.2f} s |"
        for case, outcome in ended
    ]
    head = "| scenario | wire | mode | asked | failed with | ended | after |"
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text("\n".join([head, "|---" * 7 + "|", *rows, ""]), encoding="utf-8")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_fault_ends_as_the_design_says(case: Case, outcomes: Mapping[str, Outcome]) -> None:
    try:
        _check(case, outcomes[case.name])
    except AssertionError:
        # All cases at once are a crowd on a busy machine; alone, a fault that is real fails again.
        _check(case, asyncio.run(play(case)))


def _check(case: Case, outcome: Outcome) -> None:
    scenario = case.scenario
    assert outcome.broke is None
    assert (outcome.errors, outcome.ends) == (scenario.errors, scenario.ends)
    assert outcome.posts == scenario.posts, "on the wire as on the books"
    assert outcome.recorded == [outcome.response]
    assert outcome.took_s < scenario.patience.timeout_s * 1.1 + SLACK_S
    _check_lines(case, outcome)
    _check_text(case, outcome)


def _check_lines(case: Case, outcome: Outcome) -> None:
    lines = [a.error for a in outcome.faulty if not a.succeeded]
    for line in lines:
        assert line, "every failure has its cause"
        assert len(line) < 600
        assert "\n" not in line
        assert CANARY not in line
        assert not re.search(r"<html|<!DOCTYPE", line), "a proxy's page says nothing to a user"
    if lines:
        assert case.scenario.says in lines[0]


def _check_text(case: Case, outcome: Outcome) -> None:
    assert outcome.response is not None
    expected = {"answers": case.scenario.text, "falls back": HEALTHY}.get(outcome.ends)
    assert outcome.response.fallback_used == (outcome.ends == "falls back")
    if expected is None:
        assert outcome.response.error is not None
        return
    assert outcome.response.text == expected
    assert outcome.shown == expected, "the card shows the answer once"


def test_the_page_of_failures_is_made_from_these_tables() -> None:
    written = (Path(__file__).parents[2] / "docs" / "failures.md").read_text(encoding="utf-8")
    assert written == page(), f"run: {COMMAND}"


def test_no_two_cases_have_one_name() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
