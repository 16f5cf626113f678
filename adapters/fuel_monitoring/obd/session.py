"""Setting up an ELM327, step by step: which command next and how long to wait (fuel-sensors.md 5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from adapters.fuel_monitoring.obd.elm327 import ElmResult, supported
from adapters.fuel_monitoring.obd.pids import MASKS

FIRST_ANSWER_S: Final = 12.0
"""The first request searches the protocol; slow vehicles take ten seconds."""
ORDINARY_S: Final = 1.5
RESET_S: Final = 3.0
RESTS_AFTER: Final = 3


@dataclass(frozen=True, slots=True)
class Step:
    """A command to send, without its CR, and how long its prompt may take."""

    command: str
    timeout_s: float = ORDINARY_S


_SETUP: Final = (
    Step("ATZ", RESET_S), Step("ATE0"), Step("ATL0"), Step("ATS0"), Step("ATH1"), Step("ATAT1"), Step("ATSP0"),
    Step("0100", FIRST_ANSWER_S), Step("ATDPN"),
)  # fmt: skip


class ElmSession:
    """The state of one adapter. Ask :meth:`next_step` until it gives None; give each reply to :meth:`take`.

    Clones may refuse ATL0, ATAT1 or ATDPN: the session goes on without them. When the vehicle does not answer,
    :attr:`trouble` says why and :meth:`restart` begins again with the protocol search.

    :attr:`pids` are what the vehicle's masks list. A parameter that is listed and gives no data rests until a restart
    and is not called unsupported: with the ignition off no parameter has any data.
    """

    def __init__(self) -> None:
        self.device = ""
        self.protocol = ""
        self.pids: frozenset[int] = frozenset()
        self.trouble = ""
        self._steps = list(_SETUP)
        self._misses: dict[int, int] = {}

    def tells(self, pid: int) -> bool:
        """Whether the vehicle lists the parameter; one that lists nothing may tell any."""
        return not self.pids or pid in self.pids

    def rests(self, pid: int) -> bool:
        """Whether it gave no data so often that asking on is in vain until a restart."""
        return self._misses.get(pid, 0) >= RESTS_AFTER

    @property
    def is_ready(self) -> bool:
        return not self._steps and not self.trouble

    def next_step(self) -> Step | None:
        return self._steps[0] if self._steps and not self.trouble else None

    def restart(self, *, reset: bool = False) -> None:
        """Begin again: with the search of the protocol, or with a reset of the adapter."""
        self.trouble = ""
        self._misses.clear()
        self._steps = list(_SETUP if reset else _SETUP[_SETUP.index(Step("ATSP0")) :])

    def take(self, result: ElmResult) -> None:
        """The reply to the step that is due."""
        step = self._steps.pop(0)
        if step.command == "ATZ":
            self.device = str(result.facts.get("device", self.device))
        elif step.command == "ATDPN":
            self.protocol = str(result.facts.get("text", ""))
        elif not step.command.startswith("AT"):
            self._take_mask(step, result)

    def _take_mask(self, step: Step, result: ElmResult) -> None:
        found = supported(result)
        if result.error and not found:
            if step.command == "0100":
                self.trouble = result.error
            return
        self.pids |= frozenset(found)
        following = int(step.command[2:], 16) + 0x20
        if following in found and following in MASKS:
            self._steps.append(Step(f"01{following:02X}"))

    def note(self, pid: int, result: ElmResult) -> None:
        """After an ordinary request: one that gives no data may come to rest, a reset begins the set-up anew."""
        if result.error == "no_data":
            self._misses[pid] = self._misses.get(pid, 0) + 1
        elif not result.error:
            self._misses.pop(pid, None)
        if result.error in ("low_voltage_reset", "internal_error"):
            self.restart(reset=True)
        elif result.error in ("unable_to_connect", "bus_init_error"):
            self.trouble = result.error
