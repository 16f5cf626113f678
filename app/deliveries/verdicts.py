"""Verdicts on the proofs of batches: evidence gathered from the store, judged, and kept in ``proof_verdicts``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from app.alarms.geometry import Shape
from app.deliveries.batches import BatchListing, listings
from app.deliveries.phones import phone_keys
from app.deliveries.places import LatLon, facility_places
from app.deliveries.proofs import ProofListing, proofs_of
from app.deliveries.times import DAY_MS
from app.deliveries.vehicles import VehicleMatch, match_vehicles
from app.deliveries.verdict import NOWHERE, WINDOW_MS, Claim, Judged, Sightings, judge
from app.fleet.tracks import Track, device_track, vehicle_track
from app.store.changes import raise_topic
from app.store.tables import DeliveryBatchRow, ProofVerdict
from app.store.upsert import insert_or
from app.supply.filters import Place

LONGEST_SPAN_MS = 2 * DAY_MS
"""Proofs of a batch within this share one reading of the track."""


@dataclass(frozen=True, slots=True)
class Found:
    """A verdict as it is to be kept."""

    batch_id: str
    facility: str
    judged: Judged


def compute_verdicts(
    connection: Connection, batches: Sequence[Place], fences: Sequence[Shape], now_ms: int
) -> list[Found]:
    """The verdicts on every proof of these batches; unknown batches are left out."""
    rows: list[Any] = []
    by_integration: dict[str, list[str]] = {}
    for place in batches:
        by_integration.setdefault(place.integration_id, []).append(place.peer_id)
    batch = DeliveryBatchRow
    for integration_id, ids in by_integration.items():
        query = select(batch.__table__).where(batch.integration_id == integration_id, batch.peer_id.in_(ids))
        rows += connection.execute(query)
    found: list[Found] = []
    for one in listings(connection, rows):
        found += _of_batch(connection, one, fences, now_ms)
    return found


def _of_batch(connection: Connection, batch: BatchListing, fences: Sequence[Shape], now_ms: int) -> list[Found]:
    proofs = [one for one in proofs_of(connection, [batch], now_ms) if one.proof.is_proof]
    if not proofs:
        return []
    named = {Place(batch.integration_id, one.proof.facility) for one in proofs}
    places = facility_places(connection, named)
    vehicles = match_vehicles(connection, {_vehicle(batch, one) for one in proofs})
    keys = phone_keys(connection, {_driver(batch, one) for one in proofs})
    tracks: dict[tuple[Any, ...], Sightings] = {}
    found = []
    for one in proofs:
        claim = _claim(one, places.get(Place(batch.integration_id, one.proof.facility)))
        match = vehicles.get(_vehicle(batch, one))
        sightings, why = _vehicle_sightings(connection, match, proofs, claim, tracks)
        phone = _phone_sightings(connection, keys.get(_driver(batch, one)), claim)
        judged = judge(claim, sightings, phone, fences, why)
        evidence = {**judged.evidence, "vehicle_id": "" if match is None else match.vehicle_id, "plate": one.plate}
        newest = max(judged.rests_on_ms, one.proof.newest_ms or 0)
        found.append(
            Found(
                batch.id,
                one.proof.facility,
                Judged(judged.verdict, judged.reasons, evidence, judged.distance_m, newest),
            )
        )
    return found


def _vehicle(batch: BatchListing, one: ProofListing) -> Place:
    return Place(batch.integration_id, one.proof.vehicle or batch.vehicle)


def _driver(batch: BatchListing, one: ProofListing) -> Place:
    return Place(batch.integration_id, one.proof.driver or batch.driver)


def _claim(one: ProofListing, place: LatLon | None) -> Claim:
    proof = one.proof
    told = (proof.lat, proof.lon) if proof.lat is not None and proof.lon is not None else None
    return Claim(proof.at_ms, place, told, proof.is_proxy)


def _vehicle_sightings(
    connection: Connection,
    match: VehicleMatch | None,
    proofs: Sequence[ProofListing],
    claim: Claim,
    tracks: dict[tuple[Any, ...], Sightings],
) -> tuple[Sightings | None, str]:
    """The vehicle's fixes around a claim, None with the reason where no vehicle of ours is known."""
    if match is None:
        return None, "The platform names no vehicle for this batch, so there is no track to compare."
    if not match.vehicle_id:
        return None, match.why
    if claim.at_ms is None:
        return NOWHERE, ""
    times = [one.proof.at_ms for one in proofs if one.proof.at_ms is not None]
    shared = max(times) - min(times) <= LONGEST_SPAN_MS
    first, last = (min(times), max(times)) if shared else (claim.at_ms, claim.at_ms)
    key = (match.vehicle_id, first, last)
    if key not in tracks:
        track = vehicle_track(connection, match.vehicle_id, first - WINDOW_MS, last + WINDOW_MS + 1)
        tracks[key] = sightings_of(track)
    return tracks[key], ""


def _phone_sightings(connection: Connection, key: int | None, claim: Claim) -> Sightings:
    if key is None or claim.at_ms is None:
        return NOWHERE
    return sightings_of(device_track(connection, key, claim.at_ms - WINDOW_MS, claim.at_ms + WINDOW_MS + 1))


def sightings_of(track: Track) -> Sightings:
    """The fixes of a track that nothing is to be said against."""
    counted = track.counted
    return Sightings(counted["fixed_at_ms"], counted["lat"], counted["lon"])


def store_verdicts(connection: Connection, found: Sequence[Found], now: datetime) -> int:
    """Keep what is new or different; returns how many rows were written."""
    stored = _stored(connection, {one.batch_id for one in found})
    moved = [one for one in found if stored.get((one.batch_id, one.facility)) != _content(one.judged)]
    if not moved:
        return 0
    version = raise_topic(connection, "deliveries")
    for one in moved:
        values = {
            "verdict": one.judged.verdict,
            "reasons": list(one.judged.reasons),
            "evidence": dict(one.judged.evidence),
            "distance_m": one.judged.distance_m,
            "rests_on_ms": one.judged.rests_on_ms,
            "computed_at": now,
            "changed_version": version,
        }
        statement = insert_or(connection, ProofVerdict).values(batch_id=one.batch_id, facility=one.facility, **values)
        connection.execute(statement.on_conflict_do_update(index_elements=["batch_id", "facility"], set_=values))
    return len(moved)


def _stored(connection: Connection, batch_ids: set[str]) -> Mapping[tuple[str, str], tuple[Any, ...]]:
    verdict = ProofVerdict
    columns = (verdict.batch_id, verdict.facility, verdict.verdict, verdict.reasons, verdict.evidence)
    query = select(*columns).where(verdict.batch_id.in_(batch_ids))
    return {
        (row.batch_id, row.facility): (row.verdict, list(row.reasons), dict(row.evidence))
        for row in connection.execute(query)
    }


def _content(judged: Judged) -> tuple[Any, ...]:
    return judged.verdict, list(judged.reasons), dict(judged.evidence)
