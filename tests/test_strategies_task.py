import pytest
from hypothesis import given
from hypothesis import strategies as st

from multimodel_magic.errors import UsageError
from multimodel_magic.strategies import ByTask, TaskSpecializedRouter
from multimodel_magic.strategies.inference import infer_task
from multimodel_magic.strategies.task import FAMILIES, TASKS, tasks_of
from multimodel_magic.types import Request, Strategy


@pytest.mark.parametrize("task", [*TASKS, *FAMILIES])
def test_every_task_and_family_of_the_tables_has_a_model(task: str) -> None:
    route = ByTask().route(Request("", task=task))
    assert route.models[0] in {"fast", "balanced", "strong"}
    assert route.why == f"task {task}"


def test_an_entry_for_a_family_covers_its_tasks_and_the_tasks_own_entry_comes_first() -> None:
    strategy = ByTask({"code": "A", "code_review": "B"})
    chosen = {t: strategy.route(Request("", task=t)).models[0] for t in tasks_of("code")}
    assert chosen == {"code": "A", "code_generation": "A", "code_review": "B"}


def test_custom_tasks_and_families() -> None:
    strategy = ByTask({"sql": "A"}, families={"data": ("sql", "analysis")})
    assert strategy.route(Request("", task="sql")).models == ("A",)
    assert strategy.route(Request("", task="data")).models == ("A",)


def test_typo_is_refused_with_the_nearest_and_never_becomes_the_default() -> None:
    with pytest.raises(UsageError, match="unknown task 'code_reveiw'; did you mean 'code_review'"):
        ByTask().route(Request("", task="code_reveiw"))


def test_without_a_task_the_default_answers_and_says_so() -> None:
    route = ByTask(default="fast").route(Request("Write a poem"))
    assert (route.models, route.why) == (("fast",), "no task given")


LABELLED = {
    "Write a Python function that reverses a list": "code_generation",
    "Schreibe ein Skript, das Dateien umbenennt": "code_generation",
    "Review this code: def f(x): return x": "code_review",
    "Fix the bug in this function\n```python\ndef f(): pass\n```": "code_review",
    "Summarize the following article in three sentences": "summarization",
    "Fasse den folgenden Text zusammen": "summarization",
    "Translate to German: good morning": "translation",
    "Traduis en anglais: bonjour le monde": "translation",
    "Analyze the pros and cons of remote work": "analysis",
    "Write a short poem about rain": "creative_writing",
    "hi there": "chat",
    "Thanks!": "chat",
}


@pytest.mark.parametrize(("prompt", "task"), LABELLED.items())
def test_plain_prompts_are_recognised_with_the_words_that_spoke(prompt: str, task: str) -> None:
    guess = infer_task(prompt)
    assert (guess.task, guess.confidence >= 0.6) == (task, True)
    assert guess.saw


def test_inferred_task_routes_and_says_how_sure_it_is() -> None:
    route = ByTask(infer=True).route(Request("Write a short poem about rain"))
    assert route.models == ("balanced",)
    assert route.why == "looks like creative_writing (0.83)"
    assert "poem" in route.reasons[0].saw


@pytest.mark.parametrize(
    "prompt", ["", "Purple.", "What is the capital of France?", "dysfunctional"]
)
def test_prompt_without_a_clue_is_left_to_the_default(prompt: str) -> None:
    assert infer_task(prompt).task is None
    assert ByTask(infer=True).route(Request(prompt)).why == "no task recognised"


def test_unsure_guess_is_left_to_the_default() -> None:
    route = ByTask(infer=True).route(Request("Why is the story told backwards?"))
    assert route.models == ("balanced",)
    assert route.why.endswith("too unsure")


def test_given_task_is_never_overruled_by_a_guess() -> None:
    route = ByTask(infer=True).route(Request("Write a poem", task="translation"))
    assert route.why == "task translation"


def test_task_at_the_end_of_a_long_paste_is_seen() -> None:
    assert infer_task("lorem ipsum " * 20_000 + "\nSummarize this.").task == "summarization"


@given(st.text(max_size=400))
def test_guess_is_a_known_task_with_a_confidence_below_one(prompt: str) -> None:
    guess = infer_task(prompt)
    assert guess.task is None or guess.task in TASKS
    assert 0 <= guess.confidence < 1
    assert guess == infer_task(prompt)


# --- the seed's class

ARTICLE = {
    "code_generation": "claude-3-sonnet",
    "code_review": "claude-3-opus",
    "summarization": "gpt-3.5-turbo",
    "translation": "gpt-4-turbo",
    "analysis": "claude-3-opus",
    "chat": "claude-3-haiku",
    "creative_writing": "claude-3-sonnet",
}


@pytest.mark.parametrize(("task", "model"), ARTICLE.items())
def test_seed_router_gives_what_the_article_says(task: str, model: str) -> None:
    assert TaskSpecializedRouter().route(task) == model
    assert TaskSpecializedRouter.TASK_MODELS[task] == model


def test_seed_router_knows_the_yamls_family_and_refuses_a_typo() -> None:
    assert TaskSpecializedRouter().route("code") == "claude-3-sonnet"
    with pytest.raises(UsageError, match="did you mean 'translation'"):
        TaskSpecializedRouter().route("translaton")


def test_seed_router_takes_a_table_of_ones_own_by_subclass_or_argument() -> None:
    class Mine(TaskSpecializedRouter):
        TASK_MODELS = {**TaskSpecializedRouter.TASK_MODELS, "chat": "local:smollm2"}  # noqa: RUF012

    assert Mine().route("chat") == "local:smollm2"
    assert TaskSpecializedRouter({"legal": "strong"}).route("legal") == "strong"


def test_seed_router_is_a_strategy_too() -> None:
    router = TaskSpecializedRouter()
    assert isinstance(router, Strategy)
    assert router.route(Request("", task="chat")).models == ("claude-3-haiku",)
