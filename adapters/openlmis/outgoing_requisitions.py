"""Changes of requisitions: quantities in lines, and the steps of the paper (openlmis.md, section 5).

Lines go by ``PUT /v2/requisitions/{id}`` with the ETag that was read, so that nobody's work is overwritten. Steps carry
an idempotency key. The server keeps it for 24 hours, answers 409 to its second use and takes it even where the first
attempt failed: after such an answer the requisition itself tells what became of it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.base import Outgoing, Receipt
from adapters.errors import AdapterError, Conflict, NotReady, RecordRejected
from adapters.openlmis import fields, mapping
from adapters.openlmis.client import Refused
from adapters.openlmis.outgoing import differing, text, units, without_nulls
from adapters.openlmis.papers import read_requisition
from adapters.openlmis.reading import Run
from adapters.openlmis.refusals import rejected
from adapters.supply import Requisition

PUTS = 3
"""How often a line is written anew because somebody changed another line in between."""
KEYS = 4
BUSY_S = 60.0


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its call, the statuses in which it is taken, those that say that it was, and its words."""

    method: str
    path: str
    taken_in: tuple[str, ...]
    ends_in: tuple[str, ...]
    done: str


_APPROVED = ("APPROVED", "RELEASED", "RELEASED_WITHOUT_ORDER")
_WAITS = ("AUTHORIZED", "IN_APPROVAL")
STEPS: Mapping[str, Step] = {
    "submit": Step("POST", "submit", ("INITIATED", "REJECTED"), ("SUBMITTED", *_WAITS, *_APPROVED), "submitted"),
    "authorize": Step("POST", "authorize", ("SUBMITTED",), (*_WAITS, *_APPROVED), "authorised"),
    "approve": Step("POST", "approve", _WAITS, _APPROVED, "approved"),
    "reject": Step("PUT", "reject", _WAITS, ("REJECTED",), "rejected"),
    "skip": Step("PUT", "skip", ("INITIATED", "REJECTED"), ("SKIPPED",), "skipped"),
}


async def send_line(run: Run, outgoing: Outgoing) -> Receipt:
    """Set fields of one line. Raises Conflict, RecordRejected, and what any call raises."""
    key = outgoing.parent_peer_id
    for _ in range(PUTS):
        raw, etag = await _read(run, key)
        status = fields.text(raw, "status", 40)
        line = _line(raw, outgoing.peer_id)
        names = {
            "requested_units": "requestedQuantity",
            "approved_units": "approvedQuantity",
            "comment": mapping.comment_field(status),
        }
        now = {name: line.get(names[name]) for name in outgoing.values}
        to_set = differing(outgoing.peer_id, outgoing.values, outgoing.seen, now)
        if not to_set:
            return await _receipt(run, key, "OpenLMIS has these values.", before=outgoing.is_doubtful)
        allowed = mapping.ASKING if outgoing.write == "requested" else _WAITS
        if status not in allowed:
            raise RecordRejected(
                outgoing.peer_id,
                f"OpenLMIS takes these quantities only while the requisition is {' or '.join(allowed)}; it is {status} "
                "now. Cancel the change, or wait until it comes back.",
            )
        for name, value in to_set.items():
            change = text(outgoing.peer_id, value) if name == "comment" else units(outgoing.peer_id, value)
            line[names[name]] = change
        try:
            await run.client.change(
                "PUT", f"/v2/requisitions/{key}", without_nulls(raw), {"If-Match": etag} if etag else {}
            )
        except Refused as err:
            if err.status != 409:
                raise rejected(outgoing.peer_id, err) from err
            continue  # changed meanwhile: read and compare again
        return await _receipt(run, key, "OpenLMIS took the line.")
    raise NotReady("Somebody else works on this requisition in OpenLMIS. It is tried again by itself.", BUSY_S)


async def _read(run: Run, key: str) -> tuple[dict[str, Any], str]:
    try:
        return await run.client.item_with_etag(f"/v2/requisitions/{key}")
    except Refused as err:
        raise rejected(key, err) from err


