"""One delivery's proof: a reading of everything that was told of a stop, whichever table it came from.

The platform has no record of a proof (biko.md 4.7). Events may come twice, late, in any order, and with the clock of
a phone that is wrong; the same events give the same proof in whatever order they came.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.deliveries.proof_items import ProofItem, items_of
from app.deliveries.times import HOUR_MS, MINUTE_MS, moment_words, span_words

RANK: Mapping[str, int] = {
    "driver_app": 0,
    "mod4_events": 1,
    "delivery_logs": 2,
    "route_history": 3,
    "driver_events": 4,
}
"""Which source is believed first: the driver app's own record is whole, the others hold parts of it."""

OUTCOMES: Mapping[str, str] = {
    "delivered": "delivered", "failed": "failed", "skipped": "skipped", "returned": "returned",
}  # fmt: skip
PROOF_KINDS = (
    "delivery_started", "delivered", "failed", "skipped", "returned", "discrepancy", "item_reconciled", "photo",
    "signature", "proxy_reason", "proof", "arrived", "delayed", "override",
)  # fmt: skip
"""What of all events is read for proofs; positions are a thousand times as many."""

CLOCKS_APART_MS = 5 * MINUTE_MS
REPORTED_LATE_MS = HOUR_MS
OFF_PLAN_MS = 30 * MINUTE_MS
TWICE_MS = 10 * MINUTE_MS

MARK_WORDS: Mapping[str, str] = {
    "future": "from the future",
    "reported_late": "reported late",
    "late": "late",
    "early": "early",
    "before_start": "before the batch was started",
    "after_end": "after the batch was ended",
    "told_twice": "told twice",
    "contradiction": "contradicts itself",
    "not_in_batch": "no stop of the batch",
}

SIGNATURE = "signature"
NONE, REPORTED, UPLOADED = "none", "reported", "uploaded"
FILE_WORDS: Mapping[str, str] = {NONE: "none", REPORTED: "reported, file not uploaded", UPLOADED: "uploaded"}
"""A photo or signature that was reported, but lies on the phone only, is a state of its own."""


@dataclass(frozen=True, slots=True)
class Photo:
    """``url`` is where it is said to be: untrusted text. ``state``: see above; what became of its file is in
    :mod:`app.proof_files`."""

    kind: str
    state: str
    url: str
    captured_ms: int


@dataclass(frozen=True, slots=True)
class Proof:
    """What was told of one stop of one batch. ``facility`` is the peer's id of the place.

    ``outcome``: delivered, failed, skipped, returned, arrived, open. ``told_ms`` is the phone's clock, ``received_ms``
    the platform's; ``at_ms`` the time that is compared with other evidence: the phone's, or the platform's where the
    phone's lies after it. ``marks`` are keys of :data:`MARK_WORDS`, ``remarks`` the sentences behind them;
    ``missing`` what a delivery should have and this has not: recipient, signature, photo.
    """

    facility: str
    sequence: int | None
    outcome: str
    told_ms: int | None = None
    received_ms: int | None = None
    at_ms: int | None = None
    arrived_ms: int | None = None
    left_ms: int | None = None
    planned_ms: int | None = None
    recipient: str = ""
    recipient_role: str = ""
    signature: str = NONE
    signatures: Sequence[Photo] = ()
    photos: Sequence[Photo] = ()
    photo: str = NONE
    items: Sequence[ProofItem] = ()
    has_discrepancy: bool = False
    discrepancy_reason: str = ""
    is_proxy: bool = False
    proxy_reason: str = ""
    notes: str = ""
    lat: float | None = None
    lon: float | None = None
    driver: str = ""
    session: str = ""
    device: str = ""
    vehicle: str = ""
    sources: Sequence[str] = ()
    events: int = 0
    newest_ms: int | None = None
    marks: Sequence[str] = ()
    remarks: Sequence[str] = ()
    missing: Sequence[str] = ()

    @property
    def files(self) -> tuple[Photo, ...]:
        """Photos, then signatures."""
        return (*self.photos, *self.signatures)

    @property
    def is_proof(self) -> bool:
        """Whether anything was told beyond that the stop is planned."""
        return self.outcome not in ("open", "arrived")


