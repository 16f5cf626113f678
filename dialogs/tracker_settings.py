"""What the operator sets about a tracker: its name here, and how far its clock is from UTC."""

from __future__ import annotations

from PySide6.QtWidgets import QDialog, QHBoxLayout, QLineEdit, QRadioButton, QVBoxLayout, QWidget
from sqlalchemy import Connection

from app.errors import OperatorError
from app.fleet.devices import MOST_OFFSET_S, rename, set_clock_offset
from app.fleet.freshness import suggested_offset_s
from app.fleet.listing import DeviceListing
from resources.i18n import tr
from widgets import ask
from widgets.context import ConsoleContext
from widgets.primitives import Banner, link_button, outline_button, primary_button, text_label
from widgets.theme import restyle
from widgets.trackers.words import clock_tip, offset_text, parse_offset, zone_text

WIDTH_PX = 520
NOON_MIN = 12 * 60


class TrackerSettingsDialog(QDialog):
    """Accepted once everything is saved; a refusal is shown here."""

    def __init__(self, context: ConsoleContext, parent: QWidget, row: DeviceListing) -> None:
        super().__init__(parent)
        self._context = context
        self._row = row
        self.setWindowTitle(tr("Settings of the tracker"))
        self.setFixedWidth(WIDTH_PX)
        self.name = QLineEdit(row.name)
        self.name.setMaxLength(200)
        self.name.setAccessibleName(tr("Name"))
        self.name.setPlaceholderText(tr("none"))
        self.declared = QRadioButton(tr("As the tracker declares, else UTC"))
        self.fixed = QRadioButton(tr("Its clock is ahead of UTC by"))
        offset = row.clock_offset_s
        self.offset = QLineEdit("" if offset is None else offset_text(offset))
        self.offset.setPlaceholderText(tr("for example +8:00 or −0:30"))
        self.offset.setAccessibleName(tr("Hours and minutes that the tracker's clock is ahead of UTC"))
        self.meaning = text_label("", "muted", wrap=True)
        self.problem = text_label("", "error", wrap=True, selectable=True)
        self.save = primary_button(context.theme, tr("Save"))
        self.cancel = outline_button(context.theme, tr("Cancel"))
        self.suggestion = suggested_offset_s(row.clock_lag_s, offset or 0)
        (self.declared if offset is None else self.fixed).setChecked(True)
        self._lay_out()
        self.fixed.toggled.connect(self._on_changed)
        self.offset.textEdited.connect(lambda: self.fixed.setChecked(True))
        self.offset.textChanged.connect(self._on_changed)
        self.save.clicked.connect(self._start)
        self.cancel.clicked.connect(self.reject)
        self.save.setDefault(True)
        self._on_changed()

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN)
        column.setSpacing(10)
        title = tr("Settings of tracker {device}", device=self._row.unique_id)
        column.addWidget(text_label(title, "heading", wrap=True, selectable=True))
        column.addWidget(text_label(tr("Name"), "strong"))
        column.addWidget(self.name)
        if self._row.is_from_server:
            note = tr("Named here, its server names it no more; an empty name gives the naming back.")
            column.addWidget(text_label(note, "small", wrap=True))
        column.addSpacing(6)
        column.addWidget(text_label(tr("Clock"), "strong"))
        if self.suggestion is not None:
            use = link_button(self._context.theme, tr("Use {offset}", offset=offset_text(self.suggestion)), small=True)
            use.clicked.connect(self.use_suggestion)
            self.use = use
            column.addWidget(Banner(self._context.theme, "warn", clock_tip(self._row), use))
        column.addWidget(self.declared)
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addWidget(self.fixed)
        row.addWidget(self.offset, 1)
        column.addLayout(row)
        column.addWidget(self.meaning)
        column.addWidget(self.problem)
        self.problem.hide()
        buttons = QHBoxLayout()
        buttons.setSpacing(10)
        buttons.addStretch(1)
        buttons.addWidget(self.cancel)
        buttons.addWidget(self.save)
        column.addSpacing(6)
        column.addStretch(1)
        column.addLayout(buttons)

    def use_suggestion(self) -> None:
        """Take the offset that the warning names."""
        if self.suggestion is not None:
            self.fixed.setChecked(True)
            self.offset.setText(offset_text(self.suggestion))

    def wanted_offset_s(self) -> int | None:
        """Seconds ahead of UTC, None for what the tracker declares. Raises ValueError with the sentence why not."""
        if self.declared.isChecked():
            return None
        offset_s = parse_offset(self.offset.text())
        if offset_s is None:
            raise ValueError(tr("Write hours and minutes, for example +8:00."))
        if abs(offset_s) > MOST_OFFSET_S:
            raise ValueError(tr("More than sixteen hours: no zone is that far off."))
        return offset_s

    def _on_changed(self) -> None:
        self.problem.hide()
        why = ""
        try:
            offset_s = self.wanted_offset_s()
        except ValueError as err:
            why = str(err)
            self.meaning.setText(why)
        else:
            self.meaning.setText(_meaning(offset_s))
        restyle(self.offset, invalid="true" if why and self.offset.text() else "false")
        self.save.setEnabled(not why)

    def _start(self) -> None:
        if self.save.isEnabled():
            self.save.setEnabled(False)
            self._context.tasks.start(self._save(), name="tracker settings", owner=self)

    async def _save(self) -> None:
        row, name, offset_s = self._row, " ".join(self.name.text().split()), self.wanted_offset_s()

        def job(connection: Connection) -> None:
            if name != row.name:
                rename(connection, row.unique_id, name)
            if offset_s != row.clock_offset_s:
                set_clock_offset(connection, row.unique_id, offset_s)

        try:
            await self._context.bridge.write(job)
        except OperatorError as err:
            self.save.setEnabled(True)
            self.problem.setText(err.why)
            self.problem.show()
            return
        self.accept()


def _meaning(offset_s: int | None) -> str:
    """What the setting does to a fix dated noon."""
    keeps = tr("It holds for what arrives from now on; stored positions stay as they are.")
    if offset_s is None:
        return f"{tr('Times are taken as UTC unless the tracker names its zone.')} {keeps}"
    minutes, seconds = divmod(NOON_MIN * 60 - offset_s, 60)
    clock = f"{minutes // 60 % 24:02d}:{minutes % 60:02d}" + (f":{seconds:02d}" if seconds else "")
    zone = zone_text(offset_s)
    return tr(
        "A fix that it dates 12:00 ({zone}) is stored as {clock} UTC. {keeps}", zone=zone, clock=clock, keeps=keeps
    )


async def tracker_settings(context: ConsoleContext, parent: QWidget, row: DeviceListing) -> bool:
    """Ask for name and clock offset and save them; False when cancelled."""
    return await ask.run(TrackerSettingsDialog(context, parent, row))
