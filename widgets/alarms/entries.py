"""What the command palette knows of alarms: those that want somebody, and the page's groups."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from app.alarms.listing import GROUPS, HISTORY, list_alarms
from resources.i18n import tr
from widgets.alarms import words
from widgets.command_palette import Command
from widgets.context import ConsoleContext

MOST = 8


async def alarm_entries(context: ConsoleContext, typed: str) -> Sequence[Command]:
    """The groups of the page, and the alarms that are not over whose words hold what was typed."""
    typed = typed.strip()
    if len(typed) < 2:
        return []
    found = [
        Command(
            tr("Alarms: {group}", group=words.GROUP_WORDS[group].lower()),
            partial(context.open_page, "alarms", group=group),
            "shield-alert",
            tr("Page"),
            words="alarm open",
        )
        for group in GROUPS
    ]
    now_ms = context.services.clock.now_ms()
    wanted = typed.casefold().split()
    for row in await context.bridge.read(partial(list_alarms, history=0)):
        haystack = f"{row.title} {words.kind(row)} alarm".casefold()
        if row.group(now_ms) != HISTORY and all(word in haystack for word in wanted):
            act = partial(context.open_page, "alarms", alarm_id=row.id)
            found.append(Command(row.title, act, "siren", words.priority(row), words=typed))
            if len(found) == MOST + len(GROUPS):
                break
    return found
