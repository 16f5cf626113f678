"""A driver's session is ended by the platform's function, and only where the platform shows it ended."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.base import Receipt
from adapters.dispatch import DriverSession
from adapters.errors import RecordRejected
from tests.adapters.mod4.support import OTHER_LOGIN, SESSION, Site, send

ENDED, OPEN = {"stage": "ended"}, {"stage": "open"}


@pytest.fixture
def site(either: Site) -> Site:
    """Every test runs over the database and over the web service."""
    return either


async def end(site: Site, session: str = SESSION, role: str = "", **changed: Any) -> Receipt:
    return await send(site.settings(role, **changed), "end_session", session, ENDED, OPEN)


async def refused(site: Site, session: str = SESSION, **changed: Any) -> str:
    with pytest.raises(RecordRejected) as found:
        await end(site, session, **changed)
    assert found.value.why.endswith(".")
    return found.value.why


def state(site: Site) -> tuple[Any, ...]:
    return tuple(site.run("SELECT status, invalidation_reason FROM driver_sessions WHERE id = %s::uuid", SESSION)[0])


async def test_a_session_is_ended_once(site: Site) -> None:
    receipt = await end(site)
    (session,) = receipt.records
    assert isinstance(session, DriverSession)
    assert (session.stage, session.end_reason) == ("ended", "admin_terminated")
    assert not receipt.was_applied_before
    assert state(site) == ("INVALIDATED", "admin_terminated")
    assert (await end(site)).was_applied_before


async def test_a_session_of_another_workspace_is_out_of_reach(site: Site) -> None:
    site.run("UPDATE driver_sessions SET driver_id = %s::uuid", OTHER_LOGIN)
    assert "no such record in this workspace" in await refused(site)
    assert state(site) == ("ACTIVE", None)


@pytest.mark.parametrize("answer", ["true", "false", "NULL"])
async def test_a_function_that_ends_nothing_is_no_success(site: Site, answer: str) -> None:
    site.run("DROP FUNCTION end_driver_session(uuid, text)")
    site.run(
        "CREATE FUNCTION end_driver_session(p_session_id uuid, p_end_reason text) RETURNS boolean LANGUAGE sql AS "
        f"$$ SELECT {answer}::boolean $$"
    )
    site.run("GRANT EXECUTE ON FUNCTION end_driver_session(uuid, text) TO biko_console")
    assert "The end of the sign-in was not made" in await refused(site)


async def test_a_driver_who_was_quicker_by_a_moment_is_no_refusal(site: Site) -> None:
    """The function finds it ended and says false; read back, it is as wanted."""
    site.run("DROP FUNCTION end_driver_session(uuid, text)")
    site.run(
        "CREATE FUNCTION end_driver_session(p_session_id uuid, p_end_reason text) RETURNS boolean LANGUAGE sql "
        "SECURITY DEFINER AS $$ UPDATE driver_sessions SET status = 'INVALIDATED', invalidated_at = now(), "
        "invalidation_reason = 'driver_logout' WHERE id = p_session_id; SELECT false $$"
    )
    site.run("GRANT EXECUTE ON FUNCTION end_driver_session(uuid, text) TO biko_console")
    (session,) = (await end(site)).records
    assert isinstance(session, DriverSession)
    assert (session.stage, session.end_reason) == ("ended", "driver_logout")


async def test_what_is_missing_is_told_with_what_mends_it(site: Site) -> None:
    site.run("REVOKE EXECUTE ON FUNCTION end_driver_session(uuid, text) FROM public, authenticated, biko_console")
    assert "console_role.sql" in await refused(site)
    site.run("DROP FUNCTION end_driver_session(uuid, text)")
    assert "no function end_driver_session" in await refused(site)
    assert state(site) == ("ACTIVE", None)


async def test_a_console_that_only_reads_ends_nothing(site: Site) -> None:
    assert "switched off" in await refused(site, changes=False)
    assert "refused by the platform" in await refused(site, "no id at all")
    assert state(site) == ("ACTIVE", None)
