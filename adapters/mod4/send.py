"""Making one change: read the row, compare with what was seen, change it by the platform's rule, count and read back.

The platform's row security lets changes touch no row without an error, so that success is never taken from silence: a
change counts only when the row reads as wanted afterwards. Over the database that is one transaction, which is undone
otherwise; over the web service each step is one, so that no handler needs two. Statuses are guarded in the statement
itself, so that of two consoles one changes the row and the other finds it changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.base import Outgoing, Receipt
from adapters.connect import capital
from adapters.errors import Conflict, RecordRejected
from adapters.mod4.features import Feature
from adapters.mod4.readings import Condition, Tables
from adapters.mod4.site import Open, Platform, Site
from adapters.mod4.words import Refused
from adapters.mod4.writes import BY_NAME
from adapters.records import Record
from adapters.vocabulary import JsonScalar


@dataclass(frozen=True, slots=True)
class Found:
    """A row as it is at the platform now, in the names of our fields."""

    record: Record
    values: Mapping[str, JsonScalar]
    status: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """One change with everything that it is made with."""

    outgoing: Outgoing
    site: Site
    tables: Tables
    missing: Mapping[str, JsonScalar] = field(default_factory=dict)
    touched: list[int] = field(default_factory=list)
    """Rows that each statement of :meth:`change` touched."""

    @property
    def id(self) -> str:
        return self.outgoing.peer_id

    @property
    def actor(self) -> str:
        """The account's id, "" for none."""
        return self.site.actor.id if self.site.actor is not None else ""

    def reject(self, why: str) -> RecordRejected:
        return RecordRejected(self.id or self.outgoing.key, why)

    def require(self, key: str) -> Feature:
        """A feature that is on. Raises RecordRejected with the reason why it is off."""
        feature = self.site.feature(key)
        if not feature.is_on:
            raise self.reject(f"“{feature.label}” is not possible at this platform: {feature.reason}")
        return feature

    def change(self, name: str, values: Mapping[str, str], *guards: Condition) -> int:
        """Update the row in hand where the guards hold; how many rows were changed.

        A name that begins with “?” is left out where the column is not there or may not be changed.
        """
        may = self.site.inventory.may
        given = {
            column.lstrip("?"): value
            for column, value in values.items()
            if not column.startswith("?") or may(name, column[1:], "update")
        }
        self.touched.append(self.tables.change(name, self.id, given, guards))
        return self.touched[-1]

    def call(self, name: str, *, false_is_no: bool = True, **arguments: str) -> Any:
        """Call a function of the platform by named arguments, texts cast to what it takes.

        ``false_is_no``: a false answer is a refusal; otherwise what is read back decides.
        """
        found = self.tables.call(name, arguments)
        if found is False and false_is_no:
            raise self.reject(f"The platform's function {name} says that nothing was changed, and not why.")
        if isinstance(found, Mapping) and found.get("success") is False:
            raise self.reject(f"The platform refuses: “{str(found.get('error') or 'no reason given')[:300]}”.")
        return found


Read = Callable[[Task], Found | None]
Apply = Callable[[Task, Found], None]
Make = Callable[[Task], Receipt]


@dataclass(frozen=True, slots=True)
class Handler:
    """How one write is made. ``make`` is for those that make something; the others have ``read`` and ``apply``."""

    feature: str
    read: Read | None = None
    apply: Apply | None = None
    make: Make | None = None
    verbs: str = "The change"


