"""What is known of the chosen driver: phone, batch, vehicle, and what can be done now."""

from __future__ import annotations

import math

from PySide6.QtCore import Signal
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QWidget

from app.deliveries.whereabouts import Errand, PhoneFacts, Whereabouts
from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.map.atlas import PHONE_LIFT_PX, draw_phone
from widgets.map.card import MapCard, Note, joined
from widgets.map.driver_list import AVAILABLE
from widgets.map.drivers import MEANINGS, Drivers
from widgets.map.fleet import Fleet
from widgets.map.palette import palette_for
from widgets.map.states import LEVELS, VehicleState
from widgets.primitives import outline_button

ROWS = (
    ("batch", tr("Batch")),
    ("stop", tr("Next stop")),
    ("vehicle", tr("Vehicle")),
    ("availability", tr("Availability")),
    ("speed", tr("Speed")),
    ("age", tr("Position")),
    ("fixed", tr("Fixed at")),
    ("heard", tr("Last heard")),
    ("place", tr("Place")),
    ("accuracy", tr("Accuracy")),
    ("battery", tr("Battery")),
    ("phone", tr("Phone")),
    ("link", tr("Link")),
    ("source", tr("Source")),
)
BESIDE_M = 50.0  # two receivers in one cab differ by as much
LINKS = {
    "active": tr("active"),
    "suspended": tr("suspended"),
    "revoked": tr("revoked"),
    "pending": tr("pending"),
}


