"""The operator at the page Reports: opening, filling, entering, receiving, a dry run, approving, tasks, setting up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest_asyncio
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QLabel, QLineEdit
from sqlalchemy import select

from app.clock import utc_now
from app.integrations.rows import configured
from app.reports.forms import report_form
from app.reports.programmes import expected_facilities, list_programmes
from app.reports.runs import list_runs
from app.reports.tasks import list_tasks
from app.reports.writing import fill_report
from app.store.tables import Command
from dialogs.report_profile import ProfileDialog
from dialogs.report_programmes import ProgrammesDialog
from dialogs.report_received import ReceivedForm
from dialogs.report_requests import RequestsDialog
from tests.helpers.qt import Console, open_dialog, until
from tests.helpers.reports_page import ReportDesk, complete, fill_everything, report_desk, today
from widgets.reports.matrix import FIXED

LEFT = Qt.MouseButton.LeftButton


@pytest_asyncio.fixture
async def desk(console: Console) -> AsyncIterator[ReportDesk]:
    async with report_desk(console) as made:
        yield made


async def open_form(desk: ReportDesk, report_id: str) -> None:
    desk.page.show_item(report_id=report_id)
    await until(lambda: desk.page.form.form is not None and desk.page.form.form.report.id == report_id)


async def show_tab(desk: ReportDesk, tab: str) -> None:
    count = desk.page.refresh_count
    QTest.mouseClick(desk.page.tabs.button(tab), LEFT)
    await until(lambda: desk.page.refresh_count > count)


async def choose_line(desk: ReportDesk, item: str) -> None:
    table = desk.page.form.table
    await until(lambda: bool(table.model.rows))
    line = next(row for row in table.model.rows if row.item == item)
    assert table.select_key(line.id)
    await until(lambda: desk.page.form.panel.line is not None and desk.page.form.panel.line.item == item)


async def test_the_calendar_shows_each_report_as_shape_word_and_colour_and_opens_it(desk: ReportDesk) -> None:
    made = await asyncio.to_thread(fill_everything, desk)
    calendar = desk.page.calendar
    await until(lambda: calendar.pills.get("rejected") is not None)
    await until(lambda: calendar.pills["late"].word == "4 late")  # each report is a commit of its own
    assert calendar.pills["accepted"].level == "ok"
    matrix = calendar.matrix
    row = next(row for row in matrix.table.model.rows if row.facility == "Kuje General Hospital")
    last = len(matrix.table.model.columns) - 2  # the period that runs stands last
    badge = matrix.table.model.columns[last].badge
    assert badge is not None
    assert badge(row) == ("error", "Rejected")
    calendar.choose_state("excused")
    assert [one.facility for one in matrix.table.model.rows] == ["Dawakin Tofa General Hospital"]
    calendar.choose_state("")
    view = matrix.table.view
    place = view.visualRect(matrix.table.model.index(matrix.table.model.rows.index(row), last)).center()
    QTest.mouseClick(view.viewport(), LEFT, pos=place)
    await until(lambda: desk.page.form.form is not None)
    assert desk.page.form.report_id == made["rejected"]
    assert desk.page.tabs.value == "form"
    assert "rapid tests cannot be right" in desk.page.form.trouble.words.text()
    assert matrix.report_at(row, FIXED - 1) is not None


async def test_filling_entering_and_receiving_leave_three_facts(desk: ReportDesk) -> None:
    report = desk.report("gw")
    await open_form(desk, report.id)
    form = desk.page.form
    steps = form.steps
    assert (steps["received"].word.text(), form.pill.word) == ("Not received", "Late")
    QTest.mouseClick(form.buttons["fill"], LEFT)
    await choose_line(desk, "al24")
    panel = form.panel
    assert panel.filled["expiring"].text() == "72"  # type: ignore[attr-defined]
    assert panel.filled["losses"].text() == "–"  # type: ignore[attr-defined]
    QTest.mouseClick(panel.openers["expiring"], LEFT)
    await until(lambda: "expiring" in panel.sources_title.text())
    assert any("Batch C012" in text for text in labels(panel))
    QTest.mouseClick(panel.openers["losses"], LEFT)
    await until(lambda: any("does not tell losses" in text for text in labels(panel)))
    for key, text in (("opening_balance", "300"), ("received", "240"), ("consumed", "400"), ("losses", "minus one")):
        panel.editors[key].clear()
        QTest.keyClicks(panel.editors[key], text)
    QTest.mouseClick(panel.save, LEFT)
    await until(lambda: "is no number" in panel.problem.text())
    assert panel.editors["losses"].property("invalid") == "true"
    for key, text in (("losses", "5"), ("adjustments_plus", "0"), ("adjustments_minus", "0"), ("stockout_days", "2"),
                      ("closing_balance", "100")):  # fmt: skip
        panel.editors[key].clear()
        QTest.keyClicks(panel.editors[key], text)
    QTest.keyClick(panel.editors["closing_balance"], Qt.Key.Key_Return)
    await until(lambda: panel.facts.text("balance") == "gives 135; difference −35")
    assert any("The balance differs by -35" in text for text in labels(panel))
    QTest.mouseClick(form.buttons["receive"], LEFT)
    dialog = await desk.dialog(ReceivedForm)
    assert not dialog.save.isEnabled()
    QTest.keyClicks(dialog.person, "Ada Obi")
    QTest.mouseClick(dialog.save, LEFT)
    await until(lambda: form.pill.word == "Incomplete")
    assert steps["received"].word.text() == "Received from the facility"
    assert (steps["sent"].word.text(), steps["accepted"].word.text()) == ("Not sent", "Not accepted")


async def test_what_is_typed_survives_a_refresh(desk: ReportDesk) -> None:
    report = desk.report("cs")
    await asyncio.to_thread(desk.write, fill_report, report.id, now=utc_now())
    await open_form(desk, report.id)
    await choose_line(desk, "rdt")
    panel = desk.page.form.panel
    QTest.keyClicks(panel.editors["losses"], "17")
    count = desk.page.refresh_count
    desk.page.request_refresh()
    await until(lambda: desk.page.refresh_count > count)
    assert panel.editors["losses"].text() == "17"
    assert panel.changes() == {"losses": "17"}


async def test_a_dry_run_is_looked_at_and_approved_before_anything_goes(desk: ReportDesk) -> None:
    await show_tab(desk, "send")
    send = desk.page.send
    assert send.approval.isVisible()
    QTest.mouseClick(send.send, LEFT)
    await until(lambda: any("Approve the way of sending first" in text for _level, text in desk.console.notes))
    QTest.mouseClick(send.dry_run, LEFT)
    dialog = await desk.dialog(RequestsDialog)
    assert dialog.list.count() == 12
    assert "X-API-Key: •••" in dialog.text.toPlainText()
    assert "nh-secret" not in dialog.text.toPlainText()
    assert "no donor" in dialog.held.toPlainText()
    QTest.mouseClick(dialog.approve, LEFT)
    await until(lambda: open_dialogs() == 2)
    front = next(one for one in QApplication.topLevelWidgets() if isinstance(one, QDialog) and one is not dialog
                 and one.isVisible())  # fmt: skip
    QTest.mouseClick(front.act, LEFT)  # type: ignore[attr-defined]
    await until(lambda: open_dialogs() == 0)
    config = desk.read(configured, desk.taker).config
    assert config["profile_approved"] is True
    await until(lambda: not send.approval.isVisible())
    QTest.mouseClick(send.send, LEFT)
    await until(lambda: any("No engine is running" in text for _level, text in desk.console.notes))
    assert [run.state for run in desk.read(list_runs)] == ["shown"], "without an engine nothing is asked for"
    with desk.console.store.read() as connection:
        assert connection.execute(select(Command.id)).first() is None


async def test_the_profile_is_checked_key_by_key_and_saving_takes_the_approval_back(desk: ReportDesk) -> None:
    await show_tab(desk, "send")
    QTest.mouseClick(desk.page.send.profile, LEFT)
    dialog = await desk.dialog(ProfileDialog)
    await until(lambda: "in force" in dialog.meaning.text())
    assert not dialog.save.isEnabled()
    text = dialog.editor.toPlainText()
    dialog.editor.setPlainText(text.replace('"X-API-Key"', '"bad header"'))
    await until(dialog.problem.isVisible)
    assert "auth" in dialog.problem.words.text()
    dialog.editor.setPlainText(text.replace('"X-API-Key"', '"X-Facility-Key"'))
    await until(dialog.save.isEnabled)
    assert "X-Facility-Key: •••" in dialog.requests.toPlainText()
    assert "X-Facility-Key" in dialog.differences.toPlainText()
    QTest.mouseClick(dialog.save, LEFT)
    await until(lambda: open_dialog() is None)
    config = desk.read(configured, desk.taker).config
    assert config["profile_approved"] is False
    assert "X-Facility-Key" in (desk.console.paths.data_dir / "profiles").glob("*.json").__next__().read_text()


async def test_tasks_are_counted_finished_and_put_away_with_a_reason(desk: ReportDesk) -> None:
    await asyncio.to_thread(fill_everything, desk)
    await until(lambda: desk.page.tabs.button("tasks").text() == "Tasks  3")
    await show_tab(desk, "tasks")
    tasks = desk.page.tasks
    await until(lambda: len(tasks.table.model.rows) == 3)
    tasks.table.select_key(tasks.table.model.rows[0].id)
    await until(tasks.panel.isVisible)
    assert "Register the batch first" in tasks.panel.why.words.text()
    QTest.mouseClick(tasks.panel.done, LEFT)
    await until(lambda: len(tasks.table.model.rows) == 2)
    tasks.table.select_key(tasks.table.model.rows[0].id)
    QTest.mouseClick(tasks.panel.dismiss, LEFT)
    dialog = await desk.dialog(QDialog)
    QTest.keyClicks(dialog.findChildren(QLineEdit)[0], "Taken off the list")
    QTest.mouseClick(dialog.act, LEFT)  # type: ignore[attr-defined]
    await until(lambda: len(tasks.table.model.rows) == 1)
    states = {task.state: task.comment for task in desk.read(partial(list_tasks, with_closed=True))}
    assert states["dismissed"] == "Taken off the list"


async def test_compliance_shows_the_counts_behind_each_percent(desk: ReportDesk) -> None:
    complete(desk, desk.report("cs").id)
    await show_tab(desk, "compliance")
    view = desk.page.compliance
    await until(lambda: bool(view.table.model.rows))
    (row,) = view.table.model.rows
    assert view.cards["reporting"].note.text() == f"0 of {row.reporting.whole}"
    assert len(view.reminders.model.rows) == row.reports
    view.by.setCurrentIndex(1)
    await until(lambda: len(view.table.model.rows) == 7)
    assert desk.page.table().sheet().headings[0] == "Name"


async def test_a_programme_is_set_up_with_its_facilities(desk: ReportDesk) -> None:
    QTest.mouseClick(desk.page.programmes, LEFT)
    dialog = await desk.dialog(ProgrammesDialog)
    await until(lambda: dialog.list.count() == 2)
    dialog.list.setCurrentRow(1)
    dialog.editors["due_days"].setText("often")
    QTest.mouseClick(dialog.save, LEFT)
    await until(dialog.problem.isVisible)
    assert dialog.editors["due_days"].property("invalid") == "true"
    dialog.editors["due_days"].setText("10")
    dialog.search.setText("kano KN")
    await until(lambda: sum(not item.isHidden() for item in dialog._items()) == 2)
    QTest.mouseClick(dialog.every, LEFT)
    assert dialog.chosen.text() == "2 facilities"
    QTest.mouseClick(dialog.save, LEFT)
    await until(lambda: any("2 facilities report" in text for _level, text in desk.console.notes))
    dialog.reject()
    own = next(one for one in desk.read(list_programmes) if one.name == "Nutrition")
    assert own.due_days == 10
    assert sorted(one.code for one in desk.read(expected_facilities, own.id) if one.is_expected) == [
        "KN-DTF-001", "KN-GWZ-004",
    ]  # fmt: skip
    await until(lambda: desk.page.calendar.programmes.findText("Nutrition") > 0)
    assert desk.read(report_form, desk.report("cs").id, today()).lines == ()


def open_dialogs() -> int:
    return sum(isinstance(one, QDialog) and one.isVisible() for one in QApplication.topLevelWidgets())


def labels(widget: object) -> list[str]:

    return [label.text() for label in widget.findChildren(QLabel)]  # type: ignore[attr-defined]
