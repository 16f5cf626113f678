"""The operator at the rules for pushed messages: tried line by line on stored ones, faults by rule, saved, used."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from sqlalchemy import func, select

from adapters.records import PushedMessage
from app.catalogue import Catalogue
from app.clock import to_ms, utc_now
from app.integrations.changes import Desk, add
from app.integrations.rows import configured
from app.security.vault import MemoryVault
from app.store.tables import Act, StockLineRow
from app.sync.inbox import InboxState, WantedMessages, count_inbox, keep_messages, mark_handled
from dialogs.message_rules import RulesDialog, message_rules
from tests.helpers.qt import Console, open_dialog, until
from tests.helpers.sync_page import SyncDesk, sync_desk

LEFT = Qt.MouseButton.LeftButton
CATALOGUE = Catalogue.load(
    built_in={"webhook": "adapters.webhook:WebhookAdapter", "small_peer": "tests.helpers.supply_peer:PeerAdapter"},
    third_party=list,
)
SECRET = "a secret of a test that is long enough"
RULES: dict[str, Any] = {
    "rules": [
        {
            "when": {"type": "stock.changed"},
            "expects": {"store": "text", "lines": "list"},
            "kind": "stock_line",
            "each": "lines",
            "fields": {"peer_id": "id", "facility": "/store", "item": "item", "units": "units"},
        },
        {"when": {"type": "requisition.sent"}, "fetch": "Zonal mSupply"},
    ]
}
STOCK: dict[str, Any] = {
    "type": "stock.changed",
    "store": "kano",
    "lines": [{"id": "s1", "item": "AMX250", "units": 30}, {"id": "s2", "item": "ORS", "units": "many"}],
}
MESSAGES: tuple[dict[str, Any], ...] = (
    STOCK,
    {"type": "requisition.sent", "id": 7},
    {"type": "patient.moved", "id": 9, "token": "planted-secret-in-a-body"},
    {**STOCK, "lines": "none"},
)
GOOD, FETCHES, UNKNOWN, MISSHAPEN = range(1, 5)


@pytest_asyncio.fixture
async def made(console: Console) -> AsyncIterator[tuple[SyncDesk, str]]:
    """The inbox with four messages of a receiver whose rules stand in a file."""
    async with sync_desk(console, catalogue=CATALOGUE) as desk:
        services: Any = console.context.services
        services.__dict__["_vault"] = MemoryVault()
        rules = Path(console.paths.data_dir) / "given.json"
        rules.write_text(json.dumps(RULES, indent=2))
        receiver = await asyncio.to_thread(
            add, Desk(console.store, CATALOGUE, services.vault), "webhook", "State store pushes",
            {"rules": str(rules)}, {"secret": SECRET},
        )  # fmt: skip
        console.context.doors.dialogs = {**console.context.doors.dialogs, "message_rules": message_rules}
        desk.write(_fill, receiver)
        QTest.mouseClick(desk.page.tabs.button("inbox"), LEFT)
        await until(lambda: len(desk.page.inbox.table.model.rows) == len(MESSAGES))
        yield desk, receiver


def _fill(connection: Any, receiver: str) -> None:
    at = to_ms(utc_now())
    bodies = [json.dumps(body).encode() for body in MESSAGES]
    messages = [PushedMessage(f"evt_4f1{n}", at, at, "10.20.1.7", body) for n, body in enumerate(bodies)]
    keep_messages(connection, receiver, messages)
    for key in (UNKNOWN, MISSHAPEN):
        mark_handled(connection, key, InboxState.REFUSED, "No rule of the rules file fits.", now_ms=at)


async def opened(desk: SyncDesk, key: int) -> RulesDialog:
    """The dialog by the button beside one message."""
    assert desk.page.inbox.select(key)
    QTest.mouseClick(desk.page.inbox.panel.rules, LEFT)
    return await desk.dialog(RulesDialog)


def rows_of(dialog: RulesDialog) -> list[str]:
    return [dialog.rules.item(at).text() for at in range(dialog.rules.count())]


async def close(dialog: RulesDialog) -> None:
    QTest.mouseClick(dialog.cancel, LEFT)
    await until(lambda: open_dialog() is None)


async def test_rules_are_tried_on_a_message_line_by_line_and_nothing_is_stored(made: tuple[SyncDesk, str]) -> None:
    desk, _receiver = made
    before = stock(desk)
    dialog = await opened(desk, GOOD)
    await until(lambda: dialog.verdict.text() == "It would bring 1 record. 1 would be set aside.")
    shown = dialog.trial.toPlainText()
    assert "Stock line: peer_id s1; facility kano; item AMX250; units 30.0" in shown
    assert "element 2: its “units” is not a number" in shown
    assert rows_of(dialog) == [
        "1. stock line, when type = stock.changed", "2. run Zonal mSupply, when type = requisition.sent",
    ]  # fmt: skip
    assert not dialog.save.isEnabled(), "nothing was changed"
    await close(dialog)
    assert stock(desk) == before


async def test_another_message_may_be_chosen_and_tells_what_it_would_mean(made: tuple[SyncDesk, str]) -> None:
    desk, _receiver = made
    dialog = await opened(desk, UNKNOWN)
    await until(lambda: dialog.verdict.text() == "This message would be refused.")
    assert "No rule of the rules file fits this message" in dialog.trial.toPlainText()
    QTest.mouseClick(dialog.tabs.button("message"), LEFT)
    assert '"patient.moved"' in dialog.message.toPlainText()
    assert "planted-secret" not in dialog.message.toPlainText()
    dialog.messages.setCurrentIndex(dialog.messages.findData(FETCHES))
    await until(lambda: "The next run of “Zonal mSupply” comes at once." in dialog.trial.toPlainText())
    dialog.messages.setCurrentIndex(dialog.messages.findData(MISSHAPEN))
    await until(lambda: "“lines” holds a text where a list is expected" in dialog.trial.toPlainText())
    await close(dialog)


async def test_each_wrong_rule_is_named_with_its_place(made: tuple[SyncDesk, str]) -> None:
    desk, _receiver = made
    dialog = await opened(desk, UNKNOWN)
    await until(lambda: len(rows_of(dialog)) == 2)
    wrong = {"rules": [{"kind": "truck"}, RULES["rules"][1], {"kind": "item", "fields": {"peer_id": "id"}}]}
    dialog.editor.setPlainText(json.dumps(wrong, indent=1))
    await until(lambda: len(rows_of(dialog)) == 3 and "none of facility" in rows_of(dialog)[0])
    assert rows_of(dialog)[1].startswith("2. run Zonal")
    assert "must say where “code” comes from" in rows_of(dialog)[2]
    assert dialog.verdict.text() == "2 rules cannot be used."
    assert not dialog.save.isEnabled()
    dialog.rules.setCurrentRow(2)
    assert dialog.editor.textCursor().blockNumber() > 10
    dialog.editor.setPlainText("{")
    await until(lambda: len(rows_of(dialog)) == 1)
    assert "The text is" in rows_of(dialog)[0]
    await close(dialog)


async def test_right_rules_are_saved_recorded_and_used_from_then_on(made: tuple[SyncDesk, str]) -> None:
    desk, receiver = made
    QTest.mouseClick(desk.page.inbox.rules, LEFT)  # above the list: the only receiver's
    dialog = await desk.dialog(RulesDialog)
    await until(lambda: len(rows_of(dialog)) == 2)
    right = {"rules": [{"when": {"type": "patient.moved"}, "fetch": "Zonal mSupply"}]}
    dialog.editor.selectAll()
    QTest.keyClicks(dialog.editor, json.dumps(right))
    dialog.messages.setCurrentIndex(dialog.messages.findData(UNKNOWN))
    await until(lambda: dialog.save.isEnabled() and "comes at once" in dialog.trial.toPlainText())
    QTest.mouseClick(dialog.save, LEFT)
    await until(lambda: open_dialog() is None)
    with desk.console.store.read() as connection:
        file = Path(configured(connection, receiver).config["rules"])
        acts = connection.execute(select(func.count()).where(Act.what == "integration.change")).scalar_one()
    assert file.parent == desk.console.paths.data_dir / "rules"
    assert json.loads(await asyncio.to_thread(file.read_text)) == right
    assert acts == 1
    assert desk.console.notes[-1][0] == "ok"


async def test_rules_that_cannot_be_read_are_told_and_can_be_written_anew(made: tuple[SyncDesk, str]) -> None:
    desk, receiver = made
    with desk.console.store.read() as connection:
        file = Path(configured(connection, receiver).config["rules"])
    await asyncio.to_thread(file.unlink)
    dialog = await opened(desk, GOOD)
    assert "cannot be read" in dialog.problem.words.text()
    assert dialog.problem.isVisible()
    assert dialog.verdict.text() in ("", "There are no rules: messages are stored, and wait.")
    QTest.mouseClick(dialog.example, LEFT)
    await until(dialog.save.isEnabled)
    QTest.mouseClick(dialog.save, LEFT)
    await until(lambda: open_dialog() is None)
    with desk.console.store.read() as connection:
        saved = Path(configured(connection, receiver).config["rules"])
    assert "stock.changed" in await asyncio.to_thread(saved.read_text)


async def test_a_file_is_opened_and_what_is_no_text_is_told(
    made: tuple[SyncDesk, str], tmp_path: Path, monkeypatch: Any
) -> None:
    desk, _receiver = made
    chosen = tmp_path / "others.json"
    chosen.write_bytes(b"\xff\xfe\x00")

    async def open_file(*_arguments: Any) -> Path:
        return chosen

    monkeypatch.setattr("dialogs.message_rules.ask.open_file", open_file)
    dialog = await opened(desk, GOOD)
    await until(lambda: len(rows_of(dialog)) == 2)
    QTest.mouseClick(dialog.load, LEFT)
    await until(lambda: dialog.problem.words.text() == "others.json cannot be read: it is no text.")
    chosen.write_text(json.dumps({"rules": [RULES["rules"][1]]}))
    QTest.mouseClick(dialog.load, LEFT)
    await until(lambda: rows_of(dialog) == ["1. run Zonal mSupply, when type = requisition.sent"])
    assert dialog.problem.isHidden()
    await close(dialog)


def stock(desk: SyncDesk) -> int:
    with desk.console.store.read() as connection:
        counted: int = connection.execute(select(func.count()).select_from(StockLineRow)).scalar_one()
        assert count_inbox(connection, WantedMessages()) == {"waiting": 2, "refused": 2}
    return counted
