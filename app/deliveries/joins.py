"""Which shipment travels in which batch: found by numbers, by what the transport reference says, or by place and day.

What is found is kept with a sentence that says why, and taken back where it no longer holds. What an operator joined
or declined is never touched (:mod:`app.deliveries.join_acts`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from app.clock import from_ms
from app.deliveries.agreement import Agreement
from app.deliveries.rows import by_place
from app.deliveries.vehicles import plate_key
from app.identity.kinds import in_chunks
from app.store.changes import raise_topic
from app.store.tables import (
    BatchPaperRow,
    BatchStopRow,
    DeliveryBatchRow,
    FleetVehicleRow,
    RequisitionRow,
    ShipmentBatch,
    ShipmentRow,
)
from app.supply.filters import Place

NUMBER, REFERENCE, PLACE = "number", "reference", "place"
AUTOMATIC = (NUMBER, REFERENCE, PLACE)
BY_RULE = "the rule for papers, references and places"
DAYS_APART = 3
"""Between a shipment's sending and the day of the batch, where a reference names the vehicle or only the place fits."""
SHORTEST_NAME = 4
"""A batch name that is shorter stands in a text by accident."""
MOST_AT_ONCE = 200
_SENT = ("picked", "shipped", "delivered", "received", "verified")


@dataclass(frozen=True, slots=True)
class Join:
    """A shipment travels in a batch; both are ids of rows."""

    shipment_id: str
    batch_id: str
    how: str
    reason: str


def look(connection: Connection, shipment_ids: Sequence[str], now: datetime) -> int:
    """Find the joins of these shipments anew; returns how many were made or taken back."""
    moved = 0
    for some in in_chunks(dict.fromkeys(shipment_ids), MOST_AT_ONCE):
        found = find_joins(connection, some)
        moved += _keep(connection, some, found, now)
    return moved


def find_joins(connection: Connection, shipment_ids: Sequence[str]) -> list[Join]:
    """What speaks for a join now, the surest reason per pair. A shipment that does not leave us joins nothing."""
    shipment = ShipmentRow
    query = select(shipment.__table__).where(
        shipment.id.in_(shipment_ids),
        shipment.side == "outbound",
        shipment.stage != "cancelled",
        shipment.gone_at.is_(None),
    )
    shipments = list(connection.execute(query))
    if not shipments:
        return []
    found: dict[tuple[str, str], Join] = {}
    for join in _by_numbers(connection, shipments):
        found.setdefault((join.shipment_id, join.batch_id), join)
    batches = _batches_around(connection, shipments)
    for join in _by_references(connection, shipments, batches):
        found.setdefault((join.shipment_id, join.batch_id), join)
    joined = {join.shipment_id for join in found.values()}
    lonely = [row for row in shipments if row.id not in joined and row.stage in _SENT]
    for join in _by_places(connection, lonely, batches):
        found.setdefault((join.shipment_id, join.batch_id), join)
    return list(found.values())


def shipments_near(connection: Connection, batches: Sequence[Place]) -> list[str]:
    """The shipments whose joins may change with these batches: those of their papers, and those sent about then."""
    shipment = ShipmentRow
    ids: set[str] = set()
    rows = _batch_rows(connection, batches)
    papers = [row for place in batches for row in _papers_of(connection, place)]
    for some in in_chunks(sorted({row.number for row in papers if row.kind == "invoice"})):
        ids.update(connection.execute(select(shipment.id).where(shipment.number.in_(some))).scalars())
    for some in in_chunks(sorted({row.number for row in papers if row.kind == "requisition"})):
        requisition = RequisitionRow
        query = (
            select(shipment.id)
            .join(
                requisition,
                (requisition.integration_id == shipment.integration_id) & (requisition.peer_id == shipment.requisition),
            )
            .where(requisition.number.in_(some))
        )
        ids.update(connection.execute(query).scalars())
    days = sorted({row.scheduled_on for row in rows if _date(row.scheduled_on) is not None})
    if days:
        first, last = _days_around(days[0])[0], _days_around(days[-1])[1]
        query = select(shipment.id).where(
            shipment.side == "outbound",
            shipment.created_ms >= _ms(first) - 14 * _DAY_MS,
            shipment.created_ms < _ms(last),
        )
        ids.update(connection.execute(query.order_by(shipment.created_ms.desc()).limit(5_000)).scalars())
    ids.update(_joined_with(connection, [row.id for row in rows]))
    return sorted(ids)


