"""The settings of a sensor: what they are, what they shall be, what was read back; profiles and the history."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from adapters.bench import SensorSetting, Written
from app.fuel.profiles import Difference
from resources.i18n import tr
from widgets.primitives import Banner, calm_wheel, outline_button, primary_button, text_label
from widgets.theme import Theme

FIELD_WIDTH_PX = 280

Field = QSpinBox | QComboBox | QLineEdit


class SettingsView(QWidget):
    """``write_wanted`` carries the changed values by name; the others ask for a profile or for the sensor."""

    write_wanted = Signal(object)
    reload_wanted = Signal()
    save_wanted = Signal()
    load_wanted = Signal()
    history_wanted = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.settings: Sequence[SensorSetting] = ()
        self.fields: dict[str, Field] = {}
        self.marks: dict[str, object] = {}
        self.reload = outline_button(theme, tr("Read again"), "refresh-cw", small=True)
        self.save = outline_button(theme, tr("Save profile…"), "save", small=True)
        self.load = outline_button(theme, tr("Load profile…"), "folder-open", small=True)
        self.history = outline_button(theme, tr("History of changes…"), "history", small=True)
        self.write = primary_button(theme, tr("Write what changed…"), "arrow-down-to-line")
        self.banner = Banner(theme, "info", "")
        self._form = QFormLayout()
        self._form.setSpacing(10)
        host = QWidget()
        host.setLayout(self._form)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setWidget(host)
        for surface in (host, area.viewport()):
            surface.setProperty("surface", "card")
            surface.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        bar = QHBoxLayout()
        bar.setSpacing(8)
        for button in (self.reload, self.save, self.load, self.history):
            bar.addWidget(button)
        bar.addStretch(1)
        bar.addWidget(self.write)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addLayout(bar)
        column.addWidget(self.banner)
        column.addWidget(area, 1)
        self.banner.hide()
        self.reload.clicked.connect(self.reload_wanted)
        self.save.clicked.connect(self.save_wanted)
        self.load.clicked.connect(self.load_wanted)
        self.history.clicked.connect(self.history_wanted)
        self.write.clicked.connect(lambda: self.write_wanted.emit(self.changes()))
        self.clear(tr("Choose a sensor that was found."))

    def clear(self, words: str) -> None:
        self.settings = ()
        self._empty_form()
        self._form.addRow(text_label(words, "muted", wrap=True))
        for button in (self.save, self.load, self.write):
            button.setEnabled(False)

    def show_settings(self, settings: Sequence[SensorSetting]) -> None:
        """One row per setting; what may not be written is shown with the reason."""
        self.settings = settings
        self._empty_form()
        for one in settings:
            label = f"{one.label}, {one.unit}" if one.unit else one.label
            if one.read_only_why:
                shown = text_label(_words(one), selectable=True)
                shown.setToolTip(one.read_only_why)
                why = text_label(one.read_only_why, "small", wrap=True)
                pair = QVBoxLayout()
                pair.setSpacing(1)
                pair.addWidget(shown)
                pair.addWidget(why)
                self._form.addRow(label, pair)
                continue
            field = _field_of(one)
            field.setAccessibleName(label)
            field.setMaximumWidth(FIELD_WIDTH_PX)
            self.fields[one.name] = field
            self._form.addRow(label, calm_wheel(field))
            _on_change(field, self._enable)
        for button in (self.save, self.load):
            button.setEnabled(bool(settings))
        self._enable()

    def changes(self) -> dict[str, int | str]:
        """What differs from what the sensor said."""
        known = {one.name: one.value for one in self.settings}
        found = {name: _value_of(field) for name, field in self.fields.items()}
        return {name: value for name, value in found.items() if value != known[name]}

    def propose(self, values: dict[str, int | str]) -> None:
        """Put values of a profile into the fields; nothing is written yet."""
        for name, value in values.items():
            field = self.fields.get(name)
            if isinstance(field, QSpinBox) and isinstance(value, int):
                field.setValue(value)
            elif isinstance(field, QComboBox):
                field.setCurrentIndex(max(field.findData(value), 0))
            elif isinstance(field, QLineEdit):
                field.setText(str(value))

    def show_differences(self, differences: Sequence[Difference]) -> None:
        """What a profile says otherwise, and what of it cannot be written."""
        other = [one for one in differences if not one.is_same and one.profile is not None]
        if not other:
            self._say(tr("The sensor is as the profile says."))
            return
        lines = [
            f"{one.label}: {'–' if one.sensor is None else one.sensor} → {one.profile}"
            + (f" ({one.why_not})" if one.why_not else "")
            for one in other
        ]
        self._say("\n".join([tr("The profile says otherwise:"), *lines]))

    def show_written(self, written: Sequence[Written]) -> None:
        self._say("\n".join(f"{one.name}: {one.before} → {one.wanted}, {_verdict(one)}" for one in written))

    def _say(self, text: str) -> None:
        self.banner.words.setText(text)
        self.banner.show()

    def _enable(self) -> None:
        self.write.setEnabled(bool(self.changes()))

    def _empty_form(self) -> None:
        self.fields = {}
        self.banner.hide()
        while self._form.rowCount():
            self._form.removeRow(0)


def _verdict(one: Written) -> str:
    if one.ok:
        return tr("read back")
    if one.read_back is None:
        return tr("not read back: whether it holds is not known")
    return tr("read back as {value}, it did not hold", value=one.read_back)


def _field_of(one: SensorSetting) -> Field:
    if one.choices:
        box = QComboBox()
        for value, word in one.choices.items():
            box.addItem(word, value)
        box.setCurrentIndex(max(box.findData(one.value), 0))
        return box
    if isinstance(one.value, str):
        return QLineEdit(one.value)
    field = QSpinBox()
    field.setRange(one.minimum if one.minimum is not None else 0, one.maximum if one.maximum is not None else 65_535)
    field.setValue(int(one.value or 0))
    return field


def _value_of(field: Field) -> int | str:
    if isinstance(field, QSpinBox):
        return field.value()
    if isinstance(field, QComboBox):
        return int(field.currentData())
    return field.text()


def _on_change(field: Field, then: object) -> None:
    call = then
    if isinstance(field, QSpinBox):
        field.valueChanged.connect(call)
    elif isinstance(field, QComboBox):
        field.currentIndexChanged.connect(call)
    else:
        field.textChanged.connect(call)


def _words(one: SensorSetting) -> str:
    if one.value is None:
        return "–"
    return one.choices.get(one.value, str(one.value)) if isinstance(one.value, int) else str(one.value)
