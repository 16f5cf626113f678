"""Every kind of setting as a control: what it shows, what it gives back, and that it can be reached and named."""

from __future__ import annotations

import asyncio
from typing import Any, get_args

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QCheckBox, QComboBox, QLabel, QLineEdit, QSpinBox
from pytestqt.qtbot import QtBot

from adapters.base import SettingKind, Settings, setting, settings_form
from adapters.bench import PortInfo
from dialogs.settings_fields import EDITORS, FieldRow, FormTools, SerialPortEditor, make_row
from dialogs.settings_form import SettingsForm
from tests.helpers.qt import until
from widgets.theme import Theme


class Everything(Settings):
    """One field of each kind."""

    word: str = setting("Word", "text", help="Any word.", example="depot")
    names: list[str] = setting("Device IDs", "text", default=["a"])
    address: str = setting("Address", "url", default="", example="https://example.org")
    machine: str = setting("Machine", "host", default="localhost")
    key: str | None = setting("Key", "secret", default=None)
    every: int = setting("Ask every", "number", default=60, unit="s", ge=10, le=100)
    ratio: float = setting("Ratio", "number", default=0.5, ge=0.0, le=1.0)
    most: int | None = setting("At most", "number", default=None, ge=0, example="7")
    port: int = setting("Port", "port", default=5022, ge=0, le=65535)
    way: str = setting("Way", "choice", default="b", choices={"a": "First", "b": "Second"})
    live: bool = setting("Live", "switch", default=True, help="Keeps a line open.", tab="sync")
    file: str = setting("File", "file", default="")
    line: str = setting("Line", "serial_port", default="", shown_when={"way": ("a",)})
    pin: str = setting("Pin", "fingerprint", default="")


SPECS = {spec.name: spec for spec in settings_form(Everything)}


@pytest.fixture
def tools(theme: Theme) -> FormTools:
    return FormTools(theme, lambda coroutine, _name: coroutine.close())


def row_of(name: str, tools: FormTools, qtbot: QtBot) -> FieldRow:
    row = make_row(SPECS[name], tools)
    qtbot.addWidget(row)
    row.show()
    return row


def test_there_is_an_editor_for_every_kind() -> None:
    assert set(EDITORS) == set(get_args(SettingKind))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("word", "tyre"),
        ("names", ["x", "y z"]),
        ("address", "https://gps.example.org"),
        ("machine", "10.0.0.9"),
        ("every", 30),
        ("ratio", 0.25),
        ("most", 12),
        ("most", None),
        ("port", 0),
        ("way", "a"),
        ("live", False),
        ("file", "/etc/hosts"),
        ("line", "/dev/ttyUSB7"),
        ("pin", "AB:CD"),
    ],
)
def test_a_value_comes_back_as_it_was_set(name: str, value: Any, tools: FormTools, qtbot: QtBot) -> None:
    row = row_of(name, tools, qtbot)
    assert row.editor.value() == (SPECS[name].default or ("" if SPECS[name].required else SPECS[name].default))
    row.editor.set_value(value)
    assert row.editor.value() == value


def test_a_list_is_typed_with_commas(tools: FormTools, qtbot: QtBot) -> None:
    row = row_of("names", tools, qtbot)
    line = row.editor.input
    assert isinstance(line, QLineEdit)
    line.clear()
    QTest.keyClicks(line, " 358 ,, 359,")
    assert row.editor.value() == ["358", "359"]


@pytest.mark.parametrize("name", SPECS)
def test_every_control_has_its_name_its_label_and_its_help(name: str, tools: FormTools, qtbot: QtBot) -> None:
    row = row_of(name, tools, qtbot)
    spec = SPECS[name]
    assert row.editor.input.accessibleName() == spec.label
    assert spec.help in row.editor.input.accessibleDescription()
    if spec.kind == "switch":
        assert isinstance(row.editor.input, QCheckBox)
        assert row.editor.input.text() == spec.label
    else:
        buddies = [label.buddy() for label in row.findChildren(QLabel) if label.text() == spec.label]
        assert buddies == [row.editor.input]
    assert (spec.help in [label.text() for label in row.findChildren(QLabel)]) or not spec.help
    assert row.editor.focusProxy() is row.editor.input


def test_numbers_show_their_unit_and_keep_their_bounds(tools: FormTools, qtbot: QtBot) -> None:
    row = row_of("every", tools, qtbot)
    box = row.editor.input
    assert isinstance(box, QSpinBox)
    assert box.text() == "60 s"
    box.setValue(5)
    assert row.editor.value() == 10
    assert "Example: 7" in row_of("most", tools, qtbot).help.text()


