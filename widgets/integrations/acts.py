"""What the operator does to a configured integration from the page, with the questions before and the words after."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QWidget
from sqlalchemy import Connection

from app.clock import utc_now
from app.engine.commands import SYNC, give_command, outcome_of
from app.engine.running import is_engine_running
from app.errors import OperatorError
from app.integrations import Dependents, IntegrationRow, dependents, disable, enable, export_settings, remove
from app.platform import write_durably
from app.security.vault import VaultError
from app.store.errors import StoreError
from resources.i18n import tr, trn
from widgets import ask
from widgets.context import ConsoleContext

LOOK_EVERY_S = 0.25
SYNC_WAIT_S = 900.0
PLATES_NAMED = 6


class Acts:
    """``changed`` is called when what is under way has changed (a run was asked for, or has ended)."""

    def __init__(self, context: ConsoleContext, parent: QWidget, changed: Callable[[], None]) -> None:
        self._context = context
        self._parent = parent
        self._changed = changed
        self.syncing: set[str] = set()

    async def sync(self, row: IntegrationRow) -> None:
        """Ask the engine for a run, and tell how it ended: nothing is called done before it is."""
        if row.id in self.syncing:
            return
        self.syncing.add(row.id)
        self._changed()
        try:
            level, words = await self._sync(row)
        except StoreError as err:
            level, words = False, err.why
        finally:
            self.syncing.discard(row.id)
            self._changed()
        self._context.notify("ok" if level else "error", words)

    async def enable(self, row: IntegrationRow) -> None:
        await self._do(lambda: enable(self._context.services.desk, row.id), tr("{name} is enabled.", name=row.name))

    async def disable(self, row: IntegrationRow) -> None:
        """Ask first, naming what falls silent."""
        found = await self._dependents(row)
        if found is None:
            return
        agreed = await ask.confirm(
            self._parent,
            self._context.theme,
            tr("Disable {name}?", name=row.name),
            tr("It stops at once: nothing of it is received or fetched until it is enabled again."),
            act=tr("Disable"),
            detail=_falls_silent(found),
            destructive=True,
        )
        if agreed:
            done = tr("{name} is disabled. Its settings and data stay.", name=row.name)
            await self._do(lambda: disable(self._context.services.desk, row.id), done)

    async def remove(self, row: IntegrationRow) -> None:
        """Ask first, naming what depends on it, what goes and what stays."""
        found = await self._dependents(row)
        if found is None:
            return
        agreed = await ask.confirm(
            self._parent,
            self._context.theme,
            tr("Remove {name}?", name=row.name),
            tr("Its settings and its saved secrets are deleted, and nothing of it is received any more."),
            act=tr("Remove"),
            detail=_stays(found),
            destructive=True,
        )
        if not agreed:
            return
        try:
            await asyncio.to_thread(lambda: remove(self._context.services.desk, row.id))
        except VaultError as err:  # it is removed all the same; what is left is deleted at a later start
            self._context.notify("warn", tr("{name} is removed, but {why}", name=row.name, why=err.why))
        except OperatorError as err:
            self._context.notify("error", err.why)
        else:
            self._context.notify("ok", tr("{name} is removed. Its devices and their data stay.", name=row.name))

    async def export(self) -> None:
        """Write the settings of all integrations, without secrets, to a file of the operator's choice."""
        catalogue = await asyncio.to_thread(lambda: self._context.services.catalogue)
        day = f"{utc_now().astimezone(self._context.formats.zone):%Y-%m-%d}"
        file = await ask.save_file(
            self._parent, tr("Export settings without secrets"), f"integrations-{day}.json", ("JSON (*.json)",)
        )
        if file is None:
            return
        document = await self._context.bridge.read(partial(export_settings, catalogue=catalogue))
        try:
            await asyncio.to_thread(_write_json, file, document)
        except OSError as err:
            why = err.strerror or str(err)
            words = tr("{file} could not be written: {why}. Choose another place.", file=file, why=why)
            self._context.notify("error", words)
            return
        count = trn("{count} integration", "{count} integrations", len(document["integrations"]))
        self._context.notify("ok", tr("{count} written to {file}. Secrets are not in it.", count=count, file=file))

    async def _sync(self, row: IntegrationRow) -> tuple[bool, str]:
        read, now_ms = self._context.bridge.read, self._context.services.clock.now_ms
        if not await read(lambda connection: is_engine_running(connection, now_ms())):
            return False, tr("The engine is not running, so {name} cannot sync. Start the engine.", name=row.name)
        give = partial(give_command, name=SYNC, now_ms=now_ms(), integration_id=row.id)
        command_id = await self._context.bridge.write(give)
        ends = asyncio.get_running_loop().time() + SYNC_WAIT_S

        def look(connection: Connection) -> tuple[dict[str, Any] | None, bool]:
            return outcome_of(connection, command_id), is_engine_running(connection, now_ms())

        while asyncio.get_running_loop().time() < ends:
            outcome, is_running = await read(look)
            if outcome is not None:
                return _outcome_words(row, outcome)
            if not is_running:
                return False, tr("The engine stopped before {name} had synced. Ask again.", name=row.name)
            await asyncio.sleep(LOOK_EVERY_S)
        return False, tr("{name} is still at it after 15 minutes. Its log tells how it ends.", name=row.name)

    async def _do(self, act: Callable[[], object], done: str) -> None:
        try:
            await asyncio.to_thread(act)
        except OperatorError as err:
            self._context.notify("error", err.why)
        else:
            self._context.notify("ok", done)

    async def _dependents(self, row: IntegrationRow) -> Dependents | None:
        try:
            return await self._context.bridge.read(partial(dependents, integration_id=row.id))
        except StoreError as err:
            self._context.notify("error", err.why)
            return None


