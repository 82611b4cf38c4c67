"""What an honest model writes still looks right, live, reopened and in both themes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .lab import Lab, Notebook

pytestmark = pytest.mark.browser

SHOW = r'''
from dataclasses import replace
from decimal import Decimal
from multimodel_magic.notebook.card import Card, LiveCard
from multimodel_magic.types import *
TEXT = r"""# Gaussian integrals

The *integral* of $e^{-x^2}$ is **known**: use `<b>` in `code`,
and see [the article](https://en.wikipedia.org/wiki/Gaussian_integral).

$$
\int_{-\infty}^{\infty} e^{-x_1^2}\,dx_1 = \sqrt{\pi}
$$

It costs $5 or $10; \(\alpha_{i}\) too.

\begin{align}
a &= b + c \\
  &= \frac{1}{2}
\end{align}

| model | cost | $n$ |
|:------|-----:|:---:|
| small | $0.10 | 3 |
| large | $1.25 | 12 |

1. first
   - nested
2. second

> A quotation, ~~struck~~.

```python
def square(x: float) -> float:
    "Return <b>x</b> squared."  # a comment
    return x ** 2 + 10
```

---

![a chart](https://example.org/chart.png)
"""
free = Decimal(0)
failed = Attempt("openai", "gpt-6.1-sol", 1, latency_s=2.1, error_type="RateLimited", cost_usd=free)
refused = replace(failed, error_type="AuthenticationFailed", error="set OPENAI_API_KEY")
answer = Attempt(
    "anthropic", "claude-haiku-5-5", 2, 1, latency_s=1.2, ttft_s=0.4, usage=Usage(312, 88),
    cost_usd=Decimal("0.0002"), stop_reason="end_turn",
)
why = Reason("complexity", "complexity 0.25 < 0.30")
route = Route(("openai:gpt-6.1-sol", "anthropic:claude-haiku-5-5"), "complexity", (why,))
def finished(text, *attempts):
    return Response(Request("Hi"), text, attempts, route, latency_s=3.4)
'''
CELLS = [
    SHOW,
    "Card(finished(TEXT, failed, answer))",
    'Card(finished("Short.", refused, answer))',
    """Card(finished('{"name": "Ada", "born": [1815, null, true]}', answer))""",
    'Card(finished(TEXT, answer), "code")',
    'Card(finished(TEXT, answer), "text")',
    """card = LiveCard()
card.show(Routed(route))
card.show(AttemptStarted("anthropic", "claude-haiku-5-5", 1))
import time
for start in range(0, len(TEXT) // 2, 20):
    card.show(TextDelta(TEXT[start:start + 20]))
    time.sleep(0.02)
card.interrupted()""",
    """head = "| " + " | ".join(["Provider", "Strengths"] * 9) + " |"
row = "| " + " | ".join(["Anthropic", "Careful with long documents and instructions"] * 9) + " |"
Card(finished(head + "\\n" + "|---" * 18 + "|\\n" + row, answer))""",
]


@pytest.fixture(scope="module")
def benign(lab: Lab) -> Notebook:
    notebook = lab.open(CELLS)
    notebook.run_all()
    notebook.settle(1)
    return notebook


def _photograph(notebook: Notebook, name: str) -> None:
    folder = os.environ.get("SCREENSHOTS")
    for cell in range(1, len(CELLS) if folder else 0):
        notebook.screenshot(cell, Path(str(folder)) / f"{name}-{cell}.png")


def test_markdown_looks_right(benign: Notebook) -> None:
    _photograph(benign, "light")
    answer = benign.output(1)
    assert answer.locator("h3").inner_text() == "Gaussian integrals"
    assert answer.locator("table tr").count() == 3
    assert answer.locator("ol > li > ul > li").inner_text() == "nested"
    assert answer.locator("p code").all_inner_texts() == ["<b>", "code"]
    assert "Return <b>x</b> squared" in answer.locator("pre code").inner_text()
    assert answer.locator("mjx-container").count() == 5
    assert answer.locator("mjx-merror").count() == 0
    assert "It costs $5 or $10" in answer.inner_text()
    assert "fell back from gpt-6.1-sol" in answer.inner_text()


def test_a_wide_table_scrolls_and_cuts_no_word(benign: Notebook) -> None:
    lines = """node => [...node.querySelectorAll("th")].map(cell => {
        const range = document.createRange(); range.selectNodeContents(cell);
        return range.getClientRects().length; })"""
    answer = benign.output(7)
    assert answer.evaluate(lines) == [1] * 18
    box = answer.locator("table").locator("..")
    assert box.evaluate("node => node.scrollWidth > node.clientWidth")
    assert answer.evaluate("node => node.scrollWidth <= node.clientWidth + 1")


def test_an_answer_grows_in_one_output(benign: Notebook) -> None:
    assert len(benign.outputs(6)) == 1
    assert "interrupted" in benign.output(6).inner_text()


def test_the_dark_theme_is_followed(benign: Notebook) -> None:
    colour = "node => getComputedStyle(node.querySelector('p')).color"
    light = benign.output(1).evaluate(colour)
    benign.use_theme("JupyterLab Dark")
    _photograph(benign, "dark")
    assert benign.output(1).evaluate(colour) != light
    benign.use_theme("JupyterLab Light")


def test_a_reopened_notebook_reads_the_same_without_trust(lab: Lab, benign: Notebook) -> None:
    saved = benign.save()
    reopened = lab.open(saved)
    reopened.settle(1)
    _photograph(reopened, "reopened")
    assert reopened.output(1).inner_text() == benign.output(1).inner_text()
