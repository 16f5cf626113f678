"""The engine's side of files: finds what is told, fetches the newest first, a few at a time, and keeps order.

A row says ``kept`` only when all bytes are on the disk under their hash; a part and what the server calls its content
are noted together, so that a killed engine goes on where the notes end (docs/decisions/0120).
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from adapters.errors import AdapterError, NotReady, RecordRejected, SettingsInvalid
from adapters.file_access import FileAccess
from adapters.files import FileLines, fetch_file
from app.engine.ports import Ports, read, rings_within
from app.problems import Issue, clear_problems, raise_problem
from app.proof_files import queue
from app.proof_files.discover import find_news, take_up
from app.proof_files.fetching import PartSink, close_lines, open_lines
from app.proof_files.folder import Part, ProofFolder
from app.proof_files.keeping import ROUND_MS, kept_bytes, tidy
from app.proof_files.queue import DueFile
from app.proof_files.standings import Allowed, read_allowed
from app.proof_files.words import FileState
from app.store.errors import StoreError

TOPICS = frozenset({"deliveries", "batches", "proof_files", "integrations"})
AT_ONCE = 2
"""Files that are fetched side by side: on a slow line more would only all be late."""
LOOK_S = 300.0
AFTER_FAULT_S = 60.0
GO_ON_S = 1.0
"""After a try that brought something: a line that is cut every few seconds still brings the file."""
FIRST_DELAY_S = 5.0
LONGEST_DELAY_S = 3_600.0
RESERVE_BYTES = 300_000_000
"""So much of the disk is left to the store: photos must never be what stops it."""
DISK_PAUSE_S = 300.0
ENDING_S = 2.0
DISK = "proof_files"
DEFECT = "A defect of this program prevented it. It is tried again in an hour; the program's log says more."

_log = logging.getLogger(__name__)


class ProofFileCourier:
    """One per engine. Waiting happens on the engine's loop, the disk's work in threads."""

    def __init__(self, ports: Ports, folder: Path | None, *, reserve_bytes: int = RESERVE_BYTES) -> None:
        self._ports = ports
        self._folder = None if folder is None else ProofFolder(folder)
        self._reserve_bytes = reserve_bytes
        self._wake = asyncio.Event()
        self._allowed = Allowed({}, {})
        self._busy: set[str] = set()
        self._silent: dict[str, tuple[int, int]] = {}
        """Places that do not answer: failures in a row, and until when they are left alone, in ms."""
        self._disk_until_ms = self._tidied_ms = 0
        self._open_lines: FileLines | None = None
        self._opening = asyncio.Lock()
        self._stop = threading.Event()

    async def close_left_over(self) -> None:
        """At the start, before anything is taken up. Raises StoreError."""
        await self._write(queue.close_left_over)
        await self._write(partial(self._disk_is_well, now_ms=self._now_ms()))

    def moved(self, topics: frozenset[str]) -> None:
        """Something was committed. Call it on the loop."""
        if topics & TOPICS:
            self._wake.set()

    async def watch(self) -> None:
        """Fetch whatever is due, until cancelled."""
        if self._folder is None:
            return
        try:
            while True:
                self._wake.clear()
                try:
                    wait_s = await self.look()
                except StoreError as err:
                    _log.warning("the list of photos cannot be read now, looking again: %s", err)
                    wait_s = AFTER_FAULT_S
                except Exception:  # noqa: BLE001 - a defect met by one file must not end the fetching of all
                    _log.exception("fetching photos failed; going on in %.0f s", AFTER_FAULT_S)
                    wait_s = AFTER_FAULT_S
                await rings_within(self._wake, max(wait_s, 0.2), self._ports.clock)
        finally:
            await self.close()

    async def close(self) -> None:
        self._stop.set()
        lines, self._open_lines = self._open_lines, None
        if lines is not None:
            await close_lines(lines)

    async def look(self) -> float:
        """Fetch what is due now; returns after how many seconds to look again. Raises StoreError."""
        assert self._folder is not None  # noqa: S101 - without one nothing is watched
        await self._plan()
        await self._tidy(self._folder)
        try:
            async with asyncio.TaskGroup() as group:
                for _lane in range(AT_ONCE):
                    group.create_task(self._fetch_all(self._folder))
        except* StoreError as errors:
            raise errors.exceptions[0] from None
        if 0 < self._disk_until_ms <= self._now_ms():  # it was tried again, and the disk took it
            self._disk_until_ms = 0
            await self._write(partial(self._disk_is_well, now_ms=self._now_ms()))
        return await self._wait_s()

    # -- what there is --------------------------------------------------------------------------------------------

    async def _plan(self) -> None:
        """Take up what was told, and bring the rows in step with the settings."""
        store, now_ms = self._ports.store, self._now_ms()
        while (news := await read(store, find_news)) is not None:
            await self._write(partial(take_up, news=news, now_ms=now_ms))
        catalogue, vault = self._ports.catalogue, self._ports.vault
        allowed = await asyncio.to_thread(read_allowed, store, catalogue, vault, self._allowed)
        is_news, self._allowed = allowed != self._allowed, allowed
        if is_news:
            self._silent.clear()
        job = partial(queue.apply_standing, standings=allowed.standings, now_ms=now_ms, is_news=is_news)
        await self._write(job)

    async def _tidy(self, folder: ProofFolder) -> None:
        now_ms = self._now_ms()
        if 0 <= now_ms - self._tidied_ms < ROUND_MS:
            return
        self._tidied_ms = now_ms
        try:
            await asyncio.to_thread(tidy, self._ports.store, folder, now_ms, self._stop)
        except OSError as err:
            _log.warning("the folder of photos cannot be kept in order now: %s", err.strerror or err)

    async def _wait_s(self) -> float:
        now_ms = self._now_ms()
        next_ms = await read(self._ports.store, partial(queue.next_try, after_ms=now_ms))
        soonest = [next_ms, *(until for _failures, until in self._silent.values())]
        times = [max(one, self._disk_until_ms) for one in soonest if one is not None]
        later = [(one - now_ms) / 1000 for one in times if one > now_ms]
        return min([*later, LOOK_S])

    # -- one file after the other ---------------------------------------------------------------------------------

    async def _fetch_all(self, folder: ProofFolder) -> None:
        while (due := await self._next()) is not None:
            access = self._allowed.accesses[due.integration_id]
            self._busy.add(due.id)
            try:
                await self._fetch(folder, due, access)
            finally:
                self._busy.discard(due.id)

    async def _lines(self) -> FileLines:
        async with self._opening:
            if self._open_lines is None:
                self._open_lines = await asyncio.to_thread(open_lines)
            return self._open_lines

    async def _next(self) -> DueFile | None:
        if self._wake.is_set():
            self._wake.clear()
            await self._plan()
        now_ms = self._now_ms()
        if now_ms < self._disk_until_ms:
            return None
        silent = [place for place, (_failures, until_ms) in self._silent.items() if until_ms > now_ms]
        find = partial(
            queue.next_due, integrations=list(self._allowed.accesses), busy=set(self._busy), places=silent,
            now_ms=now_ms,
        )  # fmt: skip
        return await read(self._ports.store, find)

    async def _fetch(self, folder: ProofFolder, due: DueFile, access: FileAccess) -> None:
        if not await self._write(partial(queue.mark_fetching, file_id=due.id, now_ms=self._now_ms())):
            return
        part: Part | None = None
        try:
            await self._need_room(folder, due, access)
            part = await asyncio.to_thread(folder.open_part, due.id, due.received)
            await self._fetch_into(folder, due, access, part)
        except OSError as err:
            await self._note_disk(due, err)
        except (StoreError, asyncio.CancelledError):
            self._ports.scribe.note(self._later(due, "", None, due.failures))
            raise
        except Exception:
            again_ms = self._now_ms() + int(LONGEST_DELAY_S * 1000)
            self._ports.scribe.note(self._later(due, DEFECT, again_ms, due.failures))
            raise
        finally:
            if part is not None:
                await asyncio.to_thread(part.close)

    async def _need_room(self, folder: ProofFolder, due: DueFile, access: FileAccess) -> None:
        """Raises OSError."""
        coming = (due.total or access.most_bytes) - due.received
        free = await asyncio.to_thread(folder.free_bytes)
        if free < self._reserve_bytes + coming:
            raise OSError(0, f"only {free // 1_000_000:,} MB are free")

    async def _fetch_into(self, folder: ProofFolder, due: DueFile, access: FileAccess, part: Part) -> None:
        async def note(received: int, total: int | None, validator: str) -> None:
            job = partial(queue.note_part, file_id=due.id, received=received, total=total, validator=validator)
            await self._write(job)

        sink, remark = PartSink(part, due.total, due.validator, note, partial(self._may_go_on, due)), ""
        try:
            if due.total is None or sink.size != due.total or not sink.validator:
                remark = await fetch_file(await self._lines(), due.url, access, sink, self._now_ms())
            await sink.settle()
        except (SettingsInvalid, RecordRejected) as err:
            await self._set_aside(folder, due, part, err)
            return
        except AdapterError as err:
            await sink.settle()
            await self._note_later(due, err, came=sink.came)
            return
        except OSError:
            with suppress(OSError):  # what the disk has taken is not fetched twice
                await note(await asyncio.to_thread(part.sync), sink.total, sink.validator)
            raise
        except asyncio.CancelledError:
            ending = asyncio.get_running_loop().run_in_executor(None, sink.settle_at_end)
            await asyncio.wait({ending}, timeout=ENDING_S)
            if ending.done() and ending.exception() is None:
                note_last = partial(self._note_last, due, ending.result(), sink)
                self._ports.scribe.note(note_last)
            raise
        kept = await asyncio.to_thread(folder.keep, part)
        self._silent.pop(due.place, None)
        await self._write(partial(queue.write_kept, file_id=due.id, kept=kept, remark=remark, now_ms=self._now_ms()))

    @staticmethod
    def _note_last(due: DueFile, safe: int, sink: PartSink, connection: Any) -> None:
        queue.note_part(connection, due.id, safe, sink.total, sink.validator)

    async def _may_go_on(self, due: DueFile) -> None:
        """Somebody may switch it off while a large file comes over a line that is paid by the byte."""
        if self._wake.is_set():
            self._wake.clear()
            await self._plan()
        standing = self._allowed.standings.get(due.integration_id)
        if standing is None or not standing.can or not (standing.is_on or due.is_wanted):
            raise NotReady("It was switched off while it was fetched.")

    # -- what became of it ----------------------------------------------------------------------------------------

    async def _set_aside(
        self, folder: ProofFolder, due: DueFile, part: Part, err: SettingsInvalid | RecordRejected
    ) -> None:
        state = FileState.BLOCKED if isinstance(err, SettingsInvalid) else FileState.REFUSED
        await self._write(partial(queue.write_aside, file=due, state=state, why=err.why, now_ms=self._now_ms()))
        await asyncio.to_thread(part.close)
        await asyncio.to_thread(folder.drop_part, due.id)

    async def _note_later(self, due: DueFile, err: AdapterError, *, came: int) -> None:
        """A line that brought something is gone on with at once; one that brings nothing is left alone ever longer."""
        now_ms, asked_s = self._now_ms(), getattr(err, "retry_after_s", None)
        failures = 0 if came else due.failures + 1
        delay_s = GO_ON_S if came else self._delay_s(failures)
        if asked_s:
            delay_s = max(delay_s, min(asked_s, 24 * LONGEST_DELAY_S))
        if not came and isinstance(err, NotReady):
            place_failures = self._silent.get(due.place, (0, 0))[0] + 1
            delay_s = max(delay_s, self._delay_s(place_failures))
            self._silent[due.place] = place_failures, now_ms + int(delay_s * 1000)
        _log.info("a photo comes later: %s", err.why)
        await self._write(self._later(due, err.why, now_ms + int(delay_s * 1000), failures))

    def _later(self, due: DueFile, why: str, next_try_ms: int | None, failures: int) -> Callable[[Any], None]:
        return partial(
            queue.write_later, file_id=due.id, why=why, next_try_ms=next_try_ms, failures=failures,
            now_ms=self._now_ms(),
        )  # fmt: skip

    def _delay_s(self, failures: int) -> float:
        ceiling = min(FIRST_DELAY_S * 2 ** min(failures - 1, 12), LONGEST_DELAY_S)
        return float(self._ports.rng.uniform(0.8, 1.0) * ceiling)

    async def _note_disk(self, due: DueFile, err: OSError) -> None:
        """The disk does not take it: a problem that is shown, and a pause for all. Nothing that is kept is lost."""
        now_ms = self._now_ms()
        self._disk_until_ms = now_ms + int(DISK_PAUSE_S * 1000)
        why = (err.strerror or str(err) or type(err).__name__).lower()
        _log.warning("photos cannot be kept: %s", why)

        def job(connection: Any) -> None:
            told = f"This computer's disk does not take it ({why}). It goes on by itself once there is room."
            queue.write_later(connection, due.id, told, self._disk_until_ms, due.failures, now_ms)
            used = kept_bytes(connection) // 1_000_000
            detail = (
                f"The folder of photos cannot be written: {why}. Make room on the disk. Photos that are kept have "
                f"{used:,} MB; “deliveries settings --photo-total-mb” sets how much they may have. What is not fetched "
                "yet stays at the platform and is fetched by itself."
            )
            raise_problem(connection, None, Issue(DISK, "Photos of deliveries cannot be kept", detail, "none"), now_ms)

        await self._write(job)

    @staticmethod
    def _disk_is_well(connection: Any, now_ms: int) -> None:
        clear_problems(connection, None, frozenset({DISK}), now_ms)

    async def _write(self, job: Callable[[Any], Any]) -> Any:
        return await asyncio.wrap_future(self._ports.store.write(job))

    def _now_ms(self) -> int:
        return self._ports.clock.now_ms()
