"""An ELM327 and the car behind it: searching, several lines, no data, and the manners of clones."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapters.fuel_monitoring.simulator.ends import End, PtyEnd
from adapters.fuel_monitoring.simulator.line_peer import LinePeer
from adapters.fuel_monitoring.simulator.vehicle import DrivenVehicle

_LOOK_S: Final = 0.02
_ANSWER_S: Final = 0.02
_VIN: Final = b"1BK0DEMOCAR000417"
_ECU, _GEARBOX = "7E8", "7EA"


@dataclass(slots=True)
class ObdFaults:
    """``clone``: knows fewer commands, strews NULs. ``busy_for`` so many requests are refused with 7F … 21."""

    ignition: bool = True
    search_s: float = 0.05
    clone: bool = False
    silent: bool = False
    line_errors: int = 0  # of the requests that come next
    busy_for: int = 0
    without_level: bool = False
    level_missing: bool = False  # it stands in the list, and gives no data


class ObdAdapter(LinePeer):
    """The adapter, and the car at its plug."""

    name = "OBD adapter"

    def __init__(self, vehicle: DrivenVehicle, end: End) -> None:
        super().__init__(end)
        self.vehicle = vehicle
        self.faults = ObdFaults()
        self.commands: list[str] = []
        self.stopped = 0
        self._buffer = bytearray()
        self._due: list[tuple[float, bytes]] = []
        self._reset()

    @classmethod
    def on_pty(cls, vehicle: DrivenVehicle, link: Path) -> ObdAdapter:
        return cls(vehicle, PtyEnd(link))

    def dip(self) -> None:
        """The supply dips: the adapter forgets everything and says so."""
        self._reset()
        self._end.write(b"\r\rLV RESET\r\r>")

    # -- on the thread --------------------------------------------------------------------------------------------

    def _take_turn(self) -> None:
        wait_s = min(max(self._due[0][0] - time.monotonic(), 0.0), _LOOK_S) if self._due else _LOOK_S
        data = self._end.read(wait_s)
        if data:
            self._hear(data)
        while self._due and self._due[0][0] <= time.monotonic():
            self._end.write(heapq.heappop(self._due)[1])

    def _forget(self) -> None:
        self._reset()
        self._buffer.clear()
        self._due.clear()

    def _hear(self, data: bytes) -> None:
        if self._due:  # any byte aborts what runs
            self._due.clear()
            self.stopped += 1
            self._end.write(b"STOPPED\r\r>")
            return
        self._buffer += data
        *lines, rest = bytes(self._buffer).split(b"\r")
        self._buffer[:] = rest
        for line in lines:
            self._answer(line.decode("latin-1"))

    def _answer(self, text: str) -> None:
        if self.faults.silent:
            return
        command = text.replace(" ", "").upper()
        self.commands.append(command)
        echo = f"{text}\r".encode() if self._echo else b""
        lines, delay_s = self._obey(command)
        end = "\r\n" if self._linefeeds else "\r"
        body = "".join(f"{line}{end}" for line in lines).encode("latin-1")
        if self.faults.clone:
            body = body.replace(b"\r", b"\x00\r", 1)
        heapq.heappush(self._due, (time.monotonic() + delay_s, echo + body + end.encode() + b">"))

    # -- what it knows --------------------------------------------------------------------------------------------

    def _reset(self) -> None:
        self._echo, self._linefeeds, self._spaces, self._headers = True, False, True, False
        self._is_found = False

    def _obey(self, command: str) -> tuple[list[str], float]:
        """The lines of the answer, and how long it takes."""
        if not command:
            return [""], _ANSWER_S
        if command.startswith("AT"):
            return self._obey_at(command[2:]), _ANSWER_S
        if not all(char in "0123456789ABCDEF" for char in command) or len(command) < 2:
            return ["?"], _ANSWER_S
        if self.faults.line_errors > 0:
            self.faults.line_errors -= 1
            return ["CAN ERROR"], _ANSWER_S
        searching: list[str] = []
        delay_s = _ANSWER_S
        if not self._is_found:
            searching, delay_s = ["SEARCHING..."], self.faults.search_s
            if not (self.faults.ignition and self.vehicle.is_working):
                return [*searching, "UNABLE TO CONNECT"], delay_s
            self._is_found = True
        if not self.faults.ignition:
            return ["NO DATA"], delay_s
        return [*searching, *self._ask_car(command)], delay_s

    def _obey_at(self, name: str) -> list[str]:
        if name in ("Z", "WS"):
            self._reset()
            return ["", "", "ELM327 v2.1" if self.faults.clone else "ELM327 v1.5"]
        if self.faults.clone and name in ("AT1", "AL", "L0"):
            return ["?"]
        switches: dict[str, Callable[[bool], None]] = {
            "E": lambda on: setattr(self, "_echo", on),
            "L": lambda on: setattr(self, "_linefeeds", on),
            "S": lambda on: setattr(self, "_spaces", on),
            "H": lambda on: setattr(self, "_headers", on),
        }
        if name[:1] in switches and name[1:] in ("0", "1"):
            switches[name[:1]](name[1:] == "1")
            return ["OK"]
        if name.startswith("SP") or name == "PC":
            self._is_found = False
            return ["OK"]
        if name == "AT1":
            return ["OK"]
        plain = {"I": "ELM327 v1.5", "RV": "13.9V", "DPN": "A6" if self._is_found else "A0", "@1": "OBDII to RS232"}
        return [plain.get(name, "?")]

    def _ask_car(self, command: str) -> list[str]:
        command = command[:4]  # a further digit only says how many lines to wait for
        if self.faults.busy_for > 0:
            self.faults.busy_for -= 1
            return [self._line(_ECU, bytes((0x7F, int(command[:2], 16), 0x21)))]
        if command == "0902":
            return self._several(_ECU, bytes((0x49, 0x02, 0x01)) + _VIN)
        mode, pid = command[:2], int(command[2:4] or "0", 16)
        known = self._parameters()
        if mode != "01":
            return ["NO DATA"]
        if pid in (0x00, 0x20, 0x40):
            lines = [self._line(_ECU, bytes((0x41, pid)) + self._mask(pid, known))]
            return [*lines, self._line(_GEARBOX, bytes.fromhex("410000000001"))] if pid == 0 else lines
        if pid not in known or (pid == 0x2F and self.faults.level_missing):
            return ["NO DATA"]
        return [self._line(_ECU, bytes((0x41, pid)) + known[pid])]

    def _parameters(self) -> dict[int, bytes]:
        car = self.vehicle
        found = {
            0x0C: round(car.rpm * 4).to_bytes(2, "big"),
            0x0D: bytes((min(round(car.speed_km_h), 255),)),
            0x51: b"\x04",
            0x5E: round(car.fuel_rate_l_h * 20).to_bytes(2, "big"),
        }
        if not self.faults.without_level:
            found[0x2F] = bytes((min(round(car.percent * 255 / 100), 255),))
        return found

    @staticmethod
    def _mask(block: int, known: dict[int, bytes]) -> bytes:
        bits = sum(1 << (31 - (pid - block - 1)) for pid in known if block < pid <= block + 0x20)
        return (bits | (1 if any(pid > block + 0x20 for pid in known) else 0)).to_bytes(4, "big")

    def _line(self, ecu: str, data: bytes) -> str:
        payload = bytes((len(data),)) + data if self._headers else data
        return self._spelt(ecu, payload)

    def _several(self, ecu: str, data: bytes) -> list[str]:
        """A long answer: numbered lines, or ISO-TP frames with headers."""
        if not self._headers:
            cuts = [data[:6], *(data[at : at + 7] for at in range(6, len(data), 7))]
            return [f"{len(data):03X}", *(f"{at:X}: {self._spelt('', cut)}" for at, cut in enumerate(cuts))]
        first = bytes((0x10 | len(data) >> 8, len(data) & 0xFF)) + data[:6]
        rest = [
            bytes((0x20 | (1 + at) & 0x0F,)) + data[6 + 7 * at : 13 + 7 * at] for at in range(-(-(len(data) - 6) // 7))
        ]
        return [self._spelt(ecu, part) for part in (first, *rest)]

    def _spelt(self, ecu: str, payload: bytes) -> str:
        parts = [*([ecu] if self._headers and ecu else []), *(f"{byte:02X}" for byte in payload)]
        return " ".join(parts) + " " if self._spaces else "".join(parts)