def _write_json(file: Path, document: dict[str, Any]) -> None:
    write_durably(file, (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode())


def _outcome_words(row: IntegrationRow, outcome: dict[str, Any]) -> tuple[bool, str]:
    if not outcome.get("ok"):
        return False, str(outcome.get("error") or tr("{name} could not sync. See its log.", name=row.name))
    counts = outcome.get("counts") or {}
    records = trn("{count} new record", "{count} new records", sum(int(count) for count in counts.values()))
    seconds = f"{int(outcome.get('duration_ms') or 0) / 1000:.1f}"
    return True, tr("{name}: {records} in {seconds} s.", name=row.name, records=records, seconds=seconds)


def _vehicles(found: Dependents) -> str:
    named = ", ".join(found.vehicles[:PLATES_NAMED])
    rest = found.vehicle_count - min(PLATES_NAMED, len(found.vehicles))
    plates = tr("{plates} and {count} more", plates=named, count=rest) if rest > 0 else named
    vehicles = trn("{count} vehicle", "{count} vehicles", found.vehicle_count)
    return tr("{vehicles} ({plates})", vehicles=vehicles, plates=plates)


def _unsent(found: Dependents) -> list[str]:
    """What waits for this peer, by name."""
    if not found.unsent:
        return []
    count = trn("{count} change has", "{count} changes have", found.unsent)
    named = ", ".join(found.unsent_names)
    more = tr(" and more") if found.unsent > len(found.unsent_names) else ""
    return [tr("{count} not been accepted by it: {named}{more}.", count=count, named=named, more=more)]


def _falls_silent(found: Dependents) -> str:
    if found.is_empty:
        return tr("No tracker, vehicle or geofence depends on it.")
    waits = [f"{line} {tr('They wait here until it is enabled again.')}" for line in _unsent(found)]
    if not (found.devices or found.vehicle_count or found.geofences):
        return "\n".join(waits) or tr("No tracker, vehicle or geofence depends on it.")
    lines = [*waits]
    if found.devices > found.phones or not found.phones:
        trackers = found.devices - found.phones
        lines.append(trn("{count} tracker falls silent.", "{count} trackers fall silent.", trackers))
    if found.phones:
        lines.append(
            trn("{count} driver's phone is not heard.", "{count} drivers' phones are not heard.", found.phones)
        )
    if found.vehicle_count:
        lines.append(tr("Not seen through it any more: {vehicles}.", vehicles=_vehicles(found)))
    if found.geofences:
        lines.append(trn("{count} geofence is not updated.", "{count} geofences are not updated.", found.geofences))
    return "\n".join(lines)


def _stays(found: Dependents) -> str:
    if found.is_empty:
        return tr("No device, vehicle or data depends on it.")
    devices = trn("{count} device", "{count} devices", found.devices)
    positions = trn("{count} position", "{count} positions", found.positions)
    events = trn("{count} event", "{count} events", found.events)
    lines = [*_unsent(found), tr("Stays in the store: {parts}.", parts=", ".join((devices, positions, events)))]
    if found.vehicle_count:
        lines.append(tr("Without this source from then on: {vehicles}.", vehicles=_vehicles(found)))
    if found.geofences:
        fences = trn("{count} geofence", "{count} geofences", found.geofences)
        lines.append(tr("{fences} stay as they were last.", fences=fences))
    return "\n".join(lines)
