"""The fuel report of one vehicle: its days, totals and events as they will be written or printed."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import partial

from PySide6.QtCore import QDate, Qt
from PySide6.QtWidgets import QDateEdit, QDialog, QHBoxLayout, QVBoxLayout, QWidget

from app.clock import from_ms
from app.errors import OperatorError
from resources.i18n import tr
from widgets import ask
from widgets.context import ConsoleContext
from widgets.data_table import DataTable, in_card
from widgets.export import Sheet
from widgets.export_as import export_as, print_table
from widgets.fuel.report_lines import ReportData, ReportLine, read_report, report_columns, report_lines
from widgets.fuel.tables import litres
from widgets.primitives import calm_wheel, labelled, outline_button, primary_button, text_label
from widgets.rows_model import RowsModel

WIDTH_PX, HEIGHT_PX = 1_240, 720


async def fuel_report(
    context: ConsoleContext, parent: QWidget, vehicle_id: str, plate: str, from_ms_: int, to_ms: int
) -> None:
    """Open the report with the UTC days of a span."""
    days = from_ms(from_ms_).astimezone(UTC).date(), from_ms(to_ms).astimezone(UTC).date()
    await ask.run(ReportDialog(context, parent, vehicle_id, plate, days))


class ReportDialog(QDialog):
    """The table is what is exported and printed."""

    def __init__(
        self, context: ConsoleContext, parent: QWidget, vehicle_id: str, plate: str, days: tuple[date, date]
    ) -> None:
        super().__init__(parent)
        self._context = context
        self._vehicle_id = vehicle_id
        self._plate = plate
        self.data: ReportData | None = None
        theme = context.theme
        self.setWindowTitle(tr("Fuel report"))
        self.resize(WIDTH_PX, HEIGHT_PX)
        self.first = _day_field(tr("First day (UTC)"), days[0])
        self.last = _day_field(tr("Last day (UTC)"), days[1])
        self.summary = text_label("", wrap=True, selectable=True)
        self.problem = text_label("", "error", wrap=True, selectable=True)
        self.model = RowsModel[ReportLine](report_columns(), key=lambda row: row.number)
        self.table = DataTable(theme, self.model, tr("Fuel report"))
        self.model.setParent(self.table)
        self.table.set_empty("file-text", tr("Nothing in these days"), tr("Choose days with readings of this vehicle."))
        self.export = primary_button(theme, tr("Export…"), "download")
        self.print = outline_button(theme, tr("Print…"), "printer")
        self.close_button = outline_button(theme, tr("Close"))
        self._lay_out()
        for field in (self.first, self.last):
            field.dateChanged.connect(lambda _day: self._read())
        self.export.clicked.connect(lambda: self._start("export"))
        self.print.clicked.connect(lambda: self._start("print"))
        self.close_button.clicked.connect(self.accept)
        self.export.setDefault(True)
        self._read()

    def done(self, result: int) -> None:
        self._context.tasks.cancel_owner(self)
        super().done(result)

    def days(self) -> tuple[date, date]:
        first, last = self.first.date(), self.last.date()
        return date(first.year(), first.month(), first.day()), date(last.year(), last.month(), last.day())

    def sheet(self) -> Sheet:
        """What is seen, under a title that names vehicle and days."""
        first, last = self.days()
        plate = self._plate.replace("/", "-").replace("\\", "-")  # the title becomes the name of a file
        return self.table.sheet(tr("Fuel report {plate} {first} to {last}", plate=plate, first=first, last=last))

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, 20)
        column.setSpacing(12)
        head = QHBoxLayout()
        head.setSpacing(10)
        head.addWidget(text_label(tr("Fuel report of {plate}", plate=self._plate), "heading"), 1)
        for word, field in ((tr("From"), self.first), (tr("to"), self.last)):
            head.addWidget(text_label(word, "muted"), 0, Qt.AlignmentFlag.AlignVCenter)
            head.addWidget(field)
        head.addWidget(text_label(tr("UTC days"), "muted"), 0, Qt.AlignmentFlag.AlignVCenter)
        column.addLayout(head)
        column.addWidget(self.summary)
        column.addWidget(self.problem)
        self.problem.hide()
        column.addWidget(in_card(self.table), 1)
        buttons = QHBoxLayout()
        buttons.setSpacing(10)
        buttons.addStretch(1)
        for button in (self.close_button, self.print, self.export):
            buttons.addWidget(button)
        column.addLayout(buttons)

    def _read(self) -> None:
        first, last = self.days()
        self.data = None
        self._say(tr("The first day lies after the last one. Correct one of them.") if first > last else "")
        self._enable()
        if first <= last:
            self._context.tasks.start(self._show(first, last), name="fuel report: read", owner=self)

    async def _show(self, first: date, last: date) -> None:
        try:
            data = await self._context.bridge.read(
                partial(read_report, vehicle_id=self._vehicle_id, first=first, last=last)
            )
        except OperatorError as err:
            self._say(err.why)
            return
        if (first, last) != self.days():
            return
        is_first, self.data = not self.model.rows, data
        self.model.apply(report_lines(data, self._context.formats))
        self.summary.setText(self._summary(data))
        self._enable()
        if is_first:
            self.export.setFocus()

    def _summary(self, data: ReportData) -> str:
        formats, totals = self._context.formats, data.span.totals
        if not totals.days:
            return tr("No day with readings.")
        parts = [tr("Used {litres}", litres=litres(totals.used_l, formats, 1))]
        if totals.norm_l is not None:
            parts.append(tr("norm {litres}", litres=litres(totals.norm_l, formats, 1)))
        parts += [
            tr("refuelled {litres}", litres=litres(totals.refuelled_l, formats, 1)),
            tr("drained {litres}", litres=litres(totals.drained_l, formats, 1)),
            f"{formats.number(totals.distance_km, 1)} km",
        ]
        rate = data.span.per_100_km(totals.used_l, totals.used_km)
        if rate is not None:
            parts.append(f"{rate:.1f} L/100 km")
        return " · ".join(parts)

    def _say(self, why: str) -> None:
        self.problem.setText(why)
        self.problem.setVisible(bool(why))

    def _enable(self) -> None:
        is_there = self.data is not None and bool(self.model.rows)
        self.export.setEnabled(is_there)
        self.print.setEnabled(is_there)

    def _start(self, what: str) -> None:
        run = export_as if what == "export" else print_table
        self._context.tasks.start(
            run(self, self._context, self.sheet()), name=f"fuel report: {what}", owner=self
        )  # fmt: skip


def _day_field(name: str, day: date) -> QDateEdit:
    field = QDateEdit(QDate(day.year, day.month, day.day))
    field.setDateRange(QDate(2000, 1, 1), _tomorrow())
    field.setDisplayFormat("yyyy-MM-dd")
    field.setMinimumWidth(132)
    labelled(field, name)
    calm_wheel(field)
    return field


def _tomorrow() -> QDate:
    today = datetime.now(UTC)
    return QDate(today.year, today.month, today.day).addDays(1)
