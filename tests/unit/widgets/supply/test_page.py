"""A pharmacist at the supply page: lists, filters, details, what waits, ages, export, and empty lists."""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QLabel, QPushButton
from sqlalchemy import update

from adapters.supply import Gone, StreamRead
from app.store.tables import ShipmentRow
from tests.helpers.qt import Console, until
from tests.helpers.supply import a_stock_line, an_item
from tests.helpers.supply_page import SupplyDesk, desk
from widgets.export import export
from widgets.supply import store_list
from widgets.supply.page import SupplyPage

__all__ = ["desk"]

LEFT = Qt.MouseButton.LeftButton


def cells(page: SupplyPage, row: int) -> dict[str, str]:
    """What a row of the list in front says, by column."""
    model = page.front.model
    return {column.key: column.text(model.rows[row]) for column in model.columns}


def pick(box: QComboBox, words: str) -> None:
    """Choose an entry as by hand."""
    at = box.findText(words)
    assert at >= 0, [box.itemText(place) for place in range(box.count())]
    box.setFocus()
    box.setCurrentIndex(at)


def _has_rows(desk: SupplyDesk, count: int) -> bool:
    return len(desk.shown()) == count


async def turn_to(desk: SupplyDesk, tab: str) -> None:
    QTest.mouseClick(desk.page.tabs.button(tab), LEFT)
    await until(lambda: desk.page.front.kind.key == tab and desk.page.front.is_loaded and desk.shown())


def texts(widget: Any) -> list[str]:
    return [label.text() for label in widget.findChildren(QLabel) if label.isVisible()]


async def test_items_say_how_much_for_how_long_and_until_when(desk: SupplyDesk) -> None:
    page = desk.page
    by_code = {cells(page, row)["code"]: cells(page, row) for row in range(len(desk.shown()))}
    assert len(by_code) == 13
    assert by_code["COT480"]["class"] == "Over-stocked"
    assert by_code["COT480"]["months"] == "12.2"
    assert by_code["ART060"]["class"] == "Stocked out"
    assert by_code["GLV001"]["class"] == "Unknown"
    assert by_code["DTG050"]["expiry"].startswith("Expired ")
    assert by_code["AMX250"]["expiry"].startswith("Soon ")
    assert by_code["AL0624"]["units"] == "24,000"
    assert by_code["AL0624"]["source"] == "FCT mSupply"
    assert by_code["AL0624"]["age"].endswith("min")
    assert page.front.summary.text() == "13 items"
    assert page.front.ages.text().startswith("FCT mSupply: read 4 min")


async def test_every_state_has_a_shape_and_a_word(desk: SupplyDesk) -> None:
    for tab, column in (("items", "class"), ("stock", "expiry"), ("requisitions", "stage"), ("shipments", "stage")):
        if tab != "items":
            await turn_to(desk, tab)
        badge = next(one.badge for one in desk.page.front.model.columns if one.key == column)
        assert badge is not None
        found = [pill for pill in map(badge, desk.shown()) if pill is not None]
        assert len({level for level, _word in found}) > 2
        assert all(word for _level, word in found)


async def test_a_search_and_filters_narrow_the_list(desk: SupplyDesk) -> None:
    page = desk.page
    QTest.keyClicks(page.search, "mg tablet")
    await until(lambda: [row.code for row in desk.shown()] == ["AMX250", "ZNC020"])
    page.search.clear()
    await until(lambda: len(desk.shown()) == 13)
    pick(page.filters.classes, "Stocked out")
    await until(lambda: [row.code for row in desk.shown()] == ["ART060", "QNN300"])
    pick(page.filters.classes, "Any stock")
    pick(page.filters.facilities, "Gwagwalada Depot")
    pick(page.filters.expiries, "Expired")
    await until(lambda: [row.code for row in desk.shown()] == ["DTG050", "QNN300"])
    await turn_to(desk, "stock")
    await until(lambda: [row.batch for row in desk.shown()] == ["BQN071", "BDT271"])
    pick(page.filters.facilities, "Kubwa Medical Store")
    await until(lambda: not desk.shown())
    assert "Nothing matches" in texts(page.front.table)