@dataclass(slots=True)
class _Notes:
    """Marks with the sentences behind them, each once, in the order of their finding."""

    marks: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def add(self, mark: str, remark: str) -> None:
        if mark not in self.marks:
            self.marks.append(mark)
        self.remarks.append(remark)


def merge_proof(facility: str, events: Iterable[Any], stop: Any | None, batch: Any | None, now_ms: int) -> Proof:
    """The proof of one place of a batch.

    ``events`` have the fields of :class:`adapters.dispatch.DeliveryEvent`; ``stop`` those of
    :class:`adapters.dispatch.BatchStop`, None where the batch has no such stop; ``batch`` has ``started_ms`` and
    ``ended_ms``. Never raises for what events hold.
    """
    told = in_order(events)
    notes = _Notes()
    outcome, moment = _outcome(told, stop, notes)
    delivered = moment or next((event for event in told if event.kind in ("proof", "signature", "photo")), None)
    photos, signatures, signature = _files(told, stop)
    items = items_of(told)
    recipient = _recipient(told, stop, notes)
    proxy = [event for event in told if event.kind == "proxy_reason" or _flag(event, "is_proxy_delivery")]
    discrepancy = [event for event in told if event.kind == "discrepancy" or _flag(event, "has_discrepancy")]
    lat, lon = _place(told, delivered)
    times = _times(delivered, stop, outcome, told)
    _judge_times(times, stop, batch, now_ms, notes)
    if stop is None and told:
        notes.add("not_in_batch", "The place is no stop of this batch.")
    photo = _best(one.state for one in photos)
    return Proof(
        facility=facility,
        sequence=None if stop is None else stop.sequence,
        outcome=outcome,
        told_ms=times.told_ms,
        received_ms=times.received_ms,
        at_ms=times.at_ms,
        arrived_ms=_arrived(told, stop),
        left_ms=None if stop is None else stop.left_ms,
        planned_ms=None if stop is None else stop.planned_arrival_ms,
        recipient=recipient,
        recipient_role=_told_text(told, "recipient_role", "recipientRole"),
        signature=signature,
        signatures=signatures,
        photos=photos,
        photo=photo,
        items=items,
        has_discrepancy=bool(discrepancy) or any(item.is_different for item in items),
        discrepancy_reason=_last_text(discrepancy, "reason") or _told_text(told, "discrepancy_reason"),
        is_proxy=bool(proxy),
        proxy_reason=_last_text(proxy, "reason") or _told_text(told, "proxy_reason"),
        notes=_last_text(told, "notes") or ("" if stop is None else stop.notes),
        lat=lat,
        lon=lon,
        driver=_first(delivered, told, "driver"),
        session=_first(delivered, told, "session"),
        device=_first(delivered, told, "device"),
        vehicle=_first(delivered, told, "vehicle"),
        sources=tuple(sorted({event.source for event in told}, key=_rank)),
        events=len(told),
        newest_ms=max((event.received_ms or event.captured_ms for event in told), default=None),
        marks=tuple(notes.marks),
        remarks=tuple(notes.remarks),
        missing=_missing(outcome, recipient, signature, photo),
    )


def in_order(events: Iterable[Any]) -> list[Any]:
    """By the phone's clock; what came twice with the same content counts once."""
    seen: set[tuple[Any, ...]] = set()
    found = []
    for event in sorted(events, key=lambda one: (one.captured_ms, _rank(one.source), one.peer_id)):
        key = (
            event.source, event.kind, event.captured_ms, event.item, event.expected_units, event.delivered_units,
            event.recipient, event.reason, event.notes, event.photo_url, event.photo_kind, event.is_uploaded,
        )  # fmt: skip
        if key not in seen:
            seen.add(key)
            found.append(event)
    return found


def _rank(source: str) -> int:
    return RANK.get(source, len(RANK))


