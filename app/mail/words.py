"""States of mails, and their words on screens."""

from __future__ import annotations

from enum import StrEnum


class MailState(StrEnum):
    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    REFUSED = "refused"
    DOUBTFUL = "doubtful"
    CANCELLED = "cancelled"


STATE_WORDS = {
    MailState.WAITING: "Waiting",
    MailState.SENDING: "With the server",
    MailState.SENT: "Sent",
    MailState.REFUSED: "Refused",
    MailState.DOUBTFUL: "In doubt",
    MailState.CANCELLED: "Cancelled",
}
OPEN = (MailState.WAITING, MailState.SENDING)
"""What the engine still has work with."""
STANDING = (MailState.WAITING, MailState.REFUSED, MailState.DOUBTFUL)
"""What an operator can try again or cancel."""
