"""The road's part of a thread: batch, departure check, track, stops, fuel, proofs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection

from app.deliveries.batch import BatchDetails
from app.deliveries.batches import BatchListing
from app.deliveries.departures import CheckListing
from app.deliveries.losses import FuelInBatch, batch_span
from app.deliveries.proof import MARK_WORDS
from app.deliveries.proofs import ProofListing
from app.deliveries.steps import Step, StepState
from app.deliveries.thread_supply import SENT, Found
from app.deliveries.times import HOUR_MS, distance_words, moment_words, span_words
from app.deliveries.twin_list import TwinListing
from app.fleet.times import iso_ms
from app.fleet.tracks import vehicle_track

LONG_SILENCE_MS = HOUR_MS
VERDICT_WORDS: Mapping[str, str] = {
    "confirmed": "confirmed by the vehicle's track",
    "doubtful": "doubtful",
    "no_evidence": "no independent evidence",
}


@dataclass(frozen=True, slots=True)
class TrackSummary:
    """A vehicle's way during a batch. ``silence_ms``: longest time without a fix; ``left_out`` fixes are marked."""

    vehicle_id: str
    from_ms: int
    to_ms: int
    fixes: int
    left_out: int
    first_ms: int | None
    last_ms: int | None
    distance_m: float
    silence_ms: int

    def as_json(self) -> dict[str, Any]:
        return {
            "vehicle_id": self.vehicle_id, "from": iso_ms(self.from_ms), "to": iso_ms(self.to_ms), "fixes": self.fixes,
            "left_out": self.left_out, "first_fix": iso_ms(self.first_ms), "last_fix": iso_ms(self.last_ms),
            "distance_km": round(self.distance_m / 1000, 2), "longest_silence_min": round(self.silence_ms / 60_000, 1),
        }  # fmt: skip


def track_summary(connection: Connection, batch: BatchListing, now_ms: int) -> TrackSummary | None:
    """None where the batch was not started, or no vehicle of ours is known."""
    span = batch_span(batch, now_ms)
    if span is None or not batch.vehicle_id:
        return None
    track = vehicle_track(connection, batch.vehicle_id, span[0], span[1] + 1)
    times = [int(ms) for ms in track.counted["fixed_at_ms"]]
    edges = [span[0], *times, span[1]]
    return TrackSummary(
        vehicle_id=batch.vehicle_id,
        from_ms=span[0],
        to_ms=span[1],
        fixes=len(track),
        left_out=track.left_out,
        first_ms=times[0] if times else None,
        last_ms=times[-1] if times else None,
        distance_m=track.distance_m,
        silence_ms=max(after - before for before, after in pairwise(edges)),
    )


def no_batch(found: Found, now_ms: int) -> Step:
    """A shipment that is in no batch: a gap once it was shipped."""
    if found.stage not in SENT:
        return Step("batch", "open", "No batch", "It is in no batch yet.")
    since_ms = found.shipment.shipped_ms or found.shipment.created_ms
    age = f" {span_words(now_ms - since_ms)} ago" if since_ms is not None else ""
    return Step(
        "batch", "gap", "In no batch", f"It was shipped{age}, and no batch carries it as far as is known.",
        since_ms=since_ms, next_step="Join it with its batch, or write the batch's name into its transport reference.",
    )  # fmt: skip


def no_shipment(batch: BatchListing) -> Step:
    if batch.started_ms is None:
        return Step("shipment", "open", "No shipment", "No shipment is known to travel in it yet.")
    return Step(
        "shipment", "gap", "No shipment", "No shipment of a supply system is known to travel in this batch.",
        since_ms=batch.started_ms, next_step="Join its shipments with it.",
    )  # fmt: skip