def _outcome(told: Sequence[Any], stop: Any | None, notes: _Notes) -> tuple[str, Any | None]:
    """The outcome, and the event that it rests on: the first of the best source's newest word."""
    ends = [event for event in told if event.kind in OUTCOMES]
    if not ends:
        stage = "" if stop is None else stop.stage
        if stage in ("delivered", "failed", "skipped"):
            return stage, None
        arrived = stage == "arrived" or any(event.kind in ("arrived", "delivery_started") for event in told)
        proved = any(event.kind == "proof" for event in told)
        return ("delivered" if proved else "arrived" if arrived else "open"), None
    best = min(_rank(event.source) for event in ends)
    own = [event for event in ends if _rank(event.source) == best]
    outcome = OUTCOMES[own[-1].kind]
    same = [event for event in own if OUTCOMES[event.kind] == outcome]
    kinds = sorted({OUTCOMES[event.kind] for event in ends})
    if len(kinds) > 1:
        notes.add("contradiction", f"It was told as {' and as '.join(kinds)}.")
    if stop is not None and stop.stage in ("failed", "skipped", "delivered") and stop.stage != outcome:
        notes.add("contradiction", f"The platform's route says {stop.stage}, the events say {outcome}.")
    if same[-1].captured_ms - same[0].captured_ms > TWICE_MS:
        at = " and ".join(moment_words(event.captured_ms) for event in (same[0], same[-1]))
        notes.add("told_twice", f"It was told more than once: {at}.")
    return outcome, same[0]


@dataclass(frozen=True, slots=True)
class _Times:
    told_ms: int | None
    received_ms: int | None
    at_ms: int | None
    is_ahead: bool = False


def _times(moment: Any | None, stop: Any | None, outcome: str, told: Sequence[Any]) -> _Times:
    if moment is None:
        at_ms = None
        if stop is not None and outcome not in ("open", "arrived"):
            at_ms = stop.left_ms if stop.left_ms is not None else stop.arrived_ms
        return _Times(at_ms, None, at_ms)
    received = [event.received_ms for event in told if event.captured_ms == moment.captured_ms]
    known = [ms for ms in received if ms is not None]
    received_ms = moment.received_ms if moment.received_ms is not None else min(known, default=None)
    is_ahead = received_ms is not None and moment.captured_ms > received_ms + CLOCKS_APART_MS
    return _Times(moment.captured_ms, received_ms, received_ms if is_ahead else moment.captured_ms, is_ahead)


def _judge_times(times: _Times, stop: Any | None, batch: Any | None, now_ms: int, notes: _Notes) -> None:
    told_ms, received_ms, at_ms = times.told_ms, times.received_ms, times.at_ms
    if told_ms is None or at_ms is None:
        return
    if times.is_ahead and received_ms is not None:
        ahead = span_words(told_ms - received_ms)
        notes.add("future", f"The phone's clock says {ahead} after the platform had received it.")
    elif told_ms > now_ms + CLOCKS_APART_MS:
        notes.add("future", f"The phone's clock says {moment_words(told_ms)}, which is still to come.")
    if received_ms is not None and received_ms - told_ms > REPORTED_LATE_MS:
        notes.add("reported_late", f"The platform received it {span_words(received_ms - told_ms)} afterwards.")
    planned_ms = None if stop is None else stop.planned_arrival_ms
    if planned_ms is not None and abs(at_ms - planned_ms) > OFF_PLAN_MS:
        mark = "late" if at_ms > planned_ms else "early"
        notes.add(mark, f"It was {span_words(at_ms - planned_ms)} {'after' if mark == 'late' else 'before'} the plan.")
    if batch is None:
        return
    if batch.started_ms is not None and at_ms < batch.started_ms - CLOCKS_APART_MS:
        notes.add("before_start", f"The batch was started {span_words(batch.started_ms - at_ms)} later.")
    if batch.ended_ms is not None and at_ms > batch.ended_ms + CLOCKS_APART_MS:
        notes.add("after_end", f"The batch had ended {span_words(at_ms - batch.ended_ms)} before.")


