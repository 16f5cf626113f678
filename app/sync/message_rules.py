"""The rules for pushed messages as an operator edits them: in force, tried on a stored message, saved.

Each saved text is a file of its own in the data folder, named by its content, so that what an older one made of a
message can be looked up; the integration's setting names the one in force.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Connection

from adapters.base import Settings
from adapters.errors import AdapterError, RecordRejected, SettingsInvalid
from adapters.records import Rejected
from adapters.rulebooks import RuleBook
from app.catalogue import Catalogue
from app.integrations.changes import Desk, change
from app.integrations.rows import configured
from app.integrations.settings import placeholders, validate
from app.security.redaction import redact_text
from app.sync.errors import ChangeRefused

MOST_SHOWN = 200
"""Records of a trial that are put into words."""
LONGEST_VALUE = 120


@dataclass(frozen=True, slots=True)
class RulesInForce:
    """``text`` is "" where there are none; ``problem`` says why those of the settings cannot be read."""

    integration_id: str
    name: str
    settings: Settings
    book: RuleBook
    text: str
    problem: str


@dataclass(frozen=True, slots=True)
class Meant:
    """One record that a message would bring. ``why`` is set where its element cannot be one."""

    kind: str
    words: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """What a message would mean; nothing of it is stored.

    ``count`` are its elements, ``aside`` those that cannot be a record. ``why`` is set where it means nothing.
    """

    records: tuple[Meant, ...] = ()
    count: int = 0
    aside: int = 0
    fetch: tuple[str, ...] = ()
    why: str = ""


def rules_in_force(connection: Connection, catalogue: Catalogue, integration_id: str) -> RulesInForce:
    """Raises UnknownIntegration, Unsupported, SettingsRefused."""
    found = configured(connection, integration_id)
    book = catalogue.rule_book(found.type)
    settings = validate(catalogue, found.type, found.config, placeholders(catalogue, found.type))
    try:
        text, problem = book.text(settings), ""
    except SettingsInvalid as err:
        text, problem = "", err.why
    return RulesInForce(integration_id, found.name, settings, book, text, problem)


def try_rules(book: RuleBook, text: str, body: bytes) -> Trial:
    """What a body would mean by a text; whatever is wrong with either is the answer, never an error."""
    try:
        meaning = book.translate(text, body)
    except (RecordRejected, AdapterError) as err:
        return Trial(why=err.why)
    records = tuple(_meant(record) for record in list(meaning.records)[:MOST_SHOWN])
    aside = sum(isinstance(record, Rejected) for record in meaning.records)
    return Trial(records, len(meaning.records), aside, meaning.fetch)


def save_rules(desk: Desk, folder: Path, integration_id: str, text: str) -> Path:
    """Keep rules as those in force; the engine takes them at once. Blocks.

    Raises ChangeRefused with every fault, or where the disk refuses, and what changing an integration raises.
    """
    with desk.store.read() as connection:
        now = rules_in_force(connection, desk.catalogue, integration_id)
    faults = now.book.faults(text)
    if faults:
        raise ChangeRefused(" ".join(f"{fault.why[:1].upper()}{fault.why[1:]}" for fault in faults[:5]))
    path = folder / f"{integration_id}-{sha256(text.encode()).hexdigest()[:10]}.json"
    part = path.with_name(f"{path.name}.part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with part.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as err:
        part.unlink(missing_ok=True)
        raise ChangeRefused(
            f"{path} cannot be written: {err.strerror}. Make room on the disk, then save again."
        ) from err
    change(desk, integration_id, values={now.book.field: str(path)})
    return path


def _meant(record: object) -> Meant:
    if isinstance(record, Rejected):
        return Meant("", _shown(record.sample), f"{record.key}: {record.why}")
    kind = type(record).__name__
    words = "".join(f" {char.lower()}" if char.isupper() else char for char in kind).strip().capitalize()
    return Meant(words, "; ".join(_fields(record)))


def _fields(record: object) -> Sequence[str]:
    """Every field that holds something, by its name; lines are counted and their first ones shown."""
    found = []
    for field in dataclasses.fields(record):  # type: ignore[arg-type]
        value = getattr(record, field.name)
        if value is None or value in ("", ()) or value == field.default:
            continue
        if field.name == "lines":
            lines = [", ".join(_fields(line)) for line in list(value)[:20]]
            found.append(f"{len(value)} lines" + "".join(f"\n    {line}" for line in lines))
        else:
            found.append(f"{field.name} {_shown(value)}")
    return found


def _shown(value: object) -> str:
    text = redact_text(str(value))
    return "".join(char if char.isprintable() else " " for char in text[:LONGEST_VALUE])
