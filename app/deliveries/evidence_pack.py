"""One file for a dispute: thread, proofs with their files, verdicts, positions, raw frames, and hashes over all.

The pack is verified by the small script that lies in it, :mod:`app.deliveries.verify_evidence`, without this program.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from app.clock import from_ms
from app.deliveries import verify_evidence
from app.deliveries.evidence_files import PackedFiles
from app.deliveries.evidence_html import page_of
from app.deliveries.phones import phone_keys
from app.deliveries.thread import BatchThread, Thread, thread_of
from app.deliveries.times import HOUR_MS
from app.deliveries.verify_evidence import FORM, MANIFEST
from app.fleet.plausibility import mark_names
from app.fleet.text import harmless
from app.fleet.times import iso, iso_ms
from app.fleet.tracks import assignments_of
from app.proof_files.folder import ProofFolder
from app.store.tables import DeliveryEventRow, Device, Integration, PositionRow, RawFrameRow
from app.supply.filters import Place
from app.versions import VERSION

MOST_POSITIONS = 200_000
"""Of one batch and source: a fix a second for two days."""
AROUND_MS = HOUR_MS
MAP = "map"
NO_MAP = "No map: the pack was made by the command, without a window that draws one."
_PAGE = 5_000
_POSITIONS = (
    "source", "device", "fixed_at", "received_at", "lat", "lon", "speed_km_h", "course_deg", "located", "marks",
    "raw_frame_id",
)  # fmt: skip
_FRAMES = ("id", "received_at", "protocol", "peer", "verdict", "data_hex", "reply_hex")
_EVENTS = (
    "peer_id", "source", "kind", "word", "captured_at", "received_at", "facility", "lat", "lon", "recipient", "item",
    "expected_units", "delivered_units", "reason", "notes", "photo_url", "photo_kind", "is_uploaded", "told",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pack:
    """The file's bytes, and the hash of its list of hashes: written down elsewhere, it vouches for the whole pack."""

    data: bytes
    manifest_hash: str
    files: Sequence[str]


def evidence_pack(
    connection: Connection,
    record_id: str,
    now_ms: int,
    *,
    made_by: str,
    pictures: Mapping[str, bytes] | None = None,
    no_map: str = NO_MAP,
    folder: ProofFolder | None = None,
) -> Pack:
    """The pack of a shipment or a batch. ``pictures`` are PNG files by name (``map``, as the caller drew it).

    MANIFEST.json says in ``map_picture`` which file is the map, or, with ``no_map``, why there is none; thread.html
    shows the one or the other. ``folder`` is where files of proofs are kept; ``files.json`` of each batch says which
    are in the pack, and why the others are not. Raises NotFound.
    """
    thread = thread_of(connection, record_id, now_ms)
    named = {name: f"pictures/{_file_name(name)}.png" for name in pictures or {}}
    packed = PackedFiles(folder)
    listed = {f"batch-{number}": packed.add(f"batch-{number}", one.proofs) for number, one in _numbered(thread)}
    files = _files(connection, thread, now_ms) | packed.contents
    files |= {f"{place}/files.json": _json(rows) for place, rows in listed.items()}
    files |= {named[name]: picture for name, picture in (pictures or {}).items()}
    page = page_of(thread, now_ms, made_by, map_file=named.get(MAP, ""), no_map=no_map, files=list(listed.values()))
    files["thread.html"] = page.encode()
    return _zipped(files, thread.title, now_ms, made_by, map_picture=named.get(MAP, no_map))


def _files(connection: Connection, thread: Thread, now_ms: int) -> dict[str, bytes]:
    files: dict[str, bytes] = {
        "thread.json": _json(thread.as_json()),
        "verify_evidence.py": Path(verify_evidence.__file__).read_bytes(),
    }
    for number, one in _numbered(thread):
        folder = f"batch-{number}"
        files[f"{folder}/proofs.json"] = _json([proof.as_row() for proof in one.proofs])
        files[f"{folder}/verdicts.json"] = _json([_verdict_json(one, proof) for proof in one.proofs])
        files[f"{folder}/events.csv"] = _events_csv(connection, one)
        positions, frame_ids = _positions_csv(connection, one, now_ms)
        files[f"{folder}/positions.csv"] = positions
        files[f"{folder}/raw_frames.csv"] = _frames_csv(connection, frame_ids)
    return files


def _numbered(thread: Thread) -> Iterator[tuple[int, BatchThread]]:
    return enumerate(thread.batches, 1)


def _zipped(files: Mapping[str, bytes], title: str, now_ms: int, made_by: str, *, map_picture: str) -> Pack:
    manifest = {
        "form": FORM,
        "title": title,
        "made_at": iso_ms(now_ms),
        "made_by": made_by,
        "program": f"biko-console {VERSION}",
        "map_picture": map_picture,
        "files": {
            name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
            for name, data in sorted(files.items())
        },
    }
    told = _json(manifest)
    buffer = io.BytesIO()
    moment = from_ms(now_ms).timetuple()[:6]
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as pack:
        for name, data in [(MANIFEST, told), *sorted(files.items())]:
            how = zipfile.ZIP_STORED if "/files/" in name else zipfile.ZIP_DEFLATED  # photos do not get smaller
            pack.writestr(zipfile.ZipInfo(name, moment), data, how)
    return Pack(buffer.getvalue(), hashlib.sha256(told).hexdigest(), [MANIFEST, *sorted(files)])


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True).encode("utf-8", "replace")


