"""One event beside the list: its figures, its evidence, and what can be done about it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout

from app.fuel.events import StoredEvent
from app.fuel.reconcile import CONFIRMED, FALSE
from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.fuel.tables import decision_word, kind_word
from widgets.primitives import Card, StatusPill, clear_layout, link_button, outline_button, text_label

WIDTH_PX = 300


class EventPanel(Card):
    """``act_wanted`` carries confirm, false, undo, note or map, and the event."""

    act_wanted = Signal(str, object)

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__()
        theme = context.theme
        self._context = context
        self.shown: StoredEvent | None = None
        self.setFixedWidth(WIDTH_PX)
        self.title = text_label("", "card-title", wrap=True)
        self.kind = StatusPill(theme, "neutral", "")
        self.decision = StatusPill(theme, "neutral", "")
        self.figures = text_label("", wrap=True, selectable=True)
        self.confirm = outline_button(theme, tr("Confirm"), "circle-check", small=True)
        self.false = outline_button(theme, tr("False…"), "circle-x", small=True)
        self.undo = outline_button(theme, tr("Undo"), "rotate-ccw", small=True)
        self.note = link_button(theme, tr("Note…"), "pencil", small=True)
        self.map = link_button(theme, tr("On the map"), "map-pin", small=True)
        self._evidence = QVBoxLayout()
        self._evidence.setSpacing(6)
        self._lay_out()
        for name in ("confirm", "false", "undo", "note", "map"):
            getattr(self, name).clicked.connect(lambda _on=False, act=name: self._want(act))

    def _lay_out(self) -> None:
        body = self.body
        body.addWidget(self.title)
        pills = QHBoxLayout()
        pills.setSpacing(8)
        pills.addWidget(self.kind, 0, Qt.AlignmentFlag.AlignVCenter)
        pills.addWidget(self.decision, 0, Qt.AlignmentFlag.AlignVCenter)
        pills.addStretch(1)
        body.addLayout(pills)
        body.addWidget(self.figures)
        acts = QHBoxLayout()
        acts.setSpacing(8)
        for button in (self.confirm, self.false, self.undo):
            acts.addWidget(button)
        acts.addStretch(1)
        body.addLayout(acts)
        links = QHBoxLayout()
        links.setSpacing(8)
        links.addWidget(self.note)
        links.addWidget(self.map)
        links.addStretch(1)
        body.addLayout(links)
        body.addWidget(text_label(tr("Evidence"), "muted"))
        body.addLayout(self._evidence)
        body.addStretch(1)

    def show_event(self, event: StoredEvent) -> None:
        self.shown = event
        formats = self._context.formats
        sign = "+" if event.kind == "refuel" else "−"
        least = tr("at least ") if event.at_least else ""
        self.title.setText(f"{event.plate}: {least}{sign}{event.litres:,.1f} L")
        level, word = kind_word(event)
        self.kind.set_state(level, word)
        self.decision.set_state(*decision_word(event))
        lines = [
            f"{formats.time(event.start_ms)} –",
            formats.time(event.end_ms),
            tr(
                "Level {before} → {after} L", before=f"{event.level_before_l:,.0f}", after=f"{event.level_after_l:,.0f}"
            ),
            tr("Confidence {share}", share=f"{event.confidence:.0%}"),
        ]
        if event.driver:
            lines.append(tr("Driver {name}", name=event.driver))
        if event.reason:
            lines.append(tr("Reason: {reason}", reason=event.reason))
        if event.note:
            lines.append(tr("Note: {note}", note=event.note))
        if event.decided_by or event.decided_at is not None:
            lines.append(tr("Decided {when}", when=formats.ago(event.decided_at)))
        self.figures.setText("\n".join(lines))
        self.confirm.setVisible(event.decision != CONFIRMED)
        self.false.setVisible(event.decision != FALSE)
        self.undo.setVisible(bool(event.decision))
        self.map.setEnabled(event.lat is not None)
        clear_layout(self._evidence)
        for one in event.evidence:
            mark = {"for": "✓", "against": "✗", "open": "○"}[one["outcome"]]
            self._evidence.addWidget(text_label(f"{mark}  {one['text']}", "small", wrap=True))

    def _want(self, act: str) -> None:
        if self.shown is not None:
            self.act_wanted.emit(act, self.shown)
