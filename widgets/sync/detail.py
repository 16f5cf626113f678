"""Everything about one change on its way: the three facts, what was answered, and what can be done."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QPushButton, QWidget

from app.sync.listing import OutboxRow, shown_value
from app.sync.words import IN_THE_WAY, MAY_BE_APPLIED, State
from app.sync.writes import field_word
from resources.i18n import tr, trn
from widgets.context import ConsoleContext
from widgets.primitives import Banner, FlowLayout, StatusDot, clear_layout, outline_button, primary_button, text_label
from widgets.side_panel import Facts, SidePanel, section
from widgets.sync import words

ACTS = ("retry", "restore", "decide", "pause", "resume", "set_aside", "cancel", "change")
_FACTS = (
    ("tries", tr("Tries")),
    ("next", tr("Next try")),
    ("behind", tr("Order")),
)


class OutboxPanel(SidePanel):
    """``act_wanted`` carries one of :data:`ACTS` and the row."""

    act_wanted = Signal(str, object)

    def __init__(self, context: ConsoleContext) -> None:
        theme = context.theme
        super().__init__(theme, tr("Change"))
        self._context = context
        self.row: OutboxRow | None = None
        self.answer = Banner(theme, "info", "")
        self.refusal = Banner(theme, "error", "")
        self.facts = Facts(_FACTS)
        self.steps = {key: _Step(context) for key in ("saved", "sent", "accepted")}
        self._values = QGridLayout()
        self.buttons: dict[str, QPushButton] = {
            "retry": primary_button(theme, tr("Send again"), "refresh-cw"),
            "restore": primary_button(theme, tr("Restore"), "rotate-ccw"),
            "decide": primary_button(theme, tr("Decide…"), "arrow-left-right"),
            "change": outline_button(theme, tr("Change…"), "pencil", small=True),
            "pause": outline_button(theme, tr("Pause"), "pause", small=True),
            "resume": outline_button(theme, tr("Resume"), "play", small=True),
            "set_aside": outline_button(theme, tr("Set aside"), "inbox", small=True),
            "cancel": outline_button(theme, tr("Cancel…"), "x", small=True),
        }
        self._fill()
        context.formats.changed.connect(self._show)

    def _fill(self) -> None:
        self.column.addWidget(section(tr("The change")))
        self._values.setHorizontalSpacing(12)
        self._values.setVerticalSpacing(5)
        self._values.setColumnStretch(2, 1)
        self.column.addLayout(self._values)
        self.column.addWidget(section(tr("How far it is")))
        for step in self.steps.values():
            self.column.addWidget(step)
        self.column.addWidget(self.answer)
        self.column.addWidget(self.refusal)
        self.column.addWidget(self.facts)
        self.column.addStretch(1)
        acts = QWidget()
        small = FlowLayout(acts, gap=8)
        for act in ("change", "pause", "resume", "set_aside", "cancel"):
            small.addWidget(self.buttons[act])
        self.foot.addWidget(acts)
        for act in ("retry", "restore", "decide"):
            self.foot.addWidget(self.buttons[act])
        for act, button in self.buttons.items():
            button.clicked.connect(partial(self._want, act))

    def show_row(self, row: OutboxRow) -> None:
        if self.row is None or self.row.id != row.id:
            self.area.verticalScrollBar().setValue(0)
        self.row = row
        self._show()
        self.show()

    def tick(self) -> None:
        """Times to come grow nearer."""
        if self.row is not None and not self.isHidden():
            now = self._context.now()
            self.facts.show_fact("next", words.next_try(self.row, self._context.formats, now) or None)

    def _show(self) -> None:
        row = self.row
        if row is None:
            return
        self.show_head(row.subject, row.integration)
        self.pill.set_state(*words.state_badge(row))
        self._show_values(row)
        self._show_steps(row)
        is_bad = row.state in (State.REFUSED, State.CONFLICT)
        self.refusal.words.setText(row.last_answer)
        self.refusal.setVisible(is_bad and bool(row.last_answer))
        self.answer.words.setText(row.last_answer)
        self.answer.setVisible(not is_bad and bool(row.last_answer))
        self.facts.show_fact("tries", trn("{count} try", "{count} tries", row.tries) if row.tries else tr("none yet"))
        waits = row.state in IN_THE_WAY
        self.facts.show_fact("behind", tr("Later changes of the same paper wait for it.") if waits else None)
        self.facts.show_fact("next", None)
        self.tick()
        self._show_buttons(row)

    def _show_values(self, row: OutboxRow) -> None:
        clear_layout(self._values)
        for at, (field, value) in enumerate(row.values.items()):
            before = text_label(shown_value(field, row.seen.get(field)), "muted", wrap=True, selectable=True)
            after = text_label(shown_value(field, value), "strong", wrap=True, selectable=True)
            self._values.addWidget(
                text_label(field_word(field).capitalize(), "small"), at, 0, Qt.AlignmentFlag.AlignTop
            )
            self._values.addWidget(before, at, 1, Qt.AlignmentFlag.AlignTop)
            self._values.addWidget(after, at, 2, Qt.AlignmentFlag.AlignTop)
            before.setToolTip(tr("before"))
            after.setToolTip(tr("after"))
            before.setText(f"{before.text()}  →")

    def _show_steps(self, row: OutboxRow) -> None:
        """Saved here, sent, accepted: each is true or not yet, and says since when."""
        formats = self._context.formats
        made = tr("{at} by {who}", at=formats.clock(row.created_at), who=row.created_by)
        self.steps["saved"].show_step("ok", tr("Saved here"), made)
        tried = tr("last tried {at}", at=formats.clock(row.last_try)) if row.last_try is not None else ""
        if row.state == State.ACCEPTED:
            self.steps["sent"].show_step("ok", tr("Sent"), formats.clock(row.last_try))
            self.steps["accepted"].show_step(
                "ok", tr("Accepted by {name}", name=row.integration), formats.clock(row.ended_at)
            )
            return
        if row.state in MAY_BE_APPLIED or row.is_doubtful:
            lost = (
                tr("being sent")
                if row.state == State.SENDING
                else tr("{tried}, no answer", tried=tried or tr("perhaps"))
            )
            self.steps["sent"].show_step("warn", tr("Sent"), lost)
        elif row.state in (State.REFUSED, State.CONFLICT) and row.tries:
            self.steps["sent"].show_step("ok", tr("Sent"), tried)
        else:
            self.steps["sent"].show_step("neutral", tr("Not sent"), tried)
        word = tr("Refused by {name}", name=row.integration) if row.state == State.REFUSED else tr("Not accepted yet")
        if row.state == State.CANCELLED:
            word = tr("Cancelled")
        level = "error" if row.state == State.REFUSED else "neutral"
        self.steps["accepted"].show_step(level, word, "")

    def _show_buttons(self, row: OutboxRow) -> None:
        state = row.state
        open_ones = state in (State.WAITING, State.DOUBTFUL, State.REFUSED)
        shown = {
            "retry": open_ones,
            "restore": state == State.SET_ASIDE,
            "decide": state == State.CONFLICT,
            "change": state in (State.WAITING, State.REFUSED) and row.record != "notice",
            "pause": state in (State.WAITING, State.DOUBTFUL) and not row.is_paused,
            "resume": row.is_paused and state in (State.WAITING, State.DOUBTFUL),
            "set_aside": open_ones,
            "cancel": state in (State.WAITING, State.REFUSED, State.CONFLICT, State.SET_ASIDE) and not row.is_doubtful,
        }
        for act, button in self.buttons.items():
            button.setVisible(shown[act])
        self.buttons["retry"].setText(tr("Send now") if state == State.WAITING else tr("Send again"))

    def _want(self, act: str, *_checked: object) -> None:
        if self.row is not None:
            self.act_wanted.emit(act, self.row)

    def close_panel(self) -> None:
        self._context.formats.changed.disconnect(self._show)


class _Step(QWidget):
    """One of the three facts: a shape, a word, and since when."""

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        self.dot = StatusDot(context.theme)
        self.word = text_label("")
        self.since = text_label("", "small")
        row.addWidget(self.dot)
        row.addWidget(self.word)
        row.addStretch(1)
        row.addWidget(self.since)

    def show_step(self, level: str, word: str, since: str) -> None:
        self.dot.set_level(level)  # type: ignore[arg-type]
        self.word.setText(word)
        self.since.setText(since)
        self.setAccessibleName(f"{word} {since}".strip())
