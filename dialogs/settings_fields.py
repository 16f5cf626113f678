"""From a field of a settings model to its row in a form: one closed table, kind to editor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from adapters.base import SettingKind, SettingSpec
from adapters.bench import PortInfo
from resources.i18n import tr
from widgets import ask
from widgets.primitives import IconButton, calm_wheel, exact_height, labelled, outline_button, text_label
from widgets.theme import Theme, mono_font, restyle

NUMBER_WIDTH = 180
LARGEST_INT = 2**31 - 1
_WITHOUT_PLACEHOLDER = frozenset({"number", "port", "switch", "choice"})


@dataclass(frozen=True, slots=True)
class FormTools:
    """What an editor may use: the look, a way to start work that ends with the form, and what lists the ports.

    ``ports`` is the integration's own list where it has one, which knows adapters again; it blocks.
    """

    theme: Theme
    spawn: Callable[[Coroutine[Any, Any, Any], str], object]
    ports: Callable[[], Sequence[PortInfo]] | None = None


class Editor(QWidget):
    """One control. ``input`` takes the focus, the label's buddy and the red border; ``changed`` on every edit."""

    changed = Signal()

    def __init__(self, spec: SettingSpec, tools: FormTools, control: QWidget) -> None:
        super().__init__()
        self.spec = spec
        self.tools = tools
        self.input = control
        self.row = QHBoxLayout(self)
        self.row.setContentsMargins(0, 0, 0, 0)
        self.row.setSpacing(8)
        self.row.addWidget(control, 1)
        self.setFocusProxy(control)

    def value(self) -> Any:
        """What was entered, as the settings model takes it."""
        raise NotImplementedError

    def set_value(self, value: Any) -> None:
        raise NotImplementedError

    def set_stored(self) -> None:
        """A value is kept that must not be shown; only secrets have such."""


