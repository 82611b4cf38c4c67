"""One client for every provider: route, ask, fall back, price, record."""

from multimodel_magic.client.unified import UnifiedLLMClient

__all__ = ["UnifiedLLMClient"]