def batch_step(batch: BatchListing, joined: str, now_ms: int) -> Step:
    who = f"{batch.driver_name or 'no driver'}, {batch.plate or 'no vehicle'}"
    facts = {"stage": batch.stage, "driver": batch.driver_name, "plate": batch.plate, "joined": joined}
    title = f"Batch {batch.name}"
    waits = " A change of it waits in the outbox." if batch.waits else ""
    if batch.stage == "cancelled":
        return Step("batch", "warning", title, f"It was cancelled.{waits}", record_id=batch.id, facts=facts)
    if batch.started_ms is None:
        day = f" for {batch.scheduled_on}" if batch.scheduled_on else ""
        detail = f"Planned{day} with {who}; not started.{waits}"
        return Step("batch", "open", title, detail, record_id=batch.id, facts=facts)
    if batch.ended_ms is not None:
        took = span_words(batch.ended_ms - batch.started_ms)
        detail = f"{who}; started {moment_words(batch.started_ms)}, ended after {took}.{waits}"
    else:
        detail = f"{who}; under way since {span_words(now_ms - batch.started_ms)}.{waits}"
    return Step("batch", "done", title, detail, batch.started_ms, record_id=batch.id, facts=facts)


def check_step(batch: BatchListing, check: CheckListing | None) -> Step:
    if check is None:
        if batch.started_ms is None:
            return Step("check", "open", "Departure check", "Not looked at yet.")
        return Step(
            "check", "gap", "No departure check", "Nobody looked at it before it left.", since_ms=batch.started_ms,
            next_step="Check the next departure before it starts.",
        )  # fmt: skip
    missing = [finding["check"] for finding in check.findings if finding.get("ok") is False]
    detail = "Everything was in order." if check.is_ready else f"Not in order: {', '.join(missing) or 'unknown parts'}."
    if check.override_reason:
        detail += f" {check.overridden_by} let it go: {check.override_reason}"
    state: StepState = "done" if check.is_ready else "warning"
    return Step("check", state, "Departure check", detail, check.checked_ms, record_id=check.id)


def track_step(batch: BatchListing, track: TrackSummary | None) -> Step:
    if track is None:
        if batch.started_ms is None:
            return Step("track", "open", "Track", "It has not left yet.")
        return Step(
            "track", "gap", "No track", f"No vehicle here has the plate {batch.plate or '(none)'}.",
            since_ms=batch.started_ms, next_step="Add the vehicle under its plate, and give it its tracker.",
        )  # fmt: skip
    facts = track.as_json()
    if not track.fixes or track.last_ms is None:
        return Step(
            "track", "gap", "No track", f"The tracker of {batch.plate} told nothing during the batch.",
            since_ms=track.from_ms, next_step="Look at its tracker: power, SIM card, and which vehicle it is on.",
            facts=facts,
        )  # fmt: skip
    detail = f"{distance_words(track.distance_m)} in {span_words(track.last_ms - (track.first_ms or track.last_ms))}."
    if track.silence_ms > LONG_SILENCE_MS:
        detail += f" The tracker was silent for {span_words(track.silence_ms)}."
        return Step("track", "warning", f"Track of {batch.plate}", detail, track.first_ms, facts=facts)
    return Step("track", "done", f"Track of {batch.plate}", detail, track.first_ms, facts=facts)


def twin_steps(twins: Sequence[TwinListing]) -> list[Step]:
    return [
        Step("twins", "warning", "Two sources disagree", twin.explanation, twin.since_ms, facts=twin.as_row())
        for twin in reversed(twins)
    ]


def stop_steps(details: BatchDetails) -> list[Step]:
    """Every stop; one that is still open after its batch was ended is a gap."""
    batch = details.batch
    found = []
    for stop in details.stops:
        title = f"Stop {stop.sequence}: {stop.label}"
        facts = {"stage": stop.stage, "facility": stop.facility}
        at_ms = stop.left_ms or stop.arrived_ms
        if stop.is_done or stop.stage == "arrived":
            state: StepState = "warning" if stop.stage in ("failed", "skipped") else "done"
            reason = f" {stop.delay_reason}" if stop.delay_reason else ""
            detail = f"{stop.stage.capitalize()} {moment_words(at_ms)}.{reason}"
            found.append(Step("stop", state, title, detail, at_ms, record_id=stop.id, facts=facts))
        elif batch.stage == "completed":
            found.append(
                Step(
                    "stop", "gap", title, f"The batch is completed, and the route says “{stop.stage}”.",
                    since_ms=batch.ended_ms, next_step="Ask the driver what became of it.", record_id=stop.id,
                    facts=facts,
                )
            )  # fmt: skip
        else:
            planned = f", planned {moment_words(stop.planned_arrival_ms)}" if stop.planned_arrival_ms else ""
            found.append(Step("stop", "open", title, f"Not there yet{planned}.", record_id=stop.id, facts=facts))
    return found


