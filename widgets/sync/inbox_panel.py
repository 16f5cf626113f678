"""One pushed message: what became of it, and its text as it came."""

from __future__ import annotations

import json
from contextlib import suppress

from PySide6.QtCore import Signal
from PySide6.QtGui import QFontDatabase
from PySide6.QtWidgets import QPlainTextEdit

from app.security.redaction import redact_text
from app.sync.inbox import InboxRow, InboxState
from resources.i18n import tr, trn
from widgets.context import ConsoleContext
from widgets.primitives import Banner, outline_button, primary_button
from widgets.side_panel import Facts, SidePanel, section
from widgets.sync.words import inbox_badge

LONGEST_SHOWN = 20_000
"""Characters of a body; a longer one is told to be cut."""
_FACTS = (("id", tr("Message id")), ("peer", tr("Sender")), ("records", tr("Brought")), ("handled", tr("Processed")))


class InboxPanel(SidePanel):
    """``again_wanted`` and ``rules_wanted`` carry the row."""

    again_wanted = Signal(object)
    rules_wanted = Signal(object)

    def __init__(self, context: ConsoleContext) -> None:
        theme = context.theme
        super().__init__(theme, tr("Message"))
        self._context = context
        self.row: InboxRow | None = None
        self.refusal = Banner(theme, "error", "")
        self.facts = Facts(_FACTS)
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.text.setMinimumHeight(220)
        self.text.setAccessibleName(tr("The message as it came"))
        self.again = primary_button(theme, tr("Process again"), "refresh-cw")
        self.rules = outline_button(theme, tr("Rules…"), "sliders-horizontal")
        self.column.addWidget(self.refusal)
        self.column.addWidget(self.facts)
        self.column.addWidget(section(tr("The message as it came")))
        self.column.addWidget(self.text, 1)
        self.foot.addWidget(self.rules)
        self.foot.addWidget(self.again)
        self.again.clicked.connect(lambda: self.again_wanted.emit(self.row))
        self.rules.clicked.connect(lambda: self.rules_wanted.emit(self.row))

    def show_row(self, row: InboxRow) -> None:
        self.row = row
        formats = self._context.formats
        self.show_head(row.integration or tr("A receiver that was removed"), formats.time(row.received_at))
        self.pill.set_state(*inbox_badge(row))
        self.refusal.words.setText(row.why)
        self.refusal.setVisible(bool(row.why))
        self.facts.show_fact("id", row.message_id)
        self.facts.show_fact("peer", row.peer or None)
        brought = trn("{count} record", "{count} records", row.records)
        self.facts.show_fact("records", brought if row.state == InboxState.DONE else None)
        self.facts.show_fact("handled", formats.time(row.handled_at) if row.handled_at is not None else None)
        self.text.setPlainText(shown_body(row.text))
        self.rules.setVisible(bool(row.integration))
        self.again.setVisible(row.state != InboxState.WAITING)
        self.show()


def shown_body(text: str) -> str:
    """A body as it is shown: laid out where it is JSON, secrets blanked, cut where it is very long."""
    with suppress(ValueError, RecursionError):
        text = json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    text = redact_text(text)
    if len(text) <= LONGEST_SHOWN:
        return text
    return text[:LONGEST_SHOWN] + "\n" + tr("… cut here; “inbox list --json” has all of it.")
