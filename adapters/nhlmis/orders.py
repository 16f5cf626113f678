"""An order of NHLMIS as a requisition that we supply (nhlmis.md, A4; C2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.errors import RecordRejected
from adapters.nhlmis import fields, paths
from adapters.nhlmis.patterns import find_funder
from adapters.nhlmis.profile import Profile
from adapters.supply import Facility, Item, Requisition, RequisitionLine, RequisitionStage
from adapters.vocabulary import JsonScalar

MOST_LINES = 5000
LONGEST_ID = 200


def order_id(profile: Profile, raw: object) -> str:
    """The id by which an order is known again; "" where it has none."""
    found = fields.text(paths.read(raw, profile.fields.order.id), LONGEST_ID + 1)
    return found if len(found) <= LONGEST_ID else ""


def read_order(profile: Profile, raw: object, pack_sizes: Mapping[str, float]) -> Requisition:
    """One order. Raises RecordRejected for one that cannot be supplied as it stands: a line is never left out.

    Quantities in packs become units where the size of the pack is known: from the line, else from ``pack_sizes`` (item
    code to units). Where it is not, the units stay unknown and the packs stand in the line's attributes.
    """
    known = order_id(profile, raw)
    if not isinstance(raw, dict) or not known:
        raise RecordRejected("an order", "An order has no usable id. Check “fields.order.id” in the profile.")
    at = profile.fields.order
    key = f"order {known}"
    customer = fields.text(paths.read(raw, at.customer_code), 200)
    if not customer:
        raise RecordRejected(key, "It names no customer. Check “fields.order.customer_code” in the profile.")
    lines = paths.read(raw, at.lines)
    if not isinstance(lines, list) or len(lines) > MOST_LINES:
        raise RecordRejected(key, "It has no usable list of lines. Check “fields.order.lines” in the profile.")
    zone = profile.formats.read_zone_min
    created = fields.time_ms(paths.read(raw, at.created), zone) if at.created else None
    status = fields.text(paths.read(raw, at.status), 40) if at.status else ""
    funder = _funder(profile, raw)
    attributes = {"funder": funder, "customer_name": _text(raw, at.customer_name, 300)}
    taken: set[str] = set()
    return Requisition(
        peer_id=known,
        number=_text(raw, at.number, 60) or known[:60],
        side="response",
        status=status,
        stage=_stage(profile, status),
        facility=customer,
        supplier=_text(raw, at.store_code, 200),
        program=_text(raw, at.program, 200),
        created_ms=created,
        sent_ms=created,
        changed_ms=fields.time_ms(paths.read(raw, at.changed), zone) if at.changed else None,
        comment=fields.long_text(paths.read(raw, at.comment), 4000) if at.comment else "",
        lines=tuple(_line(profile, line, number, pack_sizes, taken, key) for number, line in enumerate(lines, 1)),
        attributes={name: value for name, value in attributes.items() if value} or None,
    )


def people_of(order: Requisition) -> list[Facility]:
    """The facilities that an order points at; codes are the ids."""
    name = str((order.attributes or {}).get("customer_name") or order.facility)
    found = [Facility(order.facility, order.facility[:100], name)]
    if order.supplier:
        found.append(Facility(order.supplier, order.supplier[:100], order.supplier, kind="store", is_ours=True))
    return found


def items_of(profile: Profile, order: Requisition, raw: object) -> list[Item]:
    """The items that an order points at. A pack whose size nobody tells is marked so, and counts as one unit."""
    told = paths.read(raw, profile.fields.order.lines)
    found = []
    for line, one in zip(order.lines or (), told if isinstance(told, list) else (), strict=False):
        size = (line.attributes or {}).get("pack_size")
        known = isinstance(size, float)
        name = _text(one, profile.fields.order_line.item_name, 300) or line.item
        note = None if known else {"pack_size": "not told"}
        pack = float(size) if isinstance(size, float) else 1.0
        found.append(Item(line.item, line.item[:100], name, pack_size=pack, attributes=note))
    return found


def read_item(profile: Profile, raw: object) -> Item:
    """One item of the optional list of items. Raises RecordRejected."""
    at = profile.fields.item
    code = fields.text(paths.read(raw, at.code), 100)
    if not code:
        raise RecordRejected("an item", "An item has no code. Check “fields.item.code” in the profile.")
    size = fields.number(paths.read(raw, at.pack_size)) if at.pack_size else None
    known = size is not None and size > 0
    note = None if known else {"pack_size": "not told"}
    pack = size if size is not None and known else 1.0
    return Item(code, code, _text(raw, at.name, 300) or code, _text(raw, at.unit, 60), pack, attributes=note)


def read_customer(profile: Profile, raw: object) -> Facility:
    """One customer of the optional list of customers. Raises RecordRejected."""
    at = profile.fields.customer
    code = fields.text(paths.read(raw, at.code), 100)
    if not code:
        raise RecordRejected("a customer", "A customer has no code. Check “fields.customer.code” in the profile.")
    return Facility(code, code, _text(raw, at.name, 300) or code, zone=_text(raw, at.zone, 200))


def _line(
    profile: Profile, raw: object, number: int, pack_sizes: Mapping[str, float], taken: set[str], key: str
) -> RequisitionLine:
    at = profile.fields.order_line
    item = fields.text(paths.read(raw, at.item_code), 200)
    if not item:
        raise RecordRejected(key, f"Its line {number} names no item. Check “fields.order_line.item_code”.")
    quantity = fields.number(paths.read(raw, at.quantity))
    if quantity is None or quantity < 0:
        raise RecordRejected(
            key, f"Its line {number} ({item}) asks for no possible quantity. Ask the customer, or the NHLMIS team."
        )
    size = fields.number(paths.read(raw, at.pack_size)) if at.pack_size else None
    if size is None or size <= 0:
        size = pack_sizes.get(item)
    counts_packs = profile.units.orders == "packs"
    units = quantity if not counts_packs else quantity * size if size else None
    told: dict[str, JsonScalar] = {"ordered_packs": quantity} if counts_packs else {}
    if size:
        told["pack_size"] = size
    line_id = _unused(_text(raw, at.id, 150) or item[:150], taken)
    comment = _text(raw, at.comment, 1000)
    return RequisitionLine(line_id, item, requested_units=units, comment=comment, attributes=told or None)


def _unused(wanted: str, taken: set[str]) -> str:
    found, count = wanted, 1
    while found in taken:
        count += 1
        found = f"{wanted}#{count}"
    taken.add(found)
    return found


def _text(raw: object, path: str, longest: int) -> str:
    return fields.text(paths.read(raw, path), longest) if path else ""


def _funder(profile: Profile, raw: Any) -> str:
    rule = profile.funder
    if found := _text(raw, rule.path, 200):
        return found
    text = fields.long_text(paths.read(raw, rule.text_path), 2000) if rule.text_path else ""
    return fields.text(find_funder(rule.pattern, text), 200)


def _stage(profile: Profile, status: str) -> RequisitionStage:
    if not status:
        return "submitted"  # it came to us, so that it waits for us
    stages = {word.casefold(): stage for word, stage in profile.orders.stages.items()}
    return stages.get(status.casefold(), "unknown")
