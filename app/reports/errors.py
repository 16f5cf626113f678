"""Why something about a report is refused."""

from __future__ import annotations

from app.errors import OperatorError


class ReportRefused(OperatorError):
    """This cannot be done with a report as it stands; ``field`` names what to look at, "" for the whole."""

    def __init__(self, why: str, field: str = "") -> None:
        super().__init__(why)
        self.field = field


class UnknownReport(OperatorError):
    """There is no such report, line, programme, run or task."""
