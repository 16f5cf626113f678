"""What the operating system knows of serial ports: who holds one, which group may open it, pseudo terminals.

The only file of the adapters with calls that exist on one system alone, each with an answer for the others.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import sys
from pathlib import Path

_GROUP_RW = 0o060
_VIRTUAL = "/dev/pts/"
"""Whoever made a pseudo terminal may hold both of its ends."""


def holder_of(path: str) -> str:
    """Name and number of another process that has the port open, "" where there is none or it cannot be told.

    Processes of other users are told only to the administrator.
    """
    if sys.platform != "linux":
        return ""
    real = os.path.realpath(path)
    if real.startswith(_VIRTUAL):
        return ""
    for process in Path("/proc").iterdir():
        if process.name.isdecimal() and int(process.name) != os.getpid() and _has_open(process, real):
            return _name_of(process)
    return ""


def lock_holder_of(path: str) -> str:
    """Name and number of the process that has the port's lock, "" where it cannot be told."""
    if sys.platform != "linux":
        return ""
    try:
        wanted = os.stat(path)  # noqa: PTH116 - follows the link, as the lock does
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return ""
    for line in lines:
        parts = line.split()
        if len(parts) < 6 or parts[1] != "FLOCK":
            continue
        *_device, inode = parts[5].split(":")
        if inode == str(wanted.st_ino) and int(parts[4]) > 0:
            process = Path("/proc") / parts[4]
            if _has_open(process, os.path.realpath(path)):
                return _name_of(process)
    return ""


def _has_open(process: Path, real_path: str) -> bool:
    try:
        with os.scandir(process / "fd") as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    if os.readlink(entry.path) == real_path:  # noqa: PTH115 - as it stands, thousands of times
                        return True
    except OSError:  # another user's, or gone meanwhile
        return False
    return False


def _name_of(process: Path) -> str:
    if process.name == str(os.getpid()):
        return "this program itself, on another page or by an integration"
    try:
        name = (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        name = "a process"
    return f"{name} (process {process.name})"


def group_of(path: str) -> str:
    """The group by which users get the right to open the port.

    "" where there are no groups, where the group has no right itself, and for root's own, which is for nobody else.
    """
    if sys.platform == "win32":
        return ""
    import grp

    try:
        told = os.stat(path)  # noqa: PTH116 - follows links
    except OSError:
        return ""
    number = told.st_gid
    if number == 0 or told.st_mode & _GROUP_RW != _GROUP_RW:
        return ""
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def waits_for_sign_in(group: str) -> bool:
    """Whether this user is in the group on paper, and only this session, begun before, does not know it yet."""
    if sys.platform == "win32":
        return False
    import grp

    try:
        entry = grp.getgrnam(group)
        return getpass.getuser() in entry.gr_mem and entry.gr_gid not in os.getgroups()
    except (KeyError, OSError):
        return False


def open_pty() -> tuple[int, str]:
    """A pseudo terminal for a simulated bus: the descriptor of its far end, and the path that a program opens.

    Raises NotImplementedError on Windows, which has none.
    """
    if sys.platform == "win32":
        raise NotImplementedError
    import tty

    far, near = os.openpty()
    try:
        tty.setraw(near)
        path = os.ttyname(near)
        os.set_blocking(far, False)
    except BaseException:
        os.close(far)
        raise
    finally:
        os.close(near)
    return far, path


def pty_speed(far: int) -> int:
    """The speed that the program at the near end has set, 0 where it cannot be told."""
    if sys.platform == "win32":
        return 0
    import termios

    try:
        code = termios.tcgetattr(far)[5]
    except termios.error:
        return 0
    named = (name for name in dir(termios) if name[:1] == "B" and name[1:].isdecimal())
    return next((int(name[1:]) for name in named if getattr(termios, name) == code), 0)


def is_open_elsewhere(far: int) -> bool:
    """Whether some program has the near end of a pseudo terminal open."""
    if sys.platform == "win32":
        return False
    import select

    watch = select.poll()
    watch.register(far, select.POLLIN)
    return not any(event & select.POLLHUP for _descriptor, event in watch.poll(0))
