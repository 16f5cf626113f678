"""What the window says of alarms on every page: the line in the side bar, and a word, a sound, a flash for new ones.

Only what began just now is announced; what data of the past tell is in the list. A flood is announced as one.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import time
from functools import partial

from PySide6.QtCore import QObject, Signal

from app import platform
from app.alarms.listing import Summary, summarise
from app.alarms.words import FLOOD_MS, RANKS, Priority
from app.clock import from_ms
from app.preferences import Preferences
from app.store.errors import StoreError
from resources import resource_path
from resources.i18n import tr, trn
from widgets.alarms import words
from widgets.context import ConsoleContext

LOOK_EVERY_TICKS = 15
"""Shelves end and floods pass without a word from the store."""

NAMED = 3
"""New alarms that are named one by one; more are counted."""


class Announcer(QObject):
    """``summarised`` carries each new :class:`Summary`; ``announced`` the titles of what is new, and the worst."""

    summarised = Signal(object)
    announced = Signal(object, str)

    def __init__(self, context: ConsoleContext, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._now_ms = context.services.clock.now_ms
        self._known: set[str] | None = None
        self._flood_at_ms: int | None = None
        self._ticks = 0
        self._is_reading = False
        self._is_due = False
        self.summary = Summary()
        self.play: Callable[[str], object] = play
        context.bridge.changed.connect(self._on_changed)
        context.formats.ticked.connect(self._on_ticked)

    def look(self) -> None:
        """Read the summary, now or when the present reading is done."""
        self._is_due = True
        if not self._is_reading:
            self._is_reading = True
            self._context.tasks.start(self._read(), name="alarms: summary", owner=self)

    async def close(self) -> None:
        """End what it reads; the loop must still run."""
        self._context.bridge.changed.disconnect(self._on_changed)
        self._context.formats.ticked.disconnect(self._on_ticked)
        await self._context.tasks.cancel_owner(self)

    async def _read(self) -> None:
        try:
            while self._is_due:
                self._is_due = False
                self._take(await self._context.bridge.read(partial(summarise, now_ms=self._now_ms())))
        except StoreError as err:
            self._context.notify("warn", tr("The alarms could not be read: {why}", why=err.why))
        finally:
            self._is_reading = False

    def _take(self, summary: Summary) -> None:
        self.summary = summary
        self.summarised.emit(summary)
        known, self._known = self._known, {one[0] for one in summary.newest}
        if known is None:  # what stood before the window did is shown, not cried
            return
        fresh = [one for one in summary.newest if one[0] not in known]
        if fresh:
            self._announce(summary, fresh)

    def _announce(self, summary: Summary, fresh: list[tuple[str, str, str, int]]) -> None:
        worst = max((one[1] for one in fresh), key=lambda name: RANKS.get(name, 0))
        titles = [one[2] for one in sorted(fresh, key=lambda one: -RANKS.get(one[1], 0))]
        if words.is_flood(summary):
            now_ms = self._now_ms()
            if self._flood_at_ms is not None and now_ms - self._flood_at_ms < FLOOD_MS and worst != Priority.HIGH:
                return
            self._flood_at_ms = now_ms
            titles = [words.flood_words(summary)]
        elif len(titles) > NAMED:
            rest = trn("{count} more alarm", "{count} more alarms", len(titles) - NAMED)
            titles = [*titles[:NAMED], rest]
        self._context.notify(words.PRIORITY_LEVELS[worst], "\n".join(titles))
        self.announced.emit(titles, worst)
        choices = self._context.preferences.choices
        local = from_ms(self._now_ms()).astimezone(self._context.formats.zone).time()
        if is_heard(choices, worst, local):
            self.play(worst)

    def _on_changed(self, topics: frozenset[str]) -> None:
        if "alarms" in topics and self._known is not None:
            self.look()

    def _on_ticked(self) -> None:
        if self._ticks % LOOK_EVERY_TICKS == 0:  # the first a second after the start, which has better things to do
            self.look()
        self._ticks += 1


def is_heard(choices: Preferences, priority: str, now: time) -> bool:
    """Whether an alarm of this priority makes a sound at this time of day. High ones are heard in quiet hours too."""
    if choices.alarm_sound == "none" or (choices.alarm_sound == "high" and priority != Priority.HIGH):
        return False
    return priority == Priority.HIGH or not is_quiet(choices.quiet_from, choices.quiet_to, now)


def is_quiet(begin: str, end: str, now: time) -> bool:
    """Whether a time of day lies in quiet hours, which may go over midnight; two equal ends mean none."""
    first, last = time.fromisoformat(begin), time.fromisoformat(end)
    if first <= last:
        return first <= now < last
    return now >= first or now < last


def play(priority: str) -> bool:
    """The sound of a priority, by the system's own player; False where there is none."""
    name = "alarm-high" if priority == Priority.HIGH else "alarm"
    return platform.play_sound(resource_path(f"sounds/{name}.wav"))
