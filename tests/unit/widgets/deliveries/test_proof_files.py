"""The files of a proof in the window: the picture where it is here, and plain words where it is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from adapters.mod4.simulator import pictures
from app.proof_files.folder import ProofFolder
from app.store.tables import Act
from tests.helpers.deliveries_page import DeliveriesDesk, deliveries_desk, row_id
from tests.helpers.fleet import rows_of
from tests.helpers.photo_states import PhotoStates, bomb
from tests.helpers.qt import Console, until
from widgets import ask
from widgets.deliveries import words
from widgets.deliveries.paper_pictures import small_pictures
from widgets.deliveries.papers import NOTES, page_of, read_papers
from widgets.deliveries.picture_reader import read_picture
from widgets.deliveries.picture_window import PictureWindow
from widgets.deliveries.proof_files import PhotoRow
from widgets.document import write_document

LEFT = Qt.MouseButton.LeftButton


@pytest_asyncio.fixture
async def desk(console: Console) -> AsyncIterator[DeliveriesDesk]:
    async with deliveries_desk(console) as made:
        days = made.page.filters.days
        days.setCurrentIndex(days.findData(words.EVERY))
        yield made


async def states_of(desk: DeliveriesDesk) -> PhotoStates:
    assert desk.depot is not None
    now_ms = desk.console.context.services.clock.now_ms()
    return PhotoStates(desk.depot, ProofFolder(desk.console.context.paths.proof_files), now_ms)


async def show_proof(desk: DeliveriesDesk, files: int) -> list[PhotoRow]:
    """The proof of the first clinic, once so many files stand in it."""
    page = desk.page
    QTest.mouseClick(page.tabs.button("proofs"), LEFT)
    await until(lambda: len(page.proofs.model.rows) == 3)
    key = next(row.id for row in page.proofs.model.rows if row.batch_name == "Bwari north" and row.proof.files)
    await until(lambda: page.proofs.table.select_key(key))
    await until(lambda: len(page.proof_panel.files.rows) == files)
    return page.proof_panel.files.rows


def named(rows: list[PhotoRow], name: str) -> PhotoRow:
    return next(row for row in rows if row.photo is not None and row.photo.url.endswith(name))


async def settled(desk: DeliveriesDesk) -> None:
    """Nothing is looked up or read any more, and nothing begins to be: a page that is hidden reads no changes."""
    tasks, page = desk.console.context.tasks, desk.page
    page.hide()
    await until(lambda: not tasks.of(page) and not tasks.of(page.proof_panel.files))


async def test_each_state_says_what_why_and_what_next(desk: DeliveriesDesk) -> None:
    states = await states_of(desk)
    await asyncio.to_thread(states.every_state)
    rows = await show_proof(desk, 10)
    await until(lambda: not any(named(rows, name).picture.isHidden() for name in ("kept.jpg", "pen.png")))
    shown = {
        name: (row.pill.word, row.pill.level, row.fetch.text() if not row.fetch.isHidden() else "")
        for name in ("kept.jpg", "coming.jpg", "cut.jpg", "gone.jpg", "page.jpg", "foreign.jpg", "pen.png")
        for row in [named(rows, name)]
    }
    assert shown == {
        "kept.jpg": ("Kept here", "ok", ""),
        "coming.jpg": ("Fetching 3.2 of 20.0 MB", "info", ""),
        "cut.jpg": ("Waits to be fetched", "info", "Fetch now"),
        "gone.jpg": ("Refused", "error", "Try again"),
        "page.jpg": ("Is no photo", "warn", ""),
        "foreign.jpg": ("Not allowed to be fetched", "warn", "Try again"),
        "pen.png": ("Kept here", "ok", ""),
    }
    assert "it is not tried again by itself" in named(rows, "gone.jpg").why.text()
    assert "0.4 of 2.0 MB came" in named(rows, "cut.jpg").why.text()
    assert "Next try" in named(rows, "cut.jpg").why.text()
    assert "kept as evidence and not opened" in named(rows, "page.jpg").why.text()
    assert named(rows, "page.jpg").picture.isHidden()
    assert "JPEG, fetched" in named(rows, "kept.jpg").why.text()
    digest = named(rows, "kept.jpg").hash.text().removeprefix("SHA-256 ").replace(" ", "")
    assert states.folder.path_of(digest).read_bytes() == pictures.photo("kept", orientation=6)
    size = named(rows, "kept.jpg").picture.iconSize()
    assert size.height() > size.width(), "it is turned as the phone was held"
    await until(lambda: "60,000 × 60,000 pixels" in named(rows, "bomb.jpg").why.text())
    assert named(rows, "bomb.jpg").picture.isHidden()
    await settled(desk)


async def test_columns_say_the_state_that_is_farthest_from_being_here(desk: DeliveriesDesk) -> None:
    states = await states_of(desk)
    await asyncio.to_thread(states.tell, "a.jpg", "b.jpg", "pen.png")
    await asyncio.to_thread(states.keep, "a.jpg", pictures.photo("a"))
    await asyncio.to_thread(states.keep, "pen.png", pictures.signature("pen"))
    await show_proof(desk, 5)

    def cells() -> dict[str, Any]:
        sheet = desk.page.proofs.table.sheet()
        rows = [dict(zip(sheet.headings, row, strict=True)) for row in sheet.rows]
        return next(row for row in rows if row["Batch"] == "Bwari north")

    await until(lambda: (cells()["Photo"], cells()["Signature"]) == ("Waits to be fetched", "Kept here"))
    await asyncio.to_thread(states.coming, "b.jpg", 1_000_000, None)
    await until(lambda: cells()["Photo"] == "Is being fetched")
    await asyncio.to_thread(states.keep, "b.jpg", b"no photo at all")
    await until(lambda: cells()["Photo"] == "Is no photo")
    chosen = desk.page.filters.states
    chosen.setCurrentIndex(chosen.findData("not_kept"))
    await until(lambda: [row.batch_name for row in desk.page.proofs.model.rows] == ["Bwari north"])
    await settled(desk)


async def test_a_refused_one_is_asked_for_again_by_a_click(desk: DeliveriesDesk) -> None:
    states = await states_of(desk)
    await asyncio.to_thread(states.every_state)
    rows = await show_proof(desk, 10)
    QTest.mouseClick(named(rows, "gone.jpg").fetch, LEFT)
    await until(lambda: named(rows, "gone.jpg").pill.word == "Waits to be fetched")
    assert states.state_of("gone.jpg") == "waiting"
    assert rows_of(desk.console.store, Act)[-1].what == "proof_file.fetch"
    await settled(desk)


async def test_a_picture_opens_large_is_zoomed_turned_and_copied(
    desk: DeliveriesDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = await states_of(desk)
    await asyncio.to_thread(states.every_state)
    rows = await show_proof(desk, 10)
    row = named(rows, "kept.jpg")
    await until(lambda: not row.picture.isHidden())
    QTest.mouseClick(row.picture, LEFT)

    def windows() -> list[PictureWindow]:
        return [one for one in QApplication.topLevelWidgets() if isinstance(one, PictureWindow)]

    await until(lambda: bool(windows()))
    (window,) = windows()
    await until(lambda: "960 × 1,280 pixels" in window.said.text() or "960 × 1280 pixels" in window.said.text())
    fitted = window.view.scale_now()
    assert fitted < 1
    QTest.mouseClick(window.buttons["larger"], LEFT)
    assert window.view.scale_now() == pytest.approx(fitted * 1.25, rel=0.01)
    QTest.keyClicks(window, "1")
    assert window.view.scale_now() == pytest.approx(1)
    QTest.keyClicks(window, "r")
    QTest.mouseClick(window.buttons["fit"], LEFT)
    assert window.view.is_fitted
    QTest.keyClick(window, Qt.Key.Key_Escape)
    await until(lambda: not windows())
    copy = tmp_path / "copy.jpg"

    async def chosen(*_arguments: object) -> Path:
        return copy

    monkeypatch.setattr(ask, "save_file", chosen)
    QTest.mouseClick(row.save, LEFT)
    await until(lambda: desk.told("A copy is in copy.jpg"))
    assert copy.read_bytes() == pictures.photo("kept", orientation=6)
    await settled(desk)


async def test_a_file_of_another_computer_says_so(desk: DeliveriesDesk) -> None:
    states = await states_of(desk)
    await asyncio.to_thread(states.tell, "a.jpg")
    digest = await asyncio.to_thread(states.keep, "a.jpg", pictures.photo("a"))
    states.folder.drop(digest)
    rows = await show_proof(desk, 3)
    await until(lambda: "not on this computer" in named(rows, "a.jpg").why.text())
    assert named(rows, "a.jpg").save.isHidden()
    await settled(desk)


async def test_delivery_notes_carry_small_pictures_of_what_is_here(desk: DeliveriesDesk, tmp_path: Path) -> None:
    states = await states_of(desk)
    await asyncio.to_thread(states.every_state)
    batch_id = row_id(states.depot, "batch-1")
    papers = states.depot.ask(read_papers, batch_id, states.now_ms)
    pictures_of = await asyncio.to_thread(small_pictures, papers.proofs, states.folder)
    assert sorted(url.rpartition("/")[2] for url in pictures_of) == ["kept.jpg", "pen.png"]
    formats = desk.console.context.formats
    plain, drawn = (page_of(one, NOTES, formats) for one in (papers, replace(papers, pictures=pictures_of)))
    assert ("<img" in plain, drawn.count("<img src='data:image/")) == (False, 2)
    file = tmp_path / "notes.pdf"
    await asyncio.to_thread(write_document, "Notes", drawn, file)
    without = tmp_path / "plain.pdf"
    await asyncio.to_thread(write_document, "Notes", plain, without)
    assert b"/Subtype /Image" in file.read_bytes()
    assert b"/Subtype /Image" not in without.read_bytes()


@pytest.mark.qt_log_ignore("JPEG datastream contains no image")
def test_only_whole_pictures_of_a_sane_size_are_decoded(tmp_path: Path) -> None:
    def read(content: bytes, kind: str, room: QSize | None = None) -> tuple[QImage | None, str]:
        file = tmp_path / "file"
        file.write_bytes(content)
        found = read_picture(file, kind, room)
        return found.image, found.why

    image, _why = read(pictures.photo("a", orientation=6), "jpeg", QSize(300, 200))
    assert image is not None
    assert (image.width(), image.height()) == (150, 200)
    assert "pixels" in read(bomb(), "png")[1]
    assert "cannot be read" in read(b"\xff\xd8\xff\xe0 and nothing more", "jpeg")[1]
    assert "cannot be read" in read(pictures.photo("a"), "png")[1], "the kind is never guessed again"
    assert "draws no HEIC" in read(b"\x00\x00\x00\x18ftypheic", "heic")[1]
