"""A store in which one shipment travels: order, batch, drive with a tracker, a theft on the way, a proof."""

from __future__ import annotations

from adapters.records import FuelReading, Position
from app.alarms.fence_shapes import read_shapes
from app.clock import from_ms
from app.deliveries.departure_look import look_before_departure
from app.deliveries.departures import keep_check
from app.deliveries.joins import look
from app.deliveries.verdicts import compute_verdicts, store_verdicts
from app.fuel.calibrations import add_calibration
from app.fuel.tanks import add_tank, bind_sensor, list_sensors
from app.fuel.worker import AGAIN_S, FuelWorker
from app.store.store import Store
from app.store.tables import DeliveryBatchRow, ShipmentRow
from app.supply.filters import Place
from tests.helpers.dispatch import (
    CLINIC,
    DEPOT,
    HOUR_MS,
    MINUTE_MS,
    OTHER_CLINIC,
    Depot,
    a_batch,
    a_paper,
    a_place,
    a_stop,
    an_event,
)
from tests.helpers.fleet import IMEI, T0_MS, a_position
from tests.helpers.supply import a_requisition, a_shipment, a_shipment_line

DELIVERED_MS = T0_MS + 90 * MINUTE_MS
ENDED_MS = T0_MS + 3 * HOUR_MS
NOW_MS = T0_MS + 30 * HOUR_MS
STOLEN_L = 45.0


def a_fix(
    minute: float, one: tuple[float, float], other: tuple[float, float], share: float, *, speed_km_h: float
) -> Position:
    """A fix of the tracker between two places, a minute after the start."""
    lat, lon = (a + (b - a) * share for a, b in zip(one, other, strict=True))
    return a_position(IMEI, T0_MS + round(minute * MINUTE_MS), lat=lat, lon=lon, speed_km_h=speed_km_h)


class Travelled:
    """``shipment_id`` and ``batch_id`` are ids of rows; the shipment was delivered and is not received yet."""

    def __init__(self, store: Store) -> None:
        self.depot = depot = Depot(store)
        stops = (
            a_stop("clinic-1", 1, stage="delivered", arrived_ms=DELIVERED_MS - 5 * MINUTE_MS, left_ms=DELIVERED_MS),
            a_stop("clinic-2", 2, stage="failed", arrived_ms=DELIVERED_MS + 60 * MINUTE_MS, delay_reason="Closed"),
        )
        depot.usual()
        depot.arrive(a_batch("batch-1", *stops, stage="completed", ended_ms=ENDED_MS, warehouse="depot"))
        depot.arrive(
            a_place("c-1", CLINIC, name="Clinic One"),
            a_requisition("req-1", sent_ms=T0_MS - 26 * HOUR_MS),
            a_shipment(
                "ship-1", a_shipment_line(), stage="shipped", shipped_ms=T0_MS - HOUR_MS, receiver="c-1",
                requisition="req-1",
            ),
            feed=depot.supply,
        )  # fmt: skip
        told = {"items": [{"name": "Amoxicillin", "expected_quantity": 300, "delivered_quantity": 280}]}
        depot.arrive(a_paper(), an_event(at_ms=DELIVERED_MS, recipient="Ade Musa", told=told))
        self.vehicle_id = depot.vehicle()
        self._drive()
        self._fuel()
        self.shipment_id = depot.id_of(ShipmentRow, "ship-1")
        self.batch_id = depot.id_of(DeliveryBatchRow, "batch-1")
        self.settle()

    def _drive(self) -> None:
        """To the first clinic in an hour, half an hour there, on to the second one, and back."""
        legs = ((0, DEPOT, 60, CLINIC), (90, CLINIC, 130, OTHER_CLINIC), (140, OTHER_CLINIC, 180, DEPOT))
        fixes = [a_fix(minute, CLINIC, CLINIC, 0.0, speed_km_h=0.0) for minute in range(61, 90, 3)]
        for start, one, end, other in legs:
            way = range(start, end, 2)
            fixes += [a_fix(minute, one, other, (minute - start) / (end - start), speed_km_h=45.0) for minute in way]
        fixes.sort(key=lambda fix: fix.fixed_at_ms or 0)
        self.depot.arrive(*fixes, feed=self.depot.trackers, now_ms=ENDED_MS + 1_000)

    def _fuel(self) -> None:
        """A sensor that tells litres each half minute; fuel is taken while the vehicle stands at the first clinic."""
        depot = self.depot
        feed = depot.feed("fuel-1", "fuel_monitoring")
        levels = []
        for half in range(-120, 480):
            at_ms = T0_MS + half * MINUTE_MS // 2
            driven = min(max(half, 0), 360) / 2 * 0.05
            taken = STOLEN_L * min(max((half - 136) / 16, 0.0), 1.0)
            levels.append(FuelReading("level-1", at_ms, at_ms + 500, 160.0 - driven - taken))
        depot.arrive(*levels, feed=feed, now_ms=levels[-1].received_at_ms)
        tank_id = depot.write(lambda connection: add_tank(connection, self.vehicle_id, name="Main", capacity_l=200))
        sensor_id = next(one.id for one in depot.ask(list_sensors) if one.unique_id == "level-1")
        rows = [(0, 0), (200, 200)]
        start_ms = T0_MS - 48 * HOUR_MS
        depot.write(lambda connection: bind_sensor(connection, sensor_id, tank_id))
        depot.write(lambda connection: add_calibration(connection, tank_id, sensor_id, rows, valid_from_ms=start_ms))
        worker = FuelWorker()
        for _step in range(50):
            if worker.step(depot.store, NOW_MS) == AGAIN_S:
                return
        raise AssertionError("the analysis of fuel does not come to an end")

    def settle(self, now_ms: int = NOW_MS) -> None:
        """What the engine's followers would do."""
        depot = self.depot
        depot.write(lambda connection: look(connection, [self.shipment_id], from_ms(now_ms)))
        with depot.store.read() as connection:
            found = compute_verdicts(connection, [Place("mod4-1", "batch-1")], read_shapes(connection), now_ms)
        depot.write(lambda connection: store_verdicts(connection, found, from_ms(now_ms)))

    def check(self, at_ms: int = T0_MS - 10 * MINUTE_MS) -> None:
        """Somebody looked before it left."""
        findings = self.depot.ask(look_before_departure, self.batch_id, at_ms)
        self.depot.write(lambda connection: keep_check(connection, self.batch_id, findings, now=from_ms(at_ms)))
