"""Wall time from the call to the first token, raw SDK and ours in turn."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable

TURNS = 200


async def first_token(base: str) -> dict[str, list[float]]:
    """Return milliseconds to the first token for `raw` and `ours`, one figure a turn."""
    import openai

    from multimodel_magic import OpenAIProvider, UnifiedLLMClient
    from multimodel_magic.types import Request, TextDelta

    sdk = openai.AsyncOpenAI(base_url=f"{base}/v1", api_key="none", max_retries=0)
    client = UnifiedLLMClient({"openai": OpenAIProvider(base_url=f"{base}/v1", api_key="none")})

    async def raw() -> float:
        start = time.perf_counter()
        events = await sdk.chat.completions.create(
            model="n16", messages=[{"role": "user", "content": "Hi"}], stream=True
        )
        async for event in events:
            if event.choices and event.choices[0].delta.content:
                break
        took = time.perf_counter() - start
        await events.close()
        return took

    async def ours() -> float:
        start = time.perf_counter()
        events = client.stream(Request("Hi", models=("openai:n16",)))
        async for event in events:
            if isinstance(event, TextDelta):
                break
        took = time.perf_counter() - start
        await events.aclose()
        return took

    contestants: list[tuple[str, Callable[[], Awaitable[float]]]] = [("raw", raw), ("ours", ours)]
    took: dict[str, list[float]] = {name: [] for name, _ in contestants}
    for turn in range(TURNS):
        random.shuffle(contestants)
        for name, call in contestants:
            seconds = await call()
            if turn >= TURNS // 10:  # the first turns warm connections and caches
                took[name].append(seconds * 1000)
    return took
