"""The only file with calls that exist on one operating system alone, each with a fallback for the others."""

from __future__ import annotations

import asyncio
import getpass
import hashlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

NETWORK_FILE_SYSTEMS = frozenset(
    {
        "9p",
        "afpfs",
        "afs",
        "ceph",
        "cifs",
        "davfs",
        "fuse.davfs",
        "fuse.glusterfs",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.sshfs",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "smb2",
        "smb3",
        "smbfs",
        "webdav",
    }
)
"""Names of /proc/mounts and of macOS for file systems on which SQLite's locks cannot be trusted."""

_PLAYERS = (("afplay",), ("pw-play",), ("paplay",), ("aplay", "-q"), ("play", "-q"))
_playing: list[subprocess.Popen[bytes]] = []

_WINDOWS_REMOTE_DRIVE = 4  # GetDriveTypeW: DRIVE_REMOTE
_WINDOWS_QUERY_LIMITED = 0x1000  # OpenProcess: PROCESS_QUERY_LIMITED_INFORMATION
_WINDOWS_STILL_ACTIVE = 259  # GetExitCodeProcess: STILL_ACTIVE


def raise_open_files_limit(wanted: int = 16_384) -> int | None:
    """Raise this process's limit of open files towards ``wanted``; the limit now, None where there is none."""
    if sys.platform == "win32":
        return None
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    goal = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < goal:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (goal, hard))
        except (OSError, ValueError):  # macOS refuses more than its kernel limit; what we have must do
            return soft
        return goal
    return soft


