"""Everything about one batch: who and what carries it, its stops in order, its runs, and what can be done now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QAbstractButton, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.deliveries.batch import PaperListing, RunListing
from app.deliveries.batch_desk import BatchDesk
from app.deliveries.offers import Offer, Offers
from app.fleet.freshness import STALE_AFTER_MS
from resources.i18n import tr, trn
from widgets.context import ConsoleContext
from widgets.deliveries import words
from widgets.deliveries.batch_rows import RunRow, StopRow
from widgets.primitives import (
    Banner,
    FlowLayout,
    IconButton,
    clear_layout,
    line,
    link_button,
    outline_button,
    primary_button,
    text_label,
)
from widgets.primitives.tips import plain_tip
from widgets.side_panel import Facts, SidePanel, section

NARROW_PX, WIDE_PX, SHARE = 380, 520, 0.34
ASSIGN, START, COMPLETE, CANCEL = "assign_batch", "start_batch", "complete_batch", "cancel_batch"
NEW_RUN, CHECK, JOURNEY, PROOFS, ON_MAP = "new_run", "check", "journey", "proofs", "map"
_MAIN = {"planned": ASSIGN, "assigned": START, "in_progress": COMPLETE}
"""The next step of a batch in a stage: its button is the panel's main one."""
_FACTS = (
    ("driver", tr("Driver")),
    ("driver_state", ""),
    ("vehicle", tr("Vehicle")),
    ("tracker", tr("Tracker")),
    ("check", tr("Check")),
    ("from", tr("From")),
    ("day", tr("Day")),
    ("load", tr("Load")),
    ("way", tr("Way")),
    ("started", tr("Started")),
    ("ended", tr("Ended")),
    ("arrivals", tr("Arrivals")),
    ("notes", tr("Notes")),
)


