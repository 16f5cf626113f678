"""What an answer says about the records of a call, whatever its shape.

Nothing is public about answers (nhlmis.md, A6, D2), so that they are read by their look: lists under telling names, one
entry for each record that was sent, positions and codes in entries and in their texts. Where the profile names the
places, only those are looked at. What cannot be tied to a record counts for the whole call: never silently for none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.nhlmis import fields, paths
from adapters.nhlmis.profile import Answers
from adapters.reporting import Refusal, SentRecord

LONGEST_WHY = 300
MOST_BYTES = 4_000_000
MOST_ENTRIES = 20_000
_DEEPEST = 5

_ERROR_NAMES = frozenset(
    {
        *("error", "errors", "rejected", "rejections", "refused", "refusals", "failed", "failures", "invalid"),
        *("detail", "details", "issues", "problems", "validationerrors", "fielderrors", "violations"),
        *("invalidrecords", "rejectedrecords", "failedrecords"),
    }
)
_RESULT_NAMES = frozenset(
    {"result", "results", "records", "items", "data", "rows", "lines", "batches", "stockcounts", "responses"}
)
_INDEX_NAMES = ("index", "row", "line", "position", "recordindex", "rowindex", "rownumber", "linenumber")
_PLACE_NAMES = ("loc", "path", "field", "pointer", "instancepath", "property", "key", "source")
_WHY_NAMES = (
    "message",
    "reason",
    "msg",
    "error",
    "errormessage",
    "detail",
    "description",
    "why",
    "title",
    "errors",
    "code",
)
_TRUTH_NAMES = ("success", "ok", "accepted", "valid", "issuccess")
_STATE_NAMES = ("status", "state", "result", "outcome")
_BAD_STATES = frozenset(["error", "errors", "failed", "failure", "rejected", "refused", "invalid", "fail"])
_NUMBERED = re.compile(r"\b(?:row|line|record|index|item|entry)\s*(?:no\.?|number|#|:)?\s*(\d{1,5})\b", re.IGNORECASE)
_PLACED = re.compile(r"(?:^|[\[./#])(\d{1,5})(?=[\]./]|$)")


@dataclass(frozen=True, slots=True)
class Verdict:
    """``refusals`` are tied to rows; ``whole`` is what is said against the call as such, "" for nothing."""

    refusals: tuple[Refusal, ...] = ()
    whole: str = ""

    @property
    def is_good(self) -> bool:
        return not self.refusals and not self.whole


@dataclass(frozen=True, slots=True)
class _Entry:
    """Something said against a record: by its place in a list or object, if that tells which."""

    said: object
    place: int | None = None


def read_verdict(answers: Answers, status: int, body: bytes, records: Sequence[SentRecord]) -> Verdict:
    """What was refused of ``records``. Never raises: an answer that says nothing of the kind accepts them all.

    An answer of 400 and more always speaks against something.
    """
    refused = status >= 400
    data = _json(body)
    entries = _named(answers, data) if answers.refusals_path else list(_found(data, records, refused, 0))
    told: dict[str, str] = {}
    whole: list[str] = []
    for entry in entries[:MOST_ENTRIES]:
        why = _why(answers, entry.said)
        hit = _records_of(answers, entry, records)
        if not hit:
            whole.append(why)
        for record in hit:
            for row in record.rows:
                told.setdefault(row, why)
    if not told and not whole and (refused or _speaks_against(data)):
        whole.append(_why(answers, data) if data is not None else _excerpt(body))
    kept = [text for text in dict.fromkeys(whole) if text][:5]
    said = "; ".join(kept) or ("no reason given" if whole or (refused and not told) else "")
    return Verdict(tuple(Refusal(row, why or "no reason given") for row, why in told.items()), said[:LONGEST_WHY])


def is_mute(status: int, body: bytes) -> bool:
    """A success that is no word of NHLMIS: a proxy that lost the request answers so, too."""
    if status != 200:  # 201 and 204 say what was done
        return False
    return not isinstance(_json(body), dict | list)


def _json(body: bytes) -> Any:
    if not body.strip() or len(body) > MOST_BYTES:
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _excerpt(body: bytes) -> str:
    return fields.text(body[:2000].decode("utf-8", "replace"), LONGEST_WHY)


# --- finding what is said against records -----------------------------------------------------------------------------


def _named(answers: Answers, data: object) -> list[_Entry]:
    found = paths.read(data, answers.refusals_path)
    return list(_entries(found, answers.first_index)) if found else []


def _entries(value: object, first: int = 0) -> Iterator[_Entry]:
    """Entries under a name that speaks of errors; an object's keys may be positions."""
    if isinstance(value, list):
        yield from (_Entry(said) for said in value if said not in (None, "", {}, []))
    elif isinstance(value, dict):
        if value and all(key.isascii() and key.isdigit() and len(key) < 6 for key in value):
            yield from (_Entry(said, int(key) - first) for key, said in value.items() if said)
        elif any(_flat(key) in (*_WHY_NAMES, *_INDEX_NAMES) for key in value):
            yield _Entry(value)
        else:
            yield from (_Entry({"path": key, "message": said}) for key, said in value.items() if said)
    elif value not in (None, "", False, 0):
        yield _Entry(value)


