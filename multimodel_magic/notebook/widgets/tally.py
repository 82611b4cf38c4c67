"""What a session has seen so far, counted as requests end: cheap enough to do at every one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from statistics import median

from multimodel_magic.metrics.counts import asked_nobody
from multimodel_magic.notebook.receipt import model_name
from multimodel_magic.types import Attempt, Response

__all__ = ["Fault", "ModelTally", "Tally"]

LATENCIES_KEPT = 200
"""Of each model the latest so many answers make its median."""
FAULTS_KEPT = 5
MESSAGE_SHOWN = 160
"""Characters of an error's message."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One failure: when (UTC), whose, of which kind, and what was said."""

    at: datetime
    who: str
    kind: str
    what: str


@dataclass(slots=True)
class ModelTally:
    """What is known of one model's attempts."""

    asked: int = 0
    answered: int = 0
    cost_usd: Decimal = Decimal(0)
    unknown_cost: int = 0
    latencies_s: deque[float] = field(default_factory=lambda: deque(maxlen=LATENCIES_KEPT))
    """Of answers alone: a failure's time says nothing of how fast a model answers."""
    ttfts_s: deque[float] = field(default_factory=lambda: deque(maxlen=LATENCIES_KEPT))

    def take(self, attempt: Attempt) -> None:
        """Count one attempt."""
        self.asked += 1
        if attempt.cost_usd is None:
            self.unknown_cost += 1
        else:
            self.cost_usd += attempt.cost_usd
        if attempt.succeeded:
            self.answered += 1
            self.latencies_s.append(attempt.latency_s)
            if attempt.ttft_s is not None:
                self.ttfts_s.append(attempt.ttft_s)

    @property
    def latency_p50_s(self) -> float | None:
        """The median latency of its answers."""
        return median(self.latencies_s) if self.latencies_s else None

    @property
    def ttft_p50_s(self) -> float | None:
        """The median time to its first token."""
        return median(self.ttfts_s) if self.ttfts_s else None


@dataclass(slots=True)
class Tally:
    """The counts of one session."""

    requests: int = 0
    answered: int = 0
    asked_nobody: int = 0
    interrupted: int = 0
    fallbacks: int = 0
    cached: int = 0
    cost_usd: Decimal = Decimal(0)
    unknown_cost: int = 0
    """Attempts of unknown cost, which `cost_usd` leaves out."""
    models: dict[str, ModelTally] = field(default_factory=dict)
    """By the name that the receipt shows."""
    faults: deque[Fault] = field(default_factory=lambda: deque(maxlen=FAULTS_KEPT))

    @classmethod
    def of(cls, responses: Iterable[Response]) -> Tally:
        """Count what has ended already."""
        tally = cls()
        for response in responses:
            tally.take(response)
        return tally

    def take(self, response: Response) -> None:
        """Count one finished request."""
        self.requests += 1
        self.answered += response.succeeded
        stopped = type(response.error).__name__ in {"Cancelled", "KeyboardInterrupt"}
        self.interrupted += stopped
        self.asked_nobody += asked_nobody(
            {"attempts": len(response.attempts), "error_type": type(response.error).__name__}
        )
        self.fallbacks += response.fallback_used
        self.cached += response.cached
        for attempt in response.attempts:
            self._take_attempt(attempt, stopped=stopped)
        if response.error is not None and not response.attempts and not stopped:
            self._blame("no model", type(response.error).__name__, str(response.error))

    @property
    def failed(self) -> int:
        """Requests that ended without an answer, neither interrupted nor asking nobody."""
        return self.requests - self.answered - self.interrupted - self.asked_nobody

    def _take_attempt(self, attempt: Attempt, *, stopped: bool) -> None:
        name = model_name(attempt.provider, attempt.model)
        self.models.setdefault(name, ModelTally()).take(attempt)
        if attempt.cost_usd is None:
            self.unknown_cost += 1
        else:
            self.cost_usd += attempt.cost_usd
        if not attempt.succeeded and not (stopped and attempt.error_type == "Cancelled"):
            self._blame(name, str(attempt.error_type), str(attempt.error or ""))

    def _blame(self, who: str, kind: str, what: str) -> None:
        line = " ".join(what.split())
        cut = line if len(line) <= MESSAGE_SHOWN else f"{line[: MESSAGE_SHOWN - 1]}…"
        self.faults.append(Fault(datetime.now(UTC), who, kind, cut))
