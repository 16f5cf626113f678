"""What an act changed, before and after side by side; texts are shown as they are."""

from __future__ import annotations

import re
from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget

from resources.i18n import tr
from widgets.formats import NOTHING
from widgets.primitives import line, text_label
from widgets.primitives.tips import plain_tip

Change = tuple[str, str | None, str | None]
"""(field, before, after); None where there was or is nothing."""

_BREAKS = re.compile(r"[^/._:@?&=-]{1,16}[/._:@?&=-]*|[/._:@?&=-]+")

LONGEST_SHOWN = 2_000
MOST_SHOWN = 100


class Sides(QWidget):
    """A row per field that differs. ``cells`` are the labels of each row: field, before, after."""

    def __init__(self, changes: Sequence[Change]) -> None:
        super().__init__()
        self.cells: list[tuple[QLabel, QLabel, QLabel]] = []
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(6)
        for at, (words, stretch) in enumerate(((tr("Field"), 3), (tr("Before"), 4), (tr("After"), 4))):
            grid.addWidget(text_label(words, "small"), 0, at)
            grid.setColumnStretch(at, stretch)
        for number, change in enumerate(changes[:MOST_SHOWN]):
            row = 2 * number + 1
            grid.addWidget(line(), row, 0, 1, 3)
            self.cells.append(self._add(grid, row + 1, change))
        if len(changes) > MOST_SHOWN:
            more = text_label(tr("{count} more stand in the texts below.", count=len(changes) - MOST_SHOWN), "small")
            grid.addWidget(more, 2 * MOST_SHOWN + 1, 0, 1, 3)

    def _add(self, grid: QGridLayout, row: int, change: Change) -> tuple[QLabel, QLabel, QLabel]:
        name, before, after = change
        labels = (_cell(name, "small"), _cell(before, "muted"), _cell(after, "strong"))
        for at, (label, side) in enumerate(zip(labels, ("", tr("Before"), tr("After")), strict=True)):
            label.setAccessibleName(f"{name} {side}".strip())
            grid.addWidget(label, row, at, Qt.AlignmentFlag.AlignTop)
        return labels


def _cell(text: str | None, role: str) -> QLabel:
    """A text breaks anywhere, so that a long token does not widen the panel."""
    whole = NOTHING if text is None else text[:LONGEST_SHOWN]
    label = text_label("\u200b".join(_pieces(whole)), role, wrap=True, selectable=True)
    label.setToolTip(plain_tip(whole))
    label.setMinimumWidth(0)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.MinimumExpanding)
    return label


def _pieces(text: str) -> list[str]:
    """Where a line may end in what has no blanks, an address or a key; the cuts are seen by nobody."""
    return [text] if " " in text or not text else _BREAKS.findall(text)
