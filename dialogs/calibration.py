"""Calibrating a tank: pour step by step beside the live reading, import a table, or take the tank's dimensions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import (
    QDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)
from sqlalchemy import Connection, select

from adapters.bench import Level
from app.errors import OperatorError
from app.fuel.calibrations import add_calibration, list_calibrations
from app.fuel.errors import FuelError
from app.fuel.geometry import Geometry
from app.fuel.table import TankTable, make_table
from app.fuel.table_files import read_table, to_csv, to_json, to_wialon
from app.fuel.tanks import SensorListing, TankListing, list_tanks
from app.store.tables import FuelSensor
from dialogs.calibration_fields import ENDS, SHAPES, choice, cm_field, count_field, litres_field
from dialogs.calibration_table import TankRows
from dialogs.fuel_tank_forms import TankForm, tank_for, vehicle_classes
from resources.i18n import tr, trn
from widgets import ask
from widgets.context import ConsoleContext
from widgets.data_table import in_card
from widgets.primitives import (
    Banner,
    SegmentedTabs,
    StatusPill,
    calm_wheel,
    centre_labels,
    outline_button,
    primary_button,
    text_label,
)
from widgets.stability import STABLE_S, Stability
from widgets.theme import Level as Severity

WIDTH_PX, HEIGHT_PX = 940, 640
LIVE_EVERY_S = 0.5
AGE_EVERY_S = 1.0
FORMS: dict[str, Callable[[TankTable], str]] = {"csv": to_csv, "json": to_json, "txt": to_wialon}


@dataclass(frozen=True, slots=True)
class Subject:
    """What is calibrated. ``sensor_id`` is None for a sensor that only the workbench knows: its table is the tank's."""

    label: str
    unit: str
    sensor_id: str | None = None


async def calibrate(context: ConsoleContext, parent: QWidget, sensor: SensorListing, tank: TankListing) -> bool:
    """Open the wizard for a sensor in a tank, beside its stored readings; True when a version was saved."""
    subject = Subject(sensor.label, sensor.unit, sensor.id)
    dialog = CalibrationDialog(context, parent, subject, tank, await _standing(context, tank.id, sensor.id))
    live = context.tasks.start(dialog.follow(), name="live reading", owner=dialog)
    try:
        return await ask.run(dialog)
    finally:
        live.cancel()


class LiveLine(Protocol):
    """Where the workbench's readings come from."""

    level: Any


async def calibrate_at_bench(context: ConsoleContext, parent: QWidget, label: str, line: LiveLine) -> bool:
    """Ask for vehicle and tank, then open the wizard beside the cable's readings; True when a version was saved."""
    classes, tanks = await context.bridge.read(vehicle_classes), await context.bridge.read(list_tanks)
    form = TankForm(context, parent, label, classes, tanks)
    if not await ask.run(form):
        return False
    tank_id = await context.bridge.write(partial(tank_for, **form.values()))
    tank = next(one for one in await context.bridge.read(list_tanks) if one.id == tank_id)
    dialog = CalibrationDialog(context, parent, Subject(label, "counts"), tank, await _standing(context, tank_id, None))

    def on_level(level: Level) -> None:
        dialog.show_reading(level.at_s, level.value)

    line.level.connect(on_level)
    try:
        return await ask.run(dialog)
    finally:
        line.level.disconnect(on_level)


async def _standing(context: ConsoleContext, tank_id: str, sensor_id: str | None) -> TankTable | None:
    """The table that holds now."""
    versions = await context.bridge.read(partial(list_calibrations, tank_id=tank_id))
    own = [one for one in versions if one.sensor_id in (None, sensor_id)]
    return own[-1].table if own else None


