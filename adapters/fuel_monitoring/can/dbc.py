"""Signals that an operator's own DBC file describes, through cantools."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

from adapters.errors import SettingsInvalid, Unsupported
from adapters.fuel_monitoring.can.frame import CanFrame
from adapters.fuel_monitoring.can.j1939 import split_id, status_of

LARGEST_BYTES: Final = 20_000_000
_STATE_BITS: Final = 2
_STATE_ERROR: Final = 2


class UserSignals:
    """The messages of a DBC file. J1939 messages are found whatever priority and source they come with."""

    def __init__(self, path: Path) -> None:
        """Raises SettingsInvalid naming what is wrong with the file, Unsupported when cantools is missing."""
        try:
            import cantools.database
        except ImportError as err:
            raise Unsupported("Reading DBC files needs the package cantools; install it and start again.") from err
        try:
            if path.stat().st_size > LARGEST_BYTES:
                raise SettingsInvalid("dbc", f"{path.name} is larger than any DBC file; choose another.")
            database: Any = cantools.database.load_file(path, strict=False)
        except OSError as err:
            raise SettingsInvalid("dbc", f"{path.name} cannot be read: {err.strerror}.") from err
        except SettingsInvalid:
            raise
        except Exception as err:
            raise SettingsInvalid("dbc", f"{path.name} is not a DBC file that can be read: {err}.") from err
        messages = getattr(database, "messages", None)
        if messages is None:
            raise SettingsInvalid("dbc", f"{path.name} describes no CAN messages; choose a DBC file.")
        self._by_id = {(message.frame_id, message.is_extended_frame): message for message in messages}
        self._by_pgn = {split_id(one.frame_id).pgn: one for one in messages if one.is_extended_frame}

    def names(self) -> tuple[str, ...]:
        """``message.signal`` of everything that can be chosen."""
        return tuple(sorted(f"{one.name}.{signal.name}" for one in self._by_id.values() for signal in one.signals))

    def carries(self, frame: CanFrame, name: str) -> bool:
        """Whether this frame is the message of a signal and, where several take turns in it, this signal's turn."""
        message = self._message(frame)
        if message is None or message.name != name.partition(".")[0]:
            return False
        return not message.is_multiplexed() or name in self.decode(frame)

    def _message(self, frame: CanFrame) -> Any:
        found = self._by_id.get((frame.can_id, frame.extended)) if not frame.remote else None
        if found is None and frame.extended and not frame.remote:
            found = self._by_pgn.get(split_id(frame.can_id).pgn)
        return found

    def decode(self, frame: CanFrame) -> dict[str, float]:
        """Values by ``message.signal``; empty for frames that the file does not describe.

        A signal is left out where its number is beyond the range that the file gives, and in 29-bit messages where it
        is a code of J1939 that means reserved, error or not available.
        """
        message = self._message(frame)
        if message is None:
            return {}
        try:
            raw = message.decode(frame.data, decode_choices=False, scaling=False, allow_truncated=True)
            values = {
                f"{message.name}.{signal.name}": _value(signal, raw[signal.name], is_j1939=frame.extended)
                for signal in message.signals
                if signal.name in raw
            }
        except Exception:  # noqa: BLE001 - a frame that the file misdescribes costs itself alone
            return {}
        return {name: value for name, value in values.items() if value is not None}


def _value(signal: Any, raw: float, *, is_j1939: bool) -> float | None:
    value = float(signal.raw_to_scaled(raw, decode_choices=False))
    least, most = signal.minimum, signal.maximum
    if not math.isfinite(value) or (least is not None and value < least) or (most is not None and value > most):
        return None
    return None if is_j1939 and _is_code(signal, raw) else value


def _is_code(signal: Any, raw: float) -> bool:
    """Whether J1939 gives this number no value: whole unsigned bytes by their top byte, two bits from 10b on."""
    if signal.is_signed or signal.is_float:
        return False
    if signal.length == _STATE_BITS:
        return raw >= _STATE_ERROR
    return signal.length % 8 == 0 and status_of(int(raw), signal.length // 8) != "ok"
