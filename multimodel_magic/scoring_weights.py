"""Weights of the signals of `scoring`, and how raw scores map to [0, 1].

Made by tools/fit_complexity.py; do not edit. Fitted on ulab-uiuc/LLMRouter @ 4e7a7969 (MIT),
WildEval/ZeroEval @ 8c1485ed (Apache-2.0) and lm-sys/RouteLLM @ 0b64fdaf (Apache-2.0).
"""

from __future__ import annotations

__all__ = ["KNOTS", "WEIGHTS"]

WEIGHTS: dict[str, float] = {
    "proof": 3.0000,
    "reasoning": 1.3000,
    "question": 0.7121,
    "why": 0.2958,
    "negation": 0.7321,
    "comparison": 0.3251,
    "connective": 0.3380,
    "constraint": 0.3000,
    "steps": 0.5000,
    "maths": 0.3000,
    "code": 2.0000,
    "data": 0.9000,
    "example": 0.6000,
    "person": 0.6508,
    "chore": -0.5000,
    "greeting": -1.5000,
    "length": 1.3550,
    "clauses": 0.3134,
    "names": 0.2456,
    "numbers": 0.2457,
    "formula": 0.6000,
    "pasted_code": 0.6000,
    "items": 0.8000,
    "rare": 0.0375,
    "small_sum": -1.5000,
}
"""What one unit of a signal adds to the raw score."""

KNOTS: tuple[float, ...] = (
    -1.6479,
    -0.3076,
    0.0000,
    0.1045,
    0.2774,
    0.4604,
    0.5366,
    0.7273,
    0.9672,
    1.2937,
    1.6087,
    1.9151,
    2.1744,
    2.5366,
    2.9023,
    3.4354,
    3.9771,
    4.5893,
    6.7404,
    8.7141,
    12.7305,
)
