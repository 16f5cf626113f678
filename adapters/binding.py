"""Whether the address can be listened on, and in plain words why not."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket

from adapters.errors import AdapterError, NotReady, SettingsInvalid

_TAKEN = frozenset({errno.EADDRINUSE, 10048})  # the second of each pair is Windows' own number
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, 10013})
_NOT_OURS = frozenset({errno.EADDRNOTAVAIL, 10049})
_NONE_OF_OURS = "could not bind on any address"  # asyncio's own words for it from Python 3.13 on, without a number


async def resolve(host: str) -> tuple[socket.AddressFamily, str]:
    """Family and numeric address of a host name or address. Raises SettingsInvalid."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return await _look_up(host)
    return (socket.AF_INET6 if address.version == 6 else socket.AF_INET), str(address)


async def _look_up(host: str) -> tuple[socket.AddressFamily, str]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as err:
        raise SettingsInvalid(
            "host",
            f"{host} is no address of this computer. "
            "Use 0.0.0.0 to listen on all of its addresses, or give one of them.",
        ) from err
    family, _, _, _, address = found[0]
    return family, str(address[0])


def try_binding(family: socket.AddressFamily, address: str, port: int, *, udp: bool) -> None:
    """Bind as the listener will and let go at once; blocks for no time. Raises as :func:`explained`.

    Nothing is listened on, so a tracker that connects at this moment is refused rather than accepted and lost.
    """
    kinds = [socket.SOCK_STREAM, socket.SOCK_DGRAM] if udp else [socket.SOCK_STREAM]
    for kind in kinds:
        with socket.socket(family, kind) as probe:
            if kind == socket.SOCK_STREAM and os.name == "posix":  # as asyncio does, so that old links do not block
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError as err:
                raise explained(err, address, port, udp=kind == socket.SOCK_DGRAM) from err


def explained(err: OSError, address: str, port: int, *, udp: bool = False) -> AdapterError:
    """The error of the closed set for a bind that failed."""
    where = f"{'UDP' if udp else 'TCP'} port {port} on {address}"
    if err.errno in _TAKEN:
        return NotReady(
            f"{where} is already in use by another program, or by this console's own running engine. "
            "Stop that program, disable the integration that uses the port, or choose another port."
        )
    if err.errno in _FORBIDDEN:
        return SettingsInvalid(
            "port",
            f"This user may not listen on {where}. Choose a port above 1023, "
            "or let an administrator allow the program to use this one.",
        )
    if err.errno in _NOT_OURS or (err.errno is None and _NONE_OF_OURS in str(err)):
        return SettingsInvalid(
            "host",
            f"This computer has no address {address}. Use 0.0.0.0 to listen on all of its addresses, "
            "or give one of them.",
        )
    return NotReady(f"{where} cannot be opened: {err.strerror or err}. Check the computer's network, then try again.")


def while_running(error: AdapterError) -> AdapterError:
    """A missing address is a wrong setting when it is entered, and an outage later: the network may come up late."""
    if isinstance(error, SettingsInvalid) and error.field == "host":
        return NotReady(f"{error.why} It is tried again by itself, for when the network comes up late.")
    return error