@pytest.mark.parametrize("name", ["every", "way"])
def test_the_wheel_changes_nothing_without_the_focus(name: str, tools: FormTools, qtbot: QtBot) -> None:
    row = row_of(name, tools, qtbot)
    before = row.editor.value()
    box = row.editor.input
    box.clearFocus()
    centre = QPointF(box.rect().center())
    event = QWheelEvent(
        centre,
        box.mapToGlobal(centre),
        QPoint(),
        QPoint(0, -120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(box, event)
    assert row.editor.value() == before


def test_a_secret_is_hidden_until_somebody_asks(tools: FormTools, qtbot: QtBot) -> None:
    row = row_of("key", tools, qtbot)
    line = row.editor.input
    assert isinstance(line, QLineEdit)
    assert line.echoMode() is QLineEdit.EchoMode.Password
    row.editor.set_stored()
    assert (line.text(), line.placeholderText()) == ("", "stored — type to replace")
    (eye,) = line.actions()
    assert not eye.isVisible()
    QTest.keyClicks(line, "abc")
    assert eye.isVisible()
    eye.trigger()
    assert line.echoMode() is QLineEdit.EchoMode.Normal
    line.clear()
    assert line.echoMode() is QLineEdit.EchoMode.Password


def test_an_error_lands_below_its_field_and_goes_with_the_next_key(tools: FormTools, qtbot: QtBot) -> None:
    row = row_of("word", tools, qtbot)
    row.show_error("Word is needed.")
    assert row.error_text == "Word is needed."
    assert row.editor.input.property("invalid") == "true"
    assert row.editor.input.accessibleDescription() == "Word is needed."
    QTest.keyClicks(row.editor.input, "x")
    assert row.error_text == ""
    assert row.editor.input.property("invalid") == "false"
    assert row.editor.input.accessibleDescription() == "Any word."


async def test_serial_ports_are_listed_on_demand_and_what_was_typed_stays(theme: Theme, qtbot: QtBot) -> None:
    started: list[asyncio.Task[Any]] = []

    def spawn(coroutine: Any, name: str) -> None:
        started.append(asyncio.get_running_loop().create_task(coroutine, name=name))

    row = make_row(SPECS["line"], FormTools(theme, spawn))
    qtbot.addWidget(row)
    editor = row.editor
    assert isinstance(editor, SerialPortEditor)
    box = editor.input
    assert isinstance(box, QComboBox)
    box.setEditText("/dev/my-port")
    QTest.mouseClick(editor.again, Qt.MouseButton.LeftButton)
    await until(lambda: started and started[0].done())
    assert started[0].exception() is None
    assert editor.value() == "/dev/my-port"
    await asyncio.get_running_loop().shutdown_default_executor()


async def test_an_adapter_is_entered_by_its_serial_number(theme: Theme, qtbot: QtBot) -> None:
    started: list[asyncio.Task[Any]] = []

    def spawn(coroutine: Any, name: str) -> None:
        started.append(asyncio.get_running_loop().create_task(coroutine, name=name))

    ports = [
        PortInfo("/dev/ttyUSB0", "FT232R", "usb:0403:6001:A50285BI"),
        PortInfo("/dev/ttyS0", "Serial port", "", "minicom (process 7)"),
    ]
    row = make_row(SPECS["line"], FormTools(theme, spawn, lambda: ports))
    qtbot.addWidget(row)
    editor = row.editor
    assert isinstance(editor, SerialPortEditor)
    editor.set_value("usb:0403:6001:A50285BI")
    QTest.mouseClick(editor.again, Qt.MouseButton.LeftButton)
    await until(lambda: started and started[0].done())
    box = editor.input
    assert isinstance(box, QComboBox)
    assert box.currentText() == "/dev/ttyUSB0 — FT232R"
    assert editor.value() == "usb:0403:6001:A50285BI"
    box.setCurrentIndex(1)
    assert editor.value() == "/dev/ttyS0"
    assert "in use by minicom" in box.currentText()
    await asyncio.get_running_loop().shutdown_default_executor()


def test_a_form_gives_only_what_is_shown_and_keeps_what_is_hidden(tools: FormTools, qtbot: QtBot) -> None:
    changes: list[None] = []
    form = SettingsForm(
        tuple(SPECS.values()),
        tools,
        lambda: changes.append(None),
        name="One",
        config={"word": "kept", "line": "/dev/ttyS0", "way": "b"},
        stored=frozenset({"key"}),
    )
    for area in form.areas.values():
        qtbot.addWidget(area)
        area.show()
    assert form.values()["word"] == "kept"
    assert "line" not in form.values()
    assert "key" not in form.values()
    assert form.secrets() == {}
    form.rows["way"].editor.set_value("a")
    assert form.values()["line"] == "/dev/ttyS0"
    assert form.rows["live"].window() is form.areas["sync"].window()
    assert changes


def test_a_model_without_a_schedule_says_so_on_its_tab(tools: FormTools, qtbot: QtBot) -> None:
    only = [spec for spec in SPECS.values() if spec.tab == "connection"]
    form = SettingsForm(only, tools, lambda: None, name="", config={}, stored=frozenset())
    for area in form.areas.values():
        qtbot.addWidget(area)
    words = [label.text() for label in form.areas["sync"].findChildren(QLabel)]
    assert any("Nothing to set here" in text for text in words)
