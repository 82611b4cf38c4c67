"""Weights of the signals of `scoring`, and how raw scores map to [0, 1].

Made by tools/fit_complexity.py; do not edit. Fitted on ulab-uiuc/LLMRouter @ 4e7a7969 (MIT),
WildEval/ZeroEval @ 8c1485ed (Apache-2.0) and lm-sys/RouteLLM @ 0b64fdaf (Apache-2.0).
"""

from __future__ import annotations

__all__ = ["KNOTS", "WEIGHTS"]

WEIGHTS: dict[str, float] = {
    "proof": 1.5347,
    "reasoning": 0.6939,
    "question": 0.6844,
    "why": 0.3216,
    "negation": 0.7317,
    "comparison": 0.3361,
    "connective": 0.3420,
    "constraint": 0.2893,
    "steps": 0.1250,
    "maths": 0.5125,
    "code": 0.3038,
    "data": 0.9338,
    "example": 0.3219,
    "person": 0.6496,
    "chore": -0.3313,
    "greeting": -1.5000,
    "length": 1.0443,
    "clauses": 0.2915,
    "names": 0.2508,
    "numbers": 0.2231,
    "formula": 1.0516,
    "pasted_code": 1.0589,
    "items": 1.1526,
    "rare": 0.0375,
    "small_sum": -1.5000,
}
"""What one unit of a signal adds to the raw score."""

KNOTS: tuple[float, ...] = (
    -1.6479,
    -0.1906,
    0.0000,
    0.1460,
    0.2337,
    0.4503,
    0.4802,
    0.6733,
    0.9247,
    1.1512,
    1.3716,
    1.5397,
    1.7686,
    2.0400,
    2.3551,
    2.7461,
    3.2410,
    4.1092,
    6.2627,
    8.2388,
    10.6083,
)
