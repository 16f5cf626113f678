"""What every page is given: the doors to the store, the look, the operator's choices and the window around it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from app.clock import from_ms
from app.errors import OperatorError
from app.store.errors import StoreError
from widgets.formats import Formats
from widgets.preferences import Preferences
from widgets.store_bridge import StoreBridge
from widgets.theme import Level, Theme
from widgets.ui_state import UiState

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from app.paths import Paths
    from app.services import Services
    from app.tasks import Tasks


T = TypeVar("T")


@dataclass(frozen=True)
class ConsoleContext:
    """Built by the composition root, lent to pages; nobody keeps another copy of what is in it.

    ``notify(level, text)`` shows a short message in the window's strip; ``open_page(key, **arguments)`` shows a page
    and hands the arguments to its ``show_item``. Both are set by the window and may be called on the UI thread only.
    """

    bridge: StoreBridge
    theme: Theme
    preferences: Preferences
    formats: Formats
    ui_state: UiState
    tasks: Tasks
    paths: Paths
    services: Services
    doors: Doors

    def notify(self, level: Level, text: str) -> None:
        self.doors.notify(level, text)

    def open_page(self, key: str, **arguments: Any) -> None:
        self.doors.open_page(key, **arguments)

    def now(self) -> datetime:
        return from_ms(self.services.clock.now_ms())

    async def write(self, job: Callable[[Connection], T]) -> T | None:
        """One transaction, for an act of the operator; a refusal is told as it stands and gives None."""
        try:
            return await self.bridge.write(job)
        except OperatorError as err:
            self.notify("error", err.why)
            return None

    async def quietly(self, step: Callable[[], Awaitable[Any]]) -> None:
        """Reading beside a page's refresh: a store that cannot be read is told and is no defect."""
        try:
            await step()
        except StoreError as err:
            self.notify("warn", err.why)


def _nowhere(*_arguments: Any, **_named: Any) -> None:
    """Before the window stands there is nowhere to show anything."""


@dataclass
class Doors:
    """What pages reach without importing it: two things only the window can do, which it puts here itself, and the
    dialogs by name, which the composition root puts here; each is a coroutine function.
    """

    notify: Callable[[Level, str], None] = _nowhere
    open_page: Callable[..., None] = _nowhere
    dialogs: Mapping[str, Callable[..., Awaitable[Any]]] = field(default_factory=dict)
