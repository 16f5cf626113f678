"""The engine's side of sending reports: carries runs out one at a time, starts those of the schedule.

A run stands in the store before anything goes out. Whatever is learnt is written in one commit at its end; an engine
that is killed in between leaves it running, and the next one calls it doubtful (runs.close_left_over_runs).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, select, update

from adapters.errors import AdapterError, NotReady
from adapters.reporting import Progress, RunResult, StoreResult
from app.clock import from_ms, to_ms
from app.engine.commands import Wish
from app.engine.journal import write_log
from app.engine.ports import Ports, read
from app.errors import OperatorError
from app.integrations.rows import Configured, configured
from app.integrations.settings import stored_settings
from app.problems import Issue, clear_problems, raise_problem
from app.reports.delays import delay_run
from app.reports.rows import Snapshot, TakenRow, accepted_today, take_snapshot
from app.reports.runs import (
    DELAYED,
    RUN_WORDS,
    RunListing,
    begin_run,
    close_left_over_runs,
    end_run,
    note_progress,
    write_messages,
    write_rows,
)
from app.reports.tasks import close_accepted, note_troubles
from app.store.changes import raise_topic
from app.store.errors import StoreError
from app.store.tables import ReportRow

PROBLEM = "report_run"
RUN_LIMIT_S = 3_600.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended, before it is written. ``outcomes`` maps row keys to (outcome, why)."""

    state: str
    detail: str
    rows: tuple[TakenRow, ...] = ()
    outcomes: Mapping[str, tuple[str, str]] | None = None
    result: RunResult | None = None
    skipped: int = 0
    retry_after_s: float | None = None


