"""The routing form: from a file to fields and back, with the user's comments and layout."""

import re
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.config import load_config, parse_config
from multimodel_magic.config.document import dump, read
from multimodel_magic.config.edits import comments, edited, save
from multimodel_magic.errors import ConfigError, UsageError
from multimodel_magic.ledger import Ledger
from multimodel_magic.notebook.widgets.config_editor import config_widget
from multimodel_magic.notebook.widgets.form import Form, RoleRow, RuleRow
from multimodel_magic.providers.scripted import ScriptedProvider
from multimodel_magic.session import Session

GOOD = sorted(Path(__file__).with_name("configs").joinpath("good").glob("*.yml"))
COMMENTED = """\
# top
routing: # r
  # who
  default_model: fast # cheap
  rules:
    # first
    - name: a # n
      condition: {task_type: code} # t
      model: fast
    # second
    - model: strong # s
  # after
  fallbacks:
  - balanced # one
  - strong
# end
"""
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=12
) | st.sampled_from(["# no", "a: b", "yes", "- x", "{", "'", '"', "null", "1e3", "\u2028x", "*a"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXTS.filter(lambda key: key != "<<"), inner)
    ),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(
    st.sampled_from(["routing", "roles", "version", "# x"]), VALUES, min_size=1
)


def value_of(text):
    found, _, problems = read(text.encode())
    assert not problems
    return found


# --- editing the text


@settings(max_examples=30, deadline=None)
@given(DOCUMENTS, DOCUMENTS)
def test_an_edited_text_says_what_was_wanted(before, wanted):
    text = dump(before)
    assert value_of(edited(text, wanted).text) == wanted
    assert edited(text, before).text == text


@settings(max_examples=30, deadline=None)
@given(VALUES, st.sampled_from(["default_model", "strategy", "rules", "fallbacks", "new"]))
def test_one_changed_key_leaves_the_other_lines_alone(value, key):
    before = value_of(COMMENTED)
    wanted = {**before, "routing": {**before["routing"], key: value}}
    change = edited(COMMENTED, wanted)
    assert value_of(change.text) == wanted
    assert {"# top", "# r", "# who", "# after", "# end"} <= set(comments(change.text))
    kept = list(comments(change.text))
    assert sorted([*kept, *change.lost]) == sorted(comments(COMMENTED))


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.name)
def test_every_key_can_be_replaced_in_a_good_file(file):
    text = file.read_text()
    before = value_of(text)
    for key in before["routing"]:
        for value in ([], {"a": {"b": [1, {"c": "d"}]}}):
            wanted = {**before, "routing": {**before["routing"], key: value}}
            assert value_of(edited(text, wanted).text) == wanted


def test_windows_line_ends_stay():
    text = COMMENTED.replace("\n", "\r\n")
    wanted = value_of(text)
    wanted["routing"]["default_model"] = "strong"
    assert edited(text, wanted).text == text.replace("model: fast # cheap", "model: strong # cheap")


def test_a_removed_rule_takes_no_other_rules_comments_along():
    wanted = value_of(COMMENTED)
    del wanted["routing"]["rules"][1]
    change = edited(COMMENTED, wanted)
    assert change.lost == ("# s",)
    assert "- name: a # n" in change.text


RULES = """routing:
  rules:
  # why a
  - {name: a, model: fast}  # a's
  - name: b
    model: >
      # no comment

  # why c
  - name: c  # c's
    model: fast
"""


@pytest.mark.parametrize("order", ["nabc", "anbc", "bcn", "cn", "cba", "bac"])
def test_rules_that_are_added_before_or_in_place_of_others_leave_comments_with_their_own(order):
    rules = {rule["name"]: rule for rule in value_of(RULES)["routing"]["rules"]}
    rules["n"] = {"name": "n", "model": "strong"}
    wanted = {"routing": {"rules": [rules[name] for name in order]}}
    change = edited(RULES, wanted)
    assert value_of(change.text) == wanted
    assert ("# why a\n  - {name: a, model: fast}  # a's\n" in change.text) == ("a" in order)
    assert "# why c\n  - name: c  # c's\n" in change.text
    assert change.lost == (() if "a" in order else ("# why a", "# a's"))


def test_a_rule_that_moves_takes_its_comments_along():
    wanted = value_of(COMMENTED)
    wanted["routing"]["rules"].reverse()
    first, second = COMMENTED.index("    # first"), COMMENTED.index("    # second")
    end = COMMENTED.index("  # after")
    moved = COMMENTED[second:end] + COMMENTED[first:second]
    assert edited(COMMENTED, wanted).text == COMMENTED[:first] + moved + COMMENTED[end:]


@given(st.permutations(range(4)), st.booleans())
def test_no_order_of_rules_loses_a_comment(order, changed):
    rules = "".join(f"  # above {n}\n  - name: r{n} # {n}\n    model: m{n}\n\n" for n in range(4))
    text = f"routing:\n  rules:\n{rules}  default_model: fast\n"
    wanted = value_of(text)
    rules = wanted["routing"]["rules"]
    wanted["routing"]["rules"] = [rules[n] for n in order]
    if changed:
        rules[0]["model"] = "strong"
    change = edited(text, wanted)
    assert (value_of(change.text), change.lost) == (wanted, ())
    assert all(f"  # above {n}\n  - name: r{n} # {n}\n" in change.text for n in order)


