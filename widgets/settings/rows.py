"""One row of the settings page: a name with its explanation at the left, the control at the right."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, QTime
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QSpinBox,
    QTimeEdit,
    QVBoxLayout,
    QWidget,
)

from resources.i18n import tr
from widgets.primitives import Card, labelled, line, text_label
from widgets.primitives.controls import calm_wheel

CONTROL_WIDTH = 280


class SettingRow(QWidget):
    """``control`` gets the name as its accessible name and the label as its buddy."""

    def __init__(self, name: str, explanation: str, control: QWidget) -> None:
        super().__init__()
        self.control = control
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 10, 0, 10)
        row.setSpacing(24)
        words = QVBoxLayout()
        words.setSpacing(3)
        label = QLabel(name)
        label.setProperty("role", "strong")
        label.setBuddy(control)
        words.addWidget(label)
        self.explanation = text_label(explanation, "muted", wrap=True)
        words.addWidget(self.explanation)
        row.addLayout(words, 1)
        labelled(control, name, explanation)
        row.addWidget(control, 0, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight)


def card_of(title: str, rows: Sequence[QWidget]) -> Card:
    """A titled card of rows with thin lines between them."""
    card = Card()
    card.body.setSpacing(0)
    card.body.addWidget(text_label(title, "card-title"))
    for number, row in enumerate(rows):
        if number:
            card.body.addWidget(line())
        card.body.addWidget(row)
    return card


def choice(options: Sequence[tuple[str, str]], value: str) -> QComboBox:
    """A drop-down of (value, label) pairs; an unknown ``value`` chooses the first."""
    box = QComboBox()
    box.setMinimumWidth(CONTROL_WIDTH)
    for key, label in options:
        box.addItem(label, key)
    box.setCurrentIndex(max(0, box.findData(value)))
    calm_wheel(box)
    return box


def days(value: int, most: int = 3650) -> QSpinBox:
    """A number of days, at least one."""
    box = QSpinBox()
    box.setRange(1, most)
    box.setValue(value)
    box.valueChanged.connect(lambda number: box.setSuffix(_days_suffix(number)))
    box.setSuffix(_days_suffix(value))
    box.setMinimumWidth(120)
    calm_wheel(box)
    return box


def time_of_day(value: str) -> QTimeEdit:
    """Hours and minutes; ``value`` is HH:MM."""
    edit = QTimeEdit(QTime.fromString(value, "HH:mm"))
    edit.setDisplayFormat("HH:mm")
    edit.setMinimumWidth(96)
    calm_wheel(edit)
    return edit


def _days_suffix(number: int) -> str:
    return tr(" day") if number == 1 else tr(" days")


def switch(on: bool) -> QCheckBox:
    box = QCheckBox()
    box.setChecked(on)
    return box
