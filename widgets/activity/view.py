"""What one view of the activity page is: its columns, its question to the store, its details."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from sqlalchemy import Connection

from resources.i18n import tr
from widgets.activity.sides import Change
from widgets.activity.wanted import Wanted
from widgets.context import ConsoleContext
from widgets.formats import NOTHING, Formats
from widgets.rows_model import Column
from widgets.theme import Level

R = TypeVar("R")


@dataclass(frozen=True)
class Batch(Generic[R]):
    """Entries, newest first, and where the older ones go on; ``older`` None: there are none.

    A batch may be short, or empty, and still have older ones.
    """

    rows: Sequence[R]
    older: Any = None


@dataclass(frozen=True)
class Detail:
    """An entry in full. ``texts`` are (heading, text) pairs shown as they are; ``acts`` (name, words, icon) buttons.

    ``changes`` are shown as two columns, before and after.
    """

    heading: str
    subtitle: str
    level: Level
    word: str
    facts: Sequence[tuple[str, str]]
    texts: Sequence[tuple[str, str]] = ()
    changes: Sequence[Change] = ()
    acts: Sequence[tuple[str, str, str]] = ()

    def as_text(self) -> str:
        """Everything, to copy."""
        lines = [self.heading, f"{tr('State')}: {self.word}", *(f"{name}: {value}" for name, value in self.facts)]
        lines += [f"{name}: {before or NOTHING} → {after or NOTHING}" for name, before, after in self.changes]
        return "\n".join([*lines, *(f"\n{name}\n{text}" for name, text in self.texts)])


@dataclass
class Names:
    """Names of integrations by id, removed ones too; filled by the page, read by columns."""

    of: dict[str, str] = field(default_factory=dict)

    def integration(self, integration_id: str | None) -> str:
        return tr("Console") if integration_id is None else self.of.get(integration_id, integration_id)


class View(Generic[R]):
    """Base of the four views. ``read`` runs off the UI thread."""

    key: ClassVar[str]
    title: ClassVar[str]
    topics: ClassVar[frozenset[str]]
    kinds: ClassVar[Sequence[tuple[str, str]]] = ()
    empty: ClassVar[tuple[str, str, str]]  # icon, title, next step

    def __init__(self, context: ConsoleContext, names: Names) -> None:
        self.context = context
        self.names = names

    @property
    def formats(self) -> Formats:
        return self.context.formats

    def columns(self) -> Sequence[Column[R]]:
        """The first one is the time; its ``sort`` gives the order of entries."""
        raise NotImplementedError

    def key_of(self, row: R) -> Any:
        raise NotImplementedError

    def older_than(self, row: R) -> Any:
        """What ``read`` takes as ``older`` to go on after this entry."""
        raise NotImplementedError

    def read(
        self, connection: Connection, wanted: Wanted, *, limit: int, older: Any = None, newest: R | None = None
    ) -> Batch[R]:
        """Entries from ``older`` on, or the newest. With ``newest``, entries not newer than it may be left out."""
        raise NotImplementedError

    def detail(self, row: R) -> Detail:
        raise NotImplementedError

    def people(self, connection: Connection) -> Sequence[str]:  # noqa: ARG002 - most views know nobody
        """Who did what is shown, to choose from."""
        return ()

    def counts(self, connection: Connection) -> Mapping[str, int]:  # noqa: ARG002 - most views count nothing
        """How many entries each integration has, where that is worth knowing."""
        return {}
