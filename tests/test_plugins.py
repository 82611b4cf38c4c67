import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from multimodel_magic import plugins
from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.config import parse_config
from multimodel_magic.errors import ConfigError, ProviderMissing, UsageError
from multimodel_magic.providers.scripted import ScriptedProvider
from multimodel_magic.routing import build_strategy


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install a third party's distribution that registers one of everything."""
    (tmp_path / "acme_llm.py").write_text("class Acme: ...\n")
    (tmp_path / "acme_syntax.py").write_text("def (\n")
    (tmp_path / "acme_ill.py").write_text(
        "class Ill:\n    def __init__(self): raise RuntimeError('no licence\\nat all')\n"
    )
    (tmp_path / "acme_broken.py").write_text("import acme_sdk_that_is_not_here\n")
    info = tmp_path / "acme_llm-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-llm\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[multimodel_magic.providers]\n"
        "acme = acme_llm:Acme\n"
        "acme-broken = acme_broken:Acme\n"
        "acme-old = acme_llm:Gone\n"
        "acme-syntax = acme_syntax:Acme\n"
        "acme-ill = acme_ill:Ill\n"
        "openai = acme_llm:Acme\n"
        "[multimodel_magic.strategies]\n"
        "astrology = acme_llm:Acme\n"
        "ill = acme_ill:Ill\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins.rescan()
    yield
    plugins.rescan()
    for name in ("acme_llm", "acme_broken", "acme_syntax", "acme_ill"):
        sys.modules.pop(name, None)


def test_own_providers_are_there_even_in_a_plain_checkout() -> None:
    names = plugins.provider_names()
    assert {"anthropic", "local", "ollama", "openai", "scripted"} <= set(names)
    assert list(names) == sorted(names)


def test_own_table_says_what_the_packaging_says() -> None:
    packaged = entry_points(group=plugins.PROVIDERS)
    ours = {e.name: e.value for e in packaged if e.value.startswith("multimodel_magic.")}
    assert ours == plugins._OWN[plugins.PROVIDERS]


def test_provider_is_loaded_by_name() -> None:
    assert plugins.load_provider("scripted") is ScriptedProvider


def test_unknown_names_name_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"no provider is called 'opnai'; did you mean 'openai'"):
        plugins.load_provider("opnai")
    with pytest.raises(UsageError, match="no strategy is called 'zzz'; there are"):
        plugins.load_strategy("zzz")


@pytest.mark.usefixtures("stranger")
def test_strangers_provider_and_strategy_are_found_by_name() -> None:
    assert "acme" in plugins.provider_names()
    assert "astrology" in plugins.strategy_names()
    assert plugins.load_provider("acme").__name__ == "Acme"
    assert plugins.load_strategy("astrology").__name__ == "Acme"


@pytest.mark.usefixtures("stranger")
def test_missing_package_is_named_with_the_command_that_installs_it() -> None:
    with pytest.raises(ProviderMissing, match="pip install acme-sdk-that-is-not-here"):
        plugins.load_provider("acme-broken")


@pytest.mark.usefixtures("stranger")
def test_stale_registration_is_one_line() -> None:
    with pytest.raises(ProviderMissing, match=r"acme_llm:Gone.*does not exist"):
        plugins.load_provider("acme-old")


@pytest.mark.usefixtures("stranger")
def test_a_package_that_cannot_be_imported_or_made_is_one_line() -> None:
    with pytest.raises(ProviderMissing, match="'acme-syntax' cannot be imported: SyntaxError"):
        plugins.load_provider("acme-syntax")
    for make, name in ((plugins.make_provider, "acme-ill"), (plugins.make_strategy, "ill")):
        with pytest.raises(
            ProviderMissing, match=f"'{name}' cannot be made: RuntimeError: no lice"
        ):
            make(name)


@pytest.mark.usefixtures("stranger")
@pytest.mark.parametrize("where", ["strategy", "rules.0.strategy"])
def test_a_file_that_names_a_broken_package_is_told_its_line(where: str) -> None:
    rule = "rules: [{strategy: ill}]" if "rules" in where else "strategy: ill"
    config = parse_config(f"routing:\n  {rule}\n")
    with pytest.raises(ConfigError, match=rf"yml:2: routing\.{where}: the strategy 'ill' cannot"):
        build_strategy(config)


@pytest.mark.usefixtures("stranger")
async def test_a_broken_package_stops_no_request_to_others() -> None:
    client = UnifiedLLMClient()
    assert (await client.generate("Hi", "scripted:echo")).provider == "scripted"
    unusable = await client.survey()
    assert "no licence" in unusable["acme-ill"]
    assert "SyntaxError" in unusable["acme-syntax"]


@pytest.mark.usefixtures("stranger")
def test_stranger_cannot_take_the_place_of_a_provider_of_ours() -> None:
    assert plugins._entries(plugins.PROVIDERS)["openai"].value.startswith("multimodel_magic.")
