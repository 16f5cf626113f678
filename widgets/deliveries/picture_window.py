"""A photo of a proof in a window of its own: fitted, larger, smaller, turned, moved with the mouse."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QKeyEvent, QPainter, QPixmap, QResizeEvent, QShowEvent, QWheelEvent
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QGraphicsPixmapItem,
    QGraphicsScene,
    QGraphicsView,
    QHBoxLayout,
    QVBoxLayout,
    QWidget,
)

from app.proof_files.listing import FileRow
from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.deliveries.picture_reader import Picture, read_picture
from widgets.primitives import IconButton, text_label

STEP = 1.25
LARGEST, SMALLEST = 16.0, 0.02
WINDOW = QSize(960, 720)
ROOM = QSize(4_096, 4_096)


class PictureView(QGraphicsView):
    """Fits the window until somebody zooms."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._item = QGraphicsPixmapItem()
        self._item.setTransformationMode(Qt.TransformationMode.SmoothTransformation)
        scene = QGraphicsScene(self)
        scene.addItem(self._item)
        self.setScene(scene)
        self.is_fitted = True
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setDragMode(QGraphicsView.DragMode.ScrollHandDrag)
        self.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        self.setTransformationAnchor(QGraphicsView.ViewportAnchor.AnchorUnderMouse)

    def show_picture(self, pixmap: QPixmap) -> None:
        self._item.setPixmap(pixmap)
        self.scene().setSceneRect(self._item.boundingRect())
        self.fit()

    def fit(self) -> None:
        """Whole, and never larger than it is."""
        self.is_fitted = True
        if self._item.pixmap().isNull():
            return
        self.fitInView(self._item, Qt.AspectRatioMode.KeepAspectRatio)
        if self.scale_now() > 1.0:
            self.zoom(1.0 / self.scale_now())
            self.is_fitted = True

    def scale_now(self) -> float:
        """Screen pixels for one of the picture, however it is turned."""
        shape = self.transform()
        return float((shape.m11() ** 2 + shape.m12() ** 2) ** 0.5)

    def zoom(self, factor: float) -> None:
        wanted = min(max(self.scale_now() * factor, SMALLEST), LARGEST)
        step = wanted / self.scale_now()
        self.is_fitted = False
        self.scale(step, step)

    def turn(self) -> None:
        self.rotate(90)
        if self.is_fitted:
            self.fit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        self.zoom(STEP ** (event.angleDelta().y() / 120))
        event.accept()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self.is_fitted:
            self.fit()


class PictureWindow(QDialog):
    """Not modal: several can be compared. It goes with its parent."""

    def __init__(self, context: ConsoleContext, parent: QWidget, file: FileRow, path: Path, title: str) -> None:
        super().__init__(parent)
        self.setWindowFlag(Qt.WindowType.Window)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self.resize(WINDOW)
        self._context = context
        self.file = file
        self.view = PictureView()
        self.view.setAccessibleName(title)
        self.said = text_label(tr("Reading…"), "muted", wrap=True)
        theme = context.theme
        self.buttons = {
            "larger": IconButton(theme, "plus", tr("Larger (+)"), framed=True),
            "smaller": IconButton(theme, "minus", tr("Smaller (-)"), framed=True),
            "fit": IconButton(theme, "maximize", tr("Fit into the window (0)"), framed=True),
            "real": IconButton(theme, "search", tr("As large as it is (1)"), framed=True),
            "turn": IconButton(theme, "rotate-ccw", tr("Turn (R)"), framed=True),
        }
        self._lay_out()
        self.acts: dict[str, Callable[[], None]] = {
            "larger": partial(self.view.zoom, STEP),
            "smaller": partial(self.view.zoom, 1 / STEP),
            "fit": self.view.fit,
            "real": lambda: self.view.zoom(1 / self.view.scale_now()),
            "turn": self.view.turn,
        }
        for name, button in self.buttons.items():
            button.clicked.connect(partial(self._act, name))
        context.tasks.start(self._read(path), name="picture", owner=self)

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 12, 12, 12)
        column.setSpacing(8)
        bar = QHBoxLayout()
        bar.setSpacing(6)
        for button in self.buttons.values():
            bar.addWidget(button)
        bar.addSpacing(8)
        bar.addWidget(self.said, 1)
        column.addLayout(bar)
        column.addWidget(self.view, 1)

    async def _read(self, path: Path) -> None:
        picture: Picture = await asyncio.to_thread(read_picture, path, self.file.format, ROOM)
        size = picture.size
        told = tr("{w} × {h} pixels", w=size.width(), h=size.height()) if not size.isEmpty() else ""
        self.said.setText(picture.why or told)
        if picture.image is not None:
            self.view.show_picture(QPixmap.fromImage(picture.image))
        for button in self.buttons.values():
            button.setEnabled(picture.image is not None)

    def _act(self, name: str, *_checked: object) -> None:
        self.acts[name]()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        keys = {"+": "larger", "=": "larger", "-": "smaller", "0": "fit", "1": "real", "r": "turn"}
        act = keys.get(event.text().lower())
        if act is not None and self.buttons[act].isEnabled():
            self._act(act)
            return
        super().keyPressEvent(event)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.view.setFocus()

    def done(self, result: int) -> None:
        self._context.tasks.cancel_owner(self)
        super().done(result)
