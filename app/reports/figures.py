"""The figures of a report line, how they are typed, and what follows from them (nhlmis.md, B1 and B2)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from app.reports.errors import ReportRefused

MOST_UNITS = 1e12
"""Above this no facility's quantity is believed."""
DAYS_IN_MONTH = 30.4375

Value = float | str | None
Kind = Literal["units", "days", "day"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure. ``required``: a line without it is not filled. ``sign`` is its part in the balance of a line."""

    key: str
    label: str
    kind: Kind = "units"
    required: bool = False
    sign: int = 0
    help: str = ""


FIGURES: tuple[Figure, ...] = (
    Figure("opening_balance", "Opening balance", required=True, sign=1, help="Held on the first day of the period"),
    Figure("received", "Received", required=True, sign=1, help="From any source in the period"),
    Figure("consumed", "Consumed or issued", required=True, sign=-1, help="Dispensed by a facility, issued by a store"),
    Figure("losses", "Losses", required=True, sign=-1, help="Damage, expiry, theft, as a positive number"),
    Figure("adjustments_plus", "Adjustments +", required=True, sign=1, help="Transfers in, corrections upwards"),
    Figure("adjustments_minus", "Adjustments −", required=True, sign=-1, help="Transfers out, corrections downwards"),
    Figure("closing_balance", "Closing balance", required=True, help="Counted on the last day of the period"),
    Figure("stockout_days", "Stock-out days", "days", required=True, help="Days with nothing left"),
    Figure("expiring", "Expiring", help="Quantity that expires within the horizon"),
    Figure("expires_first", "First expiry", "day", help="The earliest expiry date of what is held"),
    Figure("on_order", "On order", help="On its way to the facility, as far as shipments tell"),
    Figure("amc", "Monthly consumption", help="Average over the last months, corrected for stock-out days"),
)
BY_KEY: Mapping[str, Figure] = {figure.key: figure for figure in FIGURES}
REQUIRED: tuple[str, ...] = tuple(figure.key for figure in FIGURES if figure.required)
IN_ADJUSTMENTS = "in_adjustments"
"""The code of a gap that is none: the peer tells losses within the adjustments."""
UNKNOWN = "unknown"

StockClass = Literal["stocked_out", "under", "adequate", "over", "unknown"]
CLASS_WORDS: Mapping[str, str] = {
    "stocked_out": "Stocked out", "under": "Under-stocked", "adequate": "According to plan", "over": "Over-stocked",
    "unknown": "Unknown",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Limits:
    """What a programme sets: units of tolerance, months of stock, months of consumption, horizon of expiry."""

    tolerance_units: float = 0.0
    min_months: float = 2.0
    max_months: float = 4.0
    amc_months: int = 3
    expiry_days: int = 180


@dataclass(frozen=True, slots=True)
class Judged:
    """What follows from the figures of one line. ``expected_closing`` and ``difference`` are None where a part of the
    balance is not known.
    """

    missing: tuple[str, ...]
    expected_closing: float | None
    difference: float | None
    months: float | None
    to_order: float | None
    stock_class: StockClass

    @property
    def is_complete(self) -> bool:
        return not self.missing


def effective(filled: Mapping[str, Any], entered: Mapping[str, Any]) -> dict[str, Value]:
    """What counts: an entered figure before a filled one."""
    return {figure.key: entered.get(figure.key, filled.get(figure.key)) for figure in FIGURES}


def judge(values: Mapping[str, Value], gaps: Mapping[str, Any], limits: Limits, *, pack_size: float = 1.0) -> Judged:
    """The balance, months of stock, class and quantity to order of one line."""
    on_order = _number(values, "on_order") or 0.0
    missing = tuple(key for key in REQUIRED if values.get(key) is None and not _is_told_elsewhere(gaps, key))
    expected = expected_closing(values, gaps)
    closing = _number(values, "closing_balance")
    amc = _number(values, "amc")
    months = closing / amc if closing is not None and amc is not None and amc > 0 else None
    difference = None if expected is None or closing is None else round(closing - expected, 6) + 0.0
    return Judged(
        missing,
        expected,
        difference,
        months,
        _to_order(closing, amc, limits.max_months, pack_size, on_order),
        _class_of(closing, months, limits),
    )


def expected_closing(values: Mapping[str, Value], gaps: Mapping[str, Any]) -> float | None:
    """Opening + received − consumed − losses + plus − minus; None while a part of it is not known."""
    total = 0.0
    for figure in FIGURES:
        if not figure.sign:
            continue
        value = _number(values, figure.key)
        if value is None and not _is_told_elsewhere(gaps, figure.key):
            return None
        total += figure.sign * (value or 0.0)
    return round(total, 6) + 0.0


def read_value(key: str, text: str) -> Value:
    """What a person typed for a figure; "" takes the entry back. Raises ReportRefused with the next step."""
    figure = BY_KEY.get(key)
    if figure is None:
        raise ReportRefused(f"A report has no figure “{key}”. It has: {', '.join(BY_KEY)}.", key)
    text = text.strip().replace("\u2212", "-").replace("\u00a0", "").replace(" ", "")
    if not text:
        return None
    if figure.kind == "day":
        try:
            return date.fromisoformat(text).isoformat()
        except ValueError:
            raise ReportRefused(f"“{text}” is no date for {figure.label}. Write it as 2027-03-31.", key) from None
    try:
        number = float(text.replace(",", ""))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ReportRefused(f"“{text}” is no number for {figure.label}.", key)
    if number < 0:
        raise ReportRefused(
            f"{figure.label} cannot be less than 0. Losses and adjustments − are entered as positive numbers.", key
        )
    if number > MOST_UNITS:
        raise ReportRefused(f"{number:,.0f} is more than {figure.label} can be. Look at the figure again.", key)
    return number + 0.0


def average_monthly(periods: list[tuple[float, int, int, float | None]]) -> float | None:
    """Average monthly consumption of (consumed, months, days, stock-out days), corrected for stock-out days.

    A period that was stocked out for all of its days tells nothing of demand. None where nothing tells.
    """
    consumed = months = 0.0
    for units, length, days, out in periods:
        share = 1.0 if out is None else max(days - min(out, days), 0.0) / days
        if share <= 0:
            continue
        consumed += units
        months += length * share
    return round(consumed / months, 3) if months > 0 else None


def _is_told_elsewhere(gaps: Mapping[str, Any], key: str) -> bool:
    gap = gaps.get(key)
    return gap is not None and bool(gap) and gap[0] == IN_ADJUSTMENTS


def _number(values: Mapping[str, Value], key: str) -> float | None:
    value = values.get(key)
    return float(value) if isinstance(value, (int, float)) else None


def _class_of(closing: float | None, months: float | None, limits: Limits) -> StockClass:
    if closing is None:
        return "unknown"
    if closing <= 0:
        return "stocked_out"
    if months is None:
        return "unknown"
    if months < limits.min_months:
        return "under"
    return "over" if months > limits.max_months else "adequate"


def _to_order(
    closing: float | None, amc: float | None, max_months: float, pack_size: float, on_order: float
) -> float | None:
    """Max × monthly consumption − closing − on order, not below 0, in whole packs upwards."""
    if closing is None or amc is None:
        return None
    units = max(max_months * amc - closing - on_order, 0.0)
    size = pack_size if pack_size > 0 else 1.0
    return math.ceil(round(units / size, 9)) * size
