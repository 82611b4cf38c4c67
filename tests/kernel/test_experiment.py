"""An experiment over restarts of a real kernel: who was dealt where stays there."""

import pytest

from tests.kernel.conftest import started

UNITS = """
from multimodel_magic import ABTestRouter, llm
from multimodel_magic.config import parse_config
from multimodel_magic.routing import build_strategy
from multimodel_magic.types import Request

config = parse_config('''
routing:
  experiments:
    new_model_test: {treatment: "scripted:answers", control: "scripted:echo", percentage: 10}
''')
strategy = build_strategy(config)
router = ABTestRouter({"treatment_percentage": 10, "treatment_model": "a", "control_model": "b"})
arms = "".join(
    ("t" if strategy.route(Request("x", unit=f"user-{n}")).arm.endswith("treatment") else "c")
    + router.route(f"user-{n}")
    for n in range(1000)
)
"""


@pytest.mark.slow
def test_of_1000_units_all_stay_in_their_arm_over_six_kernel_restarts(bare_environment):
    kernel = started(bare_environment)
    dealt, seeds = [], set()
    try:
        for _ in range(7):
            assert kernel.run(UNITS).status == "ok"
            dealt.append(kernel.value("arms"))
            seeds.add(kernel.value("hash('user-1')"))
            kernel.manager.restart_kernel(now=True)
            kernel.client.wait_for_ready(timeout=60)
    finally:
        kernel.client.stop_channels()
        kernel.manager.shutdown_kernel(now=True)
    assert len(seeds) == 7, "the article's hash() deals anew in each of them"
    assert len(set(dealt)) == 1
    assert 70 <= dealt[0].count("t") <= 130
    assert 70 <= dealt[0].count("a") <= 130
