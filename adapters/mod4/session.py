"""Work at the platform in threads: the same for both ways in.

A job is a function of :class:`adapters.mod4.readings.Tables`. It blocks, so it runs in a thread; one whose caller is
cancelled ends at once, because its way to the platform is cut.
"""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from typing import Generic, TypeAlias, TypeVar

from adapters.mod4.features import Actor
from adapters.mod4.inventory import Inventory
from adapters.mod4.readings import Equals, Reading, Tables

T = TypeVar("T")
Job: TypeAlias = Callable[[Tables], T]


class Running(Generic[T]):
    """Work that runs in a thread already. Who has one asks for its result, or leaves it.

    ``cut`` makes it fail soon; ``explain`` is the error of ours for one of its, the same one for an error that is.
    ``alone``: in a thread of its own. Work that waits for the loop must not hold those which the loop itself needs, to
    look up a name for one.
    """

    def __init__(
        self,
        work: Callable[[], T],
        cut: Callable[[], None],
        explain: Callable[[Exception], Exception],
        *,
        alone: bool = False,
    ) -> None:
        context = copy_context()
        self._future: asyncio.Future[T] = (
            _in_thread_of_its_own(work)
            if alone
            else asyncio.get_running_loop().run_in_executor(None, lambda: context.run(work))
        )
        self._cut = cut
        self._explain = explain

    async def result(self) -> T:
        """What it came to; a cancelled caller cuts it, and waits until its thread has noticed."""
        try:
            return await asyncio.shield(self._future)
        except asyncio.CancelledError:
            await self.leave()
            raise
        except Exception as err:
            found = self._explain(err)
            if found is err:
                raise
            raise found from None

    async def leave(self) -> None:
        """Its result is not wanted any more; its failure is nobody's either."""
        if not self._future.done():
            self._cut()
            await asyncio.wait([self._future])
        if not self._future.cancelled():
            self._future.exception()  # seen: it is the cut, or nobody's any more


def _in_thread_of_its_own(work: Callable[[], T]) -> asyncio.Future[T]:
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as err:  # noqa: BLE001 - whoever awaits it gets it
            done.set_exception(err)

    threading.Thread(target=run, name="mod4 job", daemon=True).start()
    return asyncio.wrap_future(done)


class Session(ABC):
    """One stay at the platform, signed in."""

    actor: str = ""
    """The platform's account that functions and policies see as the caller, by id; "" for nobody."""
    inventory: Inventory | None = None
    """What is known of the platform; jobs run only when it is."""

    @abstractmethod
    async def learn(self) -> Inventory:
        """What the platform is made of. Raises :class:`adapters.mod4.words.Refused`, and what any job raises."""

    def seen_by(self, inventory: Inventory, actor: Actor | None, workspace: str) -> Inventory:
        """What was learned, with what hangs on the role of the account in the chosen workspace (its name)."""
        del actor, workspace
        return inventory

    async def is_still(self, actor: Actor | None, workspace: str) -> bool:
        """Whether the account stands where it stood when the platform was learned; a workspace by its id."""
        del actor, workspace
        return True

    @abstractmethod
    def run(self, job: Job[T], *, writes: bool) -> Running[T]: ...

    async def read(self, job: Job[T]) -> T:
        """A job that changes nothing. Raises :class:`adapters.mod4.words.Refused` for a refusal, NotReady and so on."""
        return await self.run(job, writes=False).result()

    def begin(self, job: Job[T]) -> Running[T]:
        """As :meth:`read`, begun at once."""
        return self.run(job, writes=False)

    async def write(self, job: Job[T]) -> T:
        """A job that changes something. As :meth:`read`; its NotReady is doubtful where it may have been made."""
        return await self.run(job, writes=True).result()

    def known(self) -> Inventory:
        assert self.inventory is not None  # noqa: S101 - whoever opens a session learns first
        return self.inventory


def role_of(tables: Tables, account: str, workspace: str) -> str:
    """The role of an account in a workspace, "" for no active member."""
    known = tables.inventory
    if not (known.has("workspace_members", "role") and known.has("workspace_members", "user_id")):
        return ""
    where = (Equals("workspace_id", workspace), Equals("user_id", account))
    rows = tables.rows(Reading("workspace_members", where, key="user_id"))
    return next((str(row["role"] or "") for row in rows if row["status"] in ("active", None)), "")
