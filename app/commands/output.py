"""How commands print: results on standard output, everything else on standard error, refusals as one sentence."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import click

from app.fleet.times import iso

__all__ = ["Refused", "cell", "iso", "json_option", "print_facts", "print_json", "print_rows"]

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
"""Every subcommand takes it; the value arrives as ``as_json``."""


_STEERING = re.compile(r"[\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""What JSON leaves as it is and a terminal obeys, or a stream cannot carry."""


class Refused(click.ClickException):
    """The command did not do what was asked: exit status 1 and one plain sentence."""

    exit_code = 1

    def show(self, file: Any = None) -> None:
        click.echo(cell(self.format_message()), err=True, file=file)


def print_json(value: object) -> None:
    text = json.dumps(value, default=_plain, ensure_ascii=False)
    click.echo(_STEERING.sub(lambda found: f"\\u{ord(found.group()):04x}", text))


def print_rows(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    """Rows as one JSON list, or as an aligned table with the columns' names on top."""
    rows = list(rows)
    if as_json:
        print_json(rows)
        return
    lines = [[name.replace("_", " ") for name in columns]]
    lines += [[cell(row.get(name)) for name in columns] for row in rows]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def print_facts(facts: Mapping[str, Any], *, as_json: bool) -> None:
    """One JSON object, or a line per fact."""
    if as_json:
        print_json(facts)
        return
    for name, value in facts.items():
        click.echo(f"{name.replace('_', ' ')}: {cell(value)}")


def cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, (list, tuple)):
        return ", ".join(cell(item) for item in value) or "-"
    if isinstance(value, Mapping):
        return json.dumps(value, default=_plain, ensure_ascii=False)
    # Text from outside stays on its line and cannot steer the terminal.
    return "".join(character if character.isprintable() else " " for character in str(value))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    raise TypeError(f"{type(value).__name__} cannot be printed as JSON")