def fuel_steps(fuel: Sequence[FuelInBatch]) -> list[Step]:
    found = []
    for one in fuel:
        event = one.event
        before = f", before stop {one.before_stop}" if one.before_stop else ""
        least = "at least " if event.at_least else ""
        title = f"{'Fuel lost' if event.kind == 'drain' else 'Filled'}: {least}{event.litres:,.0f} L"
        detail = (
            f"{moment_words(event.start_ms)}{before}, from {event.level_before_l:,.0f} to {event.level_after_l:,.0f} L"
            f"{f' in {event.tank}' if event.tank else ''}."
        )
        if event.decision == "false":
            detail += f" Marked as false: {event.reason or 'no reason given'}"
        elif event.provisional:
            detail += " Not final: the data around it are not complete yet."
        state: StepState = "warning" if one.is_loss else "done"
        found.append(Step("fuel", state, title, detail, event.start_ms, record_id=event.id, facts=fuel_json(one)))
    return found


def fuel_json(one: FuelInBatch) -> dict[str, Any]:
    event = one.event
    return {
        "id": event.id, "kind": event.kind, "start": iso_ms(event.start_ms), "end": iso_ms(event.end_ms),
        "litres": round(event.litres, 1), "level_before_l": event.level_before_l, "level_after_l": event.level_after_l,
        "confidence": event.confidence, "lat": event.lat, "lon": event.lon, "driver": event.driver,
        "decision": event.decision, "is_loss": one.is_loss, "before_stop": one.before_stop, "tank": event.tank,
    }  # fmt: skip


def proof_steps(details: BatchDetails, proofs: Sequence[ProofListing], targets: frozenset[str] | None) -> list[Step]:
    """Proofs at the facilities that a shipment is for, or at every stop where there is no shipment (None)."""
    batch = details.batch
    mine = [one for one in proofs if targets is None or one.proof.facility in targets]
    found = [_proof_step(batch, one) for one in mine]
    if not found:
        return [
            Step(
                "proof", "gap" if batch.started_ms else "open", "No proof", "The batch has no stop at the receiver.",
                since_ms=batch.started_ms, next_step="Look whether it is the right batch.",
            )
        ]  # fmt: skip
    return found


def _proof_step(batch: BatchListing, one: ProofListing) -> Step:
    proof = one.proof
    title = f"Proof of {one.label}"
    if not proof.is_proof:
        if batch.stage == "completed":
            return Step(
                "proof", "gap", title, "The batch is completed, and nothing was told of a delivery there.",
                since_ms=batch.ended_ms, next_step="Ask whether the phone still holds it.", record_id=batch.id,
            )  # fmt: skip
        return Step("proof", "open", title, "Nothing was delivered there yet.", record_id=batch.id)
    told = [f"{proof.outcome.capitalize()} {moment_words(proof.at_ms)}"]
    if proof.recipient:
        told.append(f"to {proof.recipient}")
    photo = one.files_word(proof.photos, proof.photo)
    told.append(f"photo {photo}, signature {one.files_word(proof.signatures, proof.signature)}")
    detail = ", ".join(told) + "."
    if proof.has_discrepancy:
        detail += f" Quantities differ{f': {proof.discrepancy_reason}' if proof.discrepancy_reason else ''}."
    if proof.marks:
        detail += f" It is {', '.join(MARK_WORDS[mark] for mark in proof.marks)}."
    if one.verdict is not None:
        detail += f" Verdict: {VERDICT_WORDS[one.verdict.verdict]}. {' '.join(one.verdict.reasons)}"
    is_right = (
        proof.outcome == "delivered"
        and not proof.has_discrepancy
        and (one.verdict is None or one.verdict.verdict != "doubtful")
    )
    return Step(
        "proof", "done" if is_right else "warning", title, detail, proof.at_ms, record_id=batch.id, facts=one.as_row()
    )
