"""A real platform for the tests: PostgreSQL with its schema in both variants, a small world in it, and the adapter."""

from __future__ import annotations

import atexit
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import Connection

from adapters.base import Kit, Outgoing, Receipt
from adapters.mod4.adapter import Mod4Adapter
from adapters.mod4.database import DatabaseTables
from adapters.mod4.readings import Tables
from adapters.mod4.settings import Mod4Settings
from adapters.mod4.simulator import Platform, schema
from adapters.mod4.simulator.server import Server
from adapters.mod4.simulator.web import Web, serving
from adapters.records import Record
from app.clock import SystemClock
from app.kit import make_kit

DATABASE_ALONE = pytest.mark.parametrize("way", ["database"])
"""For tests of what the web service cannot do, or does otherwise."""
PASSWORD = "planted password of an account"
ROLES = {"console": schema.CONSOLE_ROLE, "session": schema.SESSION_ROLE, "owner": "postgres"}


def an_id(name: str) -> str:
    """The same id for a name in every test."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


DEPOT, OTHER = an_id("depot"), an_id("other depot")
BOSS, RIVAL, MEMBER, DRIVER_LOGIN, STRANGER, OTHER_LOGIN = (
    an_id(name) for name in ("boss", "rival", "member", "driver login", "stranger", "other login")
)
MUSA, AISHA, FOREIGN = an_id("musa"), an_id("aisha"), an_id("foreign driver")
VAN, TRUCK, FOREIGN_VAN = an_id("van"), an_id("truck"), an_id("foreign van")
STORE, CLINIC, HOSPITAL, POST = (an_id(name) for name in ("store", "clinic", "hospital", "post"))
PLANNED, ASSIGNED, FOREIGN_BATCH = an_id("planned batch"), an_id("assigned batch"), an_id("foreign batch")
LINK, OTHER_LINK, REQUEST, PHONE, INVITATION, SESSION = (
    an_id(name) for name in ("link", "other link", "request", "phone", "invitation", "session")
)

_WORLD = """
INSERT INTO auth.users (id, email, phone) VALUES
    (%(boss)s, 'boss@depot.test', NULL), (%(rival)s, 'rival@depot.test', NULL),
    (%(member)s, 'member@depot.test', NULL), (%(driver_login)s, 'musa@depot.test', '+234800'),
    (%(stranger)s, 'stranger@else.test', NULL), (%(other_login)s, 'other@else.test', NULL);
INSERT INTO public.profiles (id, full_name, email)
    SELECT id, initcap(split_part(email, '@', 1)), email FROM auth.users;
INSERT INTO public.workspaces (id, name, slug) VALUES
    (%(depot)s, 'Kano Depot', 'kano'), (%(other)s, 'Other Depot', 'other');
INSERT INTO public.workspace_members (workspace_id, user_id, role) VALUES
    (%(depot)s, %(boss)s, 'owner'), (%(depot)s, %(rival)s, 'admin'), (%(depot)s, %(member)s, 'member'),
    (%(depot)s, %(driver_login)s, 'member'), (%(other)s, %(other_login)s, 'owner');
INSERT INTO public.drivers (id, name, phone, license_type, shift_start, shift_end, workspace_id, email) VALUES
    (%(musa)s, 'Musa', '+234800', 'standard', '08:00', '17:00', %(depot)s, 'musa@depot.test'),
    (%(aisha)s, 'Aisha', '+234801', 'commercial', '07:00', '16:00', %(depot)s, NULL),
    (%(foreign)s, 'Foreign', '+234802', 'standard', '08:00', '17:00', %(other)s, NULL);
INSERT INTO public.driver_availability (driver_id, date, available) VALUES (%(aisha)s, current_date + 1, false);
INSERT INTO public.vehicles (id, type, model, plate_number, capacity, max_weight, fuel_type, fuel_efficiency,
    workspace_id) VALUES
    (%(van)s, 'van', 'Hiace', 'KAN-1', 10, 1000, 'diesel', 9, %(depot)s),
    (%(truck)s, 'truck', 'Actros', 'KAN-2', 30, 9000, 'diesel', 4, %(depot)s),
    (%(foreign_van)s, 'van', 'Hiace', 'LAG-1', 10, 1000, 'diesel', 9, %(other)s);
INSERT INTO public.warehouses (id, name, address, lat, lng, workspace_id) VALUES
    (%(store)s, 'Central Store', 'Road 1', 12.0, 8.5, %(depot)s);
