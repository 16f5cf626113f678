"""The list of drivers beside the map: who is where since when, and what they are driving."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QPainter

from app.clock import from_ms
from resources.i18n import tr, trn
from widgets.context import ConsoleContext
from widgets.map.atlas import draw_phone
from widgets.map.drivers import Drivers
from widgets.map.keyed_list import KeyedList, KeyedRows, Mark
from widgets.map.list_rows import Lines
from widgets.map.palette import MapPalette, palette_for
from widgets.map.states import LEVELS, VehicleState
from widgets.primitives import EmptyState

AVAILABLE = {"available": tr("available"), "unavailable": tr("not available"), "away": tr("away today")}
PIN_UP_PX = 7
"""The disc and its pin together stand in the middle of the row."""


class DriverModel(KeyedRows):
    """Rows of :class:`Drivers`."""

    def __init__(self, drivers: Drivers) -> None:
        super().__init__()
        self.drivers = drivers
        self._text = ""

    def search(self, text: str) -> None:
        self._text = text.strip().casefold()
        self.arrange()

    def arranged(self) -> NDArray[np.int64]:
        drivers = self.drivers
        rows = np.flatnonzero(drivers.matches(self._text)) if self._text else np.arange(len(drivers))
        return drivers.in_order(rows)

    def key_of(self, row: int) -> str:
        return self.drivers.key_at(row)

    def told(self, row: int) -> str:
        return f"{self.drivers.label(row)}, {self.drivers.word(row)}"


def notes_of(drivers: Drivers, row: int, context: ConsoleContext) -> str:
    """What a driver is doing: far from the vehicle, else the batch under way, else whether there is time for one."""
    whereabouts = drivers.now(row)
    if drivers.is_far[row]:
        return tr("{distance} from vehicle", distance=context.formats.distance(float(drivers.apart_m[row]) / 1000))
    if whereabouts.errand is not None:
        return whereabouts.errand.name
    return AVAILABLE.get(whereabouts.availability, "")


class DriverList(KeyedList[DriverModel]):
    """Name and age, state and what the driver is doing, with the pin that stands on the map."""

    def __init__(self, context: ConsoleContext, drivers: Drivers) -> None:
        nothing = EmptyState(context.theme, "search", tr("No driver matches"), tr("Change the search."))
        super().__init__(context, DriverModel(drivers), tr("Drivers"), nothing)

    def show_drivers(self) -> None:
        """They changed: arrange anew, count anew."""
        self.model.arrange()
        self.show_summary()

    def search(self, text: str) -> None:
        self.quietly(partial(self.model.search, text))

    def tip(self, row: int) -> str:
        """What the map says of a driver under the mouse."""
        drivers, formats = self.model.drivers, self._context.formats
        fixed_at_ms = int(drivers.fixed_at_ms[row])
        word = drivers.word(row)
        aged = f"{word}, {formats.ago(fixed_at_ms)}" if fixed_at_ms > 0 else word
        return "\n".join(part for part in (drivers.label(row), aged, notes_of(drivers, row, self._context)) if part)

    def describe(self, row: int) -> tuple[Mark, Lines]:
        drivers = self.model.drivers
        state, fixed_at_ms = VehicleState(drivers.state[row]), int(drivers.fixed_at_ms[row])
        age = self._context.formats.ago(from_ms(fixed_at_ms)) if fixed_at_ms > 0 else ""
        notes = notes_of(drivers, row, self._context)
        mark = partial(_draw_pin, state=state, palette=palette_for(self._context.theme.tokens["name"]))
        return mark, Lines(drivers.label(row), age, drivers.word(row), LEVELS[state], notes)

    def total(self) -> tuple[int, str, int]:
        count = len(self.model.drivers)
        return (
            count,
            trn("{count} driver", "{count} drivers", count),
            int(self.model.drivers.fixed_at_ms.max(initial=0)),
        )


def _draw_pin(painter: QPainter, state: VehicleState, palette: MapPalette) -> None:
    painter.translate(0, -PIN_UP_PX)
    draw_phone(painter, state, None, palette)
