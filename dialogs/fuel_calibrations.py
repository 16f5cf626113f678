"""The versions of a tank's tables: when each held, for which sensor, what it says; the newest can be taken back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from PySide6.QtWidgets import QDialog, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget
from sqlalchemy import Connection

from app.errors import OperatorError
from app.fuel.calibrations import CalibrationVersion, list_calibrations, remove_calibration
from app.fuel.tanks import TankListing, list_sensors
from dialogs.fuel_words import above, buttons_row, problem_label, show_problem, tank_words, unit_word
from resources.i18n import tr, trn
from widgets import ask
from widgets.context import ConsoleContext
from widgets.data_table import DataTable, in_card
from widgets.formats import NOTHING, Formats
from widgets.primitives import destructive_button, exact_height, outline_button, text_label
from widgets.rows_model import Column, RowsModel

WIDTH_PX, HEIGHT_PX, TABLE_PX = 1_040, 520, 212
ORIGIN_WORDS = {"pouring": "Poured", "import": "From a file", "geometry": "From dimensions"}


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A version with the name of its sensor, "" for the tank's own table. ``before``: the version that it followed."""

    version: CalibrationVersion
    sensor: str
    before: CalibrationVersion | None
    is_newest: bool


def read_versions(connection: Connection, tank_id: str) -> list[VersionRow]:
    """The newest first. A sensor that was removed is called by its serial number, as far as one is known."""
    names = {one.id: one.label for one in list_sensors(connection)}
    found: list[VersionRow] = []
    newest: dict[str | None, CalibrationVersion] = {}
    versions = list_calibrations(connection, tank_id)
    last = {one.sensor_id: one.id for one in versions}
    for one in versions:
        name = "" if one.sensor_id is None else names.get(one.sensor_id) or one.sensor_serial or tr("a removed sensor")
        found.append(VersionRow(one, name, newest.get(one.sensor_id), last[one.sensor_id] == one.id))
        newest[one.sensor_id] = one
    return found[::-1]


async def calibration_history(context: ConsoleContext, parent: QWidget, tank: TankListing) -> None:
    """Open the list of a tank's tables; what is removed in it is removed at once."""
    dialog = CalibrationsDialog(context, parent, tank)
    await dialog.reload()
    await ask.run(dialog)


class CalibrationsDialog(QDialog):
    def __init__(self, context: ConsoleContext, parent: QWidget, tank: TankListing) -> None:
        super().__init__(parent)
        self._context = context
        self._tank = tank
        title = tr("Calibrations of {tank}", tank=tank_words(tank.plate, tank.name))
        self.setWindowTitle(title)
        self.resize(WIDTH_PX, HEIGHT_PX)
        theme = context.theme
        model = RowsModel[VersionRow](self._columns(), key=lambda row: row.version.id)
        self.table = DataTable(theme, model, tr("Versions of the calibration"))
        model.setParent(self.table)
        self.table.set_empty("gauge", tr("No calibration yet"), tr("Calibrate… under Tanks and sensors makes one."))
        rows_model = RowsModel[tuple[float, float]](self._row_columns(), key=lambda row: row[0])
        self.rows = DataTable(theme, rows_model, tr("The table of the chosen version"))
        rows_model.setParent(self.rows)
        self.rows.set_empty("table", tr("Its table"), tr("Choose a version."))
        self.remove = outline_button(theme, tr("Remove…"), "trash-2")
        self.why_not = text_label("", "muted")
        self.shut = outline_button(theme, tr("Close"))
        self.problem = problem_label()
        self._lay_out(title)
        self.table.selected.connect(self._on_selected)
        self.remove.clicked.connect(lambda: context.tasks.start(self._remove(), name="calibrations", owner=self))
        self.shut.clicked.connect(self.accept)
        self._on_selected([])

    def done(self, result: int) -> None:
        self._context.tasks.cancel_owner(self)
        super().done(result)

    def _lay_out(self, title: str) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN)
        column.setSpacing(12)
        column.addWidget(text_label(title, "heading", wrap=True))
        words = tr(
            "A reading becomes litres by the version that held then. A sensor's first one counts for all before it."
        )
        column.addWidget(text_label(words, "muted", wrap=True))
        both = QHBoxLayout()
        both.setSpacing(16)
        both.addWidget(in_card(self.table), 1)
        side = in_card(self.rows)
        side.setFixedWidth(TABLE_PX)
        both.addWidget(side)
        column.addLayout(both, 1)
        column.addWidget(self.problem)
        row = buttons_row(self.remove, right=(self.shut,))
        row.insertWidget(1, self.why_not)
        column.addLayout(row)

    def _columns(self) -> list[Column[VersionRow]]:
        formats = self._context.formats
        return [
            Column("version", tr("Version"), lambda row: f"{row.version.version}", lambda row: row.version.version,
                   width=66),
            Column("sensor", tr("Sensor"), lambda row: row.sensor or tr("The tank's own"), width=130),
            Column("from", tr("Holds from"), lambda row: formats.clock(row.version.valid_from_ms),
                   lambda row: row.version.valid_from_ms, width=128, note=formats.zone_name,
                   tooltip=lambda row: formats.time(row.version.valid_from_ms)),
            Column("to", tr("Until"), lambda row: _until(row, formats), lambda row: row.version.valid_to_ms, width=86,
                   badge=lambda row: ("ok", tr("Now")) if row.version.valid_to_ms is None else None),
            Column("rows", tr("Table"), _table_words, lambda row: len(row.version.table.rows()), width=120),
            Column("origin", tr("Made"), lambda row: tr(ORIGIN_WORDS.get(row.version.origin, row.version.origin)),
                   width=110, tooltip=lambda row: row.version.made_by),
            Column("note", tr("Note"), lambda row: row.version.note or NOTHING, width=90,
                   tooltip=lambda row: row.version.note),
        ]  # fmt: skip

    def _row_columns(self) -> list[Column[tuple[float, float]]]:
        number = self._context.formats.number
        return [
            Column("raw", tr("Reading"), lambda row: f"{row[0]:,g}", lambda row: row[0], align="right", width=92),
            Column("litres", tr("Litres"), lambda row: number(row[1], 1), lambda row: row[1], align="right", width=84),
        ]  # fmt: skip

    async def reload(self) -> None:
        self.table.model.apply(await self._context.bridge.read(partial(read_versions, tank_id=self._tank.id)))
        rows = self.table.model.rows
        if rows and not self.table.selected_rows():
            self.table.select_key(rows[0].version.id)
        self._on_selected(self.table.selected_rows())

    def _on_selected(self, chosen: Sequence[VersionRow]) -> None:
        row = chosen[0] if len(chosen) == 1 else None
        self.rows.model.apply([] if row is None else [(raw, litres) for raw, litres in row.version.table.rows()])
        self.remove.setEnabled(row is not None and row.is_newest)
        is_older = row is not None and not row.is_newest
        self.why_not.setText(tr("Only a sensor's newest version can be removed.") if is_older else "")

    async def _remove(self) -> None:
        (row,) = self.table.selected_rows()
        question = RemoveCalibration(self._context, self, self._tank, row)
        if not await ask.run(question):
            return
        job = partial(remove_calibration, calibration_id=row.version.id, reason=question.reason.text())
        show_problem(self.problem, "")
        try:
            await self._context.bridge.write(job)
        except OperatorError as err:
            show_problem(self.problem, err.why)
        else:
            self._context.notify("ok", tr("The calibration is removed; the totals are computed anew."))
        await self.reload()


