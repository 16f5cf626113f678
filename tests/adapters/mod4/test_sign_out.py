"""A driver's session is ended by the platform's function, and only where the platform shows it ended."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.errors import RecordRejected
from adapters.mod4.actions import ACTIONS, Ended, SessionId
from tests.adapters.mod4.support import DRIVER_LOGIN, OTHER_LOGIN, SESSION, Site, console


@pytest.fixture
def site(either: Site) -> Site:
    """Every test runs over the database and over the web service."""
    return either


async def end(site: Site, session: str = SESSION, role: str = "console", **changed: Any) -> Ended:
    async with console(site.settings(role, **changed)) as made:
        found = await ACTIONS["end_session"].run(made, SessionId(session=session))
    assert isinstance(found, Ended)
    return found


async def refused(site: Site, session: str = SESSION, **changed: Any) -> str:
    with pytest.raises(RecordRejected) as found:
        await end(site, session, **changed)
    assert found.value.why.endswith(".")
    return found.value.why


def state(site: Site) -> tuple[Any, ...]:
    return tuple(site.run("SELECT status, invalidation_reason FROM driver_sessions WHERE id = %s::uuid", SESSION)[0])


async def test_a_session_is_ended_once(site: Site) -> None:
    assert await end(site) == Ended(user=DRIVER_LOGIN, was_open=True)
    assert state(site) == ("INVALIDATED", "admin_terminated")
    assert await end(site) == Ended(user=DRIVER_LOGIN, was_open=False)


async def test_a_session_of_another_workspace_is_out_of_reach(site: Site) -> None:
    site.run("UPDATE driver_sessions SET driver_id = %s::uuid", OTHER_LOGIN)
    assert "no such session" in await refused(site)
    assert state(site) == ("ACTIVE", None)


@pytest.mark.parametrize("answer", ["true", "false", "NULL"])
async def test_a_function_that_ends_nothing_is_no_success(site: Site, answer: str) -> None:
    site.run("DROP FUNCTION end_driver_session(uuid, text)")
    site.run(
        "CREATE FUNCTION end_driver_session(p_session_id uuid, p_end_reason text) RETURNS boolean LANGUAGE sql AS "
        f"$$ SELECT {answer}::boolean $$"
    )
    site.run("GRANT EXECUTE ON FUNCTION end_driver_session(uuid, text) TO biko_console")
    assert "open as before" in await refused(site)


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
