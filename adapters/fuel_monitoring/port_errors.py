"""Why a port could not be opened, as a sentence with the next step."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence

from adapters.bench import PortInfo
from adapters.errors import AdapterError, NotReady, SettingsInvalid
from adapters.fuel_monitoring.ports import is_url, spoken
from adapters.fuel_monitoring.system import group_of, holder_of, lock_holder_of, waits_for_sign_in

_ABSENT = (errno.ENOENT, errno.ENODEV, errno.ENXIO)
_TAKEN = (errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK)


def explain_open(path: str, speed: int, error: Exception, listed: Sequence[PortInfo]) -> AdapterError:
    """NotReady or SettingsInvalid for what pyserial raised; the cause is kept."""
    found = _explain_url(path, error) if is_url(path) else _explain_device(path, speed, error, listed)
    found.__cause__ = error
    return found


def explain_speed(path: str, speed: int) -> SettingsInvalid:
    return SettingsInvalid("speed", f"{path} cannot work at {speed} baud. Choose another speed.")


def _explain_url(path: str, error: Exception) -> AdapterError:
    if isinstance(error, ValueError):
        return SettingsInvalid("port", f"{path} is no address of a serial server: {error}.")
    if "RFC2217" in str(error):  # connected, and not understood
        plain = path.lower().replace("rfc2217://", "socket://", 1)
        return NotReady(
            f"What answers at {path} does not speak RFC 2217. Set the serial server to it, or write {plain} and set "
            "the speed in the server."
        )
    cause = error.__context__  # pyserial keeps the system's own error there
    if isinstance(cause, socket.gaierror):
        why = "its name is not known"
    else:
        why = "it refused the connection" if isinstance(cause, ConnectionRefusedError) else "it does not answer"
    return NotReady(f"The serial server {path} cannot be reached: {why}. Check its address and that it is switched on.")


def _explain_device(path: str, speed: int, error: Exception, listed: Sequence[PortInfo]) -> AdapterError:
    number, text = getattr(error, "errno", None), str(error)
    if isinstance(error, ValueError | OverflowError) and not isinstance(error, OSError):
        return explain_speed(path, speed)
    if number in _ABSENT or "FileNotFoundError" in text:
        return NotReady(f"There is no port {path}. {spoken(listed)}")
    if number in _TAKEN or "PermissionError" in text:
        holder = lock_holder_of(path) or holder_of(path) or "another program"
        return NotReady(f"{path} is in use by {holder}. Close that program, then try again.")
    if number in (errno.EACCES, errno.EPERM):
        return NotReady(_no_rights(path))
    if number == errno.EISDIR or "Could not configure port" in text or number == errno.ENOTTY:
        return SettingsInvalid("port", f"{path} is no serial port. {spoken(listed)}")
    return NotReady(f"{path} cannot be opened: {text}. Unplug the adapter, plug it in again, then try once more.")


def _no_rights(path: str) -> str:
    group = group_of(path)
    if not group:
        return f"This user may not open {path}. Ask the administrator for the right to use it."
    if waits_for_sign_in(group):
        return f"This user was added to the group “{group}”, which may open {path}: sign out and in again."
    return (
        f"This user may not open {path}: it belongs to the group “{group}”. Run “sudo usermod -aG {group} $USER”, "
        "then sign out and in again."
    )
