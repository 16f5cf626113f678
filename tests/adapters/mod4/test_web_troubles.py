"""Over the web service: rights, shapes and lines that fail, each a sentence for the stream or the run that it costs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from adapters.dispatch import DeliveryBatch, DeliveryEvent, Driver, DriverSession, FleetVehicle
from adapters.errors import AdapterError, BadReply, NotReady
from adapters.mod4.adapter import Mod4Adapter
from adapters.mod4.readings import Reading
from adapters.openlmis.simulator_line import line_to
from adapters.records import Record
from adapters.supply import FullRead, StreamRead
from tests.adapters.mod4.support import MUSA, Site, console, fetch, of_kind
from tests.adapters.mod4.test_pull import troubles

Between = Callable[[Request], Awaitable[Response | None]]


async def run(made: Mod4Adapter, into: list[Record] | None = None) -> list[Record]:
    found = [] if into is None else into
    async for batch in made.fetch({}):
        found += batch.records
    return found


# Rights and shapes ---------------------------------------------------------------------------------------------------


async def test_a_right_that_is_missing_costs_its_stream_alone(web: Site) -> None:
    web.run("REVOKE SELECT ON vehicles FROM authenticated, anon")
    records, _ = await fetch(web.settings())
    assert set(troubles(records)) == {"vehicles"} | web.hidden
    assert "may not read vehicles" in troubles(records)["vehicles"]
    assert of_kind(records, FleetVehicle) == []
    assert len(of_kind(records, DeliveryBatch)) == 2


@pytest.mark.parametrize(
    ("statement", "word"),
    [
        ("REVOKE SELECT ON vehicles FROM authenticated, anon", "permission denied"),
        ("ALTER TABLE vehicles RENAME COLUMN plate_number TO plate", "plate_number"),
        ("ALTER TABLE vehicles RENAME TO lorries", "Could not find the table"),
    ],
)
async def test_what_changes_behind_our_back_is_met_told_and_learned_anew(web: Site, statement: str, word: str) -> None:
    async with console(web.settings()) as made:
        await run(made)
        web.run(statement)
        records = await run(made)
        assert set(troubles(records)) == {"vehicles"} | web.hidden
        assert word in troubles(records)["vehicles"]
        assert [one for one in of_kind(records, FullRead) if one.kind == "fleet_vehicle"] == []
        async with made.platform.open() as opened:
            assert not opened.site.feature("vehicles").is_on


async def test_a_function_that_is_gone_or_may_not_be_called_is_off_with_its_name(web: Site) -> None:
    web.run("DROP FUNCTION invite_user; REVOKE EXECUTE ON FUNCTION start_dispatch FROM authenticated")
    async with console(web.settings()) as made, made.platform.open() as opened:
        features = opened.site.features
    assert "no function invite_user" in features["invite"].why
    assert features["start"].way == "table"  # the next way that the rules know
    assert features["complete"].way == "function"


async def test_asking_changes_nothing_at_the_platform(web: Site) -> None:
    def whole() -> list[Any]:
        names = ("mod4_otp_codes", "user_invitations", "mod4_driver_links", "delivery_batches", "driver_sessions")
        return [web.run(f"SELECT * FROM {name} ORDER BY 1") for name in names]  # noqa: S608 - names of ours

    before = whole()
    assert web.web is not None
    async with console(web.settings()) as made:
        await made.check(lambda _step: None)
    assert whole() == before
    assert {one.split()[0] for one in web.web.requests if "/rest/" in one} == {"GET"}


async def test_tables_that_cannot_be_limited_to_the_workspace_are_not_read(web: Site) -> None:
    web.run("ALTER TABLE mod4_events DROP CONSTRAINT mod4_events_driver_id_fkey")
    web.run(
        "INSERT INTO mod4_events (event_type, driver_id, session_id, device_id, lat, lng, captured_at) VALUES "
        "('batch_started', %s::uuid, gen_random_uuid(), 'p', 1, 1, now())", MUSA,
    )  # fmt: skip
    records, _ = await fetch(web.settings())
    assert of_kind(records, DeliveryEvent) == []
    assert "relationship" in troubles(records)["events"]


# Pages ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [1, 7])
async def test_a_service_that_gives_few_rows_at_a_time_is_read_to_the_end(web: Site, most: int) -> None:
    assert web.web is not None
    web.run(
        "INSERT INTO drivers (name, phone, license_type, shift_start, shift_end, workspace_id) "
        "SELECT 'Driver ' || n, '', 'standard', '08:00', '17:00', (SELECT id FROM workspaces WHERE slug = 'kano') "
        "FROM generate_series(1, 9) AS n"
    )
    web.run(
        "INSERT INTO mod4_events (event_type, driver_id, session_id, device_id, lat, lng, captured_at, received_at) "
        "SELECT 'location_captured', %s::uuid, gen_random_uuid(), 'p', 1, 1, now(), "
        "now() - (n / 3) * interval '1 second' FROM generate_series(1, 20) AS n", MUSA,
    )  # fmt: skip
    web.run(
        "INSERT INTO driver_sessions (driver_id, device_id, status, access_token_hash, refresh_token_hash, started_at) "
        "SELECT driver_id, 'p', 'INVALIDATED', 'h', 'h', now() - n * interval '1 hour' "
        "FROM driver_sessions, generate_series(1, 10) AS n"
    )
    web.web.most_rows = most
    records, _ = await fetch(web.settings())
    assert len({one.peer_id for one in of_kind(records, Driver)}) == len(of_kind(records, Driver)) == 11
    keys = [one.peer_id for one in of_kind(records, DeliveryEvent)]
    assert len(keys) == len(set(keys)) == 20
    assert len({one.peer_id for one in of_kind(records, DriverSession)}) == 11


async def test_events_without_a_time_of_arrival_come_by_their_own(web: Site) -> None:
    web.run("ALTER TABLE mod4_events ALTER received_at DROP NOT NULL")
    for when, came in (("now", None), ("now", "now"), ("2001-01-01", None)):
        web.run(
            "INSERT INTO mod4_events (event_type, driver_id, session_id, device_id, lat, lng, captured_at, "
            "received_at) VALUES ('batch_started', %s::uuid, gen_random_uuid(), 'p', 1, 1, %s::timestamptz, "
            "%s::timestamptz)",
            MUSA, when, came,
        )  # fmt: skip
    assert web.web is not None
    web.web.most_rows = 1
    records, cursors = await fetch(web.settings())
    assert len(of_kind(records, DeliveryEvent)) == 2  # the one of 2001 is older than the history that was asked for
    again, _ = await fetch(web.settings(), cursors)
    assert {one.peer_id for one in of_kind(again, DeliveryEvent)} <= {
        one.peer_id for one in of_kind(records, DeliveryEvent)
    }


# The line ------------------------------------------------------------------------------------------------------------


def answering(response: Callable[[], Response], prefix: str = "/rest/v1/vehicles") -> Between:
    async def between(request: Request) -> Response | None:
        return response() if request.url.path.startswith(prefix) else None

    return between


@pytest.mark.parametrize(
    ("response", "kind", "word"),
    [
        (lambda: HTMLResponse("<html>Sign in to the hotel</html>"), BadReply, "web page"),
        (lambda: HTMLResponse("<html>Bad gateway</html>", 502), NotReady, "proxy"),
        (lambda: HTMLResponse("<html>Gone</html>", 404), BadReply, "web page"),
        (lambda: JSONResponse({"code": "PGRST002", "message": "no cache"}, 503), NotReady, "database"),
        (lambda: JSONResponse({"code": "57014", "message": "canceling statement"}, 500), NotReady, "did not finish"),
        (lambda: Response(b"[{", 200), BadReply, "breaks off"),
        (lambda: JSONResponse({"no": "rows"}), BadReply, "something else than rows"),
        (lambda: JSONResponse([1, 2]), BadReply, "something else than rows"),
    ],
)
async def test_answers_that_are_none_end_the_run_and_delete_nothing(
    web: Site, response: Callable[[], Response], kind: type[AdapterError], word: str
) -> None:
    assert web.web is not None
    found: list[Record] = []
    async with console(web.settings()) as made:
        await run(made)
        web.web.between = answering(response)
        with pytest.raises(kind, match=word) as told:
            await run(made, found)
        assert not told.value.is_doubtful
        web.web.between = None
        assert len(of_kind(await run(made), FleetVehicle)) == 2
    assert [one for one in of_kind(found, FullRead) if one.kind == "fleet_vehicle"] == []
    assert "vehicles" not in {one.stream for one in of_kind(found, StreamRead)}


@pytest.mark.parametrize("at", [1, 90, 300])
async def test_a_line_that_breaks_at_a_byte_is_told_and_the_next_run_reads_all(web: Site, at: int) -> None:
    assert web.web is not None
    port = int(web.web.url.rsplit(":", 1)[1])
    async with line_to(port) as line, console(web.settings(url=line.url)) as made:
        whole = await run(made)
        line.cut(b"GET /rest/v1/drivers", reply_at=at)
        with pytest.raises((NotReady, BadReply)) as found:
            await run(made)
        assert line.cuts == 1
        assert not found.value.is_doubtful
        assert len(await run(made)) == len(whole)


async def test_a_service_that_falls_silent_is_given_up_and_a_cancelled_run_ends_at_once(web: Site) -> None:
    assert web.web is not None
    reached = asyncio.Event()

    async def hangs(request: Request) -> Response | None:
        if request.url.path == "/rest/v1/drivers":
            reached.set()
            await asyncio.sleep(3)
        return None

    async with console(web.settings(answer_within_s=1)) as made:
        await run(made)
        web.web.between = hangs
        with pytest.raises(NotReady, match="stopped answering"):
            await run(made)
    async with console(web.settings()) as made:
        web.web.between = None
        await run(made)
        web.web.between = hangs
        reached.clear()
        running = asyncio.ensure_future(run(made))
        await reached.wait()
        began = asyncio.get_running_loop().time()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert asyncio.get_running_loop().time() - began < 1


async def test_jobs_that_wait_for_the_service_hold_no_thread_that_the_loop_needs(web: Site) -> None:
    """Looking up a name takes a thread of the loop's: with all of them held, no request could begin."""
    assert web.web is not None
    waiting = asyncio.Event()
    release = asyncio.Event()

    async def hangs(request: Request) -> Response | None:
        if request.url.path == "/rest/v1/drivers":
            waiting.set()
            await release.wait()
        return None

    async with console(web.settings()) as made, made.platform.open() as opened:
        web.web.between = hangs
        jobs = [opened.session.begin(lambda tables: len(tables.rows(Reading("drivers")))) for _ in range(40)]
        await waiting.wait()
        async with asyncio.timeout(10):
            assert await asyncio.get_running_loop().getaddrinfo("localhost", 80)
        release.set()
        assert {await job.result() for job in jobs} == {3}
