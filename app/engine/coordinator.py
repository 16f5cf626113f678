"""One enabled integration: its sessions, one after the other, and what the store and the operator learn of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from adapters.base import Identity, Manifest
from adapters.errors import AdapterError, AuthFailed, BadReply, NotReady, SettingsInvalid
from app.engine.building import Built, build
from app.engine.inlet import Stored
from app.engine.journal import DayCounts, State, add_to_day, save_state, write_log
from app.engine.legs import Leg, Verdict, judge, spoken
from app.engine.phases import Phase, check_move
from app.engine.ports import Ports, rings_within
from app.engine.session import Run, Session
from app.fleet.freshness import CLOCKS_APART_MS
from app.integrations.rows import Configured
from app.problems import Issue, clear_problems, raise_problem
from app.store.errors import StoreError
from app.sync.listing import Backlog

DRAIN_S = 2.5
CANCEL_S = 1.0
DEFECT_S = 300.0
LONGEST_DEFECT_S = 3600.0
STEADY_S = 60.0
"""A peer that is lost again so soon after its return comes and goes: its next return must last before it is told."""

PROBLEM_KINDS = frozenset({"sign_in", "misconfigured", "setting", "unsupported", "defect", "defect_records"})

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a wished run ended, for whoever wished it."""

    ok: bool
    event_type: str
    text: str
    counts: Mapping[str, int]
    duration_ms: int = 0

    def as_answer(self) -> dict[str, Any]:
        """The outcome as the command row keeps it."""
        answer: dict[str, Any] = {"ok": self.ok, "event_type": self.event_type, "counts": dict(self.counts)}
        answer["duration_ms"] = self.duration_ms
        return answer if self.ok else {**answer, "error": self.text}


