"""Signing in: the life of a token, one renewal, no loops on refusals, keys, and what the check says of rights."""

from __future__ import annotations

import logging

import pytest

from adapters.base import CheckStep, Layer
from adapters.errors import AuthFailed, NotReady, SettingsInvalid
from adapters.openlmis.simulator import running
from adapters.openlmis.simulator_accounts import TOKEN_LIFE_MS
from adapters.openlmis.simulator_faults import FaultKind
from tests.adapters.openlmis.support import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    Memory,
    a_requisition,
    adapter_for,
    ignore,
    outgoing,
    pull,
    small_world,
)


async def test_a_token_in_use_lives_on_and_an_idle_one_is_renewed_once() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        memory = Memory()
        for _ in range(5):  # two hours, never idle for half an hour
            await pull(adapter, memory)
            server.world.now_ms += 25 * MINUTE_MS
        assert server.accounts.sign_ins == 1
        server.world.now_ms += TOKEN_LIFE_MS + 1
        server.api.seen.clear()
        await pull(adapter, memory)
        assert server.accounts.sign_ins == 2
        assert [path for method, path, _ in server.api.seen if "oauth" in path] == [
            "/api/oauth/token?grant_type=password"
        ]


async def test_a_revoked_token_costs_one_sign_in_and_loses_no_change() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        requisition = a_requisition(server)
        line = requisition["requisitionLineItems"][0]
        await pull(adapter, Memory())
        server.accounts.tokens.clear()
        values = {"requested_units": line["requestedQuantity"] + 7, "comment": "More patients."}
        await adapter.send(outgoing("requested", line["id"], values, parent=requisition["id"]))
        assert (
            server.requisitions.get(requisition["id"])["requisitionLineItems"][0]["requestedQuantity"]
            == (values["requested_units"])
        )
        assert server.accounts.sign_ins == 2


async def test_credentials_never_stand_in_an_address_or_a_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with running(small_world()) as server, adapter_for(server) as adapter:
        await pull(adapter, Memory())
        addresses = " ".join(path for _, path, _ in server.api.seen)
        for secret in (server.accounts.password, server.accounts.client_secret, *server.accounts.tokens):
            assert secret not in addresses
            assert secret not in caplog.text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"password": "wrong-planted"}, "refused user name or password"),
        ({"username": "nobody"}, "refused user name or password"),
        ({"client_secret": "wrong-planted"}, "does not know the OAuth client"),
        ({"client_id": "stranger"}, "does not know the OAuth client"),
        ({"auth": "key", "api_key": "wrong-planted"}, "The API key was deleted or is wrong"),
        ({"auth": "key", "api_key": "ключ"}, "holds characters that no key has"),
    ],
)
async def test_refused_credentials_are_tried_once_and_say_which(changes: dict[str, str], words: str) -> None:
    async with running(small_world()) as server, adapter_for(server, **changes) as adapter:
        with pytest.raises(AuthFailed) as refused:
            await pull(adapter, Memory())
        assert words in refused.value.why
        assert "planted" not in refused.value.why
        assert server.accounts.sign_ins <= 1


async def test_a_locked_account_is_left_alone() -> None:
    async with running(small_world()) as server, adapter_for(server, password="wrong") as adapter:
        server.accounts.lock_after = 1
        with pytest.raises(AuthFailed):
            await pull(adapter, Memory())
        async with adapter_for(server) as right:
            with pytest.raises(AuthFailed, match="has locked the user"):
                await pull(right, Memory())
        assert server.accounts.sign_ins == 2


async def test_a_user_that_is_disabled_in_the_middle_asks_to_sign_in() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        memory = Memory()
        await pull(adapter, memory)
        server.accounts.tokens.clear()
        server.accounts.password = "changed"
        server.world.now_ms += DAY_MS
        with pytest.raises(AuthFailed):
            await pull(adapter, memory)
        assert server.accounts.sign_ins == 2


async def test_an_api_key_reads_everything_and_cannot_change_requisitions() -> None:
    async with running(small_world()) as server, adapter_for(server, auth="key") as adapter:
        steps: list[CheckStep] = []
        identity = await adapter.check(steps.append)
        assert identity.unique_id.endswith("#API key")
        assert "can be read, not changed" in next(step.detail for step in steps if step.layer is Layer.PERMISSION)
        server.life.history(60)
        memory = Memory()
        await pull(adapter, memory)
        assert memory.count("requisition") == len(server.world.requisitions)
        assert set(memory.read.values()) == {""}
        assert server.accounts.sign_ins == 0


async def test_a_key_without_named_facilities_says_what_to_do() -> None:
    async with running(small_world()) as server, adapter_for(server, auth="key", facilities="") as adapter:
        with pytest.raises(SettingsInvalid, match="name our facilities") as wrong:
            await adapter.check(ignore)
        assert wrong.value.field == "facilities"


@pytest.mark.parametrize(("field", "value"), [("facilities", "NWZS, NOPE1"), ("programs", "MAL, NOPE1")])
async def test_an_unknown_code_is_marked_in_its_field(field: str, value: str) -> None:
    async with running(small_world()) as server, adapter_for(server, **{field: value}) as adapter:
        with pytest.raises(SettingsInvalid, match="NOPE1") as wrong:
            await adapter.check(ignore)
        assert wrong.value.field == field


async def test_the_check_lists_what_will_not_work() -> None:
    async with running(small_world()) as server, adapter_for(server, ship_orders=True) as adapter:
        server.accounts.rights -= {"PODS_MANAGE", "REQUISITION_APPROVE", "SHIPMENTS_EDIT"}
        steps: list[CheckStep] = []
        await adapter.check(steps.append)
        detail = next(step.detail for step in steps if step.layer is Layer.PERMISSION)
        for part in ("PODS_MANAGE is missing", "approved or rejected", "shipments cannot be created"):
            assert part in detail
        assert "stock cannot be read" not in detail


async def test_a_user_without_any_right_is_told_so() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        server.accounts.rights.clear()
        with pytest.raises(AuthFailed, match="has no rights"):
            await adapter.check(ignore)


@pytest.mark.parametrize(
    ("ahead_ms", "words"), [(2 * HOUR_MS, "2 hours ahead of"), (-3 * MINUTE_MS, "3 minutes behind")]
)
async def test_a_clock_that_differs_is_told(ahead_ms: int, words: str) -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        server.clock_ahead_ms = ahead_ms
        steps: list[CheckStep] = []
        await adapter.check(steps.append)
        assert words in steps[-1].detail


async def test_a_clock_that_is_days_off_fails_the_check() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        server.clock_ahead_ms = -3 * DAY_MS
        with pytest.raises(NotReady, match="differ by 3 days"):
            await adapter.check(ignore)


@pytest.mark.parametrize("kind", ["404", "401", "500"])
async def test_a_server_that_tells_no_version_is_no_failure(kind: FaultKind) -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        server.faults.kind, server.faults.path = kind, "/referencedata"
        steps: list[CheckStep] = []
        identity = await adapter.check(steps.append)
        assert identity.version is None
        assert "does not name its version" in next(step.detail for step in steps if step.layer is Layer.VERSION)


@pytest.mark.parametrize(
    ("missing", "field"),
    [
        ("client_id", "client_id"),
        ("username", "username"),
        ("password", "password"),
        ("client_secret", "client_secret"),
    ],
)
async def test_what_the_sign_in_needs_is_asked_for(missing: str, field: str) -> None:
    async with running(small_world()) as server:
        with pytest.raises(SettingsInvalid) as wrong:
            async with adapter_for(server, **{missing: ""}):
                pass
        assert wrong.value.field == field
