"""What the operator does on the page: asked where it must be, written, and told once it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget
from sqlalchemy import Connection

from adapters.errors import AdapterError
from app.catalogue import Catalogue
from app.engine.running import is_engine_running
from app.errors import OperatorError
from app.reports import writing
from app.reports.calendar import ReportListing
from app.reports.errors import ReportRefused
from app.reports.export import FORM_COLUMNS, form_rows
from app.reports.forms import ReportForm
from app.reports.runs import ask_for_run, save_dry_run
from app.reports.sending import Prepared, prepare
from app.reports.states import ReportState
from app.reports.tasks import TaskListing, close_task
from resources.i18n import tr, trn
from widgets import ask
from widgets.context import ConsoleContext
from widgets.export import Sheet
from widgets.export_as import export_as

Job = Callable[[Connection], Any]


class ReportActs(QObject):
    """One object of the page."""

    def __init__(self, context: ConsoleContext, page: QWidget) -> None:
        super().__init__(page)
        self._context = context
        self._page = page

    async def fill(self, report: ReportListing) -> None:
        done = await self._context.write(partial(writing.fill_report, report_id=report.id, now=self._context.now()))
        if done is None:
            return
        lines = trn("{count} line", "{count} lines", done.lines)
        if not done.lines:
            self._context.notify("warn", tr("The store knows nothing of stock or papers of this facility and period."))
        elif done.unknown:
            said = trn("{count} figure is not known", "{count} figures are not known", done.unknown)
            self._context.notify(
                "info", tr("{lines} filled; {said}. See why at each, and enter them.", lines=lines, said=said)
            )
        else:
            self._context.notify("ok", tr("{lines} filled, each figure with its sources.", lines=lines))

    async def enter(
        self, report: ReportListing, line_id: str, figures: Mapping[str, str], remarks: str
    ) -> tuple[str, str]:
        """Save what was typed; returns why that was refused and at which figure, or "" and ""."""
        job = partial(
            writing.enter,
            report_id=report.id,
            line_id=line_id,
            figures=figures,
            now=self._context.now(),
            remarks=remarks,
        )
        try:
            await self._context.bridge.write(job)
        except ReportRefused as err:
            return err.why, err.field
        except OperatorError as err:
            return err.why, ""
        return "", ""

    async def receive(self, report: ReportListing) -> None:
        await self._context.doors.dialogs["report_received"](self._context, self._page, report)

    async def excuse(self, report: ReportListing) -> None:
        if report.state is ReportState.EXCUSED:
            await self._context.write(partial(writing.excuse, report_id=report.id, why="", now=self._context.now()))
            return
        why = await ask.text(
            self._page, self._context.theme, tr("Excuse {subject}?", subject=report.subject),
            tr("Why the facility need not report this once. It leaves the indicators."), act=tr("Excuse"),
        )  # fmt: skip
        if why and why.strip():
            await self._context.write(partial(writing.excuse, report_id=report.id, why=why, now=self._context.now()))

    async def take_back(self, report: ReportListing) -> None:
        why = await ask.text(
            self._page, self._context.theme, tr("What must be corrected?"),
            tr("It counts as rejected until the correction comes; what was sent stays in its history."),
            act=tr("Must be corrected"),
        )  # fmt: skip
        if why is not None:
            await self._context.write(partial(writing.take_back, report_id=report.id, why=why, now=self._context.now()))

    async def hand_over(self, report: ReportListing) -> None:
        how = await ask.text(
            self._page, self._context.theme, tr("How did it go out?"),
            tr("For example: by e-mail to the state office. It counts as sent, not as accepted."),
            act=tr("Note as sent"),
        )  # fmt: skip
        if how is not None:
            await self._context.write(
                partial(writing.note_handed_over, report_id=report.id, how=how, now=self._context.now())
            )

    async def accept(self, report: ReportListing) -> None:
        answer = await ask.text(
            self._page,
            self._context.theme,
            tr("Was it accepted?"),
            tr("Who said so, and how."),
            act=tr("Note as accepted"),
        )
        if answer is not None:
            await self._context.write(
                partial(writing.note_accepted, report_id=report.id, answer=answer, now=self._context.now())
            )

    async def history(self, report: ReportListing) -> None:
        await self._context.doors.dialogs["report_history"](self._context, self._page, report)

    async def export(self, form: ReportForm) -> None:
        rows = tuple(tuple(_cell(row[column]) for column in FORM_COLUMNS) for row in form_rows(form))
        await export_as(self._page, self._context, Sheet(form.report.subject, FORM_COLUMNS, rows))

    async def dry_run(self, integration_id: str, report_id: str | None) -> str | None:
        """Show and keep the exact requests; the id of the run, None where they cannot be made."""
        prepared = await self.prepare(integration_id, report_id)
        if prepared is None:
            return None
        job = partial(
            save_dry_run, integration_id=integration_id, report_id=report_id, plan=prepared.plan,
            rows=prepared.snapshot.rows, now=self._context.now(),
        )  # fmt: skip
        run_id: str | None = await self._context.write(job)
        return run_id

    async def prepare(self, integration_id: str, report_id: str | None) -> Prepared | None:
        catalogue = await self.catalogue()
        look = partial(prepare, catalogue=catalogue, integration_id=integration_id, report_id=report_id)
        try:
            return await self._context.bridge.read(look)
        except (OperatorError, AdapterError) as err:
            self._context.notify("error", err.why)
            return None

    async def send(self, integration_id: str, name: str, report: ReportListing | None) -> None:
        """Ask first with the count of lines; only the engine sends, so one must be there."""
        prepared = await self.prepare(integration_id, None if report is None else report.id)
        if prepared is None:
            return
        if not prepared.plan.is_approved:
            self._context.notify("warn", tr("Approve the way of sending first: make a dry run and look at it."))
            return
        now_ms = self._context.services.clock.now_ms()
        if not await self._context.bridge.read(partial(is_engine_running, now_ms=now_ms)):
            self._context.notify(
                "error", tr("No engine is running, so nothing can be sent. Start it, then send again.")
            )
            return
        held = sum(bool(one.why_held) for one in prepared.snapshot.rows) + len(prepared.plan.held_back)
        lines = len(prepared.snapshot.rows) - held
        title = report.subject if report is not None else tr("the stock of all programmes that go there")
        detail = tr("{lines} go, {held} held back. Lines that were accepted today and did not change are left out.",
                    lines=trn("{count} line", "{count} lines", lines), held=held)  # fmt: skip
        if not await ask.confirm(
            self._page, self._context.theme, tr("Send to {name}?", name=name),
            tr("{name} gets {title}, as it is held now. How it is taken back is not public.", name=name, title=title),
            act=tr("Send"), detail=detail,
        ):  # fmt: skip
            return
        report_id = None if report is None else report.id
        job = partial(ask_for_run, integration_id=integration_id, report_id=report_id, now=self._context.now())
        if await self._context.write(job) is not None:
            self._context.notify(
                "info", tr("Asked the engine to send to {name}. Its answer appears under Send.", name=name)
            )

    async def finish(self, task: TaskListing) -> None:
        await self._context.write(partial(close_task, task_id=task.id, now=self._context.now(), done=True))

    async def dismiss(self, task: TaskListing) -> None:
        why = await ask.text(
            self._page, self._context.theme, tr("Put this task away?"), tr("Why nothing needs to be done."),
            act=tr("Put away"),
        )  # fmt: skip
        if why is not None:
            await self._context.write(
                partial(close_task, task_id=task.id, now=self._context.now(), done=False, comment=why)
            )

    async def catalogue(self) -> Catalogue:
        return await asyncio.to_thread(lambda: self._context.services.catalogue)


def _cell(value: object) -> Any:
    return "; ".join(map(str, value)) if isinstance(value, list) else value
