"""The table as an operator uses it."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from tests.helpers.sample_pages import Truck, truck_columns
from widgets.data_table import DataTable
from widgets.rows_model import RowsModel
from widgets.theme import Theme

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def table(theme: Theme, qtbot: QtBot) -> DataTable[Truck]:
    model = RowsModel(truck_columns(), key=lambda truck: truck.plate)
    made = DataTable(theme, model, "Trucks", multiple=True)
    made.set_empty("truck", "No trucks yet", "Add one with the button above.")
    made.resize(760, 420)
    qtbot.addWidget(made)
    made.show()
    return made


def fill(table: DataTable[Truck], count: int = 5) -> None:
    table.model.apply([Truck(f"KAN-{n}", "x" * (count - n)) for n in range(count)])


def click_header(qtbot: QtBot, table: DataTable[Truck], section: int) -> None:
    header = table.view.horizontalHeader()
    where = QPoint(header.sectionViewportPosition(section) + 20, header.height() // 2)
    qtbot.mouseClick(header.viewport(), LEFT, pos=where)


def plates(table: DataTable[Truck]) -> list[str]:
    return [row.plate for row in table.model.rows]


def test_a_click_on_a_heading_sorts_and_the_next_click_turns_it(table: DataTable[Truck], qtbot: QtBot) -> None:
    fill(table)
    click_header(qtbot, table, 3)
    assert plates(table) == ["KAN-4", "KAN-3", "KAN-2", "KAN-1", "KAN-0"]
    click_header(qtbot, table, 3)
    assert plates(table) == ["KAN-0", "KAN-1", "KAN-2", "KAN-3", "KAN-4"]


def test_an_empty_table_says_what_to_do_and_an_empty_search_something_else(table: DataTable[Truck]) -> None:
    def said() -> str:
        widget = table._stack.currentWidget()
        return getattr(widget, "title").text() if widget is not table.view else ""  # noqa: B009 - EmptyState or view

    assert said() == "No trucks yet"
    fill(table)
    assert said() == ""
    table.model.set_filter("no such truck")
    assert said() == "Nothing matches"


def test_columns_are_chosen_in_the_headers_menu_and_the_last_one_stays(table: DataTable[Truck]) -> None:
    fill(table)
    actions = {action.text(): action for action in table.columns_menu().actions()}
    assert list(actions) == ["Plate", "State", "Name", "Length"]
    for name in ("State", "Name", "Length"):
        actions[name].trigger()
    assert table.sheet().headings == ("Plate",)
    only = {action.text(): action for action in table.columns_menu().actions()}
    assert not only["Plate"].isEnabled()
    only["Name"].trigger()
    assert table.sheet().headings == ("Plate", "Name")


def test_the_sheet_is_what_is_seen_in_order_and_filter(table: DataTable[Truck]) -> None:
    fill(table)
    table.view.horizontalHeader().moveSection(2, 0)
    table.sort_by("length", descending=True)
    table.model.set_filter("xxx")
    sheet = table.sheet("Trucks of today")
    assert sheet.title == "Trucks of today"
    assert sheet.headings == ("Name", "Plate", "State", "Length")
    assert [row[1] for row in sheet.rows] == ["KAN-0", "KAN-1", "KAN-2"]


def test_state_survives_a_new_table_and_odd_entries_cost_only_themselves(
    table: DataTable[Truck], theme: Theme, qtbot: QtBot
) -> None:
    table.view.horizontalHeader().moveSection(3, 0)
    table.view.horizontalHeader().setSectionHidden(1, True)
    table.view.horizontalHeader().resizeSection(0, 222)
    table.sort_by("name", descending=True)
    state = table.state()
    state["order"].insert(1, "a column of an older release")
    other = DataTable(theme, RowsModel(truck_columns(), key=lambda truck: truck.plate), "Other")
    qtbot.addWidget(other)
    other.restore(state)
    assert other.sheet().headings == ("Length", "Plate", "Name")
    assert other.view.horizontalHeader().sectionSize(0) == 222
    assert other.state()["sort"] == ["name", Qt.SortOrder.DescendingOrder.value]


def test_selection_and_place_survive_new_rows_sorting_and_a_reset(table: DataTable[Truck]) -> None:
    fill(table, 300)
    assert table.select_key("KAN-200")
    place = table.view.verticalScrollBar().value()
    assert place > 0
    fill(table, 301)
    assert [row.plate for row in table.selected_rows()] == ["KAN-200"]
    assert table.view.verticalScrollBar().value() == place
    table.sort_by("name")
    assert [row.plate for row in table.selected_rows()] == ["KAN-200"]
    table.model.set_predicate(lambda truck: int(truck.plate[4:]) % 2 == 0)
    assert [row.plate for row in table.selected_rows()] == ["KAN-200"]
    assert not table.select_key("KAN-201")


def test_enter_opens_the_row_and_copy_takes_what_is_seen(table: DataTable[Truck], qtbot: QtBot) -> None:
    fill(table)
    table.select_key("KAN-3")
    table.view.setFocus()
    with qtbot.waitSignal(table.activated) as opened:
        qtbot.keyClick(table.view, Qt.Key.Key_Return)
    assert opened.args == [Truck("KAN-3", "xx")]
    table.copy_selection()
    assert QApplication.clipboard().text().split("\t")[0::2] == ["KAN-3", "xx"]


def test_every_cell_paints_in_every_theme(table: DataTable[Truck], theme: Theme) -> None:
    fill(table, 30)
    for mode in ("light", "dark", "contrast"):
        theme.set_mode(mode)
        picture = table.grab().toImage()
        assert picture.pixelColor(5, picture.height() - 20).name() == theme.tokens["card"]
