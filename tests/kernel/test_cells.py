"""Cells in a real kernel: what a person gets back, whatever happens."""

import pytest

from .conftest import started, stopped


def test_a_cell_is_answered_once_with_its_receipt_and_facts(kernel):
    ran = kernel.run("%%llm scripted:echo\nHello there")
    assert ran.status == "ok"
    assert len(ran.shown) == 1
    assert "Hello there" in ran.text
    assert "scripted:echo · named by you" in ran.text
    assert ran.facts["attempts"][0]["provider"] == "scripted"
    assert ran.facts["receipt"] in ran.text
    assert ran.facts["cost_usd"] == 0


def test_the_prompt_arrives_as_it_was_typed(kernel):
    prompt = '{"a": 1} $x$ {% raw %} {# no comment #} it\'s `{x}` \\n'
    kernel.run(f"%%llm answer << scripted:echo --quiet\n{prompt}")
    assert kernel.value("answer.request.prompt") == prompt


def test_names_in_double_braces_are_replaced_once(kernel):
    kernel.run("name = 'Ada {{secret}}'; secret = 'hidden'")
    kernel.run("%%llm answer << scripted:echo --quiet\nHello {{name}}!")
    assert kernel.value("answer.request.prompt") == "Hello Ada {{secret}}!"


def test_an_undefined_name_is_one_line_that_names_the_nearest(kernel):
    kernel.run("name = 'Ada'")
    ran = kernel.run("%%llm scripted:echo\nHello {{nme}}!")
    assert ran.status == "error"
    assert len(ran.traceback) == 1
    assert "'nme'" in ran.traceback[0]
    assert "'name'" in ran.traceback[0]


def test_a_question_mark_at_the_end_of_a_line_reaches_the_model(kernel):
    ran = kernel.run("%llm -m scripted:echo what is this?")
    assert "what is this?" in ran.text


def test_an_assigned_line_gives_the_response(kernel):
    kernel.run("x = %llm -m scripted:echo 'one line?'")
    assert kernel.value("str(x)").endswith("one line?")
    assert kernel.value("type(x).__name__") == "Response"


def test_the_value_of_a_cell_is_in_the_underscore(kernel):
    kernel.run("%%llm scripted:echo\nunderscore")
    assert kernel.value("str(_)").endswith("underscore")


def test_a_response_shown_again_shows_its_card(kernel):
    kernel.run("%%llm r << scripted:echo\nshow me")
    assert "show me" in kernel.run("r").text


def test_quiet_shows_nothing(kernel):
    ran = kernel.run("%%llm scripted:echo --quiet\nHello")
    assert ran.shown == []
    assert ran.streams == ""


def test_a_stream_grows_in_one_output(kernel):
    ran = kernel.run("%%llm scripted:slow --timeout 30s\nHello", interrupt_after_s=1.2)
    assert len(ran.shown) == 1
    assert 3 <= ran.updates <= 20


@pytest.mark.parametrize("nested", [False, True], ids=["awaited", "under %%time"])
def test_an_interrupt_ends_the_cell_at_once_and_keeps_what_came(kernel, nested):
    head = "%%time\nget_ipython().run_cell_magic('llm', 'scripted:slow', 'Hello')"
    code = head if nested else "%%llm scripted:slow\nHello"
    ran = kernel.run(code, interrupt_after_s=1.5)
    assert ran.status == "error"
    assert ran.took_s < 5.0, "the whole answer takes much longer"
    assert len(ran.traceback) == 1
    assert "Cancelled" in ran.traceback[0]
    assert "This answer is simul" in ran.text
    assert "interrupted" in ran.text
    assert kernel.value("multimodel_magic.llm.attempts.iloc[-1].error_type") == "Cancelled"
    assert kernel.value("int(multimodel_magic.llm.attempts.iloc[-1].output_tokens)") > 0
    assert kernel.run("%%llm scripted:echo\nstill here").status == "ok"


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("scripted:wrong-key", "AuthenticationFailed"),
        ("scripted:down", "ConnectionFailed"),
        ("scripted:refuses", "ContentFiltered"),
        ("no-such-model", "UnknownModel"),
        ("claude-haiku-5-5", "ANTHROPIC_API_KEY is not set"),
        ("--modle fast", "did you mean '--model'"),
    ],
)
def test_a_failure_is_one_block_of_plain_lines_and_stops_run_all(kernel, model, says):
    ran = kernel.run(f"%%llm {model} --retries 0\nHello")
    assert ran.status == "error"
    assert len(ran.traceback) == 1
    assert "\n" not in ran.traceback[0]
    assert says in ran.traceback[0]


