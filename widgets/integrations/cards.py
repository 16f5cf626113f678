"""One card of the catalogue, updated in place as the state behind it moves."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QPushButton, QVBoxLayout, QWidget

from app.catalogue import Entry
from app.integrations import IntegrationRow
from resources.i18n import tr
from widgets.integrations.words import CardBadge, badge_of, icon_of
from widgets.primitives import Badge, Card, IconTile, StatusPill, outline_button, paragraph, primary_button, text_label
from widgets.theme import Theme

DESCRIPTION_HEIGHT = 40
CAPABILITIES_SHOWN = 3
TILE = 48  # with an icon of half its side
DOT = 5


class IntegrationCard(Card):
    """``add_wanted`` carries the catalogue's key, ``configure_wanted`` the id of a configured integration."""

    add_wanted = Signal(str)
    configure_wanted = Signal(str)

    def __init__(self, theme: Theme, entry: Entry) -> None:
        super().__init__()
        self.entry = entry
        self._theme = theme
        self._rows: list[IntegrationRow] = []
        self._look: tuple[CardBadge | None, tuple[str, ...]] | None = None
        self.setObjectName(f"card-{entry.key}")
        self.setAccessibleName(entry.name)
        self.setAccessibleDescription(entry.problem or entry.description)
        self.badge = _CardBadge(theme)
        self.add = primary_button(theme, tr("Add Integration"), "plus")
        self.configure = outline_button(theme, tr("Configure"), "settings")
        self._lay_out()
        self.add.clicked.connect(lambda: self.add_wanted.emit(entry.key))
        self.configure.clicked.connect(self._on_configure_clicked)
        self.show_rows([])

    @property
    def button(self) -> QPushButton | None:
        """The one that is shown; None for what cannot be added."""
        shown = [button for button in (self.add, self.configure) if not button.isHidden()]
        return shown[0] if shown else None

    def show_rows(self, rows: Sequence[IntegrationRow]) -> None:
        """The configured integrations of this type, oldest first. Called each second: it works only for a change."""
        self._rows = list(rows)
        look = (badge_of(self.entry, rows), tuple(row.name for row in rows))
        if look == self._look:
            return
        self._look = look
        can_be_added = self.entry.manifest is not None
        self.add.setVisible(can_be_added and not rows)
        self.configure.setVisible(bool(rows))
        self.set_highlighted(bool(rows))
        self.badge.show_badge(look[0])
        names = ", ".join(row.name for row in rows)
        for button, act in ((self.add, tr("Add {name}", name=self.entry.name)), (self.configure, names)):
            button.setAccessibleName(act if button is self.add else tr("Configure {name}", name=act))

    def _lay_out(self) -> None:
        entry = self.entry
        head = QHBoxLayout()
        head.addWidget(IconTile(self._theme, icon_of(entry), "warn" if entry.problem else "primary", TILE))
        head.addStretch(1)
        head.addWidget(self.badge, 0, Qt.AlignmentFlag.AlignTop)
        self.body.addLayout(head)
        name = text_label(entry.name, "heading", wrap=True)
        self.body.addWidget(name)
        self.body.setSpacing(10)
        description = paragraph(entry.description)
        description.setMinimumHeight(DESCRIPTION_HEIGHT)
        description.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self.body.addWidget(description)
        if entry.problem:
            self.body.addWidget(text_label(entry.problem, "error", wrap=True, selectable=True))
        self.body.addLayout(_dotted(self._theme, entry.capabilities[:CAPABILITIES_SHOWN]))
        self.body.addStretch(1)
        self.body.addSpacing(2)
        self.body.addWidget(self.add)
        self.body.addWidget(self.configure)

    def _on_configure_clicked(self) -> None:
        if len(self._rows) == 1:
            self.configure_wanted.emit(self._rows[0].id)
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for row in self._rows:
            menu.addAction(row.name.replace("&", "&&")).triggered.connect(partial(self.configure_wanted.emit, row.id))
        menu.popup(self.configure.mapToGlobal(self.configure.rect().bottomLeft()))


class _CardBadge(QWidget):
    """At most one: a word on a tint, or a state as shape, word and colour."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.word = Badge("", "neutral")
        self.state = StatusPill(theme)
        self.text = ""
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.word)
        row.addWidget(self.state)

    def show_badge(self, badge: CardBadge | None) -> None:
        self.text = badge.text if badge is not None else ""
        self.word.setVisible(badge is not None and not badge.is_state)
        self.state.setVisible(badge is not None and badge.is_state)
        if badge is None:
            return
        if badge.level != "new" and badge.is_state:
            self.state.set_state(badge.level, badge.text)
        else:
            self.word.set_badge(badge.text, badge.level)


class _Dot(QWidget):
    """The mark before a capability."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.setFixedSize(DOT + 2, DOT + 2)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.color("primary"))
        painter.drawEllipse(1, 1, DOT, DOT)


def _dotted(theme: Theme, lines: Sequence[str]) -> QVBoxLayout:
    column = QVBoxLayout()
    column.setSpacing(5)
    for text in lines:
        row = QHBoxLayout()
        row.setSpacing(9)
        row.addWidget(_Dot(theme), 0, Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(text_label(text, "muted"), 1)
        column.addLayout(row)
    return column
