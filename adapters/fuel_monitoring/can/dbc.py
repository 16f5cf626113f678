"""Signals that an operator's own DBC file describes, through cantools."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from adapters.errors import SettingsInvalid, Unsupported
from adapters.fuel_monitoring.can.frame import CanFrame

LARGEST_BYTES = 20_000_000


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
        self._by_id = {message.frame_id: message for message in database.messages}
        self._by_pgn = {
            self._pgn(message.frame_id): message for message in database.messages if message.is_extended_frame
        }

    def names(self) -> tuple[str, ...]:
        """``message.signal`` of everything that can be chosen."""
        return tuple(sorted(f"{one.name}.{signal.name}" for one in self._by_id.values() for signal in one.signals))

    def decode(self, frame: CanFrame) -> dict[str, float]:
        """Values by ``message.signal``; empty for frames that the file does not describe."""
        message = self._by_id.get(frame.can_id) or (
            self._by_pgn.get(self._pgn(frame.can_id)) if frame.extended else None
        )
        if message is None:
            return {}
        try:
            values = message.decode(frame.data, decode_choices=False, allow_truncated=True)
        except Exception:  # noqa: BLE001 - a frame that the file misdescribes costs itself alone
            return {}
        return {
            f"{message.name}.{name}": float(value) for name, value in values.items() if isinstance(value, int | float)
        }

    @staticmethod
    def _pgn(can_id: int) -> int:
        return can_id >> 8 & (0x3FFFF if (can_id >> 16 & 0xFF) >= 240 else 0x3FF00)
