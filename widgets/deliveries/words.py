"""Words, shapes and colours for what is said of batches, stops, runs and proofs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from app.deliveries.batch import StopListing
from app.deliveries.batches import BatchListing
from app.deliveries.board import BoardRow
from app.deliveries.eta import BatchEta, StopEta
from app.deliveries.proof import UPLOADED, Photo
from app.deliveries.proofs import ProofListing, Verdict
from app.deliveries.times import span_words
from app.deliveries.waiting import Waiting
from app.proof_files.formats import FORMAT_NAMES
from app.proof_files.listing import FileRow
from app.proof_files.words import FileState, progress_words, size_words
from resources.i18n import tr, trn
from widgets.formats import NOTHING, Formats
from widgets.theme import Level

Pill = tuple[Level, str]

STAGES: Mapping[str, Pill] = {
    "in_progress": ("info", tr("In progress")),
    "assigned": ("neutral", tr("Assigned")),
    "planned": ("neutral", tr("Planned")),
    "completed": ("ok", tr("Completed")),
    "cancelled": ("error", tr("Cancelled")),
    "unknown": ("warn", tr("Unknown")),
}
STOPS: Mapping[str, Pill] = {
    "pending": ("neutral", tr("To come")),
    "in_transit": ("info", tr("On the way")),
    "arrived": ("info", tr("There now")),
    "delivered": ("ok", tr("Delivered")),
    "failed": ("error", tr("Failed")),
    "skipped": ("warn", tr("Skipped")),
    "unknown": ("warn", tr("Unknown")),
}
RUNS: Mapping[str, Pill] = {
    "planned": ("neutral", tr("Planned")),
    "loading": ("neutral", tr("Loading")),
    "pending": ("neutral", tr("Pending")),
    "departed": ("info", tr("Departed")),
    "dispatched": ("info", tr("Dispatched")),
    "in_transit": ("info", tr("In transit")),
    "delayed": ("warn", tr("Delayed")),
    "partial_delivery": ("warn", tr("Partly delivered")),
    "returned": ("warn", tr("Returned")),
    "completed": ("ok", tr("Completed")),
    "failed": ("error", tr("Failed")),
    "cancelled": ("error", tr("Cancelled")),
}
VERDICTS: Mapping[str, Pill] = {
    "confirmed": ("ok", tr("Confirmed")),
    "doubtful": ("error", tr("Doubtful")),
    "no_evidence": ("neutral", tr("No evidence")),
    "not_judged": ("neutral", tr("Not compared yet")),
}
OUTCOMES: Mapping[str, Pill] = {
    "delivered": ("ok", tr("Delivered")),
    "failed": ("error", tr("Failed")),
    "skipped": ("warn", tr("Skipped")),
    "returned": ("warn", tr("Returned")),
    "arrived": ("info", tr("Arrived")),
    "open": ("neutral", tr("Open")),
}
PROOF_STATES: Mapping[str, str] = {
    "not_uploaded": tr("Reported, file not uploaded"),
    "not_kept": tr("Uploaded, no photo here"),
    "discrepancy": tr("Quantities differ"),
    "proxy": tr("Delivered elsewhere"),
    "missing": tr("Something is missing"),
    "marked": tr("Times stand out"),
    "not_delivered": tr("Not delivered"),
}
FILES: Mapping[str, Pill] = {
    "none": ("neutral", tr("None")),
    "reported": ("warn", tr("Reported, file not uploaded")),
    "uploaded": ("info", tr("Uploaded")),
    "waiting": ("info", tr("Waits to be fetched")),
    "fetching": ("info", tr("Is being fetched")),
    "kept": ("ok", tr("Kept here")),
    "no_photo": ("warn", tr("Is no photo")),
    "off": ("neutral", tr("Uploaded, not fetched")),
    "blocked": ("warn", tr("Not allowed to be fetched")),
    "refused": ("error", tr("Refused")),
    "removed": ("neutral", tr("Removed here")),
}
_TO_LOOK_AT = ("refused", "blocked", "no_photo", "fetching", "waiting", "off", "removed", "uploaded", "kept")
"""Of several files the one that is farthest from being here stands for all."""
FILES_SHORT: Mapping[str, Pill] = {
    **FILES,
    "reported": ("warn", tr("Not uploaded")),
    "waiting": ("info", tr("Waits")),
    "fetching": ("info", tr("Coming")),
    "off": ("neutral", tr("Not fetched")),
    "blocked": ("warn", tr("Not allowed")),
}
"""For columns; the whole stands in the tip."""
PAPERS: Mapping[str, str] = {"invoice": tr("Invoice"), "requisition": tr("Requisition")}
AVAILABLE: Mapping[str, str] = {
    "available": tr("available"),
    "unavailable": tr("not available"),
    "away": tr("away today"),
}
LICENCES: Mapping[str, str] = {
    "valid": tr("licence valid"),
    "soon": tr("licence ends soon"),
    "expired": tr("licence expired"),
    "unknown": tr("licence unknown"),
}
SOURCES: Mapping[str, str] = {"tracker": tr("the vehicle's tracker"), "phone": tr("the driver's phone")}
EVERY, TODAY, TOMORROW, WEEK, MONTH = "", "today", "tomorrow", "week", "month"
DAYS: Mapping[str, str] = {
    TODAY: tr("Today, and still open"),
    TOMORROW: tr("Tomorrow"),
    WEEK: tr("Last 7 days, and still open"),
    MONTH: tr("Last 30 days, and still open"),
    EVERY: tr("Every day"),
}


def days_of(choice: str, today: date) -> tuple[str | None, str | None, bool]:
    """(from, until, whether open ones of before are shown too) as inclusive ISO days."""
    if choice == TODAY:
        return today.isoformat(), today.isoformat(), True
    if choice == TOMORROW:
        day = (today + timedelta(days=1)).isoformat()
        return day, day, False
    if choice in (WEEK, MONTH):
        back = 6 if choice == WEEK else 29
        return (today - timedelta(days=back)).isoformat(), today.isoformat(), True
    return None, None, False


def stage_pill(batch: BatchListing) -> Pill:
    return STAGES.get(batch.stage, STAGES["unknown"])


def stage_tip(batch: BatchListing) -> str:
    """The platform's own word, and what is shown before it is accepted."""
    told = tr("The platform says “{status}”.", status=batch.status or NOTHING)
    if "stage" in batch.pending:
        return f"{told} " + tr("This is what it will be once the change that is saved here is accepted.")
    return told


