"""The filters over the board and over the proofs. A choice of day, driver and vehicle holds for both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QWidget

from app.deliveries.batches import BatchFilter
from app.deliveries.proof_list import ProofFilter
from resources.i18n import tr
from widgets.deliveries import words
from widgets.primitives import FlowLayout, calm_wheel, labelled, offer

FIELD_HEIGHT_PX = 36
LIST_WIDTH_PX = 280
Choice = tuple[str, str]


class FilterBar(QWidget):
    """``changed`` when the operator chooses something else."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._for_proofs = False
        self.days = _box(tr("Day"), 190)
        self.integrations = _box(tr("Platform"), 160)
        self.drivers = _box(tr("Driver"), 170)
        self.vehicles = _box(tr("Vehicle"), 150)
        self.verdicts = _box(tr("Verdict"), 150)
        self.states = _box(tr("State of the proof"), 200)
        self.waiting = QCheckBox(tr("Not accepted yet"))
        self.waiting.setToolTip(tr("Only batches on which a change made here waits."))
        self.waiting_cell = QWidget()  # as high as the fields beside it, with the box in its middle
        self.waiting_cell.setFixedHeight(FIELD_HEIGHT_PX)
        cell = QHBoxLayout(self.waiting_cell)
        cell.setContentsMargins(4, 0, 0, 0)
        cell.addWidget(self.waiting)
        offer(self.days, list(words.DAYS.items()))
        offer(self.integrations, [("", tr("Every platform"))])
        offer(self.drivers, [("", tr("Every driver"))])
        offer(self.vehicles, [("", tr("Every vehicle"))])
        offer(self.verdicts, [("", tr("Any verdict")), *((key, word) for key, (_l, word) in words.VERDICTS.items())])
        offer(self.states, [("", tr("Any state")), *words.PROOF_STATES.items()])
        row = FlowLayout(self, gap=10)
        self._boxes = (self.days, self.integrations, self.drivers, self.vehicles, self.verdicts, self.states)
        for box in self._boxes:
            row.addWidget(box)
            box.currentIndexChanged.connect(self._on_changed)
        row.addWidget(self.waiting_cell)
        self.waiting.toggled.connect(self._on_changed)
        self.integrations.hide()
        self.show_for(proofs=False)

    def show_for(self, *, proofs: bool) -> None:
        """Offer what the list in front can be narrowed to."""
        self._for_proofs = proofs
        self.verdicts.setVisible(proofs)
        self.states.setVisible(proofs)
        self.waiting_cell.setVisible(not proofs)

    def show_choices(
        self, integrations: Sequence[Choice], drivers: Sequence[Choice], vehicles: Sequence[Choice]
    ) -> None:
        """What there is to choose from, as (id, name)."""
        self.integrations.setVisible(len(integrations) > 1)
        offer(self.integrations, [("", tr("Every platform")), *integrations])
        offer(self.drivers, [("", tr("Every driver")), *drivers])
        offer(self.vehicles, [("", tr("Every vehicle")), *vehicles])

    def batches(self, text: str, today: date, stage: str = "") -> BatchFilter:
        """What is asked for of the board."""
        from_day, until_day, keeps_open = words.days_of(str(self.days.currentData() or ""), today)
        return BatchFilter(
            words=tuple(text.split()),
            integration_id=self.integrations.currentData() or None,
            stages=(stage,) if stage else (),
            from_day=from_day,
            until_day=until_day,
            driver=str(self.drivers.currentData() or ""),
            vehicle=str(self.vehicles.currentData() or ""),
            is_waiting=self.waiting.isChecked() and not self._for_proofs,
            keeps_open=keeps_open,
        )

    def proofs(self, text: str, today: date) -> ProofFilter:
        """What is asked for of the proofs: the store looks for verdicts, so that few of many are found quickly."""
        verdict = str(self.verdicts.currentData() or "")
        batches = replace(self.batches(text, today), is_waiting=False)
        if verdict and verdict != "not_judged":
            batches = replace(batches, verdicts=(verdict,))
        return ProofFilter(batches, verdict, str(self.states.currentData() or ""))

    def clear(self) -> None:
        """Choose everything, without a word about it."""
        was_blocked = self.blockSignals(True)
        self.waiting.setChecked(False)
        for box in self._boxes:
            box.setCurrentIndex(0)
        self.days.setCurrentIndex(self.days.findData(words.EVERY))
        self.blockSignals(was_blocked)

    def _on_changed(self, *_value: object) -> None:
        self.changed.emit()


def _box(name: str, width: int) -> QComboBox:
    box = QComboBox()
    labelled(box, name)
    calm_wheel(box)
    box.setMinimumWidth(width)
    box.setMaximumWidth(width + 20)
    box.view().setMinimumWidth(LIST_WIDTH_PX)  # long names are read where they are chosen
    return box
