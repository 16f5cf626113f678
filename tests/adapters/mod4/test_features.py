"""Every feature on, or off with its reason, in both variants of the platform and with a row-secured role."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.base import CheckStep, Layer
from adapters.errors import AuthFailed, NotReady, SettingsInvalid
from adapters.mod4.compare import compare
from adapters.mod4.features import Features
from adapters.mod4.rules import RULES
from tests.adapters.mod4.support import BOSS, MEMBER, Site, console

OFF_AS_COMMITTED = {"link_directly", "make_code", "start"}
OFF_UNDER_ROW_SECURITY = {"change_links", "codes", "expire_code", "requests", "decide_requests", "revoke_devices"}


async def features_of(site: Site, role: str = "console", **changed: Any) -> Features:
    async with console(site.settings(role, **changed)) as made, made.platform.open() as opened:
        return opened.site.features


def off(features: Features) -> set[str]:
    return {key for key, feature in features.items() if not feature.is_on}


async def test_a_repaired_platform_serves_everything_to_the_console_s_role(site: Site) -> None:
    assert off(await features_of(site)) == set()


async def test_a_platform_as_committed_lacks_what_its_broken_functions_did(committed: Site) -> None:
    features = await features_of(committed)
    assert off(features) == OFF_AS_COMMITTED
    assert "gen_random_bytes" in features["make_code"].why
    assert "user_roles.role" in features["link_directly"].why
    assert "requisitions" in features["start"].why
    assert all("repair.sql" in features[key].mend for key in OFF_AS_COMMITTED)


async def test_row_security_hides_what_the_platform_s_policies_hide(site: Site, committed: Site) -> None:
    assert off(await features_of(site, "session")) == OFF_UNDER_ROW_SECURITY
    features = await features_of(committed, "session")
    assert off(features) == OFF_UNDER_ROW_SECURITY | OFF_AS_COMMITTED
    assert "lets the role mod4_session read no row" in features["codes"].why
    assert "console_role.sql" in features["codes"].mend


async def test_everything_off_says_why_and_what_mends_it(committed: Site) -> None:
    for feature in (await features_of(committed, "session", acting_user=MEMBER)).values():
        if not feature.is_on:
            assert feature.why.endswith(".")
            assert feature.mend.endswith(".")
            assert feature.without.endswith(".")


async def test_codes_that_drivers_cannot_use_are_said_to_be_so(committed: Site) -> None:
    committed.run("ALTER FUNCTION public.generate_mod4_otp(text, uuid) SET search_path = public, extensions")
    feature = (await features_of(committed))["make_code"]
    assert feature.is_on
    assert "verify_mod4_otp" in feature.remark


@pytest.mark.parametrize(
    ("statement", "key", "word"),
    [
        ("ALTER TABLE mod4_otp_codes RENAME COLUMN expires_at TO valid_until", "codes", "expires_at"),
        (
            "DROP FUNCTION start_dispatch(uuid); ALTER TABLE delivery_batches DROP COLUMN actual_start_time",
            "start",
            "start_dispatch",
        ),
        ("DROP TABLE dispatch_runs", "change_runs", "dispatch_runs"),
        ("REVOKE ALL ON onboarding_requests FROM biko_console", "requests", "may not read"),
        ("REVOKE UPDATE (is_trusted) ON driver_devices FROM biko_console", "revoke_devices", "may not change"),
        ("REVOKE EXECUTE ON FUNCTION invite_user FROM biko_console, authenticated", "invite", "may not call"),
    ],
)  # fmt: skip
async def test_a_platform_of_another_shape_costs_the_features_concerned_alone(
    site: Site, statement: str, key: str, word: str
) -> None:
    site.run(statement)
    features = await features_of(site)
    assert not features[key].is_on
    assert word in features[key].why
    assert len(off(features)) <= 4


async def test_a_missing_function_is_served_by_the_table_where_the_rule_allows_it(site: Site) -> None:
    site.run("DROP FUNCTION start_dispatch(uuid); DROP FUNCTION get_mod4_linked_users(uuid)")
    features = await features_of(site)
    assert features["start"].way == "table"
    assert features["links"].way == "table"


async def test_without_an_account_what_needs_one_is_off(site: Site) -> None:
    nobody = await features_of(site, acting_user="")
    assert off(nobody) == {"link_directly", "make_code", "decide_requests", "invite", "revoke_invitation"}
    member = await features_of(site, acting_user="member@depot.test")
    assert off(member) == {"invite", "revoke_invitation"}
    assert "member" in member["invite"].why


async def test_an_unknown_account_is_said_to_be_unknown(site: Site) -> None:
    steps: list[CheckStep] = []
    async with console(site.settings(acting_user="nobody@depot.test")) as made:
        await made.check(steps.append)
    assert "nobody@depot.test" in next(step.detail for step in steps if step.layer is Layer.PERMISSION)


async def test_the_overview_lists_each_feature_that_is_off(committed: Site) -> None:
    async with console(committed.settings()) as made:
        found = await compare(made)
    named = {one.operation for one in found}
    assert {rule.label for rule in RULES if rule.key in OFF_AS_COMMITTED} <= named
    assert all(one.what and one.consequence for one in found)


async def test_the_check_tells_the_workspace_and_what_is_off(committed: Site) -> None:
    steps: list[CheckStep] = []
    async with console(committed.settings()) as made:
        identity = await made.check(steps.append)
    assert identity.title == "Mod4 Kano Depot"
    told = {step.layer: step.detail for step in steps}
    assert "Kano Depot with 4 members" in told[Layer.PERMISSION]
    assert "owner" in told[Layer.PERMISSION]
    assert "“Start batches” is off" in told[Layer.VERSION]


@pytest.mark.parametrize(
    ("changed", "field"),
    [({"workspace": "Lagos"}, "workspace"), ({"workspace": ""}, "workspace"), ({"database": "nowhere"}, "database"),
     ({"database": "postgres"}, "database")],
)  # fmt: skip
async def test_a_wrong_choice_names_the_field_and_what_there_is(
    site: Site, changed: dict[str, str], field: str
) -> None:
    async with console(site.settings("owner", **changed)) as made:
        with pytest.raises(SettingsInvalid) as found:
            await made.check(lambda _step: None)
    assert found.value.field == field
    if field == "workspace":
        assert "Kano Depot" in found.value.why
        assert "Other Depot" in found.value.why


async def test_a_workspace_is_found_by_id_or_name(site: Site) -> None:
    for wanted in ("kano depot", site.one("SELECT id::text FROM workspaces WHERE name = 'Kano Depot'")):
        async with console(site.settings(workspace=wanted)) as made, made.platform.open() as opened:
            assert opened.site.workspace.name == "Kano Depot"
            assert opened.site.actor is not None
            assert opened.site.actor.id == BOSS


async def test_a_wrong_password_asks_to_sign_in_and_shows_nothing_of_it(site: Site) -> None:
    async with console(site.settings(password="planted-secret-wrong")) as made:
        with pytest.raises(AuthFailed) as found:
            await made.check(lambda _step: None)
    assert "planted" not in str(found.value)


async def test_a_server_without_encryption_gets_no_password(site: Site) -> None:
    async with console(site.settings(tls="required")) as made:
        with pytest.raises(NotReady, match="offers no encryption"):
            await made.check(lambda _step: None)
