"""What works on this machine, check by check, each with what to do where it does not."""

from __future__ import annotations

import errno
import importlib
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from app import platform
from app.catalogue import Catalogue
from app.clock import from_ms
from app.engine.facts import read_facts
from app.errors import OperatorError
from app.integrations import list_integrations
from app.paths import Paths
from app.security.vault import Vault
from app.store import rawfile
from app.store.connect import parse_url, place_of, sqlite_path
from app.store.migrate import stored_revision
from app.store.revision import HEAD
from app.store.store import Store
from app.store.tables import PositionRow

LIBRARIES = ("sqlalchemy", "alembic", "httpx", "websockets", "keyring", "cryptography", "pydantic", "serial")
WINDOW_LIBRARIES = ("PySide6.QtWidgets", "qasync", "pyqtgraph", "numpy")
LEAST_FREE_BYTES = 500_000_000
LATEST_BUILD = datetime(2026, 1, 1, tzinfo=UTC)
"""No clock is right that shows a day before this program was written."""
DEFAULT_TRACKER_PORT = 5022
_PROBE_ENTRY = "doctor-probe"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check. ``fix`` is "" where nothing needs doing."""

    check: str
    ok: bool
    detail: str
    fix: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def examine(paths: Paths, database_url: str, open_vault: Callable[[], Vault], catalogue: Catalogue) -> list[Finding]:
    """Every check; none of them changes anything that stays. Blocks."""
    findings = [
        _libraries("libraries", LIBRARIES, "Install the program again; its environment is not complete."),
        _libraries("window", WINDOW_LIBRARIES, "Only the window needs these; the gateway runs without them."),
        _display(),
        _key_store(open_vault),
        _serial_ports(),
        _clock(),
        _disk(paths),
        _engine(paths),
    ]
    findings += _store(database_url)
    findings += _listening_ports(database_url)
    findings += _integrations(catalogue)
    return findings


def _libraries(check: str, names: tuple[str, ...], fix: str) -> Finding:
    missing = []
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError as err:
            missing.append(f"{name} ({err})")
    if missing:
        return Finding(check, False, f"Cannot be loaded: {'; '.join(missing)}.", fix)
    return Finding(check, True, f"{', '.join(name.split('.')[0] for name in names)} load.")


def _display() -> Finding:
    if platform.has_display():
        return Finding("display", True, "There is a display for the window.")
    return Finding("display", True, "There is no display here: the gateway and the commands work, the window does not.")


def _key_store(open_vault: Callable[[], Vault]) -> Finding:
    try:
        vault = open_vault()
        # Reading an entry that does not exist asks the key store without leaving anything in it.
        vault.get(_PROBE_ENTRY, "probe")
    except OperatorError as err:
        return Finding("key store", False, "Secrets cannot be reached.", err.why)
    return Finding("key store", True, vault.describe())


def _serial_ports() -> Finding:
    from serial.tools.list_ports import comports

    ports = [f"{port.device} ({port.description})" for port in comports()]
    if not ports:
        return Finding("serial ports", True, "None is plugged in.")
    blocked = [port.split(" ")[0] for port in ports if not os.access(port.split(" ")[0], os.R_OK | os.W_OK)]
    if blocked and os.name == "posix":
        fix = "Add this user to the group that owns the port (often dialout), then sign in again."
        return Finding("serial ports", False, f"No permission for {', '.join(blocked)}.", fix)
    return Finding("serial ports", True, ", ".join(ports))


def _clock() -> Finding:
    now = datetime.now(UTC)
    text = f"{now:%Y-%m-%d %H:%M:%S} UTC, zone {time.strftime('%Z')}"
    if now < LATEST_BUILD:
        return Finding("clock", False, f"It shows {text}, before this program was written.", "Set date and time.")
    return Finding("clock", True, text)


def _disk(paths: Paths) -> Finding:
    folder = next(path for path in (paths.data_dir, *paths.data_dir.parents) if path.exists())
    if not os.access(folder, os.W_OK):
        fix = "Give this user the right to write there, or name another folder with --data-dir."
        return Finding("disk", False, f"{folder} cannot be written.", fix)
    free = shutil.disk_usage(folder).free
    detail = f"{free / 1e9:.1f} GB free at {folder}."
    if free < LEAST_FREE_BYTES:
        return Finding("disk", False, detail, "Free some space; without it nothing that arrives can be stored.")
    return Finding("disk", True, detail)


def _engine(paths: Paths) -> Finding:
    facts = read_facts(paths.engine_json)
    if facts is None or not platform.is_process_alive(facts.pid):
        return Finding("engine", True, "No engine is running; the window or “gateway” starts one.")
    return Finding("engine", True, f"Running: {facts.spoken()}.")


def _store(database_url: str) -> Iterator[Finding]:
    try:
        url = parse_url(database_url)
        revision = stored_revision(database_url)
    except OperatorError as err:
        yield Finding("store", False, "The store cannot be opened.", err.why)
        return
    if revision is None:
        yield Finding("store", True, f"{place_of(url)} does not exist yet; the first start makes it.")
        return
    if revision != HEAD:
        fix = "Run “store upgrade”." if revision < HEAD else "Install the newer program here."
        yield Finding("store", False, f"Revision {revision}, this program needs {HEAD}.", fix)
        return
    yield _integrity(sqlite_path(url), place_of(url))
    store = Store.open(database_url)
    try:
        with store.read() as connection:
            newest = connection.execute(select(func.max(PositionRow.received_at_ms))).scalar_one_or_none()
    finally:
        store.close()
    if newest is not None and from_ms(newest) > datetime.now(UTC):
        fix = "Set date and time of this computer."
        yield Finding(
            "clock and store", False, f"The newest position arrived at {from_ms(newest):%c}, ahead of now.", fix
        )


def _integrity(path: Path | None, place: str) -> Finding:
    if path is None:
        return Finding("store", True, f"{place}, revision {HEAD}.")
    with rawfile.opened(path, read_only=True) as connection:
        sound = rawfile.is_sound(connection)
    detail = f"{place}, revision {HEAD}, {path.stat().st_size / 1e6:.1f} MB"
    if sound:
        return Finding("store", True, f"{detail}, structure sound.")
    fix = "Close every window and gateway and start again: what can be read is recovered."
    return Finding("store", False, f"{detail}, damaged.", fix)


def _listening_ports(database_url: str) -> Iterator[Finding]:
    try:
        if stored_revision(database_url) != HEAD:
            return
        store = Store.open(database_url)
    except OperatorError:
        return  # said by the store's own check
    try:
        with store.read() as connection:
            rows = list_integrations(connection)
    finally:
        store.close()
    for row in rows:
        if row.phase in {"error", "misconfigured", "needs_sign_in"}:
            yield Finding(f"integration {row.name}", False, f"{row.phase.replace('_', ' ')}: {row.reason}", row.reason)
    if not any(row.type == "gt02_tracker" for row in rows):
        yield _port_is_free(DEFAULT_TRACKER_PORT)


def _port_is_free(port: int) -> Finding:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as err:
            if err.errno == errno.EACCES:
                fix = "Choose a port above 1023 for the trackers."
                return Finding("tracker port", False, f"This user may not listen on port {port}.", fix)
            fix = "Choose another port for the trackers, or end the program that holds it."
            return Finding("tracker port", False, f"Port {port} is held by another program.", fix)
    return Finding("tracker port", True, f"Port {port} is free for trackers.")


def _integrations(catalogue: Catalogue) -> Iterator[Finding]:
    for entry in catalogue.entries():
        if entry.problem is not None:
            yield Finding(f"integration package {entry.key}", False, "It cannot be loaded.", entry.problem)
