"""Photos and signatures of one proof: the picture, or in plain words where its file is, why, since when, what next."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSize, Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QIcon, QPixmap
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.deliveries.pictures import why_not_opened
from app.deliveries.proof import UPLOADED, Photo
from app.deliveries.proofs import ProofListing
from app.proof_files.folder import ProofFolder
from app.proof_files.formats import SUFFIXES
from app.proof_files.listing import FileRow
from app.proof_files.queue import fetch_now
from app.proof_files.words import ASKABLE, FileState
from resources.i18n import tr
from widgets import ask
from widgets.context import ConsoleContext
from widgets.deliveries import words
from widgets.deliveries.batch_rows import elastic
from widgets.deliveries.picture_reader import read_picture
from widgets.deliveries.picture_window import PictureWindow
from widgets.primitives import FlowLayout, StatusPill, clear_layout, link_button, outline_button, text_label

THUMB = QSize(280, 200)
FETCH, SAVE, OPEN = "fetch", "save", "open"


class ProofFilesView(QWidget):
    """The files of the proof that is shown; what is shown already stays while its state changes."""

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__()
        self._context = context
        self._folder = ProofFolder(context.paths.proof_files)
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="pictures")  # one at a time: each takes much memory
        self._shown: tuple[str, ...] = ()
        self._proof: ProofListing | None = None
        self._here: dict[str, bool] = {}
        """Which hashes have their file in this computer's folder, as it was looked up last."""
        self.rows: list[PhotoRow] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(12)

    def show_proof(self, row: ProofListing) -> None:
        photos = row.proof.files
        keys = (row.id, *(f"{one.kind} {one.url} {one.captured_ms}" for one in photos))
        if keys != self._shown:
            self._shown = keys
            clear_layout(self._column)
            self.rows = [PhotoRow(self._context, self._folder, self._reader) for _photo in photos]
            for one in self.rows:
                one.wanted.connect(self._on_wanted)
                self._column.addWidget(one)
            if not self.rows:
                self._column.addWidget(text_label(tr("None was told."), "muted"))
        self._proof = row
        self._show()
        kept = {file.sha256 for file in row.files.values() if file.is_kept}
        if kept:
            self._start(self._look_up(row.id, kept), "files")

    def _show(self) -> None:
        row = self._proof
        if row is None:
            return
        for one, photo in zip(self.rows, row.proof.files, strict=True):
            file = row.file_of(photo)
            one.show_photo(photo, file, self._here.get(file.sha256) if file is not None else None)
            if one.needs_picture():
                self._start(one.read_picture(), "picture")

    async def _look_up(self, proof_id: str, kept: Iterable[str]) -> None:
        found = await asyncio.wrap_future(self._reader.submit(self._which_are_here, kept))
        if self._proof is not None and self._proof.id == proof_id and found.items() - self._here.items():
            self._here.update(found)
            self._show()

    def _which_are_here(self, kept: Iterable[str]) -> dict[str, bool]:
        return {one: self._folder.has(one) for one in kept}

    def _on_wanted(self, act: str, row: PhotoRow) -> None:
        file = row.file
        if file is None:
            return
        if act == FETCH:
            self._start(self._fetch(file), "fetch a photo")
        elif act == SAVE:
            self._start(self._save(file), "save a photo")
        else:
            path = self._folder.path_of(file.sha256)
            PictureWindow(self._context, self.window(), file, path, row.kind.text()).show()

    async def _fetch(self, file: FileRow) -> None:
        now_ms = self._context.services.clock.now_ms()
        await self._context.write(partial(fetch_now, file_id=file.id, now_ms=now_ms))

    async def _save(self, file: FileRow) -> None:
        """A copy for whoever needs it elsewhere; what is no photo gets a name that nothing opens by itself."""
        suffix = SUFFIXES.get(file.format, ".bin")
        chosen = await ask.save_file(self.window(), tr("Save a copy"), f"{file.sha256[:16]}{suffix}")
        if chosen is None:
            return
        try:
            await asyncio.to_thread(shutil.copyfile, self._folder.path_of(file.sha256), chosen)
        except OSError as err:
            why = err.strerror or type(err).__name__
            self._context.notify("error", tr("The copy was not saved: {why}. Choose another place.", why=why))
        else:
            self._context.notify("ok", tr("A copy is in {file}.", file=chosen.name))

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self._context.tasks.start(work, name=f"deliveries: {name}", owner=self)

    def close_view(self) -> None:
        self._context.tasks.cancel_owner(self)
        self._reader.shutdown(wait=False, cancel_futures=True)


