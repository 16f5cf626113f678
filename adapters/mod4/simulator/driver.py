"""A driver with the app in hand, step by step: shift, batch, stops, evidence (biko.md 4.10 and 4.7).

What the wizard asks for is asked for here, and what it reports goes into ``mod4_events``, the one place that the
platform's own driver pages write. A picture is reported, its file is not uploaded, unless a test says that it was.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal

from psycopg.types.json import Jsonb

from adapters.mod4.simulator.phone import AppRefused, Clock, Phone, Row, SignedIn
from adapters.mod4.simulator.places import distance_m
from adapters.mod4.simulator.server import Server

PROXY_M: Final = 100.0
POINT_EVERY_M: Final = 10.0
NOTE_LETTERS: Final = 10
Reason = Literal[
    "damaged_in_transit", "short_shipment", "wrong_item", "refused_by_recipient", "item_not_found", "other"
]
SlotState = Literal["pending", "active", "delivered", "failed", "skipped"]
_EVENT: Final = "SELECT public.insert_mod4_event(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
_START: Final = """
    UPDATE public.delivery_batches SET status = 'in-progress', driver_status = 'EN_ROUTE',
        actual_start_time = coalesce(actual_start_time, %s)
    WHERE id = %s AND status = 'assigned'
"""
_STEP: Final = "UPDATE public.delivery_batches SET current_stop_index = %s WHERE id = %s"
_COMPLETE: Final = """
    UPDATE public.delivery_batches SET status = 'completed', driver_status = 'COMPLETED', actual_end_time = %s
    WHERE id = %s AND status = 'in-progress'
"""


@dataclass(frozen=True, slots=True)
class Fix:
    """Where the phone is: degrees, metres per second, degrees from north, metres of likely error."""

    lat: float
    lng: float
    speed_mps: float = 0.0
    heading: float = 0.0
    accuracy_m: float = 8.0


Whereabouts = Callable[[], Fix]


@dataclass(frozen=True, slots=True)
class Item:
    """What a stop is to get and what it got, in ``unit``."""

    name: str
    expected: int
    unit: str
    delivered: int | None = None

    @property
    def given(self) -> int:
        return self.expected if self.delivered is None else self.delivered


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the driver enters at a stop."""

    recipient: str = "Mrs. Esther Ago"
    role: str = "Officer in charge"
    photo: bool = True
    photo_url: str | None = None
    signature: bool = True
    signature_url: str | None = None
    discrepancy: Reason | None = None
    discrepancy_notes: str = ""
    proxy_reason: str = ""
    proxy_notes: str = ""
    notes: str = ""


@dataclass(slots=True)
class Slot:
    """One stop on the phone; only the phone knows its state."""

    id: str
    facility_id: str
    name: str
    lat: float
    lng: float
    state: SlotState = "pending"


@dataclass(slots=True)
class Route:
    """The batch that is driven."""

    batch_id: str
    vehicle_id: str | None
    slots: list[Slot]
    items: Sequence[Item] = ()

    @property
    def active(self) -> Slot | None:
        return next((slot for slot in self.slots if slot.state == "active"), None)


