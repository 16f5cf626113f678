"""What a user may do, read from permission strings, and what will not work without it (openlmis.md, section 1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

NEEDED: tuple[tuple[str, str], ...] = (
    ("STOCK_CARDS_VIEW", "stock cannot be read"),
    ("REQUISITION_VIEW", "requisitions cannot be read"),
    ("REQUISITION_CREATE", "requisitions cannot be filled in or submitted"),
    ("REQUISITION_AUTHORIZE", "requisitions cannot be authorised"),
    ("REQUISITION_APPROVE", "requisitions cannot be approved or rejected"),
    ("ORDERS_VIEW", "orders cannot be read"),
    ("SHIPMENTS_VIEW", "shipments cannot be read"),
    ("PODS_VIEW", "proofs of delivery cannot be read"),
    ("PODS_MANAGE", "proofs of delivery cannot be filled in"),
)
NEEDED_TO_SHIP = ("SHIPMENTS_EDIT", "shipments cannot be created")


@dataclass(frozen=True, slots=True)
class Rights:
    """``RIGHT|facility|programme`` and ``RIGHT|facility`` texts, sorted out. ``pairs`` are those of stock cards."""

    names: frozenset[str] = frozenset()
    facilities: frozenset[str] = frozenset()
    pairs: frozenset[tuple[str, str]] = frozenset()
    raw: int = field(default=0, compare=False)


def read_rights(strings: Iterable[object]) -> Rights:
    """Rights from ``GET /users/{id}/permissionStrings``; what is not of the form is left out."""
    names: set[str] = set()
    facilities: set[str] = set()
    pairs: set[tuple[str, str]] = set()
    count = 0
    for text in strings:
        if not isinstance(text, str):
            continue
        count += 1
        name, *places = text.split("|")
        names.add(name)
        if name in ("STOCK_CARDS_VIEW", "ORDERS_VIEW") and places:
            facilities.add(places[0])
        if name == "STOCK_CARDS_VIEW" and len(places) == 2:
            pairs.add((places[0], places[1]))
    return Rights(frozenset(names), frozenset(facilities), frozenset(pairs), count)


def what_will_not_work(rights: Rights, *, ships: bool) -> list[str]:
    """One part of a sentence for each right that is missing."""
    needed = (*NEEDED, NEEDED_TO_SHIP) if ships else NEEDED
    return [f"{consequence} ({name} is missing)" for name, consequence in needed if name not in rights.names]
