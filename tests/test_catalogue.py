import pickle
import re
import subprocess
import sys
from datetime import date
from importlib.metadata import version

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multimodel_magic.catalogue import Catalogue
from multimodel_magic.catalogue.data import KNOWN, REPLACEMENTS, ROLES, SOURCES
from multimodel_magic.errors import UnknownModel
from multimodel_magic.pricing import listed_context_tokens, table
from multimodel_magic.types import Model

CATALOGUE = Catalogue()


def same_release(package: str) -> None:
    """Skip where another release is installed: the day a vendor retires a model breaks no gate."""
    if version(package) != SOURCES[package]:
        pytest.skip(f"the tables are of {package} {SOURCES[package]}; here is {version(package)}")


def full(name: str, catalogue: Catalogue = CATALOGUE) -> str:
    return catalogue.resolve(name).model.full_name


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("o3", "openai:o3"),
        ("claude-opus-5-5", "anthropic:claude-opus-5-5"),
        ("opus", "anthropic:claude-opus-5-5"),
        ("luna", "openai:gpt-6-luna"),
        ("gpt-oss:20b", "ollama:gpt-oss:20b"),
        ("llama3.2:3b", "ollama:llama3.2:3b"),
        ("llama3.2", "ollama:llama3.2"),
        ("hf.co/bartowski/Qwen3-GGUF:Q4_K_M", "ollama:hf.co/bartowski/Qwen3-GGUF:Q4_K_M"),
        ("openai/gpt-oss-20b", "openai:gpt-oss-20b"),
        ("openai:gpt-oss-20b", "openai:gpt-oss-20b"),
        ("ollama/llama3.2:3b", "ollama:llama3.2:3b"),
        ("ollama:gpt-oss:20b", "ollama:gpt-oss:20b"),
        ("smollm2", "local:smollm2"),
        ("smollm2:135m", "ollama:smollm2:135m"),
        ("mine:latest", "ollama:mine:latest"),
        ("newest:8x7b-instruct-q4_K_M", "ollama:newest:8x7b-instruct-q4_K_M"),
        ("somebody/model:dev", "ollama:somebody/model:dev"),
        ("scripted:echo", "scripted:echo"),
        ("  gpt-6-luna ", "openai:gpt-6-luna"),
        ("fast", "anthropic:claude-haiku-5-5"),
    ],
)
def test_name_finds_the_provider_that_serves_it(name: str, meant: str) -> None:
    found = CATALOGUE.resolve(name)
    assert found.model.full_name == meant


@pytest.mark.parametrize(
    ("retired", "today"),
    [
        ("gpt-3.5-turbo", "openai:gpt-6-luna"),
        ("gpt-4-turbo", "openai:gpt-6.1-sol"),
        ("gpt-4-vision", "openai:gpt-6.1-sol"),
        ("claude-3-haiku", "anthropic:claude-haiku-5-5"),
        ("claude-3-sonnet", "anthropic:claude-sonnet-5-5"),
        ("claude-3-opus", "anthropic:claude-opus-5-5"),
        ("claude-3-opus-20240229", "anthropic:claude-opus-5-5"),
    ],
)
def test_retired_name_of_the_seed_resolves_with_a_notice(retired: str, today: str) -> None:
    found = CATALOGUE.resolve(retired)
    assert found.model.full_name == today
    assert retired in found.notices[0]
    assert found.model.name in found.notices[0]


def test_retired_model_named_outright_is_kept_and_spoken_of() -> None:
    found = CATALOGUE.resolve("openai:gpt-3.5-turbo")
    assert found.model.full_name == "openai:gpt-3.5-turbo"
    assert "was retired on 2026-10-23" in found.notices[0]


def test_coming_retirement_is_announced_and_then_acted_upon() -> None:
    before, after = date(2026, 11, 29), date(2026, 11, 30)
    soon = Catalogue(today=before).resolve("claude-sonnet-4-5")
    assert soon.model.name == "claude-sonnet-4-5"
    assert "will be retired on 2026-11-30" in soon.notices[0]
    assert full("claude-sonnet-4-5", Catalogue(today=after)) == "anthropic:claude-sonnet-5-5"


def test_far_retirement_is_not_spoken_of() -> None:
    assert Catalogue(today=date(2026, 6, 1)).resolve("o3").notices == ()


def test_newer_model_of_a_known_family_goes_to_its_vendor_with_a_notice() -> None:
    for name, provider in [("claude-opus-9", "anthropic"), ("gpt-7", "openai"), ("o9", "openai")]:
        found = CATALOGUE.resolve(name)
        assert found.model == Model(provider, name)
        assert "not in the catalogue" in found.notices[0]