INSERT INTO public.facilities (id, name, address, lat, lng, workspace_id) VALUES
    (%(clinic)s, 'Clinic', 'Road 2', 12.1, 8.6, %(depot)s), (%(hospital)s, 'Hospital', 'Road 3', 12.2, 8.7, %(depot)s),
    (%(post)s, 'Health Post', 'Road 4', 12.3, 8.8, %(other)s);
INSERT INTO public.delivery_batches (id, name, warehouse_id, scheduled_date, scheduled_time, status, total_distance,
    estimated_duration, medication_type, total_quantity, optimized_route, facility_ids, workspace_id, driver_id,
    vehicle_id) VALUES
    (%(planned)s, 'North', %(store)s, current_date, '08:30', 'planned', 40.5, 120, 'Mixed', 2, '{}',
     ARRAY[%(clinic)s, %(hospital)s]::uuid[], %(depot)s, NULL, NULL),
    (%(assigned)s, 'South', %(store)s, current_date, '09:00', 'assigned', 12, 60, 'Mixed', 1, '{}',
     ARRAY[%(hospital)s]::uuid[], %(depot)s, %(musa)s, %(van)s),
    (%(foreign_batch)s, 'Elsewhere', %(store)s, current_date, '09:00', 'planned', 12, 60, 'Mixed', 1, '{}',
     ARRAY[%(post)s]::uuid[], %(other)s, NULL, NULL);
INSERT INTO public.requisitions (requisition_number, facility_id, workspace_id, batch_id, status) VALUES
    ('REQ-7', %(hospital)s, %(depot)s, %(assigned)s, 'assigned_to_batch');
INSERT INTO public.mod4_driver_links (id, user_id, driver_id, link_method, linked_by) VALUES
    (%(link)s, %(driver_login)s, %(musa)s, 'otp', %(driver_login)s),
    (%(other_link)s, %(other_login)s, %(foreign)s, 'admin_direct', %(other_login)s);
INSERT INTO public.onboarding_requests (id, full_name, phone, email) VALUES
    (%(request)s, 'New Driver', '+234803', 'new@depot.test');
INSERT INTO public.driver_devices (id, user_id, device_id, device_name, platform) VALUES
    (%(phone)s, %(driver_login)s, 'phone-1', 'Musas phone', 'Android');
INSERT INTO public.user_invitations (id, email, workspace_id, role_code, invited_by) VALUES
    (%(invitation)s, 'invited@depot.test', %(depot)s, 'driver', %(boss)s);
INSERT INTO public.driver_sessions (id, driver_id, device_id, access_token_hash, refresh_token_hash) VALUES
    (%(session)s, %(driver_login)s, 'phone-1', 'planted-hash', 'planted-hash');
