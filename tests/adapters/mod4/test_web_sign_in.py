"""Over the web service: signing in, staying signed in, and everything that a sign-in can be refused for."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from adapters.base import CheckStep, Layer
from adapters.errors import AuthFailed, BadReply, NotReady, SettingsInvalid
from adapters.mod4.adapter import Mod4Adapter
from adapters.mod4.settings import Mod4Settings
from adapters.mod4.web_link import WebLink
from adapters.records import Record
from adapters.supply import StreamRead
from tests.adapters.mod4.support import BOSS, PASSWORD, Site, console, of_kind

SIGN_IN = "POST /auth/v1/token"


def sign_ins(site: Site) -> int:
    assert site.web is not None
    return site.web.requests.count(SIGN_IN)


async def run(made: Mod4Adapter) -> list[Record]:
    return [record async for batch in made.fetch({}) for record in batch.records]


async def test_a_check_walks_every_layer_and_names_what_is_off(web: Site) -> None:
    steps: list[CheckStep] = []
    async with console(web.settings()) as made:
        identity = await made.check(steps.append)
    assert [step.layer for step in steps] == [
        Layer.NAME, Layer.ROUTE, Layer.TLS, Layer.SIGN_IN, Layer.PERMISSION, Layer.VERSION, Layer.CLOCK
    ]  # fmt: skip
    told = {step.layer: step.detail for step in steps}
    assert "boss@depot.test" in told[Layer.SIGN_IN]
    assert "Kano Depot with 4 members" in told[Layer.PERMISSION]
    assert "owner" in told[Layer.PERMISSION]
    assert "“Pending codes” is off" in told[Layer.VERSION]
    assert identity.title == "Mod4 Kano Depot"
    assert identity.unique_id.startswith("mod4:127.0.0.1:")


async def test_one_sign_in_serves_many_sessions(web: Site) -> None:
    async with console(web.settings()) as made:
        await run(made)
        await run(made)
        async with made.platform.open() as opened:
            assert opened.session.actor == BOSS
    assert sign_ins(web) == 1


@pytest.mark.parametrize("sessions", [False, True], ids=["token", "whole session"])
async def test_a_session_that_ends_in_the_middle_of_a_run_is_opened_anew_and_nothing_is_lost(
    web: Site, sessions: bool
) -> None:
    assert web.web is not None
    async with console(web.settings()) as made:
        whole = await run(made)
        found: list[Record] = []
        async for batch in made.fetch({}):
            if not found:
                web.web.expire_tokens(sessions=sessions)
            found += batch.records
    assert of_kind(found, StreamRead) == of_kind(whole, StreamRead)
    assert len(found) == len(whole)
    assert sign_ins(web) == (3 if sessions else 2)  # the token that renews is tried first


async def test_a_token_is_renewed_before_its_end(web: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async with console(web.settings()) as made:
        async with made.platform.open():
            pass
        later_s = made.kit.clock.monotonic() + 3400
        monkeypatch.setattr(type(made.kit.clock), "monotonic", lambda _clock: later_s)
        async with made.platform.open():
            pass
    assert sign_ins(web) == 2
    assert web.web is not None
    assert web.web.requests[-1] != SIGN_IN


async def test_a_service_that_never_knows_its_own_tokens_asks_to_sign_in_again(web: Site) -> None:
    assert web.web is not None

    async def forgets(request: Request) -> Response | None:
        if request.url.path.startswith("/rest"):
            return JSONResponse({"code": "PGRST301", "message": "JWSError JWSInvalidSignature"}, 401)
        return None

    web.web.between = forgets
    async with console(web.settings()) as made:
        with pytest.raises(AuthFailed, match="JWSInvalidSignature"):
            await made.check(lambda _step: None)
    assert sign_ins(web) <= 3


@pytest.mark.parametrize(
    ("changed", "field", "word"),
    [
        ({"account_password": SecretStr("planted-wrong")}, "account_password", "refused the e-mail address"),
        ({"acting_user": "nobody@depot.test"}, "account_password", "refused the e-mail address"),
        ({"anon_key": SecretStr("planted-key")}, "anon_key", "publishable key"),
        ({"acting_user": "stranger@else.test"}, "", "see no workspace"),
    ],
)
async def test_what_is_refused_says_what_to_enter_and_shows_no_secret(
    web: Site, changed: dict[str, Any], field: str, word: str
) -> None:
    async with console(web.settings(**changed)) as made:
        with pytest.raises(AuthFailed, match=word) as found:
            await made.check(lambda _step: None)
    assert found.value.field == field
    assert "planted" not in str(found.value)


@pytest.mark.parametrize("workspace", ["Lagos", ""])
async def test_a_workspace_is_one_that_is_shown(web: Site, workspace: str) -> None:
    web.run("INSERT INTO workspace_members (workspace_id, user_id) SELECT id, %s::uuid FROM workspaces "
            "WHERE slug = 'other'", BOSS)  # fmt: skip
    async with console(web.settings(workspace=workspace)) as made:
        with pytest.raises(SettingsInvalid) as found:
            await made.check(lambda _step: None)
    assert found.value.field == "workspace"
    assert "Kano Depot" in found.value.why


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"access_token": 5}', b'{"access_token": "a"}', b"{", b'"text"'])
async def test_a_sign_in_that_is_answered_with_something_else_keeps_no_sample(web: Site, body: bytes) -> None:
    assert web.web is not None

    async def answers(request: Request) -> Response | None:
        return Response(body) if request.url.path.startswith("/auth") else None

    web.web.between = answers
    async with console(web.settings()) as made:
        with pytest.raises(BadReply) as found:
            await made.check(lambda _step: None)
    assert found.value.sample == ""
    assert not found.value.is_doubtful


async def test_too_many_sign_ins_are_waited_for(web: Site) -> None:
    assert web.web is not None

    async def is_busy(request: Request) -> Response | None:
        return JSONResponse({"code": 429, "msg": "Request rate limit reached"}, 429, {"retry-after": "17"})

    web.web.between = is_busy
    async with console(web.settings()) as made:
        with pytest.raises(NotReady) as found:
            await made.check(lambda _step: None)
    assert found.value.retry_after_s == 17


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"url": "http://project.example.org"}, "url"),
        ({"url": ""}, "url"),
        ({"url": "project"}, "url"),
        ({"email": " "}, "email"),
        ({"anon_key": None}, "anon_key"),
        ({"account_password": SecretStr("")}, "account_password"),
    ],
)
def test_settings_that_cannot_be_right_name_their_field(changed: dict[str, Any], field: str) -> None:
    values: dict[str, Any] = {
        "way": "web", "url": "https://project.example.org", "email": "a@b.test", "anon_key": SecretStr("k"),
        "account_password": SecretStr("p"),
    }  # fmt: skip
    assert Mod4Settings(**values).place == "project.example.org:443"
    with pytest.raises((SettingsInvalid, ValidationError)) as found:
        Mod4Settings(**{**values, **changed})
    assert getattr(found.value, "field", field) == field


async def test_no_secret_is_shown_by_the_settings_or_the_client(web: Site) -> None:
    async with console(web.settings()) as made:
        await run(made)
        assert isinstance(made.platform.way, WebLink)
        told = f"{made.settings!r} {made.platform.way.client!r} {vars(made.platform.way)!r}"
    assert PASSWORD not in told
    assert web.web is not None
    assert web.web.anon_key not in told