class ReportRuns:
    """All of an engine's report runs. Everything happens on the engine's loop."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._locks: dict[str, asyncio.Lock] = {}

    async def close_left_over(self) -> None:
        """At the start, before anything is taken up. Raises StoreError."""
        doubted = await asyncio.wrap_future(self._ports.store.write(partial(close_left_over_runs, now=self._now())))
        for run_id in doubted:
            _log.warning(
                "the sending of reports %s was under way when the engine ended; its outcome is not known", run_id
            )

    async def carry_out(self, wish: Wish) -> Mapping[str, Any]:
        """The command ``report.send``: its outcome, as the command row keeps it."""
        run_id = str(wish.payload.get("run") or "")
        ended = await self.run(run_id)
        answer: dict[str, Any] = {"ok": ended.state in ("accepted", "nothing"), "run": run_id, "state": ended.state}
        return answer if answer["ok"] else {**answer, "error": ended.detail}

    async def run(self, run_id: str) -> Ended:
        """Send one run that stands in the store, and write what became of it. Raises StoreError."""
        try:
            run: RunListing = await self.write(partial(begin_run, run_id=run_id, now=self._now()))
        except OperatorError as err:
            if isinstance(err, StoreError):
                raise
            return Ended("failed", err.why)
        ended = Ended("doubtful", "The engine was stopped while this was being sent; some of it may have been taken.")
        lock = self._locks.setdefault(run.integration_id, asyncio.Lock())
        try:
            async with lock:
                ended = await self._send(run)
        except Exception as err:
            text = f"A defect of this program ended it ({type(err).__name__}: {err}). Some of it may have been taken."
            ended = Ended("doubtful", f"{text} Report the log of today.")
            raise
        finally:
            self._note_end(run, ended)
        return ended

    # -- one run --------------------------------------------------------------------------------------------------

    async def _send(self, run: RunListing) -> Ended:
        ports = self._ports
        try:
            found: Configured = await read(ports.store, partial(configured, integration_id=run.integration_id))
        except StoreError:
            raise
        except OperatorError as err:
            return Ended("failed", err.why)
        if not found.enabled:
            return Ended("failed", f"{found.name} is disabled. Enable it, then send again.")
        if why := await asyncio.to_thread(ports.seal.verify, self._now()):
            return Ended("held", why)
        try:
            settings = await asyncio.to_thread(
                stored_settings, ports.catalogue, ports.vault, found.id, found.type, found.config
            )
            reporter = await asyncio.to_thread(ports.catalogue.reporter, found.type)
            kit = ports.make_kit(found.id, ports.catalogue.manifest(found.type), settings, ports.clock)
        except AdapterError as err:
            return Ended("failed", err.why)
        except OperatorError as err:
            return Ended("failed", err.why)
        try:
            snapshot, sent = await read(ports.store, partial(self._rows, run=run))
            rows = [one for one in snapshot.rows if not one.why_held]
            fresh = [one for one in rows if (one.row.key, one.hash) not in sent]
            if not fresh:
                return self._nothing(snapshot, len(rows))
            async with asyncio.timeout(RUN_LIMIT_S):
                result = await reporter.run(settings, kit, [one.row for one in fresh], partial(self._progress, run))
        except TimeoutError:
            detail = (
                f"It did not end within {RUN_LIMIT_S / 60:.0f} minutes; some of it may have been taken. Send again."
            )
            return Ended("doubtful", detail)
        except NotReady as err:
            return Ended("held" if err.field else _unsent(run), err.why, tuple(snapshot.rows))
        except AdapterError as err:
            return Ended("held" if getattr(err, "field", "") else "failed", err.why, tuple(snapshot.rows))
        finally:
            await kit.http.aclose()
        ended = _judged(snapshot, fresh, result, len(rows) - len(fresh))
        if ended.state == "failed" and not result.needs_sign_in:
            return replace(ended, state=_unsent(run))
        return ended

    def _rows(self, connection: Connection, run: RunListing) -> tuple[Snapshot, set[tuple[str, str]]]:
        """Always what is held now: of several missed sendings only the newest stock is told (nhlmis.md, C4)."""
        snapshot = take_snapshot(connection, run.integration_id, run.report_id)
        return snapshot, accepted_today(connection, run.integration_id, self._ports.clock.now_ms())

    @staticmethod
    def _nothing(snapshot: Snapshot, unchanged: int) -> Ended:
        outcomes = {one.row.key: ("held", one.why_held) for one in snapshot.rows if one.why_held}
        outcomes |= {one.row.key: ("skipped", "") for one in snapshot.rows if not one.why_held}
        if snapshot.unread and not snapshot.rows:
            detail = f"The stock of {', '.join(snapshot.unread)} was never read, so there is nothing to tell."
        elif unchanged:
            lines = f"{unchanged} {'line has' if unchanged == 1 else 'lines have'}"
            detail = f"{lines} not changed since they were accepted today."
        elif outcomes:
            detail = f"All {len(outcomes)} lines are held back. See why at each."
        else:
            detail = "No stock is held for what is reported there."
        is_held = not unchanged and any(one.why_held for one in snapshot.rows)
        state = "held" if is_held else "nothing"
        return Ended(state, detail, tuple(snapshot.rows), outcomes, skipped=unchanged)

    def _progress(self, run: RunListing, progress: Progress) -> None:
        said = {"done": progress.done, "total": progress.total, "store": progress.store, "detail": progress.detail}
        self._ports.scribe.note(partial(note_progress, run_id=run.id, progress=said), key=("report_run", run.id))

    # -- what is written ------------------------------------------------------------------------------------------

    def _note_end(self, run: RunListing, ended: Ended) -> None:
        now = self._now()
        self._ports.scribe.note(partial(write_end, run=run, ended=ended, now=now), key=("report_run", run.id))

    async def write(self, job: Any) -> Any:
        """One job on the store, once it is committed."""
        return await asyncio.wrap_future(self._ports.store.write(job))

    def _now(self) -> datetime:
        return from_ms(self._ports.clock.now_ms())


def write_end(connection: Connection, run: RunListing, ended: Ended, now: datetime) -> None:
    """Everything that a run's end changes, in one transaction: run, messages, lines, tasks, report, log, problem."""
    if ended.state == DELAYED:
        _write_delay(connection, run, ended, now)
        return
    outcomes = ended.outcomes or {}
    counts = {word: sum(1 for outcome, _ in outcomes.values() if outcome == word) for word in _COUNTED}
    stores = [] if ended.result is None else [_store_row(one) for one in ended.result.stores]
    end_run(
        connection,
        run.id,
        ended.state,
        ended.detail,
        now=now,
        rows=len(ended.rows),
        accepted=counts["accepted"],
        refused=counts["refused"],
        held_back=counts["held"],
        unsent=counts["unsent"],
        skipped=ended.skipped,
        stores=stores,
        progress={},
    )
    if ended.result is not None:
        write_messages(connection, run.id, ended.result)
    write_rows(connection, run.id, run.integration_id, ended.rows, outcomes, now)
    troubles = [
        (one.row.key, one.subject, outcomes[one.row.key][0], outcomes[one.row.key][1])
        for one in ended.rows
        if outcomes.get(one.row.key, ("", ""))[0] == "refused" or one.why_held
    ]
    tasks = note_troubles(connection, run.integration_id, run.id, run.report_id, troubles, now)
    accepted = [key for key, (outcome, _) in outcomes.items() if outcome == "accepted"]
    close_accepted(connection, run.integration_id, accepted, now)
    if run.report_id is not None:
        _write_report(connection, run.report_id, ended, counts, now)
    _tell(connection, run, ended, tasks, now)


def _write_delay(connection: Connection, run: RunListing, ended: Ended, now: datetime) -> None:
    """Nothing went out: the run waits, and its report is as far as it was."""
    again = delay_run(connection, run, ended.detail, now=now)
    if run.report_id is not None:
        version = raise_topic(connection, "reports")
        values = {"answer": ended.detail, "changed_version": version}
        connection.execute(update(ReportRow).where(ReportRow.id == run.report_id).values(**values))
    if int(run.progress.get("tries", 0)) == 0:  # the line's loss is told once
        text = f"Reports to {run.integration} wait for the line. {ended.detail}"
        payload = {"run": run.id, "state": DELAYED, "next_try": again.isoformat()}
        write_log(connection, run.integration_id, "report_waits", text, payload=payload, now_ms=to_ms(now))


