"""One-time codes and links of invitations: shown once, throttled, and never left anywhere."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from adapters.base import secret_names
from adapters.errors import AdapterError, BadReply, NotReady, RecordRejected, SettingsInvalid
from adapters.mod4 import actions
from adapters.mod4.actions import ACTIONS, CodeFor, CodeId, InvitationId
from adapters.mod4.adapter import Mod4Adapter
from adapters.mod4.settings import Mod4Settings
from tests.adapters.mod4.support import DATABASE_ALONE, INVITATION, Site, console

MUSA_MAIL = "musa@depot.test"


@pytest.fixture
def site(either: Site) -> Site:
    """Every test runs over the database and over the web service."""
    return either


async def make(site: Site, email: str = MUSA_MAIL, role: str = "", **changed: Any) -> actions.NewCode:
    async with console(site.settings(role, **changed)) as made:
        found = await ACTIONS["one_time_code"].run(made, CodeFor(email=email))
    assert isinstance(found, actions.NewCode)
    return found


async def test_a_code_is_made_and_works_for_the_driver(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    found = await make(site, " Musa@Depot.test ")
    assert found.email == MUSA_MAIL
    assert len(found.code) == 6
    assert found.remark == ""
    minutes = site.one("SELECT extract(epoch FROM expires_at) * 1000 - %s FROM mod4_otp_codes", found.expires_ms)
    assert abs(float(minutes)) < 1_000
    assert site.one("SELECT verify_mod4_otp(%s, %s)", MUSA_MAIL, found.code) == MUSA_MAIL
    assert found.code not in repr(found)
    assert found.code not in caplog.text


async def test_a_code_s_maker_is_the_account_that_is_acted_for(site: Site) -> None:
    await make(site, acting_user="rival@depot.test")
    maker = site.one("SELECT u.email FROM mod4_otp_codes c JOIN auth.users u ON u.id = c.created_by")
    assert maker == "rival@depot.test"


async def test_a_new_code_ends_the_older_once_the_pause_is_over(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.unhide()
    first = await make(site)
    with pytest.raises(NotReady) as found:
        await make(site)
    assert found.value.retry_after_s is not None
    assert first.code not in str(found.value)
    site.run("UPDATE mod4_otp_codes SET created_at = now() - interval '1 minute'")
    monkeypatch.setattr("adapters.mod4.desk._made_at", {})
    second = await make(site)
    assert second.voided == 1
    assert site.one("SELECT verify_mod4_otp(%s, %s)", MUSA_MAIL, second.code) == MUSA_MAIL


@DATABASE_ALONE
async def test_a_button_pressed_a_hundred_times_at_two_consoles_makes_one_code(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each press forgets the one before, as a process of its own would: only the server's clock throttles them."""

    async def press(console: Mod4Adapter) -> str:
        monkeypatch.setattr("adapters.mod4.desk._made_at", {})
        return (await console.desk.make_code(MUSA_MAIL)).code

    answers: list[str | BaseException] = []
    async with (
        console(site.settings()) as mine,
        console(site.settings(acting_user="rival@depot.test")) as theirs,
    ):
        for _ in range(10):
            some = [press(one) for one in (mine, theirs) for _ in range(5)]
            answers += await asyncio.gather(*some, return_exceptions=True)
    codes = [one for one in answers if isinstance(one, str)]
    assert len(answers) == 100
    assert len(codes) == 1
    assert all(isinstance(one, str | NotReady) for one in answers)
    assert site.one("SELECT count(*) FROM mod4_otp_codes") == 1
    assert site.one("SELECT verify_mod4_otp(%s, %s)", MUSA_MAIL, codes[0]) == MUSA_MAIL


async def test_as_committed_no_code_is_made_and_the_reason_and_mending_are_told(committed: Site) -> None:
    with pytest.raises(RecordRejected) as found:
        await make(committed)
    assert "gen_random_bytes" in found.value.why
    assert "repair.sql" in found.value.why
    assert committed.one("SELECT count(*) FROM mod4_otp_codes") == 0
    with pytest.raises(RecordRejected):  # nothing was made, so that there is nothing to wait for
        await make(committed)


async def test_a_function_that_fails_inside_is_told_in_its_words(site: Site) -> None:
    site.run(
        "CREATE OR REPLACE FUNCTION generate_mod4_otp(p_email text, p_workspace_id uuid) RETURNS text LANGUAGE plpgsql "
        "AS $$ BEGIN PERFORM no_such_thing(1); RETURN '123456'; END $$"
    )
    with pytest.raises(RecordRejected, match="no_such_thing"):
        await make(site)


@pytest.mark.parametrize("returned", ["12345", "abcdef", "1234567", "$2a$08$hash", ""])
async def test_what_is_no_code_is_not_shown_as_one(site: Site, returned: str) -> None:
    site.run(
        "CREATE OR REPLACE FUNCTION generate_mod4_otp(p_email text, p_workspace_id uuid) RETURNS text LANGUAGE sql "
        f"AS $$ SELECT '{returned}' $$"
    )
    with pytest.raises(BadReply) as found:
        await make(site)
    assert not returned or returned not in found.value.why + found.value.sample


@DATABASE_ALONE
async def test_a_stranger_s_address_and_no_address_at_all_are_explained(site: Site) -> None:
    with pytest.raises(RecordRejected, match="No account has the address"):
        await make(site, "unheard@of.test")
    with pytest.raises(RecordRejected, match="no e-mail address"):
        await make(site, "unheard")


