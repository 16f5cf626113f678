"""One proof: the verdict with what it rests on, what was handed over to whom, the files, both clocks, the marks."""

from __future__ import annotations

from functools import partial
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QPushButton, QWidget

from app.deliveries.proof import MARK_WORDS
from app.deliveries.proofs import ProofListing
from app.deliveries.times import span_words
from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.deliveries import words
from widgets.deliveries.batch_panel import NARROW_PX, SHARE, WIDE_PX
from widgets.deliveries.batch_rows import elastic
from widgets.deliveries.proof_files import ProofFilesView
from widgets.primitives import (
    Badge,
    FlowLayout,
    clear_layout,
    line,
    outline_button,
    text_label,
)
from widgets.side_panel import Facts, SidePanel, section

BATCH, JOURNEY, ON_MAP = "batch", "journey", "map"
_FACTS = (
    ("recipient", tr("Recipient")),
    ("signature", tr("Signature")),
    ("missing", tr("Missing")),
    ("proxy", tr("Elsewhere")),
    ("place", tr("Phone's place")),
    ("told", tr("Phone's clock")),
    ("received", tr("Platform's clock")),
    ("apart", tr("Apart")),
    ("planned", tr("Planned")),
    ("arrived", tr("Arrived")),
    ("left", tr("Left")),
    ("driver", tr("Driver")),
    ("vehicle", tr("Vehicle")),
    ("notes", tr("Notes")),
    ("sources", tr("Told by")),
)
_EVIDENCE = (
    ("vehicle_nearest", tr("Vehicle nearest")),
    ("vehicle_there", tr("Vehicle there")),
    ("vehicle_fixes", tr("Vehicle's fixes")),
    ("phone_nearest", tr("Phone nearest")),
    ("claim", tr("Phone's claim")),
    ("fences", tr("Fence")),
    ("computed", tr("Compared")),
)
_SOURCES = {
    "driver_app": tr("the driver app's record"), "mod4_events": tr("events"), "delivery_logs": tr("the delivery log"),
    "route_history": tr("the route"), "driver_events": tr("the driver's states"),
}  # fmt: skip