def _line(raw: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The line itself, to be changed where it stands. Raises RecordRejected where it is gone."""
    for line in fields.items(raw, "requisitionLineItems"):
        if isinstance(line, dict) and line.get("id") == key:
            return line
    raise RecordRejected(key, "The line is no longer in the requisition. Look there in OpenLMIS, then cancel it here.")


async def _receipt(run: Run, key: str, answer: str, *, before: bool = False) -> Receipt:
    """What was read back. The change stands whether that can be read now or not."""
    try:
        found: tuple[Requisition, ...] = (await read_requisition(run, key),)
    except AdapterError:
        found = ()
    return Receipt(answer, found, was_applied_before=before)


# --- steps -----------------------------------------------------------------------------------------------------------


async def send_step(run: Run, outgoing: Outgoing) -> Receipt:
    """Move the paper one step on. Raises Conflict, RecordRejected, and what any call raises."""
    step, key = STEPS[outgoing.write], outgoing.peer_id
    raw, _ = await _read(run, key)
    status = fields.text(raw, "status", 40)
    if status in step.ends_in:
        return await _there_already(run, outgoing, status)
    _compare(outgoing, status)
    attempt = uuid.UUID(outgoing.key)
    for number in range(KEYS):
        try:
            headers = {"Idempotency-Key": str(attempt)}
            await run.client.change(step.method, f"/requisitions/{key}/{step.path}", None, headers)
        except Refused as err:
            raw, _ = await _read(run, key)
            status = fields.text(raw, "status", 40)
            if not _key_was_used(err):
                if status in step.ends_in and outgoing.is_doubtful:
                    return await _there_already(run, outgoing, status)
                if err.status == 409:
                    raise NotReady(
                        "Another approval of this requisition is running in OpenLMIS. It is tried again by itself.",
                        BUSY_S,
                    ) from err
                raise rejected(key, err) from err
            if _was_taken(step, raw, run.client.user_id):
                return await _receipt(run, key, _answer(step, status), before=True)
            if outgoing.write == "approve" and number == 0 and outgoing.tries < 2:
                # The first attempt may still be at work, and a second one would approve at the next level as well.
                busy = NotReady("OpenLMIS may still be working on this approval. It is looked for again.", BUSY_S)
                busy.is_doubtful = True
                raise busy from err
            _compare(outgoing, status)
            attempt = uuid.uuid5(attempt, "again")  # the first attempt failed after its key was taken
            continue
        return await _step_receipt(run, step, key)
    raise NotReady("OpenLMIS says of every attempt that it was made before. It is tried again by itself.", BUSY_S)


def _compare(outgoing: Outgoing, status: str) -> None:
    """Raises Conflict where the paper is not where the operator saw it, or where the step is not taken."""
    stage = mapping.REQUISITION_STAGES.get(status, "unknown")
    seen = outgoing.seen.get("stage", stage)
    if seen != stage or status not in STEPS[outgoing.write].taken_in:
        raise Conflict(outgoing.peer_id, {"stage": outgoing.values["stage"]}, {"stage": stage})


def _key_was_used(err: Refused) -> bool:
    return err.status == 409 and "idempotencykey" in err.key.lower()


def _was_taken(step: Step, raw: Mapping[str, Any], user: str) -> bool:
    """Whether the first attempt did its work. An approval below the last level shows only in the history."""
    status = fields.text(raw, "status", 40)
    if status in step.ends_in:
        return True
    history = [change for change in fields.items(raw, "statusHistory") if isinstance(change, dict)]
    if step.path != "approve" or status != "IN_APPROVAL" or not history or not user:
        return False
    newest = max(history, key=lambda change: fields.time_ms(change, "createdDate") or 0)
    return newest.get("status") == "IN_APPROVAL" and newest.get("authorId") == user


async def _there_already(run: Run, outgoing: Outgoing, status: str) -> Receipt:
    """The paper is where it should go, or beyond. Raises Conflict where it went beyond without us."""
    stage = mapping.REQUISITION_STAGES.get(status, "unknown")
    if not outgoing.is_doubtful and stage != outgoing.values["stage"]:
        raise Conflict(outgoing.peer_id, {"stage": outgoing.values["stage"]}, {"stage": stage})
    step = STEPS[outgoing.write]
    return await _receipt(run, outgoing.peer_id, _answer(step, status), before=outgoing.is_doubtful)


async def _step_receipt(run: Run, step: Step, key: str) -> Receipt:
    receipt = await _receipt(run, key, f"OpenLMIS has {step.done} the requisition.")
    found = receipt.records[0] if receipt.records else None
    if isinstance(found, Requisition):
        return Receipt(_answer(step, found.status), receipt.records)
    return receipt


def _answer(step: Step, status: str) -> str:
    if step.path == "approve" and status == "IN_APPROVAL":
        return "OpenLMIS took the approval; the requisition now waits for the next approver (IN_APPROVAL)."
    return f"OpenLMIS has {step.done} the requisition ({status})."
