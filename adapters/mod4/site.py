"""The platform as one role sees it: the link, the workspace, the account that is acted for, and the features.

What was learned of the database is kept for some minutes: reading its catalogue before every change would cost more
than the change. A refusal that contradicts it has it read again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Connection, Text, cast, column, func, select, table

from adapters.base import CheckStep, Identity, Kit, Layer
from adapters.errors import AuthFailed, NotReady, SettingsInvalid, Unsupported
from adapters.mod4.features import Actor, Feature, Features, judge
from adapters.mod4.inventory import Inventory, read_inventory
from adapters.mod4.link import Link, Session
from adapters.mod4.settings import Mod4Settings
from adapters.mod4.tables import Rows
from adapters.mod4.words import GRANT, Refused

KEPT_S = 600.0
SKEW_SHOWN_MS = 60_000
SKEW_REFUSED_MS = 24 * 3_600_000
_MOST_NAMED = 8


@dataclass(frozen=True, slots=True)
class Place:
    """One workspace of the platform."""

    id: str
    name: str
    members: int = 0


@dataclass(frozen=True, slots=True)
class Site:
    """What is known of the database for the chosen workspace."""

    inventory: Inventory
    workspace: Place
    workspaces: Sequence[Place]
    actor: Actor | None
    features: Features
    actor_trouble: str = ""
    _rows: dict[str, Rows] = field(default_factory=dict)

    def rows(self, name: str) -> Rows:
        """A table; the same object each time, so that conditions of several places are about one table."""
        return self._rows.setdefault(name, Rows(self.inventory, name))

    def feature(self, key: str) -> Feature:
        return self.features[key]


@dataclass(slots=True)
class Open:
    """One session at a known site."""

    session: Session
    site: Site


class Platform:
    """Opens sessions of one integration and remembers what the database is made of."""

    def __init__(self, settings: Mod4Settings, kit: Kit) -> None:
        self.settings = settings
        self.kit = kit
        self._link = Link(settings, kit)
        self._known: Site | None = None
        self._known_at = 0.0
        self.names: dict[str, str] = {}
        """Names of drivers by id, for the devices that their phones are."""

    @property
    def peer(self) -> str:
        return self.settings.peer

    def forget(self) -> None:
        """Something did not fit what was known: the next session learns anew."""
        self._known = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Open]:
        """A session, the workspace chosen. Raises what :meth:`adapters.base.Adapter.check` raises."""
        async with self._link.session() as session:
            site = self._fresh() or await self._learn(session)
            session.actor = site.actor.id if site.actor is not None else ""
            yield Open(session, site)

    async def check(self, step: Callable[[CheckStep], None]) -> Identity:
        """See :meth:`adapters.base.Adapter.check`."""
        self.forget()
        async with self._link.session(step) as session:
            detail = f"Signed in as {self.settings.username}."
            step(CheckStep(Layer.SIGN_IN, ok=True, detail=detail))
            site = await self._learn(session)
        step(CheckStep(Layer.PERMISSION, ok=True, detail=self._permission(site)))
        step(CheckStep(Layer.VERSION, ok=True, detail=_version(site)))
        step(CheckStep(Layer.CLOCK, ok=True, detail=self._clock(site)))
        settings = self.settings
        return Identity(
            unique_id=f"mod4:{settings.host.casefold()}:{settings.port}/{settings.database}#{site.workspace.id}",
            title=f"Mod4 {site.workspace.name}",
            version=_short_version(site.inventory.version),
            remark=_off(site),
        )

    def _fresh(self) -> Site | None:
        age_s = self.kit.clock.monotonic() - self._known_at
        return self._known if self._known is not None and age_s < KEPT_S else None

    async def _learn(self, session: Session) -> Site:
        try:
            inventory = await session.read(read_inventory)
            session.actor = await self._account(session, inventory)  # policies may ask for it from here on
            places = await self._workspaces(session, inventory)
            workspace = self._chosen(places)
            actor, trouble = await self._actor(session, inventory, workspace)
        except Refused as err:
            if err.is_right:
                raise AuthFailed(err.sentence("Reading the platform's tables")) from err
            raise Unsupported(
                f"The database at {self.settings.host} is not the driver platform's, or of a version that cannot be "
                f"read: “{err.words}”. Check the database's name."
            ) from err
        site = Site(inventory, workspace, places, actor, judge(inventory, actor), trouble)
        self._known, self._known_at = site, self.kit.clock.monotonic()
        return site

    # -- the workspace

    async def _workspaces(self, session: Session, inventory: Inventory) -> list[Place]:
        if "workspaces" not in inventory.tables:
            raise SettingsInvalid(
                "database",
                f"The database “{self.settings.database}” at {self.settings.host} holds no driver platform: it has no "
                "table workspaces. Check the database's name.",
            )
        if not inventory.has("workspaces", "id") or not inventory.has("workspaces", "name"):
            raise AuthFailed(f"The role {inventory.role} may not read the platform's workspaces. {GRANT}")

        def job(connection: Connection) -> list[Place]:
            spaces, members = Rows(inventory, "workspaces"), Rows(inventory, "workspace_members")
            counts: dict[str, int] = {}
            if members.has("workspace_id"):
                of = members.text("workspace_id")
                counts = {row[0]: int(row[1]) for row in connection.execute(select(of, func.count()).group_by(of))}
            query = select(spaces.text("id"), spaces.text("name")).order_by(spaces.raw("name"))
            return [Place(str(one), str(name), counts.get(one, 0)) for one, name in connection.execute(query)]

        return await session.read(job)

    def _chosen(self, places: Sequence[Place]) -> Place:
        wanted = self.settings.workspace.strip()
        if not places:
            raise AuthFailed(
                f"Row security lets the role {self.settings.username} see no workspace, or the platform has none. "
                f"{GRANT}"
            )
        if not wanted:
            if len(places) == 1:
                return places[0]
            raise SettingsInvalid("workspace", f"Choose one of the workspaces: {_listed(places)}.")
        found = [place for place in places if place.id == wanted.lower()] or [
            place for place in places if place.name.strip().casefold() == wanted.casefold()
        ]
        if len(found) == 1:
            return found[0]
        if found:
            ids = ", ".join(place.id for place in found)
            raise SettingsInvalid("workspace", f"Several workspaces are named “{wanted}”. Enter the id of one: {ids}.")
        raise SettingsInvalid(
            "workspace", f"The platform has no workspace “{wanted}” for this role. There are: {_listed(places)}."
        )

    # -- the account

    async def _account(self, session: Session, inventory: Inventory) -> str:
        """Id of the account that is acted for, "" for none that can be found."""
        wanted = self.settings.acting_user.strip().lower()
        if not wanted or _is_id(wanted):
            return wanted
        return await session.read(lambda connection: find_account(connection, inventory, wanted))

    async def _actor(self, session: Session, inventory: Inventory, workspace: Place) -> tuple[Actor | None, str]:
        """The account that is acted for, or why there is none."""
        wanted, user = self.settings.acting_user.strip(), session.actor
        if not wanted:
            return None, "No account is entered under “Acts in the name of”."
        if not user:
            return None, (
                f"“{wanted}” is no account that this role can find in the platform. Enter the account's id, or let "
                "the role read profiles."
            )

        def job(connection: Connection) -> str:
            members = Rows(inventory, "workspace_members")
            if not (members.has("role") and members.has("user_id")):
                return ""
            query = select(members.text("role")).where(
                members.equals("workspace_id", workspace.id), members.equals("user_id", user)
            )
            if members.has("status"):
                query = query.where(cast(members.raw("status"), Text) == "active")
            return str(connection.execute(query).scalar() or "")

        return Actor(user, "" if _is_id(wanted) else wanted.lower(), await session.read(job)), ""

    # -- what a check says

    def _permission(self, site: Site) -> str:
        place, actor = site.workspace, site.actor
        others = len(site.workspaces) - 1
        beside = f", one of {others + 1} that it can see" if others else ""
        text = f"Workspace {place.name} with {place.members} members{beside}."
        if actor is None:
            return f"{text} {site.actor_trouble}"
        role = f"{actor.role} there" if actor.role else "no active member there"
        return f"{text} Acts in the name of {actor.email or actor.id}, {role}."

    def _clock(self, site: Site) -> str:
        skew_ms = site.inventory.now_ms - self.kit.clock.now_ms()
        if abs(skew_ms) >= SKEW_REFUSED_MS:
            raise NotReady(
                f"The clocks of this computer and of {self.peer} differ by {abs(skew_ms) // 3_600_000} hours. Set the "
                "wrong one right; deliveries would be dated wrongly."
            )
        if abs(skew_ms) < SKEW_SHOWN_MS:
            return "The server's clock agrees with this computer's."
        side = "ahead of" if skew_ms > 0 else "behind"
        return f"The server's clock is {abs(skew_ms) // 60_000} min {side} this computer's. Set the wrong one right."


def find_account(connection: Connection, inventory: Inventory, email: str) -> str:
    """Id of the account with an address, "" for none that this role can find."""
    if inventory.has_accounts:
        users = table("users", column("id"), column("email"), schema="auth")
        found = connection.execute(select(cast(users.c.id, Text)).where(func.lower(users.c.email) == email)).scalar()
        if found:
            return str(found)
    profiles = Rows(inventory, "profiles")
    if profiles.has("id") and profiles.has("email"):
        query = select(profiles.text("id")).where(func.lower(profiles.raw("email")) == email)
        return str(connection.execute(query).scalar() or "")
    return ""


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return len(text) == 36


def _listed(places: Sequence[Place]) -> str:
    names = [f"“{place.name}”" for place in places[:_MOST_NAMED]]
    more = f" and {len(places) - _MOST_NAMED} more" if len(places) > _MOST_NAMED else ""
    return ", ".join(names) + more


def _short_version(version: str) -> str:
    return " ".join(version.split()[:2])


def _off(site: Site) -> str:
    """What does not work here and why, in sentences; "" where everything does."""
    return " ".join(f"“{one.label}” is off: {one.why}" for one in site.features.values() if not one.is_on)


def _version(site: Site) -> str:
    features: Mapping[str, Feature] = site.features
    off = [feature for feature in features.values() if not feature.is_on]
    remarks = [feature.remark for feature in features.values() if feature.remark and feature.key != "invite"]
    text = f"{_short_version(site.inventory.version)}: {len(features) - len(off)} of {len(features)} features are on."
    text = f"{text} {_off(site)}".rstrip()
    if remarks:
        text += " " + " ".join(remarks)
    if off:
        text += " “integrations compare” lists each with what mends it."
    return text
