"""Keys and settings: found in the environment or a `.env`, shown nowhere."""

from __future__ import annotations

import logging
import pickle
import sys
from pathlib import Path

import pytest

from multimodel_magic.providers import keys
from multimodel_magic.providers.keys import Secret, setting

CANARY = "sk-canary-0123456789abcdef"


@pytest.fixture(autouse=True)
def _fresh() -> None:
    keys._dotenv.cache_clear()
    keys._warn.cache_clear()


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


@pytest.mark.parametrize("content", [b"X_API_KEY=\xe9\xff\n", None], ids=["latin-1", "unreadable"])
def test_a_dotenv_file_that_cannot_be_read_warns_once_and_calls_go_on(
    content: bytes | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if content is None:
        (tmp_path / ".env").symlink_to("/proc/self/mem")  # opens, for root too, and cannot be read
    else:
        (tmp_path / ".env").write_bytes(content)
    monkeypatch.chdir(tmp_path)
    for _ in range(3):
        keys._dotenv.cache_clear()
        assert setting("X_API_KEY") is None
    [record] = caplog.records
    assert str(tmp_path / ".env") in record.getMessage()
    assert record.levelname == "WARNING"


def test_a_folder_called_dotenv_is_no_file_of_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").mkdir()
    monkeypatch.chdir(tmp_path)
    assert setting("X_API_KEY") is None


def test_without_the_package_dotenv_calls_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ".env").write_text("X_API_KEY=from-file\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "dotenv", None)
    assert setting("X_API_KEY") is None
    assert "pip install python-dotenv" in caplog.text


def test_a_dotenv_file_with_a_byte_order_mark_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbfX_API_KEY=from-file\r\n")
    monkeypatch.chdir(tmp_path)
    assert setting("X_API_KEY") == "from-file"
