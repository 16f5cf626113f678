"""What stands beside the map: one search over vehicles and drivers, and the list of either."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QSizePolicy, QStackedWidget, QVBoxLayout, QWidget

from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.map.driver_list import DriverList
from widgets.map.drivers import Drivers
from widgets.map.fleet import Fleet
from widgets.map.vehicle_list import VehicleList
from widgets.primitives import SearchField, SegmentedTabs, text_label

WIDTH_PX = 276
VEHICLES, DRIVERS = "vehicles", "drivers"


class SideList(QWidget):
    """``picked`` carries the key of a vehicle or a driver. Without drivers there is nothing to choose between."""

    picked = Signal(str)

    def __init__(self, context: ConsoleContext, fleet: Fleet, drivers: Drivers) -> None:
        super().__init__()
        self.setProperty("surface", "card")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedWidth(WIDTH_PX)
        self._drivers = drivers
        self.search = SearchField(context.theme, tr("Plate, name or IMEI…"))
        self.tabs = SegmentedTabs([(VEHICLES, tr("Vehicles")), (DRIVERS, tr("Drivers"))])
        self.vehicles = VehicleList(context, fleet)
        self.drivers = DriverList(context, drivers)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.vehicles)
        self._stack.addWidget(self.drivers)
        self._lay_out()
        self.search.searched.connect(self._on_searched)
        self.tabs.chosen.connect(self._on_tab)
        self.vehicles.picked.connect(self.picked)
        self.drivers.picked.connect(self.picked)
        self.show_drivers()

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 14, 0, 0)
        column.setSpacing(0)
        heading = text_label(tr("Live map"), "title")
        heading.setContentsMargins(14, 0, 14, 0)
        column.addWidget(heading)
        head = QVBoxLayout()
        head.setContentsMargins(12, 12, 12, 8)
        head.setSpacing(8)
        head.addWidget(self.search)
        self.tabs.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        head.addWidget(self.tabs)
        column.addLayout(head)
        column.addWidget(self._stack, 1)

    def show_fleet(self) -> None:
        """The fleet changed."""
        self.vehicles.show_fleet()
        self._count()

    def show_drivers(self) -> None:
        """The drivers changed."""
        has_drivers = len(self._drivers) > 0
        self.tabs.setVisible(has_drivers)
        if not has_drivers:
            self.tabs.choose(VEHICLES)
        self.drivers.show_drivers()
        self._count()

    def select(self, key: str, *, scroll: bool = True) -> None:
        """Show a vehicle or a driver as chosen; "" chooses nothing. What is chosen elsewhere brings its list up."""
        self.vehicles.select(key, scroll=scroll)
        self.drivers.select(key, scroll=scroll)
        if scroll and key:
            self.tabs.choose(DRIVERS if self._drivers.row_of(key) >= 0 else VEHICLES)

    @property
    def is_pointed_at(self) -> bool:
        """Whether the mouse is over a list, whose rows then stay where they are."""
        return self.vehicles.view.underMouse() or self.drivers.view.underMouse()

    def redraw(self) -> None:
        """What rows say changed, not which there are."""
        self.vehicles.view.viewport().update()
        self.drivers.view.viewport().update()

    def close_list(self) -> None:
        self.vehicles.close_list()
        self.drivers.close_list()

    def _count(self) -> None:
        for key, label, list_ in (
            (VEHICLES, tr("Vehicles"), self.vehicles),
            (DRIVERS, tr("Drivers"), self.drivers),
        ):
            self.tabs.set_label(key, f"{label}  {list_.model.rowCount():,}")

    def _on_searched(self, text: str) -> None:
        self.vehicles.search(text)
        self.drivers.search(text)
        self._count()
        vehicles, drivers = self.vehicles.model.rowCount(), self.drivers.model.rowCount()
        if bool(vehicles) != bool(drivers):  # what is found in one list only brings that one up
            self.tabs.choose(DRIVERS if drivers else VEHICLES)

    def _on_tab(self, key: str) -> None:
        self._stack.setCurrentWidget(self.drivers if key == DRIVERS else self.vehicles)