def test_soft_failures_let_run_all_go_on(kernel):
    ran = kernel.run("%%llm scripted:refuses --soft\nHello")
    assert ran.status == "ok"
    assert "ContentFiltered" in ran.streams


def test_a_fallback_is_in_the_receipt(kernel):
    ran = kernel.run("%%llm scripted:overloaded --retries 0 --fallback scripted:echo\nHello")
    assert "fell back from scripted:overloaded (overloaded" in ran.text
    assert ran.facts["fallback_used"] is True


def test_every_attempt_is_in_the_frames(kernel):
    before = kernel.value("len(multimodel_magic.llm.attempts)")
    kernel.run("%%llm scripted:overloaded --retries 0 --fallback scripted:echo --quiet\nHello")
    assert kernel.value("len(multimodel_magic.llm.attempts)") == before + 2
    assert kernel.value("multimodel_magic.llm.df.iloc[-1].model") == "echo"


def test_a_conversation_goes_on_only_when_asked_to(kernel):
    kernel.run("%%llm scripted:echo --quiet\nfirst")
    kernel.run("%%llm second << scripted:echo --quiet -c\nsecond")
    kernel.run("%%llm third << scripted:echo --quiet\nthird")
    assert kernel.value("[m.text for m in second.request.history][0]") == "first"
    assert kernel.value("len(third.request.history)") == 0


def test_extract_gives_the_code_alone(kernel):
    kernel.run("%%llm code << scripted:echo --quiet -x\n\n```python\nprint(1)\n```\n")
    assert kernel.value("code") == "print(1)"


def test_a_dry_run_asks_nobody(kernel):
    before = kernel.value("len(multimodel_magic.llm.history)")
    ran = kernel.run("%%llm scripted:echo -n\nHello")
    assert "Would ask" in ran.text
    assert kernel.value("len(multimodel_magic.llm.history)") == before


@pytest.mark.parametrize("word", ["", "models", "why", "last", "stats", "history", "doctor"])
def test_every_report_is_plain_text_and_html(kernel, word):
    kernel.run("%%llm scripted:echo --quiet\nHello")
    ran = kernel.run(f"%llm {word}")
    assert ran.status == "ok"
    data, _ = ran.shown[0]
    assert len(data["text/plain"].splitlines()) > 1
    assert "<" in data["text/html"]


@pytest.mark.parametrize("word", ["df", "attempts"])
def test_the_frames_are_a_word_away(kernel, word):
    kernel.run("%%llm scripted:echo --quiet\nHello")
    assert "request_id" in kernel.run(f"%llm {word}").text


def test_help_is_the_manual(kernel):
    assert "--fallback" in kernel.run("%llm help").streams


def test_settings_are_defaults(kernel):
    kernel.run("%config LLMMagics.model = 'scripted:answers'")
    try:
        assert "simulated" in kernel.run("%%llm\nHello").text
    finally:
        kernel.run("%config LLMMagics.model = ''")


def test_an_alias_of_the_users_own_is_a_model(kernel):
    kernel.run("%config LLMMagics.aliases = {'parrot': 'scripted:echo'}")
    assert "polly" in kernel.run("%%llm parrot\npolly").text


def test_the_kernels_own_loop_serves_on_demand(kernel):
    kernel.run("%config LLMMagics.event_loop = 'kernel'")
    try:
        assert "on your loop" in kernel.run("%%llm scripted:echo\non your loop").text
        nested = "%%time\nget_ipython().run_cell_magic('llm', 'scripted:echo', 'nested')"
        assert "nested" in kernel.run(nested).text
        ran = kernel.run("%%llm scripted:slow\nHello", interrupt_after_s=1.0)
        assert "Cancelled" in ran.traceback[0]
    finally:
        kernel.run("%config LLMMagics.event_loop = 'background'")


@pytest.mark.parametrize("loop", ["background", "kernel"])
def test_a_silent_model_is_counted_up_on_whatever_loop(kernel, loop):
    kernel.run(
        "from multimodel_magic.providers.scripted import Say, ScriptedProvider, Wait\n"
        "script = {'m': [[Wait(2), Say('ok')]]}\n"
        "multimodel_magic.llm.client.providers['mute'] = ScriptedProvider(script, name='mute')\n"
        f"%config LLMMagics.event_loop = {loop!r}"
    )
    try:
        assert kernel.run("%%llm mute:m\nHello").updates > 4
    finally:
        kernel.run("%config LLMMagics.event_loop = 'background'")