class BatchPanel(SidePanel):
    """``act_wanted`` carries one of the acts above and the batch's desk, ``run_wanted`` a run and its act's name."""

    act_wanted = Signal(str, object)
    run_wanted = Signal(object, str)

    def __init__(self, context: ConsoleContext) -> None:
        theme = context.theme
        super().__init__(theme, tr("Batch"))
        self._context = context
        self.desk: BatchDesk | None = None
        self.waiting = Banner(theme, "info", "")
        self.open_sync = link_button(theme, tr("Decide about it on the page Sync"), "arrow-left-right", small=True)
        self.refusal = Banner(theme, "error", "")
        self.trouble = Banner(theme, "warn", "")
        self.facts = Facts(_FACTS)
        self.stops: list[StopRow] = []
        self.runs: list[RunRow] = []
        self._stops, self._runs = QVBoxLayout(), QVBoxLayout()
        self.buttons: dict[str, QPushButton | IconButton] = {
            ASSIGN: outline_button(theme, tr("Assign…"), "user-plus", small=True),
            START: outline_button(theme, tr("Start…"), "play", small=True),
            COMPLETE: outline_button(theme, tr("Complete…"), "check", small=True),
            CANCEL: outline_button(theme, tr("Cancel…"), "x", small=True),
            CHECK: outline_button(theme, tr("Departure check…"), "shield-check", small=True),
            NEW_RUN: outline_button(theme, tr("New run…"), "plus", small=True),
            PROOFS: IconButton(theme, "clipboard-list", tr("Proofs"), framed=True),
            JOURNEY: IconButton(theme, "history", tr("Journey"), framed=True),
            ON_MAP: IconButton(theme, "map-pin", tr("Show on map"), framed=True),
        }
        self.main = primary_button(theme, "")
        self.main_act = ""
        self.why = text_label("", "small", wrap=True, selectable=True)
        self._fill()
        context.formats.changed.connect(self._show)

    def _fill(self) -> None:
        self.column.addWidget(self.refusal)
        self.column.addWidget(self.open_sync, 0, Qt.AlignmentFlag.AlignLeft)
        for banner in (self.waiting, self.trouble):
            self.column.addWidget(banner)
        self.column.addWidget(self.facts)
        self.column.addWidget(line())
        self.stops_title = section(tr("Stops"))
        self.column.addWidget(self.stops_title)
        self._stops.setSpacing(10)
        self.column.addLayout(self._stops)
        self.column.addWidget(line())
        runs = QHBoxLayout()
        runs.addWidget(section(tr("Dispatch runs")))
        runs.addStretch(1)
        runs.addWidget(self.buttons[NEW_RUN])
        self.column.addLayout(runs)
        self._runs.setSpacing(10)
        self.column.addLayout(self._runs)
        self.column.addStretch(1)
        acts = QWidget()
        row = FlowLayout(acts, gap=8)
        for act, button in self.buttons.items():
            if act != NEW_RUN:
                row.addWidget(button)
            button.clicked.connect(partial(self._want, act))
        self.open_sync.clicked.connect(lambda: self._context.open_page("sync", tab="refused"))
        self.main.clicked.connect(lambda: self._want(self.main_act))
        self.foot.addWidget(self.why)
        self.foot.addWidget(acts)
        self.foot.addWidget(self.main)

    def fit_into(self, page_px: int) -> None:
        """Take a share of the page: stops need room, the board beside them too."""
        self.setFixedWidth(min(max(round(page_px * SHARE), NARROW_PX), WIDE_PX))

    def show_desk(self, desk: BatchDesk) -> None:
        if self.desk is None or self.desk.batch.id != desk.batch.id:
            self.area.verticalScrollBar().setValue(0)
        self.desk = desk
        self._show()
        self.show()

    def _show(self) -> None:
        desk = self.desk
        if desk is None:
            return
        batch = desk.batch
        there = tr("there still “{status}”", status=batch.status) if "stage" in batch.pending else ""
        self.show_head(batch.name, " · ".join(part for part in (batch.source, batch.priority, there) if part))
        level, word = words.stage_pill(batch)
        self.pill.set_state(level, word, words.stage_tip(batch))
        self._show_waiting(desk)
        problems = list(desk.driver.problems) if desk.driver is not None and batch.stage not in ("completed",) else []
        self.trouble.words.setText(" ".join(problems))
        self.trouble.setVisible(bool(problems))
        self._show_facts(desk)
        self._show_stops(desk)
        self._show_runs(desk)
        self._show_acts(desk)

    def _show_waiting(self, desk: BatchDesk) -> None:
        waiting = desk.waiting.get(desk.batch.id)
        is_stuck = waiting is not None and waiting.is_stuck
        self.refusal.setVisible(is_stuck)
        self.open_sync.setVisible(is_stuck)
        self.waiting.setVisible(waiting is not None and not is_stuck)
        if waiting is None:
            return
        if is_stuck:
            self.refusal.words.setText(waiting.answer or tr("The platform will not have it."))
            return
        said = trn("{count} change is saved here", "{count} changes are saved here", waiting.changes)
        told = tr("{said} and not accepted by {name} yet.", said=said, name=desk.batch.source)
        self.waiting.words.setText(" ".join(part for part in (told, waiting.answer) if part))

    def _show_facts(self, desk: BatchDesk) -> None:
        batch, formats, show = desk.batch, self._context.formats, self.facts.show_fact
        driver = desk.driver
        show("driver", batch.driver_name or (tr("not known here") if batch.driver else tr("none assigned")))
        show("driver_state", None if driver is None else words.driver_line(driver, formats))
        show("vehicle", batch.plate or (tr("not known here") if batch.vehicle else tr("none assigned")))
        show("tracker", self._tracker_words(desk))
        show("check", self._check_words(desk))
        show("from", batch.warehouse_name or None)
        show("day", " ".join(part for part in (batch.scheduled_on, batch.scheduled_at) if part) or None)
        units = None if batch.total_units is None else tr("{n} units", n=words.amount(batch.total_units, formats))
        show("load", " · ".join(part for part in (units, batch.medication) if part) or None)
        show("way", formats.distance(batch.distance_km) if batch.distance_km else None)
        show("started", formats.time(batch.started_ms) if batch.started_ms is not None else None)
        show("ended", formats.time(batch.ended_ms) if batch.ended_ms is not None else None)
        show(
            "arrivals",
            (words.eta_tip(desk.eta, formats) or None) if batch.started_ms and batch.stage == "in_progress" else None,
        )
        show("notes", batch.notes or None)

    def _tracker_words(self, desk: BatchDesk) -> str | None:
        if not desk.batch.vehicle:
            return None
        if desk.match is None or not desk.match.vehicle_id:
            return tr("The vehicle is not known here.") if desk.match is None else desk.match.why
        if desk.tracked_ms is None:
            return tr("no position yet")
        ago = self._context.formats.ago(desk.tracked_ms, now=self._context.now())
        is_fresh = self._context.services.clock.now_ms() - desk.tracked_ms <= STALE_AFTER_MS
        return tr("fresh, {ago}", ago=ago) if is_fresh else tr("silent, last {ago}", ago=ago)

    def _check_words(self, desk: BatchDesk) -> str:
        check = desk.check
        if check is None:
            return tr("not done")
        at = self._context.formats.clock(check.checked_ms)
        if check.is_ready:
            return tr("in order, {at}", at=at)
        if check.override_reason:
            return tr("overridden by {who}, {at}: {why}", who=check.overridden_by, at=at, why=check.override_reason)
        return tr("not in order, {at}", at=at)

    def _show_stops(self, desk: BatchDesk) -> None:
        clear_layout(self._stops)
        details = desk.details
        by_facility: dict[str, list[PaperListing]] = {}
        for paper in details.papers:
            by_facility.setdefault(paper.facility, []).append(paper)
        is_going = desk.batch.stage == "in_progress" and desk.batch.started_ms is not None
        etas = {one.stop.id: one for one in desk.eta.stops} if is_going else {}
        self.stops = [
            StopRow(self._context, stop, etas.get(stop.id), by_facility.get(stop.facility, ()))
            for stop in details.stops
        ]
        for row in self.stops:
            self._stops.addWidget(row)
        if not self.stops:
            self._stops.addWidget(text_label(tr("The platform names no stop."), "muted", wrap=True))
        done = tr("Stops  {done}", done=words.stops_word(desk.batch))
        self.stops_title.setText(done if details.stops else tr("Stops"))

    def _show_runs(self, desk: BatchDesk) -> None:
        clear_layout(self._runs)
        self.runs = [
            RunRow(self._context, run, desk.run_offers.get(run.id, Offers()), desk.waiting.get(run.id), self._move)
            for run in desk.details.runs
        ]
        for row in self.runs:
            self._runs.addWidget(row)
        if desk.runs_wait:
            said = trn("{count} new run is saved here and not accepted yet.", "{count} new runs are saved here and not "
                       "accepted yet.", desk.runs_wait)  # fmt: skip
            self._runs.addWidget(text_label(said, "small", wrap=True))
        elif not self.runs:
            self._runs.addWidget(text_label(tr("None yet."), "muted"))

    def _show_acts(self, desk: BatchDesk) -> None:
        """Each act is there with its reason where it may not be done; the next step is the main button."""
        acts: Mapping[str, Offer] = {offer.name: offer for offer in desk.offers.acts}
        reasons = []
        self.main_act = _MAIN.get(desk.batch.stage, "")
        if self.main_act == ASSIGN and desk.batch.driver and desk.batch.vehicle:
            self.main_act = START
        for act in (ASSIGN, START, COMPLETE, CANCEL):
            found = acts.get(act)
            button = self.buttons[act]
            button.setVisible(found is not None and act != self.main_act)
            self._allow(button, "" if found is None else found.hindrance)
            if found is not None and found.hindrance:
                reasons.append(found.hindrance)
        main = acts.get(self.main_act)
        self.main.setVisible(main is not None)
        if main is not None:
            self.main.setText(self.buttons[self.main_act].text())
            self._allow(self.main, main.hindrance)
        no_run = desk.no_run if desk.new_run is None else desk.new_run.hindrance
        self._allow(self.buttons[NEW_RUN], no_run)
        self.buttons[NEW_RUN].setVisible(desk.batch.stage in ("assigned", "in_progress"))
        self.buttons[CHECK].setVisible(desk.batch.stage in ("planned", "assigned"))
        where = desk.batch.vehicle_id or desk.eta.place is not None
        self._allow(self.buttons[ON_MAP], "" if where else tr("Neither vehicle nor phone tells where it is."))
        text = " ".join(dict.fromkeys(reasons)) or desk.offers.reason
        self.why.setText(text)
        self.why.setVisible(bool(text))

    @staticmethod
    def _allow(button: QAbstractButton, hindrance: str) -> None:
        button.setEnabled(not hindrance)
        button.setToolTip(plain_tip(hindrance) or button.accessibleName())

    def offered(self) -> Sequence[tuple[str, QAbstractButton]]:
        """The acts that are shown, for the context menu, the main one first."""
        first = [(self.main_act, self.main)] if self.main_act and not self.main.isHidden() else []
        return [*first, *((act, button) for act, button in self.buttons.items() if not button.isHidden())]

    def tick(self) -> None:
        """Ages grow."""
        if self.desk is not None and not self.isHidden():
            self.facts.show_fact("tracker", self._tracker_words(self.desk))

    def _want(self, act: str, *_checked: object) -> None:
        if self.desk is not None:
            self.act_wanted.emit(act, self.desk)

    def _move(self, run: RunListing, name: str) -> None:
        self.run_wanted.emit(run, name)

    def close_panel(self) -> None:
        self._context.formats.changed.disconnect(self._show)
