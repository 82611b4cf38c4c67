"""Keys and settings: found in the environment or a `.env`, shown nowhere."""

from __future__ import annotations

import logging
import pickle
from pathlib import Path

import pytest

from multimodel_magic.providers import keys
from multimodel_magic.providers.keys import Secret, setting

CANARY = "sk-canary-0123456789abcdef"


@pytest.fixture(autouse=True)
def _fresh() -> None:
    keys._dotenv.cache_clear()


def test_a_secret_shows_in_no_representation() -> None:
    secret = Secret(CANARY)
    record = logging.LogRecord("x", 20, "f", 1, "key %s %r", (secret, secret), None)
    shown = [repr(secret), str(secret), f"{secret}", f"{[secret]}", record.getMessage()]
    assert not any(CANARY in text for text in shown)
    assert CANARY.encode() not in pickle.dumps(secret)
    assert secret.reveal() == CANARY


def test_a_pickled_secret_arrives_empty() -> None:
    assert not pickle.loads(pickle.dumps(Secret(CANARY)))  # noqa: S301


def test_a_pasted_key_loses_the_newline_around_it() -> None:
    assert Secret(f" {CANARY}\n").reveal() == CANARY


@pytest.mark.parametrize("key", ["sk-\x00abc", "sk-ключ", "sk-a\nb"])
def test_a_key_that_no_header_can_hold_is_told_apart(key: str) -> None:
    assert not Secret(key).is_sendable()


def test_two_keys_have_two_marks_that_show_neither() -> None:
    assert Secret("a" * 20).mark() != Secret("b" * 20).mark()
    assert len(Secret("a" * 20).mark()) == 8


def test_the_environment_wins_over_a_dotenv_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("X_API_KEY=from-file\nY_API_KEY=a$b${HOME}\n", encoding="utf-8")
    (tmp_path / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep" / "er")
    monkeypatch.delenv("X_API_KEY", raising=False)
    assert setting("X_API_KEY") == "from-file"
    assert setting("Y_API_KEY") == "a$b${HOME}"
    assert setting("Z_API_KEY") is None
    monkeypatch.setenv("X_API_KEY", "from-environment")
    assert setting("X_API_KEY") == "from-environment"
