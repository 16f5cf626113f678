"""What works on this machine, check by check, each with what to do where it does not."""

from __future__ import annotations

import errno
import importlib
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from app import platform
from app.catalogue import Catalogue
from app.clock import from_ms
from app.engine.facts import EngineFacts, read_facts
from app.errors import OperatorError
from app.fleet.times import iso
from app.integrations import IntegrationRow, configured, list_integrations
from app.paths import Paths
from app.security.database_password import kept_password
from app.security.vault import Vault
from app.store import rawfile
from app.store.connect import parse_url, place_of, sqlite_path
from app.store.head import HEAD
from app.store.migrate import stored_revision
from app.store.store import Store
from app.store.tables import PositionRow

LIBRARIES = ("sqlalchemy", "alembic", "httpx", "websockets", "keyring", "cryptography", "pydantic", "serial")
WINDOW_LIBRARIES = ("PySide6.QtWidgets", "qasync", "pyqtgraph", "numpy")
LEAST_FREE_BYTES = 500_000_000
LATEST_BUILD = datetime(2026, 1, 1, tzinfo=UTC)
"""No clock is right that shows a day before this program was written."""
DEFAULT_TRACKER_PORT = 5022
_PROBE_ENTRY = "doctor-probe"
_TROUBLED = frozenset({"error", "misconfigured", "needs_sign_in", "retrying"})

_Connection = tuple[IntegrationRow, dict[str, Any]]
"""A configured integration and its settings."""


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
    about_store, rows = _store(database_url, open_vault)
    findings += about_store
    findings += _connections(rows, catalogue, engine_runs=_running_engine(paths) is not None)
    findings += _packages(catalogue)
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


def _running_engine(paths: Paths) -> EngineFacts | None:
    facts = read_facts(paths.engine_json)
    return facts if facts is not None and platform.is_process_alive(facts.pid) else None


def _engine(paths: Paths) -> Finding:
    facts = _running_engine(paths)
    if facts is None:
        return Finding("engine", True, "No engine is running; the window or “gateway” starts one.")
    return Finding("engine", True, f"Running: {facts.spoken()}.")


def _store(database_url: str, open_vault: Callable[[], Vault]) -> tuple[list[Finding], list[_Connection]]:
    """What is to be said of the store, and the integrations in it."""
    try:
        url = parse_url(database_url)
        password = kept_password(database_url, open_vault)
        revision = stored_revision(database_url, password=password)
        if revision is None:
            return [Finding("store", True, f"{place_of(url)} does not exist yet; the first start makes it.")], []
        if revision != HEAD:
            fix = "Run “store upgrade”." if revision < HEAD else "Install the newer program here."
            return [Finding("store", False, f"Revision {revision}, this program needs {HEAD}.", fix)], []
        with closing(Store.open(database_url, password=password)) as store, store.read() as connection:
            newest = connection.execute(select(func.max(PositionRow.received_at_ms))).scalar_one_or_none()
            rows = [(row, configured(connection, row.id).config) for row in list_integrations(connection)]
    except OperatorError as err:
        return [Finding("store", False, "The store cannot be opened.", err.why)], []
    findings = [_integrity(sqlite_path(url), place_of(url))]
    if newest is not None and from_ms(newest) > datetime.now(UTC):
        detail = f"The newest position arrived at {iso(from_ms(newest))}, ahead of now."
        findings.append(Finding("clock and store", False, detail, "Set date and time of this computer."))
    return findings, rows


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


def _connections(rows: list[_Connection], catalogue: Catalogue, *, engine_runs: bool) -> Iterator[Finding]:
    """Integrations that need somebody, and the ports of those that listen."""
    listeners = {entry.key for entry in catalogue.entries() if entry.manifest and "listen" in entry.manifest.modes}
    ports = [(row, config) for row, config in rows if row.type in listeners and isinstance(config.get("port"), int)]
    for row, _config in rows:
        if row.phase in _TROUBLED:
            detail = f"{row.phase.replace('_', ' ')} since {iso(row.since)}"
            yield Finding(f"integration {row.name}", False, detail, row.reason)
    if engine_runs:
        for row, config in ports:
            if row.phase not in _TROUBLED:
                yield Finding(f"port of {row.name}", True, f"The engine has port {config['port']} ({row.phase}).")
    elif ports:
        for row, config in ports:
            yield _free_port(f"port of {row.name}", str(config.get("host", "")), config["port"])
    else:
        yield _free_port("tracker port", "", DEFAULT_TRACKER_PORT)


def _free_port(check: str, host: str, port: int) -> Finding:
    with socket.socket() as probe:
        if os.name == "posix":  # on Windows this option would share the port instead of finding it taken
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as err:
            if err.errno == errno.EACCES:
                return Finding(check, False, f"This user may not listen on port {port}.", "Choose a port above 1023.")
            if err.errno == errno.EADDRINUSE:
                fix = "Choose another port, or end the program that holds it."
                return Finding(check, False, f"Port {port} is held by another program.", fix)
            fix = "Correct the address in the settings."
            return Finding(check, False, f"Nothing can listen on {host} port {port}: {err.strerror or err}.", fix)
    return Finding(check, True, f"Port {port} is free.")


def _packages(catalogue: Catalogue) -> Iterator[Finding]:
    for entry in catalogue.entries():
        if entry.problem is not None:
            yield Finding(f"integration package {entry.key}", False, "It cannot be loaded.", entry.problem)