_DAY_MS = 86_400_000


def _by_numbers(connection: Connection, shipments: Sequence[Any]) -> Iterable[Join]:
    requisitions = by_place(
        connection,
        RequisitionRow,
        (Place(row.integration_id, row.requisition) for row in shipments),
        (RequisitionRow.number,),
    )
    numbers: dict[tuple[str, str], list[Any]] = {}
    for row in shipments:
        if row.number:
            numbers.setdefault(("invoice", row.number), []).append(row)
        requisition = requisitions.get(Place(row.integration_id, row.requisition))
        if requisition is not None and requisition.number:
            numbers.setdefault(("requisition", requisition.number), []).append(row)
    papers = _papers_numbered(connection, {number for _kind, number in numbers})
    agreement = Agreement.load(
        connection,
        [Place(row.integration_id, row.receiver) for row in shipments]
        + [Place(paper.integration_id, paper.facility) for paper in papers],
    )
    shared = _shared_numbers(connection, {number for kind, number in numbers if kind == "invoice"})
    batches = {
        Place(row.integration_id, row.peer_id): row
        for row in _batch_rows(connection, [Place(paper.integration_id, paper.batch) for paper in papers])
    }
    for paper in papers:
        batch = batches.get(Place(paper.integration_id, paper.batch))
        if batch is None or batch.stage == "cancelled":
            continue
        for row in numbers.get((paper.kind, paper.number), ()):
            agrees = agreement.between(
                Place(paper.integration_id, paper.facility), Place(row.integration_id, row.receiver)
            )
            is_alone = paper.kind == "requisition" or shared.get(paper.number, 1) == 1
            if agrees is True or (agrees is None and is_alone):
                what = "invoice" if paper.kind == "invoice" else "requisition"
                where = ", for the same facility" if agrees else ""
                yield Join(row.id, batch.id, NUMBER, f"The platform lists {what} {paper.number} in this batch{where}.")


def _by_references(connection: Connection, shipments: Sequence[Any], batches: Sequence[Any]) -> Iterable[Join]:
    telling = [row for row in shipments if row.transport_reference.strip()]
    if not telling:
        return
    plates = by_place(
        connection,
        FleetVehicleRow,
        {Place(row.integration_id, row.vehicle) for row in batches},
        (FleetVehicleRow.plate,),
    )
    for row in telling:
        text = " ".join(row.transport_reference.casefold().split())
        key = plate_key(text)
        named = [one for one in batches if len(one.name) >= SHORTEST_NAME and _holds(text, one.name)]
        for one in named:
            yield Join(row.id, one.id, REFERENCE, f"Its transport reference names the batch {one.name}.")
        if named:
            continue
        by_plate = [one for one in batches if _names_plate(key, plates, one) and _is_near(row, one)]
        days = sorted({abs(_days_between(row, one)) for one in by_plate})
        closest = [one for one in by_plate if abs(_days_between(row, one)) == days[0]]
        if len(closest) == 1:
            plate = plates[Place(closest[0].integration_id, closest[0].vehicle)].plate
            yield Join(
                row.id,
                closest[0].id,
                REFERENCE,
                f"Its transport reference names the vehicle {plate}, which drives this batch on "
                f"{closest[0].scheduled_on}.",
            )


