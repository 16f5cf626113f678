"""Small pictures for papers: photos and signatures that are kept here, as data inside the page."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from html import escape

from PySide6.QtCore import QBuffer, QIODevice, QSize, Qt
from PySide6.QtGui import QImageWriter

from app.deliveries.proofs import ProofListing
from app.proof_files.folder import ProofFolder
from app.proof_files.listing import FileRow
from widgets.deliveries.picture_reader import read_picture

SMALL = "font-size:8pt;color:#555555"
ROOM = QSize(720, 540)
SHOWN_PX = QSize(200, 150)
MOST_OF_ONE = 4
"""Of one stop: a note is a page, not an album."""


def small_pictures(proofs: Iterable[ProofListing], folder: ProofFolder) -> dict[str, str]:
    """Elements of HTML by address, of those that are here and can be drawn. Blocks: call it in a thread."""
    found: dict[str, str] = {}
    for one in proofs:
        kept = [(photo.url, file) for photo in one.proof.files if (file := one.file_of(photo)) and file.is_picture]
        for url, file in kept[-MOST_OF_ONE:]:
            if folder.has(file.sha256) and (drawn := _drawn(file, folder)):
                found[url] = drawn
    return found


def _drawn(file: FileRow, folder: ProofFolder) -> str:
    """The picture is drawn anew, so that nothing of the file itself comes into the page; "" where it cannot be."""
    image = read_picture(folder.path_of(file.sha256), file.format, ROOM).image
    if image is None:
        return ""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    kind = "png" if file.format == "png" else "jpeg"
    QImageWriter(buffer, kind.encode()).write(image)
    size = image.size().scaled(SHOWN_PX, Qt.AspectRatioMode.KeepAspectRatio)
    data = base64.b64encode(buffer.data().data()).decode()
    return f"<img src='data:image/{kind};base64,{data}' width='{size.width()}' height='{size.height()}'/>"


def pictures_row(proof: ProofListing, pictures: Mapping[str, str]) -> str:
    """Those of one proof beside each other, "" where there is none."""
    cells = [
        f"<td>{pictures[photo.url]}<br/><span style='{SMALL}'>{escape(photo.kind.replace('_', ' '))}</span></td>"
        for photo in proof.proof.files
        if photo.url in pictures
    ]
    return f"<table cellspacing='0' cellpadding='6'><tr>{''.join(cells)}</tr></table>" if cells else ""
