"""Weights of the signals of `scoring`, and how raw scores map to [0, 1].

Made by tools/fit_complexity.py; do not edit. Fitted on ulab-uiuc/LLMRouter @ 4e7a7969 (MIT),
WildEval/ZeroEval @ 8c1485ed (Apache-2.0) and lm-sys/RouteLLM @ 0b64fdaf (Apache-2.0).
"""

from __future__ import annotations

__all__ = ["KNOTS", "WEIGHTS"]

WEIGHTS: dict[str, float] = {
    "proof": 3.0000,
    "reasoning": 1.3000,
    "question": 0.7127,
    "why": 0.2956,
    "negation": 0.7323,
    "comparison": 0.3251,
    "connective": 0.3383,
    "constraint": 0.3000,
    "steps": 0.5000,
    "maths": 0.3000,
    "code": 2.0000,
    "data": 0.9000,
    "example": 0.6000,
    "person": 0.6527,
    "chore": -0.5000,
    "greeting": -1.5000,
    "length": 1.3562,
    "clauses": 0.3146,
    "names": 0.2459,
    "numbers": 0.2467,
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
    0.1058,
    0.2785,
    0.4604,
    0.5371,
    0.7277,
    0.9673,
    1.2944,
    1.6110,
    1.9188,
    2.1754,
    2.5371,
    2.9051,
    3.4166,
    3.9290,
    4.5560,
    6.7443,
    8.7261,
    12.7432,
)
