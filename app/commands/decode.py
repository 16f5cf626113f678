"""``decode``: explains bytes of any protocol that an installed integration knows."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from app.commands.output import Refused, json_option, print_json
from app.commands.session import Session


@click.command()
@click.argument("protocol")
@click.argument("hex_text", metavar="[HEX…]", nargs=-1)
@json_option
@click.pass_obj
def decode(session: Session, protocol: str, hex_text: tuple[str, ...], as_json: bool) -> None:
    """Explain bytes. Without HEX one input is read per line: hex, or a JSON object as in a vector file."""
    decoders = session.catalogue.decoders()
    if protocol not in decoders:
        raise Refused(f"There is no decoder named “{protocol}”. Use one of: {', '.join(sorted(decoders))}.")
    inputs: Iterator[str] = iter(["".join(hex_text)] if hex_text else (line for line in sys.stdin if line.strip()))
    for text in inputs:
        try:
            data, context = _read_input(text)
        except ValueError as err:
            found: Sequence[Mapping[str, Any]] = [{"error": str(err)}]
        else:
            found = decoders[protocol](data, context)
        if as_json:
            print_json(list(found))
        else:
            _print_plainly(found)


def _read_input(text: str) -> tuple[bytes, Mapping[str, Any]]:
    """The bytes of one input and what else its object says. Raises ValueError with what to give instead."""
    text = text.strip()
    if text.startswith("{"):
        try:
            context = json.loads(text)
        except ValueError as err:
            raise ValueError(f"This line is not a complete JSON object: {err}.") from err
        if isinstance(context.get("text"), str) and "hex" not in context:
            return context["text"].encode("latin-1", "replace"), context
        text = context.get("hex", "")
        if not isinstance(text, str):
            raise ValueError("The field “hex” must be text.")
        return _bytes_of(text), context
    return _bytes_of(text), {}


def _bytes_of(text: str) -> bytes:
    digits = re.sub(r"0x|[\s:,-]", "", text, flags=re.IGNORECASE)
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise ValueError("This is not hex: give an even number of the digits 0-9 and a-f.") from None


def _print_plainly(found: Sequence[Mapping[str, Any]]) -> None:
    for index, fields in enumerate(found):
        if index:
            click.echo("")
        for name, value in fields.items():
            click.echo(f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")
