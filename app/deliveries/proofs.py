"""Proofs as pages and exports read them: merged from events and stops, with the verdict that is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from app.deliveries.batch import StopListing, need_batch, stops_of
from app.deliveries.batches import BatchFilter, BatchListing, page_of_batches
from app.deliveries.proof import FILE_WORDS, PROOF_KINDS, REPORTED, UPLOADED, Photo, Proof, merge_proof
from app.deliveries.rows import names_by_place
from app.fleet.times import iso_ms
from app.identity.kinds import in_chunks
from app.proof_files.listing import FileRow, files_of
from app.store.tables import DeliveryEventRow, DriverRow, FacilityRow, ProofVerdict
from app.supply.filters import Place
from app.supply.paging import After

ROW_COLUMNS = (
    "batch_id", "batch", "integration_id", "facility", "facility_name", "sequence", "outcome", "told_at",
    "received_at", "arrived_at", "left_at", "planned_at", "driver", "recipient", "recipient_role", "signature", "photo",
    "photos", "items", "has_discrepancy", "discrepancy_reason", "is_proxy", "proxy_reason", "lat", "lon", "marks",
    "missing", "remarks", "notes", "verdict", "verdict_reasons", "sources",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """What independent evidence says, as it is stored. ``verdict``: confirmed, doubtful, no_evidence."""

    verdict: str
    reasons: Sequence[str]
    evidence: Mapping[str, Any]
    distance_m: float | None
    rests_on_ms: int
    computed_at: datetime


@dataclass(frozen=True, slots=True)
class ProofListing:
    """A proof with the names behind its ids. ``verdict`` is None while none was computed yet.

    ``files`` are by address; an address that was told a moment ago has none yet.
    """

    batch_id: str
    batch_name: str
    batch_day: str | None
    integration_id: str
    facility_name: str
    facility_lat: float | None
    facility_lon: float | None
    driver_name: str
    plate: str
    vehicle_id: str
    proof: Proof
    verdict: Verdict | None
    files: Mapping[str, FileRow]

    def file_of(self, photo: Photo) -> FileRow | None:
        """None for one that lies on the phone only, or was not taken up yet."""
        return self.files.get(photo.url) if photo.state == UPLOADED else None

    def file_word(self, photo: Photo) -> str:
        """What is known of a photo's file, as commands and packs say it."""
        file = self.file_of(photo)
        return FILE_WORDS[photo.state] if file is None else f"{FILE_WORDS[UPLOADED]}, {file.word}"

    def files_word(self, photos: Sequence[Photo], told: str) -> str:
        """Of several: each different word once, the reported ones first."""
        ordered = sorted(photos, key=lambda one: one.state != REPORTED)
        return "; ".join(dict.fromkeys(map(self.file_word, ordered))) or FILE_WORDS[told]

    @property
    def id(self) -> str:
        """The same for the same stop of the same batch, however often it is read."""
        return f"{self.batch_id}/{self.proof.sequence}/{self.proof.facility}"

    @property
    def label(self) -> str:
        return self.facility_name or self.proof.facility or "an unnamed place"

    def as_row(self) -> dict[str, Any]:
        """As commands and exports show it."""
        proof, verdict = self.proof, self.verdict
        return {
            "batch_id": self.batch_id, "batch": self.batch_name, "integration_id": self.integration_id,
            "facility": proof.facility, "facility_name": self.facility_name, "sequence": proof.sequence,
            "outcome": proof.outcome, "told_at": iso_ms(proof.told_ms), "received_at": iso_ms(proof.received_ms),
            "arrived_at": iso_ms(proof.arrived_ms), "left_at": iso_ms(proof.left_ms),
            "planned_at": iso_ms(proof.planned_ms), "driver": self.driver_name, "recipient": proof.recipient,
            "recipient_role": proof.recipient_role, "signature": self.files_word(proof.signatures, proof.signature),
            "photo": self.files_word(proof.photos, proof.photo),
            "photos": [
                {"kind": one.kind, "state": self.file_word(one), "url": one.url, "sha256": self._hash(one)}
                for one in proof.files
            ],
            "items": [
                {"item": one.item, "expected": one.expected, "delivered": one.delivered, "unit": one.unit,
                 "difference": one.difference, "reason": one.reason, "notes": one.notes}
                for one in proof.items
            ],
            "has_discrepancy": proof.has_discrepancy, "discrepancy_reason": proof.discrepancy_reason,
            "is_proxy": proof.is_proxy, "proxy_reason": proof.proxy_reason, "lat": proof.lat, "lon": proof.lon,
            "marks": list(proof.marks), "missing": list(proof.missing), "remarks": list(proof.remarks),
            "notes": proof.notes, "verdict": None if verdict is None else verdict.verdict,
            "verdict_reasons": [] if verdict is None else list(verdict.reasons), "sources": list(proof.sources),
        }  # fmt: skip

    def _hash(self, photo: Photo) -> str:
        file = self.file_of(photo)
        return file.sha256 if file is not None and file.is_kept else ""


