"""The send leg: what waits in the outbox goes to the peer, in order within a paper, side by side across papers.

One loop makes everything follow: what came back and what goes next are one commit; then the count of tries is put on
the disk (:mod:`app.sync.seal`); only then the requests go out. Trouble of the peer ends the stretch once everything
that is under way has been answered, and its outcome stored.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection

from adapters.base import Receipt
from adapters.errors import AdapterError, BadReply, NotReady
from app.clock import from_ms, to_ms
from app.engine.building import Built
from app.engine.legs import Leg
from app.engine.outcomes import Answer, AnswerWriter
from app.engine.ports import Ports, read, rings_within
from app.integrations.rows import Configured
from app.store.changes import raise_topic
from app.store.errors import StoreError
from app.sync.listing import Backlog, backlog_of
from app.sync.seal import count_tries
from app.sync.sending import Due, doubt_unended, find_ready, heads_of, mark_sending, next_due, wake_all

SEND_LIMIT_S = 120.0
"""A change that is not answered for so long is taken for lost."""
REPORT_S = 2.0
GATHER_S = 0.003
"""What comes back within so many seconds shares a commit: it costs as much as several requests."""
BAD_REPLIES = 5
"""Replies in a row that could not be read, after which it is the peer that is ill and not one record."""
LONGEST_REST_S = 3_600.0
PAGES = 10
"""Pages of the outbox that one transaction looks through for what may be sent."""

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Teller(Protocol):
    """Whom the sender tells how the outbox goes; the coordinator, through its session."""

    def backlog(self, backlog: Backlog) -> None: ...

    def held(self, why: str) -> None: ...


@dataclass(frozen=True, slots=True)
class _Turn:
    """What one commit did. ``more``: there may be further items to look at."""

    marked: tuple[Due, ...] = ()
    tried: int = 0
    more: bool = False
    next_due_ms: int | None = None


class Sender:
    """Runs on the session's loop; its jobs run on the writer's thread, one at a time."""

    def __init__(
        self,
        configured: Configured,
        built: Built,
        ports: Ports,
        teller: Teller,
        *,
        on_works: Callable[[], None],
        on_fetch_wanted: Callable[[str], None],
    ) -> None:
        self._id = configured.id
        self._name = configured.name
        self._adapter = built.adapter
        self._most = max(built.manifest.max_in_flight, 1)
        self._ports = ports
        self._teller = teller
        self._on_works = on_works
        self._on_fetch_wanted = on_fetch_wanted
        self._writer = AnswerWriter(configured, ports)
        self._wake = asyncio.Event()
        self._in_flight: dict[int, Due] = {}
        self._answers: list[Answer] = []
        self._ready: deque[int] = deque()
        self._floor: int | None = 0  # where the next reading of the outbox goes on; None: it was read to its end
        self._moved = False  # since the last turn
        self._look_again = False  # once what is known to be ready has gone
        self._asked_by_operator = False
        self._bad_replies = 0
        self._trouble: AdapterError | StoreError | None = None
        self._reported_s = float("-inf")
        self._unreported = True
        self._closing: Future[Any] | None = None

    def moved(self) -> None:
        """The outbox has changed, by whomever."""
        self._moved = True
        self._wake.set()

    def run_now(self) -> None:
        """An operator asks: what waits for its time goes at once."""
        self._asked_by_operator = True
        self.moved()

    async def serve(self, leg: Leg) -> None:
        """Send until cancelled, or until the peer or the store fails; raises what failed."""
        self._trouble = None
        self._floor, self._bad_replies = 0, 0
        self._ready.clear()
        try:
            await self._begin(leg)
            async with asyncio.TaskGroup() as group:
                await self._send_along(leg, group)
        finally:
            self._close()
        if self._trouble is not None:
            raise self._trouble

    async def drain(self, seconds: float) -> bool:
        """Wait until the outcomes of what was under way are stored."""
        if self._closing is None:
            return True
        done, _late = await asyncio.wait({asyncio.wrap_future(self._closing)}, timeout=seconds)
        return bool(done) and self._closing.exception() is None

    # -- one stretch ----------------------------------------------------------------------------------------------

    async def _begin(self, leg: Leg) -> None:
        """What an earlier stretch left, then whether this store may send at all; waits here while it may not."""
        await self._write(self._write_left_over)
        self._answers.clear()
        while why := await asyncio.to_thread(self._ports.seal.verify, from_ms(self._ports.clock.now_ms())):
            self._teller.held(why)
            if leg.trouble is None:
                self._works(leg)  # it is not the peer that stands in the way
            await self._report()
            self._wake.clear()
            await self._wake.wait()
        self._teller.held("")

    def _write_left_over(self, connection: Connection) -> None:
        self._writer.write(connection, self._answers)
        doubt_unended(connection, self._id)

    async def _send_along(self, leg: Leg, group: asyncio.TaskGroup) -> None:
        if leg.trouble is None:
            self._works(leg)
        while True:
            if self._answers and self._in_flight:
                await asyncio.sleep(GATHER_S)
            self._wake.clear()
            turn = await self._take_turn(leg)
            for due in turn.marked:
                self._in_flight[due.seq] = due
                group.create_task(self._send(due, leg))
            await self._report()
            if self._trouble is not None:
                if not self._in_flight and (not self._answers or isinstance(self._trouble, StoreError)):
                    return
                if not self._answers:
                    await self._wake.wait()
            elif turn.more or self._answers:
                continue
            else:
                if not self._in_flight and leg.trouble is not None:
                    self._works(leg)  # nothing is left on which the peer could fail
                await self._rest(turn.next_due_ms)

    async def _rest(self, next_due_ms: int | None) -> None:
        """Until something moves, or the next item is due, or there is something to report."""
        if self._moved:
            return
        rest_s = LONGEST_REST_S
        if next_due_ms is not None:
            rest_s = max(0.0, (next_due_ms - self._ports.clock.now_ms()) / 1000)
        if self._unreported:
            rest_s = min(rest_s, max(0.0, self._reported_s + REPORT_S - self._ports.clock.monotonic()))
        if not await rings_within(self._wake, rest_s, self._ports.clock):
            self._moved = True

    async def _take_turn(self, leg: Leg) -> _Turn:
        """One commit: what came back, and what goes next. Then the count of tries is on the disk."""
        answers = list(self._answers)  # they stay there until they are stored
        self._look_again |= self._moved
        self._moved = False
        room = 0 if self._trouble is not None else (1 if leg.trouble is not None else self._most) - len(self._in_flight)
        try:
            turn = await self._write(partial(self._turn, answers=answers, room=max(room, 0)))
        except StoreError as err:
            self._trouble = self._trouble or err
            self._ready.clear()
            if not self._in_flight:
                return _Turn()
            await self._wake.wait()
            return _Turn()
        del self._answers[: len(answers)]
        if answers or turn.marked:
            self._unreported = True
        if turn.marked:
            try:
                await asyncio.to_thread(self._ports.seal.note_try, turn.tried)
            except StoreError as err:
                self._trouble = self._trouble or err
                self._answers += [Answer(due, NotReady(err.why)) for due in turn.marked]
                return _Turn()
        return turn

    def _turn(self, connection: Connection, *, answers: list[Answer], room: int) -> _Turn:
        """Runs on the writer's thread."""
        clock = self._ports.clock
        now = from_ms(clock.now_ms())
        if self._asked_by_operator:
            self._asked_by_operator = False
            wake_all(connection, self._id)
        if answers:
            self._writer.write(connection, answers)
            families = {answer.due.family for answer in answers}
            following = heads_of(connection, families).values()  # whether they are due is judged where they are marked
            self._ready.extendleft(seq for seq in following if seq not in self._ready)
        if room == 0:
            return _Turn()
        self._fill(connection)
        chosen = [self._ready.popleft() for _ in range(min(room, len(self._ready)))]
        more = bool(self._ready) or self._floor is not None or self._look_again
        if not chosen:
            due = None if more else next_due(connection, self._id, now)
            return _Turn(more=more, next_due_ms=None if due is None else to_ms(due))
        version = raise_topic(connection, "outbox")
        marked = mark_sending(connection, chosen, now, version)
        tried = count_tries(connection, len(marked)) if marked else 0
        return _Turn(tuple(marked), tried, more=(more or not marked) and len(marked) < room)

    def _fill(self, connection: Connection) -> None:
        """Look for what may be sent, a few pages at a time."""
        now = from_ms(self._ports.clock.now_ms())
        if self._look_again and not self._ready:
            self._look_again, self._floor = False, 0
        for _ in range(PAGES):
            if self._ready or self._floor is None:
                return
            found = find_ready(connection, self._id, now, self._floor)
            self._floor = found.floor
            self._ready.extend(seq for seq in found.seqs if seq not in self._in_flight)

    async def _write(self, job: Callable[[Connection], T]) -> T:
        rows = 10 * (len(self._answers) + self._most)
        return await asyncio.wrap_future(self._ports.store.write(job, on_rollback=self._ports.sink.forget, rows=rows))

    # -- one change -----------------------------------------------------------------------------------------------

    async def _send(self, due: Due, leg: Leg) -> None:
        """Hand one change over; whatever comes of it is an answer, never an error of this task."""
        result: Receipt | Exception
        try:
            async with asyncio.timeout(SEND_LIMIT_S) as limit:
                result = await self._adapter.send(due.outgoing)
        except TimeoutError as err:
            result = err if not limit.expired() else self._lost()
        except Exception as err:  # noqa: BLE001 - a defect in one change must not end the others
            result = err
        self._in_flight.pop(due.seq, None)
        self._answers.append(Answer(due, result))
        self._judge(result, leg)
        self._wake.set()

    def _judge(self, result: Receipt | Exception, leg: Leg) -> None:
        """What an answer says about the peer, not about the change."""
        if isinstance(result, BadReply):
            self._bad_replies += 1
            if self._bad_replies >= BAD_REPLIES:
                self._trouble = self._trouble or result
            return
        if isinstance(result, Receipt) or Answer.is_of_the_change(result):
            self._bad_replies = 0
            leg.proven()
            self._works(leg)
            if Answer.is_conflict(result):
                self._on_fetch_wanted("a change met another one")
        elif isinstance(result, AdapterError):
            self._trouble = self._trouble or result
        else:
            _log.error("sending a change to %s failed by a defect of this program", self._name, exc_info=result)

    def _lost(self) -> NotReady:
        lost = NotReady(
            f"{self._name} did not answer a change within {SEND_LIMIT_S:.0f} s. It is asked about it again."
        )
        lost.is_doubtful = True
        return lost

    def _works(self, leg: Leg) -> None:
        if not leg.working:
            leg.works(self._ports.clock.monotonic())
            self._on_works()

    # -- around it ------------------------------------------------------------------------------------------------

    async def _report(self) -> None:
        """Tell how much waits, every few seconds while it changes."""
        now_s = self._ports.clock.monotonic()
        if not self._unreported or now_s - self._reported_s < REPORT_S:
            return
        self._reported_s, self._unreported = now_s, False
        try:
            self._teller.backlog(await read(self._ports.store, partial(backlog_of, integration_id=self._id)))
        except StoreError:
            self._unreported = True

    def _close(self) -> None:
        """The stretch ends: outcomes that came are stored, and what is under way is known to be in doubt."""
        answers, doubted = self._answers, [due.id for due in self._in_flight.values()]
        self._in_flight.clear()
        if not answers and not doubted:
            return

        def job(connection: Connection) -> None:
            self._writer.write(connection, answers)
            doubt_unended(connection, self._id, doubted)

        self._closing = self._ports.store.write(job, on_rollback=self._ports.sink.forget)

    @property
    def facts(self) -> Mapping[str, int]:
        """For diagnostics: what is under way."""
        return {"in_flight": len(self._in_flight), "ready": len(self._ready)}
