"""Signing in, the life of tokens, and the three layers of errors (msupply.md, sections 2 and 7)."""

from __future__ import annotations

import asyncio

import pytest

from adapters.base import CheckStep, Layer
from adapters.errors import AuthFailed, BadReply, NotReady, SettingsInvalid
from adapters.msupply.simulator import MSupplyServer, running
from adapters.msupply.simulator_faults import FaultKind
from tests.adapters.msupply.support import DAY_MS, HOUR_MS, MINUTE_MS, Memory, adapter_for, pull, small_world

WRONG = "planted-wrong-password"


async def me(server: MSupplyServer, adapter: object) -> None:
    """Any signed call."""
    client = adapter.client  # type: ignore[attr-defined]
    data = await client.call("Me")
    assert data["me"]["username"] == server.account.username


async def test_one_sign_in_serves_many_calls() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        for _ in range(5):
            await me(server, adapter)
        assert (server.account.sign_ins, server.account.renewals) == (1, 0)


async def test_a_token_is_renewed_before_it_ends_and_never_a_second_sign_in() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        for _ in range(20):
            await me(server, adapter)
            server.world.now_ms += 56 * MINUTE_MS
        assert (server.account.sign_ins, server.account.renewals) == (1, 19)


async def test_after_two_hours_of_silence_it_signs_in_again() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        await me(server, adapter)
        server.world.now_ms += 3 * HOUR_MS
        await me(server, adapter)
        assert (server.account.sign_ins, server.account.renewals) == (2, 0)


async def test_a_restart_of_the_server_ends_all_tokens_and_is_not_noticed() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        await me(server, adapter)
        await server.restart()
        await me(server, adapter)
        assert server.account.sign_ins == 2


async def test_a_token_that_ended_early_is_renewed_once() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        await me(server, adapter)
        server.account._tokens.clear()
        await me(server, adapter)
        assert (server.account.sign_ins, server.account.renewals) == (1, 1)


async def test_an_account_that_is_never_known_stops_after_one_renewal_and_one_sign_in() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        await me(server, adapter)
        server.account.forgets = True
        with pytest.raises(AuthFailed, match="signs this account in and then does not know it"):
            await me(server, adapter)
        assert (server.account.sign_ins, server.account.renewals) == (2, 1)


async def test_it_never_signs_out() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        await adapter.check(lambda _: None)
        await pull(adapter, Memory())
        assert server.account.logouts == 0


async def test_a_wrong_password_is_refused_late_and_named_never() -> None:
    async with running(small_world(), refusal_delay_s=0.5) as server:
        async with adapter_for(server, password=WRONG) as adapter:
            began = asyncio.get_running_loop().time()
            with pytest.raises(AuthFailed, match="refused the sign-in") as found:
                await adapter.check(lambda _: None)
            assert asyncio.get_running_loop().time() - began >= 0.5
        assert WRONG not in str(found.value)
        assert server.account.sign_ins == 1, "a wrong password is tried once"
        assert all(WRONG not in str(request) for request in server.seen)


async def test_a_blocked_account_is_left_alone_until_the_time_is_over() -> None:
    async with running(small_world(), refusal_delay_s=0) as server, adapter_for(server) as adapter:
        server.account.blocked_until_ms = server.world.now_ms + 10 * MINUTE_MS
        for _ in range(3):
            with pytest.raises(NotReady, match="blocked this account") as found:
                await me(server, adapter)
            assert found.value.retry_after_s == 600
        assert server.account.sign_ins == 1
        server.world.now_ms += 11 * MINUTE_MS
        await me(server, adapter)


@pytest.mark.parametrize(
    ("spoil", "error", "words"),
    [
        ("has_site_access", AuthFailed, "no access to its site"),
        ("central_sync_required", NotReady, "central server"),
    ],
)
async def test_other_refusals_of_a_sign_in(spoil: str, error: type[Exception], words: str) -> None:
    async with running(small_world(), refusal_delay_s=0) as server, adapter_for(server) as adapter:
        setattr(server.account, spoil, spoil == "central_sync_required")
        with pytest.raises(error, match=words):
            await me(server, adapter)


