"""The rows of the parameters' forms: what holds stands in the empty field, what was set is marked."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from app.fuel.parameters import DESCRIBED, Described, Parameters
from resources.i18n import tr
from widgets.primitives import Badge, IconButton, calm_wheel, labelled, text_label
from widgets.theme import Theme, restyle

FIELD_PX = 104
UNIT_PX = 74
CHOICES: dict[str, tuple[str, str, tuple[tuple[Any, str], ...]]] = {
    "filter": (
        "Filter", "How single wrong readings are taken out.",
        (("median", "Median"), ("adaptive", "Adaptive"), ("off", "Off")),
    ),
    "refuels_in_motion": ("Refuels between two stops", "", ((True, "Found"), (False, "Left out"))),
    "drains_in_motion": ("Drains between two stops", "", ((True, "Found"), (False, "Left out"))),
    "temperature_correction": (
        "Correct by temperature", "Litres as they would be at 15 °C.",
        (("off", "Off"), ("linear", "Linear"), ("density", "By density")),
    ),
    "volume_from_raw": ("Litres of an event, from levels", "", ((True, "Unfiltered"), (False, "Smoothed"))),
}  # fmt: skip
GROUPS = {
    "minimum_refuel_l": "Refuels and drains",
    "filter": "Smoothing, stops and gaps",
    "idle_l_h": "Consumption",
    "fastest_fill_l_min": "Plausibility",
    "receipt_window_min": "Receipts",
}
"""Headings by the first parameter beneath them."""
_FOLLOW = {
    "minimum_drain_share": ("refuels_in_motion", "drains_in_motion", "volume_from_raw", "filter"),
    "fastest_drain_l_min": ("temperature_correction",),
}
"""Where the choices stand among the numbers."""


@dataclass(frozen=True, slots=True)
class Base:
    """What holds where a field is empty, in the words of the form: behind a choice, on the badge, at the way back."""

    word: str
    own: str
    back: str


OF_CLASS = Base("class", "Own", "{label}: back to the class' value")
BUILT_IN = Base("default", "Changed", "{label}: back to the default")


class ParameterField(QWidget):
    """One parameter. ``changed`` on every edit; :meth:`value` is None where the value beneath it holds."""

    changed = Signal()

    def __init__(
        self, theme: Theme, base: Base, name: str, label: str, unit: str, help_text: str, control: QWidget
    ) -> None:
        super().__init__()
        self.name = name
        self.label = label
        self.base = base
        self.control = control
        self.own = Badge(tr(base.own), "info")
        self.reset = IconButton(theme, "rotate-ccw", tr(base.back, label=label), size=14)
        words = QVBoxLayout()
        words.setSpacing(1)
        head = QHBoxLayout()
        head.setSpacing(8)
        self.words = text_label(label)
        self.words.setBuddy(control)
        head.addWidget(self.words)
        head.addWidget(self.own)
        head.addStretch(1)
        words.addLayout(head)
        if help_text:
            words.addWidget(text_label(help_text, "small", wrap=True))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addLayout(words, 1)
        labelled(control, label, f"{unit} {help_text}".strip())
        row.addWidget(control, 0, Qt.AlignmentFlag.AlignVCenter)
        self.unit = text_label(unit, "muted")
        if isinstance(control, QLineEdit):
            control.setFixedWidth(FIELD_PX)
            self.unit.setFixedWidth(UNIT_PX)
            row.addWidget(self.unit, 0, Qt.AlignmentFlag.AlignVCenter)
        else:
            control.setFixedWidth(FIELD_PX + UNIT_PX + row.spacing())
        policy = self.reset.sizePolicy()
        policy.setRetainSizeWhenHidden(True)  # nothing moves when it comes
        self.reset.setSizePolicy(policy)
        row.addWidget(self.reset, 0, Qt.AlignmentFlag.AlignVCenter)
        self.reset.clicked.connect(lambda: self.set_value(None))
        self.mark(False)

    def value(self) -> Any:
        """As the parameters take it. Raises ValueError with the sentence why not."""
        raise NotImplementedError

    def set_value(self, value: Any) -> None:
        raise NotImplementedError

    def inherit(self, value: Any) -> None:
        """Show the value beneath as what holds while this is empty."""
        raise NotImplementedError

    def mark(self, is_own: bool) -> None:
        self.own.setVisible(is_own)
        self.reset.setVisible(is_own)

    def show_fault(self, is_wrong: bool) -> None:
        restyle(self.control, invalid="true" if is_wrong else "false")


class NumberField(ParameterField):
    """A number with its limits; shares of a tank are written in percent."""

    def __init__(self, theme: Theme, base: Base, described: Described, is_whole: bool) -> None:
        self._described = described
        self._is_whole = is_whole
        self._scale = 100.0 if described.name.endswith("_share") else 1.0
        self.line = QLineEdit()
        self.line.setAlignment(Qt.AlignmentFlag.AlignRight)
        unit = tr("%") if self._scale > 1 else tr(described.unit) if described.unit else ""
        limits = tr("{least} to {most}", least=self._shown(described.least), most=self._shown(described.most))
        help_text = f"{tr(described.help)} {limits}." if described.help else f"{limits}."
        super().__init__(theme, base, described.name, tr(described.label), unit, help_text, self.line)
        self.line.textChanged.connect(self.changed)

    def value(self) -> float | int | None:
        text = self.line.text().strip().replace(",", ".")
        if not text:
            return None
        try:
            number = float(text)
        except ValueError:
            raise ValueError(tr("{label} must be a number.", label=self.label)) from None
        least, most = self._described.least * self._scale, self._described.most * self._scale
        if not math.isfinite(number) or not least <= number <= most:
            raise ValueError(
                tr(
                    "{label} must be {least} to {most} {unit}.", label=self.label, least=f"{least:g}", most=f"{most:g}",
                    unit=self.unit.text(),
                ).replace(" .", ".")
            )  # fmt: skip
        if not self._is_whole:
            return round(number / self._scale, 8)
        if number % 2 != 1:
            raise ValueError(tr("{label} must be an odd whole number.", label=self.label))
        return int(number)

    def set_value(self, value: Any) -> None:
        self.line.setText("" if value is None else self._shown(value))

    def inherit(self, value: Any) -> None:
        self.line.setPlaceholderText(self._shown(value))

    def _shown(self, value: float) -> str:
        return f"{value * self._scale:g}"


class ChoiceField(ParameterField):
    """One of a few; the first entry is what holds without one."""

    def __init__(self, theme: Theme, base: Base, name: str) -> None:
        label, help_text, self._choices = CHOICES[name]
        self.box = QComboBox()
        self.box.addItem("", None)
        for value, word in self._choices:
            self.box.addItem(tr(word), value)
        super().__init__(theme, base, name, tr(label), "", tr(help_text) if help_text else "", calm_wheel(self.box))
        self.box.currentIndexChanged.connect(self.changed)

    def value(self) -> Any:
        return self.box.currentData()

    def set_value(self, value: Any) -> None:
        self.box.setCurrentIndex(0 if value is None else max(self.box.findData(value), 0))

    def inherit(self, value: Any) -> None:
        word = next(word for choice, word in self._choices if choice == value)
        self.box.setItemText(0, tr("{value} ({base})", value=tr(word), base=tr(self.base.word)))


def make_fields(theme: Theme, base: Base = OF_CLASS) -> dict[str, ParameterField]:
    """A field for every parameter that there is, in the order of the form."""
    kinds = {field.name: field.type for field in fields(Parameters)}
    made: dict[str, ParameterField] = {}
    for described in DESCRIBED:
        made[described.name] = NumberField(theme, base, described, kinds[described.name] == "int")
        for name in _FOLLOW.get(described.name, ()):
            if name in kinds:
                made[name] = ChoiceField(theme, base, name)
    return made