def proofs_of_batch(connection: Connection, batch_id: str, now_ms: int) -> list[ProofListing]:
    """One per stop in their order, and one per other place of which something was told. Raises NotFound."""
    return proofs_of(connection, [need_batch(connection, batch_id)], now_ms)


def page_of_proofs(
    connection: Connection,
    wanted: BatchFilter,
    now_ms: int,
    *,
    descending: bool = True,
    after: After | None = None,
    limit: int = 100,
) -> tuple[list[ProofListing], After | None]:
    """The proofs of one page of batches, the newest day first; stops of which nothing was told are left out."""
    batches, further = page_of_batches(connection, wanted, descending=descending, after=after, limit=limit)
    return [one for one in proofs_of(connection, batches, now_ms) if one.proof.is_proof], further


def proofs_of(connection: Connection, batches: Sequence[BatchListing], now_ms: int) -> list[ProofListing]:
    """Of several batches in two or three queries, in the order given."""
    stops = stops_of(connection, [batch.place for batch in batches])
    told = events_of(connection, [batch.place for batch in batches])
    verdicts = _verdicts(connection, [batch.id for batch in batches])
    drivers: set[Place] = set()
    places: set[Place] = set()
    merged: list[tuple[BatchListing, StopListing | None, Proof]] = []
    for batch in batches:
        for stop, proof in _of_one(batch, stops.get(batch.place, []), told.get(batch.place, {}), now_ms):
            drivers.add(Place(batch.integration_id, proof.driver or batch.driver))
            places.add(Place(batch.integration_id, proof.facility))
            merged.append((batch, stop, proof))
    names = names_by_place(connection, DriverRow, drivers)
    others = names_by_place(connection, FacilityRow, places)
    told_files = [(batch.integration_id, one.url) for batch, _stop, proof in merged for one in proof.files if one.url]
    files = files_of(connection, told_files) if told_files else {}
    return [
        ProofListing(
            batch_id=batch.id,
            batch_name=batch.name,
            batch_day=batch.scheduled_on,
            integration_id=batch.integration_id,
            facility_name=(stop.name if stop is not None else "")
            or others.get(Place(batch.integration_id, proof.facility), ""),
            facility_lat=None if stop is None else stop.lat,
            facility_lon=None if stop is None else stop.lon,
            driver_name=names.get(Place(batch.integration_id, proof.driver), "") or batch.driver_name,
            plate=batch.plate,
            vehicle_id=batch.vehicle_id,
            proof=proof,
            verdict=verdicts.get((batch.id, proof.facility)),
            files={
                one.url: row for one in proof.files if (row := files.get((batch.integration_id, one.url))) is not None
            },
        )
        for batch, stop, proof in merged
    ]


def _of_one(
    batch: BatchListing, stops: Sequence[StopListing], told: Mapping[str, list[Any]], now_ms: int
) -> list[tuple[StopListing | None, Proof]]:
    found: list[tuple[StopListing | None, Proof]] = []
    named = set()
    for stop in stops:
        named.add(stop.facility)
        found.append((stop, merge_proof(stop.facility, told.get(stop.facility, ()), stop, batch, now_ms)))
    for facility in sorted(set(told) - named):
        proof = merge_proof(facility, told[facility], None, batch, now_ms)
        if facility and proof.is_proof:
            found.append((None, proof))
    return found


def events_of(connection: Connection, batches: Sequence[Place]) -> dict[Place, dict[str, list[Any]]]:
    """``{batch: {facility: rows}}`` of what proofs are read from; "" holds what was told of no place."""
    event = DeliveryEventRow
    by_integration: dict[str, list[str]] = {}
    for place in batches:
        by_integration.setdefault(place.integration_id, []).append(place.peer_id)
    found: dict[Place, dict[str, list[Any]]] = {}
    for integration_id, ids in by_integration.items():
        for some in in_chunks(ids):
            query = select(event.__table__).where(
                event.integration_id == integration_id,
                event.batch.in_(some),
                event.kind.in_(PROOF_KINDS),
                event.gone_at.is_(None),
            )
            for row in connection.execute(query).all():
                of_batch = found.setdefault(Place(integration_id, row.batch), {})
                of_batch.setdefault(row.facility, []).append(row)
    return found


def _verdicts(connection: Connection, batch_ids: Sequence[str]) -> dict[tuple[str, str], Verdict]:
    verdict = ProofVerdict
    found: dict[tuple[str, str], Verdict] = {}
    for some in in_chunks(batch_ids):
        for row in connection.execute(select(verdict.__table__).where(verdict.batch_id.in_(some))):
            found[row.batch_id, row.facility] = Verdict(
                row.verdict, row.reasons, row.evidence, row.distance_m, row.rests_on_ms, row.computed_at
            )
    return found