def test_typo_in_a_family_names_the_nearest() -> None:
    assert "did you mean 'claude-opus-5-5'" in CATALOGUE.resolve("claude-opsu-5-5").notices[0]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("fats", "did you mean 'fast'"),
        ("smolm2", "did you mean 'smollm2'"),
        ("lokal", "did you mean 'local'"),
        ("opneai:gpt-4o", "no provider is called 'opneai'; did you mean 'openai'"),
        ("groq:llama-3.1-8b-instant", "no provider is called 'groq'; register"),
        ("openrouter:openai/gpt-4o", "no provider is called 'openrouter'; register"),
        ("nobody:x", "no provider is called 'nobody'; there are anthropic, local, ollama"),
        ("nobody:x", "(a model of Ollama: ollama:nobody:x)"),
        ("nobody:gpt-4o", "no provider is called 'nobody'; there are"),
        ("nobody:openai/gpt-4o", "no provider is called 'nobody'; there are"),
        ("note: this", "no provider is called 'note'; there are"),
        ("what is this: x", "no model, role or alias"),
        ("what is this?", "no model, role or alias"),
        ("", "no model, role or alias"),
        ("openai:", "no model, role or alias"),
    ],
)
def test_name_that_means_nothing_is_one_line_with_the_nearest(name: str, says: str) -> None:
    with pytest.raises(UnknownModel, match=re.escape(says)):
        CATALOGUE.resolve(name)


def test_provider_of_the_users_own_counts_before_a_colon() -> None:
    assert full("groq:llama-3.1-8b", CATALOGUE.with_providers(["groq"])) == "groq:llama-3.1-8b"


def test_alias_may_name_a_model_a_role_or_another_alias() -> None:
    catalogue = CATALOGUE.with_aliases({"bob": "local:smollm2", "quick": "fast", "b": "bob"})
    assert [full(name, catalogue) for name in ("bob", "quick", "b")] == [
        "local:smollm2",
        "anthropic:claude-haiku-5-5",
        "local:smollm2",
    ]


def test_alias_wins_over_a_role_and_a_model_of_the_same_name() -> None:
    catalogue = CATALOGUE.with_aliases({"fast": "local:smollm2", "o3": "openai:gpt-6-luna"})
    assert full("fast", catalogue) == "local:smollm2"
    assert full("o3", catalogue) == "openai:gpt-6-luna"


def test_aliases_in_a_circle_are_one_line() -> None:
    with pytest.raises(UnknownModel, match="a -> b -> a"):
        CATALOGUE.with_aliases({"a": "b", "b": "a"}).resolve("a")


def test_role_takes_the_first_model_whose_provider_is_usable() -> None:
    no_key = {"anthropic": "no key"}
    assert full("strong", CATALOGUE.with_unusable(no_key)) == "openai:gpt-6.1-sol"
    keyless = CATALOGUE.with_unusable({**no_key, "openai": "no key"})
    assert {full(role, keyless) for role in ("fast", "balanced", "strong")} == {"local:smollm2"}
    # Nobody can: the first, so that the caller can say why.
    assert full("vision", keyless) == "anthropic:claude-sonnet-5-5"


def test_roles_can_be_redefined_and_added() -> None:
    catalogue = CATALOGUE.with_roles({"fast": ["ollama:llama3.2:3b"], "cheap": ["fast"]})
    assert full("cheap", catalogue) == "ollama:llama3.2:3b"


def test_role_that_holds_itself_is_one_line() -> None:
    with pytest.raises(UnknownModel, match="leads to no model"):
        CATALOGUE.with_roles({"odd": ["odd"]}).resolve("odd")


def test_needs_and_window_say_who_cannot_and_unknown_excludes_nobody() -> None:
    local = CATALOGUE.resolve("local:smollm2").model
    assert CATALOGUE.meets(local, {"vision"}, 10) == "no vision"
    assert CATALOGUE.meets(local, {"vision", "tools"}, 10) == "no tools and no vision"
    assert CATALOGUE.meets(local, (), 12_000) == "context window 8,192 < about 12,000 tokens"
    assert CATALOGUE.meets(local, {"json"}, 8_191) is None
    assert CATALOGUE.meets(Model("ollama", "x"), {"vision"}, 10**9) is None


def test_known_models_are_alive_and_resolve_to_themselves() -> None:
    known = CATALOGUE.known_models()
    assert "openai:gpt-6-luna" in known
    assert "openai:gpt-3.5-turbo" not in known
    assert [full(name) for name in known] == list(known)
    assert {"fast", "o3", "local:smollm2"} <= set(CATALOGUE.names())


