"""Verifying the chain of acts on demand, saying what was found, and copying its checkpoints outside."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget
from sqlalchemy import Connection

from app.clock import utc_now
from app.errors import OperatorError
from app.security.audit import AuditReport, head_of, verify_acts
from app.security.checkpoints import Checkpoint
from app.security.findings import IN_THE_CHAIN
from app.security.seal import Seal
from app.store.errors import StoreError
from resources.i18n import tr, trn
from widgets import ask
from widgets.context import ConsoleContext
from widgets.primitives import Banner, StatusPill, clear_layout, outline_button, text_label

LOOK_EVERY_S = 30.0
"""How often the newest checkpoint is looked for while the acts are shown: the engine makes them as often."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the walk over the chain found; ``unsealed`` says why it could not be compared with the seal."""

    report: AuditReport
    unsealed: str = ""


class ChainBar(QWidget):
    """The buttons, the state, the age of the newest checkpoint and, when something is wrong, the sentences."""

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__()
        theme = context.theme
        self._context = context
        self.verdict: Verdict | None = None
        self._newest: Checkpoint | None = None
        self._trouble = ""
        self._looked_s = float("-inf")
        self.button = outline_button(theme, tr("Verify chain"), "shield-check", small=True)
        self.pill = StatusPill(theme, "neutral", tr("Not verified"))
        self.words = text_label(
            tr("Each act holds the hash of the one before it; the end is sealed outside the store."), "small"
        )
        self.sealed = text_label("", "small")
        self.copy = outline_button(theme, tr("Copy checkpoints…"), "copy", small=True)
        self.copy.setToolTip(tr("Keep the copy where the users of this computer cannot write."))
        self.export = outline_button(theme, tr("Export acts…"), "download", small=True)
        self.export.setToolTip(tr("Every act that the search and the filters find, with before and after."))
        self._fault = QVBoxLayout()
        self._lay_out()

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addWidget(self.button)
        row.addWidget(self.pill, 0, Qt.AlignmentFlag.AlignVCenter)
        words = QVBoxLayout()
        words.setSpacing(1)
        words.addWidget(self.words)
        words.addWidget(self.sealed)
        row.addLayout(words, 1)
        row.addWidget(self.copy)
        row.addWidget(self.export)
        column.addLayout(row)
        column.addLayout(self._fault)

    async def verify(self) -> None:
        """Walk the chain off the UI thread and show the verdict."""
        self.button.setEnabled(False)
        self.pill.set_state("info", tr("Verifying…"))
        try:
            self.show_verdict(await self._context.bridge.read(self._read))
        except OperatorError as err:
            self.pill.set_state("neutral", tr("Not verified"))
            self._context.notify("error", err.why)
        finally:
            self.button.setEnabled(True)

    async def note_change(self) -> None:
        """The topic of the acts moved: compare the end of the chain with the one that was walked.

        The news may be older than the walk, so the store is asked instead of taking it for a change.
        """
        walked = self.verdict
        if walked is None or not walked.report.ok:
            return
        head = await self._context.bridge.read(head_of)
        if head != walked.report.head and walked is self.verdict and self.button.isEnabled():  # no walk meanwhile
            self.pill.set_state("neutral", tr("Changed since"))

    @property
    def is_look_due(self) -> bool:
        return time.monotonic() - self._looked_s >= LOOK_EVERY_S

    async def look(self) -> None:
        """Look for the newest checkpoint, off the UI thread, unless that was done a moment ago."""
        if self.is_look_due:
            self._looked_s = time.monotonic()
            try:
                found = await asyncio.to_thread(self._seal_look)
            except OperatorError as err:
                self._newest, self._trouble = None, err.why
            else:
                self._newest, self._trouble = found, ""
        self.show_age()

    def show_age(self) -> None:
        """How old the newest checkpoint is now."""
        newest = self._newest
        if self._trouble:
            self.sealed.setText(tr("The seal could not be read: {why}", why=self._trouble))
        elif newest is None:
            self.sealed.setText(tr("No checkpoint yet."))
        else:
            acts = trn("{count} act", "{count} acts", newest.entries)
            at = datetime.fromisoformat(newest.at) if newest.at else None
            ago = self._context.formats.ago(at) if at is not None else tr("by an earlier release")
            self.sealed.setText(tr("Newest checkpoint: {ago}, over {acts}.", ago=ago, acts=acts))

    def show_verdict(self, verdict: Verdict) -> None:
        self.verdict = verdict
        clear_layout(self._fault)
        report = verdict.report
        if report.newest is not None:
            self._newest = report.newest
            self.show_age()
        count = trn("{count} act", "{count} acts", report.entries)
        if report.ok:
            self.pill.set_state("ok" if not verdict.unsealed else "warn", tr("Chain holds"))
            sealed = tr("compared with the seal") if not verdict.unsealed else verdict.unsealed
            self.words.setText(tr("{count} walked, {sealed}", count=count, sealed=sealed))
            return
        is_chain = report.findings[0].kind in IN_THE_CHAIN
        self.pill.set_state("error", tr("Chain broken") if is_chain else tr("Seal broken"))
        self.words.setText(tr("{count} in the store", count=count))
        for finding in report.findings:
            text = finding.sentence
            if finding.kind in IN_THE_CHAIN:
                advice = tr("Keep a copy of the store as it is, and compare it with the newest backup.")
                text = f"{text} {advice}"
            self._fault.addWidget(Banner(self._context.theme, "error", text))

    async def copy_outside(self) -> None:
        """Ask where to, and copy the checkpoints there."""
        name = f"acts-checkpoints-{utc_now().astimezone(self._context.formats.zone):%Y-%m-%d}.jsonl"
        file = await ask.save_file(self, tr("Copy the checkpoints"), name, ("JSON lines (*.jsonl)",))
        if file is None:
            return
        try:
            count = await asyncio.to_thread(self._seal().copy_to, file, replace=True)
        except OperatorError as err:
            self._context.notify("error", err.why)
            return
        words = trn("{count} checkpoint", "{count} checkpoints", count)
        self._context.notify("ok", tr("{words} copied to {file}", words=words, file=file))

    def _seal(self) -> Seal:
        context = self._context
        return Seal(context.services.vault, context.bridge.store.url, context.paths.checkpoints)

    def _seal_look(self) -> Checkpoint | None:
        return self._seal().look().newest

    def _read(self, connection: Connection) -> Verdict:
        try:
            report = self._seal().verify(connection)
        except StoreError:
            raise
        except OperatorError as err:  # the vault is locked: the chain itself can be walked all the same
            return Verdict(verify_acts(connection), tr("the seal could not be read: {why}", why=err.why))
        if report.newest is None and report.ok:
            return Verdict(report, tr("not sealed yet; the engine seals it within a minute"))
        return Verdict(report)
