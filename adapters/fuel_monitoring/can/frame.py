"""One CAN frame, whichever bridge brought it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CanFrame:
    """``timestamp_s`` is the bridge's own clock where it sends one, Unix time in candump logs."""

    can_id: int
    data: bytes
    extended: bool = True
    remote: bool = False
    timestamp_s: float | None = None
    bus: int = 0

    @property
    def shown_id(self) -> str:
        return f"{self.can_id:08X}" if self.extended else f"{self.can_id:03X}"
