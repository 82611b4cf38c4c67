"""Weights of the signals of `scoring`, and how raw scores map to [0, 1].

Made by tools/fit_complexity.py; do not edit. Fitted on ulab-uiuc/LLMRouter @ 4e7a7969 (MIT),
WildEval/ZeroEval @ 8c1485ed (Apache-2.0) and lm-sys/RouteLLM @ 0b64fdaf (Apache-2.0).
"""

from __future__ import annotations

__all__ = ["KNOTS", "WEIGHTS"]

WEIGHTS: dict[str, float] = {
    "proof": 1.6000,
    "reasoning": 1.0000,
    "question": 0.6830,
    "why": 0.3144,
    "negation": 0.7268,
    "comparison": 0.3314,
    "connective": 0.3365,
    "constraint": 0.3000,
    "steps": 0.5000,
    "maths": 0.4000,
    "code": 0.9000,
    "data": 0.9000,
    "example": 0.6000,
    "person": 0.6459,
    "chore": -0.5000,
    "greeting": -1.5000,
    "length": 1.0364,
    "clauses": 0.2886,
    "names": 0.2474,
    "numbers": 0.2213,
    "formula": 0.8000,
    "pasted_code": 0.8000,
    "items": 0.8000,
    "rare": 0.0375,
    "small_sum": -1.5000,
}
"""What one unit of a signal adds to the raw score."""

KNOTS: tuple[float, ...] = (
    -1.6479,
    -0.3076,
    0.0000,
    0.1011,
    0.2506,
    0.4689,
    0.5516,
    0.7801,
    0.9888,
    1.2209,
    1.4353,
    1.5929,
    1.7837,
    2.1467,
    2.5187,
    2.9322,
    3.5276,
    4.2843,
    6.3047,
    8.1142,
    11.2874,
)
