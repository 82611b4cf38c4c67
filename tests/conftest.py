"""What holds for all tests: marks by folder, and no silent skips in CI."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# No example has a time limit: a busy machine must not fail a law.
EXAMPLES = int(os.environ.get("MULTIMODEL_EXAMPLES", "100"))
"""Per law that does not say otherwise; `make unit` is content with fewer."""
settings.register_profile("untimed", deadline=None, max_examples=EXAMPLES)
settings.load_profile("untimed")

HERE = Path(__file__).parent
MUST_RUN = os.environ.get("MULTIMODEL_TESTS_MUST_RUN", "0") not in ("", "0")
BY_DESIGN = (
    *("Ollama has no refusals", "needs fork", "needs a limit on file size"),
    "the tables are of",  # another release of a vendor's package than the catalogue was read from
)
"""Reasons to skip that no installation mends."""


def pytest_collection_modifyitems(items):
    """Mark what needs more than the package itself, so that `make unit` can leave it out."""
    for item in items:
        folder = item.path.relative_to(HERE).parts[0] if HERE in item.path.parents else ""
        if folder in ("kernel", "browser", "wire"):
            item.add_marker(folder)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """In CI a test that skips for want of a browser, a server or a model has failed."""
    report = yield
    if MUST_RUN and report.skipped and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr)
        if not any(words in reason for words in BY_DESIGN):
            report.outcome = "failed"
            report.longrepr = f"skipped where everything must run: {reason}"
    return report
