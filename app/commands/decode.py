"""``decode``: explains bytes of any protocol that an installed integration knows."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from app.commands.output import Refused, json_option, print_facts, print_json
from app.commands.session import Session

if TYPE_CHECKING:
    from adapters.base import Decoder


@click.command()
@click.argument("protocol")
@click.argument("hex_text", metavar="[HEX…]", nargs=-1)
@json_option
@click.pass_obj
def decode(session: Session, protocol: str, hex_text: tuple[str, ...], as_json: bool) -> None:
    """Explain bytes. Without HEX one input is read per line.

    A line is hex, a line of a candump log, or a JSON object: with hex or text, for j1939 with can_id and data or with
    frames, for elm327 with command and reply_hex.
    """
    decoders = session.catalogue.decoders()
    if protocol not in decoders:
        raise Refused(f"There is no decoder named “{protocol}”. Use one of: {', '.join(sorted(decoders))}.")
    inputs: Iterable[str] = ["".join(hex_text)] if hex_text else (line for line in sys.stdin if line.strip())
    for index, text in enumerate(inputs):
        found = explain(decoders[protocol], text.strip())
        if as_json:
            print_json(found)
        else:
            _print_plainly(found, first=index == 0)


def explain(decoder: Decoder, text: str) -> list[Mapping[str, Any]]:
    """What one input says; an input that is refused costs itself alone."""
    try:
        data, context = _read_input(text)
    except ValueError as err:
        return [{"error": str(err)}]
    try:
        return list(decoder(data, context))
    except Exception as err:  # noqa: BLE001 - a decoder may be a third party's
        return [{"error": f"The decoder failed on this input ({type(err).__name__}: {err})."}]


def _read_input(text: str) -> tuple[bytes, Mapping[str, Any]]:
    """The bytes of one input and what else its object says. Raises ValueError with what to give instead."""
    if text.startswith("("):  # a line of a candump log, or a text that a tracker sent
        return text.encode("latin-1", "replace"), {}
    if not text.startswith("{"):
        return _bytes_of(text), {}
    try:
        context = json.loads(text)
    except RecursionError:
        raise ValueError("This JSON object is nested too deeply.") from None
    except ValueError as err:
        raise ValueError(f"This line is not a complete JSON object: {err}.") from err
    if isinstance(context.get("text"), str) and "hex" not in context:
        return context["text"].encode("latin-1", "replace"), context
    return _bytes_of(str(context.get("hex", ""))), context


def _bytes_of(text: str) -> bytes:
    digits = re.sub(r"0x|[\s:,-]", "", text, flags=re.IGNORECASE)
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise ValueError("This is not hex: give an even number of the digits 0-9 and a-f.") from None


def _print_plainly(found: Sequence[Mapping[str, Any]], *, first: bool) -> None:
    """A line per field, and an empty one between frames."""
    for index, fields in enumerate(found):
        if index or not first:
            click.echo("")
        print_facts(fields, as_json=False)