@DATABASE_ALONE
async def test_codes_under_row_security_are_made_by_the_function_and_not_listed(site: Site) -> None:
    found = await make(site, role="session")
    assert len(found.code) == 6
    assert site.one("SELECT count(*) FROM mod4_otp_codes") == 1


async def test_tries_that_are_used_up_are_seen(site: Site) -> None:
    site.unhide()
    await make(site)
    for _ in range(6):
        site.run("SELECT verify_mod4_otp(%s, 'wrong!')", MUSA_MAIL)
    from adapters.dispatch import OneTimeCode
    from tests.adapters.mod4.support import fetch, of_kind

    (code,) = of_kind((await fetch(site.settings()))[0], OneTimeCode)
    assert (code.tries, code.most_tries, code.stage) == (5, 5, "pending")


async def test_a_code_is_ended_before_its_time(site: Site) -> None:
    site.unhide()
    await make(site)
    row = str(site.one("SELECT id FROM mod4_otp_codes"))
    async with console(site.settings()) as made:
        ended = await ACTIONS["expire_code"].run(made, CodeId(code=row))
        again = await ACTIONS["expire_code"].run(made, CodeId(code=row))
    assert isinstance(ended, actions.Expired)
    assert isinstance(again, actions.Expired)
    assert (ended.email, ended.was_pending, again.was_pending) == (MUSA_MAIL, True, False)
    assert site.one("SELECT status FROM mod4_otp_codes") == "expired"


@DATABASE_ALONE
async def test_a_code_that_row_security_hides_is_not_ended(site: Site) -> None:
    await make(site)
    row = str(site.one("SELECT id FROM mod4_otp_codes"))
    async with console(site.settings("session")) as made:
        with pytest.raises(RecordRejected, match="Row security"):
            await ACTIONS["expire_code"].run(made, CodeId(code=row))


async def test_the_link_of_an_invitation_opens_the_app_at_its_token(site: Site) -> None:
    async with console(site.settings()) as made:
        found = await ACTIONS["invitation_link"].run(made, InvitationId(invitation=INVITATION))
    assert isinstance(found, actions.InvitationLink)
    assert found.link.startswith("https://drivers.example.org/invite/")
    text = found.link.rsplit("/", 1)[1]
    assert len(text) == 22
    token = UUID(bytes=base64.urlsafe_b64decode(text + "=="))
    assert token == site.one("SELECT invitation_token FROM user_invitations")
    assert text not in repr(found)


@pytest.mark.parametrize(
    ("statement", "word"),
    [
        ("UPDATE user_invitations SET expires_at = now() - interval '1 hour'", "has expired"),
        ("UPDATE user_invitations SET status = 'revoked'", "is revoked"),
        ("DELETE FROM user_invitations", "no such invitation"),
    ],
)
async def test_a_link_that_opens_nothing_is_not_given_out(site: Site, statement: str, word: str) -> None:
    site.run(statement)
    async with console(site.settings()) as made:
        with pytest.raises(RecordRejected, match=word):
            await ACTIONS["invitation_link"].run(made, InvitationId(invitation=INVITATION))


async def test_without_the_app_s_address_there_is_no_link(site: Site) -> None:
    async with console(site.settings(app_url="")) as made:
        with pytest.raises(SettingsInvalid) as found:
            await ACTIONS["invitation_link"].run(made, InvitationId(invitation=INVITATION))
    assert found.value.field == "app_url"


async def test_with_the_line_down_a_code_is_refused_at_once_and_may_be_tried_again(site: Site) -> None:
    nowhere = {"port": 1} if site.web is None else {"url": "http://127.0.0.1:1"}
    with pytest.raises(NotReady):
        await make(site, **nowhere)
    assert len((await make(site)).code) == 6


async def _functions(status: int, body: object) -> tuple[asyncio.Server, list[bytes]]:
    """A small HTTP server that answers everything alike, and what it was sent."""
    seen: list[bytes] = []
    answer = json.dumps(body).encode()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
        )
        seen.append(head + await reader.readexactly(length))
        writer.write(
            b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (status, len(answer)) + answer
        )
        await writer.drain()
        writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", 0), seen


@DATABASE_ALONE
@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [(200, {"otp": "042137"}, ""), (400, {"error": "No such workspace"}, "RecordRejected"), (401, {}, "AuthFailed"),
     (200, {"other": 1}, "BadReply"), (500, {"otp": "042137"}, "NotReady")],
)  # fmt: skip
async def test_the_platform_s_functions_make_accounts_and_codes(
    site: Site, status: int, body: dict[str, object], kind: str
) -> None:
    peer, seen = await _functions(status, body)
    async with peer:
        url = f"http://127.0.0.1:{peer.sockets[0].getsockname()[1]}/functions/v1"
        more: dict[str, Any] = {"functions_url": url, "functions_token": SecretStr("planted-token")}
        if kind:
            with pytest.raises(AdapterError) as found:
                await make(site, "unheard@of.test", **more)
            assert type(found.value).__name__ == kind
            assert "042137" not in f"{found.value.why}{getattr(found.value, 'sample', '')}"
        else:
            assert (await make(site, "unheard@of.test", **more)).code == "042137"
    assert b"POST /functions/v1/generate-driver-otp" in seen[0]
    assert b'"email":"unheard@of.test"' in seen[0].replace(b" ", b"")


def test_secrets_are_secrets() -> None:
    assert secret_names(Mod4Settings) == {"password", "functions_token", "anon_key", "account_password"}
    assert ACTIONS["one_time_code"].is_secret
    assert ACTIONS["invitation_link"].is_secret
