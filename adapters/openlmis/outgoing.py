"""Changes for the server: which there are, and what every one of them goes through (openlmis.md, sections 5 to 8).

Read the target, compare with what the operator saw, write, read back. A change whose answer was lost is looked for
before it is sent again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.base import Outgoing, Write
from adapters.errors import Conflict, RecordRejected
from adapters.vocabulary import JsonScalar

ASKED_STAGES = ("draft", "rejected", "submitted")
SENT_STAGES = ("shipped", "delivered")
LARGEST_UNITS = 2**31 - 1

WRITES: tuple[Write, ...] = (
    Write(
        "requested",
        "Requested quantities",
        "requisition_line",
        ("requested_units", "comment"),
        stages=ASKED_STAGES,
    ),
    Write(
        "approved",
        "Approved quantities",
        "requisition_line",
        ("approved_units", "comment"),
        stages=("in_approval",),
    ),
    Write(
        "submit",
        "Submit the requisition",
        "requisition",
        ("stage",),
        stages=("draft", "rejected"),
        values={"stage": ("submitted",)},
        effect="The requisition leaves the facility. It comes back only when an approver rejects it.",
    ),
    Write(
        "authorize",
        "Authorise the requisition",
        "requisition",
        ("stage",),
        stages=("submitted",),
        values={"stage": ("in_approval",)},
        effect="The requisition goes to its approvers, and the facility can no longer change it.",
    ),
    Write(
        "approve",
        "Approve the requisition",
        "requisition",
        ("stage",),
        stages=("in_approval",),
        values={"stage": ("approved",)},
        effect="With the last approval the supplying facility may make an order of it. An approval cannot be taken "
        "back.",
    ),
    Write(
        "reject",
        "Reject the requisition",
        "requisition",
        ("stage",),
        stages=("in_approval",),
        values={"stage": ("rejected",)},
        effect="The requisition goes back to the facility; quantities that were approved are lost.",
    ),
    Write(
        "skip",
        "Skip the period",
        "requisition",
        ("stage",),
        stages=("draft", "rejected"),
        values={"stage": ("skipped",)},
        effect="The period ends without a report and without an order for this facility. This cannot be undone here.",
    ),
    Write(
        "proof",
        "Proof of delivery",
        "shipment",
        ("received_by", "delivered_by", "received_on"),
        stages=SENT_STAGES,
    ),
    Write(
        "proof_line",
        "Received quantities",
        "shipment_line",
        ("accepted_units", "rejected_units", "rejection_reason", "comment"),
        stages=SENT_STAGES,
    ),
    Write(
        "confirm",
        "Confirm the proof of delivery",
        "shipment",
        ("stage",),
        stages=SENT_STAGES,
        values={"stage": ("received",)},
        effect="Books the accepted quantities into the stock of the receiving facility, sets the order to received and "
        "sends notices. Nothing of it can be changed again.",
        switch="confirm_proofs",
    ),
    Write(
        "ship",
        "Create the shipment",
        "shipment",
        ("stage", "comment", "transport_reference"),
        stages=("ordered", "new"),
        values={"stage": ("shipped",)},
        effect="Takes the quantities out of the stock of the supplying facility, sets the order to shipped and opens "
        "its proof of delivery. Ships what the saved draft says; without a draft all that was ordered, first what "
        "expires first. There is one shipment per order, and it cannot be taken back.",
        switch="ship_orders",
    ),
)


def differing(
    key: str, wanted: Mapping[str, JsonScalar], seen: Mapping[str, JsonScalar], now: Mapping[str, JsonScalar]
) -> dict[str, JsonScalar]:
    """The fields that still have to be set. Raises Conflict for those that somebody else changed meanwhile.

    A field that has the wanted value already needs nothing. One that was not seen is set whatever it is.
    """
    to_set = {name: value for name, value in wanted.items() if not same(value, now.get(name))}
    changed = [name for name in to_set if name in seen and not same(seen[name], now.get(name))]
    if changed:
        raise Conflict(key, {name: wanted[name] for name in changed}, {name: now.get(name) for name in changed})
    return to_set


def same(one: JsonScalar, other: JsonScalar) -> bool:
    """Whether two values mean the same: nothing and empty text do, 5 and 5.0 do."""
    if one in (None, "") and other in (None, ""):
        return True
    if isinstance(one, str) and isinstance(other, str):
        return one.split() == other.split()
    return one == other


def units(key: str, value: JsonScalar) -> int | None:
    """A quantity as the services take it. Raises RecordRejected for one that they cannot hold."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST_UNITS:
        raise RecordRejected(key, f"“{value}” is not a quantity that OpenLMIS can hold. Enter a smaller whole number.")
    if value < 0:
        raise RecordRejected(key, f"The quantity {value:g} is negative. Enter 0 or more.")
    if value != int(value):
        raise RecordRejected(key, f"OpenLMIS counts whole units; {value:g} is none. Enter a whole number.")
    return int(value)


def text(key: str, value: JsonScalar, longest: int = 255) -> str | None:
    """Text as the services take it. Raises RecordRejected where it is too long."""
    if value is None:
        return None
    found = " ".join(str(value).split())
    if len(found) > longest:
        raise RecordRejected(key, f"A text has {len(found)} characters; OpenLMIS takes {longest}. Shorten it.")
    return found or None


def without_nulls(value: Any) -> Any:
    """The body to send back: the services take a missing field for an empty one, and their schemas know no null.

    What an installation adds (``extraData``) goes back exactly as it came.
    """
    if isinstance(value, dict):
        return {
            name: item if name == "extraData" else without_nulls(item)
            for name, item in value.items()
            if item is not None
        }
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value


def only(outgoing: Outgoing, write: Write) -> None:
    """Refuse fields and values that this kind of change does not set: a slip of ours, said instead of half done."""
    strange = set(outgoing.values) - set(write.fields)
    wrong = [name for name, allowed in write.values.items() if outgoing.values.get(name, allowed[0]) not in allowed]
    if strange or wrong or not outgoing.values:
        names = ", ".join(sorted(strange) + wrong) or "nothing"
        raise RecordRejected(outgoing.peer_id, f"“{write.label}” cannot set {names}. Cancel this change.")
