"""Signing in, losing the session, and what the operator is told when the credentials are refused."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import pytest

from adapters.base import CheckStep, Layer
from adapters.errors import AdapterError, AuthFailed, SettingsInvalid, Unsupported
from adapters.traccar import TraccarAdapter
from adapters.traccar.client import token_facts
from adapters.traccar.settings import TraccarSettings
from adapters.traccar.simulator import TraccarServer, running
from adapters.traccar.simulator_world import USER_ID, World
from tests.adapters.traccar.support import DAY_MS, HOUR_MS, START_MS, LentClock, Memory, adapter_for, pull, settings_for

WAYS = ["token", "session", "basic"]


def world() -> World:
    made = World(vehicles=3, interval_s=60, start_ms=START_MS - HOUR_MS)
    made.advance(START_MS)
    return made


async def checked(adapter: TraccarAdapter) -> tuple[list[CheckStep], str]:
    steps: list[CheckStep] = []
    identity = await adapter.check(steps.append)
    return steps, identity.unique_id


@pytest.mark.parametrize("way", WAYS)
async def test_every_way_to_sign_in_walks_all_layers_to_the_same_identity(way: str) -> None:
    async with running(world()) as server, adapter_for(server, auth=way) as adapter:
        steps, identity = await checked(adapter)
        assert [step.layer for step in steps] == list(Layer)
        assert all(step.ok for step in steps)
        assert identity == f"traccar:127.0.0.1:{server.port}/api#user {USER_ID}"
        assert "3 devices visible" in steps[4].detail
        assert "6.14.5" in steps[5].detail
        assert server.account.sessions == set()  # a check leaves no session behind
        memory = Memory()
        await pull(adapter, memory)
        assert len(memory.infos) == 3


@pytest.mark.parametrize("way", WAYS)
async def test_wrong_credentials_are_refused_once_and_not_hammered(way: str) -> None:
    async with running(world()) as server:
        expired = server.account.token(START_MS - DAY_MS)
        async with adapter_for(server, auth=way, token=expired, password="wrong") as adapter:
            with pytest.raises(AuthFailed) as refused:
                await checked(adapter)
            assert server.account.sign_ins <= 2
            assert ("token ended on 2026-" if way == "token" else "user name and password") in refused.value.why


@pytest.mark.parametrize(
    ("entered", "field"),
    [
        ({"auth": "token"}, "token"),
        ({"auth": "token", "token": "  "}, "token"),
        ({"auth": "token", "username": "depot", "password": "given"}, "token"),
        ({"auth": "session", "password": "given"}, "username"),
        ({"auth": "basic", "username": " ", "password": "given"}, "username"),
        ({"auth": "session", "username": "depot"}, "password"),
        ({"auth": "basic", "username": "depot", "token": "given"}, "password"),
    ],
)
def test_what_the_way_to_sign_in_needs_is_asked_for_at_its_field(entered: dict[str, str], field: str) -> None:
    with pytest.raises(SettingsInvalid) as missing:
        TraccarSettings.model_validate({"url": "https://gps.example.org", **entered})
    assert missing.value.field == field


async def test_damaged_token_is_told_from_a_fault_of_the_server() -> None:
    async with running(world()) as server:
        async with adapter_for(server, token="bm90IGEgdG9rZW4") as adapter:
            with pytest.raises(AuthFailed, match="damaged, or was made by another server"):
                await pull(adapter, Memory())
        server.faults.kind, server.faults.path = "500", "/devices"
        async with adapter_for(server) as adapter:
            with pytest.raises(AdapterError) as failed:
                await pull(adapter, Memory())
            assert not isinstance(failed.value, AuthFailed)


async def test_revoked_token_and_disabled_user_need_a_new_sign_in() -> None:
    async with running(world()) as server, adapter_for(server) as adapter:
        await pull(adapter, Memory())
        server.account.revoked.add(server.token)
        with pytest.raises(AuthFailed, match="ended or was revoked"):
            await pull(adapter, Memory())


async def test_second_factor_leads_to_a_token() -> None:
    async with running(world()) as server, adapter_for(server, auth="session") as adapter:
        server.account.second_factor = True
        with pytest.raises(AuthFailed, match="second factor"):
            await pull(adapter, Memory())


async def test_session_lost_by_a_restart_is_renewed_silently_once() -> None:
    async with running(world()) as server, adapter_for(server, auth="session") as adapter:
        memory = Memory()
        await pull(adapter, memory)
        await server.restart()
        server.world.advance(START_MS + 60_000)
        await pull(adapter, memory)
        assert set(memory.positions) == server.world.fix_keys()
        assert server.account.sign_ins == 2


async def test_session_that_cannot_be_renewed_asks_the_operator() -> None:
    async with running(world()) as server, adapter_for(server, auth="session") as adapter:
        await pull(adapter, Memory())
        await server.restart()
        server.account.password = "changed"
        with pytest.raises(AuthFailed, match="Check user name and password"):
            await pull(adapter, Memory())
        assert server.account.sign_ins == 2


async def test_session_refused_right_after_signing_in_does_not_loop() -> None:
    async with running(world()) as server, adapter_for(server, auth="session") as adapter:
        server.faults.kind, server.faults.path = "401", "/groups"
        with pytest.raises(AuthFailed):
            await pull(adapter, Memory())
        assert server.account.sign_ins == 2


async def test_user_name_that_cannot_be_sent_is_named_at_its_field() -> None:
    async with running(world()) as server, adapter_for(server, auth="basic", username="dépôt") as adapter:
        with pytest.raises(SettingsInvalid) as wrong:
            await pull(adapter, Memory())
        assert wrong.value.field == "username"


async def test_account_without_devices_is_told_at_permission() -> None:
    async with running(world()) as server, adapter_for(server) as adapter:
        server.account.sees_devices = False
        steps, _ = await checked(adapter)
        assert "No device is visible" in steps[4].detail


@pytest.mark.parametrize(("version", "word"), [("5.10", "too old"), ("4.14-SNAPSHOT", "too old")])
async def test_server_that_is_too_old_is_unsupported(version: str, word: str) -> None:
    async with running(world()) as server, adapter_for(server) as adapter:
        server.api.version = version.removesuffix("-SNAPSHOT")
        with pytest.raises(Unsupported, match=word):
            await checked(adapter)


async def test_clock_difference_is_shown_and_a_wrong_date_refused() -> None:
    async with running(world()) as server:
        server.clock_ahead_ms = 10 * 60_000
        async with adapter_for(server) as adapter:
            steps, _ = await checked(adapter)
            assert "10 minutes ahead of" in steps[-1].detail
        server.clock_ahead_ms = 0
        async with adapter_for(server, LentClock(START_MS - 800 * DAY_MS)) as adapter:
            with pytest.raises(AdapterError, match="differ by 800 days"):
                await checked(adapter)


@pytest.mark.parametrize("way", WAYS)
async def test_no_origin_and_no_secret_in_any_url_or_log(
    way: str, caplog: pytest.LogCaptureFixture, world_server: TraccarServer
) -> None:
    caplog.set_level(logging.DEBUG)
    async with adapter_for(world_server, auth=way) as adapter:
        await checked(adapter)
        await pull(adapter, Memory())
    secrets = (world_server.token, world_server.account.password)
    for _, path, headers in world_server.api.seen:
        assert "origin" not in headers
        assert not any(secret in path for secret in secrets)
    assert not any(secret in caplog.text for secret in secrets)


@pytest.fixture
async def world_server() -> AsyncIterator[TraccarServer]:
    async with running(world()) as server:
        yield server


def test_token_tells_its_user_and_end_without_being_verified() -> None:
    server = TraccarServer(world())
    facts = token_facts(server.token)
    assert facts is not None
    assert (facts.user_id, facts.ends_at_ms) == (USER_ID, START_MS + 365 * DAY_MS)


@pytest.mark.parametrize("text", ["", "x", "é", "AAAA", "e30", "////", "A" * 5000, "W10"])
def test_other_tokens_tell_nothing(text: str) -> None:
    assert token_facts(text) is None


def test_secrets_do_not_show_in_the_settings() -> None:
    server = TraccarServer(world())
    assert server.token not in repr(settings_for(server))
