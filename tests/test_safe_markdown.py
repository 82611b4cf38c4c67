from __future__ import annotations

import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from multimodel_magic.notebook.highlight import highlighted
from multimodel_magic.notebook.safe_markdown import (
    GrowingMarkdown,
    code_block,
    fences,
    plain,
    to_html,
)

from .hostile import HOSTILE

TAGS = {"p", "br", "hr", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "code"}
TAGS |= {"em", "strong", "s", "a", "span", "div", "table", "thead", "tbody", "tr", "th", "td"}
VOID = {"br", "hr"}
HREF = re.compile(r"https?://[^/]|mailto:")
OUR_STYLE = re.compile(
    r"text-align:(left|right|center)"
    r"|margin:[.0-9em ]+;padding:[.0-9em ]+;overflow-x:auto;white-space:pre"
    r"|margin:0;white-space:pre-wrap;overflow-wrap:anywhere"
    r"|overflow-x:auto;overflow-y:hidden"
    r"|overflow-x:auto;overflow-wrap:normal"
    r"|white-space:inherit;word-break:normal;overflow-wrap:normal"
    r"|(font-(weight:600|style:italic);)?color:var\(--jp-mirror-editor-[a-z]+-color,inherit\)"
)
ATTRIBUTES = {
    "href": HREF,
    "title": HREF,
    "target": re.compile("_blank"),
    "rel": re.compile("noopener noreferrer"),
    "class": re.compile("mathjax_process tex2jax_process"),
    "style": OUR_STYLE,
    "start": re.compile(r"\d+"),
}
# Letters that markdown, HTML and TeX give a meaning to, so that random text is often structure.
MARKDOWN = st.text(alphabet="<>&\"'`*_~[]()!\\$#|-+:/=.{}\n\t 01abhijoprsxéß\x00\x1b", max_size=120)
PIECES = st.sampled_from([*HOSTILE.values(), "`", "```", "\n\n", "> ", "- ", "    ", "$$", "|"])
MIXED = st.lists(st.one_of(MARKDOWN, PIECES), max_size=6).map("".join)


