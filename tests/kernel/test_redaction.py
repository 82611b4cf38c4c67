"""Canary keys in every place that holds one, and a look into every place that might show one."""

import json
from pathlib import Path

import pytest

from tests.echo import EchoServer, codings, shown
from tests.kernel.conftest import started, stopped

ENVIRONMENT = "sk-canary-env-0123456789-abcdefgh"
DOTENV = "sk-canary-dotenv-0123456789-abcdefgh"
CODE = "sk-canary-code-0123456789-abcdefgh"
ADDRESS = "canary-address-0123456789-abcdefgh"
HEADER = "canary-header-0123456789-abcdefgh"
KEYS = (ENVIRONMENT, DOTENV, CODE, ADDRESS, HEADER)

SETUP = """
import logging, pickle, traceback
logging.basicConfig(level=logging.DEBUG, filename="debug.log", force=True)
for name in ("openai", "anthropic", "httpx", "httpx2", "httpcore", "httpcore2", "multimodel_magic"):
    logging.getLogger(name).setLevel(logging.DEBUG)
%load_ext multimodel_magic
%xmode Verbose
from multimodel_magic import llm, session
from multimodel_magic.providers.anthropic import AnthropicProvider
from multimodel_magic.providers.ollama import OllamaProvider
from multimodel_magic.providers.openai import OpenAIProvider
providers = llm.client.providers
providers["mine"] = OpenAIProvider(name="mine", base_url={url!r} + "/v1", api_key={code!r})
providers["turn"] = OpenAIProvider(name="turn", base_url={url!r} + "/v1", api_key={code!r},
                                   api="responses")
providers["box"] = OllamaProvider(name="box", base_url={url!r}, api_key={code!r})
providers["user"] = OpenAIProvider(name="user", base_url="http://me:{address}@127.0.0.1:1/v1")
"""

FAILURES = """
def fail(model, how):
    try:
        llm("Hi", model, retries=0)
    except Exception as error:
        if how == "raised":
            raise RuntimeError("my own") from error
        lines = traceback.TracebackException.from_exception(error, capture_locals=True).format()
        print("".join(lines), repr(error), error, repr(vars(error)), repr(error.__cause__))
        print(pickle.dumps(error), pickle.dumps(llm.last), repr(llm.last), repr(llm.last.attempts))
"""

REPRS = """
print(repr(providers), [repr(vars(p)) for p in providers.values()], repr(vars(llm.client)))
print([pickle.dumps(p.secret) for p in providers.values() if hasattr(p, "secret")])
print(repr(llm), repr(vars(llm)) if hasattr(llm, "__dict__") else "")
print(llm.df.to_json(), llm.attempts.to_json())
"""

WORDS = ("", "why", "last", "df", "attempts", "stats", "models", "doctor", "history", "budget",
         "config show", "export out.json", "export out.csv")  # fmt: skip


@pytest.fixture(scope="module")
def echo():
    with EchoServer() as server:
        yield server


@pytest.fixture(scope="module")
def keyed(bare_environment, tmp_path_factory, echo):
    """A kernel with a key in its environment, a `.env`, its code, an address and headers."""
    folder = tmp_path_factory.mktemp("canaries")
    (folder / ".env").write_text(f"ANTHROPIC_API_KEY={DOTENV}\n", encoding="utf-8")
    where = {
        "OPENAI_API_KEY": ENVIRONMENT,
        "OPENAI_BASE_URL": f"{echo.url}/v1",
        "OPENAI_CUSTOM_HEADERS": f"x-secret: {HEADER}",
        "ANTHROPIC_CUSTOM_HEADERS": f"x-secret: {HEADER}",
        "ANTHROPIC_BASE_URL": echo.url,
        "MULTIMODEL_LEDGER": str(folder / "ledger.db"),
    }
    kernel = started(bare_environment | where)
    setup = SETUP.format(url=echo.url, code=CODE, address=ADDRESS)
    ran = kernel.run(f"%cd -q {folder}")
    assert ran.status == "ok"
    ran = kernel.run(setup + FAILURES)
    assert ran.status == "ok", ran.traceback
    kernel.folder = folder
    yield kernel
    stopped(kernel)


def everything(ran):
    """Return all that a front end saw of a cell, outputs and metadata and all."""
    return repr([ran.shown, ran.streams, ran.traceback])


def clean(text, where):
    """Check that no key stands in a text, in any coding."""
    for key in KEYS:
        assert shown(key, text) == [], f"{key} in {where}"


PROVIDERS = ("openai", "anthropic", "mine", "turn", "box", "user")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_cell_shows_a_key_that_a_server_says_back(keyed, provider):
    for how in codings(CODE) if provider in {"openai", "anthropic", "box"} else ["plain", "late"]:
        ran = keyed.run(f"%%llm --no-fallback --retries 0 -v {provider}:{how}\nHi")
        assert ran.status == "error"
        clean(everything(ran), (provider, how))
    keyed.run(f"%%llm --soft {provider}:plain\nHi")


@pytest.mark.parametrize("how", ["printed", "raised"])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_traceback_shows_a_key_not_even_with_the_variables_of_its_frames(keyed, provider, how):
    for coding in ("plain", "base64", "word", "stream"):
        ran = keyed.run(f"fail('{provider}:{coding}', {how!r})")
        assert ran.status == ("ok" if how == "printed" else "error")
        clean(everything(ran), (provider, coding))


def test_no_report_no_repr_and_no_export_shows_a_key(keyed, echo):
    keyed.run("%%llm --soft openai:refused\nHi")
    for word in WORDS:
        ran = keyed.run(f"%llm {word}")
        clean(everything(ran), word)
    clean(everything(keyed.run(REPRS)), "reprs")
    assert {ENVIRONMENT, DOTENV, CODE} <= echo.keys, "the canaries were sent"
    keyed.run("from multimodel_magic import session\nllm.ledger.flush()")
    read = []
    for path in sorted(Path(keyed.folder).iterdir()):
        if path.name != ".env":
            clean(path.read_bytes().decode("latin-1"), path.name)
            read.append(path.name)
    assert {"debug.log", "ledger.db"} <= set(read)
    assert "x-echo" in (keyed.folder / "debug.log").read_text("utf-8"), "the logs were on"


def test_no_request_holds_a_key_in_its_body(keyed, echo):
    keyed.run("%%llm --soft openai:plain\nHi")
    assert len(echo.seen) > 50
    clean(b"".join(echo.seen).decode("latin-1"), "bodies")


def test_what_would_show_a_key_is_seen():
    for key in KEYS:
        for how, said in codings(key).items():
            if how != "starred":
                assert shown(key, json.dumps(said)), how
