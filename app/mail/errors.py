"""What a mail, its template or its settings may be refused for."""

from __future__ import annotations

from app.errors import OperatorError


class MailError(OperatorError):
    """It cannot be done as things stand; nothing was changed. ``field`` is the entry to look at, "" for none."""

    def __init__(self, why: str, field: str = "") -> None:
        super().__init__(why)
        self.field = field


class MailNotFound(MailError):
    """There is no such mail in the queue."""
