"""Captures of what passed over a line: JSON lines, each written through at once, so that nothing that ends a program
or a cable takes one away. The first line tells port and dialect, each other is one piece of traffic.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final, get_args

from adapters.bench import Direction, Traffic
from app import platform
from app.errors import OperatorError

VERSION: Final = 1
LONGEST_LINE: Final = 1_000_000
_DIRECTIONS: Final = frozenset(get_args(Direction))


class CaptureError(OperatorError):
    """A capture cannot be written or read."""


@dataclass(frozen=True, slots=True)
class Capture:
    """A capture as it was read. ``skipped`` lines were none of ours, e.g. a last one that was cut off."""

    dialect: str
    port: str
    speed: int
    traffic: tuple[Traffic, ...]
    skipped: int


class CaptureWriter:
    """Writes traffic to a new file. A full disk ends the capture, never the session: ``on_fault`` is told once."""

    def __init__(
        self, path: Path, *, dialect: str, port: str, speed: int, on_fault: Callable[[str], None] | None = None
    ) -> None:
        """Raises CaptureError: there is such a file already, or it cannot be made."""
        self.path = path
        self.lines = 0
        self.fault = ""
        self._on_fault = on_fault
        try:
            self._file: IO[bytes] | None = path.open("xb", buffering=0)
        except FileExistsError:
            raise CaptureError(f"{path} exists already. Choose another name; captures are never overwritten.") from None
        except OSError as err:
            raise CaptureError(f"{path} cannot be written: {err.strerror}. Choose another place.") from err
        self._line({"capture": VERSION, "dialect": dialect, "port": port, "speed": speed})

    def write(self, traffic: Traffic) -> None:
        """One piece, on its way to the disk when this returns."""
        line = {
            "time": _iso(traffic.at_s),
            "direction": traffic.direction,
            "hex": traffic.data.hex().upper(),
            "note": traffic.note,
        }
        self._line(line)
        self.lines += self._file is not None

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                platform.sync_file(file.fileno())
            file.close()

    def _line(self, content: dict[str, Any]) -> None:
        if self._file is None:
            return
        line = json.dumps(content, ensure_ascii=False).encode() + b"\n"
        try:
            while line:  # a disk that is nearly full takes a part of it, and says why not more at the next try
                line = line[self._file.write(line) :]
        except OSError as err:
            self.fault = f"The capture {self.path.name} ended: {err.strerror}. What was written before is kept."
            self.close()
            if self._on_fault is not None:
                self._on_fault(self.fault)


def read_capture(path: Path) -> Capture:
    """The whole of a capture. Raises CaptureError for a file that is none."""
    try:
        with path.open("rb") as file:
            head = _json(file.readline(LONGEST_LINE))
            if not isinstance(head, dict) or head.get("capture") != VERSION:
                raise CaptureError(f"{path} is no capture of this program: its first line says nothing of one.")
            found = [_traffic(line) for line in _lines(file)]
    except OSError as err:
        raise CaptureError(f"{path} cannot be read: {err.strerror}.") from err
    traffic = tuple(one for one in found if one is not None)
    speed = head.get("speed")
    return Capture(
        str(head.get("dialect", "")),
        str(head.get("port", "")),
        speed if isinstance(speed, int) else 0,
        traffic,
        len(found) - len(traffic),
    )


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    while line := file.readline(LONGEST_LINE):
        if line.strip():
            yield line


def _traffic(line: bytes) -> Traffic | None:
    """One piece; None for a line that is none."""
    content = _json(line)
    if not isinstance(content, dict) or content.get("direction") not in _DIRECTIONS:
        return None
    try:
        at = datetime.fromisoformat(str(content["time"]))
        data = bytes.fromhex(str(content.get("hex", "")))
    except (KeyError, ValueError):
        return None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return Traffic(at.timestamp(), content["direction"], data, str(content.get("note", "")))


def _json(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _iso(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