@dataclass(slots=True)
class DriverApp:
    """One driver with one phone. ``where`` says where both are; ``clock`` is the phone's."""

    server: Server
    database: str
    device_id: str
    where: Whereabouts
    clock: Clock = lambda: datetime.now(UTC)
    sends_record: bool = False
    """Whether the whole proof goes with the delivery; the app of today keeps it on the phone."""
    battery: int = 80
    route: Route | None = None
    proofs: list[Row] = field(default_factory=list)
    """The records of this phone, one for each delivered stop."""
    phone: Phone = field(init=False)
    _last_point: Fix | None = None

    def __post_init__(self) -> None:
        self.phone = Phone(self.server, self.database, self.device_id, clock=self.clock)

    @property
    def user(self) -> SignedIn:
        if self.phone.user is None:
            raise AppRefused("Nobody is signed in on this phone.")
        return self.phone.user

    # -- the day

    async def start_shift(self, vehicle_id: str | None = None) -> str:
        """Needs a line; a session elsewhere ends. Returns the id of the session."""
        fix = self.where()
        found = await self.phone.ask(
            "SELECT public.start_driver_session(%s, %s, %s, %s, %s, %s)",
            self.user.user_id, self.device_id, vehicle_id, fix.lat, fix.lng, Jsonb({"platform": self.phone.platform}),
        )  # fmt: skip
        self.phone.session_id = str(found[0][0])
        return self.phone.session_id

    async def end_shift(self) -> bool:
        """Needs a line. Whether there was still a session to end."""
        found = await self.phone.ask("SELECT public.end_driver_session(%s, 'driver_logout')", self._session)
        self.phone.session_id = None
        return bool(found[0][0])

    @property
    def _session(self) -> str:
        if self.phone.session_id is None:
            raise AppRefused("Start your shift first.")
        return self.phone.session_id

    async def heartbeat(self) -> bool:
        """Whether the platform still knows this session. Needs a line."""
        return bool((await self.phone.ask("SELECT public.update_session_heartbeat(%s)", self._session))[0][0])

    async def batches(self) -> list[str]:
        """Ids of the batches that wait for this driver or are under way, the earliest first."""
        found = await self.phone.ask(
            "SELECT id FROM public.delivery_batches WHERE driver_id = %s AND status IN ('assigned', 'in-progress') "
            "ORDER BY scheduled_date, scheduled_time",
            self.user.driver_id,
        )
        return [str(key) for (key,) in found]

    async def open_batch(self, batch_id: str, items: Sequence[Item] = ()) -> Route:
        """Take a batch in hand: it is under way from now on. ``items`` are what each stop is to get."""
        found = await self.phone.ask(
            "SELECT vehicle_id, facility_ids, current_stop_index FROM public.delivery_batches "
            "WHERE id = %s AND driver_id = %s AND status IN ('assigned', 'in-progress')",
            batch_id, self.user.driver_id,
        )  # fmt: skip
        if not found:
            raise AppRefused("This batch is not yours.")
        vehicle, stops, done = found[0]
        places = dict[str, tuple[Any, ...]]()
        for row in await self.phone.ask("SELECT id, name, lat, lng FROM public.facilities WHERE id = ANY (%s)", stops):
            places[str(row[0])] = row
        slots = [Slot(f"{batch_id}-{stop}", str(stop), *places[str(stop)][1:]) for stop in stops]
        for at, slot in enumerate(slots):
            slot.state = "delivered" if at < (done or 0) else "pending"
        self.route = Route(batch_id, str(vehicle) if vehicle else None, slots, items)
        await self.phone.enqueue(_START, self.clock(), batch_id)
        await self._event("batch_started", {"stops": len(slots)})
        self._activate_next()
        return self.route

    def _activate_next(self) -> None:
        route = self._route
        for slot in route.slots:
            if slot.state == "pending" and route.active is None:
                slot.state = "active"

    @property
    def _route(self) -> Route:
        if self.route is None:
            raise AppRefused("Open a batch first.")
        return self.route

    # -- at a stop

    async def arrive(self, stop: int) -> None:
        """The driver begins with a stop, by its place in the batch."""
        slot = self._route.slots[stop]
        await self._event("delivery_started", self._known(slot))

    async def deliver(self, stop: int, evidence: Evidence | None = None, items: Sequence[Item] | None = None) -> Row:
        """The whole wizard for one stop; returns the record that stays on the phone. Raises AppRefused."""
        given, fix, slot = evidence or Evidence(), self.where(), self._route.slots[stop]
        goods = self._route.items if items is None else items
        away_m = distance_m((fix.lat, fix.lng), (slot.lat, slot.lng))
        differs = any(item.given != item.expected for item in goods)
        _check(slot, given, away_m, differs=differs)
        for kind, facts in self._steps(slot, given, goods, away_m, differs=differs):
            await self._event(kind, facts, fix)
        record = self._record(slot, given, goods, fix, away_m, differs=differs)
        completed = {
            **self._known(slot),
            "stopIndex": stop,
            "itemsDelivered": len(goods),
            "proofCaptured": given.photo,
            "completedAt": self._iso(),
            "notes": given.notes or None,
        }
        await self._event(
            "delivery_completed", {**completed, "record": record} if self.sends_record else completed, fix
        )
        self.proofs.append(record)
        await self._leave(stop, "delivered")
        return record

    async def skip(self, stop: int, reason: str) -> None:
        """The stop is left out. The platform learns of it by nothing but the next stop's number."""
        if not reason.strip():
            raise AppRefused("Say why this stop is left out.")
        await self._leave(stop, "skipped")

    async def _leave(self, stop: int, state: SlotState) -> None:
        route = self._route
        route.slots[stop].state = state
        self._activate_next()
        done = sum(slot.state not in ("pending", "active") for slot in route.slots)
        await self.phone.enqueue(_STEP, done, route.batch_id)

    async def complete(self) -> None:
        """After the last stop. Raises AppRefused while stops are open."""
        route = self._route
        if open_ones := [slot.name for slot in route.slots if slot.state in ("pending", "active")]:
            raise AppRefused(f"Stops are still open: {', '.join(open_ones)}.")
        await self._event("batch_completed", {"stops": len(route.slots)})
        await self.phone.enqueue(_COMPLETE, self.clock(), route.batch_id)
        self.route = None

    # -- what is reported

    def _steps(
        self, slot: Slot, given: Evidence, goods: Sequence[Item], away_m: float, *, differs: bool
    ) -> list[tuple[str, Row]]:
        """The events of one delivery before its last, in the wizard's order."""
        known = self._known(slot)
        steps: list[tuple[str, Row]] = [
            ("item_reconciled", {**known, **_item(item)}) for item in goods if item.given != item.expected
        ]
        if differs:
            wrong = [_item(item) for item in goods if item.given != item.expected]
            notes = {"reason": given.discrepancy, "notes": given.discrepancy_notes, "items": wrong}
            steps.append(("delivery_discrepancy", {**known, **notes}))
        if given.photo:
            photo = {"photoType": "proof_of_delivery", "photoUrl": given.photo_url, "capturedAt": self._iso()}
            steps.append(("photo_captured", {"facilityId": slot.facility_id, **photo}))
        if given.signature:
            signed: Row = {"recipientName": given.recipient, "recipientRole": given.role}
            signed["signatureUrl"] = given.signature_url
            steps.append(("recipient_signature_captured", {**known, **signed, "capturedAt": self._iso()}))
        if away_m > PROXY_M:
            proxy = {"reason": given.proxy_reason, "notes": given.proxy_notes, "distanceM": round(away_m)}
            steps.append(("proxy_delivery_reason_recorded", {**known, **proxy}))
        return steps

    async def _event(self, kind: str, metadata: Mapping[str, Any], fix: Fix | None = None) -> None:
        at, route = fix or self.where(), self.route
        await self.phone.enqueue(
            _EVENT, kind, self.user.driver_id, self._session, self.device_id, at.lat, at.lng, self.clock(),
            Jsonb(dict(metadata)), route.vehicle_id if route else None, route.batch_id if route else None,
        )  # fmt: skip

    def _known(self, slot: Slot) -> Row:
        return {"facilityId": slot.facility_id, "facilityName": slot.name}

    def _iso(self) -> str:
        return self.clock().isoformat(timespec="milliseconds")

    def _record(
        self, slot: Slot, given: Evidence, goods: Sequence[Item], fix: Fix, away_m: float, *, differs: bool
    ) -> Row:
        proxy = away_m > PROXY_M
        return {
            "slot_id": slot.id,
            "batch_id": self._route.batch_id,
            "driver_id": self.user.driver_id,
            "facility_id": slot.facility_id,
            "facility_name": slot.name,
            "status": "flagged" if differs or proxy else "completed",
            "items": [
                {
                    "name": item.name,
                    "expected_quantity": item.expected,
                    "delivered_quantity": item.given,
                    "unit": item.unit,
                }
                for item in goods
            ],
            "has_discrepancy": differs,
            "discrepancy_reason": given.discrepancy,
            "discrepancy_notes": given.discrepancy_notes or None,
            "recipient_name": given.recipient,
            "recipient_role": given.role or None,
            "recipient_signature_url": given.signature_url,
            "delivered_at": self._iso(),
            "delivery_latitude": fix.lat,
            "delivery_longitude": fix.lng,
            "location_accuracy_m": fix.accuracy_m,
            "is_proxy_delivery": proxy,
            "proxy_reason": given.proxy_reason or None,
            "proxy_notes": given.proxy_notes or None,
            "photo_url": given.photo_url,
            "notes": given.notes or None,
        }

    # -- positions

    async def report_position(self) -> bool:
        """Keep a point when the phone moved by ten metres, and send it when there is a line; whether it was kept."""
        fix, last = self.where(), self._last_point
        if last is not None and distance_m((fix.lat, fix.lng), (last.lat, last.lng)) < POINT_EVERY_M:
            return False
        self._last_point = fix
        point = {
            "driver_id": self.user.driver_id,
            "session_id": self._session,
            "device_id": self.device_id,
            "lat": fix.lat,
            "lng": fix.lng,
            "accuracy_m": fix.accuracy_m,
            "heading": fix.heading if math.isfinite(fix.heading) else None,
            "speed_mps": fix.speed_mps,
            "captured_at": self.clock().isoformat(),
            "batch_id": self.route.batch_id if self.route else None,
            "vehicle_id": self.route.vehicle_id if self.route else None,
            "battery_level": self.battery,
            "network_type": "4g",
            "is_background": False,
        }
        self.phone.points.append(point)
        if self.phone.online:
            await self.phone.sync()
        return True


def _item(item: Item) -> Row:
    return {
        "name": item.name,
        "expectedQuantity": item.expected,
        "deliveredQuantity": item.given,
        "unit": item.unit,
    }


def _check(slot: Slot, given: Evidence, away_m: float, *, differs: bool) -> None:
    """What the wizard does not let pass. Raises AppRefused."""
    if slot.state not in ("active", "pending"):
        raise AppRefused(f"{slot.name} is done already.")
    if differs and (given.discrepancy is None or len(given.discrepancy_notes.strip()) < NOTE_LETTERS):
        raise AppRefused("Quantities differ: give a reason and a note of at least 10 characters.")
    if not given.photo or not given.signature or len(given.recipient.strip()) < 2:
        raise AppRefused("Photo, the recipient's name and signature are needed.")
    if away_m > PROXY_M and (not given.proxy_reason or len(given.proxy_notes.strip()) < NOTE_LETTERS):
        raise AppRefused(
            f"You are {away_m:,.0f} m from {slot.name}: give a reason and a note of at least 10 characters."
        )
