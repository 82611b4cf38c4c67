"""A peer under measurement: answers `N` on a line of stdin with CPU ms a call, N calls made.

    python bench/peers.py litellm|pydantic-ai BASE_URL ok|fired

Runs in an environment of its own (`make bench PEERS=1`), so that a peer's dependencies never
meet ours. Each is set up as its manual shows: two models of which the second is the fallback.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable

Call = Callable[[], Awaitable[object]]
SAID = [{"role": "user", "content": "Say something."}]


def litellm_call(base: str, first: str) -> Call:
    """Return a call of litellm's Router with a fallback armed."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # its price list would be downloaded
    from litellm import Router

    def entry(name: str, model: str) -> dict[str, object]:
        where = {"model": f"openai/{model}", "api_base": f"{base}/v1", "api_key": "none"}
        return {"model_name": name, "litellm_params": where}

    router = Router(
        model_list=[entry("first", first), entry("second", "n16")],
        fallbacks=[{"first": ["second"]}],
        num_retries=0,
        cooldown_time=0,
    )
    return lambda: router.acompletion(model="first", messages=SAID)


def pydantic_ai_call(base: str, first: str) -> Call:
    """Return a run of pydantic-ai's Agent over a FallbackModel."""
    from openai import AsyncOpenAI
    from pydantic_ai import Agent
    from pydantic_ai.models.fallback import FallbackModel
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    client = AsyncOpenAI(base_url=f"{base}/v1", api_key="none", max_retries=0)
    provider = OpenAIProvider(openai_client=client)
    models = [OpenAIChatModel(name, provider=provider) for name in (first, "n16")]
    agent = Agent(FallbackModel(*models))
    return lambda: agent.run("Say something.")


PEERS = {"litellm": litellm_call, "pydantic-ai": pydantic_ai_call}


async def main() -> None:
    """Serve rounds until stdin ends."""
    name, base, state = sys.argv[1:]
    call = PEERS[name](base, "fail429" if state == "fired" else "n16")
    for line in iter(sys.stdin.readline, ""):
        start = time.process_time()
        for _ in range(int(line)):
            await call()
        print(f"@{(time.process_time() - start) / int(line) * 1000}", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