def _found(data: object, records: Sequence[SentRecord], refused: bool, depth: int) -> Iterator[_Entry]:
    if depth > _DEEPEST:
        return
    if isinstance(data, list):
        by_place = len(data) == len(records)
        faulty = refused and depth == 0
        parallel = by_place and any(one == {} for one in data)  # objects of faults by field, empty for the good ones
        for place, said in enumerate(data):
            listed = faulty and said not in (None, "", {}, [])
            if listed or _speaks_against(said) or (parallel and _is_faults_by_field(said)):
                yield _Entry(said, place if by_place else None)
        return
    if not isinstance(data, dict):
        return
    for key, value in data.items():
        name = _flat(key)
        if name in _ERROR_NAMES and not isinstance(value, str | bool):
            parallel = isinstance(value, list) and len(value) == len(records) and any(not one for one in value)
            if parallel:  # one entry for each record, empty for the good ones
                yield from (_Entry(said, place) for place, said in enumerate(value) if said)
            elif isinstance(value, dict) and any(_flat(inner) in _ERROR_NAMES for inner in value):
                yield from _found(value, records, refused, depth + 1)
            else:
                yield from _entries(value)
        elif name in _RESULT_NAMES:
            yield from _found(value, records, False, depth + 1)


def _speaks_against(said: object) -> bool:
    if not isinstance(said, dict):
        return False
    for key, value in said.items():
        name = _flat(key)
        if name in _TRUTH_NAMES and value is False:
            return True
        if name in _STATE_NAMES:
            if isinstance(value, str) and value.strip().lower() in _BAD_STATES:
                return True
            if isinstance(value, int) and not isinstance(value, bool) and 400 <= value < 600:
                return True
        if name in ("error", "errors", "rejected", "failed") and value not in (None, "", False, 0, [], {}):
            return True
    return False


def _is_faults_by_field(said: object) -> bool:
    return (
        isinstance(said, dict)
        and bool(said)
        and all(
            isinstance(value, list) and value and all(isinstance(one, str) for one in value) for value in said.values()
        )
    )


def _flat(name: object) -> str:
    return str(name).lower().replace("_", "").replace("-", "")


# --- whom it is said against ------------------------------------------------------------------------------------------


def _records_of(answers: Answers, entry: _Entry, records: Sequence[SentRecord]) -> list[SentRecord]:
    place = entry.place
    if place is None and isinstance(entry.said, dict):
        place = _place(answers, entry.said)
    if place is not None and 0 <= place < len(records):
        return [records[place]]
    by_code = _by_codes(entry.said, records)
    if by_code:
        return by_code
    texts = " ".join(_texts(entry.said))[:4000]
    if numbered := _NUMBERED.search(texts):
        place = int(numbered[1]) - answers.first_index
        if 0 <= place < len(records):
            return [records[place]]
    return []


def _place(answers: Answers, said: dict[str, Any]) -> int | None:
    if answers.index_path:
        found = fields.number(paths.read(said, answers.index_path))
        return None if found is None else int(found) - answers.first_index
    flat = {_flat(key): value for key, value in said.items()}
    for name in _INDEX_NAMES:
        value = flat.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value - answers.first_index
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 6:
            return int(value) - answers.first_index
    for name in _PLACE_NAMES:
        value = flat.get(name)
        if isinstance(value, list):
            value = ".".join(str(part) for part in value[:10])
        if isinstance(value, str) and (placed := _PLACED.search(value[:300])):
            return int(placed[1]) - answers.first_index
    return None


def _by_codes(said: object, records: Sequence[SentRecord]) -> list[SentRecord]:
    """Records whose code, and batch where one is named, stands in the entry: as a value, else as a word of a text."""
    texts = _texts(said)
    values = {text.strip().casefold() for text in texts}
    hit = [record for record in records if record.item_code.casefold() in values]
    if not hit:
        whole = " ".join(texts)[:4000].casefold()
        hit = [record for record in records if len(record.item_code) >= 3 and _is_word(record.item_code, whole)]
        narrowed = [record for record in hit if record.batch and _is_word(record.batch, whole)]
    else:
        narrowed = [record for record in hit if record.batch and record.batch.casefold() in values]
    return narrowed or hit


def _is_word(code: str, text: str) -> bool:
    code = code.casefold()
    at = text.find(code)
    while at >= 0:
        before, after = text[at - 1 : at] if at else "", text[at + len(code) : at + len(code) + 1]
        if not (before.isalnum() or before in ("-", "_")) and not (after.isalnum() or after in ("-", "_")):
            return True
        at = text.find(code, at + 1)
    return False


def _texts(said: object, depth: int = 0) -> list[str]:
    if isinstance(said, str):
        return [said[:1000]]
    if isinstance(said, int | float) and not isinstance(said, bool):
        return [str(said)[:40]]
    if depth > _DEEPEST:
        return []
    inner: Sequence[object] = list(said.values()) if isinstance(said, dict) else said if isinstance(said, list) else []
    return [text for value in inner[:50] for text in _texts(value, depth + 1)][:200]


# --- why --------------------------------------------------------------------------------------------------------------


def _why(answers: Answers, said: object) -> str:
    if answers.why_path and (told := fields.text(paths.read(said, answers.why_path), LONGEST_WHY)):
        return told
    return _reason(said, 0)[:LONGEST_WHY]


def _reason(said: object, depth: int) -> str:
    if isinstance(said, str | int | float):
        return fields.text(said, LONGEST_WHY)
    if depth > _DEEPEST:
        return ""
    if isinstance(said, list):
        return "; ".join(part for one in said[:5] if (part := _reason(one, depth + 1)))
    if not isinstance(said, dict):
        return ""
    flat = {_flat(key): value for key, value in said.items()}
    for name in _WHY_NAMES:
        if part := _reason(flat.get(name), depth + 1):
            return part
    parts = []
    for key, value in list(said.items())[:5]:
        if isinstance(value, str | list | dict) and (part := _reason(value, depth + 1)):
            parts.append(f"{fields.text(key, 60)}: {part}")
    return "; ".join(parts)
