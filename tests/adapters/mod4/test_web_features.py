"""Over the web service: signing in, what is on, and what is off with its reason."""

from __future__ import annotations

from typing import Any

from adapters.mod4.features import Features
from tests.adapters.mod4.support import Site, console

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
