"""Weights of the signals of `scoring`, and how raw scores map to [0, 1].

Made by tools/fit_complexity.py; do not edit. Fitted on ulab-uiuc/LLMRouter @ 4e7a7969 (MIT),
WildEval/ZeroEval @ 8c1485ed (Apache-2.0) and lm-sys/RouteLLM @ 0b64fdaf (Apache-2.0).
"""

from __future__ import annotations

__all__ = ["KNOTS", "WEIGHTS"]

WEIGHTS: dict[str, float] = {
    "proof": 1.8000,
    "reasoning": 1.0000,
    "question": 0.7044,
    "why": 0.2962,
    "negation": 0.7292,
    "comparison": 0.3253,
    "connective": 0.3356,
    "constraint": 0.3000,
    "steps": 0.5000,
    "maths": 0.2000,
    "code": 0.6000,
    "data": 0.9000,
    "example": 0.6000,
    "person": 0.6480,
    "chore": -0.5000,
    "greeting": -1.5000,
    "length": 1.3474,
    "clauses": 0.3069,
    "names": 0.2445,
    "numbers": 0.2402,
    "formula": 0.6000,
    "pasted_code": 0.5000,
    "items": 0.8000,
    "rare": 0.0375,
    "small_sum": -1.5000,
}
"""What one unit of a signal adds to the raw score."""

KNOTS: tuple[float, ...] = (
    -1.6479,
    -0.3076,
    0.0000,
    0.1026,
    0.2718,
    0.4492,
    0.4937,
    0.6522,
    0.8571,
    1.0984,
    1.3346,
    1.5824,
    1.8082,
    2.0981,
    2.4497,
    2.7955,
    3.3862,
    4.3900,
    6.5858,
    8.6538,
    12.1185,
)
