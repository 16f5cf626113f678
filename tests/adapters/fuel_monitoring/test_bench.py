"""The workbench against a simulated bus on a real pseudo terminal."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from adapters.bench import Bench, Counters, Traffic
from adapters.errors import NotReady, SettingsInvalid, Unsupported
from adapters.fuel_monitoring.bench import BENCH, FuelBench, link
from adapters.fuel_monitoring.bench.turns import ACT, POLL, Turns
from adapters.fuel_monitoring.bench.twins import look_like_two
from adapters.fuel_monitoring.simulator.sensors import LlsSensor, ModbusSensor, Td500Sensor
from tests.adapters.fuel_monitoring.desk import at
from tests.adapters.fuel_monitoring.lines import PortList, needs_pty, until

pytestmark = needs_pty


# -- searching ------------------------------------------------------------------------------------------------------


async def test_a_search_finds_each_sensor_and_says_what_it_is(tmp_path: Path, quick: None) -> None:
    progress: list[tuple[int, int]] = []
    async with at(tmp_path, [LlsSensor(3), LlsSensor(12, level=lambda: 7.0, knows_settings=False)]) as desk:
        scan = desk.session.scan(range(1, 16), (), lambda done, total: progress.append((done, total)))
        found = [one async for one in scan]
    assert [(one.address, one.title) for one in found] == [
        (3, "LLS 30160, level 2048, 21 °C"),
        (12, "level 7, 21 °C"),
    ]
    assert progress[0] == (0, 15)
    assert progress[-1] == (15, 15)


async def test_addresses_one_to_eight_are_asked_first(tmp_path: Path, quick: None) -> None:
    async with at(tmp_path, []) as desk:
        await desk.scan([200, 9, 8, 1, 8])
    asked = [one.data[1] for one in desk.traffic if one.direction == "sent"]
    assert asked == [1, 8, 9, 200]


async def test_a_search_over_speeds_finds_the_sensor_at_its_own(tmp_path: Path, quick: None) -> None:
    async with at(tmp_path, [LlsSensor(1)], line_speed=9600) as desk:
        assert [(one.address, one.speed) for one in await desk.scan([1, 2], 19_200, 9600)] == [(1, 9600)]


async def test_a_search_stops_when_it_is_closed_and_the_bus_is_free(tmp_path: Path, quick: None) -> None:
    async with at(tmp_path, [LlsSensor(1)]) as desk:
        scan = desk.session.scan(range(1, 255), (), lambda _done, _all: None)
        first = await anext(scan)
        assert first.address == 1
        await scan.aclose()  # type: ignore[attr-defined]
        sent = sum(one.direction == "sent" for one in desk.traffic)
        assert (await desk.session.read(1)).value == 2048
    assert sent < 20


async def test_two_sensors_with_one_address_are_found_as_such(tmp_path: Path, quick: None) -> None:
    async with at(tmp_path, [LlsSensor(4, level=lambda: 100.0), LlsSensor(4, level=lambda: 3000.0)]) as desk:
        (found,) = await desk.scan([4])
        assert found.title == "answers are garbled: two sensors may have this address"
        level = await desk.session.read(4)
    assert level.value is None
    assert "two sensors may have this address" in level.why
    assert desk.session.counters()[4].checksum_errors >= 2


async def test_a_sensor_that_talks_unasked_is_heard_before_it_is_asked(tmp_path: Path, quick: None) -> None:
    talker = LlsSensor(9, output_mode=1, interval_s=1)
    async with at(tmp_path, [talker], second_s=0.05) as desk:
        (found,) = await desk.scan([1, 9])
        assert (found.address, found.talks_unasked, found.title) == (9, True, "talks unasked, binary")
        written = await desk.session.write(9, {"output_mode": 0})
        assert [one.ok for one in written] == [True]
    assert talker.is_talking == 0


async def test_a_sensor_that_speaks_text_is_told_from_one_that_speaks_binary(tmp_path: Path, quick: None) -> None:
    async with at(tmp_path, [LlsSensor(1, output_mode=2)], second_s=0.05) as desk:
        found = await desk.scan([2])
    assert [(one.dialect, one.talks_unasked) for one in found] == [("lls_text", True)]


# -- reading --------------------------------------------------------------------------------------------------------


async def test_a_reading_has_level_temperature_and_raw_count(tmp_path: Path, quick: None) -> None:
    async with at(tmp_path, [LlsSensor(1, level=lambda: 4095.0, temperature_c=lambda: -17.0)]) as desk:
        level = await desk.session.read(1)
    assert (level.value, level.temperature_c, level.raw) == (4095.0, -17.0, 3900.0)
    assert level.why == ""


async def test_the_unit_of_the_output_message_is_the_users_choice(tmp_path: Path, quick: None) -> None:
    options = {"unit": "litres_10"}
    async with at(tmp_path, [LlsSensor(1, level=lambda: 1234.0)], options=options) as desk:
        level = await desk.session.read(1)
    assert (level.value, level.unit) == (123.4, "L")


@pytest.mark.parametrize("chunk", [0, 1, 4])
async def test_noise_echo_pieces_and_delays_are_borne(tmp_path: Path, quick: None, chunk: int) -> None:
    async with at(tmp_path, [LlsSensor(1)]) as desk:
        faults = desk.bus.faults
        faults.noise, faults.echo, faults.chunk_bytes, faults.extra_delay_s = b"\x00\xff\x3e\x31\x06", True, chunk, 0.01
        for _ in range(5):
            assert (await desk.session.read(1)).value == 2048
        echoes = [one for one in desk.traffic if ("echo", "of the request") in one.fields]
    assert len(echoes) == 5
    assert desk.session.counters()[1] == Counters(sent=5, good=5)


async def test_a_wrong_checksum_is_counted_and_asked_again(tmp_path: Path, quick: None) -> None:
    async with at(tmp_path, [LlsSensor(1)]) as desk:
        desk.bus.faults.bad_checksums = 2
        assert (await desk.session.read(1)).value == 2048
        assert desk.session.counters()[1] == Counters(sent=3, good=1, checksum_errors=2)


async def test_a_silent_sensor_rests_and_never_holds_up_the_others(tmp_path: Path, quick: None) -> None:
    async with at(tmp_path, [LlsSensor(1), LlsSensor(2)]) as desk:
        desk.bus.faults.silent = {2}
        silent = await desk.session.read(2)
        assert silent.value is None
        assert "does not answer" in silent.why
        assert desk.session.counters()[2] == Counters(sent=3, timeouts=3)
        began = time.monotonic()
        for _ in range(20):
            assert (await desk.session.read(1)).value == 2048
            assert "It is asked again in" in (await desk.session.read(2)).why
        assert desk.session.counters()[2].sent == 3, "it is not asked while it rests"
        desk.bus.faults.silent = set()
        await desk.session.identify(2)  # a person's act goes to the bus at once
        assert (await desk.session.read(2)).value == 2048
    assert time.monotonic() - began < 30


async def test_the_rest_of_a_silent_sensor_ends(tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "REST_S", 0.05)
    async with at(tmp_path, [LlsSensor(2)]) as desk:
        desk.bus.faults.silent = {2}
        assert (await desk.session.read(2)).value is None
        desk.bus.faults.silent = set()
        async with asyncio.timeout(10):
            while (await desk.session.read(2)).value is None:  # noqa: ASYNC110 - time itself is awaited
                await asyncio.sleep(0.01)


async def test_an_answer_of_another_sensor_is_counted_as_such(tmp_path: Path, quick: None) -> None:
    class Impostor(LlsSensor):
        def answer_lls(self, request: Any) -> bytes | None:
            from dataclasses import replace

            return LlsSensor.answer_lls(self, replace(request, address=self.address))

    async with at(tmp_path, [Impostor(7)]) as desk:
        assert (await desk.session.read(1)).value is None
    assert desk.session.counters()[1].wrong_address == 3


@pytest.mark.parametrize("count", [0, 0xFFFF])
async def test_a_broken_probe_is_told(tmp_path: Path, quick: None, count: int) -> None:
    broken = LlsSensor(1, level=lambda: float(count), level_max=0xFFFF, cnt_empty=0, cnt_full=0xFFFF)
    async with at(tmp_path, [broken]) as desk:
        level = await desk.session.read(1)
    assert level.value is None
    assert "its probe is broken" in level.why


async def test_a_level_beyond_every_scale_is_no_level(tmp_path: Path, quick: None) -> None:
    beyond = LlsSensor(1, level=lambda: 65_535.0, level_max=65_535)  # its count is an ordinary one
    async with at(tmp_path, [beyond]) as desk:
        level = await desk.session.read(1)
    assert (level.value, level.raw) == (None, 3900)
    assert "65535, which is beyond every scale" in level.why
    async with at(tmp_path, [Td500Sensor(7, level=lambda: 65_535.0)], "escort_td500") as desk:
        level = await desk.session.read(7)
        (found,) = await desk.scan([7])
    assert (level.value, level.raw) == (None, 65_535)
    assert "65535, which is beyond every scale" in level.why
    assert found.title == "Escort TD-500, no level"


async def test_levels_that_jump_between_two_places_are_two_sensors(tmp_path: Path, quick: None) -> None:
    async with at(tmp_path, [LlsSensor(4, level=lambda: 100.0), LlsSensor(4, level=lambda: 3000.0)]) as desk:
        desk.bus.faults.collision = "alternate"
        levels = [await desk.session.read(4) for _ in range(8)]
    assert ("warning", "Two sensors seem to have this address: the level jumps between two places.") in levels[-1].more


async def test_two_answers_to_one_request_are_two_sensors(tmp_path: Path, quick: None) -> None:
    async with at(tmp_path, [LlsSensor(4), LlsSensor(4, delay_s=0.03)]) as desk:
        desk.bus.faults.collision = "both"
        await desk.session.read(4)
        await until(lambda: sum(one.direction == "received" for one in desk.traffic) >= 2)
        level = await desk.session.read(4)
    assert "two sensors answer at address 4" in desk.notes
    assert level.more[-1][0] == "warning"


def test_fuel_that_sloshes_is_one_sensor() -> None:
    assert not look_like_two([2000, 2030, 1990, 2040, 1980, 2020, 2010, 1970])
    assert not look_like_two([500, 500, 501, 3000, 3001, 3000, 3000, 3001]), "a refuel jumps once"
    assert look_like_two([500, 3000, 501, 3001, 500, 3000])


# -- order ----------------------------------------------------------------------------------------------------------


async def test_acts_go_before_polling_and_in_their_own_order() -> None:
    turns, order = Turns(), []

    async def one(name: str, rank: int) -> None:
        async with turns.take(rank):
            order.append(name)
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        for name, rank in (("first", POLL), ("poll 1", POLL), ("poll 2", POLL), ("act 1", ACT), ("act 2", ACT)):
            group.create_task(one(name, rank))
    assert order == ["first", "act 1", "act 2", "poll 1", "poll 2"]


async def test_a_waiter_that_gives_up_blocks_nobody() -> None:
    turns = Turns()
    async with asyncio.TaskGroup() as group:
        async with turns.take(ACT):
            waiting = [group.create_task(_pass(turns)) for _ in range(3)]
            await asyncio.sleep(0)
            waiting[0].cancel()
            waiting[1].cancel()
        await waiting[2]
    async with asyncio.timeout(1), turns.take(POLL):
        pass


async def _pass(turns: Turns) -> None:
    async with turns.take(ACT):
        await asyncio.sleep(0)


# -- text, Modbus ---------------------------------------------------------------------------------------------------


async def test_text_lines_are_read(tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.fuel_monitoring.bench.lls_text._LISTEN_S", 0.05)
    async with at(tmp_path, [LlsSensor(1, temperature_c=lambda: -3.0)], "lls_text") as desk:
        assert (await desk.session.read(0)).temperature_c == -3
        assert [one.address for one in await desk.scan([0])] == [0]
        assert "F=09F6 t=FD N=0800.0" in dict((await desk.session.identify(0)).details)["line"]
        with pytest.raises(Unsupported, match="text mode knows no commands"):
            await desk.session.write(0, {"filter_length": 1})


async def test_a_count_that_marks_invalid_data_gives_no_level(tmp_path: Path, quick: None) -> None:
    high = [LlsSensor(1, cnt_empty=0x1000, cnt_full=0x2000)]
    async with at(tmp_path, high, "lls_text") as desk:
        level = await desk.session.read(0)
        assert level.value is None
        assert "0FFFh" in level.why
    async with at(tmp_path, high, "lls_text", options={"any_count": "yes"}) as desk:
        assert (await desk.session.read(0)).value == 2048


async def test_modbus_by_a_built_in_map(tmp_path: Path, quick: None) -> None:
    async with at(tmp_path, [ModbusSensor.cap_10(30)], "modbus", options={"map": "cap_10"}) as desk:
        desk.bus.faults.echo = True
        level = await desk.session.read(30)
        assert (level.value, level.unit, level.temperature_c) == (55.0, "%", 28.0)
        assert dict(level.more)["raw count"] == "11000"
        assert [one.address for one in await desk.scan([29, 30, 31])] == [30]
        assert {one.read_only_why != "" for one in await desk.session.settings(30)} == {True}
        with pytest.raises(Unsupported, match="read only"):
            await desk.session.write(30, {"level": 1})


async def test_modbus_by_a_users_map(tmp_path: Path, quick: None) -> None:
    path = tmp_path / "map.json"
    path.write_text(
        '{"key": "own", "label": "Own probe", "level_unit": "litres", "registers": '
        '{"level": {"function": 3, "address": 6, "scale": 0.5, "unit": "L", "invalid": [65535]}}}'
    )
    sensor = ModbusSensor(3, holding={6: 301})
    async with at(tmp_path, [sensor], "modbus", options={"map": str(path)}) as desk:
        level = await desk.session.read(3)
        assert (level.value, level.unit) == (150.5, "L")
        sensor.holding[6] = 65_535
        level = await desk.session.read(3)
        assert level.value is None
        assert "not valid" in level.why
        del sensor.holding[6]
        assert "illegal data address" in (await desk.session.read(3)).why


async def test_a_td_500_answers_whatever_is_asked(tmp_path: Path, quick: None) -> None:
    async with at(tmp_path, [Td500Sensor(5, temperature_c=lambda: -4.0)], "escort_td500") as desk:
        level = await desk.session.read(1)
        assert (level.value, level.temperature_c) == (1500, -4)
        assert [one.address for one in await desk.scan(range(1, 248))] == [5]


# -- the port -------------------------------------------------------------------------------------------------------


async def test_a_pulled_adapter_costs_neither_session_nor_counters(tmp_path: Path, quick: None) -> None:
    async with at(tmp_path, [LlsSensor(1)]) as desk:
        assert (await desk.session.read(1)).value == 2048
        desk.bus.unplug()
        with pytest.raises(NotReady, match="lost"):
            [await desk.session.read(1) for _ in range(1000)]
        await until(lambda: not desk.session.is_connected)
        desk.bus.plug()
        await until(lambda: desk.session.is_connected)
        assert (await desk.session.read(1)).value == 2048
        assert desk.session.counters()[1].good >= 2
    assert any("was lost" in note for note in desk.notes)
    assert any("is connected again" in note for note in desk.notes)


@pytest.mark.parametrize(
    ("dialect", "options", "words"),
    [
        ("klingon", {}, "no dialect “klingon”"),
        ("lls", {"map": "x"}, "no option “map”"),
        ("lls", {"unit": "buckets"}, "no unit “buckets”"),
        ("modbus", {"map": "nothing"}, "neither a built-in map"),
        ("slcan", {"serial_speed": "fast"}, "must be a number"),
    ],
)
async def test_what_cannot_be_opened_so_is_refused(dialect: str, options: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsInvalid, match=words):
        await FuelBench(PortList()).open("/dev/null", dialect, 19_200, options)


def test_the_bench_is_what_the_contract_says() -> None:
    bench: Bench = BENCH
    assert {one.key for one in bench.dialects()} == {
        "lls",
        "ede",
        "lls_text",
        "modbus",
        "escort_td500",
        "slcan",
        "gvret",
        "elm327",
    }
    assert isinstance(bench.ports(), list)


async def test_a_capture_explains_itself_as_the_live_session_did(tmp_path: Path, quick: None) -> None:
    async with at(tmp_path, [LlsSensor(1)]) as desk:
        desk.bus.faults.chunk_bytes = 4
        await desk.session.read(1)
        await desk.session.identify(1)
    bare = [Traffic(one.at_s, one.direction, one.data, one.note) for one in desk.traffic]
    assert FuelBench(PortList()).explain("lls", bare) == desk.traffic
    fields = [dict(one.fields) for one in desk.traffic if one.fields]
    assert any(one.get("level") == "2048" and one.get("temperature") == "21 °C" for one in fields)
    assert any(one.get("model") == "LLS 30160" for one in fields)
