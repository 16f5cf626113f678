"""What follows from the figures of a line, and what a typed figure may be."""

from __future__ import annotations

import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.reports.errors import ReportRefused
from app.reports.figures import (
    FIGURES,
    IN_ADJUSTMENTS,
    MOST_UNITS,
    Limits,
    average_monthly,
    effective,
    expected_closing,
    judge,
    read_value,
)

LIMITS = Limits()
units = st.integers(0, 10**9).map(float)
FULL = {
    "opening_balance": 200.0, "received": 600.0, "consumed": 480.0, "losses": 5.0, "adjustments_plus": 10.0,
    "adjustments_minus": 25.0, "closing_balance": 300.0, "stockout_days": 3.0, "expiring": 0.0, "expires_first": None,
    "amc": 250.0,
}  # fmt: skip


def test_the_balance_by_hand() -> None:
    judged = judge(FULL, {}, LIMITS, pack_size=24)
    assert judged.expected_closing == 300.0  # 200 + 600 - 480 - 5 + 10 - 25
    assert judged.difference == 0.0
    assert judged.months == pytest.approx(1.2)
    assert judged.stock_class == "under"
    assert judged.to_order == 720.0  # 4 x 250 - 300 = 700, 29.2 packs of 24, so 30
    assert judged.is_complete
    assert judge({**FULL, "on_order": 500.0}, {}, LIMITS, pack_size=24).to_order == 216.0  # 200, 8.3 packs, so 9


@given(units, units, units, units, units, units, units)
def test_the_difference_is_what_the_balance_lacks(
    opening: float, received: float, consumed: float, losses: float, plus: float, minus: float, off: float
) -> None:
    values = {
        "opening_balance": opening, "received": received, "consumed": consumed, "losses": losses,
        "adjustments_plus": plus, "adjustments_minus": minus,
        "closing_balance": opening + received - consumed - losses + plus - minus + off,
    }  # fmt: skip
    assert judge(values, {}, LIMITS).difference == off
    for key in ("opening_balance", "received", "losses"):
        assert judge({**values, key: None}, {}, LIMITS).difference is None, "an unknown part leaves it unknown"


def test_losses_that_stand_in_the_adjustments_are_no_gap() -> None:
    values = {**FULL, "losses": None, "adjustments_minus": 30.0}
    gaps = {"losses": [IN_ADJUSTMENTS, "told together"]}
    assert expected_closing(values, gaps) == 300.0
    assert judge(values, gaps, LIMITS).missing == ()
    assert judge(values, {"losses": ["unknown", "?"]}, LIMITS).missing == ("losses",)


@pytest.mark.parametrize(
    ("closing", "amc", "word"),
    [(0.0, 100.0, "stocked_out"), (199.0, 100.0, "under"), (200.0, 100.0, "adequate"), (400.0, 100.0, "adequate"),
     (401.0, 100.0, "over"), (5.0, 0.0, "unknown"), (5.0, None, "unknown"), (None, 100.0, "unknown"),
     (0.0, None, "stocked_out")],
)  # fmt: skip
def test_classes_of_stock(closing: float | None, amc: float | None, word: str) -> None:
    assert judge({**FULL, "closing_balance": closing, "amc": amc}, {}, LIMITS).stock_class == word


@given(units, units, st.integers(1, 500).map(float))
def test_what_is_ordered_fills_up_to_the_most_in_whole_packs(closing: float, amc: float, pack: float) -> None:
    order = judge({**FULL, "closing_balance": closing, "amc": amc}, {}, LIMITS, pack_size=pack).to_order
    assert order is not None
    assert order >= 0
    assert order % pack == 0
    assert order + closing >= 4 * amc - 1e-3
    assert order < pack or order + closing - pack < 4 * amc + 1e-3


def test_consumption_is_corrected_for_days_without_stock() -> None:
    assert average_monthly([(480.0, 2, 61, None)]) == 240.0
    # Half of the 60 days without stock: 480 in one month's worth of days.
    assert average_monthly([(480.0, 2, 60, 30.0)]) == 480.0
    assert average_monthly([(100.0, 1, 30, 30.0)]) is None, "nothing could be used, so nothing tells of demand"
    assert average_monthly([(100.0, 1, 30, 45.0), (50.0, 1, 30, 0.0)]) == 50.0
    assert average_monthly([]) is None


@given(st.sampled_from([figure for figure in FIGURES if figure.kind != "day"]), st.floats(0, MOST_UNITS))
def test_a_typed_number_is_taken_as_it_is_meant(figure: object, number: float) -> None:
    key = figure.key  # type: ignore[attr-defined]
    assert read_value(key, repr(number)) == number
    assert read_value(key, f" {number:,.2f} ") == round(number, 2)


@given(st.text(max_size=30))
def test_anything_typed_is_a_number_or_refused(text: str) -> None:
    with suppress(ReportRefused):
        value = read_value("received", text)
        assert value is None or (isinstance(value, float) and 0 <= value <= MOST_UNITS and math.isfinite(value))


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "1e13", "ten", "0x10"])
def test_what_no_quantity_can_be_is_refused(text: str) -> None:
    with pytest.raises(ReportRefused):
        read_value("losses", text)


def test_days_and_entries() -> None:
    assert read_value("expires_first", "2027-03-31") == "2027-03-31"
    with pytest.raises(ReportRefused, match="2027-03-31"):
        read_value("expires_first", "31/03/2027")
    with pytest.raises(ReportRefused, match="no figure"):
        read_value("colour", "1")
    assert effective({"received": 5.0, "losses": 1.0}, {"received": 7.0})["received"] == 7.0