async def test_a_heading_orders_the_whole_list_in_the_store(desk: SupplyDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_list, "PAGE_ROWS", 4)
    page = desk.page
    header = page.front.table.view.horizontalHeader()
    place = [column.key for column in page.front.model.columns].index("units")
    x = header.sectionViewportPosition(place) + 10
    QTest.mouseClick(header.viewport(), LEFT, pos=header.viewport().rect().topLeft() + type(header.pos())(x, 10))
    await until(lambda: desk.shown() and desk.shown()[0].code == "ART060")
    QTest.mouseClick(header.viewport(), LEFT, pos=header.viewport().rect().topLeft() + type(header.pos())(x, 10))
    await until(lambda: desk.shown()[0].code == "PAR500")


async def test_scrolling_down_reads_on(desk: SupplyDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_list, "PAGE_ROWS", 60)
    await desk.arrive(*(an_item(f"more-{n:03}", name=f"Zz {n:03}") for n in range(200)))
    page = desk.page
    await until(lambda: page.front.summary.text() == "60 of 213, others follow on scrolling")
    bar = page.front.table.view.verticalScrollBar()
    for shown in (120, 180, 213):
        await until(lambda: bar.value() < bar.maximum())
        bar.setValue(bar.maximum())
        await until(partial(_has_rows, desk, shown))
    assert page.front.summary.text() == "213 items"
    assert len({row.id for row in desk.shown()}) == 213


async def test_the_details_of_an_item_show_its_batches_and_lead_to_them(desk: SupplyDesk) -> None:
    page = desk.page
    item = next(row for row in desk.shown() if row.code == "DTG050")
    page.front.table.select_key(item.id)
    await until(lambda: not page.panel.isHidden() and page.panel.table is not None)
    assert page.panel.heading.text() == "Dolutegravir + lamivudine + tenofovir 50/300/300 mg"
    assert page.panel.pill.word == "Under-stocked"
    assert page.panel.table is not None
    assert [line.units for line in page.panel.table.model.rows] == [900.0, 9_000.0, 18_000.0]
    shown = texts(page.panel)
    assert "Usable stock lasts 1.7 months. Adequate is 2 to 4." in shown
    (button,) = [one for one in page.panel.findChildren(QPushButton) if one.text() == "Show these in Stock"]
    QTest.mouseClick(button, LEFT)
    await until(lambda: page.front.kind.key == "stock" and [row.item_code for row in desk.shown()] == ["DTG050"] * 3)
    assert page.panel.isHidden()


async def test_what_waits_stands_beside_what_the_peer_says(desk: SupplyDesk) -> None:
    page = desk.page
    await turn_to(desk, "requisitions")
    QTest.mouseClick(page.filters.waiting, LEFT)
    await until(lambda: [row.number for row in desk.shown()] == ["1041"])
    assert cells(page, 0)["waits"] == "Waits to be sent"
    page.front.table.select_key(desk.shown()[0].id)
    await until(lambda: page.panel.table is not None)
    assert page.panel.table is not None
    lines = {line.item_code: line for line in page.panel.table.model.rows}
    columns = {column.key: column for column in page.panel.table.model.columns}
    assert columns["requested_units"].text(lines["AMX250"]) == "1,200"
    assert columns["waits"].text(lines["AMX250"]) == "Requested 1,500, Comment Outbreak in Karu"
    assert columns["waits"].text(lines["AL0624"]) == ""
    await turn_to(desk, "shipments")
    await until(lambda: [row.number for row in desk.shown()] == ["312"])
    page.front.table.select_key(desk.shown()[0].id)
    await until(lambda: "Shipped, the peer has Picked" in texts(page.panel))
    assert page.panel.pill.word == "Picked"


async def test_news_from_the_store_are_shown_and_the_choice_stays(desk: SupplyDesk) -> None:
    page = desk.page
    await turn_to(desk, "shipments")
    chosen = next(row for row in desk.shown() if row.number == "312")
    page.front.table.select_key(chosen.id)
    await until(lambda: not page.panel.isHidden() and page.panel.row is not None and page.panel.row.id == chosen.id)
    change = update(ShipmentRow).where(ShipmentRow.peer_id == "sp-2").values(pending=None)
    assert desk.feed is not None
    desk.feed.store.write(lambda connection: connection.execute(change)).result()
    await desk.arrive(Gone("shipment", "sp-0"), StreamRead("shipments"))
    await until(lambda: "310" not in [row.number for row in desk.shown()])
    await until(lambda: "Shipped, the peer has Picked" not in texts(page.panel))
    assert [row.number for row in page.front.table.selected_rows()] == ["312"]


