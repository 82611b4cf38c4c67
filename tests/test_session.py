"""The session: what the magics and `llm` share."""

import subprocess
import sys
from datetime import UTC, datetime

import pytest

import multimodel_magic
from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.config import config_hash, parse_config
from multimodel_magic.errors import ConfigError, ContentFiltered
from multimodel_magic.ledger import Ledger
from multimodel_magic.notebook.arms import arms
from multimodel_magic.providers.scripted import Fail, Say, ScriptedProvider
from multimodel_magic.session import Session, current, start
from multimodel_magic.types import Request, Response, Usage

SCRIPT = {"m": [[Say("Hello.")]], "refuses": [[Fail(ContentFiltered("no"))]]}


@pytest.fixture
def llm():
    session = Session(
        UnifiedLLMClient({"scripted": ScriptedProvider(SCRIPT)}), ledger=Ledger(":memory:")
    )
    yield session
    session.ledger.close()


def test_calling_the_session_answers(llm):
    assert str(llm("Hi", "scripted:m")) == "Hello."


async def test_awaiting_the_session_answers(llm):
    assert str(await llm.acall("Hi", "scripted:m")) == "Hello."


def test_every_request_is_in_the_frames_under_the_sessions_label(llm):
    llm("Hi", "scripted:m")
    with pytest.raises(ContentFiltered):
        llm("Hi", "scripted:refuses")
    assert list(llm.df.status) == ["answered", "failed"]
    assert set(llm.df.session) == {llm.id}
    assert len(llm.attempts) == 2
    assert llm.metrics().answered == 1


EXPERIMENT = """
routing:
  default_model: scripted:m
  experiments:
    trial: {control: scripted:m, treatment: scripted:other, percentage: 50}
"""


def test_the_arms_and_the_control_of_an_experiment_are_those_that_are_declared(llm):
    assert llm.experiment("trial").arms == ()
    llm.configure(parse_config(EXPERIMENT))
    none = llm.experiment("trial")
    assert [(arm.arm, arm.model, arm.n) for arm in none.arms] == [
        ("control", "scripted:m", 0),
        ("treatment", "scripted:other", 0),
    ]
    ours = llm.client.strategy
    unit = next(str(n) for n in range(99) if ours.route(Request("Hi", unit=str(n))).arm[-1] == "t")
    llm.record(Response(Request("Hi", unit=unit), "", (), ours.route(Request("Hi", unit=unit))))
    assert llm.experiment("trial").control == "control"
    assert [arm.n for arm in llm.experiment("trial").arms] == [0, 1]
    shown = str(arms(llm, "trial"))
    assert "nothing can be compared yet" in shown


def test_what_one_session_exports_another_imports(llm, tmp_path):
    llm("Hi", "scripted:m")
    other = Session(UnifiedLLMClient({}), ledger=Ledger(":memory:"))
    llm.export(tmp_path / "day.jsonl")
    assert other.import_file(tmp_path / "day.jsonl").requests == 1
    assert other.metrics(everything=True).cost_usd == llm.metrics().cost_usd
    assert other.metrics().requests == 0


def test_what_is_asked_from_code_says_where_it_comes_from(llm):
    llm.where = lambda: {"notebook": "a.ipynb", "cell": "c1"}
    llm("Hi", "scripted:m")
    assert list(llm.df[["notebook", "cell"]].iloc[0]) == ["a.ipynb", "c1"]


def test_the_history_holds_failures_too(llm):
    with pytest.raises(ContentFiltered):
        llm("Hi", "scripted:refuses")
    assert isinstance(llm.last.error, ContentFiltered)


def test_a_conversation_holds_both_sides(llm):
    llm.remember(llm("Hi", "scripted:m"), thread=None)
    assert [(m.role, m.text) for m in llm.thread("main")] == [
        ("user", "Hi"),
        ("assistant", "Hello."),
    ]
    llm.reset()
    assert llm.thread("main") == ()
    assert llm.last is None


def test_the_kernels_session_is_one_and_can_be_replaced(llm):
    assert start(llm) is current() is multimodel_magic.llm


def test_every_public_name_can_be_imported():
    for name in multimodel_magic.__all__:
        assert getattr(multimodel_magic, name) is not None


def test_an_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nonesuch"):
        _ = multimodel_magic.nonesuch


