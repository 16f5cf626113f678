"""What was handed over: items of a proof, read from events and from what the driver app tells of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST_ITEMS = 500
_NAMES = ("name", "item", "item_name", "itemName", "item_id", "itemId")
_EXPECTED = ("expected_quantity", "expected_qty", "expectedQuantity", "expected")
_DELIVERED = ("delivered_quantity", "actual_qty", "deliveredQuantity", "delivered", "quantity")
_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class ProofItem:
    """One item in units, None where it was not told. ``reason`` is the discrepancy's."""

    item: str
    expected: float | None
    delivered: float | None
    unit: str = ""
    reason: str = ""
    notes: str = ""

    @property
    def difference(self) -> float | None:
        """Delivered minus expected, None where either is unknown."""
        if self.expected is None or self.delivered is None:
            return None
        return self.delivered - self.expected

    @property
    def is_different(self) -> bool:
        return self.difference is not None and abs(self.difference) > _TOLERANCE


def items_of(told: Sequence[Any]) -> tuple[ProofItem, ...]:
    """By name. ``told`` are events in the order of the phone's clock; a later word replaces an earlier one."""
    found: dict[str, ProofItem] = {}
    for event in told:
        for item in _told_by(event):
            key = item.item.casefold()
            before = found.get(key)
            if before is None:
                if len(found) < MOST_ITEMS:
                    found[key] = item
                continue
            found[key] = ProofItem(
                before.item,
                before.expected if item.expected is None else item.expected,
                before.delivered if item.delivered is None else item.delivered,
                item.unit or before.unit,
                item.reason or before.reason,
                item.notes or before.notes,
            )
    return tuple(sorted(found.values(), key=lambda one: (one.item.casefold(), one.item)))


def _told_by(event: Any) -> Iterator[ProofItem]:
    if event.item.strip():
        yield ProofItem(
            event.item.strip(),
            amount(event.expected_units),
            amount(event.delivered_units),
            reason=event.reason.strip(),
            notes=event.notes.strip() if event.kind in ("discrepancy", "item_reconciled") else "",
        )
    if not isinstance(event.told, Mapping):
        return
    for name in ("items", "itemsDelivered"):
        parts = event.told.get(name)
        if isinstance(parts, list):
            yield from (item for part in parts[:MOST_ITEMS] if (item := _item(part)) is not None)


def _item(part: Any) -> ProofItem | None:
    if not isinstance(part, Mapping):
        return None
    name = next((str(part[key]).strip() for key in _NAMES if part.get(key) not in (None, "")), "")
    if not name:
        return None
    unit = part.get("unit")
    return ProofItem(
        name[:200],
        _number(part, _EXPECTED),
        _number(part, _DELIVERED),
        unit.strip()[:60] if isinstance(unit, str) else "",
    )


def _number(part: Mapping[str, Any], names: Sequence[str]) -> float | None:
    return next((found for name in names if (found := amount(part.get(name))) is not None), None)


def amount(value: Any) -> float | None:
    """A finite number of units from zero up, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) and found >= 0 else None
