"""What sessions and connections need of the listener they belong to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from adapters.gt02_tracker.connection import Connection
    from adapters.gt02_tracker.limits import Limits
    from adapters.gt02_tracker.session import Intake


class Reporter(Protocol):
    """Where a session tells what is no record."""

    def count(self, counter: str, amount: int = 1) -> None: ...

    def is_news(self, key: str, why: str) -> bool:
        """True the first time something is said of ``key``; ``why`` then goes to the operator's log."""
        ...


class Hall(Reporter, Protocol):
    """The listener, as its connections see it."""

    limits: Limits
    received_bytes: int

    def admit(self, connection: Connection) -> bool:
        """Enter a new connection; False refuses it."""
        ...

    def leave(self, connection: Connection) -> None: ...

    def now(self) -> tuple[int, float]:
        """Milliseconds since 1970 UTC, and monotonic seconds."""
        ...

    def store(self, intake: Intake, send: Callable[[bytes], None]) -> None:
        """Hand records over. ``send`` gets the reply once they are stored, b"" if they cannot be."""
        ...

    def failed(self, peer: str, error: Exception) -> None:
        """A defect of ours met this peer's bytes."""
        ...
