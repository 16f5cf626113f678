"""The alarms' part of the window, put together: the line, the tray, the palette."""

from __future__ import annotations

from functools import partial

from app.alarms.words import Priority
from widgets.alarms.announcer import Announcer
from widgets.alarms.entries import alarm_entries
from widgets.alarms.words import line_of
from widgets.context import ConsoleContext
from widgets.window import ConsoleWindow


def wire_alarms(context: ConsoleContext, window: ConsoleWindow) -> Announcer:
    """Let the window tell of alarms, whatever page is in front. Close what is returned before the window goes."""
    announcer = Announcer(context, window)
    announcer.summarised.connect(lambda summary: window.set_alarms(*line_of(summary)))
    announcer.announced.connect(lambda titles, worst: window.announce_alarms(titles, is_high=worst == Priority.HIGH))
    window.palette_box.add_provider(partial(alarm_entries, context))
    return announcer
