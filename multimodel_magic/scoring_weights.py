"""Weights of the signals of `scoring`, and how raw scores map to [0, 1].

Made by tools/fit_complexity.py; do not edit. Fitted on ulab-uiuc/LLMRouter @ 4e7a7969 (MIT),
WildEval/ZeroEval @ 8c1485ed (Apache-2.0) and lm-sys/RouteLLM @ 0b64fdaf (Apache-2.0).
"""

from __future__ import annotations

__all__ = ["KNOTS", "WEIGHTS"]

WEIGHTS: dict[str, float] = {
    "proof": 1.3804,
    "reasoning": 0.7047,
    "question": 0.6665,
    "why": 0.3116,
    "negation": 0.7860,
    "comparison": 0.3220,
    "connective": 0.3278,
    "constraint": 0.2721,
    "steps": 0.2459,
    "maths": 0.4923,
    "code": 0.3236,
    "data": 0.8722,
    "example": 0.3838,
    "person": 0.6369,
    "chore": -0.3080,
    "greeting": -1.5000,
    "length": 0.9952,
    "clauses": 0.2582,
    "names": 0.2597,
    "numbers": 0.2225,
    "formula": 1.0353,
    "pasted_code": 1.0227,
    "items": 1.2758,
    "rare": 0.0922,
    "small_sum": -1.5000,
}
"""What one unit of a signal adds to the raw score."""

KNOTS: tuple[float, ...] = (
    -1.6479,
    -0.1943,
    0.0000,
    0.1790,
    0.2648,
    0.4453,
    0.5119,
    0.6776,
    0.9262,
    1.1495,
    1.3436,
    1.5107,
    1.7472,
    2.0546,
    2.3659,
    2.8027,
    3.2752,
    4.1376,
    6.3691,
    9.0738,
    12.4456,
)
