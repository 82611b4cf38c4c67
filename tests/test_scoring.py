import math
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multimodel_magic import scoring
from multimodel_magic.scoring import complexity, score, seed_complexity
from multimodel_magic.scoring_weights import KNOTS, WEIGHTS
from multimodel_magic.scoring_words import HINTS, WORDS

SIMPLE, COMPLEX = 0.3, 0.7

PASTED = """can you make this faster
def total(rows):
    out = 0
    for row in rows:
        out = out + row["price"] * row["n"]
    return out
"""


def fired(prompt: str) -> set[str]:
    return {signal.name for signal in complexity(prompt).signals}


@pytest.mark.parametrize(
    "prompt",
    [
        "Prove the Riemann hypothesis",
        "Is P = NP?",
        "Beweise, dass es unendlich viele Primzahlen gibt.",
        "Bitte beweise den Satz von Fermat",
        "Démontrer que la racine carrée de 2 est irrationnelle",
        "Prouve le théorème de Pythagore",
        "Demuestra que hay infinitos números primos",
        "Докажи, что простых чисел бесконечно много",
        "证明存在无穷多个素数",
        "Proving convergence of this series",
        PASTED,
        PASTED.replace("can you make this faster\n", ""),
        f"```python\n{PASTED}```",
        "Compare gradient boosting and random forests on small tabular datasets",
    ],
)
def test_hard_prompts_do_not_go_to_the_cheapest_tier(prompt):
    assert score(prompt) >= SIMPLE


@pytest.mark.parametrize(
    "prompt",
    [
        "Show that sqrt(2) is irrational",
        "show that 2^n > n for all n",
        "Toon aan dat wortel 2 irrationaal is",
        "Udowodnij, że istnieje nieskończenie wiele liczb pierwszych.",
        "Wykaż, że pierwiastek z 2 jest niewymierny",
        "Kök 2'nin irrasyonel olduğunu ispatla",
        "Bevisa att det finns oändligt många primtal.",
        "Доведіть, що простих чисел нескінченно багато.",
        "√2が無理数であることを示せ",
        "2의 제곱근이 무리수임을 증명하라",
        "برهن أن جذر 2 عدد غير نسبي",
        "הוכח שיש אינסוף מספרים ראשוניים.",
        "सिद्ध कीजिए कि अभाज्य संख्याएँ अनंत हैं।",
    ],
)
def test_a_proof_is_asked_for_in_many_languages(prompt):
    assert score(prompt) >= SIMPLE


def test_studies_that_show_something_ask_for_no_proof():
    assert "proof" not in fired("Many studies show that tea is healthy")


@pytest.mark.parametrize(
    "prompt",
    [
        "Vielen Dank!", "Guten Morgen", "Bonne nuit", "Merci !", "Buenos días", "¡Gracias!",
        "Grazie mille", "Buongiorno", "Tudo bem?", "Bom dia", "Bedankt", "Dzięki!",
        "Доброе утро", "Дякую!", "Merhaba", "Teşekkürler!", "شكرا!", "صباح الخير", "תודה!",
        "早上好", "ありがとうございます", "감사합니다!", "धन्यवाद!", "good night", "Hej!", "Cảm ơn",
    ],
)  # fmt: skip
def test_thanks_and_greetings_go_to_the_cheapest_tier_in_many_languages(prompt):
    assert score(prompt) < SIMPLE


def test_a_comma_and_a_figure_make_no_unread_language_easy():
    for prompt in ("Ukaž, že 2 nelze vydělit", "Tiedätkö, miten 17 jaetaan?", "3.14"):
        assert complexity(prompt).abstained
    assert score("Tiedätkö, miten tämä jaetaan, " * 40) > COMPLEX


@pytest.mark.parametrize(
    "prompt",
    [
        "Prove\u00a0that it is so",
        "\u202eprove\u202c it",
        "\u200bProve\u200b it",
        "prove\uff08it\uff09",
        "De\u0301montrer qu'il existe",
    ],
)
def test_blanks_that_nobody_sees_hide_no_word(prompt):
    assert "proof" in fired(prompt)


@pytest.mark.parametrize(
    "prompt",
    ["thanks!", "Thank you", "what's 2+2", "What is 2 + 2?", "hello", "Hi!", "danke", "merci",
     "ok", "12*7=", "谢谢"],
)  # fmt: skip
def test_small_talk_and_small_sums_go_to_the_cheapest_tier(prompt):
    assert score(prompt) < SIMPLE


@pytest.mark.parametrize("word", ["strengthen", "missteps", "Athens", "dysfunctional"])
def test_words_inside_words_fire_nothing(word):
    found = complexity(f"{word}")
    assert found.signals == ()
    assert found.abstained
    assert "steps" not in fired(f"We {word} the plan")