class RemoveCalibration(QDialog):
    """Names what would be lost, and asks why."""

    def __init__(self, context: ConsoleContext, parent: QWidget, tank: TankListing, row: VersionRow) -> None:
        super().__init__(parent)
        formats, version = context.formats, row.version
        title = tr(
            "Remove version {number} of {tank}?", number=version.version, tank=tank_words(tank.plate, tank.name)
        )  # fmt: skip
        self.setWindowTitle(title)
        self.setFixedWidth(500)
        self.reason = QLineEdit()
        self.reason.setMaxLength(500)
        self.reason.setPlaceholderText(tr("for example: poured with the wrong can"))
        self.act = destructive_button(context.theme, tr("Remove the calibration"))
        self.cancel = outline_button(context.theme, tr("Cancel"))
        since, until = formats.time(version.valid_from_ms), formats.time(version.valid_to_ms)
        span = (
            tr("It holds since {since}", since=since)
            if version.valid_to_ms is None
            else tr("It held from {since} until {until}", since=since, until=until)
        )
        whose = tr("for {sensor}", sensor=row.sensor) if row.sensor else tr("for the whole tank")
        column = QVBoxLayout(self)
        column.setContentsMargins(ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN)
        column.setSpacing(12)
        column.addWidget(exact_height(text_label(title, "heading", wrap=True)))
        column.addWidget(exact_height(text_label(f"{span}, {whose}.", wrap=True, selectable=True)))
        then = (
            tr("Without it no table is left: its readings give no litres until there is another one.")
            if row.before is None
            else tr("Version {number} holds in its place then.", number=row.before.version)
        )
        then += " " + tr("Events and totals are computed anew; the list of acts keeps its table and the reason.")
        column.addWidget(exact_height(text_label(then, "muted", wrap=True)))
        column.addLayout(above(tr("Why is it removed?"), self.reason))
        column.addStretch(1)
        column.addLayout(buttons_row(right=(self.cancel, self.act)))
        self.reason.textChanged.connect(lambda text: self.act.setEnabled(bool(text.strip())))
        self.act.setEnabled(False)
        self.act.clicked.connect(self.accept)
        self.cancel.clicked.connect(self.reject)
        self.cancel.setDefault(True)
        self.reason.setFocus()


def _until(row: VersionRow, formats: Formats) -> str:
    return tr("Now") if row.version.valid_to_ms is None else formats.clock(row.version.valid_to_ms)


def _table_words(row: VersionRow) -> str:
    rows = row.version.table.rows()
    count = trn("{count} row", "{count} rows", len(rows))
    return tr("{count}, {unit}", count=count, unit=unit_word(row.version.unit).lower())
