"""The table model: what is shown is what was applied, whatever came before, and the view keeps its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QAbstractItemModel, QPersistentModelIndex, Qt
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot

from widgets.rows_model import BADGE_ROLE, Column, RowsModel

ASCENDING, DESCENDING = Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder


@dataclass(frozen=True)
class Row:
    key: int
    name: str
    speed: float | None = None


def columns() -> tuple[Column[Row], ...]:
    return (
        Column("name", "Name", lambda row: row.name, help="What it is called"),
        Column("speed", "Speed", lambda row: f"{row.speed} km/h", sort=lambda row: row.speed, align="right"),
        Column("state", "State", lambda _row: "Online", badge=lambda row: ("ok", "Online") if row.speed else None),
    )


@pytest.fixture
def model() -> RowsModel[Row]:
    return RowsModel(columns(), key=lambda row: row.key)


def names(model: RowsModel[Row]) -> list[str]:
    return [model.index(place, 0).data() for place in range(model.rowCount())]


def test_the_model_keeps_qts_rules_through_all_changes(model: RowsModel[Row], qtmodeltester: ModelTester) -> None:
    qtmodeltester.check(model)
    model.apply([Row(n, f"Truck {n}", float(n)) for n in range(5)])
    model.sort(1, DESCENDING)
    model.apply([Row(n, f"Truck {n}", float(-n)) for n in (7, 3, 1)])
    model.set_filter("truck 3")
    model.set_filter("")
    model.apply([])


def test_sorting_is_by_value_with_the_unknown_last_in_both_orders(model: RowsModel[Row]) -> None:
    model.apply([Row(1, "b", 9.0), Row(2, "a", 80.0), Row(3, "c", None)])
    model.sort(1, ASCENDING)
    assert names(model) == ["b", "a", "c"]
    model.sort(1, DESCENDING)
    assert names(model) == ["a", "b", "c"]
    assert model.headerData(1, Qt.Orientation.Horizontal) == "Speed ↓"
    model.sort(-1)
    assert names(model) == ["b", "a", "c"]


def test_a_filter_needs_every_word_in_any_column_case_and_order(model: RowsModel[Row]) -> None:
    model.apply([Row(1, "Kano North", 50.0), Row(2, "Kano South", 60.0), Row(3, "Lagos", 60.0)])
    model.set_filter("60 KANO")
    assert names(model) == ["Kano South"]
    assert model.total == 3
    model.set_predicate(lambda row: row.key == 1)
    assert names(model) == []
    model.set_filter("")
    assert names(model) == ["Kano North"]


def test_a_changed_row_is_found_by_its_new_text(model: RowsModel[Row]) -> None:
    model.apply([Row(1, "old", 1.0)])
    model.set_filter("new")
    assert names(model) == []
    model.merge([Row(1, "new", 1.0)])
    assert names(model) == ["new"]
    model.merge([], gone=[1])
    assert names(model) == []
    assert model.total == 0


def test_equal_rows_cost_no_signal(model: RowsModel[Row], qtbot: QtBot) -> None:
    model.apply([Row(1, "a"), Row(2, "b")])
    with qtbot.assertNotEmitted(model.dataChanged), qtbot.assertNotEmitted(model.layoutChanged):
        model.apply([Row(1, "a"), Row(2, "b")])
    with qtbot.waitSignal(model.dataChanged) as changed:
        model.apply([Row(1, "a"), Row(2, "B")])
    assert changed.args[0].row() == changed.args[1].row() == 1


def test_what_screen_readers_and_delegates_ask_for(model: RowsModel[Row]) -> None:
    model.apply([Row(1, "a", 5.0)])
    assert model.index(0, 1).data(Qt.ItemDataRole.AccessibleTextRole) == "Speed: 5.0 km/h"
    assert model.index(0, 2).data(BADGE_ROLE) == ("ok", "Online")
    assert model.headerData(0, Qt.Orientation.Horizontal, Qt.ItemDataRole.ToolTipRole) == "What it is called"
    assert model.index_of(99).isValid() is False


def test_tool_tips_show_what_looks_like_markup_as_it_is() -> None:
    model = RowsModel((Column[Row]("name", "Name", lambda row: row.name, tooltip=lambda row: row.name),), key=id)
    model.apply([Row(1, "<b>Kano</b> & <img src=x>\nsecond"), Row(2, "")])
    tips = [model.index(row, 0).data(Qt.ItemDataRole.ToolTipRole) for row in range(2)]
    assert tips == ["<qt>&lt;b&gt;Kano&lt;/b&gt; &amp; &lt;img src=x&gt;<br>second</qt>", ""]


rows_of = st.lists(
    st.builds(Row, st.integers(0, 30), st.sampled_from(["kano", "lagos", "jos"]), st.none() | st.floats(0, 90)),
    unique_by=lambda row: row.key,
    max_size=20,
)
steps = st.lists(
    st.tuples(st.just("apply"), rows_of)
    | st.tuples(st.just("merge"), rows_of)
    | st.tuples(st.just("sort"), st.tuples(st.integers(-1, 2), st.sampled_from([ASCENDING, DESCENDING])))
    | st.tuples(st.just("filter"), st.sampled_from(["", "kano", "os", "lagos online"])),
    max_size=12,
)


class Mirror:
    """Follows a model by its signals alone, as a view does."""

    def __init__(self, model: RowsModel[Row]) -> None:
        self.model = model
        self.rows: list[Row] = list(model.rows)
        model.rowsInserted.connect(self._on_inserted)
        model.rowsRemoved.connect(self._on_removed)
        model.dataChanged.connect(self._on_changed)
        model.modelReset.connect(self._on_reset)
        model.layoutChanged.connect(self._on_reset)

    def _on_inserted(self, _parent: Any, first: int, last: int) -> None:
        self.rows[first:first] = self.model.rows[first : last + 1]

    def _on_removed(self, _parent: Any, first: int, last: int) -> None:
        del self.rows[first : last + 1]

    def _on_changed(self, first: Any, last: Any) -> None:
        self.rows[first.row() : last.row() + 1] = self.model.rows[first.row() : last.row() + 1]

    def _on_reset(self) -> None:
        self.rows = list(self.model.rows)


@settings(max_examples=150, deadline=None)
@given(steps)
def test_whoever_follows_the_signals_sees_the_same_rows(history: list[tuple[str, Any]]) -> None:
    model = RowsModel(columns(), key=lambda row: row.key)
    mirror = Mirror(model)
    kept: dict[int, Row] = {}
    for what, value in history:
        pointers = {row.key: QPersistentModelIndex(model.index_of(row.key)) for row in model.rows}
        if what == "apply":
            kept = {row.key: row for row in value}
            model.apply(value)
        elif what == "merge":
            kept.update({row.key: row for row in value})
            model.merge(value)
        elif what == "sort":
            model.sort(*value)
        else:
            model.set_filter(value)
        assert mirror.rows == model.rows
        assert {row.key: row for row in model.rows}.items() <= kept.items()
        for key, pointer in pointers.items():
            found = model.row_at(pointer)
            assert found is None or found.key == key
    model.sort(-1)
    model.set_filter("")
    assert {row.key for row in model.rows} == set(kept)


def test_many_scattered_changes_are_one_reset(model: RowsModel[Row], qtbot: QtBot) -> None:
    model.apply([Row(n, f"{n % 2}") for n in range(400)])
    with qtbot.waitSignal(model.modelReset), qtbot.assertNotEmitted(model.rowsRemoved):
        model.set_predicate(lambda row: row.key % 2 == 0)
    assert isinstance(model, QAbstractItemModel)
    assert model.rowCount() == 200


def test_a_heading_names_what_its_values_are_in_and_follows_it(qtmodeltester: ModelTester) -> None:
    zone = ["WAT"]
    timed = (Column[Row]("at", "Time", lambda row: row.name, note=lambda: zone[0]), *columns())
    model = RowsModel(timed, key=lambda row: row.key)
    qtmodeltester.check(model)
    model.sort(0, DESCENDING)
    assert model.headerData(0, Qt.Orientation.Horizontal) == "Time (WAT) ↓"
    zone[0] = "UTC"
    assert model.headerData(0, Qt.Orientation.Horizontal) == "Time (UTC) ↓"
