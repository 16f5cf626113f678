"""The way of sending as a profile: edited, checked key by key, compared, shown as exact requests before it counts."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QDialog, QHBoxLayout, QPlainTextEdit, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from adapters.errors import AdapterError
from adapters.reporting import ExactRequest
from app.errors import OperatorError
from app.reports.profiles import ProfileInForce, profile_in_force, save_profile, try_profile
from dialogs.text_files import keep_text, open_text
from resources.i18n import tr
from widgets import ask
from widgets.context import ConsoleContext
from widgets.primitives import Banner, SegmentedTabs, outline_button, primary_button, text_label
from widgets.theme import mono_font

SIZE = (1040, 680)
CHECK_AFTER_MS = 400
MOST_REQUESTS = 6

HELP = tr(
    "base_url: the address that this was agreed for; empty for any.\n"
    "auth: header and scheme of the API key.\n"
    "paths, methods: where each call goes, and its verb. An empty path switches a reading off.\n"
    "orders: parameters, paging and the marker since which orders are asked for.\n"
    "fields: our names on the left, theirs on the right; dots lead into nested objects, empty leaves a field out.\n"
    "constants: values that stand in every record.\n"
    "omit_when_empty: fields that are left out where they are empty; others are sent as null.\n"
    "bodies: whether records are sent as a list, inside an object, or one by one.\n"
    "formats: how times and days are written.\n"
    "units: whether quantities count packs or units.\n"
    "stock: whether programme and donor are needed; codes of single packs.\n"
    "answers: where an answer lists what it refuses.\n"
    "batching, limits, schedule: how much at once, how fast, and when.\n"
    "funder: where an order names its donor."
)


async def report_profile(context: ConsoleContext, parent: QWidget, integration_id: str) -> bool:
    """Let the operator edit how reports are sent; True where another profile was saved."""
    catalogue = await asyncio.to_thread(lambda: context.services.catalogue)
    look = partial(profile_in_force, catalogue=catalogue, integration_id=integration_id)
    try:
        now = await context.bridge.read(look)
    except (OperatorError, AdapterError) as err:
        context.notify("error", err.why)
        return False
    return await ask.run(ProfileDialog(context, parent, now))


class ProfileDialog(QDialog):
    """The profile's text at the left; help, differences and exact requests at the right."""

    def __init__(self, context: ConsoleContext, parent: QWidget, now: ProfileInForce) -> None:
        super().__init__(parent)
        self._context = context
        self._now = now
        theme = context.theme
        self.setWindowTitle(tr("Way of sending to {name}", name=now.name))
        self.resize(*SIZE)
        self.editor = _text(tr("Profile"))
        self.editor.setReadOnly(False)
        self.differences = _text(tr("Differences"))
        self.requests = _text(tr("Exact requests"))
        self.help = _text(tr("Help"), mono=False)
        self.help.setPlainText(HELP)
        self.stack = QStackedWidget()
        self.views = {"help": self.help, "differences": self.differences, "requests": self.requests}
        names = {"help": tr("Help"), "differences": tr("Differences"), "requests": tr("Exact requests")}
        self.tabs = SegmentedTabs(list(names.items()))
        for view in self.views.values():
            self.stack.addWidget(view)
        self.problem = Banner(theme, "error", "")
        self.meaning = text_label("", "muted", wrap=True)
        self.load = outline_button(theme, tr("From a file…"), "folder-open")
        self.save_as = outline_button(theme, tr("To a file…"), "save")
        self.save = primary_button(theme, tr("Save this profile"), "check")
        self.cancel = outline_button(theme, tr("Close"))
        self._timer = QTimer(self, singleShot=True, interval=CHECK_AFTER_MS)
        self._lay_out()
        self._timer.timeout.connect(self._start_check)
        self.tabs.chosen.connect(lambda tab: self.stack.setCurrentWidget(self.views[tab]))
        self.editor.textChanged.connect(self._on_edited)
        self.save.clicked.connect(lambda: context.tasks.start(self._save(), name="save a profile", owner=self))
        self.load.clicked.connect(lambda: context.tasks.start(self._load(), name="load a profile", owner=self))
        self.save_as.clicked.connect(lambda: context.tasks.start(self._save_as(), name="profile file", owner=self))
        self.cancel.clicked.connect(self.reject)
        self.editor.setPlainText(now.text)
        self.finished.connect(self._timer.stop)
        self.finished.connect(lambda _result: context.tasks.cancel_owner(self))
        self._start_check()

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN)
        column.setSpacing(12)
        column.addWidget(text_label(tr("How reports are sent to {name}", name=self._now.name), "heading", wrap=True))
        column.addWidget(
            text_label(
                tr("What no public description tells stands here as it was agreed. Nothing is sent while you edit."),
                "muted", wrap=True,
            )
        )  # fmt: skip
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(self.editor)
        right = QWidget()
        side = QVBoxLayout(right)
        side.setContentsMargins(0, 0, 0, 0)
        side.setSpacing(10)
        side.addWidget(self.tabs, 0, Qt.AlignmentFlag.AlignLeft)
        side.addWidget(self.stack, 1)
        split.addWidget(right)
        split.setHandleWidth(12)
        split.setSizes([SIZE[0] // 2, SIZE[0] // 2])
        split.setChildrenCollapsible(False)
        column.addWidget(split, 1)
        column.addWidget(self.problem)
        self.problem.hide()
        column.addWidget(self.meaning)
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addWidget(self.load)
        row.addWidget(self.save_as)
        row.addStretch(1)
        row.addWidget(self.cancel)
        row.addWidget(self.save)
        column.addLayout(row)

    def _on_edited(self) -> None:
        self.save.setEnabled(False)
        self._timer.start()

    def _start_check(self) -> None:
        self._context.tasks.start(self._check(), name="check a profile", owner=self)

    async def _check(self) -> None:
        """Every key that is wrong by name; else what differs and what would go out."""
        text = self.editor.toPlainText()
        try:
            whole, differences, plan = await asyncio.to_thread(try_profile, self._now, text)
        except (OperatorError, AdapterError) as err:
            self.problem.words.setText(err.why)
            self.problem.show()
            self.save.setEnabled(False)
            return
        if text != self.editor.toPlainText():
            return  # it was edited meanwhile, and is checked again
        self.problem.hide()
        is_other = whole != self._now.text
        self.save.setEnabled(is_other)
        self.differences.setPlainText("\n".join(differences) or tr("Nothing differs from the profile in force."))
        shown = [_request(one) for one in plan.requests[:MOST_REQUESTS]]
        if len(plan.requests) > MOST_REQUESTS:
            shown.append(tr("and {count} more requests", count=len(plan.requests) - MOST_REQUESTS))
        nothing = tr("No stock is held that could be told, so there is no request to show.")
        self.requests.setPlainText("\n\n".join(shown) or nothing)
        if is_other:
            self.meaning.setText(
                tr(
                    "Saved, it must be approved by a dry run before anything is sent (code {code}).",
                    code=plan.approval_code,
                )
            )
        else:
            word = tr("approved") if self._now.is_approved else tr("not approved yet")
            self.meaning.setText(tr("This is the profile in force, {word}; its code is {code}.", word=word,
                                    code=plan.approval_code))  # fmt: skip

    async def _save(self) -> None:
        self.save.setEnabled(False)
        folder, text = self._context.paths.data_dir / "profiles", self.editor.toPlainText()

        def work() -> Path:
            return save_profile(self._context.services.desk, folder, self._now.integration_id, text)

        try:
            await asyncio.to_thread(work)
        except (OperatorError, AdapterError) as err:
            self._say(err.why)
            self.save.setEnabled(True)
            return
        self._context.notify("ok", tr("The profile is saved. Make a dry run and approve it before anything is sent."))
        self.accept()

    async def _load(self) -> None:
        text, why = await open_text(self, tr("Open a profile"), "Profile (*.json)")
        self._say(why)
        if text is not None:
            self.editor.setPlainText(text)

    async def _save_as(self) -> None:
        title, text = tr("Keep the profile as a file"), self.editor.toPlainText()
        self._say(await keep_text(self, title, "profile.json", "Profile (*.json)", text))

    def _say(self, why: str) -> None:
        """What stands against it; "" changes nothing."""
        if why:
            self.problem.words.setText(why)
            self.problem.show()


def _request(one: ExactRequest) -> str:
    head = f"{one.method} {one.url}"
    headers = "\n".join(f"{name}: {value}" for name, value in one.headers)
    return f"{head}\n{headers}\n\n{one.body_text[:20_000]}"


def _text(name: str, *, mono: bool = True) -> QPlainTextEdit:
    editor = QPlainTextEdit()
    editor.setReadOnly(True)
    editor.setAccessibleName(name)
    if mono:
        editor.setFont(mono_font())
        editor.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
    return editor
