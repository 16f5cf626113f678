"""A story of a dispatcher who looks at photos: they come from the platform's storage, refused ones when asked again.

The whole console with its engine stands over a real platform: its PostgreSQL tells of photos, its web side has them.
"""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication

from adapters.mod4.simulator import Platform
from adapters.mod4.simulator.photos import upload
from adapters.mod4.simulator.web import Web, serving
from app.proof_files.listing import FileRow, list_files
from main import Console
from tests.helpers.qt import until
from tests.helpers.window import add_mod4, console_on
from widgets.deliveries import words
from widgets.deliveries.page import DeliveriesPage
from widgets.deliveries.picture_window import PictureWindow
from widgets.deliveries.proof_files import PhotoRow

LEFT = Qt.MouseButton.LeftButton
WAIT_S = 90.0


def click(button: QAbstractButton) -> None:
    assert button.isEnabled(), button.toolTip()
    QTest.mouseClick(button, LEFT)


async def connect(console: Console, platform: Platform, web: Web) -> None:
    await add_mod4(console, platform, photo_hosts=web.photos_place, positions=False)


async def files(console: Console) -> list[FileRow]:
    return await console.context.bridge.read(list_files)


async def show_row(page: DeliveriesPage, url: str) -> PhotoRow:
    """Choose the proof that tells of this file; the row of its details."""
    click(page.tabs.button("proofs"))
    days = page.filters.days
    days.setCurrentIndex(days.findData(words.EVERY))
    page.search.clear()

    def key() -> str:
        rows = page.proofs.model.rows
        return next((row.id for row in rows if any(one.url == url for one in row.proof.files)), "")

    await until(key, WAIT_S)
    await until(lambda: page.proofs.table.select_key(key()), WAIT_S)

    def shown() -> PhotoRow | None:
        rows = page.proof_panel.files.rows
        return next((row for row in rows if row.photo is not None and row.photo.url == url), None)

    await until(shown, WAIT_S)
    found = shown()
    assert found is not None
    return found


async def test_photos_come_by_themselves_and_a_refused_one_when_it_is_asked_for(
    tmp_path: Path, repaired: Platform
) -> None:
    async with serving(repaired) as web:
        await asyncio.to_thread(upload, repaired, web.photos_url)
        query = (
            "SELECT metadata ->> 'photoUrl' FROM mod4_events WHERE metadata ->> 'photoUrl' LIKE 'http%' "
            "AND batch_id IS NOT NULL ORDER BY captured_at DESC LIMIT 2"
        )
        (good,), (missing,) = await asyncio.to_thread(repaired.rows, query)
        missing_name = missing.rpartition("/")[2]
        web.photos.faults.statuses[missing_name] = 404
        async with console_on(tmp_path, page="deliveries") as console:
            page = console.window.page
            assert isinstance(page, DeliveriesPage)
            await connect(console, repaired, web)
            row = await show_row(page, good)
            await until(lambda: row.pill.word == "Kept here" and not row.picture.isHidden(), WAIT_S)
            name = good.rpartition("/")[2]
            answers = [one for one in web.photos.asked if one.name == name]
            assert [one.status for one in answers] == [200]
            kept = next(one for one in await files(console) if one.url == good)
            lying = console.context.paths.proof_files / "kept" / kept.sha256[:2] / kept.sha256
            assert hashlib.sha256(lying.read_bytes()).hexdigest() == kept.sha256
            assert words.in_groups(kept.sha256) in row.hash.text()

            click(row.picture)
            window = await opened()
            await until(lambda: "pixels" in window.said.text(), WAIT_S)
            click(window.buttons["larger"])
            window.close()

            row = await show_row(page, missing)
            await until(lambda: row.pill.word == "Refused", WAIT_S)
            assert "does not have the file (404)" in row.why.text()
            assert "not tried again by itself" in row.why.text()
            web.photos.faults.statuses.clear()
            click(row.fetch)
            await until(lambda: row.pill.word == "Kept here" and not row.picture.isHidden(), WAIT_S)
            await until(lambda: all(one.state == "kept" for one in console_files(console)), WAIT_S)


def console_files(console: Console) -> list[FileRow]:
    with console.context.services.store.read() as connection:
        return list_files(connection)


async def opened() -> PictureWindow:
    def found() -> list[PictureWindow]:
        return [one for one in QApplication.topLevelWidgets() if isinstance(one, PictureWindow)]

    await until(found)
    return found()[0]
