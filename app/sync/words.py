"""The states of a change on its way to a peer, and which of them mean what."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """The states of ``outbox_items``; see :class:`app.store.tables.sync.OutboxItem`."""

    WAITING = "waiting"
    SENDING = "sending"
    DOUBTFUL = "doubtful"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    CONFLICT = "conflict"
    SET_ASIDE = "set_aside"
    CANCELLED = "cancelled"


IN_THE_WAY = (State.WAITING, State.SENDING, State.DOUBTFUL, State.REFUSED, State.CONFLICT)
"""What later changes of the same family wait for, and what a row's ``pending`` shows."""
UNSENT = (*IN_THE_WAY, State.SET_ASIDE)
"""Work that the peer is not known to have: never deleted by anything."""
STUCK = (State.REFUSED, State.CONFLICT)
"""What goes on only by somebody's decision."""
MAY_BE_APPLIED = (State.SENDING, State.DOUBTFUL)
"""What was handed over and not answered: it cannot be taken back here."""
ENDED = (State.ACCEPTED, State.CANCELLED)

STATE_WORDS: dict[str, str] = {
    State.WAITING: "Saved here",
    State.SENDING: "Being sent",
    State.DOUBTFUL: "Sent, answer lost",
    State.ACCEPTED: "Accepted",
    State.REFUSED: "Refused",
    State.CONFLICT: "Conflict",
    State.SET_ASIDE: "Set aside",
    State.CANCELLED: "Cancelled",
}
"""As operators read them: saved here, sent, accepted are three facts and three words."""


TOLD = "shipment"
"""The one value that is a whole message and no field: :data:`adapters.base.SHIPMENT_FIELD`."""


def counted(count: int, one: str, many: str) -> str:
    """``1 change``, ``1,204 changes``."""
    return f"{count:,} {one if count == 1 else many}"
