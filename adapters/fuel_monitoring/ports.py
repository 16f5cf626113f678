"""Serial ports of this computer: listed with what the hardware says of itself, and known again by it."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from adapters.bench import PortInfo
from adapters.errors import NotReady, SettingsInvalid

Find = Callable[[], Iterable[Any]]
"""What lists the ports: entries as pyserial's ``ListPortInfo`` has them (``device``, ``vid``, ``serial_number`` …)."""

URL_SCHEMES: Final = ("socket://", "rfc2217://")
_SAYS_NOTHING: Final = {"", "n/a", "None"}


def system_ports() -> Iterable[Any]:
    """What the operating system lists now. May take a moment."""
    from serial.tools.list_ports import comports

    found: Iterable[Any] = comports()
    return found


def list_ports(find: Find = system_ports, holder: Callable[[str], str] | None = None) -> list[PortInfo]:
    """The ports that are plugged in now, USB adapters first; each with who has it open where ``holder`` tells it.

    Finding out looks at every process: only who shows it to people asks for it.
    """
    entries = sorted(find(), key=lambda entry: (not hardware_id(entry), str(entry.device)))
    times = Counter(hardware_id(entry) for entry in entries)
    found = []
    for entry in entries:
        path, known_by = str(entry.device), hardware_id(entry)
        if times[known_by] > 1 and known_by:  # makers who print one serial number on all of them
            known_by = hardware_id(entry, by_socket=True) or path
        found.append(PortInfo(path, description(entry), known_by, holder(path) if holder else ""))
    return found


def listed_for(port: str, find: Find = system_ports) -> list[PortInfo]:
    """The ports among which ``port`` is looked for; a serial server on the network is among none."""
    return [] if is_url(port) else list_ports(find)


def hardware_id(entry: Any, *, by_socket: bool = False) -> str:
    """By what an adapter is known again: ``usb:VID:PID:SERIAL``; by its socket where it has no serial number.

    "" for ports that are not USB: they stay where they are.
    """
    if getattr(entry, "vid", None) is None:
        return ""
    family = f"usb:{entry.vid:04X}:{entry.pid or 0:04X}"
    serial = str(getattr(entry, "serial_number", None) or "").strip()
    if serial not in _SAYS_NOTHING and not by_socket:
        return f"{family}:{serial}"
    location = str(getattr(entry, "location", None) or "").strip()
    return f"{family}@{location}" if location not in _SAYS_NOTHING else ""


def description(entry: Any) -> str:
    """What the hardware calls itself, in one line."""
    words = [str(getattr(entry, name, None) or "").strip() for name in ("description", "manufacturer")]
    kept = [word for at, word in enumerate(words) if word not in _SAYS_NOTHING and word not in words[:at]]
    if len(kept) == 2 and kept[1] in kept[0]:
        kept.pop()
    return ", ".join(kept) or "Serial port"


def is_url(port: str) -> bool:
    """Whether the port is reached over the network."""
    return port.lower().startswith(URL_SCHEMES)


def locate(port: str, ports: Sequence[PortInfo]) -> str:
    """The path behind a path, a URL or a hardware id.

    Raises NotReady for an id that is not plugged in, SettingsInvalid for no port at all and for other URLs.
    """
    if not port:
        raise SettingsInvalid("port", f"No port is named. {spoken(ports)}")
    if "://" in port:
        _check_url(port)
    if not port.startswith("usb:"):
        return port
    found = next((one.path for one in ports if one.hardware_id == port), None)
    if found is None:
        raise NotReady(f"The adapter {port.removeprefix('usb:')} is not plugged in. {spoken(ports)}")
    return found


def _check_url(port: str) -> None:
    """pyserial knows further schemes; some of them write files, none of them is a port of a sensor."""
    with contextlib.suppress(ValueError):
        parts = urlsplit(port)
        if is_url(port) and parts.hostname and parts.port:
            return
    scheme = next((one for one in URL_SCHEMES if port.lower().startswith(one)), URL_SCHEMES[0])
    raise SettingsInvalid("port", f"{port} is no address of a serial server: write it as {scheme}host:4001.")


def id_of(path: str, ports: Sequence[PortInfo]) -> str:
    """The hardware id behind a path, links followed; "" where there is none."""
    real = os.path.realpath(path)
    return next((one.hardware_id for one in ports if os.path.realpath(one.path) == real), "")


def canonical(port: str, ports: Sequence[PortInfo]) -> str:
    """One name for all names of a port, so that two can be compared: the id of its hardware, or its real path."""
    if is_url(port):
        return port.lower().rstrip("/")
    if port.startswith("usb:"):
        return port
    if os.name == "nt":
        return id_of(port, ports) or port.upper()
    return id_of(port, ports) or os.path.realpath(port)


def spoken(ports: Sequence[PortInfo]) -> str:
    """What there is instead, for a sentence."""
    if not ports:
        return "No serial port is plugged in: plug the adapter in, then look again."
    return "Plugged in now: " + ", ".join(f"{one.path} ({one.description})" for one in ports) + "."