class ProofPanel(SidePanel):
    """``act_wanted`` carries one of the acts above and the proof."""

    act_wanted = Signal(str, object)

    def __init__(self, context: ConsoleContext) -> None:
        theme = context.theme
        super().__init__(theme, tr("Proof of delivery"))
        self._context = context
        self.row: ProofListing | None = None
        self.reasons = elastic(text_label("", wrap=True, selectable=True))
        self.evidence = Facts(_EVIDENCE)
        self.marks = QWidget()
        self._marks = FlowLayout(self.marks, gap=6)
        self.remarks = elastic(text_label("", wrap=True, selectable=True))
        self.facts = Facts(_FACTS)
        self._items = QGridLayout()
        self.files = ProofFilesView(context)
        self.items_title = section(tr("Items"))
        self.discrepancy = elastic(text_label("", "small", wrap=True, selectable=True))
        self.buttons: dict[str, QPushButton] = {
            ON_MAP: outline_button(theme, tr("Show on map"), "map-pin", small=True),
            BATCH: outline_button(theme, tr("Batch"), "truck", small=True),
            JOURNEY: outline_button(theme, tr("Journey"), "history", small=True),
        }
        self._fill()
        context.formats.changed.connect(self._show)

    def _fill(self) -> None:
        column = self.column
        column.addWidget(section(tr("What independent evidence says")))
        column.addWidget(self.reasons)
        column.addWidget(self.evidence)
        column.addWidget(self.marks)
        column.addWidget(self.remarks)
        column.addWidget(line())
        column.addWidget(self.items_title)
        self._items.setHorizontalSpacing(12)
        self._items.setVerticalSpacing(4)
        self._items.setColumnStretch(0, 1)
        column.addLayout(self._items)
        column.addWidget(self.discrepancy)
        column.addWidget(line())
        column.addWidget(section(tr("Photos and signatures")))
        column.addWidget(self.files)
        column.addWidget(line())
        column.addWidget(self.facts)
        column.addStretch(1)
        acts = QWidget()
        row = FlowLayout(acts, gap=8)
        for act, button in self.buttons.items():
            row.addWidget(button)
            button.clicked.connect(partial(self._want, act))
        self.foot.addWidget(acts)

    def fit_into(self, page_px: int) -> None:
        self.setFixedWidth(min(max(round(page_px * SHARE), NARROW_PX), WIDE_PX))

    def show_proof(self, row: ProofListing) -> None:
        if self.row is None or self.row.id != row.id:
            self.area.verticalScrollBar().setValue(0)
        self.row = row
        self._show()
        self.show()

    def _show(self) -> None:
        row = self.row
        if row is None:
            return
        outcome = words.outcome_pill(row)[1]
        self.show_head(row.label, f"{outcome} · " + tr("batch {name}", name=row.batch_name))
        self.pill.set_state(*words.verdict_pill(row.verdict))
        self._show_verdict(row)
        self._show_marks(row)
        self._show_items(row)
        self.files.show_proof(row)
        self._show_facts(row)
        has_place = self.map_place() is not None
        self.buttons[ON_MAP].setEnabled(has_place)
        self.buttons[ON_MAP].setToolTip("" if has_place else tr("Neither the phone nor the facility has a place."))

    def map_place(self) -> tuple[float, float] | None:
        """Where the delivery was told to have happened, else the facility's place; degrees."""
        row = self.row
        if row is None:
            return None
        for lat, lon in ((row.proof.lat, row.proof.lon), (row.facility_lat, row.facility_lon)):
            if lat is not None and lon is not None:
                return lat, lon
        return None

    def _show_verdict(self, row: ProofListing) -> None:
        verdict, formats, show = row.verdict, self._context.formats, self.evidence.show_fact
        waits = tr("It was not compared with tracks and fences yet. That is done shortly after it was read.")
        self.reasons.setText(waits if verdict is None else "\n".join(verdict.reasons))
        told: dict[str, Any] = {} if verdict is None else dict(verdict.evidence)
        show("vehicle_nearest", self._near(told.get("vehicle_nearest_m"), told.get("vehicle_nearest_at_ms")))
        there = told.get("vehicle_there_ms")
        show("vehicle_there", " – ".join(formats.clock(ms) for ms in there) if there else None)
        show("vehicle_fixes", formats.number(told["vehicle_fixes"]) if "vehicle_fixes" in told else None)
        show("phone_nearest", self._near(told.get("phone_nearest_m"), None))
        claim = told.get("claim_m")
        show("claim", None if claim is None else tr("{d} from the facility", d=formats.distance(claim / 1000)))
        show("fences", ", ".join(told.get("fences", ())) or None)
        show("computed", None if verdict is None else formats.time(verdict.computed_at))

    def _near(self, metres: float | None, at_ms: int | None) -> str | None:
        if metres is None:
            return None
        told = self._context.formats.distance(metres / 1000)
        return told if at_ms is None else tr("{d} at {at}", d=told, at=self._context.formats.clock(at_ms))

    def _show_marks(self, row: ProofListing) -> None:
        clear_layout(self._marks)
        for mark in row.proof.marks:
            self._marks.addWidget(Badge(MARK_WORDS.get(mark, mark), "warn"))
        self.marks.setVisible(bool(row.proof.marks))
        self.remarks.setText("\n".join(row.proof.remarks))
        self.remarks.setVisible(bool(row.proof.remarks))

    def _show_items(self, row: ProofListing) -> None:
        clear_layout(self._items)
        proof, formats = row.proof, self._context.formats
        for at, heading in enumerate((tr("Item"), tr("Expected"), tr("Delivered"))):
            if proof.items:
                self._items.addWidget(text_label(heading, "small"), 0, at)
        for number, item in enumerate(proof.items, 1):
            role = "error" if item.is_different else ""
            name = " ".join(part for part in (item.item, f"({item.unit})" if item.unit else "") if part)
            told = [name, words.amount(item.expected, formats), words.amount(item.delivered, formats)]
            for at, text in enumerate(told):
                label = text_label(text, role, wrap=at == 0, selectable=True)
                side = Qt.AlignmentFlag.AlignLeft if at == 0 else Qt.AlignmentFlag.AlignRight
                if at == 0:
                    self._items.addWidget(elastic(label), 2 * number - 1, at)
                else:
                    self._items.addWidget(label, 2 * number - 1, at, side | Qt.AlignmentFlag.AlignTop)
            why = " ".join(part for part in (item.reason.replace("_", " "), item.notes) if part)
            if why:
                self._items.addWidget(elastic(text_label(why, "small", wrap=True)), 2 * number, 0, 1, 3)
        reason = proof.discrepancy_reason.replace("_", " ")
        said = "" if proof.items else tr("No items were told.")
        if proof.has_discrepancy:
            said = tr("Quantities differ: {why}.", why=reason or tr("no reason was told"))
        self.discrepancy.setText(said)
        self.discrepancy.setVisible(bool(said))

    def _show_facts(self, row: ProofListing) -> None:
        proof, formats, show = row.proof, self._context.formats, self.facts.show_fact
        recipient = f"{proof.recipient} ({proof.recipient_role})" if proof.recipient_role else proof.recipient
        show("recipient", recipient or tr("not told"))
        show("signature", words.told_pill(row, proof.signatures, proof.signature)[1])
        show("missing", ", ".join(proof.missing) or None)
        show("proxy", (proof.proxy_reason.replace("_", " ") or tr("no reason was told")) if proof.is_proxy else None)
        place = None if proof.lat is None or proof.lon is None else f"{proof.lat:.5f}, {proof.lon:.5f}"
        show("place", place or tr("not told"))
        show("told", formats.time(proof.told_ms))
        show("received", None if proof.received_ms is None else formats.time(proof.received_ms))
        apart = None
        if proof.told_ms is not None and proof.received_ms is not None:
            apart = span_words(proof.received_ms - proof.told_ms)
        show("apart", apart)
        show("planned", formats.time(proof.planned_ms) if proof.planned_ms is not None else None)
        show("arrived", formats.time(proof.arrived_ms) if proof.arrived_ms is not None else None)
        show("left", formats.time(proof.left_ms) if proof.left_ms is not None else None)
        show("driver", row.driver_name or None)
        show("vehicle", row.plate or None)
        show("notes", proof.notes or None)
        show("sources", ", ".join(_SOURCES.get(one, one) for one in proof.sources) or None)

    def _want(self, act: str, *_checked: object) -> None:
        if self.row is not None:
            self.act_wanted.emit(act, self.row)

    def close_panel(self) -> None:
        self.files.close_view()
        self._context.formats.changed.disconnect(self._show)