@pytest.mark.parametrize(
    ("prompt", "signals"),
    [
        ("The ball falls into the sea", {"connective"}),
        ("My son met the mayor and the premier", {"person", "comparison", "maths"}),
        ("Leave a comment on the dove with the hoe", {"question", "why"}),
        ("It is a sin, per se", {"negation", "connective"}),
    ],
)
def test_an_english_word_is_not_heard_as_a_word_of_another_language(prompt, signals):
    heard = {signal.name: signal.words for signal in complexity(prompt).signals}
    english = {"my"}
    assert not any(set(heard.get(name, ())) - english for name in signals)


def test_an_ordinal_is_no_step():
    assert "steps" not in fired("Who was the first president, and who the second?")
    assert "steps" in fired("Do it step by step")


def test_a_formula_is_all_of_a_short_prompt_and_a_detail_of_a_long_one():
    def formula(prompt: str) -> float:
        return next(s.value for s in complexity(prompt).signals if s.name == "formula")

    prompt = "Is P = NP?"
    told = [formula(f"{prompt} {'Tell it to a child. ' * count}") for count in (0, 2, 4, 8, 16)]
    assert told[0] == 1.0
    assert told == sorted(told, reverse=True)
    assert 0 < told[-1] < 0.3


def test_what_cannot_be_read_gets_the_middle_tier_and_says_so():
    for prompt in ("", "   ", "???", "\U0001f937", "zxqv blorp"):
        found = complexity(prompt)
        assert found.abstained
        assert found.score == 0.5


def test_a_prompt_that_was_read_is_not_an_abstention():
    assert not complexity("thanks!").abstained
    assert not complexity("Write a haiku about rain").abstained


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("Prove the Riemann hypothesis", 0.0),
        ("strengthen the missteps", 0.25),
        ("Athens", 0.25),
        ("authenticate", 0.25),
        ("Compare this function, then list the steps", 0.75),
        ("ANALYZE " + "x" * 2000 + "```then", 1.0),
        ("x" * 2000, 0.0),
        ("x" * 2001, 0.25),
        ("FUNCTION", 0.0),
    ],
)
def test_the_seed_is_kept_to_the_letter(prompt, expected):
    assert seed_complexity(prompt) == expected


def test_the_explanation_adds_up_to_the_score():
    found = complexity(PASTED)
    raw = sum(signal.contribution for signal in found.signals)
    assert found.score == pytest.approx(scoring.calibrated(raw), abs=1e-9)
    for signal in found.signals:
        assert signal.contribution == pytest.approx(signal.value * signal.weight)


def test_signals_are_sorted_by_the_size_of_their_contribution():
    sizes = [abs(signal.contribution) for signal in complexity(PASTED).signals]
    assert sizes == sorted(sizes, reverse=True)


def test_a_number_is_named_without_the_full_stop_behind_it():
    numbers = next(
        s for s in complexity("The proof fails for 4. Why 1,000.5?").signals if s.name == "numbers"
    )
    assert numbers.words == ("4", "1,000.5")


def test_signals_name_the_words_that_fired_them():
    signals = {
        signal.name: signal for signal in complexity("Prove it, don't just explain!").signals
    }
    assert signals["proof"].words == ("prove",)
    assert signals["reasoning"].words == ("explain",)
    assert signals["negation"].words == ("don't",)


def test_a_signal_without_words_says_how_much_of_it_there_is():
    prompt = "Compare Rome, Paris and New York, and say why:\n- the first grew\n- the last did not"
    words = {signal.name: signal.words for signal in complexity(prompt).signals}
    assert words["length"] == ("18 words",)
    assert words["clauses"] == ("commas, semicolons: 2",)
    assert words["items"] == ("lines of a list: 2",)
    assert words["names"] == ("Rome", "Paris", "New", "York")


def test_a_greeting_counts_only_where_it_is_all_there_is():
    assert "greeting" in fired("Hello there!")
    assert "greeting" not in fired("Hello, please prove that every bounded sequence converges")


def test_code_is_seen_with_and_without_fences():
    assert "pasted_code" in fired(PASTED)
    assert "pasted_code" in fired("```\nSELECT 1;\n```")
    assert "pasted_code" in fired("SELECT name FROM orders WHERE id = 3\nWhy is it slow?")
    assert "pasted_code" not in fired("I return the books (two of them), then I go")


@pytest.mark.parametrize(
    "code",
    [
        'for f in *.txt; do mv "$f" "${f%.txt}.md"; done',
        "df <- read.csv('a.csv')\nm <- lm(y ~ x, data = df)\nsummary(m)",
        "(defun fact (n) (if (< n 2) 1 (* n (fact (- n 1)))))",
        "body { color: red; }\n.a > .b { margin: 0 auto; }",
        "<div class='a'><p>Hello</p></div>",
        "<?php echo 3;",
        "```\nfoo bar\n```",
    ],
)
def test_code_of_any_language_does_not_go_to_the_cheapest_tier(code):
    for prompt in (code, f"What does this do?\n{code}"):
        assert "pasted_code" in fired(prompt)
        assert score(prompt) >= SIMPLE


