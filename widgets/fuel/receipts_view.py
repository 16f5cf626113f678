"""Receipts beside the refuels that the sensors found, and used litres beside what the norm expects."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.fuel.three_way import CheckedRefuel, CheckVerdict, ThreeWayCheck
from resources.i18n import tr, trn
from widgets.context import ConsoleContext
from widgets.data_table import DataTable, in_card
from widgets.formats import NOTHING, Formats
from widgets.fuel.tables import litres
from widgets.primitives import outline_button, text_label
from widgets.rows_model import Column, RowsModel
from widgets.theme import Level


class ReceiptsTable(DataTable[CheckedRefuel]):
    def __init__(self, context: ConsoleContext) -> None:
        model = RowsModel[CheckedRefuel](_columns(context.formats), key=lambda row: row.key)
        super().__init__(context.theme, model, tr("Receipts and refuels"))
        model.setParent(self)
        self.sort_by("when", descending=True)
        self.remember_in(context.ui_state, "fuel.receipts")
        self.set_empty(
            "scroll-text", tr("No receipt and no refuel in this span"),
            tr("Add what a receipt or a fuel card says; it is compared with what the sensor saw."),
        )  # fmt: skip


class ReceiptsView(QWidget):
    """``add_wanted`` carries the refuel without a receipt that is chosen, or None; ``remove_wanted`` a checked one."""

    add_wanted = Signal(object)
    remove_wanted = Signal(object)

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__()
        self._context = context
        self.table = ReceiptsTable(context)
        self.refuels = text_label("", "small", selectable=True)
        self.norm = text_label("", "small", selectable=True)
        self.add = outline_button(context.theme, tr("Add receipt…"), "plus", small=True)
        self.remove = outline_button(context.theme, tr("Remove"), "trash-2", small=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(in_card(self.table))
        self.table.selected.connect(lambda _rows: self._enable())
        self.add.clicked.connect(self._want_to_add)
        self.table.activated.connect(lambda row: None if row.receipts else self.add_wanted.emit(row))
        self.remove.clicked.connect(lambda: self.remove_wanted.emit(self._row()))
        self.show_nothing()

    def show_nothing(self) -> None:
        self.table.model.apply([])
        for label in (self.refuels, self.norm):
            label.setText("")
        self.add.setEnabled(False)
        self._enable()

    def show_check(self, check: ThreeWayCheck) -> None:
        formats = self._context.formats
        self.table.model.apply(check.refuels)
        self.add.setEnabled(True)
        self.refuels.setText(
            tr(
                "Receipts {receipts}, sensor {sensor}{share}", receipts=litres(check.receipts_l, formats),
                sensor=litres(check.sensor_l, formats), share=_share(check.receipts_l, check.sensor_l),
            )
        )  # fmt: skip
        self.norm.setText(_norm_words(check, formats))
        self.norm.setToolTip(_norm_tip(check, formats))
        self._enable()

    def _row(self) -> CheckedRefuel | None:
        rows = self.table.selected_rows()
        return rows[0] if len(rows) == 1 else None

    def _want_to_add(self) -> None:
        row = self._row()
        self.add_wanted.emit(None if row is None or row.receipts else row)

    def _enable(self) -> None:
        row = self._row()
        self.remove.setEnabled(row is not None and bool(row.receipts))


def verdict_word(row: CheckedRefuel) -> tuple[Level, str]:
    words: dict[CheckVerdict, tuple[Level, str]] = {
        "agrees": ("ok", tr("Agrees")),
        "differs": ("error", tr("Differs")),
        "at_least": ("info", tr("Sensor sees less")),
        "no_receipt": ("warn", tr("No receipt")),
        "no_refuel": ("error", tr("No refuel found")),
    }
    return words[row.verdict]


def verdict_tip(row: CheckedRefuel) -> str:
    """The pairing as a sentence."""
    words: dict[CheckVerdict, str] = {
        "agrees": tr("Receipt and sensor agree within the tolerance of the vehicle's parameters."),
        "differs": tr("The receipt tells {litres} L more than the tank took.", litres=f"{row.difference_l:,.1f}")
        if row.difference_l > 0
        else tr("The tank took {litres} L more than the receipt tells.", litres=f"{-row.difference_l:,.1f}"),
        "at_least": tr("The tank was filled into the part that its sensor does not see: the receipt may be right."),
        "no_receipt": tr("A refuel was found for which there is no receipt."),
        "no_refuel": tr("The receipt tells of a refuel that no sensor saw."),
    }
    return words[row.verdict]


def _norm_words(check: ThreeWayCheck, formats: Formats) -> str:
    totals = check.span.totals
    if totals.used_l is None:
        return tr("Used litres of these days are not known")
    used = litres(totals.used_l, formats)
    if totals.norm_l is None:
        return tr("Used {used}, norm not known", used=used)
    share = _share(totals.norm_l, totals.used_l)
    return tr("Used {used}, norm {norm}{share}", used=used, norm=litres(totals.norm_l, formats), share=share)


def _norm_tip(check: ThreeWayCheck, formats: Formats) -> str:
    totals = check.span.totals
    way, hours = formats.distance(totals.used_km), formats.number(totals.engine_h, 1)
    lines = [tr("{days}, {way}, {hours} engine hours", days=_days(totals.days), way=way, hours=hours)]
    if totals.unknown_days:
        lines.append(
            trn(
                "{count} day is left out: its use is not known",
                "{count} days are left out: their use is not known",
                totals.unknown_days,
            )
        )
    return "\n".join(lines)


def _days(count: int) -> str:
    return trn("{count} day", "{count} days", count)


def _share(expected: float, found: float) -> str:
    """How far what was found lies from what was expected, e.g. `` (−2.7 %)``."""
    if expected <= 0:
        return ""
    share = (found - expected) / expected * 100
    return f" ({share:+.1f} %)".replace("-", "−")


def _columns(formats: Formats) -> list[Column[CheckedRefuel]]:
    return [
        Column("when", tr("When"), lambda row: formats.clock(row.at_ms), lambda row: row.at_ms, width=112,
               note=formats.zone_name, tooltip=lambda row: formats.time(row.at_ms),
               export=lambda row: formats.time(row.at_ms)),
        Column("verdict", tr("Check"), lambda row: verdict_word(row)[1], badge=verdict_word, width=140,
               tooltip=verdict_tip),
        Column("receipt", tr("Receipt"), lambda row: litres(row.receipt_l, formats, 1), lambda row: row.receipt_l,
               align="right", width=92),
        Column("sensor", tr("Sensor"), lambda row: litres(row.sensor_l, formats, 1), lambda row: row.sensor_l,
               align="right", width=92),
        Column("difference", tr("Difference"), _difference, lambda row: row.difference_l, align="right", width=96,
               tooltip=verdict_tip),
        Column("reference", tr("Reference"), lambda row: row.reference or NOTHING, width=150),
    ]  # fmt: skip


def _difference(row: CheckedRefuel) -> str:
    if row.receipt_l is None or row.sensor_l is None:
        return NOTHING
    if abs(row.difference_l) < 0.05:
        return "0.0 L"
    return f"{row.difference_l:+,.1f} L".replace("-", "−")
