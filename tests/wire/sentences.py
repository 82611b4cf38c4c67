"""What servers say in words: a sentence of each, with its status and what it means."""

# ruff: noqa: ISC004 - a sentence may take two lines

from __future__ import annotations

from typing import NamedTuple

__all__ = ["SENTENCES", "Sentence"]


class Sentence(NamedTuple):
    """One server's words."""

    server: str
    status: int
    said: str
    error: str
    code: str = ""


CONTEXT, QUOTA, MODEL = "ContextTooLong", "QuotaExceeded", "ModelNotFound"
FILTER, FEATURE, KEY = "ContentFiltered", "FeatureMissing", "AuthenticationFailed"
RATE, BAD = "RateLimited", "BadRequest"

SENTENCES = tuple(
    Sentence(*row)
    for row in (
        ("OpenAI", 400, "This model's maximum context length is 8192 tokens. However, your messages"
         " resulted in 9000 tokens.", CONTEXT, "context_length_exceeded"),
        ("OpenAI", 400, "Input tokens exceed the configured limit of 272000 tokens.", CONTEXT),
        ("Anthropic", 400, "prompt is too long: 210000 tokens > 200000 maximum", CONTEXT),
        ("Anthropic", 400, "input length and `max_tokens` exceed context limit: 199000 + 4096",
         CONTEXT),
        ("Gemini", 400, "The input token count (1200000) exceeds the maximum number of tokens"
         " allowed (1048576).", CONTEXT),
        ("Mistral", 400, "Prompt contains 40000 tokens and 0 draft tokens, too large for model"
         " with 32768 maximum context length", CONTEXT),
        ("Groq", 400, "Please reduce the length of the messages or completion.", CONTEXT),
        ("xAI", 400, "This model's maximum prompt length is 131072 but the request contains 537812"
         " tokens.", CONTEXT),
        ("Together", 422, "`inputs` tokens + `max_new_tokens` must be <= 4097", CONTEXT),
        ("text-generation-inference", 422, "Input validation error: `inputs` must have less than"
         " 1024 tokens. Given: 1500", CONTEXT),
        ("Fireworks", 400, "The prompt is too long: 5000, model maximum context length: 4096",
         CONTEXT),
        ("Cohere", 400, "too many tokens: total number of tokens in the prompt cannot exceed 4081",
         CONTEXT),
        ("Bedrock", 400, "Input is too long for requested model.", CONTEXT),
        ("vLLM", 400, "This model's maximum context length is 4096 tokens. However, you requested"
         " 5000 tokens", CONTEXT),
        ("SGLang", 400, "The input (5000 tokens) is longer than the model's context length (4096"
         " tokens).", CONTEXT),
        ("llama.cpp", 400, "the request exceeds the available context size, try increasing it",
         CONTEXT, "exceed_context_size_error"),
        ("LM Studio", 400, "Trying to keep the first 5000 tokens when context the overflows."
         " However, the model is loaded with context length of only 4096 tokens", CONTEXT),
        ("GitHub Models", 413, "Request body too large for gpt-4o model. Max size: 8000 tokens.",
         CONTEXT, "tokens_limit_reached"),
        ("Moonshot", 400, "Invalid request: Your request exceeded model token limit: 8192",
         CONTEXT),
        ("DashScope", 400, "Range of input length should be [1, 30720]", CONTEXT),
        ("Zhipu", 400, "Prompt exceeds max length", CONTEXT),
        ("OpenAI", 429, "You exceeded your current quota, please check your plan and billing"
         " details.", QUOTA, "insufficient_quota"),
        ("OpenAI", 429, "Request too large for gpt-4o in organization org-1 on tokens per min"
         " (TPM): Limit 30000, Requested 40000.", QUOTA),
        ("OpenAI", 429, "Rate limit reached for gpt-4o on requests per min (RPM): Limit 3, Used 3,"
         " Requested 1. Please try again in 20s. Visit /account/billing to add a payment method.",
         RATE),
        ("OpenAI", 400, "Billing hard limit has been reached", QUOTA, "billing_hard_limit_reached"),
        ("Anthropic", 400, "Your credit balance is too low to access the Anthropic API.", QUOTA),
        ("Anthropic", 429, "This request would exceed your organization's rate limit of 50,000"
         " input tokens per minute", RATE),
        ("Gemini", 429, "Resource has been exhausted (e.g. check quota).", RATE),
        ("Groq", 429, "Rate limit reached for model in organization on tokens per day (TPD): Limit"
         " 100000, Used 99000.", QUOTA),
        ("OpenRouter", 429, "Rate limit exceeded: free-models-per-day", QUOTA),
        ("Moonshot", 429, "Your account is suspended, please check your plan", QUOTA,
         "exceeded_current_quota_error"),
        ("Zhipu", 429, "Insufficient balance or no resource package.", QUOTA),
        ("xAI", 403, "Your team has used all available credits or reached its monthly spending"
         " limit.", KEY),
        ("DeepSeek", 402, "Insufficient Balance", KEY),
        ("OpenAI", 404, "The model `gpt-9` does not exist or you do not have access to it.", MODEL),
        ("OpenAI", 403, "Project `p` does not have access to model `gpt-4`", MODEL,
         "model_not_found"),
        ("Anthropic", 404, "model: claude-9", MODEL, "not_found_error"),
        ("Azure", 404, "The API deployment for this resource does not exist.", MODEL,
         "DeploymentNotFound"),
        ("Mistral", 400, "Invalid model: mistral-9", MODEL, "invalid_model"),
        ("OpenRouter", 400, "nobody/nothing is not a valid model ID", MODEL),
        ("Groq", 400, "The model `x` has been decommissioned and is no longer supported.", MODEL,
         "model_decommissioned"),
        ("DeepSeek", 400, "Model Not Exist", MODEL),
        ("Ollama", 404, "model 'llama9' not found, try pulling it first", MODEL),
        ("LM Studio", 400, 'Invalid model identifier "x"', MODEL),
        ("Azure", 400, "The response was filtered due to the prompt triggering Azure OpenAI's"
         " content management policy.", FILTER, "content_filter"),
        ("OpenAI", 400, "Your request was rejected as a result of our safety system.", FILTER,
         "content_policy_violation"),
        ("Anthropic", 400, "Output blocked by content filtering policy", FILTER),
        ("DashScope", 400, "Input data may contain inappropriate content.", FILTER,
         "data_inspection_failed"),
        ("OpenRouter", 403, "Your input was flagged by the moderation of the model", FILTER),
        ("Ollama", 400, "registry.ollama.ai/library/x does not support tools", FEATURE),
        ("OpenAI", 400, "Invalid content type. image_url is only supported by certain models.",
         FEATURE),
        ("OpenRouter", 404, "No endpoints found that support tool use.", FEATURE),
        ("Gemini", 400, "API key not valid. Please pass a valid API key.", KEY, "API_KEY_INVALID"),
        ("xAI", 400, "Incorrect API key provided: xa***yz.", KEY),
        ("OpenAI", 401, "Incorrect API key provided: sk-***.", KEY, "invalid_api_key"),
        ("OpenAI", 400, "Unsupported parameter: 'max_tokens' is not supported with this model.",
         BAD, "unsupported_parameter"),
        ("OpenAI", 400, "max_tokens is too large: 100000. This model supports at most 16384"
         " completion tokens", BAD),
        ("Anthropic", 400, 'messages: roles must alternate between "user" and "assistant"', BAD),
        ("Anthropic", 400, "max_tokens: 99999 > 8192, which is the maximum allowed number of output"
         " tokens", BAD),
        ("vLLM", 400, "temperature must be non-negative, got -1.", BAD),
    )
)  # fmt: skip