def _files(told: Sequence[Any], stop: Any | None) -> tuple[tuple[Photo, ...], tuple[Photo, ...], str]:
    """Photos, signatures with an address, and the signature's state. What is uploaded stands for its own report."""
    photos: dict[tuple[str, Any], Photo] = {}
    signed: dict[tuple[str, Any], Photo] = {}
    signature = NONE
    for event in told:
        state = UPLOADED if event.photo_url and event.is_uploaded else REPORTED
        is_signature = event.kind == "signature" or event.photo_kind == "signature"
        if is_signature or _told_url(event, "recipient_signature_url"):
            signature = _best((signature, state if is_signature else REPORTED))
        if is_signature and event.photo_url:
            signed[SIGNATURE, event.photo_url] = Photo(SIGNATURE, state, event.photo_url, event.captured_ms)
        is_photo = event.kind == "photo" or (event.photo_url and event.kind in ("delivered", "proof"))
        if is_photo and event.photo_kind != "signature":
            kind = event.photo_kind or "proof_of_delivery"
            key = (kind, event.photo_url or event.captured_ms)
            before = photos.get(key)
            if before is None or before.state != UPLOADED:
                photos[key] = Photo(kind, state, event.photo_url, event.captured_ms)
    if stop is not None and stop.proof_url:
        photos[("proof_of_delivery", stop.proof_url)] = Photo(
            "proof_of_delivery", UPLOADED, stop.proof_url, stop.left_ms or stop.arrived_ms or 0
        )
    if not photos and (captured := next((event for event in told if _flag(event, "proofCaptured")), None)) is not None:
        photos[("proof_of_delivery", "")] = Photo("proof_of_delivery", REPORTED, "", captured.captured_ms)
    return _in_time(photos.values()), _in_time(signed.values()), signature


def _in_time(photos: Iterable[Photo]) -> tuple[Photo, ...]:
    return tuple(sorted(photos, key=lambda one: (one.captured_ms, one.kind, one.url)))


def _best(states: Iterable[str]) -> str:
    return max(states, key=(NONE, REPORTED, UPLOADED).index, default=NONE)


def _recipient(told: Sequence[Any], stop: Any | None, notes: _Notes) -> str:
    names = [
        (_rank(event.source), event.captured_ms, " ".join(event.recipient.split()))
        for event in told
        if event.recipient.strip()
    ]
    if stop is not None and stop.recipient.strip():
        names.append((_rank("route_history"), 0, " ".join(stop.recipient.split())))
    if not names:
        return ""
    different = {name.casefold(): name for _rank_of, _at, name in sorted(names)}
    if len(different) > 1:
        notes.add("contradiction", f"Different recipients were told: {', '.join(sorted(different.values()))}.")
    return min(names)[2]


def _place(told: Sequence[Any], moment: Any | None) -> tuple[float | None, float | None]:
    """Where the phone said it was at the delivery; 0, 0 is no place."""
    for event in ([] if moment is None else [moment]) + [one for one in told if one.kind in PROOF_KINDS]:
        if event.lat is not None and event.lon is not None and (event.lat or event.lon):
            return event.lat, event.lon
    return None, None


def _arrived(told: Sequence[Any], stop: Any | None) -> int | None:
    times: list[int] = [event.captured_ms for event in told if event.kind == "arrived"]
    if stop is not None and not times:
        times = [ms for ms in (stop.arrived_ms,) if ms is not None]
    return min(times, default=None)


def _missing(outcome: str, recipient: str, signature: str, photo: str) -> tuple[str, ...]:
    if outcome != "delivered":
        return ()
    have = (("recipient", bool(recipient)), ("signature", signature != NONE), ("photo", photo != NONE))
    return tuple(word for word, there in have if not there)


def _first(moment: Any | None, told: Sequence[Any], name: str) -> str:
    for event in ([] if moment is None else [moment]) + list(told):
        if value := getattr(event, name):
            return str(value)
    return ""


def _last_text(events: Sequence[Any], name: str) -> str:
    return next((getattr(event, name).strip() for event in reversed(events) if getattr(event, name).strip()), "")


def _flag(event: Any, name: str) -> bool:
    return isinstance(event.told, Mapping) and event.told.get(name) is True


def _told_url(event: Any, name: str) -> bool:
    return isinstance(event.told, Mapping) and bool(event.told.get(name))


def _told_text(told: Sequence[Any], *names: str) -> str:
    for event in reversed(told):
        if isinstance(event.told, Mapping):
            for name in names:
                value = event.told.get(name)
                if isinstance(value, str) and value.strip():
                    return value.strip()[:300]
    return ""
