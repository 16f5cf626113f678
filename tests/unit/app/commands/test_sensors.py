"""``sensors``: the workbench without a window, against a simulated bus; ports borrowed from a running engine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from adapters.fuel_monitoring.bench import link
from adapters.fuel_monitoring.simulator.bus import SensorBus
from adapters.fuel_monitoring.simulator.sensors import LlsSensor
from app.catalogue import Catalogue
from app.clock import SystemClock
from app.commands.bench_session import addresses_of
from app.engine.commands import finish_command, take_commands
from app.engine.facts import ENGINE_FACT
from app.fuel.profiles import Profile, load_profile, save_profile
from app.paths import Paths
from app.store.facts import set_fact
from app.store.store import Store
from app.store.tables import Act, Command
from tests.adapters.fuel_monitoring.lines import needs_pty
from tests.helpers.command_line import CommandLine, assert_refused
from tests.helpers.disks import files_of_at_most

pytestmark = needs_pty
LENT = {"ok": True, "lent_by": ["Fuel of depot"]}


@pytest.fixture
def sensor() -> LlsSensor:
    return LlsSensor(1)


@pytest.fixture
def bus(tmp_path: Path, sensor: LlsSensor) -> Iterator[SensorBus]:
    with SensorBus.on_pty([sensor, LlsSensor(2)], tmp_path / "ttyUSB0") as bus:
        yield bus


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    from adapters.fuel_monitoring.bench import BENCH

    monkeypatch.setattr("adapters.fuel_monitoring.bench.lls.LISTEN_S", 0.05)
    monkeypatch.setattr(link.Link, "answer_s", lambda _self, _ask: 0.1)
    monkeypatch.setattr(Catalogue, "bench", lambda _self, _key: BENCH)


def store_of(cli: CommandLine) -> Store:
    return Store.open(Paths(cli.data_dir).store_url)


def test_ports_and_dialects_are_listed(bare: CommandLine) -> None:
    assert isinstance(bare("sensors", "ports", "--json").json, list)
    dialects = bare("sensors", "dialects", "--json").json
    assert {"lls", "modbus", "slcan", "elm327"} <= {one["key"] for one in dialects}
    assert dialects[0]["addresses"] == [1, 254]


def test_scan_finds_the_sensors(bare: CommandLine, bus: SensorBus) -> None:
    found = bare("sensors", "scan", bus.port, "--addresses", "1-3", "--json").json
    assert [(one["address"], one["speed"], one["title"]) for one in found] == [
        (1, 19_200, "LLS 30160, level 2048, 21 °C"),
        (2, 19_200, "LLS 30160, level 2048, 21 °C"),
    ]
    assert found[0].keys() == {"address", "speed", "dialect", "title", "talks_unasked"}
    assert "found 1: LLS 30160" in bare("sensors", "scan", bus.port, "--addresses", "1").err


def test_read_gives_levels_of_several_sensors(bare: CommandLine, bus: SensorBus) -> None:
    bus.faults.silent = {2}
    rows = bare("sensors", "read", bus.port, 1, 2, "--json").json
    assert [(one["address"], one["value"], one["temperature_c"], one["raw"]) for one in rows] == [
        (1, 2048.0, 21.0, 2550.0),
        (2, None, None, None),
    ]
    assert rows[0]["time"].endswith("Z")
    assert "does not answer" in rows[1]["why"]
    assert bare("sensors", "read", bus.port, 2).status == 1


def test_settings_and_writes(cli: CommandLine, bus: SensorBus, sensor: LlsSensor) -> None:
    settings = {one["name"]: one for one in cli("sensors", "settings", bus.port, 1, "--json").json}
    assert settings["filter_length"]["value"] == 5
    assert settings["output_mode"]["choices"]["1"] == "binary"
    assert settings["cnt_full"]["read_only_why"]
    written = cli("sensors", "write", bus.port, 1, "filter_length=9", "--json").json
    assert written == [{"name": "filter_length", "before": 5, "wanted": 9, "read_back": 9, "ok": True}]
    assert sensor.filter_length == 9
    assert_refused(cli("sensors", "write", bus.port, 1, "address=4"), "The maker publishes no command")
    assert cli("sensors", "write", bus.port, 1, "filter_length").status == 2
    store = store_of(cli)
    with store.read() as connection:
        (act,) = connection.execute(Act.__table__.select()).mappings().all()
    store.close()
    assert (act["what"], act["after"]["filter_length"]) == ("sensor.write", 9)


def test_a_write_that_does_not_hold_is_a_refusal(bare: CommandLine, bus: SensorBus, sensor: LlsSensor) -> None:
    sensor.forgets_writes = True
    outcome = bare("sensors", "write", bus.port, 1, "filter_length=9", "interval_s=4", "--json")
    assert outcome.status == 1
    assert json.loads(outcome.out)[0]["read_back"] == 5
    assert "9 was written and 5 came back. 1 more was not tried" in outcome.err


def test_a_write_that_cannot_be_read_back_is_recorded_and_refused(cli: CommandLine, tmp_path: Path) -> None:
    class FallsSilent(LlsSensor):
        def _write(self, command: int, value: int) -> bytes | None:
            done = super()._write(command, value)
            self.knows_settings = False
            return done

    with SensorBus.on_pty([FallsSilent(1)], tmp_path / "ttyUSB0") as bus:
        outcome = cli("sensors", "write", bus.port, 1, "filter_length=9", "--json")
    assert outcome.status == 1
    assert json.loads(outcome.out)[0]["read_back"] is None
    assert "filter_length was written as 9 and could not be read back" in outcome.err
    store = store_of(cli)
    with store.read() as connection:
        (act,) = connection.execute(Act.__table__.select()).mappings().all()
    store.close()
    assert act["after"] == {"filter_length": None, "wanted": {"filter_length": 9}}


def test_identify_and_history(bare: CommandLine, bus: SensorBus) -> None:
    facts = bare("sensors", "identify", bus.port, 1, "--json").json
    assert (facts["model"], facts["details"]["count empty"]) == ("LLS 30160", "1200")
    assert [one["what"] for one in bare("sensors", "history", bus.port, 1, "--json").json] == ["programmed", "address"]


def test_a_profile_goes_from_one_sensor_to_another_and_back(
    bare: CommandLine, bus: SensorBus, sensor: LlsSensor, tmp_path: Path
) -> None:
    file = tmp_path / "tank.json"
    sensor.filter_length, sensor.interval_s = 12, 30
    assert bare("sensors", "profile", "save", bus.port, 1, file, "--json").json["settings"]["filter_length"] == 12
    rows = bare("sensors", "profile", "compare", bus.port, 2, file, "--json").json
    assert {one["name"] for one in rows if not one["same"]} == {"interval_s", "filter_length", "address"}
    written = bare("sensors", "profile", "write", bus.port, 2, file, "--json")
    assert {(one["name"], one["ok"]) for one in written.json} == {("interval_s", True), ("filter_length", True)}
    other = bus.sensors[1]
    assert isinstance(other, LlsSensor)
    assert (other.filter_length, other.address) == (12, 2)
    back = tmp_path / "tank.before-2.json"
    assert str(back) in written.err
    assert bare("sensors", "profile", "write", bus.port, 2, back).status == 0
    assert other.filter_length == 5


def test_a_second_run_keeps_what_the_sensor_held_before_the_first(
    bare: CommandLine, bus: SensorBus, sensor: LlsSensor, tmp_path: Path
) -> None:
    file, before = tmp_path / "tank.json", tmp_path / "tank.before-1.json"
    bare("sensors", "profile", "save", bus.port, 2, file)
    sensor.filter_length, sensor.forgets_writes = 12, True
    assert bare("sensors", "profile", "write", bus.port, 1, file).status == 1
    sensor.filter_length, sensor.forgets_writes = 7, False  # the first run held in part
    again = bare("sensors", "profile", "write", bus.port, 1, file)
    assert again.status == 0
    assert "tank.before-1-2.json" in again.err
    assert json.loads(before.read_text())["settings"]["filter_length"] == 12
    assert json.loads((tmp_path / "tank.before-1-2.json").read_text())["settings"]["filter_length"] == 7
    unchanged = bare("sensors", "profile", "write", bus.port, 1, file, "--json")
    assert (unchanged.status, unchanged.json) == (0, [])
    assert len(list(tmp_path.glob("tank.before-*"))) == 2  # where nothing is written there is nothing to go back to


def test_a_capture_is_kept_and_replayed(bare: CommandLine, bus: SensorBus, tmp_path: Path) -> None:
    file = tmp_path / "c.jsonl"
    told = bare("sensors", "capture", bus.port, file, "--poll", 1, "--seconds", 0.4, "--json").json
    assert json.loads(file.read_text().splitlines()[0])["speed"] == 19_200
    assert told["lines"] >= 2
    lines = bare("sensors", "replay", file, "--json").json_lines
    assert len(lines) == told["lines"]
    fields: dict[str, Any] = next(one["fields"] for one in lines if "level" in one["fields"])
    assert fields["level"] == "2048"
    assert_refused(bare("sensors", "capture", bus.port, file, "--seconds", 0.1), "exists already")
    assert_refused(bare("sensors", "replay", bus.port + "x"), "cannot be read")


def test_a_capture_ends_when_the_disk_takes_no_more(bare: CommandLine, bus: SensorBus, tmp_path: Path) -> None:
    file = tmp_path / "c.jsonl"
    with files_of_at_most(150):
        outcome = bare("sensors", "capture", bus.port, file, "--poll", 1, "--seconds", 30)
    assert_refused(outcome, "c.jsonl ended: File too large. What was written before is kept.")


def test_the_monitor_shows_what_passes(bare: CommandLine, bus: SensorBus) -> None:
    plain = bare("sensors", "monitor", bus.port, "--poll", 1, "--seconds", 0.4).out
    assert "→ 31 01 06 6C" in plain
    assert "level 2048" in plain
    rows = bare("sensors", "monitor", bus.port, "--poll", 1, "--seconds", 0.4, "--json").json_lines
    assert {one["direction"] for one in rows} >= {"sent", "received"}


def test_what_cannot_be_done_is_refused(bare: CommandLine, bus: SensorBus) -> None:
    assert_refused(bare("sensors", "read", str(Path(bus.port).parent / "none"), 1), "There is no port")
    assert_refused(bare("sensors", "scan", bus.port, "--dialect", "klingon"), "no dialect “klingon”")
    assert bare("sensors", "scan", bus.port, "--addresses", "0-300").status == 2


def test_addresses_are_written_as_ranges() -> None:
    assert addresses_of("1-3, 12,2", range(1, 255)) == [1, 2, 3, 12]


def test_a_running_engine_is_asked_for_the_port(cli: CommandLine, bus: SensorBus) -> None:
    store, clock = store_of(cli), SystemClock()
    beat = {"state": "running", "beat_at_ms": clock.now_ms()}
    store.write(lambda connection: set_fact(connection, ENGINE_FACT, beat)).result()
    done = threading.Event()

    def engine() -> None:
        while not done.wait(0.02):
            for wish in store.write(lambda connection: take_commands(connection, clock.now_ms())).result():
                answer = partial(finish_command, command_id=wish.id, outcome=LENT, now_ms=clock.now_ms())
                store.write(answer).result()

    thread = threading.Thread(target=engine)
    thread.start()
    try:
        outcome = cli("sensors", "read", bus.port, 1, "--json")
    finally:
        done.set()
        thread.join()
    assert outcome.json[0]["value"] == 2048
    assert f"“Fuel of depot” waits until {bus.port} is given back." in outcome.err
    with store.read() as connection:
        rows = connection.execute(Command.__table__.select().order_by(Command.created_at, Command.id)).mappings().all()
    store.close()
    assert [(one["name"], one["payload"]["port"]) for one in rows] == [
        ("port.lend", bus.port),
        ("port.return", bus.port),
    ]


def test_profiles_are_kept_in_the_store(cli: CommandLine, tmp_path: Path) -> None:
    file, again = tmp_path / "a.json", tmp_path / "b.json"
    save_profile(file, Profile("lls", "LLS 5", "77", "1.2", 3, {"filter_length": 5}))
    (row,) = cli("sensors", "profile", "keep", file, "--name", "Lorry", "--note", "as poured", "--json").json
    assert (row["name"], row["dialect"], row["settings"], row["note"]) == (
        "Lorry", "lls", {"filter_length": 5}, "as poured",
    )  # fmt: skip
    assert cli("sensors", "profile", "list", "--dialect", "slcan", "--json").json == []
    assert cli("sensors", "profile", "list", "--json").json == [row]
    assert cli("sensors", "profile", "export", "lorry", again, "--json").json["file"] == str(again)
    assert load_profile(again) == load_profile(file)
    assert_refused(cli("sensors", "profile", "export", "van", again), "van")
    assert cli("sensors", "profile", "remove", row["id"][-8:], "--json").json == [row]
    assert_refused(cli("sensors", "profile", "remove", "Lorry"), "Lorry")
