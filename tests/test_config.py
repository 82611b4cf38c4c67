"""The seed's file loads as it stands; every fault is one line; what is written reads back."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, ValidationError

from multimodel_magic.config import (
    RoutingConfig,
    config_hash,
    find_config,
    load_config,
    parse_config,
)
from multimodel_magic.config.document import read
from multimodel_magic.config.published import PUBLISHED, json_schema
from multimodel_magic.errors import ConfigError

CONFIGS = Path(__file__).parent / "configs"
SEED = CONFIGS / "good" / "routing_config.yml"
GOOD = sorted((CONFIGS / "good").glob("*.yml"))
BROKEN = sorted((CONFIGS / "broken").glob("*.yml"))
EXPECTED = (CONFIGS / "broken" / "expected.txt").read_text(encoding="utf-8").splitlines()


def test_the_seeds_file_loads_unchanged():
    config = load_config(SEED)
    routing = config.routing
    assert routing.default_model == "claude-3-sonnet"
    assert [rule.model for rule in routing.rules] == [
        "claude-3-opus",
        "claude-3-haiku",
        "gpt-4-vision",
    ]
    assert routing.fallbacks == ("claude-3-sonnet", "gpt-4-turbo", "gpt-3.5-turbo")
    arms = routing.experiments["new_model_test"].dealt
    assert (arms["treatment"].model, arms["treatment"].share) == ("claude-3-opus", 0.1)
    assert (arms["control"].model, arms["control"].share) == ("gpt-4-turbo", 0.9)


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_what_is_written_reads_back_the_same(path):
    config = load_config(path)
    again = parse_config(config.to_yaml())
    assert again == config
    assert config_hash(again) == config_hash(config)


def test_there_are_forty_broken_files_and_each_has_its_line():
    assert len(BROKEN) >= 40
    assert [line.partition(".yml")[0] for line in EXPECTED] == [path.stem for path in BROKEN]


@pytest.mark.parametrize(
    ("path", "expected"),
    list(zip(BROKEN, EXPECTED, strict=True)),
    ids=[path.stem for path in BROKEN],
)
def test_a_broken_file_is_one_line_with_file_line_path_and_what(path, expected, monkeypatch):
    monkeypatch.chdir(path.parent)
    with pytest.raises(ConfigError) as caught:
        load_config(path.name)
    assert str(caught.value) == expected
    assert "\n" not in expected
    assert expected.startswith(f"{path.name}:")


@pytest.mark.parametrize("path", BROKEN, ids=[path.stem for path in BROKEN])
def test_no_message_repeats_what_may_be_a_secret(path):
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    for secret in ("0123456789abcdef", "canary", "hunter"):
        assert secret not in str(caught.value)


def test_a_fault_names_the_line_of_its_value_and_the_nearest_key():
    text = SEED.read_text(encoding="utf-8").replace('task_type: "code"', 'task_typ: "code"')
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    assert str(caught.value) == (
        "routing_config.yml:7: routing.rules.0.condition.task_typ: unknown key; "
        "did you mean 'task_type'?"
    )


def test_an_escape_sequence_in_a_key_does_not_reach_the_terminal():
    with pytest.raises(ConfigError) as caught:
        parse_config(r'"\e[31mred\nline": 1')
    assert str(caught.value).startswith("routing_config.yml:1: ?[31mred line: unknown key")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (r'a: "\UFFFFFFFF"', "1: an escape sequence that is no character"),
        ('\nroles: {a: ["\\uD800"]}', "2: roles.a.0: an escape sequence that is no character"),
        ("version: !!bool hello", "1: version: the tag !!bool does not fit 'hello'"),
        ("version: true", "1: version: must be 1; got true"),
        ("source: {name: x}", "1: source: unknown key; known here: version, routing, roles, "),
        ("? ", "1: '': unknown key; known here: version, routing, roles, "),
    ],
)
def test_what_a_fuzzer_found_is_one_line(text, said):
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    assert str(caught.value).startswith(f"routing_config.yml:{said}")


def test_a_missing_file_and_a_folder_are_one_line(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yml: no such file$"):
        load_config(tmp_path / "none.yml")
    with pytest.raises(ConfigError, match="is a folder"):
        load_config(tmp_path)


def test_a_byte_order_mark_and_windows_line_ends_are_harmless():
    data = b"\xef\xbb\xbf" + SEED.read_bytes().replace(b"\n", b"\r\n")
    assert parse_config(data) == load_config(SEED)


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("a: 12:30", "12:30"),  # 750 in YAML 1.1
        ("a: 2026-11-22", "2026-11-22"),  # a date in YAML 1.1
        ("a: 0o17", "0o17"),
        ("a: 1_000", "1_000"),  # 1000 in YAML 1.1
        ("a: 1e3", 1000.0),  # text in YAML 1.1
        ("a: gpt-oss:20b", "gpt-oss:20b"),
        ("a: yes", True),
        ("a: ~", None),
        ("a:", None),
        ("a: .5", 0.5),
        ("a: -3", -3),
    ],
)
def test_a_scalar_is_what_it_looks_like(written, means):
    value, _, problems = read(written.encode())
    assert (value, problems) == ({"a": means}, ())


def test_keys_are_the_text_that_was_written():
    value, _, _ = read(b"on: 1\n4: 2\n~: 3\n")
    assert value == {"on": 1, "4": 2, "~": 3}


def test_an_anchor_that_is_used_twice_is_written_out():
    config = parse_config("routing:\n  fallbacks: &chain [fast, strong]\nroles: {mine: *chain}\n")
    assert config.roles["mine"] == ("fast", "strong")


def test_a_hundred_thousand_values_end_in_an_error_and_not_in_a_full_memory():
    text = "a: [" + "x," * 100_000 + "]"
    with pytest.raises(ConfigError, match="more than 10,000 values"):
        parse_config(text)


# --- where it is searched


def test_the_nearest_file_upward_is_found_before_the_users_own(tmp_path, monkeypatch):
    monkeypatch.delenv("MULTIMODEL_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    own = tmp_path / "config" / "multimodel_magic" / "routing_config.yml"
    notebook = tmp_path / "work" / "project" / "notebooks"
    notebook.mkdir(parents=True)
    assert find_config(notebook) is None
    own.parent.mkdir(parents=True)
    shutil.copy(SEED, own)
    assert find_config(notebook) == own
    shutil.copy(SEED, tmp_path / "work" / "routing_config.yaml")
    assert find_config(notebook) == tmp_path / "work" / "routing_config.yaml"
    shutil.copy(SEED, notebook.parent / "routing_config.yml")
    assert find_config(notebook) == notebook.parent / "routing_config.yml"


def test_the_variable_comes_before_the_folders_and_must_name_a_file(tmp_path, monkeypatch):
    shutil.copy(SEED, tmp_path / "routing_config.yml")
    monkeypatch.setenv("MULTIMODEL_CONFIG", str(SEED))
    assert find_config(tmp_path) == SEED
    monkeypatch.setenv("MULTIMODEL_CONFIG", str(tmp_path / "gone.yml"))
    with pytest.raises(ConfigError, match="MULTIMODEL_CONFIG names it"):
        find_config(tmp_path)


# --- what it is called


def test_the_hash_follows_what_is_said_and_not_how():
    config = parse_config("routing: {default_model: fast, strategy: cost}")
    same = parse_config("# why\nrouting:\n  strategy: cost\n  default_model: 'fast'\nversion: 1\n")
    other = parse_config("routing: {default_model: strong, strategy: cost}")
    assert config_hash(config) == config_hash(same) == "c442225f5092c867"
    assert config_hash(other) != config_hash(config)


# --- the schema for editors


def test_the_published_schema_is_current():
    # Mend it with: python -m multimodel_magic.config.published
    assert json.loads(PUBLISHED.read_text(encoding="utf-8")) == json_schema()


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_good_files_pass_the_schema(path):
    value, _, _ = read(path.read_bytes())
    Draft202012Validator(json_schema()).validate(value)


@pytest.mark.parametrize(
    "name",
    ["unknown_key_condition", "complexity_tier", "user_tier", "percentage_text", "version_2"],
)
def test_the_schema_finds_plain_faults_too(name):
    value, _, _ = read((CONFIGS / "broken" / f"{name}.yml").read_bytes())
    with pytest.raises(ValidationError):
        Draft202012Validator(json_schema()).validate(value)


def test_a_configuration_is_frozen():
    config = RoutingConfig()
    with pytest.raises(ValueError, match="frozen"):
        config.version = 1  # type: ignore[misc]


def test_searching_for_a_configuration_loads_neither_pydantic_nor_yaml():
    script = (
        "import sys; from multimodel_magic.config import find_config; find_config();"
        "print([name for name in ('pydantic', 'yaml', 'pandas') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_every_public_name_is_there():
    from multimodel_magic import config

    assert all(getattr(config, name) is not None for name in config.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Manager'"):
        _ = config.Manager


DOCS = (Path(__file__).parents[1] / "docs" / "routing_config.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL))
def test_every_example_of_the_manual_loads(text):
    assert isinstance(parse_config(text), RoutingConfig)


def test_the_manual_names_every_key():
    schema = json_schema()
    keys = {*schema["properties"], *schema["$defs"]["Routing"]["properties"]}
    keys |= schema["$defs"]["Rule"]["properties"].keys()
    for part in ("Condition", "Limits", "Rate", "Budget", "Breaker"):
        name = part if part == "Condition" else f"{part}Settings"
        keys |= schema["$defs"][name]["properties"].keys()
    assert sorted(key for key in keys if key not in DOCS) == []
