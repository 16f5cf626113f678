"""What a change or a decision about one may be refused for."""

from __future__ import annotations

from app.errors import OperatorError


class ChangeRefused(OperatorError):
    """This change cannot be made here; ``field`` names what to look at, "" for the whole."""

    def __init__(self, why: str, field: str = "") -> None:
        super().__init__(why)
        self.field = field


class ActRefused(OperatorError):
    """This cannot be done with an outbox item or a conflict as it stands now."""


class NotFound(OperatorError):
    """There is no such record, outbox item or conflict."""
