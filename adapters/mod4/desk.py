"""What is done at once because its answer is needed now and is never stored: codes, links of invitations.

A code stands in no log, no error and no record: it is returned once, to whoever asked. Making one voids those before,
so that pressing the button again and again would leave a driver with a dead code: one is made per address and half
minute, here and, by the server's clock, at every other console.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from uuid import UUID

from adapters.errors import BadReply, NotReady, RecordRejected, SettingsInvalid
from adapters.mod4 import people
from adapters.mod4.functions import Functions
from adapters.mod4.handlers import EMAIL
from adapters.mod4.readings import NOW, Equals, Reading, Row, SameText, Tables
from adapters.mod4.site import Open, Platform, Site
from adapters.mod4.words import Refused

PAUSE_S = 30
LIFE_MS = 15 * 60_000
"""How long a code lives by the platform's rule, where its row cannot be read (biko.md 3.2)."""

_made_at: dict[tuple[str, str, str], float] = {}
"""When a code was made last, by server, workspace and address: adapters are made anew for each press of a button."""


@dataclass(frozen=True, slots=True)
class Made:
    """A new code. Its representation does not show it."""

    email: str
    code: str
    expires_ms: int
    voided: int
    remark: str

    def __repr__(self) -> str:
        return f"Made(email={self.email!r}, expires_ms={self.expires_ms})"


@dataclass(frozen=True, slots=True)
class Link:
    """The link of an invitation. Its representation does not show it."""

    email: str
    link: str
    expires_ms: int

    def __repr__(self) -> str:
        return f"Link(email={self.email!r}, expires_ms={self.expires_ms})"


