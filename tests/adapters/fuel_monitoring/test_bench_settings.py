"""What the workbench writes into a sensor: read back, refused, proved, or not called written."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from adapters.errors import NotReady, SettingsInvalid, Unsupported
from adapters.fuel_monitoring.simulator.sensors import EdeSensor, LlsSensor
from tests.adapters.fuel_monitoring.desk import at
from tests.adapters.fuel_monitoring.lines import needs_pty, until

pytestmark = needs_pty


async def test_writes_are_read_back_and_told(tmp_path: Path, quick: None) -> None:
    sensor = LlsSensor(1)
    async with at(tmp_path, [sensor]) as desk:
        written = await desk.session.write(1, {"filter_length": 12, "interval_s": "30", "output_mode": "Binary"})
        assert [(one.name, one.before, one.wanted, one.read_back) for one in written] == [
            ("filter_length", 5, 12, 12),
            ("interval_s", 1, 30, 30),
            ("output_mode", 0, 1, 1),
        ]
    assert (sensor.filter_length, sensor.interval_s, sensor.output_mode) == (12, 30, 1)
    assert "sensor 1, Filter length: 5 before, 12 written, 12 read back" in desk.notes


async def test_a_write_that_does_not_hold_ends_the_others(tmp_path: Path, quick: None) -> None:
    sensor = LlsSensor(1, forgets_writes=True)
    async with at(tmp_path, [sensor]) as desk:
        written = await desk.session.write(1, {"filter_length": 12, "interval_s": 30})
    assert [(one.name, one.read_back, one.ok) for one in written] == [("filter_length", 5, False)]
    assert any("it did not hold" in note for note in desk.notes)


async def test_a_refused_write_shows_what_the_sensor_holds(tmp_path: Path, quick: None) -> None:
    async with at(tmp_path, [LlsSensor(1, refuses_writes=True)]) as desk:
        (written,) = await desk.session.write(1, {"filter_length": 12})
    assert (written.read_back, written.ok) == (5, False)
    assert "the sensor refuses the write" in desk.notes


class FallsSilent(LlsSensor):
    """Takes one write, and answers nothing but readings from then on."""

    def _write(self, command: int, value: int) -> bytes | None:
        done = super()._write(command, value)
        self.knows_settings = False
        return done


async def test_a_write_that_cannot_be_read_back_is_told_all_the_same(tmp_path: Path, quick: None) -> None:
    sensor = FallsSilent(1)
    async with at(tmp_path, [sensor]) as desk:
        written = await desk.session.write(1, {"filter_length": 12, "interval_s": 30})
    assert [(one.name, one.before, one.wanted, one.read_back) for one in written] == [("filter_length", 5, 12, None)]
    assert (sensor.filter_length, sensor.interval_s) == (12, 1)
    assert desk.notes[-1].endswith("12 written, not read back: whether it holds is not known")


async def test_a_write_behind_which_the_adapter_was_pulled_is_told(
    tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.fuel_monitoring.bench.lls.SETTLE_S", 0.5)
    sensor = LlsSensor(1)
    async with at(tmp_path, [sensor]) as desk:
        writing = asyncio.create_task(desk.session.write(1, {"filter_length": 12}))
        await until(lambda: sensor.filter_length == 12)
        desk.bus.unplug()
        (written,) = await writing
    assert (written.wanted, written.read_back, written.ok) == (12, None, False)


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"filter_length": 21}, SettingsInvalid, "0 to 20, not 21"),
        ({"interval_s": "often"}, SettingsInvalid, "whole number, not “often”"),
        ({"output_mode": 3}, SettingsInvalid, "must be one of 0"),
        ({"colour": 1}, SettingsInvalid, "no setting “colour”"),
        ({"level_max": 1000}, Unsupported, "The maker publishes no command"),
        ({"address": 2}, Unsupported, "The maker publishes no command"),
        ({"filter_length": 3, "speed": 9600}, Unsupported, "Speed cannot be written"),
    ],
)
async def test_what_may_not_be_written_sends_nothing(
    tmp_path: Path, quick: None, changes: dict[str, int | str], kind: type[Exception], words: str
) -> None:
    sensor = LlsSensor(1)
    async with at(tmp_path, [sensor]) as desk:
        with pytest.raises(kind, match=words):
            await desk.session.write(1, changes)
    assert sensor.filter_length == 5


async def test_the_history_of_changes_is_read(tmp_path: Path, quick: None) -> None:
    async with at(tmp_path, [LlsSensor(1)]) as desk:
        await desk.session.write(1, {"filter_length": 7})
        history = await desk.session.history(1)
    assert [(what, value) for _time, what, value in history] == [("programmed", "1"), ("address", "1"), ("filter", "7")]
    assert history[0][0].endswith("Z")


async def test_a_clone_that_answers_readings_only_says_so(tmp_path: Path, quick: None) -> None:
    async with at(tmp_path, [LlsSensor(1, knows_settings=False)]) as desk:
        facts = await desk.session.identify(1)
        assert dict(facts.details)["settings"].startswith("not told")
        with pytest.raises(Unsupported, match="does not tell its history"):
            await desk.session.history(1)
        with pytest.raises(NotReady, match="does not answer"):
            await desk.session.settings(1)


# -- EDE ------------------------------------------------------------------------------------------------------------


async def test_an_ede_sensor_tells_who_it_is(tmp_path: Path, quick: None) -> None:
    async with at(tmp_path, [EdeSensor(5)], "ede") as desk:
        facts = await desk.session.identify(5)
        assert (facts.serial, facts.firmware) == ("123456", "21")
        assert dict(facts.details)["made"] == "2024-05-17"
        assert dict(facts.details)["supply"] == "12.60 V"
        assert (await desk.scan([5]))[0].title == "EDE 123456, level 2048, 21 °C"


async def test_ede_writes_are_proved_by_the_sensor(tmp_path: Path, quick: None) -> None:
    sensor = EdeSensor(5)
    async with at(tmp_path, [sensor], "ede") as desk:
        written = await desk.session.write(5, {"period_s": 60, "mode": 3, "address": 6})
        assert [(one.name, one.read_back, one.ok) for one in written] == [
            ("period_s", 60, True),
            ("mode", 3, True),
            ("address", 6, True),
        ]
        assert (await desk.session.read(6)).value == 2048
    assert (sensor.address, sensor.interval_s, sensor.mode_bits) == (6, 60, 3)


async def test_an_ede_write_that_cannot_be_proved_is_not_called_written(tmp_path: Path, quick: None) -> None:
    async with at(tmp_path, [EdeSensor(5, forgets_writes=True)], "ede") as desk:
        (written,) = await desk.session.write(5, {"period_s": 60, "mode": 1})
    assert (written.read_back, written.ok) == (None, False)


async def test_an_address_that_is_taken_is_not_given_again(tmp_path: Path, quick: None) -> None:
    sensor = EdeSensor(5)
    async with at(tmp_path, [sensor, EdeSensor(6)], "ede") as desk:
        with pytest.raises(Unsupported, match="Another sensor answers at address 6"):
            await desk.session.write(5, {"period_s": 60, "address": 6})
        assert sensor.interval_s == 1, "it is looked first, and nothing is written"
        assert (await desk.session.read(5)).value == 2048
