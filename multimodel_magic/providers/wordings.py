"""The words by which servers say what their statuses do not.

Collected from the documentation and the error texts of OpenAI, Azure, Anthropic, Gemini, Mistral,
Groq, xAI, DeepSeek, OpenRouter, Together, Fireworks, Cohere, Bedrock, Moonshot, vLLM, SGLang,
text-generation-inference, llama.cpp, LM Studio and Ollama; the tests hold a sentence of each.
"""

from __future__ import annotations

from multimodel_magic.errors import (
    AuthenticationFailed,
    ContentFiltered,
    ContextTooLong,
    FeatureMissing,
    ModelNotFound,
    MultimodelError,
    QuotaExceeded,
)

__all__ = ["WORDS"]

_CONTEXT = (
    # Codes and types first: llama.cpp's servers speak the wires of others with one of their own.
    r"exceed_context_size|context_length_exceeded|model_max_prompt_tokens|tokens_limit_reached",
    r"context (length|window|size|limit)|maximum prompt length|max_input_len",
    r"(prompt|input|request)\S* (is |are )?too (long|large) for|(prompt|input) is too long",
    r"too many tokens|longer than the model|exceeds? max length|exceeded model token limit",
    r"token count .{0,40}exceed|input tokens exceed|prompt contains .{0,60}too large",
    r"max_new_tokens. must be <=|.inputs. must have less than|range of input length",
    r"reduce the length of the (messages|prompt|input)|input length exceeds",
)
_QUOTA = (
    # Not any "billing": OpenAI's plain rate limits advertise their page of that name.
    r"insufficient[_ ](quota|balance|credit|fund)|billing_\w+|exceeded_current_quota",
    r"exceeded your .*quota|used all available credits|spending limit|credit balance is too low",
    r"requests per day|tokens per day|per-day|daily (limit|quota|request)",
    r"monthly (limit|quota|usage)",
    # A request that is larger than a whole minute's tokens will never pass.
    r"request too large for",
)
_FILTER = (
    r"content[_ ](policy|filter)|content management|responsible ?ai ?policy",
    r"usage policy|data_inspection_failed|safety (system|filter|settings)|flagged (as|by|for)",
)
_MODEL = (
    r"model_not_found|model_decommissioned|invalid[_ ]model\b|invalid model identifier",
    r"not a valid model|model not exist|deploymentnotfound",
    r"model \S{1,200} (does not exist|not found)",
    r"model \S{1,200} (has been|was|is) (deprecated|decommissioned|retired|shut down)",
)
_FEATURE = (
    r"does(n.t| not) support (tool|think|image|vision|chat|function|audio|json|file|multi)",
    r"(image|vision|tool|function)\S* (input |use |calling )?(is |are )?(not |un)supported",
    r"only supported by certain models|no endpoints found that support",
)
_KEY = (
    r"api[_ ]key[_ ](is )?(not valid|invalid|expired|not found)|api_key_invalid",
    r"(incorrect|invalid|missing|wrong)[_ ]api[_ ]?key",
)

WORDS: tuple[tuple[type[MultimodelError], tuple[int, ...], str], ...] = (
    (ModelNotFound, (400, 403, 404, 422), "|".join(_MODEL)),
    (AuthenticationFailed, (400,), "|".join(_KEY)),
    (QuotaExceeded, (400, 429), "|".join(_QUOTA)),
    (ContextTooLong, (400, 413, 422, 500), "|".join(_CONTEXT)),
    (ContentFiltered, (400, 403, 422), "|".join(_FILTER)),
    (FeatureMissing, (400, 404, 422), "|".join(_FEATURE)),
)
"""What the words mean, with the statuses under which they are believed; the first that fits."""
