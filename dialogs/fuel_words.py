"""Words that the dialogs about fuel share: units, readings, tanks."""

from __future__ import annotations

from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.fuel.mappings import UNITS
from resources.i18n import tr
from widgets.formats import NOTHING, Formats
from widgets.primitives import calm_wheel, labelled, text_label

UNIT_WORDS = {
    "counts": "Counts",
    "percent": "Percent",
    "litres": "Litres",
    "volts": "Volts",
    "millimetres": "Millimetres",
}
_SIGNS = {"counts": "", "percent": " %", "litres": " L", "volts": " V", "millimetres": " mm"}
_DECIMALS = {"counts": 0, "percent": 1, "litres": 1, "volts": 2, "millimetres": 0}


def unit_word(unit: str) -> str:
    return tr(UNIT_WORDS.get(unit, unit))


def value_words(value: float | None, unit: str, formats: Formats) -> str:
    """A reading with its unit: ``48.5 %``."""
    if value is None:
        return NOTHING
    return f"{formats.number(value, _DECIMALS.get(unit, 1))}{_SIGNS.get(unit, '')}"


def tank_words(plate: str, tank: str) -> str:
    """``KAN-552XA, Main``; the plate alone for the only tank of a vehicle, which needs no name."""
    return f"{plate}, {tank}" if tank else plate


def unit_box() -> QComboBox:
    """The units that a value of a tracker may have."""
    box = QComboBox()
    for unit in UNITS:
        box.addItem(unit_word(unit), unit)
    labelled(calm_wheel(box), tr("Unit"))
    return box


def above(title: str, field: QWidget, help_text: str = "") -> QVBoxLayout:
    """A field under its label, which names it for screen readers, with a line of help below."""
    label = text_label(title, "strong")
    label.setBuddy(field)
    labelled(field, title, help_text)
    column = QVBoxLayout()
    column.setSpacing(5)
    column.addWidget(label)
    column.addWidget(field)
    if help_text:
        column.addWidget(text_label(help_text, "small", wrap=True))
    return column


def problem_label() -> QLabel:
    """Where a dialog says what was refused; hidden until then."""
    label = text_label("", "error", wrap=True, selectable=True)
    label.hide()
    return label


def show_problem(label: QLabel, text: str) -> None:
    label.setText(text)
    label.setVisible(bool(text))


def buttons_row(*left: QPushButton, right: tuple[QPushButton, ...]) -> QHBoxLayout:
    """The last line of a dialog."""
    row = QHBoxLayout()
    row.setSpacing(10)
    for button in left:
        row.addWidget(button)
    row.addStretch(1)
    for button in right:
        row.addWidget(button)
    return row