@pytest.mark.parametrize(
    ("prompt", "kind"),
    [
        ("Write a function that reverses a word", "code"),
        ("Sort this dictionary by its values", "code"),
        ("Put the strings into the array", "code"),
        ("How do I do this in Python?", "code"),
        ("Schreibe eine Funktion, die zählt", "code"),
        ("The product of the roots of x", "maths"),
        ("What is the probability of that?", "maths"),
    ],
)
def test_a_kind_of_task_is_heard_from_a_sure_word_or_from_two(prompt, kind):
    assert kind in fired(prompt)


@pytest.mark.parametrize(
    "prompt",
    [
        "What is the function of the heart?",
        "She likes root beer",
        "The product is cheap",
        "The program was on television",
        "Write a list of presents, and create a poem",
        "A circle of friends",
    ],
)
def test_a_word_that_means_many_things_is_no_kind_of_task(prompt):
    assert not {"code", "maths"} & set(fired(prompt))


def test_a_second_word_of_a_field_makes_nothing_harder():
    def values(prompt: str) -> list[float]:
        return [s.value for s in complexity(prompt).signals if s.name in {"code", "maths"}]

    assert values("Write it in Python") == [1.0]
    assert values("Write an algorithm in Python, a recursive function") == [1.0]


def test_the_words_that_were_heard_in_company_are_named():
    code = next(s for s in complexity("Write a string function").signals if s.name == "code")
    assert code.words == ("function", "string")


def test_a_request_after_a_long_paste_is_heard():
    paste = "The meeting moved to Friday. " * 400
    assert "proof" in fired(f"{paste}\nProve that this is optimal")
    assert "proof" in fired(f"Prove that this is optimal:\n{paste}")


def test_length_counts_the_whole_prompt_though_only_its_ends_are_read():
    short, long = ("It rained a little. " * count for count in (100, 1000))
    assert score(long) > score(short)


def test_letters_are_counted_not_bytes():
    assert "rare" not in fired("Это мой кот")


def test_a_blob_is_not_hard_because_it_is_one_long_word():
    assert score(f"what is in this? {'QUJD' * 200}") < COMPLEX


def test_option_letters_and_headers_change_little():
    bare = "Which gas do plants take in during photosynthesis?"
    dressed = f"Question: {bare}\nAnswer:"
    assert abs(score(bare) - score(dressed)) < 0.1


def test_german_capitals_are_no_names():
    assert "names" not in fired("Der Hund und die Katze sitzen in dem Garten vor dem Haus")


@pytest.mark.parametrize(
    ("english", "other"),
    [
        ("Explain why the sky is blue", "Erkläre, warum der Himmel blau ist"),
        ("Explain why the sky is blue", "Explique pourquoi le ciel est bleu"),
        ("Prove that there are infinitely many primes", "Dimostra che ci sono infiniti primi"),
    ],
)
def test_another_language_scores_much_the_same(english, other):
    assert score(other) == pytest.approx(score(english), abs=0.25)


def test_every_signal_has_a_weight_and_every_word_a_signal():
    assert set(WEIGHTS) == set(scoring.SIGNALS)
    assert set(WORDS.values()) <= set(WEIGHTS)
    assert set(HINTS) <= set(WEIGHTS)
    for hints, company in HINTS.values():
        assert not hints & company, "a word may not keep itself company"
        assert hints.isdisjoint(WORDS), "a word has one place"
    assert list(KNOTS) == sorted(set(KNOTS))
    assert all(math.isfinite(weight) for weight in WEIGHTS.values())


@given(st.text())
def test_any_text_gets_a_score_between_0_and_1(prompt):
    found = complexity(prompt)
    assert 0 <= found.score <= 1
    assert found.score == score(prompt)
    assert found.abstained == (not found.signals and found.score == 0.5) or found.signals == ()


@given(st.floats(-50, 50), st.floats(-50, 50))
def test_calibration_keeps_the_order(one, other):
    low, high = sorted((one, other))
    assert scoring.calibrated(low) <= scoring.calibrated(high)


@pytest.mark.parametrize("prompt", ["\ud800 broken", "a" * 100_000, "[" * 50_000, "\n- " * 20_000])
def test_odd_and_huge_texts_are_scored_in_bounded_time(prompt):
    begin = time.perf_counter()
    assert 0 <= complexity(prompt).score <= 1
    assert time.perf_counter() - begin < 1.0


def test_scoring_three_kilobytes_costs_far_less_than_a_millisecond():
    prompt = "She sold 3 of the 12 apples, then (as planned) the rest. " * 52
    taken = []
    for _ in range(101):
        begin = time.perf_counter()
        score(prompt)
        taken.append(time.perf_counter() - begin)
    assert sorted(taken)[50] < 0.0006


def test_the_same_prompt_scores_the_same_in_another_process():
    code = (
        "from multimodel_magic.scoring import complexity;print(repr(complexity('Prove P, then 2')))"
    )
    runs = {subprocess.check_output([sys.executable, "-c", code]) for _ in range(2)}
    assert runs == {repr(complexity("Prove P, then 2")).encode() + b"\n"}