class CalibrationDialog(QDialog):
    """Rows are kept as they are made; nothing is stored until Save, and Undo takes the last step back."""

    def __init__(
        self,
        context: ConsoleContext,
        parent: QWidget,
        subject: Subject,
        tank: TankListing,
        standing: TankTable | None,
    ) -> None:
        super().__init__(parent)
        self._context = context
        self._subject = subject
        self._tank = tank
        self._heard_s: float | None = None
        self.stability = Stability(4095 if subject.unit == "counts" else 100)
        self._before: list[list[list[float]]] = []
        self._opened_with: list[list[str]] = []
        self._origin = "pouring"
        self.setWindowTitle(tr("Calibrate {plate} {tank}", plate=tank.plate, tank=tank.name).strip())
        self.resize(WIDTH_PX, HEIGHT_PX)
        theme = context.theme
        self.ways = SegmentedTabs(
            [("pour", tr("Pour step by step")), ("file", tr("From a file")), ("shape", tr("From dimensions"))]
        )
        self.live = text_label("–", "value")
        self.light = StatusPill(theme, "neutral", tr("No reading"))
        self.poured = litres_field(0, 100_000)
        self.step = litres_field(20, 10_000)
        self.take = primary_button(theme, tr("Take this reading"), "plus")
        self.undo = outline_button(theme, tr("Undo"), "rotate-ccw", small=True)
        self.add = outline_button(theme, tr("Add a row"), "plus", small=True)
        self.delete = outline_button(theme, tr("Delete row"), "trash-2", small=True)
        self.rows = TankRows(subject.unit)
        self.hint = text_label(
            tr("No row yet: take a reading, import a file, fill in the dimensions, or type."), "muted", wrap=True
        )
        self.findings = Banner(theme, "warn", "")
        self.problem = text_label("", "error", wrap=True, selectable=True)
        self.note = QLineEdit()
        self.save = primary_button(theme, tr("Save as a new version"), "save")
        self.cancel = outline_button(theme, tr("Cancel"))
        self.import_file = outline_button(theme, tr("Import…"), "upload")
        self.export_file = outline_button(theme, tr("Export…"), "download")
        self.fill = outline_button(theme, tr("Fill the table"), "table")
        self._lay_out()
        self._connect()
        if standing is not None:
            self._set_rows(standing.rows())
        self._opened_with = self.rows.cells()
        self._aging = QTimer(self, interval=round(AGE_EVERY_S * 1000))
        self._aging.timeout.connect(self._show_age)
        self._aging.start()
        self._check()

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        margin = ask.DIALOG_MARGIN
        column.setContentsMargins(margin, margin, margin, margin)
        column.setSpacing(12)
        title = tr("Calibrate {sensor} in {plate} {tank}", sensor=self._subject.label, plate=self._tank.plate,
                   tank=self._tank.name)  # fmt: skip
        column.addWidget(text_label(title.strip(), "heading", wrap=True))
        column.addWidget(self.ways)
        middle = QHBoxLayout()
        middle.setSpacing(18)
        self.pages = QStackedWidget()
        self.pages.addWidget(self._pouring())
        self.pages.addWidget(self._from_file())
        self.pages.addWidget(self._from_shape())
        middle.addWidget(self.pages, 1)
        right = QVBoxLayout()
        right.setSpacing(8)
        right.addWidget(in_card(self.rows), 1)
        right.addWidget(self.hint)
        tools = QHBoxLayout()
        tools.setSpacing(8)
        for button in (self.add, self.delete, self.undo):
            tools.addWidget(button)
        tools.addStretch(1)
        right.addLayout(tools)
        middle.addLayout(right, 1)
        column.addLayout(middle, 1)
        column.addWidget(self.findings)
        self.findings.hide()
        column.addWidget(self.problem)
        self.problem.hide()
        self.note.setAccessibleName(tr("Note"))
        self.note.setPlaceholderText(tr("Note: who poured, with what, at which temperature"))
        column.addWidget(self.note)
        buttons = QHBoxLayout()
        buttons.setSpacing(10)
        buttons.addStretch(1)
        for button in (self.cancel, self.save):
            buttons.addWidget(button)
        column.addLayout(buttons)

    def _pouring(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        how = tr(
            "Stand on level ground, engine off, tank almost empty. Enter the litres that are inside, wait for the "
            "green light, take the reading; pour the next portion and take the reading again, until it is full."
        )
        column.addWidget(text_label(how, "muted", wrap=True))
        line = QHBoxLayout()
        line.addWidget(self.live)
        line.addWidget(self.light, 0, Qt.AlignmentFlag.AlignVCenter)
        line.addStretch(1)
        column.addLayout(line)
        form = QFormLayout()
        form.addRow(tr("Litres inside now"), calm_wheel(self.poured))
        form.addRow(tr("Litres per portion"), calm_wheel(self.step))
        centre_labels(form)
        column.addLayout(form)
        column.addWidget(self.take)
        column.addStretch(1)
        return page

    def _from_file(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        how = tr("CSV with readings and litres, Wialon's pieces, an Omnicomm XML, or our own JSON. What was read is "
                 "shown on the right and can be corrected before it is saved.")  # fmt: skip
        column.addWidget(text_label(how, "muted", wrap=True))
        row = QHBoxLayout()
        for button in (self.import_file, self.export_file):
            row.addWidget(button)
        row.addStretch(1)
        column.addLayout(row)
        column.addStretch(1)
        return page

    def _from_shape(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        how = tr("Inside measures in centimetres; poured tables are more exact.")
        column.addWidget(text_label(how, "muted", wrap=True))
        self.shape = choice(SHAPES)
        self.ends = choice(ENDS)
        self.length_cm, self.width_cm, self.height_cm, self.corner_cm = (cm_field(value) for value in (120, 60, 60, 0))
        self.empty = count_field(0)
        self.full = count_field(4095 if self._subject.unit == "counts" else 100)
        form = QFormLayout()
        for label, field in (
            (tr("Shape"), self.shape), (tr("Length"), self.length_cm), (tr("Width or diameter"), self.width_cm),
            (tr("Height"), self.height_cm), (tr("Radius of the edges"), self.corner_cm), (tr("Ends"), self.ends),
            (tr("Reading when empty"), self.empty), (tr("Reading when full"), self.full),
        ):  # fmt: skip
            field.setAccessibleName(label)
            form.addRow(label, calm_wheel(field))
        centre_labels(form)
        column.addLayout(form)
        column.addWidget(self.fill)
        column.addStretch(1)
        return page

    def _connect(self) -> None:
        self.ways.chosen.connect(lambda way: self.pages.setCurrentIndex(("pour", "file", "shape").index(way)))
        self.take.clicked.connect(self._take)
        self.undo.clicked.connect(self._undo)
        self.add.clicked.connect(self._add)
        self.delete.clicked.connect(self._delete)
        self.rows.itemSelectionChanged.connect(self._show_tools)
        self.rows.cellChanged.connect(lambda _row, _column: self._check())
        self.import_file.clicked.connect(lambda: self._start(self._import))
        self.export_file.clicked.connect(lambda: self._start(self._export))
        self.fill.clicked.connect(self._fill)
        self.save.clicked.connect(lambda: self._start(self._save))
        self.cancel.clicked.connect(self.reject)

    # The live reading

    async def follow(self) -> None:
        """Show the newest stored reading until cancelled."""
        last_ms: int | None = None
        while True:
            try:
                row = await self._context.bridge.read(self._read_newest)
            except OperatorError as err:
                self._forget_reading("error", tr("The reading cannot be read: {why}", why=err.why))
            else:
                if row.last_ms is not None and row.last_ms != last_ms:
                    last_ms = row.last_ms
                    self.show_reading(row.last_ms / 1000, row.last_value)
            await asyncio.sleep(LIVE_EVERY_S)

    def _read_newest(self, connection: Connection) -> Any:
        query = select(FuelSensor.last_ms, FuelSensor.last_value).where(FuelSensor.id == self._subject.sensor_id)
        return connection.execute(query).one()

    def show_reading(self, at_s: float, value: float | None) -> None:
        """A new reading of the sensor; None for one without a value."""
        if value is None:
            self._forget_reading("error", tr("The sensor gives no value"))
            return
        self._heard_s = at_s
        self.stability.add(at_s, value)
        self.live.setText(f"{value:,.1f}" if value % 1 else f"{value:,.0f}")
        if self.stability.is_stable:
            self.light.set_state("ok", tr("Stable"))
        else:
            self.light.set_state("warn", tr("Not stable yet"))
        self._show_age()

    def _show_age(self) -> None:
        """A reading that is too old is not taken for what is in the tank now."""
        if self._heard_s is None:
            return
        if self._context.services.clock.now_ms() / 1000 - self._heard_s > 2 * STABLE_S:
            heard = self._context.formats.ago(round(self._heard_s * 1000))
            self._forget_reading("neutral", tr("Last heard {age}", age=heard))

    def _forget_reading(self, level: Severity, words: str) -> None:
        self._heard_s = None
        self.stability.restart()
        self.live.setText("–")
        self.light.set_state(level, words)

    # The rows

    def _set_rows(self, rows: list[list[float]]) -> None:
        self.rows.show_numbers(rows)
        self._check()

    def _keep(self) -> None:
        with suppress(FuelError):
            self._before.append(self.rows.numbers())

    def _take(self) -> None:
        """A row of the live reading and the litres inside; the next portion is proposed."""
        value = self.stability.value
        if value is None:
            self._say(tr("There is no reading now. Look at the sensor in the workbench."))
            return
        try:
            rows = self.rows.numbers()
        except FuelError as err:
            self._say(err.why)
            return
        self._before.append(rows)
        self._set_rows([*rows, [round(value, 2), round(self.poured.value(), 2)]])
        self.rows.scrollToBottom()
        self.poured.setValue(self.poured.value() + self.step.value())
        self.stability.restart()
        self._origin = "pouring"

    def _undo(self) -> None:
        if self._before:
            rows = self._before.pop()
            self._set_rows(rows)
            self.poured.setValue(rows[-1][1] + self.step.value() if rows else 0)

    def _add(self) -> None:
        self._keep()
        self.rows.add_empty()
        self._check()

    def _delete(self) -> None:
        places = self.rows.chosen_rows()
        if places:
            self._keep()
            for at in reversed(places):
                self.rows.removeRow(at)
            self._check()

    def _show_tools(self) -> None:
        self.undo.setEnabled(bool(self._before))
        self.delete.setEnabled(bool(self.rows.chosen_rows()))

    def _say(self, why: str) -> None:
        self.problem.setText(why)
        self.problem.setVisible(bool(why))

    def _fill(self) -> None:
        length_m, width_m, height_m, corner_m = (
            field.value() / 100 for field in (self.length_cm, self.width_cm, self.height_cm, self.corner_cm)
        )
        shape, ends = self.shape.currentData(), self.ends.currentData()
        geometry = Geometry(shape, length_m, width_m, height_m, ends, corner_m)
        try:
            table = geometry.table(self.empty.value(), self.full.value())
        except FuelError as err:
            self._say(err.why)
            return
        self._keep()
        self._set_rows([[round(raw, 1), round(litres, 2)] for raw, litres in table.rows()])
        self._origin = "geometry"

    def _check(self) -> None:
        """What cannot be is said at once, what is unlikely is pointed out."""
        self._show_tools()
        self.hint.setVisible(not self.rows.rowCount())
        self._say("")
        self.findings.hide()
        try:
            table = make_table(self.rows.numbers())
        except FuelError as err:
            self.save.setEnabled(False)
            self._say(err.why if self.rows.rowCount() > 1 else "")
            return
        self.save.setEnabled(True)
        findings = table.check()
        if findings:
            rest = len(findings) - 1
            more = trn("One more like it.", "{count} more like it.", rest) if rest else ""
            self.findings.words.setText(f"{findings[0].text} {more}".strip())
            self.findings.show()

    # Acts

    def reject(self) -> None:
        """Escape, Cancel and the window's own button: what was poured cannot be poured again just so."""
        if self.rows.cells() == self._opened_with:
            super().reject()
        else:
            self._start(self._leave)

    async def _leave(self) -> None:
        if await ask.confirm(
            self,
            self._context.theme,
            tr("Leave without saving?"),
            tr("The table on the right is not stored yet; it is lost."),
            act=tr("Leave without saving"),
            destructive=True,
        ):
            super().reject()

    def _start(self, act: Callable[[], Any]) -> None:
        self._context.tasks.start(self._guarded(act), name="calibration", owner=self)

    async def _guarded(self, act: Callable[[], Any]) -> None:
        try:
            await act()
        except OperatorError as err:
            self._say(err.why)

    async def _import(self) -> None:
        path = await ask.open_file(self, tr("Import a tank table"), [tr("Tables (*.csv *.txt *.json *.xml)"), "*"])
        if path is not None:
            table = await asyncio.to_thread(read_table, path)
            self._keep()
            self._set_rows(table.rows())
            self._origin = "import"

    async def _export(self) -> None:
        table = make_table(self.rows.numbers())
        name = f"{self._tank.plate} {self._tank.name}".strip().replace("/", "-")
        forms = ["CSV (*.csv)", "JSON (*.json)", "Wialon (*.txt)"]
        path = await ask.save_file(self, tr("Export the tank table"), f"{name}.csv", forms)
        if path is not None:
            write = FORMS.get(path.suffix.lstrip("."), to_csv)
            try:
                await asyncio.to_thread(path.write_text, write(table), "utf-8")
            except OSError as err:
                raise FuelError(tr("{name} cannot be written: {why}.", name=path.name, why=err.strerror)) from err

    async def _save(self) -> None:
        rows = self.rows.numbers()
        job = partial(
            add_calibration,
            tank_id=self._tank.id,
            sensor_id=self._subject.sensor_id,
            rows=rows,
            valid_from_ms=self._context.services.clock.now_ms(),
            origin=self._origin,
            note=self.note.text(),
            unit=self._subject.unit,
        )

        self.save.setEnabled(False)  # a second click would make a second version
        try:
            await self._context.bridge.write(job)
        finally:
            self.save.setEnabled(True)
        self._context.notify("ok", tr("The calibration is saved; the totals are computed anew."))
        self.accept()