def own_group() -> dict[str, Any]:
    """Arguments for Popen that put a child into its own process group, so that Ctrl+C here does not end it."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}


def is_process_alive(pid: int) -> bool:
    """Whether a process of that number runs. A process of another user counts as running."""
    if pid <= 0:
        return False
    if sys.platform == "win32":
        return _is_windows_process_alive(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def command_of(pid: int) -> tuple[str, ...]:
    """The command line of a process, on Windows its program's file alone; empty where that cannot be told."""
    if pid <= 0:
        return ()
    if sys.platform == "win32":
        return _windows_program(pid)
    told = Path(f"/proc/{pid}/cmdline")
    try:
        if told.parent.parent.joinpath("self").exists():
            return tuple(told.read_bytes().rstrip(b"\0").decode(errors="replace").split("\0"))
        listing = subprocess.run(
            ["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(listing.stdout.split())


def end_process(pid: int) -> None:
    """Ask a process to end cleanly (SIGTERM; on Windows it is ended at once). No error when it is gone."""
    _signal(pid, signal.SIGTERM)


def kill_process(pid: int) -> None:
    """End a process at once. No error when it is gone."""
    _signal(pid, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)


def on_stop_signal(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    """Call ``stop`` on the loop at SIGINT and SIGTERM; must be called on the main thread."""
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop)
        except (NotImplementedError, RuntimeError):  # Windows' and Qt's loops have no signal handlers
            signal.signal(number, lambda _number, _frame: loop.call_soon_threadsafe(stop))


def ignore_terminal_stop() -> None:
    """Let a background process that reads its terminal get an error instead of being halted (SIGTTIN)."""
    if sys.platform != "win32":
        signal.signal(signal.SIGTTIN, signal.SIG_IGN)


def is_network_path(path: Path) -> bool:
    """Whether a path lies on a network share, where SQLite's locks cannot be trusted. Unknown counts as local."""
    path = _existing(path)
    if sys.platform == "win32":
        return _is_windows_share(path)
    return _file_system_of(path) in NETWORK_FILE_SYSTEMS


def console_user() -> str:
    """Name of the user at this machine, for the record of acts."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user without a name
        return f"user {os.getuid()}" if hasattr(os, "getuid") else "unknown user"


def machine_id() -> str:
    """A text that is another on every computer and stays on this one; made from the system's own, never that itself."""
    return hashlib.sha256(f"biko-console {_system_id()}".encode()).hexdigest()[:32]


def _system_id() -> str:
    if sys.platform == "win32":
        import winreg

        with suppress(OSError), winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SOFTWARE\Microsoft\Cryptography") as key:
            return str(winreg.QueryValueEx(key, "MachineGuid")[0])
    elif sys.platform == "darwin":
        with suppress(OSError, subprocess.SubprocessError):
            told = subprocess.run(
                ["ioreg", "-rd1", "-c", "IOPlatformExpertDevice"], capture_output=True, text=True, timeout=5, check=True
            ).stdout
            return next((line.split('"')[-2] for line in told.splitlines() if "IOPlatformUUID" in line), "")
    for file in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        with suppress(OSError):
            text = Path(file).read_text(encoding="ascii", errors="replace").strip()
            if text:
                return text
    return socket.gethostname()


def play_sound(path: Path) -> bool:
    """Begin to play a WAV file by the system's own player; False where there is none. Does not wait for its end."""
    if sys.platform == "win32":
        import winsound

        try:
            winsound.PlaySound(str(path), winsound.SND_FILENAME | winsound.SND_ASYNC | winsound.SND_NODEFAULT)
        except RuntimeError:  # no sound card
            return False
        return True
    for player in _PLAYERS:
        program = shutil.which(player[0])
        if program is not None:
            _reap_players()
            try:
                playing = subprocess.Popen(
                    [program, *player[1:], str(path)],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            except OSError:
                continue
            _playing.append(playing)
            return True
    return False


def _reap_players() -> None:
    """Collect players that have ended, and end those that hang: one sound at a time is enough."""
    for playing in _playing:
        if playing.poll() is None:
            playing.kill()
        playing.wait()
    _playing.clear()


def has_display() -> bool:
    """Whether a window can be shown: always on Windows and macOS, elsewhere when X11 or Wayland is reachable."""
    if sys.platform in {"win32", "darwin"}:
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def make_private(path: Path) -> None:
    """Let only the owner read a file (0600) or enter a folder (0700). Windows' profile folders are so by default."""
    if sys.platform != "win32":
        path.chmod(0o700 if path.is_dir() else 0o600)


def keep_new_files_private() -> None:
    """From now on, whatever this process and its children make is readable by its owner alone."""
    if sys.platform != "win32":
        os.umask(0o077)


def is_private(path: Path) -> bool:
    """Whether no other user may read a file; True on Windows, where the profile folder's rights decide."""
    return sys.platform == "win32" or path.stat().st_mode & 0o077 == 0


def sync_file(descriptor: int) -> None:
    """Return when an open file's bytes are on the disk itself."""
    if sys.platform == "darwin":
        import fcntl

        try:
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            return
        except OSError:  # file systems without it: the plain call is what there is
            pass
    os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Return when the names in a folder are on the disk. Windows does so by itself."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, data: bytes) -> None:
    """Replace a private file as a whole: after a power cut it holds the old bytes or the new ones, never a part.

    Raises OSError, and leaves the old file, when the disk is full or the folder may not be written.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            sync_file(file.fileno())
        _replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _replace(draft: Path, path: Path) -> None:
    """On Windows a file cannot be replaced in the moment in which another process reads it."""
    for _ in range(100 if sys.platform == "win32" else 0):
        try:
            draft.replace(path)
        except PermissionError:
            time.sleep(0.01)
        else:
            return
    draft.replace(path)


def _signal(pid: int, number: signal.Signals) -> None:
    if pid <= 0:  # 0 and below name groups of processes, never one
        return
    try:
        os.kill(pid, number)
    except (ProcessLookupError, OSError):
        return


def _existing(path: Path) -> Path:
    path = path.absolute()
    while not os.path.exists(path) and path != path.parent:  # noqa: PTH110 - Path's own raises where one may not look
        path = path.parent
    return path.resolve()


def _file_system_of(path: Path) -> str:
    """The mounted file system's type: the longest mount point above the path decides."""
    best, kind = "", ""
    for point, found in _mounts():
        inside = path == Path(point) or Path(point) in path.parents
        if inside and len(point) >= len(best):
            best, kind = point, found
    return kind


def _mounts() -> list[tuple[str, str]]:
    table = Path("/proc/mounts")
    if table.exists():
        lines = [line.split() for line in table.read_text(encoding="utf-8", errors="replace").splitlines()]
        return [(_unescape(parts[1]), parts[2]) for parts in lines if len(parts) >= 3]
    try:
        listing = subprocess.run(["mount"], capture_output=True, text=True, timeout=5, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return parse_mount_listing(listing)


def parse_mount_listing(listing: str) -> list[tuple[str, str]]:
    """Mount point and type from macOS' ``mount``: ``//u@host/share on /Volumes/share (smbfs, nodev)``."""
    found = []
    for line in listing.splitlines():
        head, opened, options = line.rpartition(" (")
        _device, on, point = head.partition(" on ")
        if opened and on:
            found.append((point, options.rstrip(")").split(",")[0].strip()))
    return found


def _unescape(point: str) -> str:
    """/proc/mounts writes blanks in names as octal."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\134", "\\")):
        point = point.replace(code, character)
    return point


def _is_zombie(pid: int) -> bool:
    """An ended child that nobody collected still has a number."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return False
    return bool(fields) and fields[0] == "Z"


def _kernel32() -> Any:
    """Windows' own functions, without types on the other systems."""
    import ctypes

    return getattr(ctypes, "windll").kernel32  # noqa: B009 - absent on other systems, also for the type checker


def _is_windows_process_alive(pid: int) -> bool:
    import ctypes

    kernel = _kernel32()
    handle = kernel.OpenProcess(_WINDOWS_QUERY_LIMITED, False, pid)
    if not handle:
        return False
    try:
        code = ctypes.c_ulong()
        known = kernel.GetExitCodeProcess(handle, ctypes.byref(code))
        return bool(known) and code.value == _WINDOWS_STILL_ACTIVE
    finally:
        kernel.CloseHandle(handle)


def _windows_program(pid: int) -> tuple[str, ...]:
    import ctypes

    kernel = _kernel32()
    handle = kernel.OpenProcess(_WINDOWS_QUERY_LIMITED, False, pid)
    if not handle:
        return ()
    try:
        name = ctypes.create_unicode_buffer(32_768)
        length = ctypes.c_ulong(len(name))
        known = kernel.QueryFullProcessImageNameW(handle, 0, name, ctypes.byref(length))
        return (name.value,) if known else ()
    finally:
        kernel.CloseHandle(handle)


def _is_windows_share(path: Path) -> bool:
    return path.drive.startswith("\\\\") or _kernel32().GetDriveTypeW(path.anchor) == _WINDOWS_REMOTE_DRIVE