def _unsent(run: RunListing) -> str:
    """What becomes of a sending of which nothing went out: an operator's waits, the schedule has its own attempts."""
    return DELAYED if run.trigger == "operator" else "failed"


_COUNTED = ("accepted", "refused", "held", "unsent", "skipped")


def _judged(snapshot: Snapshot, fresh: list[TakenRow], result: RunResult, skipped: int) -> Ended:
    """What a run's stores say together."""
    outcomes = {one.row.key: ("skipped", "") for one in snapshot.rows}
    outcomes |= {one.row.key: ("held", one.why_held) for one in snapshot.rows if one.why_held}
    outcomes |= {one.row.key: ("unsent", "") for one in fresh}
    outcomes |= {one.key: ("held", one.why) for one in result.held_back}
    for store in result.stores:
        outcomes |= dict.fromkeys(store.unsent, ("unsent", store.detail))
        outcomes |= dict.fromkeys(store.unconfirmed, ("unconfirmed", store.detail))
        outcomes |= dict.fromkeys(store.accepted, ("accepted", ""))
        outcomes |= {one.key: ("refused", one.why) for one in store.refused}
    state = _state_of(result)
    detail = " ".join(store.detail for store in result.stores if store.outcome != "accepted")
    if not detail:
        count = sum(len(store.accepted) for store in result.stores)
        detail = f"{count} {'line was' if count == 1 else 'lines were'} accepted." if count else "Nothing was sent."
    held = sum(1 for outcome, _ in outcomes.values() if outcome == "held")
    if held:
        detail += f" {held} {'line was' if held == 1 else 'lines were'} held back."
    if skipped:
        detail += f" {skipped} unchanged since they were accepted today."
    if not result.stores:
        state = "nothing" if skipped else "held"
    return Ended(state, detail, tuple(snapshot.rows), outcomes, result, skipped, result.retry_after_s)


def _state_of(result: RunResult) -> str:
    outcomes = {store.outcome for store in result.stores}
    if "doubtful" in outcomes:
        return "doubtful"
    if outcomes <= {"accepted"}:
        return "accepted"
    if any(store.accepted for store in result.stores):
        return "partly"
    return "refused" if "refused" in outcomes else "failed"


def _store_row(store: StoreResult) -> dict[str, Any]:
    return {
        "store": store.store,
        "outcome": store.outcome,
        "detail": store.detail,
        "accepted": len(store.accepted),
        "refused": len(store.refused),
        "unconfirmed": len(store.unconfirmed),
        "unsent": len(store.unsent),
    }


def _write_report(
    connection: Connection, report_id: str, ended: Ended, counts: Mapping[str, int], now: datetime
) -> None:
    """What the sending says about the report itself: sent, accepted and refused stay three facts."""
    known = connection.execute(select(ReportRow.accepted_at).where(ReportRow.id == report_id)).one_or_none()
    if known is None:
        return
    values: dict[str, Any] = {"answer": ended.detail}
    if ended.state in ("accepted", "nothing") and not counts["held"]:
        values |= {"sent_at": now, "sent_how": "call", "accepted_at": now, "rejected_at": None, "is_doubtful": False}
    elif ended.state in ("accepted", "nothing"):  # the rest went; what was held back is still to come
        values |= {"sent_at": now, "sent_how": "call", "rejected_at": None, "is_doubtful": False}
    elif ended.state in ("partly", "refused"):
        values |= {"sent_at": now, "sent_how": "call", "is_doubtful": False, "accepted_at": None}
        if counts["refused"] or ended.state == "refused":
            values["rejected_at"] = now
    elif ended.state == "doubtful":
        values |= {"sent_at": now, "sent_how": "call", "is_doubtful": True}
    version = raise_topic(connection, "reports")
    connection.execute(update(ReportRow).where(ReportRow.id == report_id).values(**values, changed_version=version))


def _tell(connection: Connection, run: RunListing, ended: Ended, tasks: int, now: datetime) -> None:
    """One line in the log, and one problem for the whole run (nhlmis.md, C3.6)."""
    now_ms = round(now.timestamp() * 1000)
    text = f"Reports to {run.integration}: {RUN_WORDS[ended.state].lower()}. {ended.detail}"
    payload = {"run": run.id, "state": ended.state, "trigger": run.trigger, "tasks": tasks}
    event = "report_sent" if ended.state in ("accepted", "nothing") else "report_not_sent"
    write_log(connection, run.integration_id, event, text, payload=payload, now_ms=now_ms)
    if ended.state in ("accepted", "nothing"):
        clear_problems(connection, run.integration_id, frozenset({PROBLEM}), now_ms)
        return
    issue = Issue(PROBLEM, f"Reports to {run.integration} did not go through", ended.detail, "none")
    raise_problem(connection, run.integration_id, issue, now_ms)