"""

_IDS = {
    "boss": BOSS, "rival": RIVAL, "member": MEMBER, "driver_login": DRIVER_LOGIN, "stranger": STRANGER,
    "other_login": OTHER_LOGIN, "depot": DEPOT, "other": OTHER, "musa": MUSA, "aisha": AISHA, "foreign": FOREIGN,
    "van": VAN, "truck": TRUCK, "foreign_van": FOREIGN_VAN, "store": STORE, "clinic": CLINIC, "hospital": HOSPITAL,
    "post": POST, "planned": PLANNED, "assigned": ASSIGNED, "foreign_batch": FOREIGN_BATCH, "link": LINK,
    "other_link": OTHER_LINK, "request": REQUEST, "phone": PHONE, "invitation": INVITATION, "session": SESSION,
}  # fmt: skip


@cache
def server() -> Server:
    """One server for all tests of this process."""
    made = Server()
    made.start()
    atexit.register(made.stop)
    return made


@cache
def _template(variant: schema.Variant) -> str:
    name = server().create_database(variant, f"world_{variant}")
    with psycopg.ClientCursor(server().connect(name)) as cursor:
        cursor.execute(_WORLD, _IDS)
        schema.sign_in_as(cursor.connection, BOSS, "boss@depot.test")
        cursor.connection.close()
    return name


@dataclass
class Site:
    """One platform with the world in it. ``run`` is its administrator's own hand.

    With ``web`` it is reached over its web service, unless a role of the database is asked for.
    """

    database: str
    of: Server = field(default_factory=server)
    web: Web | None = None

    def run(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with self.of.connect(self.database) as connection:
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def one(self, statement: str, *values: object) -> Any:
        return self.run(statement, *values)[0][0]

    @property
    def hidden(self) -> set[str]:
        """Streams that the platform's rules hide by this way in (biko.md 3.9)."""
        return {"codes", "requests"} if self.web is not None else set()

    def unhide(self) -> None:
        """A platform whose administrator gave back the rules that hide links, codes, requests and phones."""
        for table in ("mod4_driver_links", "mod4_otp_codes", "onboarding_requests", "driver_devices"):
            self.run(f"CREATE POLICY given_back ON {table} TO authenticated USING (true)")

    def settings(self, role: str = "", **changed: Any) -> Mod4Settings:
        if self.web is not None and not role:
            return self._web_settings(self.web, changed)
        role = role or "console"
        user = ROLES[role]
        password = self.of.password if role == "owner" else self.of.role_passwords[user]
        values: dict[str, Any] = {
            "host": self.of.host,
            "port": self.of.port,
            "database": self.database,
            "username": user,
            "password": SecretStr(password),
            "tls": "off",
            "workspace": "Kano Depot",
            "acting_user": "boss@depot.test" if role != "session" else BOSS,
            "app_url": "https://drivers.example.org/",
        }
        return Mod4Settings(**{**values, **changed})

    def _web_settings(self, web: Web, changed: dict[str, Any]) -> Mod4Settings:
        values: dict[str, Any] = {
            "way": "web",
            "url": web.url,
            "anon_key": SecretStr(web.anon_key),
            "email": changed.pop("acting_user", "boss@depot.test"),
            "account_password": SecretStr(PASSWORD),
            "workspace": "Kano Depot",
            "app_url": "https://drivers.example.org/",
        }
        return Mod4Settings(**{**values, **changed})


def make_site(variant: schema.Variant) -> Site:
    return Site(server().copy_database(_template(variant)))


@asynccontextmanager
async def on_the_web(site: Site) -> AsyncIterator[Site]:
    """The same platform, reached over its web service; every account has the same password."""
    site.run("UPDATE auth.users SET encrypted_password = extensions.crypt(%s, extensions.gen_salt('bf'))", PASSWORD)
    world: Any = None  # of a first day there is none: the service asks the database alone
    async with serving(Platform(site.of, site.database, world)) as web:
        yield replace(site, web=web)


@asynccontextmanager
async def console(settings: Mod4Settings) -> AsyncIterator[Mod4Adapter]:
    """One console at a platform."""
    if not (settings.functions_url or settings.is_web):
        yield Mod4Adapter(settings, _kit(settings.fingerprint))
        return
    kit = make_kit("mod4-test", Mod4Adapter.manifest, settings, SystemClock())  # its budget belongs to this loop
    try:
        yield Mod4Adapter(settings, kit)
    finally:
        await kit.http.aclose()


@cache
def _kit(fingerprint: str) -> Kit:
    """One for all: reading the known authorities takes longer than most tests. Nothing is sent over its HTTP client."""
    settings = Mod4Settings(host="localhost", username="x", password=SecretStr("x"), fingerprint=fingerprint)
    return make_kit("mod4-test", Mod4Adapter.manifest, settings, SystemClock())


def on(tables: Tables) -> Connection:
    """The connection beneath a job over the database."""
    assert isinstance(tables, DatabaseTables)
    return tables.connection


async def fetch(
    settings: Mod4Settings, cursors: Mapping[str, str] | None = None
) -> tuple[list[Record], dict[str, str]]:
    """One run: what came, and the cursors after it."""
    records: list[Record] = []
    found = dict(cursors or {})
    async with console(settings) as made:
        async for batch in made.fetch(found.copy()):
            records += batch.records
            found |= batch.cursors
    return records, found


async def send(
    settings: Mod4Settings,
    write: str,
    peer_id: str,
    values: Mapping[str, Any],
    seen: Mapping[str, Any] | None = None,
    *,
    key: str = "",
    doubtful: bool = False,
) -> Receipt:
    from adapters.mod4.writes import BY_NAME

    outgoing = Outgoing(
        write, BY_NAME[write].record, peer_id, "", values, seen or {}, key or str(uuid.uuid4()), is_doubtful=doubtful
    )
    async with console(settings) as made:
        return await made.send(outgoing)


def of_kind(records: Sequence[Record], kind: type[Any]) -> list[Any]:
    return [record for record in records if isinstance(record, kind)]
