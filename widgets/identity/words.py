"""Words, shapes and colours of the identity map."""

from __future__ import annotations

from collections.abc import Mapping

from app.identity.kinds import Known
from app.identity.listing import SuggestionListing
from resources.i18n import tr
from widgets.theme import Level

KIND_WORDS: Mapping[str, str] = {
    "facility": tr("Facilities"),
    "item": tr("Items"),
    "program": tr("Programmes"),
    "vehicle": tr("Vehicles"),
    "driver": tr("Drivers"),
}
ONE_OF: Mapping[str, str] = {
    "facility": tr("facility"),
    "item": tr("item"),
    "program": tr("programme"),
    "vehicle": tr("vehicle"),
    "driver": tr("driver"),
}
STRENGTHS: Mapping[str, tuple[Level, str]] = {
    "sure": ("ok", tr("Sure")),
    "likely": ("info", tr("Likely")),
    "possible": ("warn", tr("Possible")),
}
HOW_WORDS: Mapping[str, str] = {
    "code": tr("by code"),
    "gtin": tr("by GTIN"),
    "email": tr("by e-mail"),
    "phone": tr("by phone"),
    "name": tr("by name"),
    "place": tr("by place"),
    "operator": tr("by hand"),
}
ACTS: Mapping[str, tuple[Level, str]] = {
    "merge": ("ok", tr("Joined")),
    "split": ("warn", tr("Split")),
    "decline": ("neutral", tr("Not the same")),
    "undo": ("info", tr("Undone")),
}


def strength_pill(row: SuggestionListing) -> tuple[Level, str]:
    return STRENGTHS[row.word]


def source_word(record: Known) -> str:
    """The system a record comes from; vehicles are this console's own."""
    return record.source or tr("This console")


def facts_of(kind: str, record: Known) -> list[tuple[str, str]]:
    """What tells a record apart, for the two columns side by side."""
    if kind == "vehicle":
        return [(tr("Plate"), record.code), (tr("Model"), record.detail)]
    if kind == "driver":
        return [
            (tr("E-mail"), record.email), (tr("Phone"), record.phone), (tr("Licence"), record.code),
            (tr("Id there"), record.peer_id),
        ]  # fmt: skip
    facts = [(tr("Code"), record.code)]
    if kind == "item":
        facts += [(tr("Unit"), record.detail), (tr("GTIN"), record.gtin)]
    elif kind == "facility":
        place = f"{record.lat:.5f}, {record.lon:.5f}" if record.lat is not None and record.lon is not None else ""
        facts += [(tr("Zone"), record.zone), (tr("Place"), place)]
    return [*facts, (tr("Id there"), record.peer_id)]