def test_reset_forgets_the_conversation(kernel):
    kernel.run("%%llm scripted:echo --quiet\nfirst")
    assert "refused keys are forgotten" in kernel.run("%llm reset").streams
    kernel.run("%%llm second << scripted:echo --quiet -c\nsecond")
    assert kernel.value("len(second.request.history)") == 0


def test_unloading_and_loading_again_works(kernel):
    kernel.run("%unload_ext multimodel_magic")
    assert kernel.run("%%llm scripted:echo\nHello").status == "error"
    kernel.run("%load_ext multimodel_magic")
    assert kernel.run("%%llm scripted:echo\nHello").status == "ok"


SEEDS_RULE = """
routing:
  default_model: "scripted:answers"
  rules:
    - name: pirates
      condition: {task_type: chat}
      model: "scripted:echo"
"""


def test_a_configuration_routes_is_shown_checked_and_read_again(kernel, tmp_path):
    file = tmp_path / "routing_config.yml"
    file.write_text(SEEDS_RULE)
    assert "scripted:answers" in kernel.run(f"%llm config use {file}").text
    assert "scripted:echo · pirates" in kernel.run("%%llm --task chat\nHello").text.replace(
        "rule 1 (pirates): ", "pirates "
    )
    assert "simulated" in kernel.run("%%llm\nHello").text
    file.write_text(SEEDS_RULE.replace("scripted:answers", "scripted:cut"))
    ran = kernel.run("%%llm\nHello")
    assert "was read again" in ran.streams
    assert "stopped: length" in ran.text
    file.write_text(SEEDS_RULE.replace("task_type", "task_typ"))
    ran = kernel.run("%%llm\nHello")
    assert "did you mean 'task_type'" in ran.streams
    assert "stopped: length" in ran.text
    broken = kernel.run(f"%llm config check {file}")
    assert len(broken.traceback) == 1
    assert "routing.rules.0.condition.task_typ" in broken.traceback[0]
    assert "no configuration" in kernel.run("%llm config use none").text


def test_what_a_fresh_kernel_shows_knows_of_the_file_beside_it(bare_environment, tmp_path):
    file = tmp_path / "routing_config.yml"
    file.write_text(SEEDS_RULE.replace("task_type", "task_typ"))
    fresh = started(bare_environment)
    try:
        fresh.run(f"%cd {tmp_path}\n%load_ext multimodel_magic")
        broken = fresh.run("%llm")
        assert broken.status == "ok"
        assert "not in force: routing_config.yml:6: routing.rules" in broken.streams
        assert "not in force" not in fresh.run("%llm history").streams
        file.write_text(SEEDS_RULE)
        shown = fresh.run("%llm config show")
        assert "using" in shown.streams
        assert "scripted:answers" in shown.text
        assert str(file) in fresh.run("%llm").text
    finally:
        stopped(fresh)


def test_a_strategy_is_named_on_the_line_and_explained(kernel):
    ran = kernel.run("%%llm -s complexity -n\nProve the Riemann hypothesis.")
    assert "complexity" in ran.text
    assert kernel.run("%%llm -s complexty\nHello").traceback[0].count("did you mean") == 1


EXPERIMENT = """
routing:
  experiments:
    greetings: {treatment: "scripted:echo", control: "scripted:answers", percentage: 50}
"""


def test_an_experiment_is_dealt_judged_and_compared(kernel, tmp_path):
    file = tmp_path / "routing_config.yml"
    file.write_text(EXPERIMENT)
    kernel.run(f"%llm config use {file}")
    try:
        kernel.run(
            "for n in range(12):\n"
            "    r = get_ipython().run_cell_magic('llm', f'--quiet --unit u{n}', 'Hello')\n"
            "    multimodel_magic.llm.record_outcome(r, n % 2 == 0)"
        )
        ran = kernel.run("%llm ab greetings")
        assert "treatment" in ran.text
        assert "not decided yet" in ran.text
        assert kernel.value("multimodel_magic.llm.record_outcome(r, False)") is False
        unknown = kernel.run("multimodel_magic.llm.record_outcome('01NONESUCH', True)")
        assert len(unknown.traceback) == 1
        assert "no request '01NONESUCH'" in unknown.traceback[0]
        assert kernel.run("%llm ab").text == ran.text
    finally:
        kernel.run("%llm config use none")


