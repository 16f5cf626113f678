"""Adding what a receipt or a fuel card says was filled."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from PySide6.QtCore import QDate, QDateTime, QTime
from PySide6.QtWidgets import (
    QDateTimeEdit,
    QDialog,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from app.clock import from_ms, to_ms
from app.errors import OperatorError
from app.fuel.receipts import LARGEST_L, add_receipt
from resources.i18n import tr
from widgets import ask
from widgets.context import ConsoleContext
from widgets.primitives import calm_wheel, outline_button, primary_button, text_label

WIDTH_PX = 440


async def fuel_receipt(
    context: ConsoleContext, parent: QWidget, vehicle_id: str, plate: str, at_ms: int | None = None
) -> bool:
    """Ask for a receipt and save it; ``at_ms`` is the time to begin with. False when cancelled."""
    return await ask.run(ReceiptForm(context, parent, vehicle_id, plate, at_ms))


class ReceiptForm(QDialog):
    """Time in the zone that times are shown in, litres, reference."""

    def __init__(
        self, context: ConsoleContext, parent: QWidget, vehicle_id: str, plate: str, at_ms: int | None
    ) -> None:
        super().__init__(parent)
        self._context = context
        self._vehicle_id = vehicle_id
        theme, formats = context.theme, context.formats
        self.setWindowTitle(tr("Add a receipt"))
        self.setMinimumWidth(WIDTH_PX)
        start = from_ms(context.services.clock.now_ms() if at_ms is None else at_ms).astimezone(formats.zone)
        self.at = QDateTimeEdit(QDateTime(QDate(start.year, start.month, start.day), QTime(start.hour, start.minute)))
        self.at.setDateRange(QDate(2000, 1, 1), QDate.currentDate().addDays(1))
        self.at.setDisplayFormat("yyyy-MM-dd HH:mm")
        self.litres = QDoubleSpinBox()
        self.litres.setRange(0, LARGEST_L)
        self.litres.setDecimals(2)
        self.litres.setSuffix(" L")
        self.reference = QLineEdit()
        self.reference.setMaxLength(200)
        self.reference.setPlaceholderText(tr("Number of the receipt, card or station"))
        self.problem = text_label("", "error", wrap=True, selectable=True)
        self.problem.hide()
        self.save = primary_button(theme, tr("Add receipt"), "check")
        cancel = outline_button(theme, tr("Cancel"))
        column = QVBoxLayout(self)
        column.setContentsMargins(ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN)
        column.setSpacing(12)
        column.addWidget(text_label(tr("Add a receipt of {plate}", plate=plate), "heading", wrap=True))
        form = QFormLayout()
        form.setSpacing(10)
        form.setHorizontalSpacing(16)
        for label, field in (
            (tr("Time ({zone})", zone=formats.zone_name(start)), self.at), (tr("Litres"), self.litres),
            (tr("Reference"), self.reference),
        ):  # fmt: skip
            field.setAccessibleName(label)
            words = text_label(label)
            words.setMinimumHeight(field.sizeHint().height())  # a form sets its labels at the top of the row
            words.setBuddy(field)
            form.addRow(words, calm_wheel(field))
        column.addLayout(form)
        column.addWidget(self.problem)
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addStretch(1)
        row.addWidget(cancel)
        row.addWidget(self.save)
        column.addLayout(row)
        self.litres.valueChanged.connect(lambda value: self.save.setEnabled(value > 0))
        self.save.setEnabled(False)
        self.save.setDefault(True)
        self.save.clicked.connect(lambda: context.tasks.start(self._save(), name="receipt", owner=self))
        cancel.clicked.connect(self.reject)
        self.litres.setFocus()
        self.litres.selectAll()

    def at_ms(self) -> int:
        """Milliseconds since 1970 UTC of the time that was entered."""
        date, time = self.at.date(), self.at.time()
        zone = self._context.formats.zone
        return to_ms(datetime(date.year(), date.month(), date.day(), time.hour(), time.minute(), tzinfo=zone))

    async def _save(self) -> None:
        self.save.setEnabled(False)
        job = partial(
            add_receipt, vehicle=self._vehicle_id, at_ms=self.at_ms(), litres=self.litres.value(),
            reference=self.reference.text(),
        )  # fmt: skip
        try:
            await self._context.bridge.write(job)
        except OperatorError as err:
            self.problem.setText(err.why)
            self.problem.show()
            self.save.setEnabled(True)
            return
        self.accept()
