"""Weights of the signals of `scoring`, and how raw scores map to [0, 1].

Made by tools/fit_complexity.py; do not edit. Fitted on ulab-uiuc/LLMRouter @ 4e7a7969 (MIT),
WildEval/ZeroEval @ 8c1485ed (Apache-2.0) and lm-sys/RouteLLM @ 0b64fdaf (Apache-2.0).
"""

from __future__ import annotations

__all__ = ["KNOTS", "WEIGHTS"]

WEIGHTS: dict[str, float] = {
    "proof": 1.8000,
    "reasoning": 1.0000,
    "question": 0.7061,
    "why": 0.2979,
    "negation": 0.7303,
    "comparison": 0.3256,
    "connective": 0.3366,
    "constraint": 0.3000,
    "steps": 0.5000,
    "maths": 0.3000,
    "code": 2.0000,
    "data": 0.9000,
    "example": 0.6000,
    "person": 0.6495,
    "chore": -0.5000,
    "greeting": -1.5000,
    "length": 1.3500,
    "clauses": 0.3081,
    "names": 0.2453,
    "numbers": 0.2410,
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
    0.1036,
    0.2723,
    0.4515,
    0.5162,
    0.7039,
    0.9396,
    1.2746,
    1.5886,
    1.8490,
    2.1140,
    2.4220,
    2.8134,
    3.3135,
    3.8508,
    4.5118,
    6.6458,
    8.6625,
    12.4831,
)
