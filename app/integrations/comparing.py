"""Comparing what an integration sends with what its live peer says it offers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from adapters.base import Clock, Difference
from adapters.errors import NotReady
from app.integrations.changes import Desk
from app.integrations.rows import configured
from app.integrations.settings import stored_secrets, validate

TIME_LIMIT_S = 120.0


async def compare_saved(
    desk: Desk, integration_id: str, clock: Clock, *, time_limit_s: float = TIME_LIMIT_S
) -> Sequence[Difference]:
    """The differences of a configured integration, nothing where there are none.

    Raises UnknownIntegration, VaultError, StoreError, Unsupported for an integration that brings no comparison, and
    what reaching the peer raises.
    """
    from app.kit import make_kit

    def look() -> tuple[str, dict[str, object], dict[str, str]]:
        with desk.store.read() as connection:
            saved = configured(connection, integration_id)
        return saved.type, dict(saved.config), stored_secrets(desk.catalogue, desk.vault, saved.type, integration_id)

    key, values, secrets = await asyncio.to_thread(look)
    compare = desk.catalogue.comparison(key)
    settings = validate(desk.catalogue, key, values, secrets)
    kit = make_kit("compare", desk.catalogue.manifest(key), settings, clock)
    try:
        async with asyncio.timeout(time_limit_s) as limit:
            return await compare(desk.catalogue.create(key, settings, kit))
    except TimeoutError:
        if not limit.expired():
            raise
        raise NotReady(
            f"The comparison did not end within {time_limit_s:.0f} s. Look at the line, then try again."
        ) from None
    finally:
        await kit.http.aclose()
