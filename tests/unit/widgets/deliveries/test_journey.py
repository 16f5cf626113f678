"""A dispatcher follows one shipment: from the list to the theft on the way, the joins, the pack and the papers."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialog, QLabel, QLineEdit, QPushButton
from sqlalchemy import insert, select

from app.clock import from_ms
from app.deliveries.gaps import Gap
from app.deliveries.join_acts import decline as decline_join
from app.deliveries.join_acts import undo as undo_join
from app.store.tables import Act, DeliveryBatchRow, ShipmentBatch, TwinGap
from dialogs.deliveries.choose_batch import ChooseBatchDialog
from dialogs.doors import dialogs
from tests.helpers.dispatch import a_batch
from tests.helpers.journey import NOW_MS, STOLEN_L, Travelled
from tests.helpers.qt import Console, open_dialog, until
from widgets.deliveries.gaps_view import GapsView
from widgets.deliveries.journey_map import fuel_mark
from widgets.deliveries.journey_picture import SIZE
from widgets.deliveries.journey_steps import StepRow, in_time
from widgets.deliveries.journey_view import JourneyView
from widgets.deliveries.papers import MANIFEST, NOTES, ROUTE_SHEET, page_of, read_papers
from widgets.deliveries.twins_view import TwinsView
from widgets.document import write_document

LEFT = Qt.MouseButton.LeftButton


class LentClock:
    def now_ms(self) -> int:
        return NOW_MS

    def monotonic(self) -> float:
        return 0.0


@pytest_asyncio.fixture
async def travelled(console: Console) -> Travelled:
    object.__setattr__(console.context.services, "clock", LentClock())
    return await asyncio.to_thread(Travelled, console.store)


@pytest_asyncio.fixture
async def view(console: Console, travelled: Travelled) -> AsyncIterator[JourneyView]:
    object.__setattr__(console.context.doors, "dialogs", dialogs())
    made = JourneyView(console.context)
    made.resize(1064, 720)
    made.show()
    await made.refresh()
    yield made
    made.close_view()
    made.close()


async def opened(view: JourneyView, record_id: str) -> JourneyView:
    view.open_record(record_id)
    await until(lambda: view.journey is not None and view.stack.currentIndex() == 1)
    return view


def row_of(view: JourneyView, kind: str, state: str = "") -> StepRow:
    return next(row for row in view.steps.rows if row.step.kind == kind and state in ("", row.step.state))


def line_of(dialog: QDialog) -> QLineEdit:
    found: QLineEdit | None = dialog.findChild(QLineEdit)
    assert found is not None
    return found


def buttons(dialog: QDialog) -> dict[str, QPushButton]:
    return {button.text(): button for button in dialog.findChildren(QPushButton)}


async def test_a_shipment_is_found_by_typing_and_its_theft_is_seen(view: JourneyView) -> None:
    assert [row.kind for row in view.table.model.rows] == ["batch", "shipment"]
    QTest.keyClicks(view.search, "clinic one")
    await until(lambda: [row.number for row in view.table.model.rows] == ["77"])
    view.table.view.setCurrentIndex(view.table.model.index(0, 0))
    QTest.keyClick(view.table.view, Qt.Key.Key_Return)
    await until(lambda: view.stack.currentIndex() == 1)
    assert view.title.text() == "Shipment 77 to Clinic One"
    kinds = [row.step.kind for row in view.steps.rows]
    assert kinds == [
        "order", "shipment", "batch", "check", "track", "fuel", "stop", "proof", "stop", "receipt",
    ]  # fmt: skip
    theft = row_of(view, "fuel").step
    assert theft.state == "warning"
    assert float(theft.facts["litres"]) == pytest.approx(STOLEN_L, abs=5)
    assert "before stop 1 Clinic 1" in theft.detail
    assert view.state.word == "2 gaps"
    (mark,) = view.map.fuel.events
    assert mark.is_alarm
    assert [stop.state for stop in view.map.stops._stops] == ["done", "failed"]
    assert list(view.chart._marks) == [theft.record_id]
    QTest.keyClick(view, Qt.Key.Key_Escape)
    await until(lambda: view.stack.currentIndex() == 0)


async def test_what_is_missing_says_since_when_and_what_closes_it(view: JourneyView, travelled: Travelled) -> None:
    await opened(view, travelled.shipment_id)
    said = " ".join(label.text() for label in row_of(view, "receipt").findChildren(QLabel))
    assert "Missing for 28 h" in said
    assert "Have Clinic One receive it" in said
    await asyncio.to_thread(travelled.check)
    await view.refresh()
    assert row_of(view, "check").step.state != "gap"


async def test_steps_lead_to_their_sources(console: Console, view: JourneyView, travelled: Travelled) -> None:
    await opened(view, travelled.shipment_id)
    wanted: list[tuple[str, str]] = []
    view.batch_wanted.connect(lambda batch, kind: wanted.append((batch, kind)))
    for kind in ("order", "shipment", "fuel", "track", "proof", "batch"):
        QTest.mouseClick(row_of(view, kind).lead, LEFT)
    assert [page for page, _ in console.opened] == ["supply", "supply", "fuel", "map"]
    assert console.opened[2][1]["event_id"] == row_of(view, "fuel").step.record_id
    assert wanted == [(travelled.batch_id, "proof"), (travelled.batch_id, "batch")]
    assert row_of(view, "stop").lead.isHidden()


async def test_a_join_is_declined_with_a_reason_taken_back_and_made_by_hand(
    view: JourneyView, travelled: Travelled
) -> None:
    await opened(view, travelled.shipment_id)
    assert view.joined.text().startswith("Why this batch: The platform lists invoice 77")
    QTest.mouseClick(view.decline, LEFT)
    await until(lambda: open_dialog() is not None)
    dialog = open_dialog()
    assert dialog is not None
    QTest.keyClicks(line_of(dialog), "Left on the dock")
    QTest.mouseClick(buttons(dialog)["Decline the join"], LEFT)
    await until(lambda: view.road is None)
    assert row_of(view, "batch").step.is_gap
    with travelled.depot.store.read() as connection:
        assert connection.execute(select(ShipmentBatch.how, ShipmentBatch.reason)).one() == (
            "declined",
            "Left on the dock",
        )
    assert "declined by" in view.undo.toolTip()
    view.show_all()
    await until(lambda: view.stack.currentIndex() == 0)
    await opened(view, travelled.shipment_id)  # as another operator would, or this one tomorrow
    QTest.mouseClick(view.undo, LEFT)
    await until(lambda: view.road is not None)
    QTest.mouseClick(view.undo, LEFT)
    await until(lambda: view.road is None)
    dialog = await choosing(view)
    QTest.keyClicks(dialog.search, "nothing like it")
    await until(lambda: not dialog.table.model.rows)
    dialog.search.clear()
    await until(lambda: [row.id for row in dialog.table.model.rows] == [travelled.batch_id])
    assert not dialog.join.isEnabled()
    dialog.table.select_key(travelled.batch_id)
    QTest.mouseClick(dialog.join, LEFT)
    await until(lambda: view.road is not None)
    assert view.joined.text() == "Why this batch: Joined by hand."
    with travelled.depot.store.read() as connection:
        acts = connection.execute(select(Act.what).where(Act.what.like("shipment_batch.%")).order_by(Act.id)).scalars()
        assert list(acts) == [f"shipment_batch.{what}" for what in ("decline", "undo", "undo", "join")]


async def choosing(view: JourneyView) -> ChooseBatchDialog:
    """Press the button and wait for the choice of batches."""
    QTest.mouseClick(view.join, LEFT)
    await until(lambda: isinstance(open_dialog(), ChooseBatchDialog))
    dialog = open_dialog()
    assert isinstance(dialog, ChooseBatchDialog)
    return dialog


async def test_a_shipment_is_added_to_another_batch_and_only_what_is_drawn_is_read(
    view: JourneyView, travelled: Travelled
) -> None:
    await asyncio.to_thread(travelled.depot.arrive, a_batch("batch-2", stage="planned", started_ms=None))
    other_id = travelled.depot.id_of(DeliveryBatchRow, "batch-2")
    await opened(view, travelled.shipment_id)
    assert view.join.text() == "Add to another batch…"
    dialog = await choosing(view)
    assert [row.id for row in dialog.table.model.rows] == [other_id]  # it is in the other one already
    dialog.table.select_key(other_id)
    QTest.keyClicks(dialog.why, "Split on two lorries")
    QTest.mouseClick(dialog.join, LEFT)
    await until(lambda: view.roads.count() == 2)
    assert view.journey is not None
    assert [road.is_read for road in view.journey.roads] == [True, False]
    view.roads.setCurrentIndex(1)
    view.roads.activated.emit(1)
    await until(lambda: view.journey is not None and view.journey.roads[1].is_read)
    assert [road.is_read for road in view.journey.roads] == [False, True]
    assert view.joined.text() == "Why this batch: Split on two lorries"


async def test_an_undo_that_somebody_was_quicker_with_is_told_and_the_button_stays(
    console: Console, view: JourneyView, travelled: Travelled
) -> None:
    def decline() -> None:
        depot, now = travelled.depot, from_ms(NOW_MS)
        depot.write(lambda connection: decline_join(connection, travelled.shipment_id, travelled.batch_id, now=now))

    await asyncio.to_thread(decline)
    await opened(view, travelled.shipment_id)
    assert view.journey is not None
    last = view.journey.last
    assert last is not None
    await asyncio.to_thread(
        travelled.depot.write, lambda connection: undo_join(connection, last.act_id, now=from_ms(NOW_MS))
    )
    QTest.mouseClick(view.undo, LEFT)
    await until(lambda: any("was changed since" in text for _, text in console.notes))
    await until(lambda: view.road is not None)
    assert not view.undo.isHidden()


async def test_the_pack_holds_the_map_and_its_script_finds_one_spoiled_byte(
    console: Console, view: JourneyView, travelled: Travelled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await opened(view, travelled.shipment_id)
    console.context.theme.set_mode("dark")
    view.map.map.zoom(40.0)
    file = tmp_path / "pack.zip"

    async def chosen(*_arguments: Any) -> Path:
        return file

    monkeypatch.setattr("widgets.ask.save_file", chosen)
    QTest.mouseClick(view.evidence, LEFT)
    await until(lambda: open_dialog() is not None)
    dialog = open_dialog()
    assert dialog is not None
    with zipfile.ZipFile(file) as pack:
        told = hashlib.sha256(pack.read("MANIFEST.json")).hexdigest()
        assert json.loads(pack.read("MANIFEST.json"))["map_picture"] == "pictures/map.png"
        assert '<img src="pictures/map.png"' in pack.read("thread.html").decode()
        picture = QImage.fromData(pack.read("pictures/map.png"))
        script = Path(pack.extract("verify_evidence.py", tmp_path))
    assert told in [label.text() for label in dialog.findChildren(QLabel)]
    QTest.mouseClick(buttons(dialog)["Copy"], LEFT)
    assert QGuiApplication.clipboard().text() == told
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert picture.size() == SIZE
    assert picture.pixelColor(2, 2).lightness() > 128

    def verify() -> subprocess.CompletedProcess[str]:
        command = [
            sys.executable, "-I", str(script), str(file), "--manifest-hash", QGuiApplication.clipboard().text(),
        ]  # fmt: skip
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    good = await asyncio.to_thread(verify)
    assert good.returncode == 0, good.stdout + good.stderr
    with zipfile.ZipFile(file) as pack:
        held = {name: pack.read(name) for name in pack.namelist()}
    held["pictures/map.png"] = held["pictures/map.png"][:-1] + b"\x00"
    with zipfile.ZipFile(file, "w") as pack:
        for name, data in held.items():
            pack.writestr(name, data)
    spoiled = await asyncio.to_thread(verify)
    assert spoiled.returncode == 1
    assert "pictures/map.png" in spoiled.stdout + spoiled.stderr


async def test_a_pack_that_cannot_be_written_is_told(
    console: Console, view: JourneyView, travelled: Travelled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await opened(view, travelled.shipment_id)

    async def chosen(*_arguments: Any) -> Path:
        return tmp_path / "nowhere" / "pack.zip"

    monkeypatch.setattr("widgets.ask.save_file", chosen)
    QTest.mouseClick(view.evidence, LEFT)
    await until(lambda: any("could not be written" in text for _, text in console.notes))
    assert open_dialog() is None


async def test_papers_tell_what_travels_and_take_text_for_text(
    console: Console, travelled: Travelled, tmp_path: Path
) -> None:
    papers = await asyncio.to_thread(travelled.depot.ask, read_papers, travelled.batch_id, NOW_MS)
    formats = console.context.formats
    manifest, route, notes = (page_of(papers, kind, formats) for kind in (MANIFEST, ROUTE_SHEET, NOTES))
    for words in ("1. Clinic 1", "B-17", "2027-03-31", ">300<", "KAN 123 XA"):
        assert words in manifest
    assert "9.20000, 7.40000" in route
    assert "was there" in route
    assert "Ade Musa" in notes
    assert ">280<" in notes
    assert "Delivery note: Clinic 2" in notes
    hostile = "<img src=x>&\u202e" + "x" * 5_000
    batch = replace(papers.details.batch, name=hostile, driver_name=hostile)
    spoiled = replace(papers, details=replace(papers.details, batch=batch))
    page = page_of(spoiled, MANIFEST, formats)
    assert "<img" not in page
    assert "/" not in spoiled.file_name(MANIFEST)
    file = tmp_path / "manifest.pdf"
    await asyncio.to_thread(write_document, "Manifest", page, file)
    assert file.read_bytes().startswith(b"%PDF")


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext is not installed")
async def test_a_paper_as_pdf_holds_its_words(console: Console, travelled: Travelled, tmp_path: Path) -> None:
    papers = await asyncio.to_thread(travelled.depot.ask, read_papers, travelled.batch_id, NOW_MS)
    said = {}
    for kind in (MANIFEST, ROUTE_SHEET, NOTES):
        file = tmp_path / f"{kind}.pdf"
        page = page_of(papers, kind, console.context.formats)
        await asyncio.to_thread(write_document, "Paper", page, file, foot=papers.foot(kind))
        read = ["pdftotext", "-layout", str(file), "-"]
        done = await asyncio.to_thread(subprocess.run, read, capture_output=True, text=True, timeout=60, check=True)
        said[kind] = str(done.stdout)
    assert re.search(r"2027.03.31", said[MANIFEST])  # in one line; the font draws its hyphen as a glyph of its own
    assert "page 1 of 1" in said[MANIFEST]
    assert "Route sheet · Batch batch-1" in said[ROUTE_SHEET]
    assert "Delivery note: Clinic 2" in said[NOTES]
    assert "page 2 of 2" in said[NOTES]


async def test_a_mark_of_the_chart_brings_its_step_into_view(
    console: Console, view: JourneyView, travelled: Travelled
) -> None:
    await opened(view, travelled.shipment_id)
    view.resize(1064, 360)
    view.activateWindow()
    row = row_of(view, "fuel")
    view.steps.verticalScrollBar().setValue(view.steps.verticalScrollBar().maximum())
    await until(lambda: row.visibleRegion().isEmpty())
    view.chart.chosen.emit(row.step.record_id)
    await until(lambda: not row.visibleRegion().isEmpty())
    assert not console.notes
    view.chart.chosen.emit("another")
    assert "before or after the batch" in console.notes[-1][1]


async def test_gaps_open_their_journey(console: Console, travelled: Travelled) -> None:
    view = GapsView(console.context)
    view.show()
    await view.refresh()
    assert [gap.kind for gap in view.table.model.rows] == ["not_received", "quantities"]
    wanted: list[str] = []
    view.journey_wanted.connect(wanted.append)
    view.table.view.setCurrentIndex(view.table.model.index(0, 0))
    QTest.keyClick(view.table.view, Qt.Key.Key_Return)
    assert wanted == [travelled.shipment_id]
    QTest.keyClicks(view.search, "quantities differ")
    await until(lambda: [gap.kind for gap in view.table.model.rows] == ["quantities"])
    assert view.count.text() == "1 of 2 gaps"
    view.search.clear()
    await until(lambda: len(view.table.model.rows) == 2)
    view.show_rows([Gap("never_shipped", "Paper 9", "Nobody knows it.", "Ask.", None)])
    view.table.view.setCurrentIndex(view.table.model.index(0, 0))
    QTest.keyClick(view.table.view, Qt.Key.Key_Return)
    assert wanted == [travelled.shipment_id]
    assert "Paper 9 has no journey" in console.notes[-1][1]
    view.kinds.setCurrentIndex(view.kinds.findData("no_batch"))
    await view.refresh()
    assert view.table.model.rows == []
    view.close_view()
    view.close()


async def test_twins_are_listed_with_their_explanation(console: Console, travelled: Travelled) -> None:
    row = {
        "vehicle_id": travelled.vehicle_id, "device_key": 1, "other_device_key": 2, "since_ms": NOW_MS - 60_000,
        "until_ms": None, "worst_m": 1_400.0, "cause": "place", "explanation": "They are apart.",
        "found_at": from_ms(NOW_MS), "changed_version": 1,
    }  # fmt: skip
    columns = set(TwinGap.__table__.columns.keys())
    values = {name: value for name, value in row.items() if name in columns}
    await asyncio.to_thread(
        travelled.depot.write, lambda connection: connection.execute(insert(TwinGap).values(**values))
    )
    view = TwinsView(console.context)
    view.show()
    view.show_rows(await console.context.bridge.read(view.read))
    (shown,) = view.table.model.rows
    assert (shown.worst_m, shown.explanation) == (1_400.0, "They are apart.")
    view.close_view()
    view.close()


async def test_a_fuel_event_without_a_place_is_not_on_the_map(travelled: Travelled, view: JourneyView) -> None:
    await opened(view, travelled.shipment_id)
    road = view.road
    assert road is not None
    event = road.batch.fuel[0].event
    assert fuel_mark(replace(event, lat=None), is_loss=True) is None


async def test_steps_without_a_time_stay_behind_the_others(view: JourneyView, travelled: Travelled) -> None:
    await opened(view, travelled.shipment_id)
    assert view.journey is not None
    steps = [
        replace(step, at_ms=None, since_ms=None) if step.kind == "fuel" else step for step in view.journey.thread.steps
    ]
    assert [step.kind for step in in_time(steps)][-2:] == ["fuel", "receipt"]
