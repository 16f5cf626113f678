"""Stock out: what was shown is what arrives, batches before counts, one store's trouble stops no other."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import NotReady, SettingsInvalid
from adapters.nhlmis.profile import Profile
from adapters.nhlmis.report import REPORTER
from adapters.nhlmis.simulator import KEY, NhlmisServer, running
from adapters.nhlmis.simulator_api import AnswerStyle
from adapters.nhlmis.simulator_world import PRODUCTS, STORES
from adapters.nhlmis.stock import split_reportable
from adapters.reporting import BLANK, Progress, RunResult, StockRow, StockSchedule
from app.catalogue import Catalogue
from app.integrations.settings import validate
from tests.adapters.nhlmis.support import START_MS, kit_for, profile, profile_file, rows, settings_for, world

STORE_CODES = [code for code, _ in STORES]
ALL = [row for code in STORE_CODES for row in rows(code)]


async def run(server: NhlmisServer, told: list[StockRow], **changes: Any) -> tuple[RunResult, list[Progress]]:
    seen: list[Progress] = []
    async with kit_for() as kit:
        result = await REPORTER.run(settings_for(server, **changes), kit, told, seen.append)
    return result, seen


def outcomes(result: RunResult) -> dict[str, str]:
    return {store.store: store.outcome for store in result.stores}


PROFILES: dict[str, dict[str, Any]] = {
    "default": {},
    "small calls": {"batching": {"max_records": 5}},
    "other words": {
        "auth": {"header": "Authorization", "scheme": "Bearer"},
        "paths": {"batches": "/stock/lots", "stock_counts": "/stock/levels"},
        "methods": {"batches": "PUT", "stock_counts": "PATCH"},
        "fields": {
            "batch": {"item_code": "product.code", "batch": "lot.number", "expires_on": "lot.expiry"},
            "stock_count": {"item_code": "product.code", "batch": "lot", "quantity": "qty.value"},
        },
        "constants": {"stock_count": {"qty.unit": "pack"}},
        "bodies": {"stock_counts": {"shape": "object", "list_path": "levels", "store_path": "store"}},
        "formats": {"time": "epoch_ms", "day": "compact"},
    },
    "one by one": {
        "limits": {"per_minute": 600},
        "bodies": {"batches": {"shape": "single"}, "stock_counts": {"shape": "single"}},
    },
}


@pytest.mark.parametrize("name", PROFILES)
async def test_what_the_dry_run_shows_is_what_arrives_to_the_byte(name: str, tmp_path: Path) -> None:
    async with running(world(), profile(**PROFILES[name])) as server:
        with profile_file(server, tmp_path) as file:
            settings = settings_for(server, profile=file)
            plan = REPORTER.plan(settings, ALL)
            assert (server.api.seen, plan.is_approved) == ([], True)
            result, progress = await run(server, ALL, profile=file)
    assert outcomes(result) == dict.fromkeys(STORE_CODES, "accepted")
    assert len(plan.requests) == len(server.api.seen) == len(progress)
    base = f"http://127.0.0.1:{server.port}"
    for shown, seen in zip(plan.requests, server.api.seen, strict=True):
        headers = tuple((key.lower(), value.replace(BLANK, KEY)) for key, value in shown.headers)
        assert (shown.method, shown.url, shown.body) == (seen.method, f"{base}{seen.target}", seen.body)
        assert headers == seen.headers
        assert KEY not in repr(shown)
    assert [message.digest for store in result.stores for message in store.messages] == [
        request.digest for request in plan.requests
    ]
    assert (progress[-1].done, progress[-1].total) == (len(plan.requests), len(plan.requests))


async def test_everything_is_taken_and_said_so() -> None:
    made = world()
    async with running(made) as server:
        result, _ = await run(server, ALL)
    assert sorted(row for store in result.stores for row in store.accepted) == sorted(row.key for row in ALL)
    assert (len(made.batches), len(made.counts)) == (len(PRODUCTS), len(ALL))  # the same batches lie in every store
    assert {one["storeCode"] for one in made.counts} == set(STORE_CODES)
    assert "accepted 12 lines of FC-CMS-01." in result.stores[0].detail
    assert (result.held_back, result.retry_after_s, result.needs_sign_in) == ((), None, False)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("style", ["indexed", "parallel", "by_code", "texts", "placed", "keyed"])
async def test_a_refused_batch_stops_its_own_store_alone(style: AnswerStyle, whole: bool) -> None:
    made = world()
    told = [replace(row, item_code="NO-SUCH-1") if row.key == "KN-DMCSA-01/MRDT-25" else row for row in ALL]
    async with running(made) as server:
        server.rules.answer_style, server.rules.one_bad_refuses_all = style, whole
        result, _ = await run(server, told)
    assert outcomes(result) == {"FC-CMS-01": "accepted", "KN-DMCSA-01": "refused", "KD-CMS-01": "accepted"}
    kano = result.stores[1]
    assert [refusal.key for refusal in kano.refused] == ["KN-DMCSA-01/MRDT-25"]
    assert "Unknown item NO-SUCH-1" in kano.refused[0].why
    assert kano.accepted == ()
    assert len(kano.unsent) == 11
    assert [message.step for message in kano.messages] == ["batches"]
    assert "No counts were sent for this store" in kano.detail
    assert {one["storeCode"] for one in made.counts} == {"FC-CMS-01", "KD-CMS-01"}


@pytest.mark.parametrize("whole", [True, False])
async def test_a_refused_count_stops_no_other_call(whole: bool, tmp_path: Path) -> None:
    """Two calls of six counts; the first has a bad line, and takes the others or not as the server pleases."""
    made = world()
    async with running(made, profile(batching={"max_records": 6})) as server:
        server.rules.uncounted, server.rules.one_bad_refuses_all = {"MRDT-25"}, whole
        with profile_file(server, tmp_path) as file:
            result, progress = await run(server, rows("FC-CMS-01"), profile=file)
    (store,) = result.stores
    assert store.outcome == "refused"
    assert [(one.key, one.why) for one in store.refused] == [("FC-CMS-01/MRDT-25", "MRDT-25 is not counted now")]
    assert len(store.accepted) == len(made.counts) == (6 if whole else 11)
    assert len(store.unsent) == (5 if whole else 0)
    assert "refused 1 line of the stock counts of FC-CMS-01" in store.detail
    assert [one.step for one in progress] == ["batches", "batches", "stock_counts", "stock_counts"]


async def test_a_key_that_is_not_bound_to_a_store_is_told_of_each_line() -> None:
    async with running(world()) as server:
        server.rules.stores.discard("KN-DMCSA-01")
        result, _ = await run(server, ALL)
    assert outcomes(result) == {"FC-CMS-01": "accepted", "KN-DMCSA-01": "refused", "KD-CMS-01": "accepted"}
    assert all("not bound to store KN-DMCSA-01" in refusal.why for refusal in result.stores[1].refused)
    assert len(result.stores[1].refused) == len(PRODUCTS)


async def test_batches_come_before_counts_and_a_count_without_its_batch_is_refused() -> None:
    made = world()
    async with running(made) as server:
        from adapters.nhlmis.client import NhlmisClient
        from adapters.nhlmis.stock import StockSender

        async with kit_for() as kit:
            sender = StockSender(NhlmisClient(settings_for(server), kit))
            counts = await sender.send_stock_counts("FC-CMS-01", rows("FC-CMS-01", 2))
            assert not counts.is_good
            assert all("send it first" in why for why in counts.refused.values())
            assert (await sender.send_batches("FC-CMS-01", rows("FC-CMS-01", 2))).is_good
            assert (await sender.send_stock_counts("FC-CMS-01", rows("FC-CMS-01", 2))).is_good
    assert len(made.counts) == 2


async def test_an_item_that_is_refused_for_ever_stops_no_other_store() -> None:
    async with running(world()) as server:
        server.rules.refused_for_ever = {"RUTF-150"}
        told = [row for row in ALL if row.store_code == "KD-CMS-01" or row.item_code != "RUTF-150"]
        for _ in range(3):
            result, _ = await run(server, told)
            assert outcomes(result) == {"FC-CMS-01": "accepted", "KN-DMCSA-01": "accepted", "KD-CMS-01": "refused"}
            assert [one.key for one in result.stores[2].refused] == ["KD-CMS-01/RUTF-150"]


FAULTS: list[tuple[str, list[str], str]] = [
    ("500", ["failed", "accepted", "accepted"], "fault of its own (500)"),
    ("html", ["failed", "accepted", "accepted"], "a web page"),
    ("401", ["failed", "not_sent", "not_sent"], "refused the API key"),
    ("429", ["failed", "not_sent", "not_sent"], "asked too often"),
    ("503", ["failed", "not_sent", "not_sent"], "not available"),
    ("403", ["refused", "accepted", "accepted"], "simulated"),
    ("404", ["refused", "accepted", "accepted"], "simulated"),
]


@pytest.mark.parametrize(("kind", "expected", "words"), FAULTS)
async def test_a_fault_in_the_first_call_is_told_of_its_store(kind: Any, expected: list[str], words: str) -> None:
    made = world()
    async with running(made) as server:
        server.faults.kind, server.faults.left = kind, 1
        result, _ = await run(server, ALL)
        assert result.stores[0].outcome.replace("doubtful", "failed") == expected[0]
        assert [store.outcome for store in result.stores[1:]] == expected[1:]
        assert words in result.stores[0].detail
        assert all(store.detail.endswith(".") for store in result.stores)
        assert KEY not in repr(result)
        assert result.needs_sign_in == (kind == "401")
        assert result.retry_after_s == (7 if kind in ("429", "503") else None)
        again, _ = await run(server, ALL)
    assert set(outcomes(again).values()) == {"accepted"}
    assert len(made.counts) == len(ALL)


async def test_a_lost_answer_is_doubtful_and_a_dead_line_is_not_tried_for_every_store() -> None:
    async with running(world()) as server:
        server.faults.kind, server.faults.path, server.faults.left = "lost_answer", "/stock-counts", 1
        result, _ = await run(server, ALL)
        assert [store.outcome for store in result.stores] == ["doubtful", "accepted", "accepted"]
        assert "It may have been taken all the same." in result.stores[0].detail
        assert result.stores[0].unconfirmed == tuple(row.key for row in rows("FC-CMS-01"))
        assert result.stores[0].unsent == ()
        await server.stop()
        dead, _ = await run(server, ALL)
    assert [store.outcome for store in dead.stores] == ["failed", "failed", "not_sent"]
    assert "nothing listens there" in dead.stores[2].detail
    assert dead.stores[2].unsent == tuple(row.key for row in rows("KD-CMS-01"))


@pytest.mark.parametrize("kind", ["empty", "text"])
async def test_a_count_answered_with_a_success_that_says_nothing_is_sent_not_confirmed(
    kind: Any, tmp_path: Path
) -> None:
    """The second of three calls is answered by a proxy that lost it: only its lines are in doubt."""
    made = world()
    async with running(made, profile(batching={"max_records": 4})) as server:
        with profile_file(server, tmp_path) as file:
            server.faults.kind, server.faults.path = kind, "/stock-counts"
            server.faults.skip, server.faults.left = 1, 1
            result, _ = await run(server, rows("FC-CMS-01"), profile=file)
    (store,) = result.stores
    assert store.outcome == "doubtful"
    assert store.unconfirmed == tuple(row.key for row in rows("FC-CMS-01")[4:8])
    assert len(store.accepted) == len(made.counts) == 8
    assert (store.refused, store.unsent) == ((), ())
    assert "4 lines sent, not confirmed. It accepted 8 lines. Ask the NHLMIS team" in store.detail
    assert "answers.empty_is_accepted" in store.detail


async def test_batches_that_are_not_confirmed_let_no_counts_out() -> None:
    made = world()
    async with running(made) as server:
        server.faults.kind, server.faults.path, server.faults.left = "empty", "/batches", 1
        result, _ = await run(server, ALL)
    assert [store.outcome for store in result.stores] == ["doubtful", "accepted", "accepted"]
    first = result.stores[0]
    assert (first.accepted, first.unconfirmed) == ((), ())
    assert first.unsent == tuple(row.key for row in rows("FC-CMS-01"))
    assert "No counts were sent for this store." in first.detail
    assert {one["storeCode"] for one in made.counts} == {"KN-DMCSA-01", "KD-CMS-01"}


@pytest.mark.parametrize("agreed", ["in the profile", "by status"])
async def test_an_empty_success_is_an_acceptance_where_that_is_agreed_or_said(agreed: str, tmp_path: Path) -> None:
    own = profile(answers={"empty_is_accepted": True}) if agreed == "in the profile" else profile()
    async with running(world(), own) as server:
        if agreed == "in the profile":
            server.faults.kind = "empty"
        else:
            server.rules.empty_answers = True  # 204 says what was done
        with profile_file(server, tmp_path) as file:
            result, _ = await run(server, ALL, profile=file)
    assert set(outcomes(result).values()) == {"accepted"}
    assert sorted(row for store in result.stores for row in store.accepted) == sorted(row.key for row in ALL)


async def test_nothing_is_sent_before_it_is_approved() -> None:
    async with running(world()) as server:
        for changes, field in (
            ({"profile_approved": False}, "profile_approved"),
            ({"approved_code": ""}, "approved_code"),
            ({"approved_code": "0000-0000"}, "approved_code"),
        ):
            with pytest.raises(NotReady) as found:
                await run(server, ALL, **changes)
            assert found.value.field == field
        assert server.api.seen == []
        settings = settings_for(server, profile_approved=False, approved_code="")
        plan = REPORTER.plan(settings, ALL)
        assert (plan.is_approved, plan.approval_code) == (False, server.approval_code)


async def test_a_changed_profile_must_be_approved_again(tmp_path: Path) -> None:
    file = tmp_path / "profile.json"
    file.write_text('{"units": {"stock_counts": "units"}}', encoding="utf-8")
    async with running(world()) as server:
        with pytest.raises(NotReady, match="was changed after it was approved"):
            await run(server, ALL, profile=str(file))
        assert server.api.seen == []


GOOD = rows("FC-CMS-01", 1)[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"program": " "}, "Not reportable: the line has no programme"),
        ({"funder": ""}, "Not reportable: the line has no donor"),
        ({"item_code": ""}, "no NHLMIS code"),
        ({"store_code": ""}, "no NHLMIS code"),
        ({"store_code": "XX-1"}, "not among those that report"),
        ({"packs": 0}, "only stock above 0"),
        ({"packs": -3}, "less than 0"),
        ({"packs": float("nan")}, "beyond every reason"),
        ({"packs": 1e12}, "beyond every reason"),
        ({"pack_size": 0}, "no number above 0"),
        ({"expires_on": "31/03/2028"}, "is no date"),
        ({"counted_ms": 0}, "cannot be right"),
        ({"batch": "\ud800"}, "cannot be sent"),
    ],
)
def test_a_line_that_cannot_be_told_is_held_back_with_its_reason(changes: dict[str, Any], words: str) -> None:
    good, held = split_reportable(Profile(), [GOOD, replace(GOOD, key="bad", **changes)], ["FC-CMS-01"])
    assert good == {"FC-CMS-01": [GOOD]}
    assert [one.key for one in held] == ["bad"]
    assert words in held[0].why


def test_the_profile_may_ask_for_neither_programme_nor_donor() -> None:
    own = profile(stock={"needs_program": False, "needs_funder": False})
    good, held = split_reportable(own, [replace(GOOD, program="", funder="")], [])
    assert (len(good), held) == (1, [])


ROWS = st.lists(
    st.builds(
        replace,
        st.just(GOOD),
        key=st.sampled_from("abcdef"),
        store_code=st.sampled_from(["", *STORE_CODES]),
        packs=st.floats() | st.integers(0, 50),
        program=st.sampled_from(["", "Malaria"]),
        expires_on=st.none() | st.text(max_size=10),
    ),
    max_size=12,
)


@given(ROWS)
def test_no_line_is_lost_between_sent_and_held_back(told: list[StockRow]) -> None:
    good, held = split_reportable(Profile(), told, [])
    sent = [row.key for lines in good.values() for row in lines]
    assert sorted(sent + [one.key for one in held]) == sorted(row.key for row in told)
    assert len(sent) == len(set(sent))
    assert all(one.why.endswith(".") for one in held)


def test_the_catalogue_leads_to_the_reporter_and_the_profile_in_words() -> None:
    reporter = Catalogue.load(third_party=list).reporter("nhlmis")
    settings = validate(Catalogue.load(third_party=list), "nhlmis", {"url": "http://127.0.0.1:1/v1"}, {"api_key": "k"})
    assert ("auth.header", "“X-API-Key”") in reporter.describe_profile(settings)
    assert reporter.compare_profiles("{}", '{"name": "Kano"}') == ["“name” changes from “Default” to “Kano”."]
    with pytest.raises(SettingsInvalid):
        reporter.compare_profiles("{}", "[]")
    assert reporter.check_profile("{}") == reporter.profile_text(settings)
    with pytest.raises(SettingsInvalid, match=r"auth\.scheme"):
        reporter.check_profile('{"auth": {"scheme": 7}}')
    assert reporter.schedule(settings) == StockSchedule(1, "20:00", 5)


async def test_the_settings_have_the_last_word_on_the_schedule() -> None:
    async with running(world(0)) as server:
        settings = settings_for(server, stock_every_days=7, stock_at="06:30")
    assert REPORTER.schedule(settings) == StockSchedule(7, "06:30", 5)


async def test_one_order_is_fetched_on_request() -> None:
    made = world(3)
    order = next(iter(made.orders.values()))
    async with running(made) as server, kit_for() as kit:
        found = await REPORTER.fetch_order(settings_for(server), kit, order.id)
        assert found.number == order.number
        assert server.api.seen[-1].target == f"/v1/orders/{order.id}?genericParent=True"


def test_the_rows_of_these_tests_are_known_to_the_server() -> None:
    assert {row.item_code for row in ALL} == {product.code for product in PRODUCTS}
    assert json.dumps([row.counted_ms for row in ALL]).count(str(START_MS)) == len(ALL)