class Desk:
    """The acts of one integration."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._functions = Functions(platform)

    # -- codes

    async def make_code(self, email: str) -> Made:
        """A new one-time code for an address. Raises RecordRejected with the reason, NotReady within the pause."""
        address = email.strip().lower()
        if not EMAIL.fullmatch(address) or len(address) > 320:
            raise RecordRejected(address[:100], f"“{address[:100]}” is no e-mail address. Correct it.")
        settings, clock = self._platform.settings, self._platform.kit.clock
        self._refuse_if_off(address)
        key = (settings.place, settings.workspace.casefold(), address)
        waited = clock.monotonic() - _made_at.get(key, float("-inf"))
        if waited < PAUSE_S:
            raise _too_soon(address, PAUSE_S - waited)
        before = _made_at.get(key)
        _made_at[key] = clock.monotonic()
        try:
            async with self._platform.open() as opened:
                return await self._make(opened, address)
        except BaseException as err:
            # Nothing was made: the next try need not wait. Where it is not known, it must.
            if not getattr(err, "is_doubtful", False) and not isinstance(err, BadReply):
                if before is None:
                    _made_at.pop(key, None)
                else:
                    _made_at[key] = before
            raise

    def _refuse_if_off(self, key: str) -> None:
        if not self._platform.settings.changes:
            raise RecordRejected(
                key, "Changes are switched off for this integration. Switch them on in its settings, then try again."
            )

    async def _make(self, opened: Open, address: str) -> Made:
        site = opened.site
        account = await opened.session.read(lambda tables: tables.account(address))
        can_see = site.inventory.has_accounts or site.inventory.has("profiles", "email")
        feature = site.feature("make_code")
        if not feature.is_on and (self._platform.settings.is_web or not self._functions.is_set):
            raise RecordRejected(address, f"No code can be made: {feature.reason}")
        if self._functions.is_set and not (feature.is_on and account):
            return await self._make_by_function(opened, address)
        if can_see and not account:
            raise RecordRejected(
                address,
                f"No account has the address {address}. Accounts cannot be made over the database: invite the address "
                "first, or enter the address of the platform's functions in the settings, which make one.",
            )
        code, expires_ms, voided = await self._generate(opened, address)
        remark = feature.remark
        if not can_see:
            remark = (
                f"It could not be seen whether {address} has an account; without one the code does not work. {remark}"
            )
        return Made(address, code, expires_ms, voided, remark.strip())

    async def _generate(self, opened: Open, address: str) -> tuple[str, int, int]:
        site = opened.site

        def job(tables: Tables) -> tuple[object, int, int]:
            tables.hold(f"code {address}")
            pending = _pending(tables, site, address)
            age_s = (tables.now_ms() - (pending[0]["created_at"] or 0)) / 1000 if pending else PAUSE_S
            if age_s < PAUSE_S:
                raise _too_soon(address, PAUSE_S - age_s)
            code = tables.call("generate_mod4_otp", {"p_email": address, "p_workspace_id": site.workspace.id})
            now = _pending(tables, site, address)
            return code, now[0]["expires_at"] if now else 0, len(pending)

        try:
            code, expires_ms, voided = await opened.session.write(job)
        except Refused as err:
            self._platform.forget()
            raise RecordRejected(address, err.sentence("Making a code")) from err
        return _checked(code, self._platform.peer), expires_ms or self._expires_ms(), voided

    async def _make_by_function(self, opened: Open, address: str) -> Made:
        code = await self._functions.generate(address, opened.site.workspace.id)
        remark = opened.site.feature("make_code").remark
        return Made(address, _checked(code, self._functions.peer), self._expires_ms(), 0, remark)

    def _expires_ms(self) -> int:
        return self._platform.kit.clock.now_ms() + LIFE_MS

    async def expire_code(self, code_id: str) -> tuple[str, bool]:
        """End a pending code: its address, and whether it was pending. Raises RecordRejected."""
        self._refuse_if_off(code_id)
        async with self._platform.open() as opened:
            site = opened.site
            feature = site.feature("expire_code")
            if not feature.is_on:
                raise RecordRejected(code_id, f"The code cannot be ended: {feature.reason}")
            try:
                return await opened.session.write(lambda tables: _expire(tables, site, code_id))
            except Refused as err:
                self._platform.forget()
                raise RecordRejected(code_id, err.sentence("Ending a code")) from err

    # -- links of invitations

    async def invitation_link(self, invitation_id: str) -> Link:
        """What the invited person opens. Raises SettingsInvalid without the address of the driver app."""
        base = self._platform.settings.app_url.rstrip("/")
        if not base:
            raise SettingsInvalid(
                "app_url", "Enter the address of the driver app in the settings: links of invitations begin with it."
            )
        async with self._platform.open() as opened:
            site = opened.site
            feature = site.feature("invitation_link")
            if not feature.is_on:
                raise RecordRejected(invitation_id, f"The link cannot be shown: {feature.reason}")
            try:
                found = await opened.session.read(lambda tables: _token(tables, site, invitation_id))
            except Refused as err:
                raise RecordRejected(invitation_id, err.sentence("Reading the invitation")) from err
        email, token, expires_ms = found
        return Link(email, f"{base}/invite/{token_text(token)}", expires_ms)


def token_text(token: str) -> str:
    """A token as links carry it: the 16 bytes as base64url without padding, 22 characters (biko.md 2.6)."""
    return base64.urlsafe_b64encode(UUID(token).bytes).decode("ascii").rstrip("=")


def _too_soon(address: str, seconds: float) -> NotReady:
    return NotReady(
        f"A code for {address} was made less than {PAUSE_S} s ago and is still good. A new one would end it; wait "
        f"{max(1, round(seconds))} s where it was lost.",
        retry_after_s=max(1.0, seconds),
    )


def _checked(code: object, peer: str) -> str:
    text = str(code or "").strip()
    if not (text.isascii() and text.isdigit() and len(text) == 6):
        # What came is not shown: it may be a code in another form.
        raise BadReply(f"What {peer} answered is no code of six digits, so that nothing can be told to the driver.")
    return text


def _pending(tables: Tables, site: Site, address: str) -> list[Row]:
    """Pending codes of an address, newest first. Empty where they are hidden."""
    if not site.feature("codes").is_on:
        return []
    now_ms = tables.now_ms()
    where = (SameText("target_email", address), Equals("status", "pending"))
    found = [row for row in tables.rows(Reading("mod4_otp_codes", where)) if (row["expires_at"] or 0) > now_ms]
    return sorted(found, key=lambda row: row["created_at"] or 0, reverse=True)


def _expire(tables: Tables, site: Site, code_id: str) -> tuple[str, bool]:
    mine = Reading("mod4_otp_codes", (Equals("id", code_id), people.in_workspace(site)))
    found = tables.rows(mine)
    if not found:
        raise RecordRejected(code_id, "The platform has no such code in this workspace any more.")
    email = str(found[0]["target_email"])
    if found[0]["status"] != "pending":
        return email, False
    values = {"status": "expired"}
    if site.inventory.may("mod4_otp_codes", "updated_at", "update"):
        values["updated_at"] = NOW
    guards = (people.in_workspace(site), Equals("status", "pending"))
    if tables.change("mod4_otp_codes", code_id, values, guards) == 1:
        return email, True
    again = tables.rows(mine)
    if again and again[0]["status"] == "pending":
        raise RecordRejected(
            code_id,
            "The platform answered without an error and changed no row: row security hides the code from "
            f"{site.inventory.who}. {site.inventory.grant}",
        )
    return email, False


def _token(tables: Tables, site: Site, invitation_id: str) -> tuple[str, str, int]:
    where = (Equals("id", invitation_id), people.in_workspace(site))
    columns = ("id", "email", "status", "expires_at", "invitation_token")
    found = tables.rows(Reading("user_invitations", where, columns))
    if not found:
        raise RecordRejected(invitation_id, "The platform has no such invitation in this workspace any more.")
    row = found[0]
    email, status, expires_ms = str(row["email"]), str(row["status"]), row["expires_at"]
    is_late = expires_ms is not None and expires_ms < tables.now_ms()
    if status != "pending" or is_late:
        word = "has expired" if status == "pending" else f"is {status}"
        raise RecordRejected(invitation_id, f"The invitation of {email} {word}, so that its link opens nothing.")
    return email, str(row["invitation_token"]), expires_ms or 0
