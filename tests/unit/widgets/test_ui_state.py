"""State by name; one bad entry costs only itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from app.preferences import JsonFile
from tests.helpers.qt import ExpectedLogs
from widgets.ui_state import UiState


def test_what_was_taken_is_given_next_time(tmp_path: Path, qapp: object) -> None:
    file = tmp_path / "window.json"
    state = UiState(JsonFile(file))
    state.register("table", lambda: {"order": ["a", "b"]}, lambda _value: None)
    state.close()
    given: list[Any] = []
    again = UiState(JsonFile(file))
    again.register("table", dict, given.append)
    again.register("never saved", dict, given.append)
    again.close()
    assert given == [{"order": ["a", "b"]}]


def test_one_bad_entry_does_not_spoil_the_rest(tmp_path: Path, qapp: object, expected_logs: ExpectedLogs) -> None:
    file = tmp_path / "window.json"
    file.write_text(json.dumps({"good": 1, "odd": {"no": "such key"}}), encoding="utf-8")
    expected_logs.allow("The saved state of odd is ignored")
    expected_logs.allow("The state of broken cannot be saved")
    given: list[Any] = []

    def give_odd(value: dict[str, int]) -> None:
        given.append(value["width"])

    def take_broken() -> object:
        raise ZeroDivisionError

    state = UiState(JsonFile(file))
    state.register("odd", lambda: {"width": 3}, give_odd)
    state.register("broken", take_broken, given.append)
    state.register("good", lambda: 2, given.append)
    state.close()
    assert given == [1]
    assert json.loads(file.read_text(encoding="utf-8")) == {"good": 2, "odd": {"width": 3}}


def test_a_part_that_is_closed_early_keeps_its_last_state(tmp_path: Path, qapp: object) -> None:
    file = tmp_path / "window.json"
    state = UiState(JsonFile(file))
    state.register("dialog", lambda: 7, lambda _value: None)
    state.unregister("dialog")
    state.close()
    assert json.loads(file.read_text(encoding="utf-8")) == {"dialog": 7}


def test_a_folder_that_cannot_be_written_is_a_line_in_the_log(
    tmp_path: Path, qapp: object, expected_logs: ExpectedLogs
) -> None:
    expected_logs.allow("The window's state cannot be saved")
    state = UiState(JsonFile(tmp_path / "gone" / "window.json"))
    state.register("x", lambda: 1, lambda _value: None)
    state.close()
