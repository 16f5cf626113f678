"""Which programmes are reported, in which rhythm, until when, to whom, and by which facilities."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)
from sqlalchemy import Connection, select

from app.catalogue import Catalogue
from app.errors import OperatorError
from app.reports.calendar import ensure_reports
from app.reports.errors import ReportRefused
from app.reports.periods import local_day
from app.reports.programmes import (
    Expected,
    Programme,
    expect,
    expected_facilities,
    list_programmes,
    save_programme,
    suggest_programmes,
)
from app.reports.runs import takers
from app.reports.sending import report_kinds, supply_kinds
from app.reports.setup import first_day, with_fields
from app.store.tables import FacilityRow
from resources.i18n import tr, trn
from widgets import ask
from widgets.context import ConsoleContext
from widgets.primitives import SearchField, calm_wheel, labelled, outline_button, primary_button, text_label
from widgets.theme import restyle

SIZE = (1060, 680)
_RHYTHMS = {"monthly": tr("Monthly"), "bimonthly": tr("Every two months"), "quarterly": tr("Every three months")}
_MONTHS = (tr("January"), tr("February"), tr("March"), tr("April"), tr("May"), tr("June"), tr("July"), tr("August"),
           tr("September"), tr("October"), tr("November"), tr("December"))  # fmt: skip
_WORDS = {
    "starts_on": (tr("First day"), tr("Periods that begin on or after it are expected.")),
    "due_days": (tr("Due after, working days"), tr("Monday to Friday after the period's end.")),
    "holidays": (tr("Holidays"), tr("Days on which nobody works, with commas between: 2027-01-01, 2027-04-02.")),
    "tolerance_units": (tr("Tolerance, units"), tr("So much the balance of a line may differ.")),
    "min_months": (tr("Least months of stock"), tr("Below it a facility is under-stocked.")),
    "max_months": (tr("Most months of stock"), tr("Above it a facility is over-stocked; orders fill up to it.")),
    "amc_months": (tr("Consumption over, months"), tr("So many months are averaged.")),
    "expiry_days": (tr("Expiring within, days"), tr("Counted from the period's end.")),
    "name_there": (tr("Name at the taker"), tr("How whoever takes the reports names this programme.")),
}


async def report_programmes(context: ConsoleContext, parent: QWidget) -> bool:
    """Show what is set up and what could be; True once it is closed."""
    catalogue = await asyncio.to_thread(lambda: context.services.catalogue)
    return await ask.run(ProgrammesDialog(context, parent, catalogue))


class ProgrammesDialog(QDialog):
    """Programmes at the left, the settings of one in the middle, its facilities at the right."""

    def __init__(self, context: ConsoleContext, parent: QWidget, catalogue: Catalogue) -> None:
        super().__init__(parent)
        self._context = context
        self._catalogue = catalogue
        self._programmes: list[Programme] = []
        self._facilities: Mapping[str, Sequence[Expected]] = {}
        theme = context.theme
        self.setWindowTitle(tr("Programmes that are reported"))
        self.resize(*SIZE)
        self.list = QListWidget()
        self.is_on = QCheckBox(tr("Reported"))
        self.rhythm = QComboBox()
        self.first_month = QComboBox()
        self.taker = QComboBox()
        self.editors = {name: QLineEdit() for name in _WORDS}
        self.search = SearchField(theme, tr("Facility, code, zone…"))
        self.facilities = QListWidget()
        self.chosen = text_label("", "muted")
        self.every = outline_button(theme, tr("All"), small=True)
        self.none = outline_button(theme, tr("None"), small=True)
        self.problem = text_label("", "error", wrap=True, selectable=True)
        self.save = primary_button(theme, tr("Save"), "check")
        self.close_button = outline_button(theme, tr("Close"))
        self.empty = text_label(
            tr("No supply system has told of programmes yet. Add mSupply or OpenLMIS on the page Integrations."),
            "muted", wrap=True,
        )  # fmt: skip
        self._lay_out()
        self._connect()
        context.tasks.start(self._load(""), name="reporting programmes", owner=self)
        self.finished.connect(lambda _result: context.tasks.cancel_owner(self))

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN)
        column.setSpacing(12)
        column.addWidget(text_label(tr("Programmes that are reported"), "heading"))
        column.addWidget(self.empty)
        row = QHBoxLayout()
        row.setSpacing(16)
        labelled(self.list, tr("Programmes"))
        self.list.setFixedWidth(210)
        row.addWidget(self.list)
        for value, word in _RHYTHMS.items():
            self.rhythm.addItem(word, value)
        for number, month in enumerate(_MONTHS, 1):
            self.first_month.addItem(month, number)
        form = QFormLayout()
        form.setSpacing(8)
        form.setHorizontalSpacing(14)
        form.addRow("", self.is_on)
        self._row(form, tr("Rhythm"), self.rhythm)
        self._row(form, tr("A period begins in"), self.first_month)
        self._row(form, tr("Reports go to"), self.taker)
        for name, editor in self.editors.items():
            label, tip = _WORDS[name]
            editor.setToolTip(tip)
            self._row(form, label, editor)
        middle = QVBoxLayout()
        middle.addLayout(form)
        middle.addStretch(1)
        row.addLayout(middle, 3)
        right = QVBoxLayout()
        right.setSpacing(8)
        head = QHBoxLayout()
        head.addWidget(text_label(tr("Who reports"), "strong"))
        head.addWidget(self.chosen)
        head.addStretch(1)
        head.addWidget(self.every)
        head.addWidget(self.none)
        right.addLayout(head)
        right.addWidget(self.search)
        labelled(self.facilities, tr("Facilities that report"))
        self.facilities.setWordWrap(True)
        self.facilities.setProperty("ticks", "true")
        self.facilities.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        right.addWidget(self.facilities, 1)
        row.addLayout(right, 3)
        column.addLayout(row, 1)
        self.problem.hide()
        column.addWidget(self.problem)
        foot = QHBoxLayout()
        foot.setSpacing(10)
        foot.addStretch(1)
        foot.addWidget(self.close_button)
        foot.addWidget(self.save)
        column.addLayout(foot)

    @staticmethod
    def _row(form: QFormLayout, label: str, field: QWidget) -> None:
        labelled(field, label)
        words = text_label(label)
        words.setMinimumHeight(field.sizeHint().height())
        words.setBuddy(field)
        form.addRow(words, calm_wheel(field))

    def _connect(self) -> None:
        self.list.currentRowChanged.connect(self._show)
        self.search.searched.connect(self._filter)
        self.facilities.itemChanged.connect(self._count)
        self.every.clicked.connect(lambda: self._check_all(Qt.CheckState.Checked))
        self.none.clicked.connect(lambda: self._check_all(Qt.CheckState.Unchecked))
        self.close_button.clicked.connect(self.reject)
        self.save.clicked.connect(lambda: self._context.tasks.start(self._save(), name="save a programme", owner=self))

    @property
    def programme(self) -> Programme | None:
        at = self.list.currentRow()
        return self._programmes[at] if 0 <= at < len(self._programmes) else None

    async def _load(self, choose: str) -> None:
        today = local_day(self._context.services.clock.now_ms())
        kinds, report = supply_kinds(self._catalogue), report_kinds(self._catalogue)

        def read(connection: Connection) -> Any:
            offered = [replace(one, is_on=False, starts_on=first_day(one, today)) for one in
                       suggest_programmes(connection, kinds)]  # fmt: skip
            known = list_programmes(connection)
            places = {one.id: expected_facilities(connection, one.id) for one in known}
            for one in offered:
                places[f"{one.integration_id}/{one.program}"] = _offered(connection, one)
            return [*known, *offered], places, takers(connection, report)

        self._programmes, self._facilities, taking = await self._context.bridge.read(read)
        self.taker.clear()
        self.taker.addItem(tr("Nobody takes calls: exported"), "")
        for key, name in taking:
            self.taker.addItem(name, key)
        self.list.blockSignals(True)
        self.list.clear()
        for one in self._programmes:
            self.list.addItem(one.name if one.id and one.is_on else tr("{name} (not reported)", name=one.name))
        self.list.blockSignals(False)
        self.empty.setVisible(not self._programmes)
        self.save.setEnabled(bool(self._programmes))
        at = next((at for at, one in enumerate(self._programmes) if choose and one.id == choose), 0)
        self.list.setCurrentRow(at)
        self._show()

    def _show(self, *_row: object) -> None:
        one = self.programme
        self.problem.hide()
        if one is None:
            return
        self.is_on.setChecked(one.is_on or not one.id)
        self.rhythm.setCurrentIndex(max(0, self.rhythm.findData(one.rhythm)))
        self.first_month.setCurrentIndex(one.first_month - 1)
        self.taker.setCurrentIndex(max(0, self.taker.findData(one.reports_to)))
        for name, editor in self.editors.items():
            value = getattr(one, name)
            editor.setText(", ".join(value) if isinstance(value, tuple) else f"{value:g}" if isinstance(value, float)
                           else str(value))  # fmt: skip
            restyle(editor, invalid="false")
        self.facilities.blockSignals(True)
        self.facilities.clear()
        for place in self._facilities.get(one.id or f"{one.integration_id}/{one.program}", ()):
            text = " · ".join(part for part in (place.name, place.code, place.zone) if part)
            item = QListWidgetItem(text)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Checked if place.is_expected else Qt.CheckState.Unchecked)
            item.setData(Qt.ItemDataRole.UserRole, place.facility)
            self.facilities.addItem(item)
        self.facilities.blockSignals(False)
        self._filter()
        self._count()

    def wanted(self) -> tuple[Programme, list[str]]:
        """What was entered. Raises ReportRefused with the field."""
        one = self.programme
        if one is None:
            raise ReportRefused("Choose a programme first.")
        one = replace(
            one, is_on=self.is_on.isChecked(), rhythm=str(self.rhythm.currentData()),
            first_month=int(self.first_month.currentData()), reports_to=str(self.taker.currentData() or ""),
        )  # fmt: skip
        one = with_fields(one, {name: editor.text() for name, editor in self.editors.items()})
        return one, [item.data(Qt.ItemDataRole.UserRole) for item in self._items() if _is_checked(item)]

    def _items(self) -> list[QListWidgetItem]:
        return [self.facilities.item(at) for at in range(self.facilities.count())]

    def _filter(self, *_text: object) -> None:
        words = self.search.text().casefold().split()
        for item in self._items():
            item.setHidden(not all(word in item.text().casefold() for word in words))

    def _check_all(self, state: Qt.CheckState) -> None:
        """Those that the search shows."""
        for item in self._items():
            if not item.isHidden():
                item.setCheckState(state)

    def _count(self, *_item: object) -> None:
        count = sum(map(_is_checked, self._items()))
        self.chosen.setText(trn("{count} facility", "{count} facilities", count))

    async def _save(self) -> None:
        self.save.setEnabled(False)
        today = local_day(self._context.services.clock.now_ms())
        try:
            wanted, facilities = self.wanted()

            def job(connection: Connection) -> str:
                programme_id = save_programme(connection, wanted)
                expect(connection, programme_id, facilities, today)
                ensure_reports(connection, today)
                return programme_id

            programme_id = await self._context.bridge.write(job)
        except OperatorError as err:
            self.problem.setText(err.why)
            self.problem.show()
            editor = self.editors.get(getattr(err, "field", ""))
            if editor is not None:
                restyle(editor, invalid="true")
                editor.setFocus()
            self.save.setEnabled(True)
            return
        count = trn("{count} facility reports", "{count} facilities report", len(facilities))
        self._context.notify("ok", tr("{name} is saved: {count}.", name=wanted.name, count=count))
        await self._load(programme_id)


def _is_checked(item: QListWidgetItem) -> bool:
    return item.checkState() == Qt.CheckState.Checked


def _offered(connection: Connection, one: Programme) -> list[Expected]:
    """The facilities of a programme that is not set up: nobody reports yet."""
    table = FacilityRow
    query = select(table.peer_id, table.code, table.name, table.zone).where(
        table.integration_id == one.integration_id, table.kind.in_(("store", "facility")), table.gone_at.is_(None),
        table.is_active.is_(True),
    )  # fmt: skip
    rows = connection.execute(query.order_by(table.name, table.peer_id))
    return [Expected(row.peer_id, row.code, row.name or row.peer_id, row.zone, False) for row in rows]
