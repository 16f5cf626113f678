"""A depot's morning: batches in every state, with stops, papers, runs and proofs, one of them doubtful."""

from __future__ import annotations

from datetime import timedelta

from adapters.dispatch import DispatchRun
from app.clock import from_ms
from app.deliveries.verdicts import compute_verdicts, store_verdicts
from app.supply.filters import Place
from tests.helpers.dispatch import (
    CLINIC,
    MINUTE_MS,
    OTHER_CLINIC,
    Depot,
    a_batch,
    a_driver,
    a_fleet_vehicle,
    a_link,
    a_paper,
    a_phone,
    a_place,
    a_session,
    a_stop,
    an_event,
)


def fill_depot(depot: Depot, now_ms: int) -> None:
    """Batches in every state around ``now_ms``, with stops, papers, runs and proofs, one of them doubtful."""
    today = from_ms(now_ms).date()
    day, tomorrow = today.isoformat(), (today + timedelta(days=1)).isoformat()
    hour = 60 * MINUTE_MS
    depot.usual(
        a_stop("clinic-1", 1, stage="delivered", arrived_ms=now_ms - hour, left_ms=now_ms - 50 * MINUTE_MS),
        a_stop("clinic-2", 2, planned_arrival_ms=now_ms - 20 * MINUTE_MS),
    )
    going = {"scheduled_on": day, "started_ms": now_ms - 2 * hour}
    depot.arrive(
        a_phone(seen_ms=now_ms - 3 * MINUTE_MS),
        a_session(active_ms=now_ms - 3 * MINUTE_MS),
        a_driver("drv-2", name="Hauwa Garba", licence_expires_on=day),
        a_driver("drv-3", name="Emeka Obi", is_available=False, licence_expires_on="2020-01-01"),
        a_link("link-2", user="user-2", driver="drv-2", email="hauwa@example.org", name="Hauwa Garba"),
        a_fleet_vehicle("veh-2", plate="ABJ 214 KT", model="Hiace"),
        a_place("clinic-3", (9.05, 7.48)),
        a_batch(
            "batch-1",
            a_stop("clinic-1", 1, stage="delivered", arrived_ms=now_ms - hour, left_ms=now_ms - 50 * MINUTE_MS),
            a_stop("clinic-2", 2, planned_arrival_ms=now_ms - 20 * MINUTE_MS),
            a_stop("clinic-3", 3, planned_arrival_ms=now_ms + 2 * hour),
            name="Bwari north", total_units=4_200.0, medication="Malaria, essential", distance_km=96.0, **going,
        ),
        a_batch(
            "batch-2", a_stop("clinic-1", 1), a_stop("clinic-3", 2), name="Kubwa morning", status="assigned",
            stage="assigned", started_ms=None, scheduled_on=day,
        ),
        a_batch(
            "batch-3", a_stop("clinic-2", 1), name="Karu", status="planned", stage="planned", driver="", vehicle="",
            started_ms=None, scheduled_on=tomorrow,
        ),
        a_batch(
            "batch-4", a_stop("clinic-1", 1, stage="delivered"), a_stop("clinic-2", 2, stage="failed"),
            name="Nyanya", status="completed", stage="completed", scheduled_on=day, started_ms=now_ms - 8 * hour,
            ended_ms=now_ms - 3 * hour,
        ),
        a_batch(
            "batch-5", a_stop("clinic-3", 1), name="Zuba", status="cancelled", stage="cancelled", driver="",
            vehicle="", started_ms=None, scheduled_on=day,
        ),
        a_paper(), a_paper("paper-2", number="78", facility="clinic-2"),
        a_paper("paper-3", batch="batch-2", number="91", facility="clinic-1"),
        DispatchRun("run-1", "batch-1", "in_transit", "in_transit", driver="drv-1", vehicle="veh-1",
                    dispatched_ms=now_ms - 130 * MINUTE_MS, departed_ms=now_ms - 2 * hour),
        DispatchRun("run-2", "batch-2", "pending", "pending", driver="drv-1", vehicle="veh-1"),
        an_event(
            "mod4_events:1", at_ms=now_ms - 55 * MINUTE_MS, recipient="Ade Yusuf",
            told={"recipient_role": "Nurse in charge", "items": [
                {"name": "Co-trimoxazole 480 mg", "expected_quantity": 600, "delivered_quantity": 600, "unit": "tab"},
                {"name": "Oral rehydration salts", "expected_quantity": 200, "delivered_quantity": 180, "unit": "pc"},
            ], "discrepancy_reason": "damaged_in_transit"},
        ),
        an_event("mod4_events:2", "photo", now_ms - 55 * MINUTE_MS, photo_kind="proof_of_delivery",
                 photo_url="blob:https://app/1"),
        an_event("mod4_events:3", "signature", now_ms - 55 * MINUTE_MS),
        an_event("mod4_events:4", "photo", now_ms - 54 * MINUTE_MS, photo_kind="damage", is_uploaded=True,
                 photo_url="https://files.example.org/damage.exe"),
        an_event("mod4_events:5", batch="batch-4", at_ms=now_ms - 5 * hour, lat=9.5, lon=7.9, recipient="B. Danjuma"),
        an_event("mod4_events:6", "failed", now_ms - 4 * hour, batch="batch-4", facility="clinic-2",
                 reason="closed", lat=OTHER_CLINIC[0], lon=OTHER_CLINIC[1]),
        now_ms=now_ms,
    )  # fmt: skip
    depot.vehicle()
    depot.drive([(now_ms - n * MINUTE_MS, CLINIC[0] + (60 - n) * 0.0016, CLINIC[1] + (60 - n) * 0.0016)
                 for n in range(60, 0, -1)])  # fmt: skip
    judge(depot, now_ms)


def judge(depot: Depot, now_ms: int) -> None:
    """Compute the verdicts as the gateway does."""
    places = [Place("mod4-1", f"batch-{n}") for n in range(1, 6)]
    found = depot.ask(compute_verdicts, places, (), now_ms)
    depot.write(lambda connection: store_verdicts(connection, found, from_ms(now_ms)))
