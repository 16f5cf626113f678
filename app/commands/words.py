"""Words of the form ``field=value`` on a command line, and secrets, of which only the place is a word."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from adapters.base import Settings, settings_form


def read_pair(word: str) -> tuple[str, str]:
    """Field and value of ``FIELD=VALUE``. Raises UsageError."""
    field, equals, value = word.partition("=")
    if not equals or not field:
        raise click.UsageError(f"“{word}” is not of the form FIELD=VALUE.")
    return field, value


def read_fields(model: type[Settings], words: Sequence[str]) -> dict[str, str]:
    """Values for a settings model, which judges them itself. Raises UsageError."""
    specs = {spec.name: spec for spec in settings_form(model)}
    values: dict[str, str] = {}
    for word in words:
        field, _, value = word.partition("=")
        spec = specs.get(field)
        if spec is None:
            raise click.UsageError(f"There is no setting “{field}”. There are: {', '.join(specs)}.")
        if spec.is_secret:  # before the form is judged: a message about it would show the secret
            raise click.UsageError(f"“{field}” is a secret: give it as --secret {field}=env:VARIABLE or file:PATH.")
        read_pair(word)
        values[field] = value
    return values


def read_secrets(model: type[Settings], words: Sequence[str]) -> dict[str, str]:
    """Secrets from where ``FIELD=env:VAR`` and ``FIELD=file:PATH`` say. Raises UsageError."""
    known = [spec.name for spec in settings_form(model) if spec.is_secret]
    found: dict[str, str] = {}
    for word in words:
        field, _, source = word.partition("=")
        if field not in known:
            raise click.UsageError(f"There is no secret “{field}”. There are: {', '.join(known) or 'none'}.")
        found[field] = read_secret(field, source)
    return found


def read_secret(name: str, source: str) -> str:
    """The secret ``name`` from ``env:VARIABLE`` or ``file:PATH``. Raises UsageError, which never shows the secret."""
    kind, _, place = source.partition(":")
    if kind == "env" and place:
        if place not in os.environ:
            raise click.UsageError(f"The environment variable {place} is not set.")
        return os.environ[place]
    if kind == "file" and place:
        try:
            return Path(place).read_text(encoding="utf-8").strip("\r\n")
        except UnicodeDecodeError:
            raise click.UsageError(f"The file {place} is no text.") from None
        except OSError as err:
            raise click.UsageError(f"The file {place} cannot be read: {err.strerror}.") from None
    raise click.UsageError(f"Give the secret “{name}” as env:VARIABLE or file:PATH.")