def stop_pill(stop: StopListing) -> Pill:
    return STOPS.get(stop.stage, STOPS["unknown"])


def verdict_pill(verdict: Verdict | None) -> Pill:
    return VERDICTS["not_judged"] if verdict is None else VERDICTS.get(verdict.verdict, VERDICTS["no_evidence"])


def outcome_pill(one: ProofListing) -> Pill:
    return OUTCOMES.get(one.proof.outcome, OUTCOMES["open"])


def file_key(photo: Photo, file: FileRow | None) -> str:
    """A key of :data:`FILES`."""
    if photo.state != UPLOADED or file is None:
        return photo.state
    return "no_photo" if file.is_kept and not file.is_picture else str(file.state)


def file_pill(photo: Photo, file: FileRow | None) -> Pill:
    """The state of one file, with how far it is."""
    level, word = FILES[file_key(photo, file)]
    if file is not None and file.state is FileState.FETCHING:
        return level, tr("Fetching {progress}", progress=progress_words(file.received, file.total))
    return level, word


def told_pill(one: ProofListing, photos: Sequence[Photo], told: str, pills: Mapping[str, Pill] = FILES) -> Pill:
    """What stands for all photos, or all signatures, of a proof. ``told``: the state where none has an address."""
    keys = {file_key(photo, one.file_of(photo)) for photo in photos if photo.state == UPLOADED}
    return pills[next((key for key in _TO_LOOK_AT if key in keys), told)]


def files_tip(one: ProofListing, photos: Sequence[Photo], told: str) -> str:
    """Each file with its reason, one on a line."""
    lines = []
    for photo in photos:
        file = one.file_of(photo)
        reason = "" if file is None else file.reason
        lines.append(f"{photo.kind.replace('_', ' ').capitalize()}: {file_pill(photo, file)[1]}. {reason}".strip())
    return "\n".join(lines) or FILES[told][1]


