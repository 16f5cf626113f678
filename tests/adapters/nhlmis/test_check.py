"""The check of an NHLMIS server: what it proves, what it says that it cannot, and what the settings refuse."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from adapters.base import CheckStep, Identity, Layer
from adapters.errors import BadReply, NotReady, SettingsInvalid
from adapters.nhlmis import NhlmisAdapter, NhlmisSettings
from adapters.nhlmis.simulator import KEY, NhlmisServer, running
from tests.adapters.nhlmis.support import START_MS, LentClock, adapter_for, profile, profile_file, world


async def check(adapter: NhlmisAdapter) -> tuple[Identity, dict[Layer, str]]:
    steps: list[CheckStep] = []
    identity = await adapter.check(steps.append)
    return identity, {step.layer: step.detail for step in steps}


async def test_what_cannot_be_proved_is_said() -> None:
    async with running(world(60)) as server, adapter_for(server, organisation="Kano SPHCMB") as adapter:
        identity, told = await check(adapter)
        (asked,) = server.api.seen
    assert list(told) == list(Layer)
    assert told[Layer.SIGN_IN] == "The API key was taken for reading orders."
    assert "shows with the first sending" in told[Layer.PERMISSION]
    assert "Nothing is sent" not in told[Layer.PERMISSION]
    assert told[Layer.VERSION].startswith("The address asks for “v1”. NHLMIS publishes no description")
    assert told[Layer.CLOCK] == "The server's clock agrees with this computer's, or it tells none."
    assert identity.unique_id == f"nhlmis:127.0.0.1:{server.port}/v1#kano sphcmb"
    assert identity.title == f"NHLMIS at 127.0.0.1:{server.port} (Kano SPHCMB)"
    assert "since=2026-09-21" in asked.target
    assert "pageSize=1" in asked.target


async def test_sending_that_is_not_approved_is_said() -> None:
    async with running(world(1)) as server, adapter_for(server, profile_approved=False) as adapter:
        _, told = await check(adapter)
    assert told[Layer.PERMISSION].endswith("Nothing is sent before a dry run is approved.")


@pytest.mark.parametrize(
    ("ahead_ms", "words"),
    [(3_600_000, "1 hour ahead of"), (-90_000, "2 minutes behind"), (75_000, "1 minute ahead of")],
)
async def test_clocks_that_differ_are_told(ahead_ms: int, words: str) -> None:
    async with running(world(1)) as server, adapter_for(server) as adapter:
        server.clock_ahead_ms = ahead_ms
        _, told = await check(adapter)
    assert words in told[Layer.CLOCK]


async def test_clocks_days_apart_fail_the_check() -> None:
    async with running(world(1)) as server, adapter_for(server, LentClock(START_MS - 3 * 86_400_000)) as adapter:
        with pytest.raises(NotReady, match="differ by 3 days"):
            await check(adapter)


async def test_a_wrong_path_names_the_profiles_key(tmp_path: Path) -> None:
    async with running(world(1)) as server:
        file = tmp_path / "profile.json"
        file.write_text('{"paths": {"orders": "/requisitions"}}', encoding="utf-8")
        async with adapter_for(server, profile=str(file)) as adapter:
            with pytest.raises(BadReply, match=r"“paths\.orders” in the profile"):
                await check(adapter)


async def test_another_profile_is_another_server(tmp_path: Path) -> None:
    own = profile(
        auth={"header": "Authorization", "scheme": "Bearer"},
        paths={"orders": "/requisitions"},
        orders={"list_path": "payload.list", "params": {}},
    )
    async with running(world(1), own) as server:
        with profile_file(server, tmp_path) as file:
            async with adapter_for(server, profile=file) as adapter:
                await check(adapter)
        (asked,) = server.api.seen
    assert ("authorization", f"Bearer {KEY}") in asked.headers


def test_the_settings_need_a_key_and_a_time_of_day() -> None:
    for values, field in (
        ({}, "api_key"),
        ({"api_key": " "}, "api_key"),
        ({"api_key": "k", "stock_at": "8pm"}, "stock_at"),
    ):
        with pytest.raises(SettingsInvalid) as found:
            NhlmisSettings(url="http://127.0.0.1/v1", **values)  # type: ignore[arg-type]
        assert found.value.field == field
    with pytest.raises(ValidationError):
        NhlmisSettings(url="", api_key="k")  # type: ignore[arg-type]


def test_stores_are_given_in_any_order_with_commas_or_lines() -> None:
    settings = NhlmisSettings(url="http://h/v1", api_key="k", stores=" KN-1, FC-2;KD-3\nKN-1,, ")  # type: ignore[arg-type]
    assert settings.store_codes == ("KN-1", "FC-2", "KD-3")


async def test_a_restarted_server_keeps_its_port() -> None:
    server = NhlmisServer(world(1))
    await server.start()
    port = server.port
    await server.restart()
    assert server.port == port
    await server.stop()
    await server.stop()
