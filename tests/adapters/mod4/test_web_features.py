"""Over the web service: signing in, what is on, and what is off with its reason."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from adapters.mod4.compare import compare
from adapters.mod4.features import Features
from tests.adapters.mod4.support import Site, console

MEMBER_MAIL = "member@depot.test"
HIDDEN = {"change_links", "codes", "expire_code", "requests", "decide_requests", "revoke_devices"}
"""By the platform's own rules (biko.md 3.9), repaired or not."""


async def features_of(site: Site, **changed: Any) -> Features:
    async with console(site.settings(**changed)) as made, made.platform.open() as opened:
        return opened.site.features


def off(features: Features) -> set[str]:
    return {key for key, feature in features.items() if not feature.is_on}


async def test_what_the_platform_s_rules_hide_is_off_with_the_reason(web: Site) -> None:
    features = await features_of(web)
    assert off(features) == HIDDEN
    for key in HIDDEN:
        assert "Row security" in features[key].why
        assert "console_role.sql" in features[key].mend


async def test_as_committed_a_code_cannot_be_made_and_the_reason_is_the_service_s_own(web_committed: Site) -> None:
    features = await features_of(web_committed)
    assert off(features) == HIDDEN | {"make_code"}
    assert "gen_random_bytes" in features["make_code"].why


async def test_everything_off_says_why_and_what_mends_it_and_the_overview_lists_it(web_committed: Site) -> None:
    async with console(web_committed.settings(acting_user=MEMBER_MAIL)) as made:
        found = await compare(made)
        async with made.platform.open() as opened:
            features = opened.site.features
    assert {"invite", "invitations", "revoke_invitation"} <= off(features)  # nothing of administrators for a member
    for feature in features.values():
        if not feature.is_on:
            assert all(text.endswith(".") for text in (feature.why, feature.mend, feature.without))
    named = {one.operation for one in found}
    assert {feature.label for feature in features.values() if not feature.is_on} <= named
    assert all(one.what and one.consequence for one in found)


async def test_rules_that_an_administrator_gave_back_switch_their_features_on(web: Site) -> None:
    web.run("INSERT INTO mod4_otp_codes (target_email, otp_code, workspace_id) "
            "SELECT 'musa@depot.test', 'hash', id FROM workspaces WHERE slug = 'kano'")  # fmt: skip
    web.unhide()
    assert off(await features_of(web)) == set()


async def test_a_column_of_another_name_costs_the_features_concerned_alone(web: Site) -> None:
    web.run("ALTER TABLE dispatch_runs RENAME COLUMN batch_id TO batch; DROP TABLE delivery_logs")
    features = await features_of(web)
    assert off(features) - HIDDEN == {"runs", "new_runs", "change_runs", "delivery_logs"}
    assert "batch_id" in features["runs"].why
    assert "no table delivery_logs" in features["delivery_logs"].why


async def test_a_refusal_in_another_language_still_tells_the_column(web: Site) -> None:
    """The server's words may be in any language: then each column is asked for by itself."""
    web.run("ALTER TABLE vehicles RENAME COLUMN make TO maker")
    assert web.web is not None

    async def in_german(request: Request) -> Response | None:
        names = request.query_params.get("select", "").split(",")
        if request.url.path == "/rest/v1/vehicles" and "make" in names:
            return JSONResponse({"code": "42703", "message": "Spalte existiert nicht"}, 400)
        return None

    web.web.between = in_german
    assert off(await features_of(web)) == HIDDEN


async def test_a_right_on_some_columns_serves_what_needs_no_others(web: Site) -> None:
    web.run("REVOKE SELECT ON drivers FROM authenticated; GRANT SELECT (id, name, workspace_id) ON drivers "
            "TO authenticated; REVOKE SELECT ON vehicles FROM authenticated; "
            "GRANT SELECT (id, workspace_id) ON vehicles TO authenticated")  # fmt: skip
    features = await features_of(web)
    assert off(features) - HIDDEN == {"vehicles"}
    assert "may not read vehicles (column plate_number)" in features["vehicles"].why
