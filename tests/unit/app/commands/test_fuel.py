"""``fuel analyse``: files in, one JSON object out; a sentence for each file that cannot be read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.command_line import CommandLine, assert_refused
from tests.helpers.fuel_generator import drive


@pytest.fixture
def recorded(tmp_path: Path) -> tuple[Path, Path]:
    """A week of one vehicle with a refuel or more, and its tank's table."""
    truth = drive(3, days=7)
    rows = zip(truth.samples.time_s, truth.samples.raw, truth.samples.speed_km_h, truth.samples.ignition, strict=True)
    lines = [f"{at:.0f};{'' if np.isnan(raw) else f'{raw:.0f}'};{speed:.1f};{on}" for at, raw, speed, on in rows]
    samples, table = tmp_path / "KAN-552XA.csv", tmp_path / "tank.csv"
    samples.write_text("time;level_raw;speed_km_h;ignition\n" + "\n".join(lines).replace(".", ","), "utf-8")
    table.write_text("raw,litres\n" + "".join(f"{raw:g},{litres:g}\n" for raw, litres in truth.table.rows()), "utf-8")
    return samples, table


def test_the_analysis_has_the_documented_shape(cli: CommandLine, recorded: tuple[Path, Path]) -> None:
    samples, table = recorded
    found = cli("fuel", "analyse", samples, "--tank", table, "--json").json
    assert found["vehicle"] == "KAN-552XA"
    assert {"consumed_litres", "distance_km", "l_per_100_km", "l_per_engine_hour"} <= found["consumption"].keys()
    assert 0 <= found["quality"]["score"] <= 100
    assert {event["kind"] for event in found["events"]} >= {"refuel"}
    for event in found["events"]:
        assert event["kind"] in ("refuel", "drain")
        assert event["start"] < event["end"]
        assert event["start"].endswith("Z")
        assert 0 < event["confidence"] < 1
        assert event["litres"] > 0
        assert {"level_before_l", "level_after_l"} <= event.keys()


def test_settings_change_what_counts(cli: CommandLine, recorded: tuple[Path, Path], tmp_path: Path) -> None:
    samples, table = recorded
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"vehicle_class": "truck", "minimum_refuel_l": 200}), "utf-8")
    found = cli("fuel", "analyse", samples, "--tank", table, "--settings", settings, "--json").json
    assert not [event for event in found["events"] if event["kind"] == "refuel" and event["litres"] < 200]


def test_without_json_it_is_told_in_lines(cli: CommandLine, recorded: tuple[Path, Path]) -> None:
    samples, table = recorded
    told = cli("fuel", "analyse", samples, "--tank", table)
    assert told.status == 0
    assert "refuel" in told.out
    assert "Quality of the sensor" in told.out


@pytest.mark.parametrize(("text", "word"), [
    ('{"minimum_drain_l": 900}', "2 to 200"), ('{"vehicle_class": "tram"}', "vehicle_class"),
    ("[1]", "one JSON object"), ("{", "not complete JSON"), ('{"colour": 1}', "no parameter"),
])  # fmt: skip
def test_settings_that_cannot_be_are_refused(
    cli: CommandLine, recorded: tuple[Path, Path], tmp_path: Path, text: str, word: str
) -> None:
    settings = tmp_path / "settings.json"
    settings.write_text(text, "utf-8")
    assert_refused(cli("fuel", "analyse", recorded[0], "--tank", recorded[1], "--settings", settings), word)


def test_files_that_cannot_be_are_refused(cli: CommandLine, recorded: tuple[Path, Path], tmp_path: Path) -> None:
    rubbish = tmp_path / "rubbish.csv"
    rubbish.write_bytes(bytes(range(256)) * 40)
    assert_refused(cli("fuel", "analyse", rubbish), "not a text file")
    assert_refused(cli("fuel", "analyse", recorded[0], "--tank", rubbish), "rubbish.csv")
    assert_refused(cli("fuel", "analyse", tmp_path / "none.csv"), "cannot be read")
