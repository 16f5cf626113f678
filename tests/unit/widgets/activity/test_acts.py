"""The operator at the record of acts: what changed, by whom, verified on demand, sealed, copied and exported."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel
from sqlalchemy import Connection, update

from app.fleet.devices import adopt, block
from app.security.audit import record_act
from app.security.seal import Seal
from app.security.vault import MemoryVault, VaultError
from app.store.tables import Act
from tests.helpers.activity_page import LEFT, Desk
from tests.helpers.fleet import IMEI, OTHER_IMEI, a_position
from tests.helpers.qt import until


async def test_acts_show_what_they_changed(desk: Desk) -> None:
    await desk.arrive(a_position(IMEI), a_position(OTHER_IMEI))
    await desk.write(lambda connection: adopt(connection, IMEI, "KAN-552XA", who="amina"))
    await desk.write(lambda connection: block(connection, OTHER_IMEI, who="Ọlá"))
    await desk.open("acts")
    assert desk.texts("what") == ["Blocked a tracker", "Adopted a tracker", "Added a vehicle"]
    assert desk.texts("change")[0] == "state: waiting → blocked"
    await desk.select(1)
    assert desk.sides()[:2] == [("state", "waiting", "known"), ("vehicle", "–", "KAN-552XA")]
    await desk.type("kan-552xa amina")
    assert desk.texts("what") == ["Adopted a tracker", "Added a vehicle"]
    await desk.choose("kinds", "vehicle")
    assert desk.texts("what") == ["Added a vehicle"]
    await desk.type("Ọlá")
    assert desk.texts("what") == []
    await desk.choose("kinds", "")
    assert desk.texts("what") == ["Blocked a tracker"]
    await desk.type("")
    job = lambda connection: record_act(connection, what="vehicle.set", subject="x", after={"name": "Ẹ̀gbá"}, who="b")  # noqa: E731
    await desk.write(job)
    await until(lambda: desk.texts("what")[0] == "Changed a vehicle")
    await desk.type(["ẹ̀gbá", "Ẹ̀gbá"][1])
    assert desk.texts("what") == ["Changed a vehicle"]


async def test_the_chain_is_verified_on_demand_and_a_fault_is_named(desk: Desk) -> None:
    page, store = desk.page, desk.console.store
    for number in range(3):
        await desk.write(lambda connection, n=number: record_act(connection, what="test.act", subject=f"s{n}"))
    vault = MemoryVault()
    desk.console.context.services.__dict__["_vault"] = vault
    await desk.open("acts")
    QTest.mouseClick(page.chain.button, LEFT)
    await until(lambda: page.chain.pill.word == "Chain holds")
    assert page.chain.pill.level == "warn"
    assert "not sealed yet" in page.chain.words.text()
    with store.read() as connection:
        Seal(vault, store.url, desk.console.context.paths.checkpoints).advance(connection)
    QTest.mouseClick(page.chain.button, LEFT)
    await until(lambda: page.chain.pill.level == "ok")
    assert page.chain.words.text() == "3 acts walked, compared with the seal"
    await desk.write(lambda connection: record_act(connection, what="test.act", subject="more"))
    await until(lambda: page.chain.pill.word == "Changed since")
    await desk.write(lambda connection: connection.execute(update(Act).where(Act.id == 2).values(subject="edited")))
    QTest.mouseClick(page.chain.button, LEFT)
    await until(lambda: page.chain.pill.word == "Chain broken")
    fault = " ".join(label.text() for label in page.chain.findChildren(QLabel))
    assert "Entry 2 (test.act" in fault
    assert "was edited after it was written" in fault


async def test_news_of_acts_that_the_walk_saw_is_no_change(desk: Desk) -> None:
    await desk.write(lambda connection: record_act(connection, what="test.act", subject="s"))
    await desk.open("acts")
    QTest.mouseClick(desk.page.chain.button, LEFT)
    await until(lambda: desk.page.chain.pill.word == "Chain holds")
    await desk.page.refresh(frozenset({"acts"}))
    assert desk.page.chain.pill.word == "Chain holds"


async def test_a_locked_vault_does_not_hinder_the_walk(desk: Desk) -> None:
    def locked() -> MemoryVault:
        raise VaultError("The key store is locked. Unlock it and try again.")

    await desk.write(lambda connection: record_act(connection, what="test.act", subject="s"))
    desk.console.context.services._open_vault = locked
    await desk.open("acts")
    QTest.mouseClick(desk.page.chain.button, LEFT)
    await until(lambda: desk.page.chain.pill.word == "Chain holds")
    assert "The key store is locked" in desk.page.chain.words.text()


async def test_acts_are_narrowed_to_a_person_a_record_and_a_kind(desk: Desk) -> None:
    page = desk.page
    await desk.arrive(a_position(IMEI), a_position(OTHER_IMEI))
    await desk.write(lambda connection: adopt(connection, IMEI, "KAN-552XA", who="Amina Bello (depot)"))
    await desk.write(lambda connection: block(connection, OTHER_IMEI, who="Tunde (depot)"))
    job = lambda connection: record_act(connection, what="alarm.comment", subject="Fuel low", who="Tunde (depot)")  # noqa: E731
    await desk.write(job)
    await desk.open("acts")
    people = page.filters.people
    await until(lambda: people.count() == 3)
    assert [people.itemText(at) for at in range(3)] == ["Everybody", "Amina Bello (depot)", "Tunde (depot)"]
    await desk.choose("people", "Tunde (depot)")
    assert desk.texts("what") == ["Commented on an alarm", "Blocked a tracker"]
    await desk.choose("kinds", "alarm alarm_rule fence")
    assert desk.texts("what") == ["Commented on an alarm"]
    await desk.choose("kinds", "")
    await desk.choose("people", "")
    await desk.select(1)
    QTest.mouseClick(page.panel.buttons["acts_on"], LEFT)
    await desk.settled()
    assert page.search.text() == OTHER_IMEI
    assert desk.texts("what") == ["Blocked a tracker"]
    QTest.mouseClick(page.panel.buttons["acts_by"], LEFT)
    await desk.settled()
    assert page.filters.people.currentData() == "Tunde (depot)"
    await desk.open("log")
    assert page.filters.people.isHidden()
    assert len(desk.texts()) == 0, "the search goes on, who did it does not"
    await desk.type("")
    await until(lambda: len(desk.texts()) == 200)


async def test_what_an_act_changed_stands_side_by_side_as_plain_text(desk: Desk) -> None:
    before = {"name": "<b>old</b>", "token_name": "x" * 300, "same": 1}
    after = {"name": "<i>new</i>", "limits": {"litres": 5}, "same": 1}
    job = lambda connection: record_act(connection, what="x.y", subject="s", before=before, after=after, who="ada")  # noqa: E731
    await desk.write(job)
    await desk.open("acts")
    await desk.select(0)
    shown = desk.sides()
    assert shown[0] == ("name", "<b>old</b>", "<i>new</i>")
    assert ("limits.litres", "–", "5") in shown
    panel = desk.page.panel
    assert panel.sides is not None
    assert all(cell.textFormat() == Qt.TextFormat.PlainText for row in panel.sides.cells for cell in row)
    assert panel.sides.width() <= panel.width()
    QTest.mouseClick(panel.copy, LEFT)
    assert "name: <b>old</b> → <i>new</i>" in QApplication.clipboard().text()


async def test_every_act_that_is_found_is_written_to_a_file(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def job(connection: Connection) -> None:
        for number in range(450):
            who = "ada" if number % 3 else "Tunde (depot)"
            record_act(connection, what="vehicle.set", subject=f"=V{number}", after={"n": number}, who=who)

    await desk.write(job)
    await desk.open("acts")
    await until(lambda: desk.page.filters.people.count() == 3)
    await desk.choose("people", "ada")
    file = tmp_path / "acts.csv"

    async def chosen(*_arguments: object) -> Path:
        return file

    monkeypatch.setattr("widgets.ask.save_file", chosen)
    QTest.mouseClick(desk.page.chain.export, LEFT)
    await until(lambda: desk.console.notes)
    assert desk.console.notes[-1] == ("ok", f"300 rows written to {file}")
    with file.open(encoding="utf-8-sig", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert (len(rows), {row["who"] for row in rows}) == (300, {"ada"})
    assert rows[0]["subject"].endswith("=V449")
    assert rows[0]["subject"] != "=V449", "a spreadsheet must not run it"
    assert json.loads(rows[0]["after"]) == {"n": 449}


async def test_the_newest_checkpoint_is_shown_with_its_age_and_copied_outside(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    page, console = desk.page, desk.console
    vault = MemoryVault()
    console.context.services.__dict__["_vault"] = vault
    await desk.write(lambda connection: record_act(connection, what="test.act", subject="s"))
    await desk.open("acts")
    await until(lambda: page.chain.sealed.text() == "No checkpoint yet.")
    file = tmp_path / "copy.jsonl"

    async def chosen(*_arguments: object) -> Path:
        return file

    monkeypatch.setattr("widgets.ask.save_file", chosen)
    QTest.mouseClick(page.chain.copy, LEFT)
    await until(lambda: console.notes)
    assert console.notes[-1][0] == "error"
    assert "no checkpoint to copy yet" in console.notes[-1][1]
    seal = Seal(vault, console.store.url, console.context.paths.checkpoints)
    with console.store.read() as connection:
        seal.advance(connection)
    QTest.mouseClick(page.chain.button, LEFT)
    await until(lambda: page.chain.pill.level == "ok")
    await until(lambda: "ago, over 1 act." in page.chain.sealed.text())
    QTest.mouseClick(page.chain.copy, LEFT)
    await until(lambda: console.notes[-1] == ("ok", f"1 checkpoint copied to {file}"))
    assert seal.file is not None
    assert file.read_bytes() == seal.file.read_bytes()


async def test_a_seal_that_does_not_hold_is_no_broken_chain(desk: Desk) -> None:
    page, console = desk.page, desk.console
    vault = MemoryVault()
    console.context.services.__dict__["_vault"] = vault
    seal = Seal(vault, console.store.url, console.context.paths.checkpoints)
    await desk.write(lambda connection: record_act(connection, what="test.act", subject="s"))
    with console.store.read() as connection:
        seal.advance(connection)
    vault.delete(seal.owner)
    await desk.open("acts")
    QTest.mouseClick(page.chain.button, LEFT)
    await until(lambda: page.chain.pill.word == "Seal broken")
    words = " ".join(label.text() for label in page.chain.findChildren(QLabel))
    assert "The key of the checkpoints is not in the vault" in words
    assert "audit accept" in words
