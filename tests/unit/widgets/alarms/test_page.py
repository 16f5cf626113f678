"""The operator at the alarms page: looking, acknowledging, shelving, assigning, commenting; rules and fences."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialog, QLineEdit, QPushButton, QSpinBox
from sqlalchemy import update

from app.alarms import acts
from app.alarms.findings import Clear, Raise
from app.alarms.lifecycle import apply_findings
from app.alarms.listing import AlarmListing, list_alarms
from app.alarms.own_fences import OWNER
from app.alarms.rule_book import list_rules
from app.alarms.words import Kind, Priority
from app.engine.facts import ENGINE_FACT
from app.store.changes import raise_topic
from app.store.errors import StoreError
from app.store.facts import set_fact
from app.store.tables import Act, Alarm
from dialogs.alarm_fences import CircleDialog, FencesDialog, own_fences
from dialogs.alarm_rule_form import RuleDialog
from dialogs.alarm_rules import RulesDialog, alarm_rules
from dialogs.alarm_shelve import ShelveDialog, shelve_alarms
from tests.helpers.fleet import rows_of
from tests.helpers.qt import Console, open_dialog, until
from widgets import ask
from widgets.alarms.page import AlarmsPage

LEFT = Qt.MouseButton.LeftButton
MIN_MS = 60_000


@dataclass
class Desk:
    console: Console
    page: AlarmsPage
    now_ms: int

    def raise_(self, title: str, *, kind: Kind = Kind.SPEED, ago_min: float = 5, **other: Any) -> Raise:
        at_ms = self.now_ms - round(ago_min * MIN_MS)
        values = {"priority": Priority.LOW, "rule_id": None, "key": f"{kind.value}:{title}", **other}
        return Raise(kind=kind, at_ms=at_ms, title=title, detail=f"Detail of {title}.", **values)

    async def tell(self, *found: Any) -> None:
        await asyncio.to_thread(self.write, lambda connection: apply_findings(connection, found, self.now_ms))

    def write(self, job: Any) -> Any:
        return self.console.store.write(job).result(10)

    async def shows(self, *titles: str) -> None:
        await until(lambda: self.titles() == list(titles))

    def titles(self) -> list[str]:
        return [row.title for row in self.page.alarm_table.model.rows]

    def stored(self, title: str) -> AlarmListing:
        with self.console.store.read() as connection:
            (row,) = [row for row in list_alarms(connection) if row.title == title]
        return row

    def select(self, *titles: str) -> None:
        """Choose rows as with Ctrl and the mouse."""
        table = self.page.alarm_table
        table.view.clearSelection()
        for title in titles:
            index = table.model.index(self.titles().index(title), 1)
            modifier = Qt.KeyboardModifier.ControlModifier
            QTest.mouseClick(table.view.viewport(), LEFT, modifier, table.view.visualRect(index).center())

    def tab(self, group: str) -> None:
        QTest.mouseClick(self.page.tabs.button(group), LEFT)

    def press(self, key: Qt.Key) -> None:
        QTest.keyClick(self.page.alarm_table.view, key)

    async def dialog(self) -> QDialog:
        await until(lambda: open_dialog() is not None)
        dialog = open_dialog()
        assert dialog is not None
        return dialog

    def acts(self) -> list[str]:
        return [row.what for row in rows_of(self.console.store, Act)]


@pytest_asyncio.fixture
async def desk(console: Console) -> AsyncIterator[Desk]:
    console.context.doors.dialogs = {
        "shelve_alarms": shelve_alarms,
        "alarm_rules": alarm_rules,
        "own_fences": own_fences,
    }
    page = AlarmsPage(console.context)
    page.resize(1300, 800)
    made = Desk(console, page, console.context.services.clock.now_ms())
    await made.tell(
        made.raise_("ABC-123: SOS", kind=Kind.SOS, priority=Priority.HIGH, lat=9.0, lon=7.4),
        made.raise_("XYZ-999: too fast", ago_min=2, evidence=[("Speed", 118.0, "km/h"), ("Since", made.now_ms, "at")]),
        made.raise_("Line is down", kind=Kind.INTEGRATION_DOWN, priority=Priority.MEDIUM, integration_id="t-1"),
        made.raise_("XYZ-999: tracker silent", kind=Kind.TRACKER_SILENT, integration_id="t-1"),
    )
    page.show()
    await until(lambda: page.is_ready)
    yield made
    page.close_page()
    page.hide()
    page.deleteLater()


ALL = ("ABC-123: SOS", "Line is down", "XYZ-999: too fast")


async def test_what_stands_is_shown_by_urgency_and_what_is_explained_under_its_cause(desk: Desk) -> None:
    await desk.shows(*ALL)
    table = desk.page.alarm_table
    assert [table.model.columns[0].text(row) for row in table.model.rows] == ["High", "Medium", "Low"]
    assert desk.page.tabs.button("standing").text() == "Standing  3"
    desk.select("Line is down")
    assert desk.page.panel.heading.text() == "Line is down"
    (link,) = [one for one in desk.page.panel.findChildren(QPushButton) if one.text() == "XYZ-999: tracker silent"]
    QTest.mouseClick(link, LEFT)
    assert desk.page.with_folded.isChecked()
    assert desk.page.panel.heading.text() == "XYZ-999: tracker silent"
    assert any(one.text() == "Line is down" for one in desk.page.panel.findChildren(QPushButton))


async def test_the_page_says_when_nobody_watches(desk: Desk) -> None:
    def beat(ago_ms: int, state: str = "running") -> Any:
        def job(connection: Any) -> None:
            raise_topic(connection, "alarms")
            set_fact(connection, ENGINE_FACT, {"beat_at_ms": desk.now_ms - ago_ms, "state": state})

        return job

    assert desk.page.unwatched.isHidden()
    await asyncio.to_thread(desk.write, beat(600_000))
    await until(desk.page.unwatched.isVisible)
    assert "No engine has been at work since" in desk.page.unwatched.words.text()
    await asyncio.to_thread(desk.write, beat(0))
    await until(desk.page.unwatched.isHidden)


async def test_a_power_cut_is_seen_to_first_and_over_when_power_is_back(desk: Desk) -> None:
    await desk.tell(desk.raise_("ABC-123: power cut", kind=Kind.POWER_CUT, ago_min=1))
    await until(lambda: "ABC-123: power cut" in desk.titles())
    desk.select("ABC-123: power cut")
    button = desk.page.panel.acknowledge
    QTest.mouseClick(button, LEFT)
    await until(lambda: button.text() == "Power is back")
    assert desk.stored("ABC-123: power cut").cleared_at_ms is None, "it still lasts"
    QTest.mouseClick(button, LEFT)
    await until(lambda: button.text() == "Seen to")
    assert desk.stored("ABC-123: power cut").is_over
    assert desk.acts()[-2:] == ["alarm.acknowledge", "alarm.end"]


async def test_details_show_evidence_in_the_chosen_units_and_lead_to_the_map(desk: Desk) -> None:
    desk.select("XYZ-999: too fast")
    texts = [one.text() for one in desk.page.panel.findChildren(type(desk.page.chosen))]
    assert "118 km/h" in texts
    assert "Call the driver and ask to slow down." in texts
    desk.select("Line is down")
    QTest.mouseClick(desk.page.panel.links["integration"], LEFT)
    assert desk.console.opened == [("integrations", {"configure": "t-1"})]


async def test_acknowledging_with_the_button_and_with_the_key(desk: Desk) -> None:
    desk.select("ABC-123: SOS")
    QTest.mouseClick(desk.page.panel.acknowledge, LEFT)
    await desk.shows("Line is down", "XYZ-999: too fast")
    assert desk.stored("ABC-123: SOS").is_over
    desk.select("XYZ-999: too fast")
    desk.press(Qt.Key.Key_A)
    await until(lambda: desk.stored("XYZ-999: too fast").acknowledged_at_ms is not None)
    await until(lambda: desk.page.panel.acknowledge.text() == "Seen to")
    assert not desk.page.panel.acknowledge.isEnabled()
    desk.tab("history")
    await desk.shows("ABC-123: SOS")
    assert desk.console.notes[-1] == ("ok", "1 alarm is seen to.")


async def test_many_are_acknowledged_after_their_number_was_seen(desk: Desk) -> None:
    desk.select("ABC-123: SOS", "Line is down")
    assert desk.page.chosen.text() == "2 alarms chosen"
    QTest.mouseClick(desk.page.many_acts["acknowledge"], LEFT)
    dialog = await desk.dialog()
    QTest.mouseClick(dialog.act, LEFT)  # type: ignore[attr-defined]
    await until(lambda: ("ok", "3 alarms are seen to.") in desk.console.notes)
    assert desk.acts() == ["alarm.acknowledge"] * 3, "the folded one, too"


async def test_shelving_asks_for_time_and_reason_and_it_comes_back(desk: Desk) -> None:
    desk.select("XYZ-999: too fast")
    desk.press(Qt.Key.Key_S)
    dialog = await desk.dialog()
    assert isinstance(dialog, ShelveDialog)
    QTest.mouseClick(dialog.act, LEFT)
    await until(dialog.problem.isVisible)
    assert "Say why" in dialog.problem.text()
    QTest.mouseClick(dialog.spans.button("15"), LEFT)
    QTest.keyClicks(dialog.reason, "test drive")
    QTest.keyClick(dialog.reason, Qt.Key.Key_Return)
    await until(lambda: open_dialog() is None)
    await desk.shows("ABC-123: SOS", "Line is down")
    row = desk.stored("XYZ-999: too fast")
    assert row.shelved_reason == "test drive"
    assert 14 * MIN_MS < (row.shelved_until_ms or 0) - desk.now_ms < 17 * MIN_MS
    desk.tab("shelved")
    await desk.shows("XYZ-999: too fast")
    desk.select("XYZ-999: too fast")
    assert desk.page.panel.shelve.text() == "Take back"
    QTest.mouseClick(desk.page.panel.shelve, LEFT)
    await until(lambda: desk.stored("XYZ-999: too fast").shelved_until_ms is None)


async def test_a_shelf_until_a_time_of_its_own(desk: Desk) -> None:
    desk.select("XYZ-999: too fast")
    QTest.mouseClick(desk.page.panel.shelve, LEFT)
    dialog = await desk.dialog()
    assert isinstance(dialog, ShelveDialog)
    assert dialog.own.isHidden()
    QTest.mouseClick(dialog.spans.button("own"), LEFT)
    assert dialog.own.isVisible()
    assert dialog.wanted_until_ms() > desk.now_ms
    assert "It comes back at" in dialog.meaning.text()
    QTest.mouseClick(dialog.cancel, LEFT)
    await until(lambda: open_dialog() is None)
    assert desk.stored("XYZ-999: too fast").shelved_until_ms is None


async def test_comments_and_the_one_who_takes_care(desk: Desk) -> None:
    desk.select("ABC-123: SOS")
    QTest.keyClicks(desk.page.panel.comment, "called, no answer")
    QTest.keyClick(desk.page.panel.comment, Qt.Key.Key_Return)
    await until(lambda: desk.stored("ABC-123: SOS").comments)
    await until(lambda: not desk.page.panel.comment.text())
    desk.page.alarm_table.view.setFocus()
    desk.press(Qt.Key.Key_G)
    dialog = await desk.dialog()
    (field,) = dialog.findChildren(QLineEdit)
    QTest.keyClicks(field, "Musa")
    QTest.keyClick(field, Qt.Key.Key_Return)
    await until(lambda: desk.stored("ABC-123: SOS").assigned_to == "Musa")
    await until(lambda: desk.page.panel.facts.text("assigned") == "Musa")


async def test_what_ended_unseen_waits_and_comes_back_by_itself(desk: Desk) -> None:
    key = "speed:XYZ-999: too fast"
    await desk.tell(Clear(key, desk.now_ms))
    await desk.shows("ABC-123: SOS", "Line is down")
    desk.tab("cleared")
    await desk.shows("XYZ-999: too fast")
    again = replace(desk.raise_("XYZ-999: too fast"), at_ms=desk.now_ms)
    await desk.tell(again)
    await desk.shows()
    assert desk.page.tabs.button("standing").text() == "Standing  3"
    assert desk.stored("XYZ-999: too fast").repeats == 1


async def test_filters_and_search_find_folded_ones_too(desk: Desk) -> None:
    desk.page.kinds.setCurrentIndex(desk.page.kinds.findData(Kind.SOS.value))
    await desk.shows("ABC-123: SOS")
    desk.page.kinds.setCurrentIndex(0)
    desk.page.priorities.setCurrentIndex(desk.page.priorities.findData("medium"))
    await desk.shows("Line is down")
    desk.page.priorities.setCurrentIndex(0)
    QTest.keyClicks(desk.page.search, "silent xyz")
    await desk.shows("XYZ-999: tracker silent")
    QTest.keyClick(desk.page.search, Qt.Key.Key_Escape)
    await desk.shows(*ALL)


async def test_a_flood_is_told_above_ten_in_ten_minutes(desk: Desk) -> None:
    assert desk.page.flood.isHidden()
    await desk.tell(*(desk.raise_(f"V{number}: too fast") for number in range(9)))
    await until(desk.page.flood.isVisible)
    assert "Flood: 12 alarms" in desk.page.flood.words.text()


async def test_one_alarm_is_opened_from_elsewhere(desk: Desk) -> None:
    row = desk.stored("ABC-123: SOS")
    desk.write(lambda connection: acts.acknowledge(connection, [row.id], desk.now_ms))
    desk.page.show_item(alarm_id=row.id)
    await until(lambda: desk.page.tabs.value == "history")
    assert desk.page.panel.heading.text() == "ABC-123: SOS"
    desk.page.show_item(alarm_id="no such")
    await until(lambda: ("warn", "That alarm is not kept any more.") in desk.console.notes)


async def test_escape_closes_the_details_and_enter_goes_to_them(desk: Desk) -> None:
    desk.select("ABC-123: SOS")
    desk.press(Qt.Key.Key_Return)
    assert desk.page.panel.isVisible()
    QTest.keyClick(desk.page, Qt.Key.Key_Escape)
    assert desk.page.panel.isHidden()


async def test_the_export_is_what_is_seen(desk: Desk) -> None:
    sheet = desk.page.table().sheet()
    assert sheet.headings[:3] == ("Priority", "Alarm", "State")
    assert [row[1] for row in sheet.rows] == list(ALL)


async def test_a_store_that_refuses_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: Any, **_named: Any) -> int:
        raise StoreError("The disk is full. Free some space.")

    monkeypatch.setattr(acts, "acknowledge", refuse)
    desk.select("ABC-123: SOS")
    desk.press(Qt.Key.Key_A)
    await until(lambda: ("error", "The disk is full. Free some space.") in desk.console.notes)
    assert desk.stored("ABC-123: SOS").acknowledged_at_ms is None


async def test_text_from_outside_stays_text(desk: Desk) -> None:
    await desk.tell(desk.raise_("<b>ABC</b>"))
    await until(lambda: "<b>ABC</b>" in desk.titles())
    desk.select("<b>ABC</b>")
    assert desk.page.panel.heading.textFormat() == Qt.TextFormat.PlainText


async def rules_dialog(desk: Desk) -> RulesDialog:
    QTest.mouseClick(desk.page.rules_button, LEFT)
    dialog = await desk.dialog()
    assert isinstance(dialog, RulesDialog)
    await until(lambda: dialog.table.model.rows)
    return dialog


async def form_of(desk: Desk) -> RuleDialog:
    await until(lambda: isinstance(desk.page.window().findChild(RuleDialog), RuleDialog))
    form = desk.page.window().findChild(RuleDialog)
    assert isinstance(form, RuleDialog)
    await until(form.isVisible)
    return form


async def close(dialog: RulesDialog | FencesDialog) -> None:
    QTest.mouseClick(dialog.shut, LEFT)
    await until(lambda: open_dialog() is None)


async def test_rules_are_added_with_faults_at_their_fields_switched_and_removed(desk: Desk) -> None:
    dialog = await rules_dialog(desk)
    before = len(dialog.table.model.rows)
    (entry,) = [one for one in dialog.kinds_menu().actions() if one.text() == "Too fast"]
    entry.trigger()
    form = await form_of(desk)
    form.name.clear()
    QTest.mouseClick(form.save, LEFT)
    await until(form.problem.isVisible)
    assert "give the rule a name" in form.problem.text()
    QTest.keyClicks(form.name, "Town")
    QTest.mouseClick(form.priority.button("medium"), LEFT)
    limit = form.rows["limit_km_h"].editor.findChild(QSpinBox)
    assert limit is not None
    limit.setValue(50)
    form.pickers["vehicles"].some.setChecked(True)
    QTest.mouseClick(form.save, LEFT)
    assert "Tick at least one" in form.problem.text()
    form.pickers["vehicles"].every.setChecked(True)
    QTest.mouseClick(form.save, LEFT)
    await until(lambda: len(dialog.table.model.rows) == before + 1)
    with desk.console.store.read() as connection:
        (rule,) = [rule for rule in list_rules(connection) if rule.name == "Town"]
    assert (rule.priority, rule.settings.model_dump()["limit_km_h"]) == (Priority.MEDIUM, 50)
    dialog.table.select_key(rule.id)
    QTest.mouseClick(dialog.switch, LEFT)
    await until(lambda: dialog.switch.text() == "Switch on")
    QTest.mouseClick(dialog.remove, LEFT)
    await until(lambda: hasattr(open_dialog_of(dialog), "act"))
    QTest.mouseClick(open_dialog_of(dialog).act, LEFT)
    await until(lambda: len(dialog.table.model.rows) == before)
    await close(dialog)
    assert [what for what in desk.acts() if what.startswith("alarm_rule")] == [
        "alarm_rule.add",
        "alarm_rule.change",
        "alarm_rule.remove",
    ]


def open_dialog_of(parent: QDialog) -> Any:
    """The question that lies over a dialog."""
    return next((one for one in parent.findChildren(QDialog) if one.isVisible()), None)


async def test_a_rule_shows_only_the_rows_that_matter(desk: Desk) -> None:
    dialog = await rules_dialog(desk)
    row = next(rule for rule in dialog.table.model.rows if rule.name == "Faster than 100 km/h")
    dialog.table.activated.emit(row)
    form = await form_of(desk)
    assert not form.rows["limit_km_h"].isHidden()
    form.rows["limit"].editor.set_value("fence")
    assert form.rows["limit_km_h"].isHidden()
    QTest.mouseClick(form.cancel, LEFT)
    await until(lambda: open_dialog_of(dialog) is None)
    await close(dialog)


async def test_the_rule_of_an_alarm_is_found(desk: Desk) -> None:
    dialog = await rules_dialog(desk)
    rule = dialog.table.model.rows[-1]
    await close(dialog)
    change = update(Alarm).where(Alarm.kind == "sos").values(rule_id=rule.id)

    def job(connection: Any) -> None:
        raise_topic(connection, "alarms")
        connection.execute(change)

    desk.write(job)
    await until(lambda: next(row for row in desk.page.rows if row.kind == "sos").rule == rule.name)
    desk.select("ABC-123: SOS")
    desk.page.do("rule", desk.page.alarm_table.selected_rows())
    again = await desk.dialog()
    assert isinstance(again, RulesDialog)
    await until(lambda: [one.id for one in again.table.selected_rows()] == [rule.id])
    await close(again)


async def test_fences_are_made_imported_and_removed(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    QTest.mouseClick(desk.page.fences_button, LEFT)
    dialog = await desk.dialog()
    assert isinstance(dialog, FencesDialog)
    QTest.mouseClick(dialog.add, LEFT)
    await until(lambda: isinstance(open_dialog_of(dialog), CircleDialog))
    circle = open_dialog_of(dialog)
    QTest.keyClicks(circle.name, "Depot")
    QTest.keyClicks(circle.place, "somewhere")
    QTest.mouseClick(circle.save, LEFT)
    assert "latitude and longitude" in circle.problem.text()
    circle.place.clear()
    QTest.keyClicks(circle.place, "9.0765, 7.3986")
    QTest.mouseClick(circle.save, LEFT)
    await until(lambda: [fence["name"] for fence in dialog.table.model.rows] == ["Depot"])
    assert dialog.table.model.rows[0]["integration_id"] == OWNER
    file = tmp_path / "areas.geojson"
    file.write_text("rubbish", encoding="utf-8")

    async def chosen(*_arguments: Any) -> Path:
        return file

    monkeypatch.setattr(ask, "open_file", chosen)
    QTest.mouseClick(dialog.load, LEFT)
    await until(dialog.problem.isVisible)
    assert "no GeoJSON" in dialog.problem.text()
    ring = [[7.0, 9.0], [7.1, 9.0], [7.1, 9.1], [7.0, 9.0]]
    file.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}), encoding="utf-8")
    QTest.mouseClick(dialog.load, LEFT)
    await until(lambda: len(dialog.table.model.rows) == 2)
    dialog.table.view.selectRow(0)
    QTest.mouseClick(dialog.remove, LEFT)
    await until(lambda: hasattr(open_dialog_of(dialog), "act"))
    QTest.mouseClick(open_dialog_of(dialog).act, LEFT)
    await until(lambda: len(dialog.table.model.rows) == 1)
    await close(dialog)
