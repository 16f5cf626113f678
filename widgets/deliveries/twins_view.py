"""Vehicles that two sources tell of: where they disagree, for how long, and the likely cause."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QVBoxLayout, QWidget
from sqlalchemy import Connection

from app.deliveries.times import distance_words
from app.deliveries.twin_list import TwinListing, list_twins
from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.data_table import DataTable, in_card
from widgets.primitives.tips import plain_tip
from widgets.rows_model import Column, RowsModel
from widgets.theme import Level


class TwinsView(QWidget):
    """A double click shows the vehicle on the map."""

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__()
        self._context = context
        model = RowsModel[TwinListing](_columns(context), key=lambda row: row.key)
        self.table = DataTable[TwinListing](context.theme, model, tr("Twin trackers"))
        model.setParent(self.table)
        self.table.remember_in(context.ui_state, "deliveries.twins")
        self.table.set_empty(
            "radar",
            tr("No disagreement"),
            tr("Where a vehicle is seen by two sources, such as its own tracker and a server, they are compared here."),
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(in_card(self.table), 1)
        self.table.activated.connect(lambda row: context.open_page("map", vehicle_id=row.vehicle_id))

    def read(self, connection: Connection) -> list[TwinListing]:
        """Runs off the UI thread."""
        return list_twins(connection)

    def show_rows(self, rows: Sequence[TwinListing]) -> None:
        self.table.model.apply(rows)

    def close_view(self) -> None:
        self._context.ui_state.unregister("deliveries.twins")


def _columns(context: ConsoleContext) -> list[Column[TwinListing]]:
    formats, now_ms = context.formats, context.services.clock.now_ms

    def state(row: TwinListing) -> tuple[Level, str]:
        return ("warn", tr("lasts")) if row.until_ms is None else ("neutral", tr("over"))

    def span(row: TwinListing) -> str:
        return formats.span(((row.until_ms or now_ms()) - row.since_ms) / 1000)

    return [
        Column("since", tr("Since"), lambda row: formats.clock(row.since_ms), lambda row: -row.since_ms, width=120,
               note=formats.zone_name),
        Column("vehicle", tr("Vehicle"), lambda row: row.plate, width=120),
        Column("state", tr("State"), lambda row: state(row)[1], badge=state, width=90),
        Column("span", tr("For"), span, lambda row: (row.until_ms or now_ms()) - row.since_ms, align="right", width=90),
        Column("worst", tr("Apart"), lambda row: distance_words(row.worst_m), lambda row: -row.worst_m, align="right",
               width=90),
        Column("sources", tr("Sources"), lambda row: f"{row.source} / {row.other_source}",
               tooltip=lambda row: plain_tip(f"{row.source} / {row.other_source}"), width=240),
        Column("why", tr("Explanation"), lambda row: row.explanation, tooltip=lambda row: plain_tip(row.explanation),
               width=380),
    ]  # fmt: skip
