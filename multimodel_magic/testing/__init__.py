"""Checks for whoever writes a strategy or a provider: the laws that our own keep.

Each is one call in a test of yours. It raises an `AssertionError` of one line that says what was
expected, what came, and what to do; it needs no pytest.

    from multimodel_magic.testing import check_provider, check_strategy

    def test_always_fast_is_a_strategy():
        check_strategy(AlwaysFast())

    def test_acme_is_a_provider():
        check_provider(AcmeProvider(base_url=local_server), model="acme-1")
"""

from multimodel_magic.testing.provider import check_provider
from multimodel_magic.testing.strategy import REQUESTS, check_strategy

__all__ = ["REQUESTS", "check_provider", "check_strategy"]