@pytest.mark.parametrize("status", ["PRE_INITIALISATION", "INITIALISING"])
async def test_a_server_that_is_being_set_up_is_not_ready(status: str) -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        server.api.status = status
        with pytest.raises(NotReady, match="still being set up"):
            await adapter.check(lambda _: None)
        assert server.account.sign_ins == 0
        server.api.status = "INITIALISED"
        await adapter.check(lambda _: None)


async def test_a_reduced_interface_is_a_server_that_is_not_ready() -> None:
    async with running(small_world(), removed=["Queries.isCentralServer"]) as server, adapter_for(server) as adapter:
        with pytest.raises(NotReady, match="still being set up"):
            await adapter.check(lambda _: None)


FAULTS: list[tuple[FaultKind, type[Exception], str]] = [
    ("html_502", NotReady, "proxy before"),
    ("html", BadReply, "web page"),
    ("empty", BadReply, "empty answer"),
    ("text", BadReply, "no JSON"),
    ("half_json", BadReply, "breaks off"),
    ("cut_reply", BadReply, "broke off"),
    ("500", NotReady, "fault of its own"),
    ("503", NotReady, "not available"),
    ("internal_error", NotReady, "failed in the middle"),
]


@pytest.mark.parametrize(("kind", "error", "words"), FAULTS)
async def test_each_fault_is_told_and_passes(kind: FaultKind, error: type[Exception], words: str) -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        await me(server, adapter)
        server.faults.kind, server.faults.operation = kind, "query Me "
        with pytest.raises(error, match=words) as found:
            await me(server, adapter)
        assert getattr(found.value, "is_doubtful", False) is False, "a reading is never doubtful"
        server.faults.clear()
        await me(server, adapter)


async def test_a_stall_ends_with_the_longest_silence() -> None:
    async with running(small_world()) as server, adapter_for(server, answer_within_s=1) as adapter:
        await me(server, adapter)
        server.faults.kind, server.faults.operation = "stall", "query Me "
        with pytest.raises(NotReady, match="stopped answering"):
            await me(server, adapter)


async def test_the_permissions_are_listed_store_by_store() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        server.account.permissions[server.world.zonal["id"]].discard("STOCK_LINE_QUERY")
        steps: list[CheckStep] = []
        identity = await adapter.check(steps.append)
    told = [step.detail for step in steps if step.layer is Layer.PERMISSION]
    assert len(told) == 2
    assert told[0].startswith("SCMS")
    assert "Lacks" not in told[0]
    assert "Lacks STOCK_LINE_QUERY" in told[1]
    assert identity.title == "mSupply Niger State (SCMS, ZMS)"


async def test_a_store_that_is_not_the_accounts_names_those_that_are() -> None:
    async with running(small_world()) as server, adapter_for(server, stores="SCMS, LAGOS") as adapter:
        with pytest.raises(SettingsInvalid, match=r"no store LAGOS\. It has: NGS001, NGS002, SCMS, ZMS") as found:
            await adapter.check(lambda _: None)
        assert found.value.field == "stores"


@pytest.mark.parametrize(("skew_ms", "words"), [(0, "agrees"), (-10 * MINUTE_MS, "10 minutes ahead of")])
async def test_the_clock_is_compared(skew_ms: int, words: str) -> None:
    async with running(small_world()) as server, adapter_for(server, skew_ms=skew_ms) as adapter:
        steps: list[CheckStep] = []
        await adapter.check(steps.append)
    assert words in steps[-1].detail


async def test_a_clock_that_is_days_off_is_refused() -> None:
    async with running(small_world()) as server, adapter_for(server, skew_ms=3 * DAY_MS) as adapter:
        with pytest.raises(NotReady, match="differ by 3 days"):
            await adapter.check(lambda _: None)


async def test_the_servers_words_never_carry_the_password() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        client = adapter.client
        said = client._words(f"could not store {server.account.password} for user.")
        assert said == "could not store … for user"