class Auditor(HTMLParser):
    """Reads HTML as a browser would, and notes what is not ours or not closed."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.faults: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()
        self.faults += self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            self.faults.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            rule = ATTRIBUTES.get(name)
            whole = rule and (rule.match if rule is HREF else rule.fullmatch)
            if whole is None or not whole(value or ""):
                self.faults.append(f"{tag} {name}={value!r}")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.faults.append(f"<!--{data}")

    def handle_decl(self, decl: str) -> None:
        self.faults.append(f"<!{decl}")

    def handle_pi(self, data: str) -> None:
        self.faults.append(f"<?{data}")

    def unknown_decl(self, data: str) -> None:
        self.faults.append(f"<![{data}")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_answer_becomes_only_our_own_elements(name: str) -> None:
    for final in (True, False):
        assert Auditor(to_html(HOSTILE[name], final=final)).faults == []


@given(MIXED)
@example("- a\n\n\t<b>\n1) x\n> $$\n> <script>\n> $$")
@settings(max_examples=200, deadline=None)
def test_any_text_becomes_only_our_own_elements(text: str) -> None:
    assert Auditor(to_html(text)).faults == []


@given(st.lists(MIXED, max_size=5))
@settings(max_examples=80, deadline=None)
def test_growing_text_becomes_only_our_own_elements_at_every_step(pieces: list[str]) -> None:
    growing = GrowingMarkdown()
    for piece in pieces:
        growing.add(piece)
        assert Auditor(growing.html()).faults == []


@given(st.text(alphabet="ab *`#>-1.\n|<$_", max_size=80), st.integers(1, 9))
@settings(max_examples=80, deadline=None)
def test_growing_text_loses_no_word(text: str, step: int) -> None:
    growing = GrowingMarkdown()
    for start in range(0, len(text), step):
        growing.add(text[start : start + step])
        growing.html()
    whole = Auditor(to_html(text, final=False)).text
    assert sorted(re.findall("[ab]", Auditor(growing.html()).text)) == sorted(
        re.findall("[ab]", whole)
    )


def test_settled_blocks_are_not_parsed_again() -> None:
    growing = GrowingMarkdown()
    growing.add("one\n\ntwo\n\nthree\n\nfour")
    first = growing.html()
    assert growing._tail == "three\n\nfour"
    growing.add(" more")
    assert growing.html() == first.replace("four", "four more")


def test_html_inside_code_stays_literal() -> None:
    assert to_html("use `<b>` and `&lt;`") == (
        "<p>use <code>&lt;b&gt;</code> and <code>&amp;lt;</code></p>\n"
    )


def test_entities_stay_literal() -> None:
    assert "&lt;script&gt;" in to_html("&lt;script&gt;")


def test_images_are_named_and_not_loaded() -> None:
    html = to_html("![a chart](http://x.org/i.png)")
    assert "<img" not in html
    assert 'href="http://x.org/i.png"' in html
    assert "image (not loaded): a chart" in html


@pytest.mark.parametrize(
    "markdown",
    ["[x](javascript:a)", "[x](file.ipynb)", "[x](#top)", "[x](//h)", "![x](attachment:a.png)"],
)
def test_links_to_elsewhere_than_the_web_stay_as_they_were_written(markdown: str) -> None:
    assert to_html(markdown) == f"<p>{markdown}</p>\n"


def test_a_link_whose_text_is_another_address_says_where_it_goes() -> None:
    assert "goes to http://evil.example" in to_html("[http://good.example](http://evil.example)")
    assert "goes to" not in to_html("<http://good.example> [article](http://good.example)")


@pytest.mark.parametrize(
    "href", ["https://good.example@evil.example/", "https://evil.example/https://good.example"]
)
def test_a_link_that_only_contains_what_it_shows_says_where_it_goes(href: str) -> None:
    assert f"goes to {href}" in to_html(f"[https://good.example]({href})")


@pytest.mark.parametrize(
    "link",
    [
        "[www.good.example](https://www.good.example/a/b)",
        "[https://good.example/a](https://good.example/a/b?c=d)",
        "<someone@good.example>",
        "[someone@good.example](mailto:someone@good.example)",
    ],
)
def test_a_link_to_the_server_that_it_shows_is_left_alone(link: str) -> None:
    assert "goes to" not in to_html(link)


@pytest.mark.parametrize(
    "formula", ["$x_1*y_2*z$", "$$a_b$$", r"\(a<b\)", r"\[a_1\]", "$$\na_b\n= c\n$$"]
)
def test_formulas_reach_mathjax_as_they_were_written(formula: str) -> None:
    html = to_html(formula)
    assert 'class="mathjax_process' in html
    assert formula in Auditor(html).text


def test_money_is_no_formula() -> None:
    assert "mathjax_process" not in to_html("It costs $5 or $10, or US$ 7 to US$ 8.")


@pytest.mark.parametrize(
    "formula",
    [
        r"\href{x}{y}",
        r"\def\a{b}",
        r"\let\alpha=\beta",
        r"\text{\style{a}{b}}",
        r"x\\[900em]y",
        r"\hspace{-1000pt}",
        r"\hspace{900,5em}",
        r"\hspace{99em}x",
    ],
)
def test_formulas_that_would_touch_the_page_stay_code(formula: str) -> None:
    assert "mathjax_process" not in to_html(f"${formula}$ and\n\n$$\n{formula}\n$$\n")


@pytest.mark.parametrize(
    "formula",
    [
        r"\text{safe}\hspace{-99em}\text{not}",
        r"x\hspace*{ -.5em }y",
        r"x\hspace-5em y",
        r"x\mspace{-,18mu}y",
        r"\text{a\vspace{-1cm}b}",
        r"x\kern-3em y",
        r"x\mkern -30mu y",
        r"x\raisebox{-2em}{y}",
        r"x\rlap{y}z",
        r"\mathllap{x}y",
        r"\makebox[0pt]{x}y",
        r"\smash{\begin{matrix}a\\b\end{matrix}}",
        r"\begin{matrix}a\\[ -2em ]b\end{matrix}",
        r"\shoveleft[-4em]{x}",
        r"\sqrt[\uproot{-300}a]{b}",
        r"no\!\! \!\!{}\!yes",
        r"no" + r"\negthickspace" * 5 + " yes",
        r"x" + r"\!\relax" * 41 + "y",
    ],
)
def test_formulas_that_draw_one_thing_over_another_stay_code(formula: str) -> None:
    html = to_html(f"${formula}$ and\n\n$$\n{formula}\n$$\n")
    assert "mathjax_process" not in html
    assert Auditor(html).text.count(formula) == 2


@pytest.mark.parametrize(
    "formula",
    [
        r"f\!\left(x\right) + \int\!\!\!\int\!\!\!\int_V g",
        r"\hspace{1em} x \hspace*{0.5cm} \mspace{18mu} y",
        r"\begin{matrix}a\\[1.5em]b\end{matrix}",
        r"\left[-5, 5\right] \text{and } [-3\text{ cm}, 3\text{ cm}]",
        r"x\ \text{is 15 em wide}",
        r"\phantom{-}1 \qquad -2",
    ],
)
def test_spaces_as_people_write_them_are_typeset(formula: str) -> None:
    assert "mathjax_process" in to_html(f"${formula}$")


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        (r"\frac{1}{", "}"),
        (r"\left(", r"\right)"),
        (r"\begin{matrix}", r"\end{matrix}"),
        (f"%{'}' * 30}\n" + r"\sqrt{", "}"),
        (r"\verb|}}|\sqrt{", "}"),
    ],
)
def test_a_formula_nested_deep_enough_to_crash_a_page_stays_code(opening, closing) -> None:
    assert "mathjax_process" not in to_html(f"${opening * 40}x{closing * 40}$")


def test_a_formula_nested_as_people_write_them_is_typeset() -> None:
    continued = r"1+\cfrac{1}{" * 12 + "x" + "}" * 12
    assert "mathjax_process" in to_html(f"${continued}$")
    assert "mathjax_process" in to_html(r"$\{ \frac{a}{b} \mid " + r"\frac{a}{b} " * 40 + r"\}$")


def test_labels_are_dropped_because_mathjax_refuses_a_second_one() -> None:
    assert "label" not in to_html("$$\nx \\label{eq:1}\n$$")


def test_formulas_and_code_are_dressed_only_at_the_end() -> None:
    text = "$x$\n\n```python\nreturn 1\n```"
    assert "mathjax_process" not in to_html(text, final=False)
    assert "keyword" not in to_html(text, final=False)
    assert "keyword" in to_html(text)


def test_a_formula_may_begin_with_a_number() -> None:
    assert "mathjax_process" in to_html(r"$2 \sin x$ and $10 \text{cm wide}$")


def test_headings_stand_below_the_notebooks_own() -> None:
    assert to_html("# a\n\n##### b") == "<h3>a</h3>\n<h6>b</h6>\n"


def test_plain_text_holds_nothing_that_a_terminal_obeys() -> None:
    assert plain("a\x1b]0;t\x07\x9b\r\nb\tc\ud800") == "a\ufffd]0;t\ufffd\ufffd\nb\tc\ufffd"


def test_fences_are_found_with_their_language() -> None:
    assert fences("a\n~~~py x\n1\n~~~\n> ```\n> 2\n> ```") == [("py", "1\n"), ("", "2\n")]


def test_a_line_of_code_is_not_wrapped_even_where_a_page_wraps_all_code() -> None:
    page = to_html("```\nmedian([1, 2, 300])\n```")
    assert '<code style="white-space:inherit;word-break:normal;overflow-wrap:normal">' in page


def test_known_languages_are_coloured_and_long_code_is_not() -> None:
    assert "<span" in highlighted("return 1", "PY")
    assert "<span" not in highlighted("return 1\n" * 5_000, "python")
    assert "<span" not in highlighted("return " + "1" * 500, "python")


@given(st.text(max_size=60), st.sampled_from(["python", "json", "bash", "js", "r", "c++", "?"]))
@settings(deadline=None, max_examples=60)
def test_colouring_changes_no_character(code: str, language: str) -> None:
    assert Auditor(code_block(code, language)).text.rstrip("\n") == plain(code).rstrip("\n")


WORST = {
    "brackets": "[",
    "images": "![",
    "stars": "*a ",
    "quotes": "> ",
    "ticks": "`` ` ",
    "dollars": "$a ",
    "open formulas": "\\[a\n",
    "environments": "\\begin{a}\n",
    "lines": "a\n",
    "tables": "|a\n|-\n|b\n\n",
    "entities": "&amp;",
    "lists": "- ",
}


@pytest.mark.parametrize("name", WORST)
def test_time_is_linear_in_the_length(name: str) -> None:
    def cpu_s(length: int) -> float:
        text = (WORST[name] * length)[:length]
        return min(_once_s(text) for _ in range(3))

    # Four times the text may take eight times as long, plus what a busy machine adds.
    assert cpu_s(20_000) < 8 * cpu_s(5_000) + 0.05


def _once_s(text: str) -> float:
    begun = time.process_time()
    to_html(text)
    return time.process_time() - begun


@pytest.mark.parametrize(
    "text",
    [
        "|a" * 120_000 + "\n" + "|-" * 120_000,
        "|" + "a|" * 3000 + "\n|" + "-|" * 3000 + "\n" + "|x\n" * 3900,
    ],
)
def test_a_huge_table_is_painted_in_time(text: str) -> None:
    before = time.process_time()
    to_html(text)
    growing = GrowingMarkdown()
    growing.add(text)
    growing.html()
    assert time.process_time() - before < 1.5


def test_no_code_is_sought_in_a_huge_answer() -> None:
    before = time.process_time()
    assert fences("```\nx\n```\n" + "> " * 800_000) == []
    assert time.process_time() - before < 0.5
