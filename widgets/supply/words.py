"""Words, shapes and colours for what supply records say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.supply.ages import Age
from app.supply.filters import Expiry, Horizon, Levels, StockClass
from app.supply.queries_items import ItemListing
from resources.i18n import tr
from widgets.formats import NOTHING, Formats
from widgets.theme import Level

Pill = tuple[Level, str]

STALE_MS = 24 * 3_600_000
"""A picture of stock older than a day is shown as old."""

STOCK_CLASSES: Mapping[StockClass, Pill] = {
    StockClass.STOCKED_OUT: ("error", tr("Stocked out")),
    StockClass.UNDER: ("warn", tr("Under-stocked")),
    StockClass.ADEQUATE: ("ok", tr("Adequate")),
    StockClass.OVER: ("info", tr("Over-stocked")),
    StockClass.UNKNOWN: ("neutral", tr("Unknown")),
}

REQUISITION_STAGES: Mapping[str, Pill] = {
    "draft": ("neutral", tr("Draft")),
    "submitted": ("info", tr("Submitted")),
    "in_approval": ("info", tr("In approval")),
    "approved": ("ok", tr("Approved")),
    "ordered": ("ok", tr("Ordered")),
    "rejected": ("error", tr("Rejected")),
    "closed": ("neutral", tr("Closed")),
    "skipped": ("neutral", tr("Skipped")),
    "unknown": ("warn", tr("Unknown")),
}
SHIPMENT_STAGES: Mapping[str, Pill] = {
    "ordered": ("neutral", tr("Ordered")),
    "new": ("neutral", tr("New")),
    "allocated": ("info", tr("Allocated")),
    "picked": ("info", tr("Picked")),
    "shipped": ("info", tr("Shipped")),
    "delivered": ("ok", tr("Delivered")),
    "received": ("ok", tr("Received")),
    "verified": ("ok", tr("Verified")),
    "cancelled": ("error", tr("Cancelled")),
    "unknown": ("warn", tr("Unknown")),
}
SIDES: Mapping[str, str] = {
    "request": tr("We ask"),
    "response": tr("We supply"),
    "outbound": tr("Outbound"),
    "inbound": tr("Inbound"),
}
FIELDS: Mapping[str, str] = {
    "stage": tr("Stage"),
    "status": tr("Status"),
    "requested_units": tr("Requested"),
    "approved_units": tr("Approved"),
    "supply_units": tr("To supply"),
    "stock_units": tr("Stock on hand"),
    "opening_units": tr("Opening"),
    "received_units": tr("Received"),
    "consumed_units": tr("Consumed"),
    "adjusted_units": tr("Adjusted"),
    "stockout_days": tr("Stock-out days"),
    "units": tr("Units"),
    "accepted_units": tr("Accepted"),
    "rejected_units": tr("Rejected units"),
    "rejection_reason": tr("Why rejected"),
    "batch": tr("Batch"),
    "comment": tr("Comment"),
    "reference": tr("Reference"),
    "transport_reference": tr("Transport"),
    "received_by": tr("Received by"),
    "delivered_by": tr("Delivered by"),
    "received_on": tr("Received on"),
    "expected_on": tr("Expected on"),
    "is_emergency": tr("Emergency"),
    "is_on_hold": tr("On hold"),
}
"""What fields are called where a change of them waits."""


def units(value: float | None, formats: Formats, unit: str = "") -> str:
    """``1,200 tablets``; whole numbers without decimals, others with two at most."""
    if value is None:
        return NOTHING
    text = formats.number(value) if value == round(value) else formats.number(value, 2).rstrip("0")
    return f"{text} {unit}" if unit else text


def months(value: float | None, formats: Formats) -> str:
    return NOTHING if value is None else formats.number(value, 1)


def stock_pill(item: ItemListing, levels: Levels) -> Pill:
    return STOCK_CLASSES[item.stock_class(levels)]


def stock_tip(item: ItemListing, levels: Levels, formats: Formats) -> str:
    """Why an item is called what it is called."""
    found = item.stock_class(levels)
    if item.units is None:
        return tr("No stock line speaks of this item.")
    if found is StockClass.STOCKED_OUT:
        if item.expired_units > 0:
            return tr("All that is in stock has expired.")
        return tr("Nothing is in stock.")
    if item.months is None:
        return tr("No facility tells how much of it is consumed in a month.")
    return tr(
        "Usable stock lasts {months} months. Adequate is {least} to {most}.",
        months=months(item.months, formats),
        least=f"{levels.least_months:g}",
        most=f"{levels.most_months:g}",
    )


def expiry_pill(expires_on: str | None, horizon: Horizon) -> Pill | None:
    """The day is in the word, so that it is read without the colour; None where no day is told."""
    found = horizon.of(expires_on)
    if expires_on is None:
        return None
    if found is Expiry.EXPIRED:
        return "error", tr("Expired {day}", day=expires_on)
    if found is Expiry.SOON:
        return "warn", tr("Soon {day}", day=expires_on)
    return "ok", expires_on


def expiry_word(expires_on: str | None, horizon: Horizon) -> str:
    pill = expiry_pill(expires_on, horizon)
    return NOTHING if pill is None else pill[1]


def requisition_pill(stage: str) -> Pill:
    return REQUISITION_STAGES.get(stage, ("warn", stage))


def shipment_pill(stage: str) -> Pill:
    return SHIPMENT_STAGES.get(stage, ("warn", stage))


def age_word(age: Age, now_ms: int, formats: Formats) -> str:
    """How old a row is: ``12 min``, or ``never read``."""
    if age.last_read_ms is None:
        return tr("never read")
    return formats.span(max(0.0, (now_ms - age.last_read_ms) / 1000))


def age_pill(age: Age, now_ms: int, formats: Formats) -> Pill | None:
    """A pill where the age deserves one; None while it is fresh."""
    if age.trouble:
        return "error", age_word(age, now_ms, formats)
    if age.last_read_ms is None or now_ms - age.last_read_ms > STALE_MS:
        return "warn", age_word(age, now_ms, formats)
    return None


def age_tip(age: Age, formats: Formats) -> str:
    read = tr("Read {time}.", time=formats.time(age.last_read_ms)) if age.last_read_ms is not None else ""
    return " ".join(filter(None, (read or tr("It was never read to its end."), age.trouble)))


def field_value(name: str, value: Any, formats: Formats) -> str:
    """One value of a field as the operator reads it."""
    if value is None or value == "":
        return tr("nothing")
    if isinstance(value, bool):
        return tr("yes") if value else tr("no")
    if name == "stage":
        pill = REQUISITION_STAGES.get(str(value)) or SHIPMENT_STAGES.get(str(value))
        return pill[1] if pill else str(value)
    if isinstance(value, (int, float)):
        return units(float(value), formats)
    return str(value)


def pending_words(pending: Mapping[str, Any], formats: Formats) -> str:
    """What waits on a row, e.g. ``Requested 500, Comment urgent``."""
    parts = (f"{FIELDS.get(name, name)} {field_value(name, value, formats)}" for name, value in pending.items())
    return ", ".join(parts)


def waiting_pill(pending: Mapping[str, Any], waiting_lines: int) -> Pill | None:
    """Said of a paper on which changes wait, whatever they are."""
    if not pending and not waiting_lines:
        return None
    return "info", tr("Waits to be sent")
