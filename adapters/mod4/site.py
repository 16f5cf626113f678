"""The platform as one role or account sees it: the way in, the workspace, the account acted for, and the features.

What was learned of the platform is kept for some minutes: reading its catalogue before every change would cost more
than the change. A refusal that contradicts it has it read again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Protocol
from uuid import UUID

from adapters.base import CheckStep, Identity, Kit, Layer
from adapters.connect import capital
from adapters.errors import AuthFailed, NotReady, SettingsInvalid, Unsupported
from adapters.mod4.features import Actor, Feature, Features, judge
from adapters.mod4.inventory import Inventory
from adapters.mod4.link import Link
from adapters.mod4.readings import Equals, Reading
from adapters.mod4.session import Session, role_of
from adapters.mod4.settings import Mod4Settings
from adapters.mod4.web_link import WebLink
from adapters.mod4.words import Refused

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
    """What is known of the platform for the chosen workspace."""

    inventory: Inventory
    workspace: Place
    workspaces: Sequence[Place]
    actor: Actor | None
    features: Features
    actor_trouble: str = ""

    def feature(self, key: str) -> Feature:
        return self.features[key]


@dataclass(slots=True)
class Open:
    """One session at a known site."""

    session: Session
    site: Site


class WayIn(Protocol):
    """How sessions of one integration are opened."""

    def session(self, step: Callable[[CheckStep], None] | None = None) -> AbstractAsyncContextManager[Session]:
        """One session, signed in; the layers below are reported to ``step``. Raises what a check raises."""


class Platform:
    """Opens sessions of one integration and remembers what the platform is made of."""

    def __init__(self, settings: Mod4Settings, kit: Kit) -> None:
        self.settings = settings
        self.kit = kit
        self.way: WayIn = WebLink(settings, kit) if settings.is_web else Link(settings, kit)
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
        async with self.way.session() as session:
            site = self._fresh()
            if site is not None:
                session.inventory = site.inventory
                session.actor = site.actor.id if site.actor is not None else ""
                if not await session.is_still(site.actor, site.workspace.id):
                    site = None
            yield Open(session, site or await self._learn(session))

    async def check(self, step: Callable[[CheckStep], None]) -> Identity:
        """See :meth:`adapters.base.Adapter.check`."""
        self.forget()
        async with self.way.session(step) as session:
            step(CheckStep(Layer.SIGN_IN, ok=True, detail=f"Signed in as {self.settings.account}."))
            site = await self._learn(session)
        step(CheckStep(Layer.PERMISSION, ok=True, detail=self._permission(site)))
        unseen = (
            " What fails inside a function of it is met, and told, when it is called." if self.settings.is_web else ""
        )
        step(CheckStep(Layer.VERSION, ok=True, detail=f"{_version(site)}{unseen}"))
        step(CheckStep(Layer.CLOCK, ok=True, detail=self._clock(site)))
        return Identity(
            unique_id=f"mod4:{self.settings.place}#{site.workspace.id}",
            title=f"Mod4 {site.workspace.name}",
            version=_short_version(site.inventory.version),
            remark=_off(site),
        )

    def _fresh(self) -> Site | None:
        age_s = self.kit.clock.monotonic() - self._known_at
        return self._known if self._known is not None and age_s < KEPT_S else None

    async def _learn(self, session: Session) -> Site:
        try:
            inventory = session.inventory = await session.learn()
            session.actor = session.actor or await self._account(session)  # policies may ask for it from here on
            places = await self._workspaces(session, inventory)
            workspace = await self._counted(session, self._chosen(places, inventory))
            actor, trouble = await self._actor(session, workspace)
        except Refused as err:
            if err.is_right:
                raise AuthFailed(err.sentence("Reading the platform's tables")) from err
            raise Unsupported(
                f"{capital(self.peer)} is not the driver platform's, or of a version that cannot be read: "
                f"“{err.words}”. Check its address and name."
            ) from err
        inventory = session.inventory = session.seen_by(inventory, actor, workspace.name)
        site = Site(inventory, workspace, places, actor, judge(inventory, actor), trouble)
        self._known, self._known_at = site, self.kit.clock.monotonic()
        return site

    # -- the workspace

    async def _workspaces(self, session: Session, inventory: Inventory) -> list[Place]:
        if "workspaces" not in inventory.tables:
            raise SettingsInvalid(
                "url" if self.settings.is_web else "database",
                f"{capital(self.peer)} holds no driver platform: it has no table workspaces. Check its address and "
                "name.",
            )
        if not inventory.has("workspaces", "id") or not inventory.has("workspaces", "name"):
            raise AuthFailed(f"{capital(inventory.who)} may not read the platform's workspaces. {inventory.grant}")
        found = await session.read(lambda tables: tables.rows(Reading("workspaces")))
        return sorted((Place(row["id"], str(row["name"])) for row in found), key=lambda place: place.name)

    async def _counted(self, session: Session, place: Place) -> Place:
        """With the number of its members, as far as they are shown."""
        if not session.known().has("workspace_members", "workspace_id"):
            return place
        where = (Equals("workspace_id", place.id),)
        wanted = Reading("workspace_members", where, columns=("user_id",), key="user_id")
        return replace(place, members=len(await session.read(lambda tables: tables.rows(wanted))))

    def _chosen(self, places: Sequence[Place], inventory: Inventory) -> Place:
        wanted = self.settings.workspace.strip()
        if not places:
            raise AuthFailed(
                f"Row security lets {inventory.who} see no workspace, or the platform has none. {inventory.grant}"
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
            "workspace", f"The platform shows no workspace “{wanted}” here. There are: {_listed(places)}."
        )

    # -- the account

    async def _account(self, session: Session) -> str:
        """Id of the account that is acted for, "" for none that can be found."""
        wanted = self.settings.acting_user.strip().lower()
        if not wanted or is_id(wanted):
            return wanted
        return await session.read(lambda tables: tables.account(wanted))

    async def _actor(self, session: Session, workspace: Place) -> tuple[Actor | None, str]:
        """The account that is acted for, or why there is none."""
        user = session.actor
        wanted = (self.settings.email if self.settings.is_web else self.settings.acting_user).strip()
        if not wanted:
            return None, "No account is entered under “Acts in the name of”."
        if not user:
            return None, (
                f"“{wanted}” is no account that this role can find in the platform. Enter the account's id, or let "
                "the role read profiles."
            )
        role = await session.read(lambda tables: role_of(tables, user, workspace.id))
        return Actor(user, "" if is_id(wanted) else wanted.lower(), role), ""

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


def is_id(text: str) -> bool:
    """Whether a text is an id of the platform: all are UUIDs (biko.md, section 3)."""
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
