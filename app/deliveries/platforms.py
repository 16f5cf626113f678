"""Which integrations are driver platforms, and their acts whose answers are shown once and never stored."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import BaseModel, ValidationError
from sqlalchemy import Connection, select

from adapters.base import Action, Clock
from adapters.errors import NotReady, Unsupported
from app.catalogue import Catalogue
from app.deliveries.errors import DeliveryError, NotFound
from app.fleet.text import storable
from app.integrations.changes import Desk
from app.integrations.rows import configured
from app.integrations.settings import stored_settings
from app.security.audit import record_act
from app.store.changes import raise_topic
from app.store.tables import Integration

LIMIT_S = 45.0


@dataclass(frozen=True, slots=True)
class Platform:
    """One configured driver platform."""

    id: str
    name: str
    type: str


def platform_kinds(catalogue: Catalogue) -> list[str]:
    """The catalogue's keys of the integrations that have drivers and codes."""
    return [
        entry.key
        for entry in catalogue.entries()
        if entry.manifest is not None and entry.category == "execution" and entry.manifest.actions is not None
    ]


def list_platforms(connection: Connection, catalogue: Catalogue) -> list[Platform]:
    """By name; removed ones are left out."""
    row = Integration
    query = select(row.id, row.name, row.type).where(row.type.in_(platform_kinds(catalogue)), row.removed_at.is_(None))
    return [Platform(one.id, one.name, one.type) for one in connection.execute(query.order_by(row.name, row.id))]


def need_platform(connection: Connection, catalogue: Catalogue, wanted: str = "") -> Platform:
    """The platform of that id or name, or the only one there is. Raises NotFound, DeliveryError."""
    found = list_platforms(connection, catalogue)
    if wanted:
        fitting = [one for one in found if wanted in (one.id, one.name)]
        if not fitting:
            raise NotFound(f"No driver platform has the id or name {wanted}.")
        return fitting[0]
    if not found:
        raise NotFound("No driver platform is set up. Add the integration Mod4 Driver System first.")
    if len(found) > 1:
        names = ", ".join(one.name for one in found)
        raise DeliveryError(f"There are several driver platforms: {names}. Name one.")
    return found[0]


async def run_action(
    desk: Desk, integration_id: str, name: str, parameters: Mapping[str, Any], clock: Clock, *, who: str | None = None
) -> BaseModel:
    """Do an act at the platform now; it needs the line. Its result is for whoever asked, once.

    That it was done is recorded with its parameters, never with its result. Raises UnknownIntegration, Unsupported,
    DeliveryError for parameters that cannot be right, and what the act raises (NotReady without the line).
    """
    from app.kit import make_kit  # HTTP and TLS, which most starts of a window can do without

    saved = await asyncio.to_thread(_saved, desk, integration_id)
    action = find_action(desk.catalogue, saved.type, name)
    given = _checked(action, parameters)
    settings = await asyncio.to_thread(
        stored_settings, desk.catalogue, desk.vault, integration_id, saved.type, saved.config
    )
    kit = make_kit(integration_id, desk.catalogue.manifest(saved.type), settings, clock)
    try:
        async with asyncio.timeout(LIMIT_S) as limit:
            result = await action.run(desk.catalogue.create(saved.type, settings, kit), given)
    except TimeoutError:
        if not limit.expired():
            raise
        raise NotReady(
            f"{saved.name} did not answer within {LIMIT_S:.0f} s, so it is not known whether “{action.label}” was "
            "done. Look at the list once the line is back, before doing it again."
        ) from None
    finally:
        await kit.http.aclose()
    subject = storable(", ".join(str(value) for value in parameters.values()), 300)
    job = partial(_record, what=f"{saved.type}.{name}", subject=subject, name=saved.name, who=who)
    await asyncio.wrap_future(desk.store.write(job))
    return result


def find_action(catalogue: Catalogue, key: str, name: str) -> Action:
    """Raises Unsupported."""
    action = catalogue.actions(key).get(name)
    if action is None:
        raise Unsupported(f"This integration cannot do “{name}”. Update this console.")
    return action


def _saved(desk: Desk, integration_id: str) -> Any:
    with desk.store.read() as connection:
        return configured(connection, integration_id)


def _checked(action: Action, parameters: Mapping[str, Any]) -> BaseModel:
    try:
        return action.parameters.model_validate(dict(parameters))
    except ValidationError as err:
        first = err.errors(include_input=False, include_url=False)[0]
        field = str(first["loc"][0]) if first["loc"] else "the input"
        raise DeliveryError(f"“{action.label}” cannot be done: {field}: {first['msg']}.") from None


def _record(connection: Connection, what: str, subject: str, name: str, who: str | None) -> None:
    raise_topic(connection, "drivers")
    record_act(connection, what=what, subject=subject, before=None, after={"at": name}, who=who)
