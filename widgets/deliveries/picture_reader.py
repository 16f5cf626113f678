"""Reading a picture that somebody else made: bounded before it is decoded, and never on the UI thread.

The kind is the one that its first bytes told; Qt's own guessing is switched off, so that only these decoders ever see
bytes from outside. A file of a few kilobytes may claim to be of gigapixels: its size is read first.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QImage, QImageIOHandler, QImageReader

from app.proof_files.formats import FORMAT_NAMES
from resources.i18n import tr

MOST_PIXELS = 50_000_000
"""Four bytes each: what a decoder may take of the memory."""
_TURNED = QImageIOHandler.Transformation.TransformationRotate90


@dataclass(frozen=True, slots=True)
class Picture:
    """``image`` is turned as the phone was held; None where ``why`` says what hinders. ``size`` is the file's own."""

    image: QImage | None
    size: QSize
    why: str = ""


def read_picture(path: Path, kind: str, room: QSize | None = None) -> Picture:
    """The picture of a file, not larger than ``room`` in pixels. Blocks: call it in a thread."""
    name = FORMAT_NAMES.get(kind, kind)
    if kind.encode() not in [bytes(one.data()) for one in QImageReader.supportedImageFormats()]:
        return Picture(None, QSize(), tr("This program draws no {kind} pictures. Save a copy to open it.", kind=name))
    reader = QImageReader(str(path), kind.encode())
    reader.setAutoDetectImageFormat(False)
    reader.setAutoTransform(True)
    stored = reader.size()
    if not stored.isValid() or stored.isEmpty():
        return Picture(None, QSize(), tr("It begins as {kind}, and the rest cannot be read as one.", kind=name))
    turned = bool(reader.transformation() & _TURNED)
    size = stored.transposed() if turned else stored
    if stored.width() * stored.height() > MOST_PIXELS:
        said = tr(
            "It claims {w} × {h} pixels, more than any phone takes, so it is not drawn. It is kept as it is.",
            w=f"{size.width():,}", h=f"{size.height():,}",
        )  # fmt: skip
        return Picture(None, size, said)
    if room is not None and (size.width() > room.width() or size.height() > room.height()):
        scaled = size.scaled(room, Qt.AspectRatioMode.KeepAspectRatio).expandedTo(QSize(1, 1))
        reader.setScaledSize(scaled.transposed() if turned else scaled)
    image = reader.read()
    if image.isNull():
        return Picture(None, size, tr("It begins as {kind}, and the rest cannot be read as one.", kind=name))
    shown = QImage.Format.Format_ARGB32_Premultiplied if image.hasAlphaChannel() else QImage.Format.Format_RGB32
    return Picture(image.convertToFormat(shown), size)  # as the screen wants it: the UI thread need not convert
