"""The steps of a journey as a time line: what happened, what is not right, and what is missing, drawn as missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from app.deliveries.steps import Step
from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.primitives import clear_layout, exact_height, link_button, paint_shape, text_label
from widgets.theme import Level, Theme

LEVELS: Mapping[str, Level] = {"done": "ok", "open": "neutral", "gap": "error", "warning": "warn"}
STATE_WORDS: Mapping[str, str] = {
    "done": tr("known"),
    "open": tr("not due yet"),
    "gap": tr("missing"),
    "warning": tr("not as it should be"),
}
LEADS: Mapping[str, str] = {
    "order": tr("Open the order"),
    "shipment": tr("Open the shipment"),
    "batch": tr("Open the batch"),
    "check": tr("Open the check"),
    "track": tr("Show on the map"),
    "fuel": tr("Open in Fuel"),
    "proof": tr("Open the proof"),
    "receipt": tr("Open the shipment"),
}
"""Words of the way from a step to its source; the other kinds have none of their own."""
ON_THE_ROAD = frozenset({"twins", "stop", "fuel", "proof"})
TIME_WIDTH = 112
RAIL_WIDTH = 26
SHAPE_TOP = 18
SHAPE_PX = 9.0


class StepsView(QScrollArea):
    """``lead_wanted`` carries the step whose source somebody wants to see."""

    lead_wanted = Signal(object)

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__()
        self._context = context
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(tr("Steps of the journey"))
        host = QWidget()
        host.setProperty("surface", "clear")
        self._column = QVBoxLayout(host)
        self._column.setContentsMargins(0, 0, 10, 0)
        self._column.setSpacing(0)
        self._column.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.setWidget(host)
        self.rows: list[StepRow] = []

    def show_steps(self, steps: Sequence[Step], now_ms: int) -> None:
        """Rows are made anew: a journey has some dozen of them. The place that was scrolled to is kept."""
        at = self.verticalScrollBar().value()
        clear_layout(self._column)
        self.rows = []
        steps = in_time(steps)
        for number, step in enumerate(steps):
            row = StepRow(self._context, step, now_ms, is_first=number == 0, is_last=number == len(steps) - 1)
            row.lead.clicked.connect(lambda _on=False, step=step: self.lead_wanted.emit(step))
            self.rows.append(row)
            self._column.addWidget(row)
        self.verticalScrollBar().setValue(at)

    def bring(self, kind: str, record_id: str) -> bool:
        """Scroll to the step of a record and give its link the focus; False where there is none."""
        for row in self.rows:
            if row.step.kind == kind and row.step.record_id == record_id:
                self.ensureWidgetVisible(row)
                row.lead.setFocus(Qt.FocusReason.OtherFocusReason)
                return True
        return False


class StepRow(QWidget):
    """One step: its time, its place on the line, its words, and the way to its source."""

    def __init__(self, context: ConsoleContext, step: Step, now_ms: int, *, is_first: bool, is_last: bool) -> None:
        super().__init__()
        self.step = step
        level = LEVELS[step.state]
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        when = text_label(_when(context, step), "small")
        when.setFixedWidth(TIME_WIDTH)
        when.setContentsMargins(0, 11, 0, 0)
        when.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignRight)
        row.addWidget(when)
        row.addWidget(_Rail(context.theme, level, is_gap=step.is_gap, is_first=is_first, is_last=is_last))
        words = QVBoxLayout()
        words.setContentsMargins(2, 8, 0, 12)
        words.setSpacing(3)
        self.title = exact_height(text_label(step.title, "strong", wrap=True))
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self.title, 1)
        words.addLayout(head)
        words.addWidget(exact_height(text_label(step.detail, "muted", wrap=True, selectable=True)))
        if step.is_gap:
            missing = text_label(_missing(context, step, now_ms), "error", wrap=True, selectable=True)
            words.addWidget(exact_height(missing))
        self.lead = link_button(context.theme, tr("Open"), small=True)
        self.lead.setToolTip(LEADS.get(step.kind, ""))
        self.lead.setAccessibleName(f"{LEADS.get(step.kind, '')}: {step.title}")
        head.addWidget(self.lead, 0, Qt.AlignmentFlag.AlignTop)
        self.lead.setVisible(step.kind in LEADS and bool(step.record_id or step.kind == "track"))
        row.addLayout(words, 1)
        self.setAccessibleName(f"{step.title}, {STATE_WORDS[step.state]}")
        self.setAccessibleDescription(f"{step.detail} {step.next_step}".strip())


class _Rail(QWidget):
    """The line from step to step with the state's shape on it; where something is missing it is broken."""

    def __init__(self, theme: Theme, level: Level, *, is_gap: bool, is_first: bool, is_last: bool) -> None:
        super().__init__()
        self._theme, self._level = theme, level
        self._is_gap, self._is_first, self._is_last = is_gap, is_first, is_last
        self.setFixedWidth(RAIL_WIDTH)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        theme.changed.connect(self.update)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = self.width() / 2
        pen = QPen(self._theme.color("error" if self._is_gap else "border"), 2.0)
        if self._is_gap:
            pen.setStyle(Qt.PenStyle.DotLine)
        painter.setPen(pen)
        if not self._is_first:
            painter.drawLine(QPointF(middle, 0), QPointF(middle, SHAPE_TOP - SHAPE_PX))
        if not self._is_last:
            painter.drawLine(QPointF(middle, SHAPE_TOP + SHAPE_PX), QPointF(middle, self.height()))
        paint_shape(painter, QPointF(middle, SHAPE_TOP), self._level, self._theme.color(self._level), SHAPE_PX)


def in_time(steps: Sequence[Step]) -> list[Step]:
    """What happens on the road in the order of its time, so that a theft stands between the stops that it lies
    between; the thread tells it by kind. Steps without a time stay behind the others.
    """
    found: list[Step] = []
    road: list[Step] = []
    for step in steps:
        if step.kind in ON_THE_ROAD:
            road.append(step)
            continue
        found += sorted(road, key=_moment)
        road = []
        found.append(step)
    return [*found, *sorted(road, key=_moment)]


def _moment(step: Step) -> float:
    at_ms = step.at_ms if step.at_ms is not None else step.since_ms
    return float("inf") if at_ms is None else at_ms


def _when(context: ConsoleContext, step: Step) -> str:
    if step.at_ms is None or step.is_gap:
        return ""
    return context.formats.clock(step.at_ms)


def _missing(context: ConsoleContext, step: Step, now_ms: int) -> str:
    if step.since_ms is None:
        return step.next_step
    span = context.formats.span(max(0.0, (now_ms - step.since_ms) / 1000))
    return tr("Missing for {span}. {next}", span=span, next=step.next_step).strip()
