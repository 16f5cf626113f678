"""Ending a driver's session by the platform's function, done at once and read back (biko.md 4.7, 4.8)."""

from __future__ import annotations

from adapters.errors import RecordRejected
from adapters.mod4.people import is_member
from adapters.mod4.readings import Equals, Reading, Tables
from adapters.mod4.site import Platform, Site
from adapters.mod4.words import Refused

REASON = "admin_terminated"
"""What the platform's own page of sessions gives as the reason."""


async def end_session(platform: Platform, session_id: str) -> tuple[str, bool]:
    """End an open session of a driver of the workspace: its login's id, and whether it was open.

    Raises RecordRejected with the reason, and what :meth:`adapters.base.Adapter.check` raises.
    """
    if not platform.settings.changes:
        raise RecordRejected(
            session_id, "Changes are switched off for this integration. Switch them on in its settings, then try again."
        )
    async with platform.open() as opened:
        site = opened.site
        feature = site.feature("end_sessions")
        if not feature.is_on:
            raise RecordRejected(session_id, f"The session cannot be ended: {feature.reason}")
        try:
            return await opened.session.write(lambda tables: _end(tables, site, session_id))
        except Refused as err:
            platform.forget()
            raise RecordRejected(session_id, err.sentence("Ending a session")) from err


def _end(tables: Tables, site: Site, session_id: str) -> tuple[str, bool]:
    before = _state(tables, site, session_id)
    if before is None:
        raise RecordRejected(session_id, "The platform shows no such session of a driver of this workspace any more.")
    login, is_open = before
    if not is_open:
        return login, False
    said = tables.call("end_driver_session", {"p_session_id": session_id, "p_end_reason": REASON})
    after = _state(tables, site, session_id)
    if after is not None and after[1]:
        raise RecordRejected(
            session_id,
            "The platform answered without an error, and the session is open as before. Its function may be hindered "
            f"by row security. {site.inventory.grant}",
        )
    return login, said is not False  # false: the driver, or another console, was quicker by a moment


def _state(tables: Tables, site: Site, session_id: str) -> tuple[str, bool] | None:
    """Login and whether it is open. The workspace is asked for here, the function does not."""
    where = (Equals("id", session_id), is_member("driver_id", site))
    rows = tables.rows(Reading("driver_sessions", where, columns=("id", "driver_id", "status", "ended_at")))
    if not rows:
        return None
    row = rows[0]
    return str(row["driver_id"]), str(row["status"]).upper() == "ACTIVE" and row["ended_at"] is None
