"""Which models, when? Several language models behind one `%%llm` cell, with a receipt.

    %load_ext multimodel_magic

    %%llm --strategy complexity
    Why is the sky blue?

From Python: `from multimodel_magic import llm`, then `llm("Why is the sky blue?")`.
Names are imported on first use: loading the extension must cost next to nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multimodel_magic.session import Session

    llm: Session

__version__ = "0.1.0"

_HOMES = {
    "ABTestRouter": "experiments",
    "AllModelsFailed": "errors",
    "AnthropicProvider": "providers.anthropic",
    "Arm": "strategies",
    "Attachment": "types",
    "Attempt": "types",
    "Budget": "limits",
    "ByComplexity": "strategies",
    "ByCostTier": "strategies",
    "ByTask": "strategies",
    "Cascade": "strategies",
    "Catalogue": "catalogue",
    "ComplexityRouter": "strategies",
    "CostTierRouter": "strategies",
    "Experiment": "strategies",
    "FallbackChain": "chain",
    "Fixed": "strategies",
    "LLMResponse": "types",
    "Ledger": "ledger",
    "Message": "types",
    "MultimodelError": "errors",
    "OllamaProvider": "providers.ollama",
    "OpenAIProvider": "providers.openai",
    "Patience": "limits",
    "Rate": "limits",
    "Reason": "types",
    "Request": "types",
    "Response": "types",
    "ResultsStore": "experiments",
    "Route": "types",
    "Schema": "types",
    "SchemaNotMet": "errors",
    "Session": "session",
    "SmartRouter": "strategies",
    "TaskSpecializedRouter": "strategies",
    "UnifiedLLMClient": "client",
    "Usage": "types",
    "Weighted": "strategies",
    "WithFallbacks": "strategies",
    "enable_nested_asyncio": "notebook.hosting",
    "plot": "notebook.charts",
    "schema_of": "schemas",
}
"""Public name -> the module that it lives in."""

__all__ = [
    "ABTestRouter",
    "AllModelsFailed",
    "AnthropicProvider",
    "Arm",
    "Attachment",
    "Attempt",
    "Budget",
    "ByComplexity",
    "ByCostTier",
    "ByTask",
    "Cascade",
    "Catalogue",
    "ComplexityRouter",
    "CostTierRouter",
    "Experiment",
    "FallbackChain",
    "Fixed",
    "LLMResponse",
    "Ledger",
    "Message",
    "MultimodelError",
    "OllamaProvider",
    "OpenAIProvider",
    "Patience",
    "Rate",
    "Reason",
    "Request",
    "Response",
    "ResultsStore",
    "Route",
    "Schema",
    "SchemaNotMet",
    "Session",
    "SmartRouter",
    "TaskSpecializedRouter",
    "UnifiedLLMClient",
    "Usage",
    "Weighted",
    "WithFallbacks",
    "enable_nested_asyncio",
    "llm",
    "load_ipython_extension",
    "plot",
    "schema_of",
    "unload_ipython_extension",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    """Import a public name on first use; `llm` is the kernel's session."""
    if name == "llm":
        from multimodel_magic.session import current

        session = current()
        if (extension := sys.modules.get(f"{__name__}.notebook.extension")) is not None:
            extension.apply_settings()
        return session
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted({*globals(), *__all__})


def load_ipython_extension(ip: Any) -> None:  # noqa: ANN401 - IPython is not imported for a name
    """Register `%%llm`, `%llm` and `%%mm` (IPython calls this for `%load_ext`)."""
    from multimodel_magic.notebook import extension

    extension.load_ipython_extension(ip)


def unload_ipython_extension(ip: Any) -> None:  # noqa: ANN401 - as above
    """Take everything back that `load_ipython_extension` registered."""
    from multimodel_magic.notebook import extension

    extension.unload_ipython_extension(ip)
