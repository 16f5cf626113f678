from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from adapters.errors import AuthFailed, Unsupported
from app.catalogue import CATEGORY_LABELS, DISPLAY_ORDER, Catalogue, load_object
from app.clock import SystemClock
from app.integrations.checks import check_settings
from resources import resource_path
from tests.helpers.plugins import install_plugin

ROOT = Path(__file__).parents[3]


def no_third_party() -> list[EntryPoint]:
    return []


def entry_point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name=name, value=value, group="biko_console.adapters")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install_plugin(tmp_path_factory.mktemp("plugin"))


@pytest.fixture
def with_plugin(installed: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalogue]:
    monkeypatch.syspath_prepend(installed)
    yield Catalogue.load()
    for name in [name for name in sys.modules if name.split(".")[0] == "biko_cold_room"]:
        del sys.modules[name]


def test_the_seven_systems_stand_in_the_platforms_order_with_webhooks_behind_and_all_load() -> None:
    entries = Catalogue.load(third_party=no_third_party).entries()
    assert tuple(entry.key for entry in entries) == DISPLAY_ORDER
    assert [entry.problem for entry in entries] == [None] * 9
    ready = [entry.key for entry in entries if not entry.coming_soon]
    assert ready == list(DISPLAY_ORDER)
    for entry in entries:
        assert entry.category in CATEGORY_LABELS
        assert len(entry.capabilities) == 4
        assert resource_path(f"icons/{entry.icon}.svg").is_file()
        assert entry.description.endswith(".")
        assert (entry.manifest is None) == entry.coming_soon


def test_an_unknown_key_names_what_there_is() -> None:
    with pytest.raises(Unsupported, match=r"no integration named “nonsense”.*gt02_tracker"):
        Catalogue.load(third_party=no_third_party).manifest("nonsense")


def test_what_is_coming_soon_cannot_be_made() -> None:
    soon = replace(Catalogue.load(third_party=no_third_party).entry("mod4"), manifest=None, coming_soon=True)
    with pytest.raises(Unsupported, match="Mod4 Driver System is not part of this release yet"):
        Catalogue([soon], {}).manifest("mod4")


def test_the_acts_of_an_integration_are_found_by_its_key() -> None:
    catalogue = Catalogue.load(third_party=no_third_party)
    assert set(catalogue.actions("mod4")) == {"one_time_code", "invitation_link", "expire_code"}
    with pytest.raises(Unsupported, match="brings no acts of its own"):
        catalogue.actions("traccar")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("no_such_module_here:Adapter", "Python module no_such_module_here is missing"),
        ("adapters.base:NoSuchName", "has no attribute"),
        ("adapters.base:Settings", "it is not an adapter class"),
        ("adapters.base:Adapter", "its adapter has no manifest"),
        ("adapters.traccar:TraccarAdapter", "its manifest is named “traccar”, its entry “broken”"),
        ("nonsense", "not of the form module:object"),
    ],
)
def test_a_part_that_cannot_be_loaded_costs_its_own_card(target: str, words: str) -> None:
    built_in = {"broken": target, "traccar": "adapters.traccar:TraccarAdapter"}
    catalogue = Catalogue.load(built_in, no_third_party)
    assert words in (catalogue.entry("broken").problem or "")
    assert catalogue.manifest("traccar").key == "traccar"
    with pytest.raises(Unsupported, match="cannot be loaded"):
        catalogue.manifest("broken")


def test_a_module_that_ends_the_program_is_only_a_broken_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "leaves_at_once.py").write_text("raise SystemExit('no licence')")
    monkeypatch.syspath_prepend(tmp_path)
    catalogue = Catalogue.load({}, lambda: [entry_point("leaver", "leaves_at_once:Adapter")])
    assert "no licence" in (catalogue.entry("leaver").problem or "")


def test_a_third_party_cannot_take_a_name_that_is_taken() -> None:
    catalogue = Catalogue.load(third_party=lambda: [entry_point("traccar", "adapters.gt02_tracker:Gt02Adapter")])
    assert catalogue.manifest("traccar").name == "Traccar GPS Server"
    assert "is taken already" in (catalogue.entries()[-1].problem or "")