def file_words(file: FileRow, formats: Formats) -> str:
    """Where the file of a photo stands: what, why, since when, what next."""
    since = formats.time(file.since_ms)
    match file.state:
        case FileState.KEPT:
            kind = FORMAT_NAMES.get(file.format, "")
            facts = " · ".join(part for part in (size_words(file.received), kind) if part)
            said = tr("{facts}, fetched {time}.", facts=facts, time=since)
            if not kind:
                said += " " + tr("Its first bytes are no photo's: it is kept as evidence and not opened.")
            return f"{said} {file.reason}".strip()
        case FileState.FETCHING:
            return tr("Since {time}. {reason}", time=since, reason=file.reason).strip()
        case FileState.WAITING:
            parts = [file.reason or tr("It is fetched after those of newer deliveries.")]
            if file.received:
                parts.append(tr("{progress} came.", progress=progress_words(file.received, file.total)))
            if file.next_try_ms is not None:
                parts.append(tr("Next try {time}.", time=formats.time(file.next_try_ms)))
            return " ".join(parts)
        case FileState.REFUSED:
            return tr("{why} Since {time}; it is not tried again by itself.", why=file.reason, time=since)
        case _:
            return tr("{why} Since {time}.", why=file.reason, time=since)


def in_groups(digest: str) -> str:
    """A hash that can be compared by eye, and that wraps."""
    return " ".join(digest[at : at + 8] for at in range(0, len(digest), 8))


def waiting_pill(waiting: Waiting | None) -> Pill | None:
    if waiting is None:
        return None
    return ("error", tr("Refused")) if waiting.is_stuck else ("warn", tr("Saved here"))


def waiting_tip(waiting: Waiting | None) -> str:
    if waiting is None:
        return ""
    said = trn("{count} change is not accepted yet.", "{count} changes are not accepted yet.", waiting.changes)
    return f"{said} {waiting.answer}".strip()


def stops_word(batch: BatchListing) -> str:
    return f"{batch.stops_done}/{batch.stops}" if batch.stops else NOTHING


def late_pill(row: BoardRow) -> Pill | None:
    """Only where an arrival and its plan are known."""
    if row.late_ms is None:
        return None
    if row.is_late:
        return "warn", tr("{span} late", span=span_words(row.late_ms))
    return "ok", tr("In time")


def eta_words(eta: StopEta | None, formats: Formats) -> str:
    if eta is None:
        return ""
    return tr("unknown") if eta.eta_ms is None else formats.clock(eta.eta_ms)


def eta_tip(eta: BatchEta | None, formats: Formats) -> str:
    """How the arrival was reckoned, or why there is none."""
    if eta is None or eta.next_stop is None:
        return ""
    one = eta.next_stop
    if one.eta_ms is None or eta.place is None:
        return one.why
    if one.why:
        return one.why
    way = formats.distance((one.way_m or 0.0) / 1000)
    speed = formats.speed(eta.speed_km_h)
    usual = tr("a usual speed: it has not moved long enough of late") if eta.is_usual_speed else tr("its own speed")
    return tr(
        "An estimate: {way} from where {source} was {ago} ago, at {speed} ({usual}).",
        way=way, source=SOURCES.get(eta.place.source, eta.place.source), ago=span_words(eta.age_ms or 0),
        speed=speed, usual=usual,
    )  # fmt: skip


def marks(row: BoardRow) -> list[str]:
    """What somebody should look at, the gravest first."""
    found = []
    if row.doubtful:
        found.append(trn("{count} doubtful proof", "{count} doubtful proofs", row.doubtful))
    if row.gaps:
        found.append(trn("{count} gap", "{count} gaps", row.gaps))
    if row.batch.stops_failed:
        found.append(trn("{count} stop missed", "{count} stops missed", row.batch.stops_failed))
    if row.lacks_check:
        found.append(tr("check not done") if not row.check else tr("check not in order"))
    elif row.check == "overridden":
        found.append(tr("check overridden"))
    return found


def marks_pill(row: BoardRow) -> Pill | None:
    found = marks(row)
    if not found:
        return None
    level: Level = "error" if row.doubtful else "neutral" if found == [tr("check not done")] else "warn"
    return level, found[0] if len(found) == 1 else f"{found[0]} +{len(found) - 1}"


def amount(value: float | None, formats: Formats) -> str:
    return NOTHING if value is None else formats.number(value, 0 if value == int(value) else 1)


def driver_line(driver: Any, formats: Formats) -> str:
    """Availability, licence and link of a driver, as one line: ``available · licence valid · linked``."""
    link = tr("no login linked") if not driver.link else tr("linked")
    if driver.link and driver.link != "active":
        link = tr("link {state}", state=driver.link)
    parts = [AVAILABLE.get(driver.availability, driver.availability), LICENCES[driver.licence], link]
    if driver.heard_ms is not None:
        parts.append(tr("heard {ago}", ago=formats.ago(driver.heard_ms)))
    return " · ".join(parts)
