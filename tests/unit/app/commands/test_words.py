from __future__ import annotations

from pathlib import Path

import click
import pytest
from pydantic import SecretStr

from adapters.base import Settings, setting
from app.commands.words import read_fields, read_pair, read_secret, read_secrets


class Door(Settings):
    host: str = setting("Host", "host")
    token: SecretStr = setting("Token", "secret", default="")


def test_values_keep_what_follows_the_first_equals_sign() -> None:
    assert read_fields(Door, ["host=a=b"]) == {"host": "a=b"}
    assert read_pair("vehicle=") == ("vehicle", "")


@pytest.mark.parametrize("word", ["host", "nosuch=1", "token=hush", "token"])
def test_other_words_are_wrong_usage_and_never_repeat_a_secret(word: str) -> None:
    with pytest.raises(click.UsageError) as refusal:
        read_fields(Door, [word])
    assert "hush" not in refusal.value.message


def test_a_secret_is_read_from_a_variable_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOOR_TOKEN", "from the environment")
    (tmp_path / "token").write_text("from a file\n", encoding="utf-8")
    assert read_secrets(Door, ["token=env:DOOR_TOKEN"]) == {"token": "from the environment"}
    assert read_secret("token", f"file:{tmp_path / 'token'}") == "from a file"


@pytest.mark.parametrize("source", ["hush", "env:", "env:NO_SUCH_VARIABLE_HERE", "file:/no/such/file", "file:"])
def test_other_sources_are_wrong_usage(source: str) -> None:
    with pytest.raises(click.UsageError) as refusal:
        read_secret("token", source)
    assert "hush" not in refusal.value.message


def test_a_file_that_is_no_text_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"\xff\xfehush")
    with pytest.raises(click.UsageError, match="no text"):
        read_secret("token", f"file:{tmp_path / 'token'}")


def test_only_secrets_are_given_as_secrets() -> None:
    with pytest.raises(click.UsageError, match="There are: token"):
        read_secrets(Door, ["host=env:HOME"])
