"""What the operator does with a journey: joins, the pack for a dispute, papers to print."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtPrintSupport import QPrintDialog, QPrinter
from PySide6.QtWidgets import QWidget

from app import platform
from app.deliveries import join_acts
from app.deliveries.evidence_pack import MAP, Pack, evidence_pack
from app.errors import OperatorError
from app.proof_files.folder import ProofFolder
from resources.i18n import tr
from widgets import ask
from widgets.context import ConsoleContext
from widgets.deliveries.journey_picture import picture_of, why_none
from widgets.deliveries.journey_read import Road
from widgets.deliveries.paper_pictures import small_pictures
from widgets.deliveries.papers import NOTES, TITLES, Papers, page_of, read_papers
from widgets.document import print_document, write_document


class JourneyActs(QObject):
    """One object of the view."""

    def __init__(self, context: ConsoleContext, view: QWidget) -> None:
        super().__init__(view)
        self._context = context
        self._view = view

    # Joins

    async def join(self, shipment_id: str, what: str, taken: tuple[str, ...]) -> bool:
        """Ask which batch the shipment travels in beside those that it is in already, and save it."""
        title = tr("Which batch does {what} travel in?", what=what)
        chosen = await self._context.doors.dialogs["choose_batch"](self._context, self._view, title, taken)
        if chosen is None:
            return False
        batch_id, reason = chosen
        return await self._decide(partial(join_acts.join, shipment_id=shipment_id, batch_id=batch_id, reason=reason))

    async def decline(self, shipment_id: str, batch_id: str, what: str) -> bool:
        """Say that a shipment is not in a batch; asked first, with room for the reason."""
        reason = await ask.text(
            self._view,
            self._context.theme,
            tr("Not in this batch"),
            tr("{what}: it is not found again by itself. Why not (for the record)?", what=what),
            act=tr("Decline the join"),
        )
        if reason is None:
            return False
        return await self._decide(partial(join_acts.decline, shipment_id=shipment_id, batch_id=batch_id, reason=reason))

    async def undo(self, last: join_acts.LastDecision) -> bool:
        """Take the newest decision on the shipment back, whoever made it; a refusal is told."""
        return await self._decide(partial(join_acts.undo, act_id=last.act_id))

    async def _decide(self, act: Callable[..., join_acts.Decided]) -> bool:
        return await self._context.write(partial(act, now=self._context.now())) is not None

    # Files

    async def evidence(self, record_id: str, title: str, road: Road | None) -> None:
        """Make the pack with the map of ``road``, save it, and show the hash of its list."""
        name = "".join(char if char.isascii() and char.isalnum() else "-" for char in title).strip("-").lower()
        file = await ask.save_file(
            self._view, tr("Save the evidence pack"), f"evidence-{name[:60]}.zip", ("Evidence pack (*.zip)",)
        )
        if file is None:
            return
        picture = None if road is None else await picture_of(road)
        make = partial(
            evidence_pack,
            record_id=record_id,
            now_ms=self._context.services.clock.now_ms(),
            made_by=platform.console_user(),
            pictures={} if picture is None else {MAP: picture},
            no_map=why_none(road),
            folder=ProofFolder(self._context.paths.proof_files),
        )
        try:
            pack: Pack = await self._context.bridge.read(make)
        except OperatorError as err:
            self._context.notify("error", err.why)
            return
        if await self._save(partial(write_whole, file, pack.data), file):
            await self._tell_hash(pack, file)

    async def _tell_hash(self, pack: Pack, file: Path) -> None:
        said = tr(
            "It is in {file}. Note this hash apart from the file: it finds a pack that was rewritten whole.",
            file=file.name,
        )
        await ask.tell(
            self._view, self._context.theme, tr("The evidence pack is saved"), said, pack.manifest_hash, copy=True
        )

    async def save_paper(self, batch_id: str, kind: str) -> None:
        """One of the papers of a batch as PDF."""
        papers = await self._papers(batch_id, kind)
        if papers is None:
            return
        file = await ask.save_file(
            self._view, tr("Save: {title}", title=TITLES[kind]), papers.file_name(kind), ("PDF (*.pdf)",)
        )
        if file is not None:
            page = page_of(papers, kind, self._context.formats)
            if await self._save(partial(write_document, TITLES[kind], page, file, foot=papers.foot(kind)), file):
                self._context.notify("ok", tr("{title} saved as {name}.", title=TITLES[kind], name=file.name))

    async def print_paper(self, batch_id: str, kind: str) -> None:
        papers = await self._papers(batch_id, kind)
        if papers is None:
            return
        printer = QPrinter(QPrinter.PrinterMode.HighResolution)
        printer.setDocName(TITLES[kind])
        if await ask.run(QPrintDialog(printer, self._view)):
            page = page_of(papers, kind, self._context.formats)
            try:
                await asyncio.to_thread(print_document, page, printer, foot=papers.foot(kind))
            except OSError as err:
                said = tr("It was not printed: {why}. Look at the printer, then try again.", why=str(err))
                self._context.notify("error", said)

    async def _papers(self, batch_id: str, kind: str) -> Papers | None:
        read = partial(read_papers, batch_id=batch_id, now_ms=self._context.services.clock.now_ms())
        try:
            papers: Papers = await self._context.bridge.read(read)
        except OperatorError as err:
            self._context.notify("error", err.why)
            return None
        if kind != NOTES:
            return papers
        folder = ProofFolder(self._context.paths.proof_files)
        return replace(papers, pictures=await asyncio.to_thread(small_pictures, papers.proofs, folder))

    async def _save(self, write: Callable[[], None], file: Path) -> bool:
        try:
            await asyncio.to_thread(write)
        except OSError as err:
            why = err.strerror or str(err)
            words = tr("{file} could not be written: {why}. Choose another place.", file=file, why=why)
            self._context.notify("error", words)
            return False
        return True


def write_whole(file: Path, data: bytes) -> None:
    """All of it or nothing under the wanted name. Raises OSError."""
    part = file.with_name(f"{file.name}.part")
    try:
        part.write_bytes(data)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