def test_importing_the_package_loads_nothing_heavy():
    code = (
        "import sys, multimodel_magic; heavy = {'anthropic', 'openai', 'ollama', 'pandas',"
        " 'matplotlib', 'pydantic', 'sqlalchemy', 'IPython', 'httpx2', 'numpy'};"
        " print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


SERVERS = """
routing: {default_model: fast, timeout_s: 9, retries: 3, stream_broken: fail}
providers:
  groq: {base_url: "http://127.0.0.1:9/v1", api_key_env: MY_GROQ}
  lab: {type: ollama, base_url: "http://127.0.0.1:9"}
prices:
  "groq:*": {input: 1, output: 2}
"""


def test_a_configuration_adds_servers_prices_and_patience_and_can_be_taken_back(llm, tmp_path):
    file = tmp_path / "routing_config.yml"
    file.write_text(SERVERS)
    before = llm.client.patience
    llm.use(file)
    assert {"groq", "lab"} <= set(llm.client.providers)
    assert "MY_GROQ" in llm.client.providers["groq"].unusable()
    assert (llm.client.patience.timeout_s, llm.client.patience.retries) == (9, 3)
    usage, now = Usage(1_000_000, 1_000_000), datetime.now(UTC)
    assert llm.client.price("groq", "any", usage, now).cost_usd == 3
    llm("Hi", "scripted:m")
    assert llm.df.config.iloc[-1] == config_hash(llm.config)
    llm.use(None)
    assert llm.client.patience == before


def test_a_broken_configuration_changes_nothing(llm, tmp_path):
    good, broken = tmp_path / "good.yml", tmp_path / "broken.yml"
    good.write_text("routing: {default_model: 'scripted:m'}")
    broken.write_text("routing: {defautl_model: x}")
    llm.use(good)
    with pytest.raises(ConfigError, match="default_model"):
        llm.use(broken)
    assert llm("Hi").model == "m"


def test_a_configuration_is_found_from_the_notebooks_folder_upward(tmp_path):
    (tmp_path / "routing_config.yml").write_text("routing: {default_model: 'scripted:m'}")
    (tmp_path / "deep").mkdir()
    client = UnifiedLLMClient({"scripted": ScriptedProvider(SCRIPT)})
    session = Session(client, ledger=Ledger(":memory:"), folder=tmp_path / "deep")
    assert session("Hi").model == "m"
    assert session.refresh() is None
    session.ledger.close()


def test_a_file_that_was_let_go_is_not_found_again_until_it_is_named(tmp_path):
    file = tmp_path / "routing_config.yml"
    file.write_text("routing: {default_model: 'scripted:m'}")
    client = UnifiedLLMClient({"scripted": ScriptedProvider(SCRIPT)})
    session = Session(client, ledger=Ledger(":memory:"), folder=tmp_path)
    assert session.refresh(search=True) is not None
    session.use(None)
    assert (session.refresh(search=True), session.config) == (None, None)
    file.write_text("routing: {defautl_model: x}")  # broken, it would have stopped every cell
    assert session.refresh(search=True) is None
    file.write_text("routing: {default_model: 'scripted:echo'}")
    session.use(file)
    assert session("Hi").model == "echo"
    session.ledger.close()


def test_a_file_that_is_gone_is_told_once_and_read_again_when_it_is_back(llm, tmp_path):
    file = tmp_path / "routing_config.yml"
    file.write_text("routing: {default_model: 'scripted:m'}")
    llm.use(file)
    file.unlink()
    assert "is gone (what it said stays in force)" in (llm.refresh() or "")
    assert llm.refresh() is None
    assert llm("Hi").model == "m"
    file.write_text("routing: {default_model: 'scripted:echo'}")
    assert "was read again" in (llm.refresh() or "")
    assert llm("Hi").model == "echo"


def test_a_file_that_was_written_a_moment_ago_counts_in_the_next_cell(tmp_path):
    client = UnifiedLLMClient({"scripted": ScriptedProvider(SCRIPT)})
    session = Session(client, ledger=Ledger(":memory:"), folder=tmp_path)
    assert session.refresh(search=True) is None
    (tmp_path / "routing_config.yml").write_text("routing: {default_model: 'scripted:m'}")
    assert session.refresh() is None  # a program that asks request after request: once a second
    assert session.refresh(search=True).startswith("using ")
    assert session("Hi").model == "m"
    session.ledger.close()


def test_a_configuration_of_a_program_stays_until_a_file_is_named(tmp_path):
    file = tmp_path / "routing_config.yml"
    file.write_text("routing: {default_model: 'scripted:slow'}")
    client = UnifiedLLMClient({"scripted": ScriptedProvider(SCRIPT)})
    session = Session(client, ledger=Ledger(":memory:"), folder=tmp_path)
    session.use(file)
    session.configure(parse_config("routing: {default_model: 'scripted:m'}"))
    file.write_text("routing: {default_model: 'scripted:echo'}")
    assert session.refresh(search=True) is None
    assert (session("Hi").model, session.config_path) == ("m", None)
    session.use(file)
    assert (session("Hi").model, session.config_path) == ("echo", file)
    session.ledger.close()


def test_a_session_is_exported_to_files(llm, tmp_path):
    llm("Hi", "scripted:m")
    llm.export(tmp_path / "day.csv")
    assert "scripted" in (tmp_path / "day.attempts.csv").read_text()
