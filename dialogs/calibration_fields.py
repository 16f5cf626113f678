"""The fields of the calibration wizard: litres, centimetres, counts, shapes of tanks."""

from __future__ import annotations

from PySide6.QtWidgets import QComboBox, QDoubleSpinBox

from resources.i18n import tr

SHAPES = (
    ("lying_cylinder", "Lying cylinder"), ("box", "Box"), ("rounded_box", "Box with rounded edges"),
    ("upright_cylinder", "Standing cylinder"), ("lying_oval", "Lying oval"),
)  # fmt: skip
ENDS = (("flat", "Flat"), ("dished", "Dished"), ("elliptical", "Elliptical"), ("hemispherical", "Hemispheres"))


def litres_field(value: float, most: float) -> QDoubleSpinBox:
    field = QDoubleSpinBox()
    field.setRange(0, most)
    field.setDecimals(1)
    field.setSuffix(" L")
    field.setValue(value)
    return field


def cm_field(value: float) -> QDoubleSpinBox:
    field = QDoubleSpinBox()
    field.setRange(0, 2_000)
    field.setDecimals(1)
    field.setSuffix(" cm")
    field.setValue(value)
    return field


def count_field(value: float) -> QDoubleSpinBox:
    field = QDoubleSpinBox()
    field.setRange(-1e6, 1e7)
    field.setDecimals(0)
    field.setValue(value)
    return field


def choice(choices: tuple[tuple[str, str], ...]) -> QComboBox:
    box = QComboBox()
    for key, label in choices:
        box.addItem(tr(label), key)
    return box