async def test_trouble_of_a_stream_is_said_where_its_records_are_shown(desk: SupplyDesk) -> None:
    page = desk.page
    why = "This account may not see stock. Ask for the permission to view stock, then sync again."
    await desk.arrive(StreamRead("stock", why))
    await turn_to(desk, "stock")
    await until(lambda: page.trouble.isVisible() and page.trouble.words.text() == why)
    await turn_to(desk, "shipments")
    await until(lambda: not page.trouble.isVisible())


async def test_work_by_keyboard(desk: SupplyDesk) -> None:
    page = desk.page
    page.activateWindow()
    view = page.front.table.view
    view.setFocus()
    QTest.keyClick(view, Qt.Key.Key_Down)
    QTest.keyClick(view, Qt.Key.Key_Down)
    await until(lambda: not page.panel.isHidden())
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert page.panel.isHidden()
    assert page.front.table.selected_rows() == []


async def test_the_list_is_exported_as_seen(desk: SupplyDesk, tmp_path: Path) -> None:
    await desk.arrive(an_item("evil", name="=HYPERLINK(1)", code="AAA000"), a_stock_line("evil", item="evil"))
    page = desk.page
    await until(lambda: any(row.code == "AAA000" for row in desk.shown()))
    sheet = page.table().sheet()
    export(sheet, tmp_path / "items.csv")
    with (tmp_path / "items.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["Item"] == "'=HYPERLINK(1)"
    assert {row["Code"]: row["In stock"] for row in rows}["COT480"] == "61000.0"
    export(sheet, tmp_path / "items.pdf")
    assert (tmp_path / "items.pdf").read_bytes().startswith(b"%PDF")


async def test_another_page_can_ask_for_a_record(desk: SupplyDesk) -> None:
    page = desk.page
    await turn_to(desk, "requisitions")
    wanted = next(row for row in desk.shown() if row.number == "1044")
    await turn_to(desk, "items")
    page.show_item(tab="requisitions", id=wanted.id)
    await until(lambda: page.panel.row is not None and page.panel.row.id == wanted.id and not page.panel.isHidden())
    page.show_item(tab="shipments", id="nobody", text="karu")
    await until(lambda: desk.console.notes)
    assert "not among those shown" in desk.console.notes[0][1]


async def test_without_a_supply_system_the_page_says_what_to_do(console: Console) -> None:
    page = SupplyPage(console.context)
    page.resize(1_200, 800)
    page.show()
    await until(lambda: page.is_ready)
    for tab in ("items", "stock", "requisitions", "shipments"):
        page.tabs.choose(tab)
        await until(lambda: page.front.is_loaded)
        assert any("Add mSupply, OpenLMIS or NHLMIS" in text for text in texts(page.front.table))
    (button,) = [one for one in page.front.table.findChildren(QPushButton) if one.isVisible()]
    QTest.mouseClick(button, LEFT)
    assert console.opened == [("integrations", {})]
    page.hide()
    page.close_page()


async def test_a_paper_and_a_line_of_it_are_changed_from_its_details(desk: SupplyDesk) -> None:
    asked: list[tuple[str, str]] = []

    async def change_record(_context: Any, _parent: Any, record: str, row_id: str) -> bool:
        asked.append((record, row_id))
        return True

    desk.page.context.doors.dialogs = {"change_record": change_record}
    panel = desk.page.panel
    await turn_to(desk, "requisitions")
    paper = desk.shown()[0]
    desk.page.front.table.select_key(paper.id)
    await until(lambda: panel.row is not None and panel.table is not None)
    assert panel.change.isVisible()
    assert not panel.change_line.isEnabled()
    QTest.mouseClick(panel.change, LEFT)
    await until(lambda: asked == [("requisition", paper.id)])
    assert panel.table is not None
    panel.table.select_key(panel.lines[0].id)
    assert panel.change_line.isEnabled()
    QTest.mouseClick(panel.change_line, LEFT)
    await until(lambda: asked[1:] == [("requisition_line", panel.lines[0].id)])
    await turn_to(desk, "stock")
    desk.page.front.table.select_key(desk.shown()[0].id)
    await until(lambda: not panel.change.isVisible())
