"""How far a report is: three facts (received from the facility, sent, accepted) and one word for lists."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from app.clock import to_ms
from app.reports.periods import local_day


class ReportState(StrEnum):
    OPEN = "open"
    DUE = "due"
    LATE = "late"
    INCOMPLETE = "incomplete"
    RECEIVED = "received"
    CORRECTED = "corrected"
    SENT = "sent"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    EXCUSED = "excused"


STATE_WORDS: dict[str, str] = {
    ReportState.OPEN: "Not due yet",
    ReportState.DUE: "Due",
    ReportState.LATE: "Late",
    ReportState.INCOMPLETE: "Incomplete",
    ReportState.RECEIVED: "Received",
    ReportState.CORRECTED: "Corrected",
    ReportState.SENT: "Sent",
    ReportState.ACCEPTED: "Accepted",
    ReportState.REJECTED: "Rejected",
    ReportState.EXCUSED: "Excused",
}
WAITED_FOR = (ReportState.DUE, ReportState.LATE)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is stored about how far a report is."""

    ends_on: date
    due_on: date
    submission: int
    received_at: datetime | None
    first_received_at: datetime | None
    sent_at: datetime | None
    accepted_at: datetime | None
    rejected_at: datetime | None
    excused_at: datetime | None
    lines: int
    lines_filled: int

    @property
    def is_complete(self) -> bool:
        return self.lines > 0 and self.lines_filled == self.lines

    def is_late(self, today: date) -> bool:
        """Came, or would come today, after the due day."""
        came = local_day(to_ms(self.first_received_at)) if self.first_received_at is not None else today
        return came > self.due_on

    def state(self, today: date) -> ReportState:
        """The one word. A correction takes what was said about the report before back."""
        if self.excused_at is not None:
            return ReportState.EXCUSED
        if self.received_at is None:
            if today <= self.ends_on:
                return ReportState.OPEN
            return ReportState.DUE if today <= self.due_on else ReportState.LATE
        if self.rejected_at is not None:
            return ReportState.REJECTED
        if self.accepted_at is not None:
            return ReportState.ACCEPTED
        if self.sent_at is not None:
            return ReportState.SENT
        if not self.is_complete:
            return ReportState.INCOMPLETE
        return ReportState.CORRECTED if self.submission > 1 else ReportState.RECEIVED
