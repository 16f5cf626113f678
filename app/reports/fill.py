"""Filling a report from the store's own evidence: each figure with its sources, or empty with the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from app.reports.evidence import Earlier, Evidence, ItemFacts, Source
from app.reports.figures import (
    FIGURES,
    IN_ADJUSTMENTS,
    MOST_UNITS,
    UNKNOWN,
    Limits,
    Value,
    average_monthly,
)
from app.reports.periods import ReportPeriod
from app.reports.spans import zero_days

CLOSE_DAYS = 3
"""A count so few days after the end of a period may stand for its closing balance, and says of which day it is."""

FORM_FIGURES: Mapping[str, str] = {
    "opening_balance": "opening_units",
    "received": "received_units",
    "consumed": "consumed_units",
    "closing_balance": "stock_units",
    "stockout_days": "stockout_days",
    "amc": "average_monthly_units",
}
"""Our figures to the fields of a requisition line that carry the same (nhlmis.md, B1)."""


@dataclass(slots=True)
class FilledLine:
    """What evidence says about one item."""

    item: ItemFacts
    values: dict[str, Value] = field(default_factory=dict)
    gaps: dict[str, list[str]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    sources: dict[str, list[Source]] = field(default_factory=dict)

    def set(self, figure: str, value: Value, sources: Sequence[Source] = (), note: str = "") -> None:
        if figure in self.values:
            return
        self.values[figure] = value
        self.sources[figure] = list(sources)
        if note:
            self.notes[figure] = note

    def leave(self, figure: str, why: str, code: str = UNKNOWN) -> None:
        if figure not in self.values:
            self.gaps.setdefault(figure, [code, why])


def fill_lines(evidence: Evidence, period: ReportPeriod, limits: Limits, program: str = "") -> list[FilledLine]:
    """One line per item of which anything is known, by name."""
    filler = _Filler(evidence, period, limits, program)
    lines = [filler.fill(item) for key, item in evidence.items.items() if key in evidence.all_items()]
    return sorted(lines, key=lambda line: (line.item.name.casefold(), line.item.peer_id))


class _Filler:
    def __init__(self, evidence: Evidence, period: ReportPeriod, limits: Limits, program: str) -> None:
        self._evidence = evidence
        self._period = period
        self._limits = limits
        self._program = program

    def fill(self, item: ItemFacts) -> FilledLine:
        line = FilledLine(item)
        asked = self._evidence.asked.get(item.peer_id)
        if asked is not None:
            self._from_form(line, asked)
        self._opening(line)
        self._received(line)
        self._consumed(line)
        self._losses(line)
        self._closing(line)
        self._stockout(line)
        self._expiry(line)
        self._on_order(line)
        self._amc(line)
        for figure in FIGURES:
            if figure.key not in line.values:
                line.leave(figure.key, "Nothing that is read from the supply system tells it. Enter it.")
        return line

    # -- the facility's own form ----------------------------------------------------------------------------------

    def _from_form(self, line: FilledLine, asked: Any) -> None:
        paper = self._evidence.requisition
        read_at = self._evidence.read_at("requisitions")
        label = f"Requisition {paper.number or paper.peer_id} of the facility for this period ({paper.status.lower()})"

        def told(figure: str, value: float, part: float | None = None) -> None:
            source = Source("requisition_line", asked.id, label, value if part is None else part, "", read_at)
            line.set(figure, value, [source])

        for figure, name in FORM_FIGURES.items():
            value = getattr(asked, name)
            if value is not None and figure != "amc" and abs(value) <= MOST_UNITS:
                told(figure, float(value))
        adjusted = asked.adjusted_units
        if adjusted is not None and abs(adjusted) <= MOST_UNITS:
            told("adjustments_plus", max(float(adjusted), 0.0), float(adjusted))
            told("adjustments_minus", max(-float(adjusted), 0.0), float(adjusted))
            line.leave(
                "losses",
                f"{self._evidence.system} tells losses and adjustments as one number; it stands in the adjustments.",
                IN_ADJUSTMENTS,
            )

    # -- what the store counted or moved --------------------------------------------------------------------------

    def _opening(self, line: FilledLine) -> None:
        before = self._period.starts_on - timedelta(days=1)
        for one in self._evidence.earlier.get(line.item.peer_id, ()):
            closing = one.values.get("closing_balance")
            if one.ends_on == before.isoformat() and closing is not None:
                source = Source(
                    "report_line", one.line_id, f"Closing balance of {one.period_name}", closing, one.ends_on
                )
                line.set("opening_balance", closing, [source])
                return
        self._from_history(line, "opening_balance", before)
        line.leave(
            "opening_balance",
            f"There is no report of the period before, and nobody looked at the stock of {before:%d %b %Y}. Enter it.",
        )

    def _received(self, line: FilledLine) -> None:
        found = self._evidence.received.get(line.item.peer_id, [])
        knows = self._evidence.knows_until("shipments", self._period.ends_on)
        self._moved(line, "received", found, is_all=self._evidence.is_ours and knows)
        if found and not self._evidence.is_ours:
            line.notes.setdefault(
                "received", "Only what was sent from stores of this system is known. Add what came from elsewhere."
            )

    def _consumed(self, line: FilledLine) -> None:
        if self._evidence.facility_kind != "store":
            line.leave("consumed", "What a facility dispensed stands in its own report only. Enter it from there.")
            return
        found = self._evidence.issued.get(line.item.peer_id, [])
        knows = self._evidence.knows_until("shipments", self._period.ends_on)
        self._moved(line, "consumed", found, is_all=self._evidence.is_ours and knows)

    def _moved(self, line: FilledLine, figure: str, found: list[Source], *, is_all: bool) -> None:
        """A sum of shipments; none at all is a known 0 only where all of them would have been read."""
        word = "received" if figure == "received" else "issued"
        if is_all or found:
            note = ""
            if not is_all and self._evidence.is_ours:
                note = (
                    "Shipments were read last before the period had ended: more may have been booked since. Fill it "
                    "again after the next reading."
                )
            elif not found:
                note = f"No shipment was {word} in the period; shipments were read after its end."
            line.set(figure, round(sum(source.value for source in found), 6), found, note)
            return
        if self._evidence.read_at("shipments") is None:
            line.leave(figure, f"Shipments of {self._evidence.system} have not been read. Enter it, or wait for them.")
        elif self._evidence.is_ours:
            line.leave(
                figure,
                "Shipments were read last before the period had ended. Let them be read again, then fill the report "
                "again.",
            )
        else:
            line.leave(figure, "No shipment to this facility is known; others may have supplied it. Enter it.")

    def _losses(self, line: FilledLine) -> None:
        expired = [
            row
            for row in self._evidence.stock.get(line.item.peer_id, ())
            if row.expires_on and self._period.holds(date.fromisoformat(row.expires_on)) and row.units > 0
        ]
        hint = ""
        if expired:
            units = sum(row.units for row in expired)
            hint = f" {units:,.10g} that expired in the period are still held, as part of the closing balance."
        why = (
            f"{self._evidence.system} does not tell losses and adjustments.{hint} Enter them, 0 where there were none."
        )
        for figure in ("losses", "adjustments_plus", "adjustments_minus"):
            line.leave(figure, why)

    def _closing(self, line: FilledLine) -> None:
        ends = self._period.ends_on
        if "closing_balance" in line.values or self._from_history(line, "closing_balance", ends):
            return
        for late in range(1, CLOSE_DAYS + 1):
            day = ends + timedelta(days=late)
            note = f"Seen on {day:%d %b %Y}, {late} {'day' if late == 1 else 'days'} after the period's end."
            if self._from_history(line, "closing_balance", day, note):
                return
        read_at = self._evidence.read_at("stock")
        if read_at is None:
            line.leave("closing_balance", "The stock of this facility has not been read. Enter the count.")
            return
        line.leave(
            "closing_balance",
            f"Nobody looked at the stock of {ends:%d %b %Y}; what is held now is of another day. Enter the count.",
        )

    def _from_history(self, line: FilledLine, figure: str, day: date, note: str = "") -> bool:
        read_at = self._evidence.looks.get(day)
        if read_at is None:
            return False
        stock = self._evidence.history.get(line.item.peer_id)
        units = stock.units_on(day, self._program) if stock is not None else 0.0
        label = f"Stock of {day:%d %b %Y}, as {self._evidence.system} told it"
        line.set(
            figure, round(units, 6), [Source("stock_span", line.item.peer_id, label, units, str(day), read_at)], note
        )
        return True

    def _stockout(self, line: FilledLine) -> None:
        if "stockout_days" in line.values:
            return
        period = self._period
        stock = self._evidence.history.get(line.item.peer_id)
        seen, empty = zero_days(stock, self._evidence.looks, period.starts_on, period.ends_on, self._program)
        if seen == period.days:
            last: datetime | None = self._evidence.looks.get(period.ends_on)
            label = f"Stock of each of the {period.days} days: {empty} with nothing left"
            source = Source("stock_span", line.item.peer_id, label, float(empty), period.ends_on.isoformat(), last)
            line.set("stockout_days", float(empty), [source])
            return
        if not seen:
            line.leave("stockout_days", "Nobody looked at the stock on the days of the period. Enter it.")
            return
        line.leave(
            "stockout_days",
            f"The stock was looked at on {seen} of {period.days} days, nothing was left on {empty} of these. Enter it.",
        )

    def _expiry(self, line: FilledLine) -> None:
        read_at = self._evidence.read_at("stock")
        if read_at is None or not (self._evidence.is_ours or self._evidence.stock):
            line.leave("expiring", "The stock of this facility has not been read.")
            line.leave("expires_first", "The stock of this facility has not been read.")
            return
        horizon = (self._period.ends_on + timedelta(days=self._limits.expiry_days)).isoformat()
        held = [row for row in self._evidence.stock.get(line.item.peer_id, ()) if row.units > 0]
        soon = [row for row in held if row.expires_on and row.expires_on <= horizon]

        def source(row: Any) -> Source:
            label = f"Batch {row.batch or 'without number'}, expires {row.expires_on}"
            return Source("stock_line", row.id, label, row.units, row.expires_on or "", read_at)

        undated = sum(1 for row in held if not row.expires_on)
        note = f"{undated} {'batch' if undated == 1 else 'batches'} without an expiry date left out." if undated else ""
        line.set("expiring", round(sum(row.units for row in soon), 6), [source(row) for row in soon], note)
        dated = [row for row in held if row.expires_on]
        if dated:
            line.set("expires_first", dated[0].expires_on, [source(dated[0])])
        else:
            line.leave("expires_first", "Nothing that is held has an expiry date.")

    def _on_order(self, line: FilledLine) -> None:
        """What is on its way now; nothing at all is a known 0 where all of the facility's shipments are read."""
        found = self._evidence.coming.get(line.item.peer_id, [])
        read = self._evidence.read_at("shipments") is not None
        if found or (read and self._evidence.is_ours):
            line.set("on_order", round(sum(source.value for source in found), 6), found)
        elif read:
            line.leave("on_order", "Only what stores of this system send is known, and they send nothing of it.")
        else:
            line.leave("on_order", f"Shipments of {self._evidence.system} have not been read.")

    # -- consumption over months ----------------------------------------------------------------------------------

    def _amc(self, line: FilledLine) -> None:
        own = amc_from_reports(
            self._evidence.earlier.get(line.item.peer_id, ()), self._period, line.values, self._limits
        )
        if own is not None:
            value, sources, note = own
            line.set("amc", value, sources, note)
            return
        asked = self._evidence.asked.get(line.item.peer_id)
        if asked is not None and asked.average_monthly_units is not None:
            label = f"Average that {self._evidence.system} tells in the requisition"
            value = float(asked.average_monthly_units)
            read_at = self._evidence.read_at("requisitions")
            line.set("amc", value, [Source("requisition_line", asked.id, label, value, "", read_at)])
            return
        for row in self._evidence.stock.get(line.item.peer_id, ()):
            if row.average_monthly_units is not None:
                label = f"Average that {self._evidence.system} tells of this facility"
                value = float(row.average_monthly_units)
                line.set(
                    "amc", value, [Source("stock_line", row.id, label, value, "", self._evidence.read_at("stock"))]
                )
                return
        line.leave("amc", "Neither an earlier report nor the supply system tells what is used in a month.")


