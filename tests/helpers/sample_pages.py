"""Two pages with a bit of everything, to test and to look at the window without any integration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from PySide6.QtWidgets import QHBoxLayout, QWidget
from sqlalchemy import Connection, select

from app.store.tables import Vehicle
from widgets.context import ConsoleContext
from widgets.data_table import DataTable, in_card
from widgets.page import Page, PageHeader
from widgets.primitives import (
    Badge,
    Card,
    CardGrid,
    FlowLayout,
    IconTile,
    SearchField,
    SegmentedTabs,
    StatCard,
    StatusPill,
    outline_button,
    paragraph,
    primary_button,
    text_label,
)
from widgets.rows_model import Column, RowsModel
from widgets.theme import Level
from widgets.window import PageSpec

STATES: tuple[tuple[Level, str], ...] = (
    ("ok", "Online"),
    ("warn", "Stale"),
    ("error", "Silent"),
    ("neutral", "Unknown"),
    ("info", "Starting"),
)


@dataclass(frozen=True)
class Truck:
    plate: str
    name: str


def read_trucks(connection: Connection) -> list[Truck]:
    return [Truck(*row) for row in connection.execute(select(Vehicle.plate, Vehicle.name).order_by(Vehicle.plate))]


def truck_columns() -> tuple[Column[Truck], ...]:
    return (
        Column("plate", "Plate", lambda truck: truck.plate),
        Column("state", "State", lambda truck: _state(truck)[1], badge=_state),
        Column("name", "Name", lambda truck: truck.name, width=220),
        Column(
            "length",
            "Length",
            lambda truck: f"{len(truck.name)} letters",
            sort=lambda truck: len(truck.name),
            align="right",
        ),
    )


def _state(truck: Truck) -> tuple[Level, str]:
    return STATES[sum(truck.plate.encode()) % len(STATES)]


class CardsPage(Page):
    key = "integrations"
    title = "Integrations"
    icon = "plug"

    def __init__(self, context: ConsoleContext, parent: QWidget | None = None) -> None:
        super().__init__(context, parent)
        theme = context.theme
        column = self.scroll_column()
        refresh, add = outline_button(theme, "Refresh", "refresh-cw"), primary_button(theme, "Add integration", "plus")
        column.addWidget(PageHeader("Integrations", "Connect outside systems to this depot", [refresh, add]))
        statistics = QWidget()
        grid = CardGrid(statistics, min_width=210, is_balanced=True)
        for label, icon, tint, value, note in (
            ("Active Integrations", "activity", "primary", "2", "1 healthy · 1 stale"),
            ("Healthy", "circle-check", "ok", "1", "fresh data"),
            ("Need attention", "triangle-alert", "warn", "1", "sign in again"),
            ("Trackers reporting", "satellite-dish", "info", "482 / 500", "18 silent > 10 min"),
        ):
            card = StatCard(theme, label, icon, tint)
            card.set_value(value, note)
            grid.addWidget(card)
        column.addWidget(statistics)
        row = QHBoxLayout()
        row.addWidget(SearchField(theme, "Search integrations…"))
        row.addWidget(SegmentedTabs([("all", "All"), ("supply", "Supply Chain"), ("fleet", "Fleet Management")]))
        row.addStretch(1)
        column.addLayout(row)
        cards = QWidget()
        shelf = CardGrid(cards)
        for number in range(6):
            shelf.addWidget(self._card(number))
        column.addWidget(cards)

    def _card(self, number: int) -> Card:
        theme = self.context.theme
        card = Card()
        top = QHBoxLayout()
        top.addWidget(IconTile(theme, "package"))
        top.addWidget(text_label(f"System {number}", "card-title"), 1)
        top.addWidget(StatusPill(theme, *STATES[number % len(STATES)]))
        card.body.addLayout(top)
        card.body.addWidget(paragraph("Stock, requisitions and shipments of a national supply system."))
        chips = QWidget()
        flow = FlowLayout(chips)
        for word in ("Stock levels", "Requisitions", "Shipments", "+1 more"):
            flow.addWidget(Badge(word))
        card.body.addWidget(chips)
        card.body.addStretch(1)
        card.body.addWidget(primary_button(theme, "Configure", "settings"))
        return card


class TrucksPage(Page):
    key = "trackers"
    title = "Trackers"
    icon = "satellite-dish"
    topics = frozenset({"vehicles"})

    def __init__(self, context: ConsoleContext, parent: QWidget | None = None) -> None:
        super().__init__(context, parent)
        self.items: list[dict[str, Any]] = []
        self.seen_topics: list[frozenset[str]] = []
        self.model = RowsModel(truck_columns(), key=lambda truck: truck.plate)
        self.trucks = DataTable(context.theme, self.model, "Trackers", multiple=True)
        self.trucks.set_empty("satellite-dish", "No trackers yet", "Add a GT02 listener; unknown trackers wait here.")
        self.search = SearchField(context.theme, "Search trackers…")
        self.search.searched.connect(self.model.set_filter)
        column = self.column()
        column.addWidget(PageHeader("Trackers", "Known and waiting devices"))
        column.addWidget(self.search)
        column.addWidget(in_card(self.trucks), 1)

    async def refresh(self, topics: frozenset[str]) -> None:
        self.seen_topics.append(topics)
        self.model.apply(await self.context.bridge.read(read_trucks))

    def show_item(self, **arguments: Any) -> None:
        self.items.append(arguments)

    def table(self) -> DataTable[Any]:
        return self.trucks


SAMPLE_PAGES = (
    PageSpec("trackers", "Trackers", "satellite-dish", lambda: TrucksPage),
    PageSpec("integrations", "Integrations", "plug", lambda: CardsPage),
)
