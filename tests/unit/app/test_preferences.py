from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.preferences import JsonFile, Preferences, PreferencesFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "preferences.json"


def test_what_was_saved_is_loaded(path: Path) -> None:
    wanted = Preferences(theme="dark", time_zone="Africa/Lagos", units="imperial", keep_engine_running=True)
    PreferencesFile(path).save(wanted)
    assert PreferencesFile(path).load() == wanted


def test_without_a_file_the_defaults_hold(path: Path) -> None:
    assert PreferencesFile(path).load() == Preferences()


def test_one_bad_entry_does_not_spoil_the_rest(path: Path) -> None:
    path.write_text(json.dumps({"version": 1, "theme": "pink", "time_zone": "Mars/Olympus", "units": "imperial"}))
    file = PreferencesFile(path)
    assert file.load() == Preferences(units="imperial")
    assert [warning.split("“")[1].split("”")[0] for warning in file.warnings] == ["theme", "time_zone"]


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"null", b"[" * 100_000])
def test_an_unreadable_file_is_set_aside_and_the_backup_used(path: Path, content: bytes) -> None:
    file = PreferencesFile(path)
    file.save(Preferences(theme="light"))
    file.save(Preferences(theme="dark"))
    path.write_bytes(content)
    assert file.load() == Preferences(theme="light")
    assert path.with_suffix(".json.damaged").read_bytes() == content


def test_a_newer_version_is_used_as_far_as_it_is_known(path: Path) -> None:
    path.write_text(json.dumps({"version": 99, "theme": "dark", "holograms": True}))
    file = PreferencesFile(path)
    assert file.load() == Preferences(theme="dark")
    assert file.warnings == ["The preferences were written by another release; what this one knows is used."]


def test_numbered_upgrades_run_in_order_from_the_files_version(path: Path) -> None:
    def first(entries: dict[str, Any]) -> dict[str, Any]:
        return {"look": entries["colours"]}

    def second(entries: dict[str, Any]) -> dict[str, Any]:
        return {"theme": entries["look"]}

    path.write_text(json.dumps({"version": 1, "colours": "dark"}))
    file = PreferencesFile(path, {1: first, 2: second})
    assert file.load() == Preferences(theme="dark")
    file.save(Preferences(theme="light"))
    assert json.loads(path.read_text())["version"] == 3
    assert file.load() == Preferences(theme="light")


def test_an_upgrade_that_fails_leaves_what_is_known(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.write_text(json.dumps({"version": 1, "units": "imperial"}))
    file = PreferencesFile(path, {1: lambda entries: {"theme": entries["colours"]}})
    assert file.load() == Preferences(units="imperial")
    assert file.warnings == ["Some preferences of an older release could not be taken over."]


def test_saving_the_same_again_keeps_the_backup(path: Path) -> None:
    file = JsonFile(path)
    file.save({"a": 1})
    file.save({"a": 2})
    file.save({"a": 2})
    path.unlink()
    assert file.load() == {"a": 1}


def test_a_window_state_that_is_far_too_large_is_set_aside(path: Path) -> None:
    path.write_text(json.dumps({"a": "x" * 2_000_000}))
    assert JsonFile(path).load() == {}
    assert path.with_suffix(".json.damaged").exists()


_values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.lists(st.text(max_size=5))


@settings(deadline=None)
@given(entries=st.dictionaries(st.sampled_from([*Preferences.__slots__, "version", "other"]), _values))
def test_any_object_loads(entries: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any-preferences.json"
    path.write_text(json.dumps(entries))
    assert isinstance(PreferencesFile(path).load(), Preferences)
