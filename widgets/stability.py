"""The light of the calibration wizard: whether a reading stands still."""

from __future__ import annotations

from collections import deque

STABLE_S = 30.0
STABLE_SHARE = 0.003


class Stability:
    """Whether readings stood still for half a minute: within 0.3 % of the scale."""

    def __init__(self, scale: float) -> None:
        self._scale = max(scale, 1.0)
        self._seen: deque[tuple[float, float]] = deque()

    def add(self, at_s: float, value: float) -> None:
        self._seen.append((at_s, value))
        while self._seen and at_s - self._seen[0][0] > STABLE_S * 2:
            self._seen.popleft()

    def restart(self) -> None:
        self._seen.clear()

    @property
    def is_stable(self) -> bool:
        if len(self._seen) < 3 or self._seen[-1][0] - self._seen[0][0] < STABLE_S:
            return False
        recent = [value for at_s, value in self._seen if self._seen[-1][0] - at_s <= STABLE_S]
        return max(recent) - min(recent) <= STABLE_SHARE * self._scale

    @property
    def value(self) -> float | None:
        """The median of the last half minute."""
        if not self._seen:
            return None
        recent = sorted(value for at_s, value in self._seen if self._seen[-1][0] - at_s <= STABLE_S)
        return recent[len(recent) // 2]
