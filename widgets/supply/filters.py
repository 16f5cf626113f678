"""The filters over the supply page. A choice holds for every list that knows it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QWidget

from app.supply.filters import Horizon, Place, StockClass, SupplyFilter
from app.supply.queries import Choice, Choices
from resources.i18n import tr
from widgets.primitives import FlowLayout, calm_wheel, labelled, offer
from widgets.supply.words import REQUISITION_STAGES, SHIPMENT_STAGES, STOCK_CLASSES

ITEMS, STOCK, REQUISITIONS, SHIPMENTS = "items", "stock", "requisitions", "shipments"
FIELD_HEIGHT_PX = 36
SPARE_PX = 20
"""Beyond its least width: five fields stand on one line of the smallest window."""
LIST_WIDTH_PX = 280


class FilterBar(QWidget):
    """``changed`` when the operator chooses something else."""

    changed = Signal()

    def __init__(self, horizon: Horizon) -> None:
        super().__init__()
        self._tab = ITEMS
        self.integrations = _box(tr("Integration"), 170)
        self.facilities = _box(tr("Facility"), 180)
        self.programs = _box(tr("Programme"), 170)
        self.classes = _box(tr("Stock"), 160)
        self.expiries = _box(tr("Expiry"), 180)
        self.requisition_stages = _box(tr("Stage"), 150)
        self.shipment_stages = _box(tr("Stage"), 150)
        self.waiting = QCheckBox(tr("Waits to be sent"))
        self.waiting.setToolTip(tr("Only papers on which a change made here waits."))
        self.waiting_cell = QWidget()  # as high as the fields beside it, with the box in its middle
        self.waiting_cell.setFixedHeight(FIELD_HEIGHT_PX)
        cell = QHBoxLayout(self.waiting_cell)
        cell.setContentsMargins(4, 0, 0, 0)
        cell.addWidget(self.waiting)
        offer(self.integrations, [("", tr("Every integration"))])
        offer(self.facilities, [("", tr("Every facility"))])
        offer(self.programs, [("", tr("Every programme"))])
        offer(self.classes, [("", tr("Any stock")), *((one.value, STOCK_CLASSES[one][1]) for one in StockClass)])
        soon = tr("Expires within {n} days", n=horizon.days)
        offer(self.expiries, [("", tr("Any expiry")), ("expired", tr("Expired")), ("soon", soon)])
        for box, stages in ((self.requisition_stages, REQUISITION_STAGES), (self.shipment_stages, SHIPMENT_STAGES)):
            offer(box, [("", tr("Any stage")), *((key, word) for key, (_level, word) in stages.items())])
        self.row = FlowLayout(self, gap=10)
        self._boxes = (
            self.integrations, self.facilities, self.programs, self.classes, self.expiries, self.requisition_stages,
            self.shipment_stages,
        )  # fmt: skip
        for box in self._boxes:
            self.row.addWidget(box)
            box.currentIndexChanged.connect(self._on_changed)
        self.row.addWidget(self.waiting_cell)
        self.waiting.toggled.connect(self._on_changed)
        self.integrations.hide()
        self.show_tab(ITEMS)

    def show_tab(self, tab: str) -> None:
        """Offer what this list can be narrowed to."""
        self._tab = tab
        self.classes.setVisible(tab == ITEMS)
        self.expiries.setVisible(tab in (ITEMS, STOCK))
        self.requisition_stages.setVisible(tab == REQUISITIONS)
        self.shipment_stages.setVisible(tab == SHIPMENTS)
        self.waiting_cell.setVisible(tab in (REQUISITIONS, SHIPMENTS))

    def show_choices(self, choices: Choices) -> None:
        many = choices.sources > 1
        self.integrations.setVisible(many)
        offer(self.integrations, [("", tr("Every integration")), *choices.integrations])
        offer(self.facilities, [("", tr("Every facility")), *_places(choices.facilities, many)])
        offer(self.programs, [("", tr("Every programme")), *_places(choices.programs, many)])

    def wanted(self, text: str) -> SupplyFilter:
        """Everything that is chosen and concerns the list in front, together with the text of the search."""
        tab, stages = self._tab, ""
        if tab in (REQUISITIONS, SHIPMENTS):
            box = self.requisition_stages if tab == REQUISITIONS else self.shipment_stages
            stages = str(box.currentData() or "")
        chosen_class = self.classes.currentData() if tab == ITEMS else ""
        return SupplyFilter(
            words=tuple(text.split()),
            integration_id=self.integrations.currentData() or None,
            facility=self.facilities.currentData() or None,
            program=self.programs.currentData() or None,
            stage=stages,
            stock_class=StockClass(chosen_class) if chosen_class else None,
            expiry=str(self.expiries.currentData() or "") if tab in (ITEMS, STOCK) else "",
            is_waiting=self.waiting.isChecked() and tab in (REQUISITIONS, SHIPMENTS),
        )

    def clear(self) -> None:
        """Choose everything, without a word about it."""
        was_blocked = self.blockSignals(True)
        self.waiting.setChecked(False)
        for box in self._boxes:
            box.setCurrentIndex(0)
        self.blockSignals(was_blocked)

    def _on_changed(self, *_value: object) -> None:
        self.changed.emit()


def _places(choices: Sequence[Choice], many: bool) -> list[tuple[Place, str]]:
    """With the integration's name where there are several: two systems may know a store of one name."""
    return [(one.place, f"{one.name} ({one.source})" if many else one.name) for one in choices]


def _box(name: str, width: int) -> QComboBox:
    box = QComboBox()
    labelled(box, name)
    calm_wheel(box)
    box.setMinimumWidth(width)
    box.setMaximumWidth(width + SPARE_PX)
    box.view().setMinimumWidth(LIST_WIDTH_PX)  # long names are read where they are chosen
    return box
