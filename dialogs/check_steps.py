"""The layers of a test one under another, as they are proved: name, route, encryption … clock."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QStackedLayout, QWidget

from adapters.base import CheckStep, Layer
from app.integrations import CheckReport
from resources.i18n import tr
from widgets.primitives import Card, exact_height, text_label
from widgets.primitives.layouts import fixed_policy
from widgets.theme import Theme, restyle

LAYER_WIDTH = 92
MARK = 16
TURN_MS = 40
TURN_DEGREES = 14

_ORDER = tuple(Layer)
_WORDS = {
    Layer.NAME: "Name",
    Layer.ROUTE: "Route",
    Layer.TLS: "Encryption",
    Layer.SIGN_IN: "Sign-in",
    Layer.PERMISSION: "Permission",
    Layer.VERSION: "Version",
    Layer.CLOCK: "Clock",
}


class CheckSteps(Card):
    """``begin``, then ``add`` for each layer, then ``finish`` or ``stop``."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(margin=14)
        self.setAccessibleName(tr("Test"))
        self.rows = {layer: _LayerRow(theme, layer) for layer in Layer}
        self.verdict = exact_height(text_label("", "strong", wrap=True, selectable=True))
        self.unreached = exact_height(text_label("", "small", wrap=True))
        self.unreached.hide()
        self.body.setSpacing(7)
        self.body.addWidget(self.verdict)
        for row in self.rows.values():
            self.body.addWidget(row)
        self.body.addWidget(self.unreached)

    def begin(self) -> None:
        self._say(tr("Testing the connection…"), "strong")
        self.unreached.hide()
        for row in self.rows.values():
            row.set_pending()
            row.show()
        self.rows[Layer.NAME].set_running()

    def add(self, step: CheckStep) -> None:
        """A layer holds, or is the one that does not."""
        self.rows[step.layer].set_step(step)
        if not step.ok:
            return
        place = _ORDER.index(step.layer)
        for earlier in _ORDER[:place]:
            if self.rows[earlier].state in ("pending", "running"):
                self.rows[earlier].hide()  # this peer has no such layer
        if place + 1 < len(_ORDER):
            self.rows[_ORDER[place + 1]].set_running()

    def finish(self, report: CheckReport) -> None:
        """Say how it ended; only the layers that were looked at stay, with one line for those never reached."""
        for step in report.layers:
            self.rows[step.layer].set_step(step)
        proved = {step.layer for step in report.layers}
        last = max((_ORDER.index(layer) for layer in proved), default=-1)
        for layer, row in self.rows.items():
            if layer not in proved:
                row.set_pending()
                row.hide()
        after = [tr(_WORDS[layer]).lower() for layer in _ORDER[last + 1 :]]
        self.unreached.setText(tr("Not reached: {layers}", layers=", ".join(after)))
        self.unreached.setVisible(bool(proved and after) and not report.ok)
        if report.ok:
            who = report.identity.title if report.identity is not None else ""
            self._say(tr("Connection successful. {who}", who=who).strip(), "ok")
        elif report.faults:
            self._say(tr("Not tested: correct the marked fields first."), "error")
        else:
            self._say(tr("Connection failed"), "error")

    def stop(self, words: str) -> None:
        """The test was cancelled, or its result no longer holds."""
        self._say(words, "muted")
        for row in self.rows.values():
            if row.state == "running":
                row.set_pending()

    def lines(self) -> list[tuple[str, str]]:
        """The layers that are shown, as (state, detail)."""
        return [(row.state, row.detail.text()) for row in self.rows.values() if not row.isHidden()]

    def _say(self, words: str, role: str) -> None:
        self.verdict.setText(words)
        restyle(self.verdict, role=role)


class _LayerRow(QWidget):
    """``state``: pending, running, ok or failed."""

    def __init__(self, theme: Theme, layer: Layer) -> None:
        super().__init__()
        self._theme = theme
        self.state = "pending"
        self._mark = QLabel()
        self._wheel = _Turning(theme)
        marks = QWidget()
        marks.setFixedSize(MARK, MARK)
        self._marks = QStackedLayout(marks)
        self._marks.addWidget(self._mark)
        self._marks.addWidget(self._wheel)
        self._word = tr(_WORDS[layer])
        self.word = text_label(self._word, "strong")
        self.word.setFixedWidth(LAYER_WIDTH)
        self.detail = exact_height(text_label("", "muted", wrap=True, selectable=True))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(9)
        row.addWidget(marks, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self.word, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self.detail, 1)
        self.set_pending()

    def set_pending(self) -> None:
        self._set("pending", "", "circle-dashed", "muted")

    def set_running(self) -> None:
        self._set("running", tr("checking…"), "circle-dashed", "muted")

    def set_step(self, step: CheckStep) -> None:
        if step.ok:
            self._set("ok", step.detail, "circle-check", "ok")
        else:
            self._set("failed", step.detail, "circle-x", "error")
        self.show()

    def _set(self, state: str, detail: str, icon: str, color: str) -> None:
        self.state = state
        self.detail.setText(detail)
        restyle(self.detail, role="error" if state == "failed" else "muted")
        restyle(self.word, role="muted" if state == "pending" else "strong")
        self._theme.follow(self._mark, icon, color, MARK)
        self._marks.setCurrentIndex(1 if state == "running" else 0)
        self._wheel.turn(state == "running")
        self.setAccessibleName(f"{self._word}: {state}. {detail}")


class _Turning(QWidget):
    """A turning arc: something is under way. Its timer runs only while it turns."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._angle = 0
        self._timer = QTimer(self, interval=TURN_MS)
        self._timer.timeout.connect(self._on_timeout)
        self.setSizePolicy(fixed_policy())

    def sizeHint(self) -> QSize:
        return QSize(MARK, MARK)

    def turn(self, on: bool) -> None:
        if on:
            self._timer.start()
        else:
            self._timer.stop()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        rect = QRectF(2, 2, MARK - 4, MARK - 4)
        painter.setPen(QPen(self._theme.color("border"), 2))
        painter.drawEllipse(rect)
        painter.setPen(QPen(self._theme.color("primary"), 2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.drawArc(rect, -self._angle * 16, 100 * 16)

    def _on_timeout(self) -> None:
        self._angle = (self._angle + TURN_DEGREES) % 360
        self.update()