def test_settings_hold_for_python_calls_at_once(kernel):
    kernel.run("from multimodel_magic import llm\n%config LLMMagics.store_text = False")
    try:
        kernel.run("llm('SECRETPROMPT', 'scripted:answers')")
        assert kernel.value("'SECRETPROMPT' in llm.df.to_json()") is False
    finally:
        kernel.run("%config LLMMagics.store_text = True")


def test_an_alias_can_be_taken_away(kernel):
    kernel.run("%config LLMMagics.aliases = {'mine': 'scripted:echo'}")
    assert kernel.run("%llm -m mine hi").status == "ok"
    kernel.run("%config LLMMagics.aliases = {}")
    assert "'mine'" in kernel.run("%llm -m mine hi").traceback[0]


def test_stop_means_stop_in_a_loop_of_soft_cells(kernel):
    before = kernel.value("len(multimodel_magic.llm.history)")
    loop = "for i in range(3):\n    %llm --soft -m scripted:slow q{{i}}"
    ran = kernel.run(loop, interrupt_after_s=1.0)
    assert ran.status == "error"
    assert kernel.value("len(multimodel_magic.llm.history)") == before + 1


def test_no_stream_keeps_what_came_when_interrupted(kernel):
    ran = kernel.run("%%llm scripted:slow --no-stream\nHello", interrupt_after_s=1.2)
    assert "This answer" in ran.text


def test_a_named_model_without_its_key_is_not_replaced_in_silence(kernel):
    ran = kernel.run("%%llm claude-haiku-5-5 --fallback scripted:answers\nHello")
    assert "claude-haiku-5-5 was not asked: ANTHROPIC_API_KEY is not set" in ran.text
    assert ran.facts["fallback_used"] is True


def test_a_hostile_answer_cannot_break_extract(kernel):
    kernel.run("deep = '[' * 100_000")
    assert kernel.run("%%llm d << scripted:echo -x --quiet\n{{deep}}").status == "ok"


def test_models_lists_what_providers_serve(kernel):
    assert "overloaded" in kernel.run("%llm models").text


def test_the_first_interrupt_of_a_kernel_leaves_a_row(bare_environment):
    fresh = started(bare_environment)
    try:
        fresh.run("%load_ext multimodel_magic")
        ran = fresh.run("%%llm scripted:slow\nHello", interrupt_after_s=1.0)
        assert ran.status == "error"
        assert "never awaited" not in fresh.run("'next'").streams
        fresh.run("import multimodel_magic")
        assert fresh.value("multimodel_magic.llm.df.status.iloc[-1]") == "interrupted"
    finally:
        stopped(fresh)


def test_a_budget_is_set_shown_and_lifted(kernel):
    assert "$0.50" in kernel.run("%llm budget $0.50").text
    assert "$2.00" in kernel.run("%llm budget day 2").text
    assert kernel.run("%%llm scripted:echo\nfree models pass").status == "ok"
    assert kernel.run("%llm budget off").text.count("none") == 3
    assert "call|session|day" in kernel.run("%llm budget week $1").traceback[0]


def test_chaos_is_rehearsed_loudly_and_ends(kernel):
    kernel.run("%llm chaos scripted:echo=529")
    try:
        ran = kernel.run("%%llm scripted:echo --retries 0 --fallback scripted:answers\nHello")
        assert "chaos" in ran.text
        assert "fell back from scripted:echo" in ran.text
        assert "Chaos is on" in kernel.run("%llm").text
    finally:
        assert "no faults" in kernel.run("%llm chaos off").text
    assert ran.facts["fallback_used"] is True


def test_names_in_the_standing_instruction_are_replaced_too(kernel):
    kernel.run("tone = 'terse'; rules = 'Be {{tone}}.'")
    kernel.run("%%llm a << scripted:echo --quiet -S 'Be {{tone}}.'\nHello")
    assert kernel.value("a.request.system") == "Be terse."
    kernel.run("%%llm a << scripted:echo --quiet -S @rules\nHello")
    assert kernel.value("a.request.system") == "Be {{tone}}."


def test_a_retired_models_notice_is_loud_once(kernel):
    first = kernel.run("%%llm claude-3-haiku --fallback scripted:answers\nHello")
    again = kernel.run("%%llm claude-3-haiku --fallback scripted:answers\nHello")
    assert "claude-3-haiku was retired" in first.text
    assert "claude-3-haiku was retired" not in again.text
