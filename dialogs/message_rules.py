"""The rules for pushed messages: edited, checked rule by rule, tried on a stored message before they count."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QTextCursor
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QFrame,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QPlainTextEdit,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)
from sqlalchemy import Connection

from adapters.errors import AdapterError
from adapters.rulebooks import RuleFault
from app.errors import OperatorError
from app.sync.inbox import InboxHead, InboxState, inbox_heads, message_body
from app.sync.message_rules import RulesInForce, Trial, rules_in_force, save_rules, try_rules
from dialogs.text_files import keep_text, open_text
from resources.i18n import tr, trn
from widgets import ask
from widgets.context import ConsoleContext
from widgets.primitives import (
    Banner,
    Card,
    SegmentedTabs,
    calm_wheel,
    labelled,
    outline_button,
    primary_button,
    text_label,
)
from widgets.sync.inbox_panel import shown_body
from widgets.sync.words import INBOX_WORDS
from widgets.theme import mono_font

SIZE = (1100, 700)
CHECK_AFTER_MS = 400
MESSAGES = 200
TRY, MESSAGE, HELP = "try", "message", "help"


async def message_rules(context: ConsoleContext, parent: QWidget, integration_id: str, key: int | None = None) -> bool:
    """Let the operator edit what messages of an integration mean; ``key`` is the message to try them on first.

    True where other rules were saved.
    """
    catalogue = await asyncio.to_thread(lambda: context.services.catalogue)

    def look(connection: Connection) -> tuple[RulesInForce, list[InboxHead]]:
        now = rules_in_force(connection, catalogue, integration_id)
        return now, inbox_heads(connection, integration_id, limit=MESSAGES)

    try:
        now, messages = await context.bridge.read(look)
    except (OperatorError, AdapterError) as err:
        context.notify("error", err.why)
        return False
    return await ask.run(RulesDialog(context, parent, now, messages, key))


class RulesDialog(QDialog):
    """The rules' text and what is wrong with each at the left; a trial, the message and help at the right."""

    def __init__(
        self,
        context: ConsoleContext,
        parent: QWidget,
        now: RulesInForce,
        messages: list[InboxHead],
        key: int | None,
    ) -> None:
        super().__init__(parent)
        self._context = context
        self._now = now
        self._body: tuple[int, bytes] | None = None
        theme = context.theme
        self.setWindowTitle(tr("Rules of {name}", name=now.name))
        self.resize(*SIZE)
        self.editor = _text(tr("Rules"))
        self.editor.setReadOnly(False)
        self.rules = QListWidget()
        self.rules.setAccessibleName(tr("Each rule"))
        self.messages = QComboBox()
        self.trial = _text(tr("What it would mean"), wraps=True)
        self.message = _text(tr("Message"))
        self.help = _text(tr("Help"), wraps=True)
        self.verdict = text_label("", "strong", wrap=True)
        self.stack = QStackedWidget()
        self.tabs = SegmentedTabs([(TRY, tr("Try")), (MESSAGE, tr("Message")), (HELP, tr("Help"))])
        self.problem = Banner(theme, "error", "")
        self.example = outline_button(theme, tr("Begin with an example"), "pencil")
        self.load = outline_button(theme, tr("From a file…"), "folder-open")
        self.save_as = outline_button(theme, tr("To a file…"), "save")
        self.save = primary_button(theme, tr("Save these rules"), "check")
        self.cancel = outline_button(theme, tr("Close"))
        self._timer = QTimer(self, singleShot=True, interval=CHECK_AFTER_MS)
        self._fill(messages, key)
        self._lay_out()
        self._connect()
        self.editor.setPlainText(now.text)
        self._start_check()

    def _fill(self, messages: list[InboxHead], key: int | None) -> None:
        labelled(self.messages, tr("Message to try them on"))
        calm_wheel(self.messages)
        formats = self._context.formats
        for row in messages:
            state = INBOX_WORDS[InboxState(row.state)]
            self.messages.addItem(f"{formats.clock(row.received_at)} · {state} · {row.message_id[:40]}", row.key)
        self.messages.setCurrentIndex(max(0, self.messages.findData(key)))
        self.messages.setVisible(bool(messages))
        self.help.setPlainText(self._now.book.help)
        self.problem.setVisible(bool(self._now.problem))
        self.problem.words.setText(self._now.problem)
        self.example.setVisible(not self._now.text)

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN)
        column.setSpacing(12)
        column.addWidget(text_label(tr("What messages to {name} mean", name=self._now.name), "heading", wrap=True))
        words = tr("Nothing is stored while you edit or try. Saved, the rules hold for messages from then on.")
        column.addWidget(text_label(words, "muted", wrap=True))
        sides = QHBoxLayout()
        sides.setSpacing(16)
        sides.addWidget(self._left(), 1)
        sides.addWidget(self._right(), 1)
        column.addLayout(sides, 1)
        column.addWidget(self.problem)
        row = QHBoxLayout()
        row.setSpacing(10)
        for button in (self.example, self.load, self.save_as):
            row.addWidget(button)
        row.addStretch(1)
        row.addWidget(self.cancel)
        row.addWidget(self.save)
        column.addLayout(row)

    def _left(self) -> QWidget:
        left = QWidget()
        side = QVBoxLayout(left)
        side.setContentsMargins(0, 0, 0, 0)
        side.setSpacing(8)
        side.addWidget(self.editor, 3)
        side.addWidget(text_label(tr("Each rule"), "small"))
        self.rules.setWordWrap(True)
        self.rules.setMinimumHeight(96)
        self.rules.setFrameShape(QFrame.Shape.NoFrame)
        card = Card(margin=1)
        card.body.addWidget(self.rules)
        side.addWidget(card, 1)
        return left

    def _right(self) -> QWidget:
        right = QWidget()
        side = QVBoxLayout(right)
        side.setContentsMargins(0, 0, 0, 0)
        side.setSpacing(10)
        side.addWidget(self.tabs, 0, Qt.AlignmentFlag.AlignLeft)
        side.addWidget(self.messages)
        trial = QWidget()
        words = QVBoxLayout(trial)
        words.setContentsMargins(0, 0, 0, 0)
        words.setSpacing(8)
        words.addWidget(self.verdict)
        words.addWidget(self.trial, 1)
        self.views: dict[str, QWidget] = {TRY: trial, MESSAGE: self.message, HELP: self.help}
        for view in self.views.values():
            self.stack.addWidget(view)
        side.addWidget(self.stack, 1)
        return right

    def _connect(self) -> None:
        start = self._context.tasks.start
        self._timer.timeout.connect(self._start_check)
        self.tabs.chosen.connect(self._on_tab)
        self.editor.textChanged.connect(self._on_edited)
        self.messages.currentIndexChanged.connect(lambda _at: self._start_check())
        self.rules.currentRowChanged.connect(self._show_rule)
        self.example.clicked.connect(lambda: self.editor.setPlainText(self._now.book.example))
        self.save.clicked.connect(lambda: start(self._save(), name="save rules", owner=self))
        self.load.clicked.connect(lambda: start(self._load(), name="load rules", owner=self))
        self.save_as.clicked.connect(lambda: start(self._save_as(), name="rules file", owner=self))
        self.cancel.clicked.connect(self.reject)
        self.finished.connect(self._timer.stop)
        self.finished.connect(lambda _result: self._context.tasks.cancel_owner(self))

    def _on_tab(self, tab: str) -> None:
        self.stack.setCurrentWidget(self.views[tab])
        self.messages.setVisible(tab != HELP and self.messages.count() > 0)

    def _on_edited(self) -> None:
        self.save.setEnabled(False)
        self._timer.start()

    def _start_check(self) -> None:
        self._context.tasks.start(self._check(), name="check rules", owner=self)

    async def _check(self) -> None:
        """Every rule that is wrong, and what the chosen message would mean; an older answer is left out."""
        text, key = self.editor.toPlainText(), self.messages.currentData()
        book = self._now.book
        if not text.strip():
            self._show_faults((), ())
            self._show_trial(None, tr("There are no rules: messages are stored, and wait."))
            self.save.setEnabled(False)
            return
        body = await self._read_body(key)
        faults, titles = await asyncio.to_thread(lambda: (book.faults(text), book.titles(text)))
        trial = await asyncio.to_thread(try_rules, book, text, body) if body is not None and not faults else None
        if (text, key) != (self.editor.toPlainText(), self.messages.currentData()):
            return
        self._show_faults(faults, titles)
        said = trn("{count} rule cannot be used.", "{count} rules cannot be used.", len(faults)) if faults else ""
        self._show_trial(trial, said or tr("No message was pushed yet to try them on."))
        if faults:
            self.trial.setPlainText(tr("The message is tried as soon as what is marked at the left is corrected."))
        self.save.setEnabled(not faults and text != self._now.text)

    async def _read_body(self, key: int | None) -> bytes | None:
        if key is None:
            return None
        if self._body is None or self._body[0] != key:
            try:
                self._body = (key, await self._context.bridge.read(partial(message_body, key=key)))
            except OperatorError as err:
                self.message.setPlainText(err.why)
                return None
            self.message.setPlainText(shown_body(self._body[1].decode("utf-8", "replace")))
        return self._body[1]

    def _show_faults(self, faults: Sequence[RuleFault], titles: Sequence[str]) -> None:
        wrong = {fault.rule: fault for fault in faults}
        chosen = self.rules.currentRow()
        self.rules.blockSignals(True)
        self.rules.clear()
        if 0 in wrong:
            self._add_rule("circle-alert", "error", wrong[0].why)
        for number, title in enumerate(titles, 1):
            if number in wrong:
                why = wrong[number].why
                self._add_rule("circle-alert", "error", f"{number}. {why[:1].upper()}{why[1:]}")
            else:
                self._add_rule("circle-check", "ok", f"{number}. {title}")
        self.rules.setCurrentRow(min(chosen, self.rules.count() - 1))
        self.rules.blockSignals(False)

    def _add_rule(self, icon: str, color: str, words: str) -> None:
        self.rules.addItem(QListWidgetItem(self._context.theme.icon(icon, color), words))

    def _show_trial(self, trial: Trial | None, otherwise: str) -> None:
        if trial is None:
            self.verdict.setText(otherwise)
            self.trial.setPlainText("")
            return
        if trial.why:
            self.verdict.setText(tr("This message would be refused."))
            self.trial.setPlainText(trial.why)
            return
        said = trn("It would bring {count} record.", "It would bring {count} records.", trial.count - trial.aside)
        if trial.aside:
            said += " " + trn("{count} would be set aside.", "{count} would be set aside.", trial.aside)
        self.verdict.setText(said if trial.count else tr("It would bring no record."))
        lines = [f"✕ {one.why}" if one.why else f"{one.kind}: {one.words}" for one in trial.records]
        if trial.count > len(trial.records):
            lines.append(tr("and {count} more", count=f"{trial.count - len(trial.records):,}"))
        lines += [tr("The next run of “{name}” comes at once.", name=name) for name in trial.fetch]
        self.trial.setPlainText("\n\n".join(lines))

    def _show_rule(self, at: int) -> None:
        """Lead to a rule in the text: rules begin where an object in the list opens."""
        starts = _starts(self.editor.toPlainText())
        number = at if self.rules.count() == len(starts) else at - 1
        if 0 <= number < len(starts):
            cursor = self.editor.textCursor()
            cursor.setPosition(starts[number])
            cursor.movePosition(QTextCursor.MoveOperation.EndOfLine, QTextCursor.MoveMode.KeepAnchor)
            self.editor.setTextCursor(cursor)
            self.editor.ensureCursorVisible()

    async def _save(self) -> None:
        self.save.setEnabled(False)
        folder, text = self._context.paths.data_dir / "rules", self.editor.toPlainText()

        def work() -> Path:
            return save_rules(self._context.services.desk, folder, self._now.integration_id, text)

        try:
            await asyncio.to_thread(work)
        except (OperatorError, AdapterError) as err:
            self._show_problem(err.why)
            self.save.setEnabled(True)
            return
        self._context.notify("ok", tr("The rules are saved. Process again what should be read by them."))
        self.accept()

    async def _load(self) -> None:
        text, why = await open_text(self, tr("Open rules"), "Rules (*.json)")
        if why:
            self._show_problem(why)
        if text is not None:
            self.problem.hide()
            self.editor.setPlainText(text)

    async def _save_as(self) -> None:
        title, text = tr("Keep the rules as a file"), self.editor.toPlainText()
        why = await keep_text(self, title, "rules.json", "Rules (*.json)", text)
        if why:
            self._show_problem(why)

    def _show_problem(self, why: str) -> None:
        self.problem.words.setText(why)
        self.problem.show()


def _starts(text: str) -> list[int]:
    """Where each object of the list of rules opens, by its depth in braces; strings are passed over."""
    found, depth, at, in_text = [], 0, 0, False
    while at < len(text):
        char = text[at]
        if in_text:
            at += char == "\\"
            in_text = char != '"'
        elif char == '"':
            in_text = True
        elif char in "{[":
            depth += 1
            if depth == 3 and char == "{":
                found.append(at)
        elif char in "}]":
            depth -= 1
        at += 1
    return found


def _text(name: str, *, wraps: bool = False) -> QPlainTextEdit:
    editor = QPlainTextEdit()
    editor.setReadOnly(True)
    editor.setAccessibleName(name)
    editor.setFont(mono_font())
    if not wraps:
        editor.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
    return editor
