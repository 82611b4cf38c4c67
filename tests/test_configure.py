"""`%llm config` from inside: what `check` and `show` say of a file on this machine."""

import pytest

from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.errors import ConfigError
from multimodel_magic.ledger import Ledger
from multimodel_magic.notebook.configure import configuration
from multimodel_magic.providers.scripted import ScriptedProvider
from multimodel_magic.session import Session


@pytest.fixture
def llm(tmp_path, monkeypatch):
    monkeypatch.delenv("FAR_KEY", raising=False)
    session = Session(
        UnifiedLLMClient({"scripted": ScriptedProvider()}),
        ledger=Ledger(":memory:"),
        folder=tmp_path,
    )
    yield session
    session.ledger.close()


def test_a_role_that_leads_to_nobody_who_can_be_asked_here_is_found(llm, tmp_path):
    file = tmp_path / "routing_config.yml"
    file.write_text("""
roles:
  mine: ["far:big"]
  other: ["scripted:echo"]
providers:
  far: {base_url: "https://far.example/v1", api_key_env: FAR_KEY}
""")
    checked = str(configuration(llm, f"check {file}"))
    assert "roles.mine" in checked
    assert "the role 'mine' leads to nothing that is usable here (FAR_KEY is not set" in checked
    assert "roles.other" not in checked
    assert "roles.mine" in str(configuration(llm, f"use {file}"))


def test_a_strategy_that_lacks_its_settings_is_a_fault_of_the_file_and_not_of_each_cell(
    llm, tmp_path
):
    file = tmp_path / "routing_config.yml"
    file.write_text("routing: {default_model: 'scripted:echo'}\n")
    assert llm.refresh() is not None
    file.write_text("routing:\n  strategy: weighted\n")
    said = llm.refresh()
    assert "routing_config.yml:2: routing.strategy: 'weighted' needs weights" in said
    assert "the earlier configuration stays in force" in said
    assert llm("Hello").provider == "scripted"
    with pytest.raises(ConfigError, match=r"routing_config\.yml:2: routing\.strategy"):
        configuration(llm, f"check {file}")


def test_a_check_shows_every_fault_of_a_file_at_once(llm, tmp_path, capsys):
    file = tmp_path / "routing_config.yml"
    file.write_text("routing:\n  default_modle: fast\n  rules:\n    - fallbaks: [fast]\n")
    with pytest.raises(ConfigError, match=r"2: routing\.default_modle") as caught:
        configuration(llm, f"check {file}")
    assert [line for line, _, _ in caught.value.faults] == ["2", "4"]
    shown = capsys.readouterr().out
    assert "routing_config.yml: not valid" in shown
    assert "did you mean 'default_model'?" in shown
    assert "did you mean 'fallbacks'?" in shown


@pytest.mark.parametrize("quote", ["", "'", '"'])
def test_a_path_may_stand_in_quotes(llm, tmp_path, quote):
    file = tmp_path / "my routing.yml"
    file.write_text("routing: {default_model: 'scripted:echo'}")
    assert "my routing.yml" in str(configuration(llm, f"use {quote}{file}{quote}"))
    assert llm.config_path == file