def _by_places(connection: Connection, shipments: Sequence[Any], batches: Sequence[Any]) -> Iterable[Join]:
    """Where exactly one batch of those days stops at the receiver. The weakest reason, and said to be."""
    if not shipments or not batches:
        return
    stops = _stops_of(connection, batches)
    agreement = Agreement.load(
        connection,
        [Place(row.integration_id, row.receiver) for row in shipments]
        + [Place(integration_id, facility) for integration_id, _batch, facility in stops],
    )
    visits: dict[str, list[Any]] = {}
    by_batch = {(row.integration_id, row.peer_id): row for row in batches}
    for integration_id, batch, facility in stops:
        identity = agreement.identity(Place(integration_id, facility))
        if identity:
            visits.setdefault(identity, []).append(by_batch[integration_id, batch])
    for row in shipments:
        identity = agreement.identity(Place(row.integration_id, row.receiver))
        fitting = [one for one in visits.get(identity, ()) if _is_near(row, one)]
        if len(fitting) == 1:
            yield Join(
                row.id,
                fitting[0].id,
                PLACE,
                f"The only batch about {fitting[0].scheduled_on} that stops at the receiver; no number confirms it.",
            )


def _keep(connection: Connection, shipment_ids: Sequence[str], found: Sequence[Join], now: datetime) -> int:
    """Write what differs from what is kept; operators' decisions stay."""
    join = ShipmentBatch
    kept = {
        (row.shipment_id, row.batch_id): row
        for row in connection.execute(select(join.__table__).where(join.shipment_id.in_(shipment_ids)))
    }
    wanted = {(one.shipment_id, one.batch_id): one for one in found}
    decided = {row.shipment_id for row in kept.values() if row.how == "manual"}
    if decided:  # where somebody said which batch it is, a weaker reason for another is none
        wanted = {key: one for key, one in wanted.items() if key[0] not in decided or one.how == NUMBER}
    new = [one for key, one in wanted.items() if key not in kept]
    changed = [
        one
        for key, one in wanted.items()
        if key in kept and kept[key].how in AUTOMATIC and (kept[key].how, kept[key].reason) != (one.how, one.reason)
    ]
    gone = [key for key, row in kept.items() if row.how in AUTOMATIC and key not in wanted]
    if not new and not changed and not gone:
        return 0
    version = raise_topic(connection, "deliveries")
    for one in new:
        connection.execute(
            insert(join).values(
                shipment_id=one.shipment_id, batch_id=one.batch_id, how=one.how, reason=one.reason, joined_by=BY_RULE,
                joined_at=now, changed_version=version,
            )
        )  # fmt: skip
    for one in changed:
        here = (join.shipment_id == one.shipment_id) & (join.batch_id == one.batch_id)
        values = {"how": one.how, "reason": one.reason, "joined_at": now, "changed_version": version}
        connection.execute(update(join).where(here).values(**values))
    for shipment_id, batch_id in gone:
        connection.execute(delete(join).where(join.shipment_id == shipment_id, join.batch_id == batch_id))
    return len(new) + len(changed) + len(gone)


def _papers_numbered(connection: Connection, numbers: set[str]) -> list[Any]:
    paper = BatchPaperRow
    found: list[Any] = []
    for some in in_chunks(sorted(numbers)):
        found += connection.execute(select(paper.__table__).where(paper.number.in_(some), paper.gone_at.is_(None)))
    return found


def _papers_of(connection: Connection, batch: Place) -> list[Any]:
    paper = BatchPaperRow
    here = (paper.integration_id == batch.integration_id, paper.batch == batch.peer_id, paper.gone_at.is_(None))
    return list(connection.execute(select(paper.__table__).where(*here)))


def _shared_numbers(connection: Connection, numbers: set[str]) -> Mapping[str, int]:
    """How many shipments that leave us bear a number: several stores may count alike."""
    shipment = ShipmentRow
    found: dict[str, int] = {}
    for some in in_chunks(sorted(numbers)):
        query = select(shipment.number).where(
            shipment.number.in_(some), shipment.side == "outbound", shipment.gone_at.is_(None)
        )
        for number in connection.execute(query).scalars():
            found[number] = found.get(number, 0) + 1
    return found


