"""Weights of the signals of `scoring`, and how raw scores map to [0, 1].

Made by tools/fit_complexity.py; do not edit. Fitted on ulab-uiuc/LLMRouter @ 4e7a7969 (MIT),
WildEval/ZeroEval @ 8c1485ed (Apache-2.0) and lm-sys/RouteLLM @ 0b64fdaf (Apache-2.0).
"""

from __future__ import annotations

__all__ = ["KNOTS", "WEIGHTS"]

WEIGHTS: dict[str, float] = {
    "proof": 1.6000,
    "reasoning": 1.0000,
    "question": 0.6828,
    "why": 0.3144,
    "negation": 0.7267,
    "comparison": 0.3314,
    "connective": 0.3364,
    "constraint": 0.3000,
    "steps": 0.5000,
    "maths": 0.4000,
    "code": 0.9000,
    "data": 0.9000,
    "example": 0.6000,
    "person": 0.6458,
    "chore": -0.5000,
    "greeting": -1.5000,
    "length": 1.0362,
    "clauses": 0.2884,
    "names": 0.2474,
    "numbers": 0.2211,
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
    0.2503,
    0.4688,
    0.5516,
    0.7799,
    0.9888,
    1.2207,
    1.4346,
    1.5921,
    1.7835,
    2.1462,
    2.5184,
    2.9317,
    3.5274,
    4.2832,
    6.3034,
    8.1124,
    11.2854,
)
