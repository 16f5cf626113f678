"""The chores beside an engine: old rows deleted, the record of acts sealed, secrets of nobody forgotten."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from adapters.base import Clock
from app.clock import from_ms
from app.errors import OperatorError
from app.integrations.changes import forget_orphans
from app.problems import Issue, clear_problems, raise_problem
from app.security.audit import AuditReport
from app.security.findings import IN_THE_CHAIN
from app.security.seal import Seal, keep_sealed
from app.security.vault import Vault
from app.store.errors import StoreError
from app.store.retention import doubted_days, sweep
from app.store.store import Store

ROUND_S = 3600.0
FIRST_ROUND_S = 180.0
"""The start of a program has better things to do than to delete."""

AHEAD_DAYS = 30
"""A computer that was switched off for less than this is not asked about its clock."""

_CHANGED = "The record of acts was changed outside this program"
_UNSEALED = "The checkpoints of the record of acts do not hold"
_ACTS, _CLOCK_AHEAD = "acts", "clock_ahead"

_log = logging.getLogger(__name__)

Note = Callable[[Callable[[Connection], None]], None]
"""Writes a job's words into the store soon, without anybody waiting for it."""


async def keep_house(store: Store, clock: Clock) -> None:
    """Delete what is older than its keeping time, once an hour, until cancelled."""
    await clock.sleep(FIRST_ROUND_S)
    while True:
        try:
            deleted = sum((await _swept(store, clock.now_ms())).values())
            await asyncio.wrap_future(store.write(partial(judge_leap, now_ms=clock.now_ms())))
        except StoreError as err:
            _log.warning("old rows could not be deleted, trying again in an hour: %s", err)
        else:
            if deleted:
                _log.info("%d rows older than their keeping time were deleted", deleted)
        await clock.sleep(ROUND_S)


async def _swept(store: Store, now_ms: int) -> dict[str, int]:
    """One round in a thread; a cancelled one is over, its last batch stored, when this returns."""
    stop = threading.Event()
    sweeping = asyncio.get_running_loop().run_in_executor(None, sweep, store, now_ms, stop)
    try:
        return await asyncio.shield(sweeping)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait({sweeping})
        raise


def judge_leap(connection: Connection, now_ms: int) -> None:
    """A clock far ahead of what the store has seen would date everything wrongly: a problem until it is believed."""
    days = doubted_days(connection, now_ms)
    if days < AHEAD_DAYS:
        clear_problems(connection, None, frozenset({_CLOCK_AHEAD}), now_ms)
        return
    far = f"{days:.0f} days" if days < 2 * 365 else f"{days / 365.25:.0f} years"
    detail = (
        f"It shows {from_ms(now_ms):%d %B %Y}, {far} after this program last ran. If that is not the date, set the "
        "computer's date and time, also where it takes them from: what arrives until then is dated wrongly. If the "
        "program did stand still for so long, nothing is to be done. Nothing old is deleted by this clock until it "
        "has stood for three days of running."
    )
    raise_problem(
        connection, None, Issue(_CLOCK_AHEAD, "The clock of this computer is far ahead", detail, "none"), now_ms
    )


async def watch_acts(store: Store, vault: Vault, clock: Clock, note: Note, folder: Path | None = None) -> None:
    """Seal the record of acts as it grows, and raise a problem where it was tampered with, until cancelled.

    ``folder`` is where the checkpoints are kept.
    """

    def on_report(report: AuditReport) -> None:
        if report.first_fault is None:
            note(partial(clear_problems, integration_id=None, kinds=frozenset({_ACTS}), now_ms=clock.now_ms()))
            return
        detail = (
            f"{report.first_fault} Find out who could write the store since the last good check, and compare with a "
            "backup. New acts are recorded but no longer sealed."
        )
        _log.error("the record of acts does not hold: %s", report.first_fault)
        title = _CHANGED if report.findings[0].kind in IN_THE_CHAIN else _UNSEALED
        issue = Issue(_ACTS, title, detail, "none")
        note(partial(raise_problem, integration_id=None, issue=issue, now_ms=clock.now_ms()))

    await keep_sealed(store, Seal(vault, store.url, folder), clock, on_report)


async def forget_lost_secrets(store: Store, vault: Vault) -> None:
    """Delete secrets whose integration does not exist any more; a locked vault is left for the next start."""
    try:
        forgotten = await asyncio.to_thread(forget_orphans, store, vault)
    except OperatorError as err:
        _log.info("secrets of removed integrations are looked for at the next start: %s", err)
    else:
        if forgotten:
            _log.info("secrets of %d integrations that do not exist any more were deleted", forgotten)