def amc_from_reports(
    earlier: Sequence[Earlier], period: ReportPeriod, values: Mapping[str, Any], limits: Limits
) -> tuple[float, list[Source], str] | None:
    """Consumption of this report and those before it, until the months asked for are covered; None where none tells."""
    parts: list[tuple[float, int, int, float | None]] = []
    sources: list[Source] = []
    covered, corrected = 0, True
    own = values.get("consumed")
    if isinstance(own, (int, float)):
        out = values.get("stockout_days")
        parts.append((float(own), period.months, period.days, out if isinstance(out, (int, float)) else None))
        sources.append(Source("report_line", "", f"Consumption of {period.name} (this report)", float(own)))
        covered += period.months
        corrected &= parts[-1][3] is not None
    for one in earlier:
        if covered >= limits.amc_months:
            break
        units, out = one.values.get("consumed"), one.values.get("stockout_days")
        if not isinstance(units, (int, float)):
            continue
        parts.append((float(units), one.months, one.days, out if isinstance(out, (int, float)) else None))
        sources.append(
            Source("report_line", one.line_id, f"Consumption of {one.period_name}", float(units), one.ends_on)
        )
        covered += one.months
        corrected &= parts[-1][3] is not None
    average = average_monthly(parts)
    if average is None:
        return None
    notes = []
    if covered < limits.amc_months:
        notes.append(f"Over {covered} {'month' if covered == 1 else 'months'}; more is not known.")
    if not corrected:
        notes.append("Not corrected for stock-out days where these are unknown.")
    return average, sources, " ".join(notes)
