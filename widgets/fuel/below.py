"""What stands below the chart: the events with the chosen one beside them, or the receipts."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.data_table import in_card
from widgets.fuel.event_panel import EventPanel
from widgets.fuel.receipts_view import ReceiptsView
from widgets.fuel.tables import EventTable, Reader
from widgets.primitives import SegmentedTabs

EVENTS, RECEIPTS = "events", "receipts"


class Below(QWidget):
    """``turned`` carries which of the two is in front."""

    turned = Signal(str)

    def __init__(self, context: ConsoleContext, reader: Reader) -> None:
        super().__init__()
        self.tabs = SegmentedTabs([(EVENTS, tr("Events")), (RECEIPTS, tr("Receipts"))])
        self.tabs.setAccessibleName(tr("Events or receipts"))
        self.events = EventTable(context, reader)
        self.panel = EventPanel(context)
        self.receipts = ReceiptsView(context)
        self._of_receipts = QWidget()
        self._stack = QStackedWidget()
        self._lay_out()
        self.tabs.chosen.connect(self._turn)
        self.panel.hide()
        self._turn(EVENTS)

    @property
    def shows_receipts(self) -> bool:
        return self.tabs.value == RECEIPTS

    def _lay_out(self) -> None:
        events = QWidget()
        row = QHBoxLayout(events)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        row.addWidget(in_card(self.events), 1)
        row.addWidget(self.panel)
        self._stack.addWidget(events)
        self._stack.addWidget(self.receipts)
        head = QHBoxLayout()
        head.setSpacing(12)
        head.addWidget(self.tabs)
        of_receipts = QHBoxLayout(self._of_receipts)
        of_receipts.setContentsMargins(0, 0, 0, 0)
        of_receipts.setSpacing(8)
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(self.receipts.refuels)
        words.addWidget(self.receipts.norm)
        of_receipts.addLayout(words, 1)
        of_receipts.addWidget(self.receipts.add, 0, Qt.AlignmentFlag.AlignVCenter)
        of_receipts.addWidget(self.receipts.remove, 0, Qt.AlignmentFlag.AlignVCenter)
        head.addWidget(self._of_receipts, 1)
        head.addStretch(0)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(head)
        column.addWidget(self._stack, 1)

    def _turn(self, which: str) -> None:
        self._stack.setCurrentIndex(int(which == RECEIPTS))
        self._of_receipts.setVisible(which == RECEIPTS)
        self.turned.emit(which)