class Coordinator:
    """Runs one integration and writes its state, log lines, days and problems. Everything happens on the loop."""

    def __init__(self, configured: Configured, last: State | None, ports: Ports, *, delay_s: float = 0.0) -> None:
        self.configured = configured
        self.started = asyncio.Event()
        self._ports = ports
        self._delay_s = delay_s
        self._state = last or State(Phase.NOT_CONFIGURED, ports.clock.now_ms())
        self._last_data_ms = self._state.last_data_ms
        self._last_success_ms = self._state.last_success_ms
        self._last_sync_ms: int | None = None
        self._detail: dict[str, Any] = dict(self._state.detail)
        self._session: Session | None = None
        self._manifest: Manifest | None = None
        self._store_trouble: StoreError | None = None
        self._lost_since_ms: int | None = None
        self._returned_s: float | None = None
        self._is_unsteady = False
        self._again = asyncio.Event()
        self._stopping = False
        self._unready = Leg("build")
        self._defects = 0  # in a row
        self._held = ""  # why this store may not send
        self._lent: set[str] = set()  # resources of ours that the workbench has or had
        self._waiting: list[asyncio.Future[Outcome]] = []
        self._in_run: list[asyncio.Future[Outcome]] = []

    @property
    def state(self) -> State:
        return self._state

    def start(self) -> None:
        self._ports.tasks.start(self._run(), name=f"integration {self.configured.name}", owner=self)

    async def stop(self) -> None:
        """Unload cleanly: peers are left, everything they delivered is stored, nobody waits for an answer."""
        session, self._stopping = self._session, True
        _done, unended = await asyncio.wait({self._ports.tasks.cancel_owner(self)}, timeout=CANCEL_S)
        if unended:
            _log.error("%s did not stop within %.0f s of being asked", self.configured.name, CANCEL_S)
        if session is not None and not await session.drain(DRAIN_S):
            _log.error("%s: what was received last could not be stored in %.1f s", self.configured.name, DRAIN_S)
        self._answer_all(self._failure("The integration was stopped before the run had ended."))
        self._note_state(replace(self._state, last_data_ms=self._last_data_ms, last_success_ms=self._last_success_ms))

    def rename(self, name: str) -> None:
        """Take over a new name; nothing else depends on it."""
        self.configured = replace(self.configured, name=name)

    async def sync_now(self) -> Outcome:
        """A run that begins after this call, also where growing delays or a missing sign-in hold it back."""
        manifest = self._manifest
        if manifest is not None and "pull" not in manifest.modes:
            self._again.set()  # where it was stopped, this starts it again
            return self._failure(
                f"{self.configured.name} listens: its devices send by themselves and there is nothing to fetch."
            )
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append(outcome)
        if self._session is not None:
            self._session.run_now()
        else:
            self._again.set()
        return await outcome

    def queues_moved(self, topics: frozenset[str]) -> None:
        """Something waits in the outbox or in the inbox, or was decided about."""
        if self._session is not None:
            self._session.queues_moved(topics)

    async def lend(self, resource: str, seconds: float) -> bool:
        """Whether this integration uses a resource; it is free then, or taken back where ``seconds`` is 0."""
        uses = self._session is not None and await self._session.lend(resource, seconds)
        if uses and seconds > 0:
            self._lent.add(resource)
        self._publish()
        return uses

    async def _leave_what_is_lent(self) -> None:
        """What was lent before this start stays lent."""
        for resource, seconds in self._ports.loans.left(self._ports.clock.monotonic()).items():
            await self.lend(resource, seconds)

    # -- what runs ------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        await self._ports.clock.sleep(self._delay_s)
        self._move(Verdict(Phase.STARTING))
        while True:
            self._again.clear()
            patience_s: float | None = None
            try:
                built = await build(self.configured, self._ports)
                self._manifest = built.manifest
                self._unready.proven()
                await self._serve(built)
            except NotReady as err:  # before a session stood: the key store is locked
                await self._wait_until_ready(err)
                continue
            except AdapterError as err:
                self._stopped_by(err)
            except Exception as err:  # noqa: BLE001 - a defect in one integration must not end the others
                patience_s = self._failed_by_defect(err)
            self.started.set()
            self._answer_all(self._failure(self._state.reason))
            await self._wait_to_start_again(patience_s)
            self._move(Verdict(Phase.STARTING))

    async def _wait_to_start_again(self, patience_s: float | None) -> None:
        if patience_s is None:  # only a person can help
            await self._again.wait()
        else:
            await rings_within(self._again, patience_s, self._ports.clock)

    async def _wait_until_ready(self, err: NotReady) -> None:
        delay_s = self._unready.fails(err, self._ports.clock, self._ports.rng)
        self.leg_fails(self._unready, err)
        retrying = Verdict(
            Phase.RETRYING, err.why, type(err).__name__, self._unready.next_try_ms, self._unready.failures
        )
        self._move(retrying)
        await rings_within(self._again, delay_s, self._ports.clock)

    async def _serve(self, built: Built) -> None:
        self._session = Session(self.configured, built, self._ports, self)
        try:
            await self._leave_what_is_lent()
            await self._session.serve()
        finally:
            session, self._session = self._session, None
            # stop() drains the session that it cancels; one that ended by itself must be drained here.
            if not self._stopping:
                await session.drain(DRAIN_S)

    def _stopped_by(self, err: AdapterError) -> None:
        phase, issue = _stop_of(err, self.configured.name)
        self._move(Verdict(phase, err.why, type(err).__name__, failures=1))
        self._raise(issue)
        self._log_line(issue.kind, issue.title, {"why": err.why, **_sample_of(err)})

    def _failed_by_defect(self, err: Exception) -> float:
        """Say so; returns the seconds after which it is tried again, because nobody may be there at night."""
        delay_s = min(DEFECT_S * 2.0 ** min(self._defects, 10), LONGEST_DEFECT_S)
        self._defects += 1
        _log.error("%s failed by a defect of this program", self.configured.name, exc_info=err)
        reason = (
            f"A defect of this program stopped it ({type(err).__name__}: {err}). The other integrations go on. It is "
            f"started again by itself in {spoken(delay_s)}, or now by Sync now. Report the log of today."
        )
        next_try_ms = self._ports.clock.now_ms() + round(delay_s * 1000)
        self._move(Verdict(Phase.ERROR, reason, type(err).__name__, next_try_ms, self._defects))
        issue = Issue("defect", f"{self.configured.name} was stopped by a defect of this program", reason, "none")
        self._raise(issue)
        if self._defects == 1:
            self._log_line("defect", issue.title, {"why": reason})
        return delay_s

    # -- what a session tells (session.Book) ----------------------------------------------------------------------

    def leg_works(self) -> None:
        self.started.set()
        self._note_return()
        self._publish()

    def leg_fails(self, leg: Leg, error: AdapterError | StoreError) -> None:
        if self._lost_since_ms is None:
            self._lost_since_ms = self._ports.clock.now_ms()
            text = f"{self.configured.name} does not work: {error.why}"
            if self._returned_s is not None and self._ports.clock.monotonic() - self._returned_s < STEADY_S:
                self._is_unsteady = True
                text = f"{self.configured.name} comes and goes; told again when it stays. {error.why}"
            _log.warning("%s", text)
            payload = {"leg": leg.name, "error": type(error).__name__, "why": error.why, **_sample_of(error)}
            self._log_line("peer_lost", text, payload)
        if isinstance(error, NotReady) and error.field:
            title = f"{self.configured.name} needs a look at its settings"
            self._raise(Issue("setting", title, f"{error.why} It is tried again by itself.", "settings"))
        self._publish()
        if leg.name in {"build", "start"}:
            self._answer_all(self._failure(error.why))
        self.started.set()

    def _note_return(self) -> None:
        """A peer has returned when nothing of it fails any more: lost and returned are logged once each."""
        since_ms, session, now_s = self._lost_since_ms, self._session, self._ports.clock.monotonic()
        if since_ms is None or session is None or not all(leg.working for leg in session.legs):
            return
        if self._is_unsteady and min(leg.works_for_s(now_s) for leg in session.legs) < STEADY_S:
            return
        self._lost_since_ms, self._returned_s, self._is_unsteady = None, now_s, False
        lost_ms = self._ports.clock.now_ms() - since_ms
        text = f"{self.configured.name} works again, after {spoken(lost_ms / 1000)}."
        _log.info("%s", text)
        self._log_line("peer_returned", text, {"lost_ms": lost_ms})

    def connected(self, detail: str) -> None:
        self._detail["connected"] = detail

    def identified(self, identity: Identity) -> None:
        self._detail |= {"identity": identity.title, "unique_id": identity.unique_id, "version": identity.version}
        self._detail["remark"] = identity.remark

    def stored(self, stored: Stored) -> None:
        now_ms = self._ports.clock.now_ms()
        self._believe_no_future(now_ms)
        for part in stored.parts:
            if part.newest_data_ms is not None:
                # A peer whose clock is ahead must not look fresh for ever.
                self._last_data_ms = max(self._last_data_ms or 0, min(part.newest_data_ms, now_ms))
                self._last_success_ms = self._last_sync_ms = now_ms
        if stored.defects:
            count = len(stored.defects)
            detail = f"{count} {'record was' if count == 1 else 'records were'} set aside. {stored.defects[0]}"
            title = f"A defect of this program set records of {self.configured.name} aside"
            self._raise(Issue("defect_records", title, detail, "none"))
        if self._store_trouble is not None:
            self._store_trouble = None
            self._log_line("store_returned", f"What {self.configured.name} delivers is stored again.", {})
            self._publish()
        elif self._state.phase in {Phase.STALE, Phase.STARTING}:
            self._publish()

    def not_stored(self, error: BaseException) -> None:
        if not isinstance(error, StoreError):
            _log.error("what %s delivered could not be stored", self.configured.name, exc_info=error)
            error = StoreError(f"This program failed to write it ({type(error).__name__}); report the log of today.")
        if self._store_trouble is None:
            _log.error("%s: what arrives cannot be stored: %s", self.configured.name, error.why)
            text = f"What {self.configured.name} delivers cannot be stored: {error.why}"
            self._log_line("store_refused", text, {"error": type(error).__name__})
        self._store_trouble = error
        self._publish()

    def backlog(self, backlog: Backlog) -> None:
        """How much waits to be sent, and since when; nothing is said where nothing does."""
        self._detail.pop("outbox", None)
        if backlog.total:
            self._detail["outbox"] = backlog.as_detail()
        self._publish()

    def held(self, why: str) -> None:
        self._held = why
        self._publish()

    def run_begins(self, run: Run) -> None:  # noqa: ARG002 - whoever waits now waits for this very run
        self._in_run, self._waiting = self._waiting, []

    def run_ends(self, run: Run) -> None:
        name, counts = self.configured.name, dict(run.counts)
        payload = {"why": run.why, "counts": counts, "duration_ms": run.duration_ms}
        if run.error is None:
            records = "1 new record" if run.records == 1 else f"{run.records} new records"
            text = f"{name}: {records} in {run.duration_ms / 1000:.1f} s ({run.why})."
            self._last_success_ms = self._last_sync_ms = self._ports.clock.now_ms()
            outcome = Outcome(True, "sync_success", text, counts, run.duration_ms)
        else:
            why = getattr(run.error, "why", f"a defect of this program ({type(run.error).__name__})")
            payload |= {"error": type(run.error).__name__, "reason": why, **_sample_of(run.error)}
            outcome = Outcome(False, "sync_error", f"{name}: {why}", counts, run.duration_ms)
        self._log_line(outcome.event_type, outcome.text, payload)
        failed = 0 if run.error is None else 1
        day = DayCounts(runs=1, runs_failed=failed, duration_ms=run.duration_ms)
        self._note(partial(add_to_day, now_ms=self._ports.clock.now_ms(), counts=day))
        self._publish()
        answered, self._in_run = self._in_run, []
        _answer(answered, outcome)

    def explain(self, event_type: str, text: str, payload: Mapping[str, object]) -> None:
        self._log_line(event_type, text, payload)

    def tick(self) -> None:
        """Let time do its part: data grows old, and what changed without a word is written."""
        if self._store_trouble is not None and self._session is not None:
            self._session.probe_store()
        self._believe_no_future(self._ports.clock.now_ms())
        self._note_return()
        self._publish(with_times=True)

    def _believe_no_future(self, now_ms: int) -> None:
        """After a clock that was ahead was set right, old data would look fresh until the clock is there again."""
        if (self._last_data_ms or 0) > now_ms + CLOCKS_APART_MS:
            self._last_data_ms = now_ms
        if (self._last_success_ms or 0) > now_ms + CLOCKS_APART_MS:
            self._last_success_ms = now_ms

    # -- what is written down -------------------------------------------------------------------------------------

    def _publish(self, *, with_times: bool = False) -> None:
        if self._session is None or self._manifest is None:
            return
        verdict = judge(
            self._session.legs,
            store_trouble=self._store_trouble,
            detail=self._note_lent() or self._held or str(self._detail.get("connected") or ""),
            last_data_ms=self._last_data_ms,
            stale_after_s=self._manifest.stale_after_s,
            now_ms=self._ports.clock.now_ms(),
        )
        self._move(verdict, with_times=with_times)

    def _note_lent(self) -> str:
        """What the workbench has of this integration now, as a sentence."""
        loans = self._ports.loans.spoken(self._lent, self._ports.clock.monotonic())
        self._lent &= loans.keys()
        self._detail.pop("lent", None)
        if loans:
            self._detail["lent"] = sorted(loans)
        return " ".join(loans.values())

    def _move(self, verdict: Verdict, *, with_times: bool = False) -> None:
        """Take the state to ``verdict`` and note it when it says anything new."""
        before = self._state
        check_move(before.phase, verdict.phase)
        moved = before.phase is not verdict.phase
        after = State(
            phase=verdict.phase,
            since_ms=self._ports.clock.now_ms() if moved else before.since_ms,
            reason=verdict.reason,
            error_kind=verdict.error_kind,
            next_try_ms=verdict.next_try_ms,
            last_success_ms=self._last_success_ms,
            last_data_ms=self._last_data_ms,
            failures=verdict.failures,
            detail=dict(self._detail),
        )
        quiet = replace(before, last_success_ms=after.last_success_ms, last_data_ms=after.last_data_ms) == after
        if after == before or (quiet and not with_times):
            return
        self._state = after
        self._note_state(after)
        if moved and after.phase in {Phase.HEALTHY, Phase.STALE}:
            self._defects = 0
            self._note(partial(clear_problems, kinds=PROBLEM_KINDS, now_ms=self._ports.clock.now_ms()))

    def _note_state(self, state: State) -> None:
        note = partial(save_state, state=state, last_sync_ms=self._last_sync_ms)
        self._note(note, key=("state", self.configured.id))

    def _raise(self, issue: Issue) -> None:
        self._note(partial(raise_problem, issue=issue, now_ms=self._ports.clock.now_ms()))

    def _log_line(self, event_type: str, text: str, payload: Mapping[str, object]) -> None:
        now_ms = self._ports.clock.now_ms()
        self._note(partial(write_log, event_type=event_type, text=text, payload=payload, now_ms=now_ms))

    def _note(self, note: Any, *, key: object | None = None) -> None:
        self._ports.scribe.note(partial(note, integration_id=self.configured.id), key=key)

    def _failure(self, text: str) -> Outcome:
        return Outcome(False, "sync_error", text, {})

    def _answer_all(self, outcome: Outcome) -> None:
        waiting = [*self._waiting, *self._in_run]
        self._waiting, self._in_run = [], []
        _answer(waiting, outcome)


def _answer(waiting: list[asyncio.Future[Outcome]], outcome: Outcome) -> None:
    for future in waiting:
        if not future.done():
            future.set_result(outcome)


def _stop_of(err: AdapterError, name: str) -> tuple[Phase, Issue]:
    if isinstance(err, AuthFailed):
        return Phase.NEEDS_SIGN_IN, Issue("sign_in", f"{name} needs you to sign in again", err.why, "sign_in")
    if isinstance(err, SettingsInvalid):
        return Phase.MISCONFIGURED, Issue("misconfigured", f"A setting of {name} is wrong", err.why, "settings")
    return Phase.ERROR, Issue("unsupported", f"{name} cannot run as things are", err.why, "none")


def _sample_of(err: BaseException) -> dict[str, str]:
    return {"sample": err.sample} if isinstance(err, BadReply) and err.sample else {}