# --- the form


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.name)
def test_an_untouched_form_changes_nothing(file):
    document = value_of(file.read_text())
    assert Form.of(document).document(document) == document


@settings(max_examples=30, deadline=None)
@given(VALUES, VALUES)
def test_odd_values_pass_through_an_untouched_form(routing, roles):
    document = {"routing": routing, "roles": roles}
    assert Form.of(document).document(document) == document
    rules = {"routing": {"rules": [routing, {"condition": roles, "model": routing}]}}
    assert Form.of(rules).document(rules) == rules


def test_a_filled_form_is_the_configuration_that_one_would_write():
    rules = (
        RuleRow("code", "task_type: [code, chat], complexity: high", "models", "strong, fast"),
        RuleRow("", "", "strategy", "cost", "none"),
    )
    form = Form("fast", "complexity", "balanced, strong", rules, (RoleRow("cheap", "local"),))
    document = form.document({"version": 1})
    config = parse_config(dump(document))
    assert document["routing"]["rules"][0] == {
        "name": "code",
        "condition": {"task_type": ["code", "chat"], "complexity": "high"},
        "models": ["strong", "fast"],
    }
    assert config.routing.rules[1].fallbacks == ()
    assert config.routing.fallbacks == ("balanced", "strong")
    assert config.roles == {"cheap": ("local",)}


def test_what_the_form_does_not_show_stays():
    document = {"routing": {"rules": [{"model": "fast", "max_cost_usd": 1}], "timeout_s": 9}}
    form = Form.of(document)
    changed = replace(form, rules=(replace(form.rules[0], name="a", target="models"),))
    assert changed.document(document) == {
        "routing": {"rules": [{"name": "a", "models": ["fast"], "max_cost_usd": 1}], "timeout_s": 9}
    }


@pytest.mark.parametrize("condition", ["a: [", "}", "a: b}, c: {", "# x", "? {", "*a"])
def test_a_condition_that_is_no_yaml_is_one_line(condition):
    form = Form(rules=(RuleRow(), RuleRow(condition=condition)))
    with pytest.raises(UsageError, match="rule 2: its condition: "):
        form.document({})


def test_a_role_twice_or_without_a_name_is_refused():
    with pytest.raises(UsageError, match="twice"):
        Form(roles=(RoleRow("a", "b"), RoleRow("a", "c"))).document({})
    with pytest.raises(UsageError, match="no name"):
        Form(roles=(RoleRow("", "b"),)).document({})


# --- saving


@pytest.fixture
def llm(tmp_path):
    client = UnifiedLLMClient({"scripted": ScriptedProvider()})
    session = Session(client, ledger=Ledger(":memory:"), folder=tmp_path)
    yield session
    session.ledger.close()


def test_a_new_file_is_written_by_save_alone(llm, tmp_path):
    path = tmp_path / "routing_config.yml"
    editor = config_widget(llm, path)
    editor.change(Form(default_model="scripted:echo", rules=(RuleRow("r", "", "model", "fast"),)))
    assert editor.draft.can_be_saved
    assert not path.exists()
    editor.save()
    assert load_config(path).routing.default_model == "scripted:echo"
    assert "saved" in str(editor)
    assert str(llm("Hi", "scripted:echo")).endswith("Hi")
    assert llm.config_path == path


def test_what_is_not_valid_is_never_written(llm, tmp_path):
    path = tmp_path / "routing_config.yml"
    path.write_text(COMMENTED)
    editor = config_widget(llm, path)
    editor.change(Form(default_model="two words"))
    editor.save()
    assert path.read_text() == COMMENTED
    assert f"{path}:4: routing.default_model: must be a name without spaces" in str(editor)


def test_a_file_that_changed_meanwhile_is_not_written_over(llm, tmp_path):
    path = tmp_path / "routing_config.yml"
    path.write_text(COMMENTED)
    editor = config_widget(llm, path)
    editor.change(replace(editor.form, default_model="strong"))
    path.write_text("version: 1\n")
    editor.save()
    assert path.read_text() == "version: 1\n"
    assert "has changed since it was read" in str(editor)
    editor.reload()
    assert editor.form.default_model == ""


def test_a_broken_file_is_left_alone_with_its_line(llm, tmp_path):
    path = tmp_path / "routing_config.yml"
    path.write_text("routing:\n  a: [\n")
    editor = config_widget(llm, path)
    editor.change(Form(default_model="fast"))
    editor.save()
    assert path.read_text() == "routing:\n  a: [\n"
    assert re.search(rf"{re.escape(str(path))}:\d: not valid YAML.*mend it", str(editor))


def test_saving_keeps_the_mode_and_follows_a_link(tmp_path):
    real, link = tmp_path / "real.yml", tmp_path / "link.yml"
    real.write_text("a: 1\n")
    real.chmod(0o600)
    link.symlink_to(real)
    save(link, "a: 2\n", before=b"a: 1\n")
    assert real.read_text() == "a: 2\n"
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    assert sorted(file.name for file in tmp_path.iterdir()) == ["link.yml", "real.yml"]


def test_a_folder_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match="cannot be written"):
        save(tmp_path / "no" / "x.yml", "a: 1\n", before=None)