class DriverCard(MapCard):
    """``batch_wanted`` carries a batch's id, ``vehicle_wanted`` the key of a vehicle on the map."""

    batch_wanted = Signal(str)
    vehicle_wanted = Signal(str)

    def __init__(self, context: ConsoleContext, parent: QWidget | None = None) -> None:
        super().__init__(context, ROWS, parent)
        self._driver: Whereabouts | None = None
        self._state = VehicleState.UNKNOWN
        self._label = self._word = ""
        self._phone = PhoneFacts()
        self._is_tracked = False
        self._apart_m, self._is_far = math.nan, False
        self.batch = outline_button(context.theme, tr("Open batch"), "package", small=True)
        self.vehicle = outline_button(context.theme, tr("Vehicle"), "truck", small=True)
        self.add_button(self.batch)
        self.add_button(self.vehicle)
        self.batch.clicked.connect(self._on_batch_clicked)
        self.vehicle.clicked.connect(self._on_vehicle_clicked)

    @property
    def errand(self) -> Errand | None:
        return None if self._driver is None else self._driver.errand

    def show_driver(self, drivers: Drivers, row: int, fleet: Fleet, *, is_layer_on: bool) -> None:
        """Show a driver as they are now, beside the vehicle of the batch under way."""
        driver = drivers.now(row)
        if driver.key != self.key:
            self._phone = PhoneFacts()
        self.key, self._driver = driver.key, driver
        self._label, self._word = drivers.label(row), drivers.word(row)
        self._state = VehicleState(drivers.state[row])
        errand = driver.errand
        self._is_tracked = errand is not None and fleet.row_of(errand.vehicle_id) >= 0
        self._apart_m, self._is_far = float(drivers.apart_m[row]), bool(drivers.is_far[row])
        self.show_facts()
        self.set_notes(self._notes_on(driver, is_layer_on=is_layer_on))
        self.show()

    def show_phone(self, facts: PhoneFacts) -> None:
        """What came with the newest position."""
        self._phone = facts
        self.show_facts()

    def show_facts(self) -> None:
        driver, formats, phone = self._driver, self._context.formats, self._phone
        if driver is None:
            return
        palette = palette_for(self._context.theme.tokens["name"])

        def draw(painter: QPainter) -> None:
            painter.translate(0, -PHONE_LIFT_PX / 4)  # the pin and its disc are as high as the label
            draw_phone(painter, self._state, None, palette)

        self.marker.show_marker(self._word, draw)
        self.set_head(self._label, driver.phone, LEVELS[self._state], tr(MEANINGS[self._state]))
        errand = driver.errand
        self.set_fact("batch", self._batch_words(errand) if errand is not None else tr("none under way"))
        self.set_fact("stop", _stop_words(errand))
        self.set_fact("vehicle", self._vehicle_words(errand))
        self.set_fact("availability", AVAILABLE.get(driver.availability))
        then = tr("with that position") if self._state >= VehicleState.STALE else None
        speed = None if driver.speed_km_h is None or driver.fixed_ms is None else formats.speed(driver.speed_km_h)
        self.set_fact("speed", joined(speed, then if speed else None))
        self.set_fact("fixed", formats.time(driver.fixed_ms) if driver.fixed_ms is not None else None)
        is_placed = driver.lat is not None and driver.lon is not None
        self.set_fact("place", f"{driver.lat:.5f}, {driver.lon:.5f}" if is_placed else None)
        accuracy = phone.accuracy_m
        self.set_fact("accuracy", None if accuracy is None else f"± {formats.distance(accuracy / 1000)}")
        percent = None if phone.battery_percent is None else tr("{n} %", n=formats.number(phone.battery_percent))
        self.set_fact("battery", joined(percent, then if percent else None))
        self.set_fact("phone", joined(phone.name, phone.platform, phone.network))
        link = LINKS.get(driver.link, driver.link) or tr("no login")
        self.set_fact("link", joined(link, tr("signed in") if driver.is_signed_in else tr("not signed in")))
        self.set_fact("source", driver.source)
        self.follow.setEnabled(is_placed)
        self.track.setEnabled(driver.device_key is not None)
        self.track.setToolTip("" if driver.device_key is not None else tr("This driver's phone sent no track."))
        self.batch.setEnabled(errand is not None)
        self.vehicle.setEnabled(self._is_tracked)
        self.show_ages()

    def show_ages(self) -> None:
        driver, formats = self._driver, self._context.formats
        if driver is None:
            return
        unknown = tr("at an unknown time") if driver.lat is not None else None
        self.set_fact("age", formats.ago(driver.fixed_ms) if driver.fixed_ms is not None else unknown)
        self.set_fact("heard", formats.ago(driver.heard_ms) if driver.heard_ms is not None else None)
        word = self._word
        heard_ms = max(driver.heard_ms or 0, driver.fixed_ms or 0)
        if self._state is VehicleState.SILENT and heard_ms:
            word = tr("{word} since {time}, {age}", word=word, time=formats.clock(heard_ms), age=formats.ago(heard_ms))
        self.state_word.setText(word)

    def _batch_words(self, errand: Errand) -> str:
        stops = tr("{done} of {all} stops", done=errand.stops_done, all=errand.stops)
        more = tr("and {n} more under way", n=errand.others) if errand.others else None
        return joined(errand.name, stops, more) or ""

    def _vehicle_words(self, errand: Errand | None) -> str:
        if errand is None or not errand.plate:
            return tr("none")
        if not self._is_tracked:
            return tr("{plate}, without a tracker here", plate=errand.plate)
        if math.isnan(self._apart_m):
            return tr("{plate}, not both seen now", plate=errand.plate)
        if self._apart_m <= BESIDE_M:
            return tr("{plate}, beside it", plate=errand.plate)
        away = self._context.formats.distance(self._apart_m / 1000)
        return tr("{plate}, {distance} away", plate=errand.plate, distance=away)

    def _notes_on(self, driver: Whereabouts, *, is_layer_on: bool) -> list[Note]:
        notes: list[Note] = []
        if self._is_far and driver.errand is not None:
            away = self._context.formats.distance(self._apart_m / 1000)
            plate = driver.errand.plate
            sentence = tr(
                "The phone is {away} from {plate}, the vehicle of its batch. Ask the driver why.",
                away=away,
                plate=plate,
            )
            notes.append(("warn", sentence))
        if not driver.name:
            sentence = tr("{source} lists no such driver: a phone sent places in this name.", source=driver.source)
            notes.append(("warn", sentence))
        if driver.lat is not None and driver.fixed_ms is None:
            sentence = tr("{source} keeps no time with this place: it may be old.", source=driver.source)
            notes.append(("info", sentence))
        if not is_layer_on:
            notes.append(("info", tr("Drivers' phones are switched off on the map. Switch them on under Layers.")))
        return notes

    def _on_batch_clicked(self) -> None:
        if self.errand is not None:
            self.batch_wanted.emit(self.errand.batch_id)

    def _on_vehicle_clicked(self) -> None:
        if self.errand is not None:
            self.vehicle_wanted.emit(self.errand.vehicle_id)


def _stop_words(errand: Errand | None) -> str:
    if errand is None:
        return tr("none")
    return errand.next_stop or tr("none, every stop is done")
