"""What can be wrong with a wish about alarms, rules and fences, as sentences for the operator."""

from __future__ import annotations

from app.errors import OperatorError


class AlarmError(OperatorError):
    """Nothing was changed. ``field`` names the setting that is to blame, "" where none is."""

    def __init__(self, why: str, field: str = "") -> None:
        super().__init__(why)
        self.field = field


class NotFound(AlarmError):
    """No alarm, rule or fence has this id."""
