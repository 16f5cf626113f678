"""Rows of the batch panel: a stop with its times and papers, and a dispatch run with what may be done with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from app.deliveries.batch import PaperListing, RunListing, StopListing
from app.deliveries.eta import StopEta
from app.deliveries.offers import Offers
from app.deliveries.times import span_words
from app.deliveries.waiting import Waiting
from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.deliveries import words
from widgets.primitives import FlowLayout, StatusPill, outline_button, text_label
from widgets.primitives.tips import plain_tip

INDENT_PX = 24
W = TypeVar("W", bound=QWidget)


class StopRow(QWidget):
    """One stop: its number and place, its state, its times or its arrival, and the papers for it."""

    def __init__(
        self, context: ConsoleContext, stop: StopListing, eta: StopEta | None, papers: Sequence[PaperListing]
    ) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        self.place = elastic(text_label(stop.label, wrap=True, selectable=True))
        self.pill = StatusPill(context.theme, *words.stop_pill(stop))
        self.times = elastic(text_label(_times(context, stop, eta), "small", wrap=True, selectable=True))
        self.papers = elastic(text_label(_papers(papers), "small", wrap=True, selectable=True))
        head = QHBoxLayout()
        head.setSpacing(8)
        number = text_label(f"{stop.sequence}", "muted")
        number.setFixedWidth(INDENT_PX - 8)
        number.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop)
        head.addWidget(number, 0, Qt.AlignmentFlag.AlignTop)
        self.place.setAlignment(Qt.AlignmentFlag.AlignTop)
        head.addWidget(self.place, 1)
        head.addWidget(self.pill, 0, Qt.AlignmentFlag.AlignTop)
        column.addLayout(head)
        for line in (self.times, self.papers):
            line.setContentsMargins(INDENT_PX, 0, 0, 0)
            line.setVisible(bool(line.text()))
            column.addWidget(line)


class RunRow(QWidget):
    """One departure. ``move`` is called with the run and the name of the act that was pressed."""

    def __init__(
        self,
        context: ConsoleContext,
        run: RunListing,
        offers: Offers,
        waiting: Waiting | None,
        move: Callable[[RunListing, str], None],
    ) -> None:
        super().__init__()
        theme = context.theme
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        head = QHBoxLayout()
        head.setSpacing(8)
        who = " · ".join(part for part in (run.plate, run.driver_name) if part) or tr("no driver, no vehicle")
        head.addWidget(elastic(text_label(who, wrap=True)), 1)
        self.pill = StatusPill(theme, *words.RUNS.get(run.stage, ("warn", run.stage.replace("_", " "))))
        head.addWidget(self.pill, 0, Qt.AlignmentFlag.AlignTop)
        column.addLayout(head)
        pill = words.waiting_pill(waiting)
        said = "" if pill is None else f"{pill[1]}. {words.waiting_tip(waiting)}"
        for text in (_run_times(context, run), run.cancel_reason, run.notes, said, offers.reason):
            if text:
                column.addWidget(elastic(text_label(text, "small", wrap=True, selectable=True)))
        acts = QWidget()
        row = FlowLayout(acts, gap=8)
        self.buttons = {}
        for offer in offers.acts:
            button = outline_button(theme, offer.label + ("…" if offer.fields else ""), small=True)
            button.setEnabled(offer.may_be_done)
            button.setToolTip(plain_tip(offer.hindrance))
            button.clicked.connect(partial(_press, move, run, offer.name))
            self.buttons[offer.name] = button
            row.addWidget(button)
        acts.setVisible(bool(offers.acts))
        column.addWidget(acts)


def _press(move: Callable[[RunListing, str], None], run: RunListing, name: str, *_checked: object) -> None:
    move(run, name)


def elastic(label: W) -> W:
    """Never wider than the panel, however long a word from outside is."""
    policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    policy.setHeightForWidth(True)
    label.setSizePolicy(policy)
    return label


def _times(context: ConsoleContext, stop: StopListing, eta: StopEta | None) -> str:
    formats = context.formats
    parts = []
    if stop.planned_arrival_ms is not None:
        parts.append(tr("planned {at}", at=formats.clock(stop.planned_arrival_ms)))
    if stop.arrived_ms is not None:
        parts.append(tr("arrived {at}", at=formats.clock(stop.arrived_ms)))
    if stop.left_ms is not None:
        parts.append(tr("left {at}", at=formats.clock(stop.left_ms)))
    if eta is not None and eta.eta_ms is not None and stop.stage != "arrived":
        parts.append(tr("expected {at}", at=formats.clock(eta.eta_ms)))
        if eta.late_ms is not None and abs(eta.late_ms) >= 60_000:
            word = tr("{span} late") if eta.late_ms > 0 else tr("{span} early")
            parts.append(word.format(span=span_words(eta.late_ms)))
    elif eta is not None and eta.eta_ms is None:
        parts.append(tr("arrival unknown"))
    parts += [text.strip() for text in (stop.recipient, stop.delay_reason, stop.notes) if text.strip()]
    return " · ".join(parts)


def _papers(papers: Sequence[PaperListing]) -> str:
    parts = [" ".join(filter(None, (words.PAPERS.get(one.kind, one.kind), one.number))) for one in papers]
    return ", ".join(parts)


def _run_times(context: ConsoleContext, run: RunListing) -> str:
    clock = context.formats.clock
    told = (
        (tr("planned"), run.planned_departure_ms), (tr("dispatched"), run.dispatched_ms),
        (tr("departed"), run.departed_ms), (tr("completed"), run.completed_ms), (tr("cancelled"), run.cancelled_ms),
    )  # fmt: skip
    return " · ".join(f"{word} {clock(ms)}" for word, ms in told if ms is not None)