def _batch_rows(connection: Connection, batches: Iterable[Place]) -> list[Any]:
    columns = [column for column in DeliveryBatchRow.__table__.columns if column.name not in ("attributes", "pending")]
    return list(by_place(connection, DeliveryBatchRow, batches, columns).values())


def _batches_around(connection: Connection, shipments: Sequence[Any]) -> list[Any]:
    """Batches of the days on which these were sent or are expected, give or take some."""
    days = [day for row in shipments if _date(day := _day_of(row)) is not None and day]
    if not days:
        return []
    batch = DeliveryBatchRow
    found: list[Any] = []
    for first, last in _ranges(days):
        query = select(batch.__table__).where(
            batch.scheduled_on >= first, batch.scheduled_on <= last, batch.gone_at.is_(None), batch.stage != "cancelled"
        )
        found += connection.execute(query)
    return found


def _ranges(days: Sequence[str]) -> list[tuple[str, str]]:
    """Days with their surroundings, merged where they touch."""
    found: list[tuple[str, str]] = []
    for day in sorted(set(days)):
        first, last = _days_around(day)
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found


def _stops_of(connection: Connection, batches: Sequence[Any]) -> list[tuple[str, str, str]]:
    """(integration, batch, facility) of each."""
    stop = BatchStopRow
    by_integration: dict[str, list[str]] = {}
    for row in batches:
        by_integration.setdefault(row.integration_id, []).append(row.peer_id)
    found: list[tuple[str, str, str]] = []
    for integration_id, ids in by_integration.items():
        for some in in_chunks(ids):
            query = select(stop.batch, stop.facility).where(
                stop.integration_id == integration_id, stop.batch.in_(some), stop.gone_at.is_(None)
            )
            found += [(integration_id, row.batch, row.facility) for row in connection.execute(query)]
    return found


def _joined_with(connection: Connection, batch_ids: Sequence[str]) -> set[str]:
    join = ShipmentBatch
    found: set[str] = set()
    for some in in_chunks(batch_ids):
        found.update(connection.execute(select(join.shipment_id).where(join.batch_id.in_(some))).scalars())
    return found


def _day_of(row: Any) -> str | None:
    at_ms = row.shipped_ms or row.picked_ms or row.created_ms
    if at_ms is None:
        return str(row.expected_on) if row.expected_on else None
    try:
        return from_ms(at_ms).date().isoformat()
    except OverflowError:
        return None


def _date(day: str | None) -> date | None:
    """A day that a peer told, None for what is none."""
    try:
        return date.fromisoformat(day or "")
    except ValueError:
        return None


def _days_around(day: str) -> tuple[str, str]:
    middle, apart = _date(day) or date.min + timedelta(days=DAYS_APART), timedelta(days=DAYS_APART)
    return (middle - apart).isoformat(), (middle + apart).isoformat()


def _days_between(row: Any, batch: Any) -> int:
    day, other = _date(_day_of(row)), _date(batch.scheduled_on)
    return DAYS_APART + 1 if day is None or other is None else (other - day).days


def _is_near(row: Any, batch: Any) -> bool:
    return abs(_days_between(row, batch)) <= DAYS_APART


def _holds(text: str, name: str) -> bool:
    """Whether a name stands in a text as a whole word or words."""
    wanted = " ".join(name.casefold().split())
    at = text.find(wanted)
    while at >= 0:
        before, after = text[at - 1 : at], text[at + len(wanted) : at + len(wanted) + 1]
        if not before.isalnum() and not after.isalnum():
            return True
        at = text.find(wanted, at + 1)
    return False


def _names_plate(key: str, plates: Mapping[Place, Any], batch: Any) -> bool:
    found = plates.get(Place(batch.integration_id, batch.vehicle))
    plate = plate_key(found.plate) if found is not None else ""
    return len(plate) >= SHORTEST_NAME and plate in key


def _ms(day: str) -> int:
    return int(datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp() * 1000)
