"""Profiles of sensors: saved, compared, never copying what belongs to one sensor alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapters.bench import SensorFacts, SensorSetting, Written
from app.fuel.profiles import (
    Profile,
    ProfileError,
    changes_to_write,
    compare,
    load_profile,
    profile_of,
    record_writes,
    save_profile,
)
from app.security.audit import verify_acts
from app.store.tables import Act
from tests.helpers.stores import make_store

SETTINGS = (
    SensorSetting("filter_length", "Filter length", 5, minimum=0, maximum=20),
    SensorSetting("interval_s", "Interval", 1, "s", 0, 255),
    SensorSetting("cnt_empty", "Count when empty", 1200, read_only_why="The maker's own."),
    SensorSetting("address", "Address", 1),
)
FACTS = SensorFacts(1, "lls", "LLS 30160", "77", "1.24")


def test_a_profile_is_saved_and_read_back(tmp_path: Path) -> None:
    profile = profile_of(FACTS, SETTINGS)
    save_profile(tmp_path / "p.json", profile)
    assert load_profile(tmp_path / "p.json") == profile
    assert profile.settings == {"filter_length": 5, "interval_s": 1, "cnt_empty": 1200, "address": 1}


def test_only_what_differs_and_may_be_written_is_written() -> None:
    wanted = {"filter_length": 9, "interval_s": 1, "cnt_empty": 1300, "address": 7, "colour": 3}
    differences = compare(Profile("lls", "", "", "", 7, wanted), SETTINGS)
    assert changes_to_write(differences) == {"filter_length": 9}
    by_name = {one.name: one for one in differences}
    assert by_name["interval_s"].is_same
    assert by_name["cnt_empty"].why_not == "The maker's own."
    assert "belongs to the sensor" in by_name["address"].why_not
    assert by_name["colour"].why_not == "This sensor has no such setting."


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"profile": 2, "settings": {"a": 1}}', '{"profile": 1, "settings": {"a": [1]}}', "[" * 50_000],
)
def test_what_is_no_profile_says_so(tmp_path: Path, content: str) -> None:
    (tmp_path / "p.json").write_text(content)
    with pytest.raises(ProfileError):
        load_profile(tmp_path / "p.json")
    with pytest.raises(ProfileError, match="cannot be read"):
        load_profile(tmp_path / "nothing")
    with pytest.raises(ProfileError, match="cannot be written"):
        save_profile(tmp_path / "no" / "p.json", profile_of(FACTS, SETTINGS))


def test_writes_are_kept_in_the_record_of_acts(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    written = [Written("filter_length", 5, 9, 9)]
    store.write(lambda connection: record_writes(connection, "/dev/ttyUSB0", {"address": 1}, written)).result()
    with store.read() as connection:
        (act,) = connection.execute(Act.__table__.select()).mappings().all()
        assert verify_acts(connection).ok
    store.close()
    assert (act["what"], act["subject"]) == ("sensor.write", "sensor 1 at /dev/ttyUSB0")
    assert act["before"] == {"filter_length": 5}
    assert json.loads(json.dumps(act["after"])) == {"filter_length": 9, "wanted": {"filter_length": 9}}
