"""Changes and acts over the web service: no false success, no change twice, no half of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from adapters.errors import BadReply, NotReady, RecordRejected
from adapters.mod4.actions import ACTIONS, CodeFor, NewCode
from adapters.openlmis.simulator_line import line_to
from tests.adapters.mod4.support import (
    AISHA,
    ASSIGNED,
    INVITATION,
    LINK,
    PLANNED,
    TRUCK,
    Site,
    an_id,
    console,
    send,
)
from tests.adapters.mod4.test_send import status

START, SEEN = {"stage": "in_progress"}, {"stage": "assigned"}


async def refused(site: Site, write: str, row: str, values: Mapping[str, Any]) -> str:
    with pytest.raises(RecordRejected) as found:
        await send(site.settings(), write, row, values)
    assert found.value.why.endswith((".", "”"))
    return found.value.why


# No false success ----------------------------------------------------------------------------------------------------


async def test_what_the_rules_hide_is_refused_and_not_changed(web: Site, web_committed: Site) -> None:
    for site in (web, web_committed):
        assert "Row security" in await refused(site, "suspend_link", LINK, {"stage": "suspended"})
        assert status(site, "mod4_driver_links", LINK) == "active"


async def test_an_update_that_touches_no_row_is_a_refusal(web: Site) -> None:
    """A rule that lets rows be seen and none be changed: the service answers 200 with an empty list."""
    web.run("CREATE POLICY see ON mod4_driver_links FOR SELECT TO authenticated USING (true)")
    why = await refused(web, "suspend_link", LINK, {"stage": "suspended"})
    assert "changed no row" in why
    assert "boss@depot.test" in why
    assert status(web, "mod4_driver_links", LINK) == "active"


async def test_as_committed_a_start_fails_inside_and_is_told_in_the_service_s_words(web_committed: Site) -> None:
    web_committed.run("UPDATE delivery_batches SET driver_id = driver_id")
    why = await refused(web_committed, "start_batch", ASSIGNED, START)
    assert "requisitions" in why
    assert "repair.sql" in why
    assert status(web_committed, "delivery_batches", ASSIGNED) == "assigned"


async def test_as_committed_linking_fails_inside_and_leaves_nothing(web_committed: Site) -> None:
    why = await refused(web_committed, "link_directly", "", {"email": "stranger@else.test"})
    assert "repair.sql" in why
    assert web_committed.one("SELECT count(*) FROM mod4_driver_links") == 2


async def test_an_assignment_of_driver_and_vehicle_is_made_whole_or_not_at_all(web: Site) -> None:
    web.run(
        "CREATE FUNCTION no_truck() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF new.driver_id IS NOT NULL THEN "
        "RAISE EXCEPTION 'The driver is on leave'; END IF; RETURN new; END $$; "
        "CREATE TRIGGER no_truck BEFORE UPDATE ON delivery_batches FOR EACH ROW EXECUTE FUNCTION no_truck()"
    )
    wanted = {"driver": AISHA, "vehicle": TRUCK, "stage": "assigned"}
    assert "The driver is on leave" in await refused(web, "assign_batch", PLANNED, wanted)
    row = "SELECT driver_id, vehicle_id, status::text FROM delivery_batches WHERE id = %s::uuid"
    assert web.run(row, PLANNED) == [(None, None, "planned")]


# Doubt ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["request", "reply"])
@pytest.mark.parametrize("at", [0, 60, 100])
async def test_a_change_whose_line_breaks_is_made_once(web: Site, side: str, at: int) -> None:
    assert web.web is not None
    async with line_to(int(web.web.url.rsplit(":", 1)[1])) as line:
        settings = web.settings(url=line.url)
        line.cut(b"PATCH /rest/v1/delivery_batches", **{f"{side}_at": at})
        cancel = {"stage": "cancelled"}
        with pytest.raises((NotReady, BadReply)) as found:
            await send(settings, "cancel_batch", PLANNED, cancel, {"stage": "planned"})
        assert line.cuts == 1
        assert found.value.is_doubtful
        was_made = status(web, "delivery_batches", PLANNED) == "cancelled"
        assert was_made or side == "request"
        again = await send(settings, "cancel_batch", PLANNED, cancel, {"stage": "planned"}, doubtful=True)
        assert again.was_applied_before is was_made
        assert status(web, "delivery_batches", PLANNED) == "cancelled"


async def test_an_invitation_whose_answer_is_lost_is_made_once(web: Site) -> None:
    assert web.web is not None
    async with line_to(int(web.web.url.rsplit(":", 1)[1])) as line:
        settings = web.settings(url=line.url)
        line.cut(b"POST /rest/v1/rpc/invite_user", reply_at=40)
        with pytest.raises((NotReady, BadReply)) as found:
            await send(settings, "invite", "", {"email": "fresh@depot.test"})
        assert found.value.is_doubtful
        assert getattr(found.value, "sample", "") == ""
        token = "SELECT invitation_token FROM user_invitations WHERE email = 'fresh@depot.test'"
        made = web.one(token)
        again = await send(settings, "invite", "", {"email": "fresh@depot.test"}, doubtful=True)
        assert again.was_applied_before
        assert web.one(token) == made


async def test_a_change_that_was_made_and_cannot_be_read_back_is_a_doubt_and_no_refusal(web: Site) -> None:
    assert web.web is not None
    is_made = False

    async def forgets(request: Request) -> Response | None:
        nonlocal is_made
        if is_made and request.url.path == "/rest/v1/delivery_batches":
            return JSONResponse({"code": "42501", "message": "permission denied"}, 403)
        is_made |= request.url.path == "/rest/v1/rpc/start_dispatch" and request.method == "POST"
        return None

    web.web.between = forgets
    with pytest.raises(NotReady, match="took the change") as found:
        await send(web.settings(), "start_batch", ASSIGNED, START, SEEN)
    assert found.value.is_doubtful
    web.web.between = None
    again = await send(web.settings(), "start_batch", ASSIGNED, START, SEEN, doubtful=True)
    assert again.was_applied_before


@pytest.mark.parametrize("code", [502, 504])
async def test_a_proxy_that_lost_the_answer_leaves_a_doubt(web: Site, code: int) -> None:
    assert web.web is not None

    async def loses(request: Request) -> Response | None:
        if request.method == "POST" and request.url.path.endswith("start_dispatch"):
            return HTMLResponse("<html>Bad gateway</html>", code)
        return None

    web.web.between = loses
    with pytest.raises(NotReady) as found:
        await send(web.settings(), "start_batch", ASSIGNED, START, SEEN)
    assert found.value.is_doubtful
    assert status(web, "delivery_batches", ASSIGNED) == "assigned"


async def test_a_session_that_ends_before_a_change_is_opened_anew_for_it(web: Site) -> None:
    assert web.web is not None
    is_over = False

    async def ends(request: Request) -> Response | None:
        nonlocal is_over
        if request.method == "PATCH" and not is_over:
            is_over = True
            assert web.web is not None
            web.web.expire_tokens()
        return None

    web.web.between = ends
    receipt = await send(web.settings(), "cancel_batch", PLANNED, {"stage": "cancelled"}, {"stage": "planned"})
    assert not receipt.was_applied_before
    assert is_over


async def test_a_run_of_two_tries_is_one_run(web: Site) -> None:
    assert web.web is not None
    key = an_id("web run")
    async with line_to(int(web.web.url.rsplit(":", 1)[1])) as line:
        settings = web.settings(url=line.url)
        line.cut(b"POST /rest/v1/dispatch_runs", reply_at=0)
        with pytest.raises((NotReady, BadReply)) as found:
            await send(settings, "new_run", "", {"batch": ASSIGNED}, key=key)
        assert found.value.is_doubtful
        again = await send(settings, "new_run", "", {"batch": ASSIGNED}, key=key, doubtful=True)
    assert again.was_applied_before
    assert web.one("SELECT count(*) FROM dispatch_runs") == 1


# Codes ---------------------------------------------------------------------------------------------------------------


async def make(site: Site, email: str) -> NewCode:
    async with console(site.settings()) as made:
        found = await ACTIONS["one_time_code"].run(made, CodeFor(email=email))
    assert isinstance(found, NewCode)
    return found


async def test_a_code_for_an_address_without_an_account_comes_with_one(web: Site) -> None:
    found = await make(web, "unheard@of.test")
    assert web.one("SELECT count(*) FROM auth.users WHERE email = 'unheard@of.test'") == 1
    assert web.one("SELECT verify_mod4_otp('unheard@of.test', %s)", found.code) == "unheard@of.test"


async def test_without_the_edge_function_only_accounts_get_codes(web: Site) -> None:
    assert web.web is not None

    async def is_not_there(request: Request) -> Response | None:
        if request.url.path.startswith("/functions"):
            return JSONResponse({"code": "NOT_FOUND", "message": "Requested function was not found"}, 404)
        return None

    web.web.between = is_not_there
    with pytest.raises(RecordRejected, match="generate-driver-otp"):
        await make(web, "unheard@of.test")
    assert len((await make(web, "musa@depot.test")).code) == 6


async def test_an_answer_that_breaks_off_shows_no_part_of_a_code(web: Site) -> None:
    assert web.web is not None

    async def breaks(request: Request) -> Response | None:
        is_code = request.method == "POST" and request.url.path.endswith("generate_mod4_otp")
        return Response(b'"042137', media_type="application/json") if is_code else None

    web.web.between = breaks
    with pytest.raises(BadReply) as found:
        await make(web, "musa@depot.test")
    assert "042137" not in f"{found.value.why}{found.value.sample}"


async def test_an_invitation_of_somebody_who_is_no_administrator_is_refused_here(web: Site) -> None:
    with pytest.raises(RecordRejected, match="Only an owner or administrator"):
        await send(web.settings(acting_user="member@depot.test"), "invite", "", {"email": "x@depot.test"})
    with pytest.raises(RecordRejected):
        await send(web.settings(acting_user="member@depot.test"), "revoke_invitation", INVITATION, {"stage": "revoked"})
    assert status(web, "user_invitations", INVITATION) == "pending"