class PhotoRow(QWidget):
    """A photo as it was told, its file as it stands, and what can be done with it. ``wanted``: an act and the row."""

    wanted = Signal(str, object)

    def __init__(self, context: ConsoleContext, folder: ProofFolder, reader: ThreadPoolExecutor) -> None:
        super().__init__()
        self._context, self._folder, self._reader = context, folder, reader
        theme = context.theme
        self.photo: Photo | None = None
        self.file: FileRow | None = None
        self.kind = elastic(text_label("", wrap=True))
        self.pill = StatusPill(theme)
        self.picture = QPushButton()
        self.picture.setFlat(True)
        self.picture.setCursor(Qt.CursorShape.PointingHandCursor)
        self.picture.setToolTip(tr("Open it in a window of its own"))
        self.picture.hide()
        self._drawn = self._undrawn = ""
        """The hash of the picture that was read last, and what hindered it from being drawn."""
        self._is_here = False
        self.told = elastic(text_label("", "small", wrap=True, selectable=True))
        self.why = elastic(text_label("", "small", wrap=True, selectable=True))
        self.hash = elastic(text_label("", "small", wrap=True, selectable=True))
        self.fetch = outline_button(theme, tr("Fetch now"), "arrow-down-to-line", small=True)
        self.save = outline_button(theme, tr("Save a copy…"), "save", small=True)
        self.open = link_button(theme, tr("Open in the browser"), small=True)
        self.open.setToolTip(tr("The address was told by the driver app and leads out of this program."))
        self._lay_out()
        self.picture.clicked.connect(lambda: self.wanted.emit(OPEN, self))
        self.fetch.clicked.connect(lambda: self.wanted.emit(FETCH, self))
        self.save.clicked.connect(lambda: self.wanted.emit(SAVE, self))
        self.open.clicked.connect(self._open)

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        head = QHBoxLayout()
        head.addWidget(self.kind, 1)
        head.addWidget(self.pill, 0, Qt.AlignmentFlag.AlignTop)
        column.addLayout(head)
        column.addWidget(self.picture, 0, Qt.AlignmentFlag.AlignLeft)
        for label in (self.told, self.why, self.hash):
            column.addWidget(label)
        self._acts = QWidget()
        row = FlowLayout(self._acts, gap=8)
        for button in (self.fetch, self.save, self.open):
            row.addWidget(button)
        column.addWidget(self._acts)

    def show_photo(self, photo: Photo, file: FileRow | None, is_here: bool | None) -> None:
        """``is_here``: whether a kept file is in this computer's folder, None while nobody has looked."""
        self.photo, self.file = photo, file
        self._is_here = is_here is True and file is not None and file.is_kept
        formats = self._context.formats
        self.kind.setText(photo.kind.replace("_", " ").capitalize())
        self.pill.set_state(*words.file_pill(photo, file))
        self.told.setText(tr("Taken {time}", time=formats.time(photo.captured_ms)) if photo.captured_ms else "")
        self.told.setVisible(bool(photo.captured_ms))
        hinders = why_not_opened(photo.url)
        if photo.state != UPLOADED:
            said = hinders
        elif file is None:
            said = hinders or tr("It was told a moment ago and is fetched soon.")
        elif file.is_kept and is_here is False:
            said = tr("Its file is in the folder of the engine that fetched it, not on this computer.")
        else:
            undrawn = self._undrawn if self._drawn == file.sha256 else ""
            said = f"{words.file_words(file, formats)} {undrawn}".strip()
        self.why.setText(said)
        self.why.setVisible(bool(said))
        self.hash.setText(tr("SHA-256 {hash}", hash=words.in_groups(file.sha256)) if file and file.is_kept else "")
        self.hash.setVisible(bool(self.hash.text()))
        self._offer(photo, file, hinders)

    def _offer(self, photo: Photo, file: FileRow | None, hinders: str) -> None:
        is_set_aside = file is not None and file.state in (FileState.REFUSED, FileState.BLOCKED)
        self.fetch.setText(tr("Try again") if is_set_aside else tr("Fetch now"))
        self.fetch.setVisible(file is not None and file.state in ASKABLE)
        self.save.setVisible(self._is_here)
        self.open.setVisible(photo.state == UPLOADED and not hinders and not self._is_here)
        self._acts.setVisible(any(not one.isHidden() for one in (self.fetch, self.save, self.open)))
        if not (file is not None and file.is_picture and self._is_here):
            self._drawn = ""
            self.picture.hide()

    def needs_picture(self) -> bool:
        """Whether there is one here that is not drawn yet."""
        file = self.file
        return file is not None and file.is_picture and self._is_here and self._drawn != file.sha256

    async def read_picture(self) -> None:
        file = self.file
        if file is None:
            return
        self._drawn, self._undrawn = file.sha256, ""
        ratio = self.devicePixelRatioF()
        path: Path = self._folder.path_of(file.sha256)
        room = QSize(round(THUMB.width() * ratio), round(THUMB.height() * ratio))
        found = await asyncio.wrap_future(self._reader.submit(read_picture, path, file.format, room))
        if self.file is None or self.file.sha256 != file.sha256:
            return  # another one is shown meanwhile
        self.picture.setVisible(found.image is not None)
        if found.image is None:
            self._undrawn = found.why
            self.why.setText(f"{self.why.text()} {found.why}")
            return
        pixmap = QPixmap.fromImage(found.image)
        pixmap.setDevicePixelRatio(ratio)
        self.picture.setIcon(QIcon(pixmap))
        self.picture.setIconSize(pixmap.deviceIndependentSize().toSize())
        self.picture.setAccessibleName(tr("{kind}: open it large", kind=self.kind.text()))

    def _open(self) -> None:
        if self.photo is not None:
            QDesktopServices.openUrl(QUrl(self.photo.url))