def test_a_damaged_installation_beside_us_hides_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def damaged() -> list[EntryPoint]:
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "metadata of another package")

    assert len(Catalogue.load(third_party=damaged).entries()) == 9
    assert "cannot be searched" in caplog.text


def test_decoders_are_collected_by_protocol() -> None:
    decoders = Catalogue.load(third_party=no_third_party).decoders()
    assert {"gt02", "gt06"} <= decoders.keys()
    assert "error" in decoders["gt02"](b"\x00\x01garbage", {})[0]


def test_explainers_are_found_where_there_are_any() -> None:
    catalogue = Catalogue.load(third_party=no_third_party)
    explain = catalogue.explainer("gt02_tracker")
    assert explain is not None
    assert sum(row.length for row in explain("gt02", b"\x68\x68\x01\x02")) == 4
    assert catalogue.explainer("mod4") is None
    assert catalogue.explainer("nonsense") is None


def test_a_workbench_is_found_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue = Catalogue.load(third_party=no_third_party)
    with pytest.raises(Unsupported, match="brings no workbench"):
        catalogue.bench("traccar")
    manifest = replace(catalogue.manifest("traccar"), bench="adapters.fuel_monitoring.bench:BENCH")
    monkeypatch.setattr(catalogue, "manifest", lambda _key: manifest)
    assert "lls" in {one.key for one in catalogue.bench("traccar").dialects()}
    broken = replace(manifest, bench="adapters.nowhere:BENCH")
    monkeypatch.setattr(catalogue, "manifest", lambda _key: broken)
    with pytest.raises(Unsupported, match=r"workbench of .* cannot be loaded"):
        catalogue.bench("traccar")


def test_an_integration_without_simulator_says_so(with_plugin: Catalogue) -> None:
    with pytest.raises(Unsupported, match="brings no simulator"):
        with_plugin.simulator("webhook")


def test_objects_are_named_as_text() -> None:
    assert load_object("adapters.base:Layer.CLOCK").value == "clock"


def test_an_installed_package_gets_its_card_and_a_broken_one_explains_itself(with_plugin: Catalogue) -> None:
    keys = [entry.key for entry in with_plugin.entries()]
    assert keys[:9] == list(DISPLAY_ORDER)
    assert set(keys[9:]) == {"cold_room", "frozen_room"}
    assert with_plugin.entry("cold_room").name == "Cold Room Thermometer"
    problem = with_plugin.entry("frozen_room").problem or ""
    assert "the Python module thermometer_driver_that_nobody_has is missing" in problem
    assert "Update or remove the package biko-cold-room" in problem


async def test_the_check_of_an_installed_package_runs_against_its_peer(with_plugin: Catalogue) -> None:
    settings: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
    simulate = with_plugin.simulator("cold_room")
    async with asyncio.TaskGroup() as group:
        peer = group.create_task(_run(simulate({}, lambda found: settings.set_result(dict(found)))))
        values = await settings
        secrets = {"token": values.pop("token")}
        good = await check_settings(with_plugin, "cold_room", values, secrets, SystemClock())
        wrong = await check_settings(with_plugin, "cold_room", values, {"token": "wrong-token-1"}, SystemClock())
        peer.cancel()
    assert good.ok
    assert good.identity is not None
    assert (good.identity.unique_id, good.identity.version) == ("cold_room:TH-0042", "3.1")
    assert isinstance(wrong.error, AuthFailed)


def test_a_fresh_process_finds_an_installed_package(installed: Path) -> None:
    program = (
        "import json; from app.catalogue import Catalogue; from app.integrations import catalogue_rows;"
        "print(json.dumps(catalogue_rows(Catalogue.load())))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(installed), str(ROOT)])}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    rows = {row["key"]: row for row in json.loads(done.stdout)}
    assert list(rows["cold_room"]["settings"]["properties"]) == ["host", "port", "token", "poll_interval_s"]
    assert rows["mod4"]["coming_soon"] is False
    assert "acting_user" in rows["mod4"]["settings"]["properties"]


async def _run(awaitable: Any) -> None:
    await awaitable


def test_reports_are_taken_by_those_that_say_so_alone() -> None:
    catalogue = Catalogue.load(third_party=no_third_party)
    assert catalogue.reporter("nhlmis") is not None
    with pytest.raises(Unsupported, match="Traccar GPS Server brings no way to take reports"):
        catalogue.reporter("traccar")