def _verdict_json(one: BatchThread, proof: Any) -> dict[str, Any]:
    verdict = proof.verdict
    return {
        "batch": one.details.batch.name,
        "facility": proof.proof.facility,
        "facility_name": proof.facility_name,
        "verdict": None if verdict is None else verdict.verdict,
        "reasons": [] if verdict is None else list(verdict.reasons),
        "evidence": {} if verdict is None else dict(verdict.evidence),
        "distance_m": None if verdict is None else verdict.distance_m,
        "rests_on": None if verdict is None else iso_ms(verdict.rests_on_ms or None),
        "computed_at": None if verdict is None else iso(verdict.computed_at),
    }


def _csv(columns: Sequence[str], rows: Iterator[Sequence[Any]]) -> bytes:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([harmless(cell) if isinstance(cell, str) else cell for cell in row])
    return buffer.getvalue().encode("utf-8", "replace")


def _events_csv(connection: Connection, one: BatchThread) -> bytes:
    event, batch = DeliveryEventRow, one.details.batch
    query = (
        select(event.__table__)
        .where(event.integration_id == batch.integration_id, event.batch == batch.peer_id, event.kind != "position")
        .order_by(event.captured_ms, event.key)
    )

    def rows() -> Iterator[Sequence[Any]]:
        for row in connection.execute(query):
            told = "" if row.told is None else json.dumps(row.told, ensure_ascii=False, sort_keys=True)
            yield (
                row.peer_id, row.source, row.kind, row.word, iso_ms(row.captured_ms), iso_ms(row.received_ms),
                row.facility, row.lat, row.lon, row.recipient, row.item, row.expected_units, row.delivered_units,
                row.reason, row.notes, row.photo_url, row.photo_kind, row.is_uploaded, told,
            )  # fmt: skip

    return _csv(_EVENTS, rows())


def _positions_csv(connection: Connection, one: BatchThread, now_ms: int) -> tuple[bytes, list[int]]:
    """Every fix of the vehicle's trackers and of the driver's phone during the batch, and the frames behind them."""
    frame_ids: list[int] = []

    def rows() -> Iterator[Sequence[Any]]:
        for source, device, key, from_ms_, to_ms in _sources(connection, one, now_ms):
            for row in _fixes(connection, key, from_ms_, to_ms):
                if row.raw_frame_id is not None:
                    frame_ids.append(row.raw_frame_id)
                yield (
                    source, device, iso_ms(row.fixed_at_ms), iso_ms(row.received_at_ms), row.lat, row.lon,
                    row.speed_km_h, row.course_deg, row.located, " ".join(mark_names(row.marks)), row.raw_frame_id,
                )  # fmt: skip

    return _csv(_POSITIONS, rows()), frame_ids


def _sources(connection: Connection, one: BatchThread, now_ms: int) -> list[tuple[str, str, int, int, int]]:
    """(integration, tracker, key, from, to): trackers while they were on the vehicle, and the phone."""
    batch = one.details.batch
    if batch.started_ms is None:
        return []
    ends = [ms for ms in (batch.ended_ms, *(proof.proof.at_ms for proof in one.proofs)) if ms is not None]
    from_ms_, to_ms = batch.started_ms - AROUND_MS, min(max([batch.started_ms, *ends]) + AROUND_MS, now_ms + AROUND_MS)
    if batch.ended_ms is None and one.track is not None:
        to_ms = max(to_ms, one.track.to_ms)
    keys: list[tuple[int, int, int]] = []
    if batch.vehicle_id:
        keys += [
            (key, max(start, from_ms_), min(end, to_ms))
            for key, _server, start, end in assignments_of(connection, batch.vehicle_id, from_ms_, to_ms)
        ]
    phone = phone_keys(connection, [Place(batch.integration_id, batch.driver)]) if batch.driver else {}
    keys += [(key, from_ms_, to_ms) for key in phone.values()]
    named = select(Device.key, Device.unique_id, Integration.name).join(
        Integration, Integration.id == Device.integration_id
    )
    names = {
        row.key: (row.name, row.unique_id)
        for row in connection.execute(named.where(Device.key.in_([key for key, _, _ in keys])))
    }
    return [(*names.get(key, ("", "")), key, start, end) for key, start, end in keys]


def _fixes(connection: Connection, key: int, from_ms_: int, to_ms: int) -> Iterator[Any]:
    position = PositionRow
    query = (
        select(
            position.fixed_at_ms, position.received_at_ms, position.lat, position.lon, position.speed_km_h,
            position.course_deg, position.located, position.marks, position.raw_frame_id,
        )
        .where(position.device_key == key, position.fixed_at_ms >= from_ms_, position.fixed_at_ms <= to_ms)
        .order_by(position.fixed_at_ms, position.id)
        .limit(MOST_POSITIONS)
    )  # fmt: skip
    yield from connection.execute(query)


def _frames_csv(connection: Connection, frame_ids: Sequence[int]) -> bytes:
    """The bytes as they were received; what retention has deleted is missing here, and its positions are not."""
    frame = RawFrameRow
    wanted = sorted(set(frame_ids))

    def rows() -> Iterator[Sequence[Any]]:
        for start in range(0, len(wanted), _PAGE):
            query = select(frame.__table__).where(frame.id.in_(wanted[start : start + _PAGE])).order_by(frame.id)
            for row in connection.execute(query):
                yield (
                    row.id, iso_ms(row.received_at_ms), row.protocol, row.peer, row.verdict, bytes(row.data).hex(),
                    bytes(row.reply).hex(),
                )  # fmt: skip

    return _csv(_FRAMES, rows())


def _file_name(name: str) -> str:
    """A name of a picture as a file's: letters, digits and hyphens."""
    return "".join(char if char.isascii() and char.isalnum() else "-" for char in name)[:60] or "picture"
