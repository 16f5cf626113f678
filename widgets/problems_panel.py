"""What only a person can fix: each problem with what, why, since when, and its button."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget
from sqlalchemy import Connection, func, select

from app.store.tables import Integration, Problem
from resources.i18n import tr
from widgets.formats import Formats
from widgets.primitives import Card, EmptyState, IconButton, clear_layout, outline_button, text_label
from widgets.primitives.layouts import ScrollHost
from widgets.theme import Theme

SHOWN_MAX = 100


@dataclass(frozen=True, slots=True)
class OpenProblem:
    """A row of ``problems`` that is not over; ``of`` is the integration's name."""

    id: int
    title: str
    detail: str
    fix: str
    since: datetime
    integration_id: str | None
    of: str


@dataclass(frozen=True, slots=True)
class Fix:
    """What a problem's button says and does; ``problems.fix`` names it."""

    label: str
    act: Callable[[OpenProblem], None]


def read_open_problems(connection: Connection) -> list[OpenProblem]:
    """Every problem that still stands, newest first."""
    query = (
        select(
            Problem.id,
            Problem.title,
            Problem.detail,
            Problem.fix,
            Problem.since,
            Problem.integration_id,
            func.coalesce(Integration.name, ""),
        )
        .outerjoin(Integration, Integration.id == Problem.integration_id)
        .where(Problem.cleared_at.is_(None))
        .order_by(Problem.since.desc(), Problem.id.desc())
    )
    return [OpenProblem(*row) for row in connection.execute(query)]


class ProblemsPanel(QWidget):
    """``fixes`` maps the word in ``problems.fix`` to a button; a word that is not in it shows none."""

    closed = Signal()

    def __init__(self, theme: Theme, formats: Formats, fixes: Mapping[str, Fix]) -> None:
        super().__init__()
        self._theme, self._formats, self._fixes = theme, formats, fixes
        self._problems: list[OpenProblem] = []
        self._ages: list[tuple[QLabel, OpenProblem]] = []
        self.setProperty("surface", "card")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setMinimumWidth(320)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 8, 8)
        heading = QHBoxLayout()
        heading.addWidget(text_label(tr("Problems"), "heading"), 1)
        close = IconButton(theme, "x", tr("Hide the problems"), color="muted")
        close.clicked.connect(self.closed)
        heading.addWidget(close)
        column.addLayout(heading)
        self._area = QScrollArea()
        self._area.setWidgetResizable(True)
        self._area.setAccessibleName(tr("Problems"))
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        host = ScrollHost()
        self._list = QVBoxLayout(host)
        self._list.setContentsMargins(0, 4, 8, 8)
        self._list.setSpacing(10)
        self._area.setWidget(host)
        column.addWidget(self._area, 1)
        formats.ticked.connect(self._write_ages)
        formats.changed.connect(self._write_ages)
        self._rebuild()

    @property
    def problems(self) -> list[OpenProblem]:
        return self._problems

    def apply(self, problems: list[OpenProblem]) -> None:
        """Show these; nothing moves on the screen when they are the same."""
        if problems != self._problems:
            self._problems = problems
            self._rebuild()

    def _rebuild(self) -> None:
        clear_layout(self._list)
        self._ages.clear()
        if not self._problems:
            text = tr("What needs a person will stand here, with the step that helps.")
            self._list.addWidget(EmptyState(self._theme, "circle-check", tr("No problems"), text))
            return
        for problem in self._problems[:SHOWN_MAX]:
            self._list.addWidget(self._card(problem))
        if len(self._problems) > SHOWN_MAX:
            more = tr("and {count} more", count=len(self._problems) - SHOWN_MAX)
            self._list.addWidget(text_label(more, "muted"))
        self._list.addStretch(1)
        self._write_ages()

    def _card(self, problem: OpenProblem) -> Card:
        card = Card(margin=14)
        card.body.setSpacing(6)
        card.setAccessibleName(problem.title)
        top = QHBoxLayout()
        icon = QLabel()
        self._theme.follow(icon, "triangle-alert", "warn", 16)
        top.addWidget(icon, 0, Qt.AlignmentFlag.AlignTop)
        top.addWidget(text_label(problem.title, "strong", wrap=True, selectable=True), 1)
        card.body.addLayout(top)
        if problem.detail:
            card.body.addWidget(text_label(problem.detail, wrap=True, selectable=True))
        age = text_label("", "small", wrap=True)
        self._ages.append((age, problem))
        card.body.addWidget(age)
        fix = self._fixes.get(problem.fix)
        if fix is not None:
            button = outline_button(self._theme, fix.label, small=True)
            button.clicked.connect(lambda: fix.act(problem))
            card.body.addWidget(button, 0, Qt.AlignmentFlag.AlignLeft)
        return card

    def _write_ages(self) -> None:
        for label, problem in self._ages:
            age = self._formats.ago(problem.since)
            text = f"{problem.of} · {age}" if problem.of else age
            if label.text() != text:
                label.setText(text)
                label.setToolTip(self._formats.time(problem.since))