class TextEditor(Editor):
    """One line. A list setting is written with commas between its parts."""

    def __init__(self, spec: SettingSpec, tools: FormTools) -> None:
        self.line = QLineEdit()
        super().__init__(spec, tools, self.line)
        self.line.setPlaceholderText(spec.example)
        self.line.textChanged.connect(self.changed)

    def value(self) -> Any:
        text = self.line.text().strip()
        if isinstance(self.spec.default, list | tuple):
            return [part.strip() for part in text.split(",") if part.strip()]
        return text

    def set_value(self, value: Any) -> None:
        self.line.setText(", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value or ""))


class FingerprintEditor(TextEditor):
    """Letters of equal width, so that two fingerprints can be compared by eye."""

    def __init__(self, spec: SettingSpec, tools: FormTools) -> None:
        super().__init__(spec, tools)
        self.line.setFont(mono_font())
        self.line.setPlaceholderText(spec.example or "AB:CD:EF:…")


class SecretEditor(Editor):
    """Shows what is typed only while asked to; what is stored never comes back."""

    def __init__(self, spec: SettingSpec, tools: FormTools) -> None:
        self.line = QLineEdit()
        super().__init__(spec, tools, self.line)
        self.line.setEchoMode(QLineEdit.EchoMode.Password)
        self.line.setPlaceholderText(spec.example)
        self._eye = QAction(tr("Show what is typed"), self)
        self._eye.setCheckable(True)
        self._eye.toggled.connect(self._on_eye_toggled)
        self.line.addAction(self._eye, QLineEdit.ActionPosition.TrailingPosition)
        self.line.textChanged.connect(self._on_text_changed)
        tools.theme.changed.connect(self._paint_eye)
        self._paint_eye()
        self._eye.setVisible(False)

    def value(self) -> str:
        return self.line.text()

    def set_value(self, value: Any) -> None:
        self.line.setText(str(value or ""))

    def set_stored(self) -> None:
        self.line.setPlaceholderText(tr("stored — type to replace"))

    def _on_text_changed(self, text: str) -> None:
        self._eye.setVisible(bool(text))
        if not text:
            self._eye.setChecked(False)
        self.changed.emit()

    def _on_eye_toggled(self, on: bool) -> None:
        self.line.setEchoMode(QLineEdit.EchoMode.Normal if on else QLineEdit.EchoMode.Password)
        self._paint_eye()

    def _paint_eye(self) -> None:
        self._eye.setIcon(self.tools.theme.icon("eye-off" if self._eye.isChecked() else "eye", "muted"))


class NumberEditor(Editor):
    """A number with its unit; a setting that may be left out is emptied by stepping below its least value."""

    def __init__(self, spec: SettingSpec, tools: FormTools) -> None:
        is_whole = not any(isinstance(bound, float) for bound in (spec.default, spec.minimum, spec.maximum))
        self._as_number: type[int] | type[float] = int if is_whole else float
        # The two share their calls, but no base class that has them.
        box: Any = QSpinBox() if is_whole else QDoubleSpinBox()
        self.box = box
        super().__init__(spec, tools, self.box)
        self._may_be_empty = spec.default is None
        self._least = self._as_number(-LARGEST_INT if spec.minimum is None else spec.minimum)
        most = self._as_number(LARGEST_INT if spec.maximum is None else spec.maximum)
        self.box.setRange(self._least - 1 if self._may_be_empty else self._least, most)
        if self._may_be_empty:
            self.box.setSpecialValueText(" ")
        if spec.unit:
            self.box.setSuffix(f" {spec.unit}")
        self.box.setFixedWidth(NUMBER_WIDTH)
        self.box.setCorrectionMode(QAbstractSpinBox.CorrectionMode.CorrectToNearestValue)
        self.row.addStretch(1)
        calm_wheel(self.box)
        self.box.valueChanged.connect(self.changed)

    def value(self) -> Any:
        value = self.box.value()
        return None if self._may_be_empty and value < self._least else value

    def set_value(self, value: Any) -> None:
        self.box.setValue(self._least - 1 if value is None else self._as_number(value))


class ChoiceEditor(Editor):
    """One of the values that the model allows, by their labels."""

    def __init__(self, spec: SettingSpec, tools: FormTools) -> None:
        self.box = QComboBox()
        super().__init__(spec, tools, self.box)
        for value, label in spec.choices.items():
            self.box.addItem(label, value)
        calm_wheel(self.box)
        self.box.currentIndexChanged.connect(self.changed)

    def value(self) -> Any:
        return self.box.currentData()

    def set_value(self, value: Any) -> None:
        self.box.setCurrentIndex(max(0, self.box.findData(value)))


class SwitchEditor(Editor):
    """On or off; its words are its own label."""

    def __init__(self, spec: SettingSpec, tools: FormTools) -> None:
        self.box = QCheckBox(spec.label.replace("&", "&&"))
        super().__init__(spec, tools, self.box)
        self.box.toggled.connect(self.changed)

    def value(self) -> bool:
        return self.box.isChecked()

    def set_value(self, value: Any) -> None:
        self.box.setChecked(bool(value))


class FileEditor(TextEditor):
    """A path, typed or chosen."""

    def __init__(self, spec: SettingSpec, tools: FormTools) -> None:
        super().__init__(spec, tools)
        self.browse = outline_button(tools.theme, tr("Browse…"), "folder-open")
        self.browse.setAccessibleName(tr("Browse for {label}", label=spec.label))
        self.row.addWidget(self.browse)
        self.browse.clicked.connect(lambda: tools.spawn(self._choose(), "choose a file"))

    async def _choose(self) -> None:
        path = await ask.open_file(self.window(), self.spec.label)
        if path is not None:
            self.line.setText(str(path))


class SerialPortEditor(Editor):
    """A port of this computer, chosen or typed; the list can be read again after plugging in.

    A chosen adapter is entered by its serial number where it has one, so that it is found wherever it is plugged in.
    """

    def __init__(self, spec: SettingSpec, tools: FormTools) -> None:
        self.box = QComboBox()
        self.box.setEditable(True)
        super().__init__(spec, tools, self.box)
        calm_wheel(self.box)
        line = self.box.lineEdit()
        if line is not None:
            line.setPlaceholderText(spec.example)
        self.again = IconButton(tools.theme, "refresh-cw", tr("Look for serial ports again"), framed=True)
        self.row.addWidget(self.again)
        self.again.clicked.connect(lambda: tools.spawn(self.look(), "look for serial ports"))
        self.box.currentTextChanged.connect(self.changed)

    def value(self) -> str:
        text = self.box.currentText().strip()
        index = self.box.findText(text)
        return str(self.box.itemData(index)) if index >= 0 else text

    def set_value(self, value: Any) -> None:
        self.box.setCurrentText(str(value or ""))

    async def look(self) -> None:
        """Fill the list with the ports that are there now; what was entered stays."""
        entered = self.value()
        ports = await asyncio.to_thread(self._listed)
        self.box.blockSignals(True)
        self.box.clear()
        for port, words in ports:
            self.box.addItem(words, port)
        index = self.box.findData(entered)
        self.box.setCurrentIndex(index)
        if index < 0:
            self.box.setEditText(entered)
        self.box.blockSignals(False)

    def _listed(self) -> Sequence[tuple[str, str]]:
        """What is entered for each port, and its words. Blocks."""
        if self.tools.ports is None:
            return serial_ports()
        return [(one.hardware_id or one.path, _port_words(one)) for one in self.tools.ports()]


def _port_words(port: PortInfo) -> str:
    in_use = tr(" (in use by {program})", program=port.in_use_by) if port.in_use_by else ""
    return f"{port.path} — {port.description}{in_use}"


def serial_ports() -> Sequence[tuple[str, str]]:
    """The serial ports of this computer as (port, words). Blocks."""
    from serial.tools import list_ports

    return [(port.device, f"{port.device} — {port.description}") for port in sorted(list_ports.comports())]


EDITORS: Mapping[SettingKind, Callable[[SettingSpec, FormTools], Editor]] = {
    "text": TextEditor,
    "url": TextEditor,
    "host": TextEditor,
    "secret": SecretEditor,
    "number": NumberEditor,
    "port": NumberEditor,
    "choice": ChoiceEditor,
    "switch": SwitchEditor,
    "file": FileEditor,
    "serial_port": SerialPortEditor,
    "fingerprint": FingerprintEditor,
}


class FieldRow(QWidget):
    """Label, control, help, and the place where its error lands."""

    def __init__(self, spec: SettingSpec, editor: Editor, theme: Theme) -> None:
        super().__init__()
        self.spec = spec
        self.editor = editor
        self.setObjectName(f"field-{spec.name}")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(5)
        words = _help_words(spec)
        labelled(editor.input, spec.label, words)
        editor.input.setToolTip("")
        if spec.kind != "switch":
            column.addWidget(_label_of(spec, editor.input))
        column.addWidget(editor)
        self.help = exact_height(text_label(words, "small", wrap=True))
        self.help.setVisible(bool(words))
        column.addWidget(self.help)
        self._error_line = QWidget()
        line = QHBoxLayout(self._error_line)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(6)
        mark = QLabel()
        theme.follow(mark, "circle-alert", "error", 14)
        self.error = exact_height(text_label("", "error", wrap=True, selectable=True))
        line.addWidget(mark, 0, Qt.AlignmentFlag.AlignTop)
        line.addWidget(self.error, 1)
        column.addWidget(self._error_line)
        self._error_line.hide()
        editor.changed.connect(self.clear_error)

    @property
    def error_text(self) -> str:
        """What is said to be wrong with this field; "" for nothing."""
        return "" if self._error_line.isHidden() else self.error.text()

    def show_error(self, why: str) -> None:
        self.error.setText(why)
        self._error_line.show()
        self.editor.input.setAccessibleDescription(why)
        restyle(self.editor.input, invalid="true")

    def clear_error(self) -> None:
        if not self._error_line.isHidden():
            self._error_line.hide()
            self.editor.input.setAccessibleDescription(_help_words(self.spec))
            restyle(self.editor.input, invalid="false")


def make_row(spec: SettingSpec, tools: FormTools) -> FieldRow:
    """The row of a field, showing its default."""
    editor = EDITORS[spec.kind](spec, tools)
    editor.set_value(spec.default)
    return FieldRow(spec, editor, tools.theme)


def _label_of(spec: SettingSpec, control: QWidget) -> QWidget:
    label = QLabel(spec.label.replace("&", "&&"))
    label.setProperty("role", "strong")
    label.setBuddy(control)
    is_optional = not spec.required and spec.kind not in _WITHOUT_PLACEHOLDER and not spec.default
    if not is_optional or spec.shown_when:  # shown because of a choice, it is what that choice needs
        return label
    host = QWidget()
    row = QHBoxLayout(host)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(6)
    row.addWidget(label)
    row.addWidget(text_label(tr("optional"), "small"))
    row.addStretch(1)
    return host


def _help_words(spec: SettingSpec) -> str:
    if spec.example and spec.kind in _WITHOUT_PLACEHOLDER and spec.default is None:
        return tr("{help} Example: {example}", help=spec.help, example=spec.example).strip()
    return spec.help