def test_tables_agree_with_each_other() -> None:
    today = CATALOGUE.today.isoformat()
    heirs = [KNOWN[heir] for heir in REPLACEMENTS.values()]
    assert all(heir.retired_on is None for heir in heirs)
    assert {name for name, model in KNOWN.items() if model.retired_on} == set(REPLACEMENTS)
    for role, models in ROLES.items():
        found = [CATALOGUE.resolve(model).model for model in models]
        assert all(model.retired_on is None or model.retired_on > today for model in found), role
    vision = [CATALOGUE.resolve(model).model for model in ROLES["vision"]]
    assert all(CATALOGUE.meets(model, {"vision"}, 0) is None for model in vision)


def test_context_windows_are_those_that_genai_prices_lists() -> None:
    same_release("genai-prices")
    for model in KNOWN.values():
        listed = listed_context_tokens(model.provider, model.name)
        if listed is not None and model.context_tokens is not None:
            assert (model.name, model.context_tokens) == (model.name, listed)


def test_every_model_of_a_role_has_a_price() -> None:
    from datetime import UTC, datetime

    moment = datetime(2026, 11, 26, tzinfo=UTC)
    for name in {model for models in ROLES.values() for model in models}:
        model = CATALOGUE.resolve(name).model
        assert table(model.provider, model.name, moment) is not None, name


@pytest.mark.slow
def test_retirement_dates_are_those_of_the_vendors_packages() -> None:
    from datetime import datetime

    from anthropic.resources.messages import DEPRECATED_MODELS

    same_release("anthropic")
    for name, when in DEPRECATED_MODELS.items():
        if (model := KNOWN.get(name)) is not None:
            plain = re.sub(r"(?<=\d)(st|nd|rd|th)", "", when)
            moment = datetime.strptime(plain, "%B %d, %Y")  # noqa: DTZ007 - a day
            assert model.retired_on == moment.date().isoformat(), name


@pytest.mark.slow
def test_openai_retirement_dates_are_those_of_its_package() -> None:
    from pathlib import Path

    import openai

    same_release("openai")
    source = Path(openai.__file__).with_name("types") / "shared" / "chat_model.py"
    doc = " ".join(source.read_text(encoding="utf-8").split('"""')[1].split())
    for names, day in re.findall(r'- ("[^:]+): Announced shutdown date: ([\d-]+)', doc):
        for name in re.findall(r'"([^"]+)"', names):
            if (model := KNOWN.get(name)) is not None:
                assert model.retired_on == day, name


def test_importing_and_resolving_loads_nothing_heavy() -> None:
    code = (
        "import sys; from multimodel_magic.catalogue import Catalogue as C; C().resolve('fast');"
        "bad = {'genai_prices', 'pydantic', 'anthropic', 'openai'} & set(sys.modules);"
        "sys.exit(str(bad) if bad else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@given(st.text(max_size=40))
def test_any_text_resolves_or_is_unknown_and_always_the_same(name: str) -> None:
    try:
        first = CATALOGUE.resolve(name)
    except UnknownModel:
        return
    assert first == CATALOGUE.resolve(name)
    assert first.model.name


@given(st.sampled_from(sorted(KNOWN)), st.sampled_from([":", "/"]))
def test_provider_and_model_come_back_as_they_were_named(name: str, mark: str) -> None:
    provider = KNOWN[name].provider
    assert full(f"{provider}{mark}{name}") == f"{provider}:{name}"


def test_a_provider_of_one_model_stands_for_it():
    assert Catalogue().resolve("local").model.full_name == "local:smollm2"


@pytest.mark.parametrize(
    "catalogue",
    [
        Catalogue(),
        Catalogue()
        .with_aliases({"mine": "fast"})
        .with_roles({"fast": ["groq:llama"]})
        .with_providers(["groq"])
        .with_unusable({"openai": "no key"}),
    ],
)
def test_catalogue_travels_to_another_process_and_resolves_alike(catalogue: Catalogue) -> None:
    code = (
        "import pickle, sys; catalogue = pickle.loads(sys.stdin.buffer.read());"
        "print(*(catalogue.resolve(name).model.full_name for name in catalogue.names()))"
    )
    packed = pickle.dumps(catalogue)
    call = [sys.executable, "-c", code]
    done = subprocess.run(call, input=packed, capture_output=True, check=True)
    there = done.stdout.decode().split()
    assert there == [full(name, catalogue) for name in catalogue.names()]
    assert pickle.loads(packed) == catalogue  # noqa: S301 - our own
