"""Verifying the chain of acts on demand, and saying what was found."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget
from sqlalchemy import Connection

from app.errors import OperatorError
from app.security.audit import AuditReport, head_of, verify_acts
from app.security.seal import Seal
from resources.i18n import tr, trn
from widgets.context import ConsoleContext
from widgets.primitives import Banner, StatusPill, clear_layout, outline_button, text_label


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the walk over the chain found; ``unsealed`` says why it could not be compared with the seal."""

    report: AuditReport
    unsealed: str = ""


class ChainBar(QWidget):
    """The button, the state and, when something is wrong, the sentence."""

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__()
        self._context = context
        self.verdict: Verdict | None = None
        self.button = outline_button(context.theme, tr("Verify chain"), "shield-check", small=True)
        self.pill = StatusPill(context.theme, "neutral", tr("Not verified"))
        self.words = text_label(
            tr("Each act holds the hash of the one before it; the end is sealed outside the store."), "small"
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addWidget(self.button)
        row.addWidget(self.pill, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self.words, 1)
        column.addLayout(row)
        self._fault = QVBoxLayout()
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

    def show_verdict(self, verdict: Verdict) -> None:
        self.verdict = verdict
        clear_layout(self._fault)
        report = verdict.report
        count = trn("{count} act", "{count} acts", report.entries)
        if report.ok:
            self.pill.set_state("ok" if not verdict.unsealed else "warn", tr("Chain holds"))
            sealed = tr("compared with the seal") if not verdict.unsealed else verdict.unsealed
            self.words.setText(tr("{count} walked, {sealed}", count=count, sealed=sealed))
            return
        self.pill.set_state("error", tr("Chain broken"))
        self.words.setText(tr("{count} in the store", count=count))
        fault = tr(
            "{fault} Keep a copy of the store as it is, and compare it with the newest backup.",
            fault=report.first_fault,
        )
        self._fault.addWidget(Banner(self._context.theme, "error", fault))

    def _read(self, connection: Connection) -> Verdict:
        try:
            seal = Seal(self._context.services.vault, self._context.bridge.store.url).read()
        except OperatorError as err:  # the vault is locked: the chain itself can be walked all the same
            return Verdict(verify_acts(connection), tr("the seal could not be read: {why}", why=err.why))
        if seal is None:
            return Verdict(verify_acts(connection), tr("not sealed yet; the engine seals it within a minute"))
        return Verdict(verify_acts(connection, seal))
