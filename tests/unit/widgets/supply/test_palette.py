"""What Ctrl+K finds among supply records."""

from __future__ import annotations

import asyncio

import pytest

from app.clock import SystemClock
from tests.helpers.qt import Console
from tests.helpers.supply_page import plant_depot
from widgets.supply.palette import supply_entries


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("1042", ["Requisition 1042"]),
        ("042", []),
        ("312", ["Shipment 312"]),
        ("kubwa", ["Kubwa Medical Store"]),
        ("KUB", ["Kubwa Medical Store"]),
        ("bwari", []),
        ("zinc", ["Zinc sulphate 20 mg dispersible tablet"]),
        ("par5", ["Paracetamol 500 mg"]),
        ("%%", []),
        ("1", []),
    ],
)
async def test_papers_facilities_and_items_are_found(console: Console, typed: str, found: list[str]) -> None:
    await asyncio.to_thread(plant_depot, console.store, SystemClock().now_ms())
    assert [entry.title for entry in await supply_entries(console.context, typed)] == found


async def test_an_entry_opens_the_page_at_its_record(console: Console) -> None:
    await asyncio.to_thread(plant_depot, console.store, SystemClock().now_ms())
    (facility,) = await supply_entries(console.context, "kubwa")
    facility.act()
    assert console.opened == [("supply", {"tab": "stock", "facility": ("FCT mSupply", "st-kub")})]
