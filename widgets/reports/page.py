"""Reports: what is due, what was filled and from what, what was sent and accepted, and how well facilities report."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Any

from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QWidget
from sqlalchemy import Connection, select

from adapters.errors import AdapterError
from app.catalogue import Catalogue
from app.errors import OperatorError
from app.integrations.settings import placeholders, validate
from app.reports.calendar import ensure_reports, list_reports
from app.reports.compliance import indicators, reminders
from app.reports.errors import UnknownReport
from app.reports.forms import sources_of
from app.reports.periods import local_day
from app.reports.programmes import list_programmes
from app.reports.runs import list_runs, messages_of, rows_of, run_listing
from app.reports.sending import report_kinds
from app.reports.tasks import TaskListing, count_open, list_tasks
from app.store.tables import Integration
from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.data_table import DataTable
from widgets.export_as import export_as, print_table
from widgets.page import Page, PageHeader
from widgets.primitives import SegmentedTabs, outline_button
from widgets.reports.acts import ReportActs
from widgets.reports.calendar_view import CalendarView
from widgets.reports.compliance_view import ComplianceView
from widgets.reports.form_view import FormView
from widgets.reports.send_view import SendView, Taker
from widgets.reports.tasks_view import TasksView

CALENDAR, FORM, SEND, COMPLIANCE, TASKS = "calendar", "form", "send", "compliance", "tasks"
TABS = {
    CALENDAR: tr("Calendar"), FORM: tr("Report"), SEND: tr("Send"), COMPLIANCE: tr("Compliance"), TASKS: tr("Tasks"),
}  # fmt: skip


class ReportsPage(Page):
    key = "reports"
    title = "Reports"
    icon = "clipboard-list"
    topics = frozenset({"reports", "report_runs", "facilities", "integrations", "streams"})

    def __init__(self, context: ConsoleContext, parent: QWidget | None = None) -> None:
        super().__init__(context, parent)
        self.acts = ReportActs(context, self)
        self.programmes = outline_button(context.theme, tr("Programmes…"), "settings")
        self.tabs = SegmentedTabs(list(TABS.items()))
        self.calendar = CalendarView(context)
        self.form = FormView(context)
        self.send = SendView(context)
        self.compliance = ComplianceView(context)
        self.tasks = TasksView(context)
        self.stack = QStackedWidget()
        self.views: dict[str, QWidget] = {
            CALENDAR: self.calendar, FORM: self.form, SEND: self.send, COMPLIANCE: self.compliance, TASKS: self.tasks,
        }  # fmt: skip
        self._catalogue: Catalogue | None = None
        self._brought_on: date | None = None
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        column = self.column()
        subtitle = tr("Received from the facility, sent, accepted: due, filled from evidence, checked, followed")
        column.addWidget(PageHeader(tr("Reports"), subtitle, [self.programmes]))
        bar = QHBoxLayout()
        bar.addWidget(self.tabs)
        bar.addStretch(1)
        column.addLayout(bar)
        for view in self.views.values():
            self.stack.addWidget(view)
        column.addWidget(self.stack, 1)

    def _connect(self) -> None:
        self.tabs.chosen.connect(self._on_tab)
        self.programmes.clicked.connect(lambda: self.spawn(self._set_up(), "programmes"))
        self.calendar.filtered.connect(self.request_refresh)
        self.calendar.opened.connect(self.open_report)
        self.form.act_wanted.connect(self._on_form_act)
        self.form.entered.connect(lambda *typed: self.spawn(self._enter(*typed), "enter"))
        self.form.sources_wanted.connect(lambda *wanted: self.spawn(self._show_sources(*wanted), "sources"))
        self.send.act_wanted.connect(self._on_send_act)
        self.send.run_chosen.connect(lambda run_id: self.spawn(self._show_run(run_id), "run"))
        self.send.filtered.connect(self.request_refresh)
        self.compliance.filtered.connect(self.request_refresh)
        self.compliance.opened.connect(self.open_report)
        self.compliance.act_wanted.connect(self._on_compliance_act)
        self.tasks.filtered.connect(self.request_refresh)
        self.tasks.act_wanted.connect(self._on_task_act)

    # What the store says

    async def refresh(self, topics: frozenset[str]) -> None:  # noqa: ARG002 - one reading serves all tabs
        today = self.today()
        if self._catalogue is None:
            self._catalogue = await self.acts.catalogue()
        if self._brought_on != today:  # also without an engine the calendar is that of today
            await self.context.bridge.write(partial(ensure_reports, today=today))
            self._brought_on = today
        read = await self.context.bridge.read(partial(self._read, today=today))
        open_tasks = read["open_tasks"]
        self.tabs.set_label(TASKS, f"{TABS[TASKS]}  {open_tasks:,}" if open_tasks else TABS[TASKS])
        self.calendar.show_programmes(read["programmes"])
        if CALENDAR in read:
            self.calendar.show_reports(read[CALENDAR])
        if FORM in read:
            self.form.show_form(*read[FORM])
        if SEND in read:
            self.send.show_takers(read["takers"])
            self.send.show_runs(read[SEND])
        if COMPLIANCE in read:
            self.compliance.show_indicators(*read[COMPLIANCE])
        if TASKS in read:
            self.tasks.show_tasks(read[TASKS])

    def _read(self, connection: Connection, today: date) -> dict[str, Any]:
        """The counter, and what the tab that is shown needs, in one snapshot."""
        tab = self.tabs.value
        read: dict[str, Any] = {
            "programmes": list_programmes(connection),
            "open_tasks": count_open(connection),
        }
        if tab == CALENDAR:
            read[CALENDAR] = list_reports(connection, self.calendar.wanted(today), today)
        elif tab == FORM:
            try:
                read[FORM] = self.form.read(connection, today)
            except UnknownReport:
                self.form.report_id = ""
                read[FORM] = (None, [])
        elif tab == SEND:
            read["takers"] = self._takers(connection)
            taker = self.send.taker
            first = read["takers"][0].id if read["takers"] else ""
            read[SEND] = list_runs(connection, integration_id=taker.id if taker is not None else first)
        elif tab == COMPLIANCE:
            wanted = self.calendar.wanted(today)
            found = indicators(connection, wanted, today, self.compliance.group)
            read[COMPLIANCE] = (found, reminders(connection, wanted, today))
        else:
            read[TASKS] = list_tasks(connection, with_closed=self.tasks.with_closed.isChecked())
        return read

    def _takers(self, connection: Connection) -> list[Taker]:
        catalogue = self._catalogue
        if catalogue is None:
            return []
        table = Integration
        query = select(table.id, table.type, table.name, table.config, table.enabled).where(
            table.type.in_(report_kinds(catalogue)), table.removed_at.is_(None)
        )
        found = []
        for row in connection.execute(query.order_by(table.key)):
            try:
                settings = validate(catalogue, row.type, row.config, placeholders(catalogue, row.type))
                reporter = catalogue.reporter(row.type)
                plan, schedule = reporter.plan(settings, ()), reporter.schedule(settings)
            except (OperatorError, AdapterError) as err:
                found.append(Taker(row.id, row.name, False, "", "", err.why))
                continue
            every = tr("every day") if schedule.every_days == 1 else tr("every {n} days", n=schedule.every_days)
            when = tr("By the schedule {every} at {at}", every=every, at=schedule.at)
            trouble = (
                "" if row.enabled else tr("{name} is disabled. Enable it on the page Integrations.", name=row.name)
            )
            found.append(Taker(row.id, row.name, plan.is_approved, plan.approval_code, when, trouble))
        return found

    def today(self) -> date:
        return local_day(self.context.services.clock.now_ms())

    # What is shown

    def table(self) -> DataTable[Any]:
        view: Any = self.views[self.tabs.value]
        table: DataTable[Any] = view.table
        return table

    def show_item(self, **arguments: Any) -> None:
        """``open_page("reports", tab=…, report_id=…, run_id=…)``."""
        if arguments.get("report_id"):
            self.open_report(str(arguments["report_id"]))
        elif arguments.get("tab") in TABS:
            self.tabs.choose(str(arguments["tab"]))

    def open_report(self, report_id: str) -> None:
        self.form.report_id = report_id
        self.form.panel.hide()
        if self.tabs.value == FORM:
            self.request_refresh()
        else:
            self.tabs.choose(FORM)

    def _on_tab(self, tab: str) -> None:
        self.stack.setCurrentWidget(self.views[tab])
        self.request_refresh()

    async def _show_sources(self, line_id: str, figure: str) -> None:
        found = await self.context.bridge.read(partial(sources_of, line_id=line_id, figure=figure))
        self.form.panel.show_sources(figure, found)

    async def _show_run(self, run_id: str) -> None:
        def read(connection: Connection) -> Any:
            outcomes = ("refused", "held", "unconfirmed", "unsent")
            return (
                run_listing(connection, run_id),
                messages_of(connection, run_id),
                rows_of(connection, run_id, outcomes),
            )

        self.send.panel.show_run(*await self.context.bridge.read(read))

    # What the operator does

    def _on_form_act(self, act: str) -> None:
        form = self.form.form
        if form is None:
            return
        if act == "send":
            self.spawn(self._send_report(), "send")
        elif act == "export":
            self.spawn(self.acts.export(form), "export")
        else:
            self.spawn(getattr(self.acts, act)(form.report), act)

    async def _send_report(self) -> None:
        form = self.form.form
        if form is None:
            return
        name = await self.context.bridge.read(partial(_name_of, integration_id=form.report.reports_to))
        await self.acts.send(form.report.reports_to, name, form.report)

    async def _enter(self, line_id: str, figures: dict[str, str], remarks: str) -> None:
        form = self.form.form
        if form is not None:
            self.form.panel.show_problem(*await self.acts.enter(form.report, line_id, figures, remarks))

    def _on_send_act(self, act: str) -> None:
        taker = self.send.taker
        if act == "show":
            run = self.send.run
            if run is not None and run.is_dry:
                self.spawn(self._show_requests(run.id), "requests")
        elif taker is None:
            return
        elif act == "dry_run":
            self.spawn(self._dry_run(taker), "dry run")
        elif act == "profile":
            self.spawn(self._edit_profile(taker), "way of sending")
        else:
            self.spawn(self.acts.send(taker.id, taker.name, None), "send")

    async def _dry_run(self, taker: Taker) -> None:
        run_id = await self.acts.dry_run(taker.id, None)
        if run_id is not None:
            await self._show_requests(run_id)

    async def _show_requests(self, run_id: str) -> None:
        await self.context.doors.dialogs["report_requests"](self.context, self, run_id)
        self.request_refresh()

    async def _edit_profile(self, taker: Taker) -> None:
        await self.context.doors.dialogs["report_profile"](self.context, self, taker.id)
        self.request_refresh()

    async def _set_up(self) -> None:
        await self.context.doors.dialogs["report_programmes"](self.context, self)
        self._brought_on = None
        self.request_refresh()

    def _on_compliance_act(self, act: str) -> None:
        sheet = self.compliance.reminders.sheet(tr("Reminders"))
        write = export_as if act == "export_reminders" else print_table
        self.spawn(write(self, self.context, sheet), act)

    def _on_task_act(self, act: str, task: TaskListing) -> None:
        if act == "report" and task.report_id is not None:
            self.open_report(task.report_id)
        elif act == "done":
            self.spawn(self.acts.finish(task), act)
        elif act == "dismiss":
            self.spawn(self.acts.dismiss(task), act)


def _name_of(connection: Connection, integration_id: str) -> str:
    query = select(Integration.name).where(Integration.id == integration_id)
    return connection.execute(query).scalar_one_or_none() or ""