class Writer:
    """Sends changes of one integration."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def send(self, outgoing: Outgoing) -> Receipt:
        """See :meth:`adapters.base.Adapter.send`."""
        handler = self._handler(outgoing)
        async with self._platform.open() as opened:
            return await self._send(opened, outgoing, handler)

    def _handler(self, outgoing: Outgoing) -> Handler:
        from adapters.mod4.handlers import HANDLERS

        write, key = BY_NAME.get(outgoing.write), outgoing.peer_id or outgoing.key
        if write is None or not set(outgoing.values) <= set(write.fields) or not outgoing.values:
            raise RecordRejected(key, f"This console does not know how to send “{outgoing.write}”. Give it up.")
        if not self._platform.settings.changes:
            raise RecordRejected(
                key,
                f"“{write.label}” is switched off for this integration. Switch on “Change drivers and batches from "
                "here” in its settings, then send again.",
            )
        for name, allowed in write.values.items():
            if name in outgoing.values and outgoing.values[name] not in allowed:
                raise RecordRejected(key, f"{outgoing.values[name]} is no value of “{write.label}”.")
        return HANDLERS[write.name]

    async def _send(self, opened: Open, outgoing: Outgoing, handler: Handler) -> Receipt:
        site, label = opened.site, BY_NAME[outgoing.write].label

        def job(tables: Tables) -> Receipt:
            task = Task(outgoing, site, tables)
            task.require(handler.feature)
            if handler.make is not None:
                return handler.make(task)
            return _change(task, handler)

        try:
            return await opened.session.write(job)
        except Refused as err:
            self._platform.forget()
            raise RecordRejected(outgoing.peer_id or outgoing.key, err.sentence(f"“{label}”")) from err
        except RecordRejected:
            self._platform.forget()  # what was known may be what misled us
            raise


def _change(task: Task, handler: Handler) -> Receipt:
    assert handler.read is not None  # noqa: S101 - a handler makes or changes
    assert handler.apply is not None  # noqa: S101
    before = handler.read(task)
    if before is None:
        raise task.reject(
            "The platform shows no such record in this workspace any more: it was deleted there, or hidden by row "
            "security. Give this change up."
        )
    missing = differing(task.outgoing, before)
    if not missing:
        return _found_done(task.outgoing, before)
    ready = Task(task.outgoing, task.site, task.tables, missing)
    handler.apply(ready, before)
    after = handler.read(ready)
    left = None if after is None else _left(task.outgoing, after)
    if after is None or left:
        raise _not_done(ready, handler, before, after)
    if ready.touched and not any(ready.touched):
        return _found_done(task.outgoing, after)  # another console was quicker, by a moment
    return Receipt(f"{capital(handler.verbs)} is in the platform.", (after.record,))


def _found_done(outgoing: Outgoing, found: Found) -> Receipt:
    if outgoing.is_doubtful:
        return Receipt("An earlier try had reached the platform.", (found.record,), was_applied_before=True)
    return Receipt(
        "The platform had it so already: somebody else, or another console, did it before.",
        (found.record,),
        was_applied_before=True,
    )


def _not_done(task: Task, handler: Handler, before: Found, after: Found | None) -> Exception:
    """The statement went through and the row is not as wanted: somebody was quicker, or it was hidden from us."""
    if after is not None and after.values != before.values:
        theirs = {name: after.values.get(name) for name in task.missing}
        return Conflict(task.id, {name: task.outgoing.values[name] for name in task.missing}, theirs)
    return task.reject(
        f"{capital(handler.verbs)} was not made: the platform answered without an error and changed no row. Row "
        f"security hides it from {task.site.inventory.who}. {task.site.inventory.grant}"
    )


def _left(outgoing: Outgoing, found: Found) -> dict[str, JsonScalar]:
    return {name: wanted for name, wanted in outgoing.values.items() if not same(found.values.get(name), wanted)}


def differing(outgoing: Outgoing, found: Found) -> dict[str, JsonScalar]:
    """The fields that are still to be written. Raises Conflict where one was changed there meanwhile."""
    missing = _left(outgoing, found)
    conflict = {
        name: found.values.get(name)
        for name in missing
        if name in outgoing.seen and not same(found.values.get(name), outgoing.seen[name])
    }
    if conflict:
        raise Conflict(outgoing.peer_id, {name: outgoing.values[name] for name in conflict}, conflict)
    return missing


def same(theirs: JsonScalar, ours: JsonScalar) -> bool:
    """Whether two values say the same: no text is an empty one."""
    return (theirs or "") == (ours.strip() if isinstance(ours, str) else ours or "")
