"""The first day of a simulated platform: workspaces, crew, vehicles, places, and work in every state.

Everything is the same for the same seed and time. Rows are written as the owner, past the functions: so a platform as
committed has a past too, which its own functions could not have made.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from adapters.mod4.simulator.people import Crew, Person, User, name_of, phone_of, standing_of
from adapters.mod4.simulator.places import REGIONS, Place, Region

PLATES: Final = (
    "ABJ-214-KT", "KAN-880-XB", "LAG-402-GF", "KAD-117-MD", "ENU-553-RC", "JOS-309-ST", "IBD-641-AX", "MKD-278-BQ",
    "YOL-190-HV", "SOK-735-DE", "CAL-426-PN", "OWE-858-JL", "AKR-361-ZW", "BAU-094-UC", "LKJ-672-YE", "MIN-585-TG",
    "ABJ-733-PK", "LAG-402-QD", "NAS-518-ZR",
)  # fmt: skip
"""The vehicles of the demo."""
MODELS: Final = (
    ("Truck", "Mercedes-Benz Actros", 9000),
    ("Van", "Toyota Hiace", 1200),
    ("Pickup", "Toyota Hilux", 900),
)
SPACE: Final = uuid.UUID("0d6f7a34-5e0b-4a9d-8a4e-6d6f64340001")
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch as it was written. ``stops`` are ids of facilities, in order."""

    id: str
    name: str
    status: str
    region: int
    stops: tuple[str, ...]
    driver: Person | None
    vehicle_id: str | None


@dataclass(slots=True)
class World:
    """What was written, for those who act in it. ``rows`` waits to be written, by table, in the order of the keys."""

    now: datetime
    seed: int
    regions: Sequence[Region]
    workspace_id: str = ""
    other_workspace_id: str = ""
    crew: Crew = field(default_factory=lambda: Crew(()))
    other_crew: Crew = field(default_factory=lambda: Crew(()))
    vehicles: dict[str, str] = field(default_factory=dict)
    warehouses: list[str] = field(default_factory=list)
    facilities: dict[str, Place] = field(default_factory=dict)
    by_region: list[list[str]] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    codes: dict[str, str] = field(default_factory=dict)
    """Codes that are waiting to be typed into the app, by address."""
    pins: dict[str, str] = field(default_factory=dict)
    """PINs of drivers whose phones are set up, by address."""
    rows: dict[str, list[Row]] = field(default_factory=dict)

    @property
    def owner(self) -> User:
        return self.crew.staff[0]

    def id(self, kind: str, *parts: object) -> str:
        """The id of one thing; the same in every world of the same seed."""
        return str(uuid.uuid5(SPACE, "/".join(str(part) for part in (self.seed, kind, *parts))))

    def rng(self, *parts: object) -> random.Random:
        """Chance that is the same for the same parts."""
        return random.Random(f"{self.seed}/{'/'.join(str(part) for part in parts)}")

    def add(self, table: str, **row: Any) -> Row:
        """One row to be written."""
        self.rows.setdefault(table, []).append(row)
        return row

    def working(self) -> list[Person]:
        """Drivers who can take a batch."""
        return [person for person in self.crew.drivers if person.works]

    def of(self, status: str) -> list[Batch]:
        """The batches that began in a state."""
        return [batch for batch in self.batches if batch.status == status]


def build(
    *,
    now: datetime | None = None,
    seed: int = 1,
    drivers: int = 12,
    plates: Sequence[str] = PLATES,
    regions: Sequence[Region] = REGIONS,
) -> World:
    """Workspaces, people, vehicles and places; work is added by :mod:`adapters.mod4.simulator.work`."""
    world = World(now or datetime.now(UTC), seed, regions)
    world.workspace_id = _workspace(world, "Northern Distribution", "northern-distribution")
    world.other_workspace_id = _workspace(world, "Coastal Distribution", "coastal-distribution")
    _vehicles(world, plates)
    _places(world)
    world.crew = _crew(world, world.workspace_id, "northern.example", drivers, 0, plates)
    world.other_crew = _crew(world, world.other_workspace_id, "coastal.example", 2, 500, ())
    world.add("system_settings", workspace_id=world.workspace_id, key="default_service_time_minutes", value_numeric=20)
    return world


def write(world: World, connection: psycopg.Connection[Any]) -> None:
    """Write what is waiting, in one transaction and past the triggers, as a restored backup would."""
    with connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")
        for table, rows in world.rows.items():
            _insert(connection, table, rows)
    world.rows.clear()


def _insert(connection: psycopg.Connection[Any], table: str, rows: Sequence[Row]) -> None:
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row), []).append(row)
    for columns, group in groups.items():
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(*table.split(".")) if "." in table else sql.Identifier("public", table),
            sql.SQL(", ").join(map(sql.Identifier, columns)),
            sql.SQL(", ").join(sql.Placeholder() * len(columns)),
        )
        values = [[Jsonb(value) if isinstance(value, dict) else value for value in row.values()] for row in group]
        with connection.cursor() as cursor:
            cursor.executemany(statement, values)


def _workspace(world: World, name: str, slug: str) -> str:
    key = world.id("workspace", slug)
    world.add("workspaces", id=key, name=name, slug=slug)
    return key


def add_user(world: World, number: int, name: str, email: str, *, phone: str = "", days: float = 90) -> User:
    """An account; ``days`` ago it was made."""
    user = User(world.id("user", number), email, name, phone)
    made = world.now - timedelta(days=days)
    world.add(
        "auth.users", id=user.id, email=email, phone=phone or None, email_confirmed_at=made, created_at=made,
        updated_at=made,
    )  # fmt: skip
    world.add("profiles", id=user.id, full_name=name, email=email, phone=phone or None)
    return user


def _member(world: World, workspace: str, user: User, role: str, code: str, days: float) -> None:
    # The ids of roles are the database's own: the row is finished by finish_roles().
    made = world.now - timedelta(days=days)
    world.add("workspace_members", workspace_id=workspace, user_id=user.id, role=role, created_at=made, role_id=code)


def finish_roles(world: World, connection: psycopg.Connection[Any]) -> None:
    """Put the database's ids of roles where codes stand."""
    ids = dict(connection.execute("SELECT code, id FROM public.roles").fetchall())
    for row in world.rows.get("workspace_members", ()):
        code = str(row["role_id"])
        row["role_id"] = ids[code]
        if code == "driver":
            world.add("user_roles", user_id=row["user_id"], role_id=ids[code])


def _crew(world: World, workspace: str, domain: str, drivers: int, first: int, plates: Sequence[str]) -> Crew:
    staff = []
    for at, (name, role, code) in enumerate(
        (("Halima Sule", "owner", "owner"), ("Peter Audu", "admin", "ops_manager"), ("Grace Obi", "viewer", "viewer"))
    ):
        local = name.lower().replace(" ", ".")
        user = add_user(world, first + 900 + at, name, f"{local}@{domain}", days=200)
        _member(world, workspace, user, role, code, 200 - at)
        staff.append(user)
    people = [_driver(world, workspace, domain, staff[0], first + at, plates) for at in range(drivers)]
    return Crew(tuple(staff), tuple(people))


def _driver(world: World, workspace: str, domain: str, owner: User, number: int, plates: Sequence[str]) -> Person:
    name, phone, standing = name_of(number), phone_of(number), standing_of(number)
    email = f"{name.lower().replace(' ', '.')}{number or ''}@{domain}"
    days = 60 - number % 40
    user = None
    if standing != "unlinked":
        user = add_user(world, number, name, email, phone=phone, days=days)
        _member(world, workspace, user, "member", "driver", days)
    driver_id = None
    if standing != "invited":
        driver_id = world.id("driver", number)
        _driver_row(world, workspace, driver_id, name, phone, email, number, linked=user is not None)
    plate = plates[number % len(plates)] if plates and standing in ("active", "direct") else ""
    if user is not None:
        method = {"direct": "admin_direct", "invited": "email_invitation"}.get(standing, "otp")
        world.add(
            "mod4_driver_links", id=world.id("link", number), user_id=user.id, driver_id=driver_id,
            status=standing if standing in ("suspended", "revoked") else "active", link_method=method,
            linked_by=user.id if method == "otp" else owner.id, linked_at=world.now - timedelta(days=days - 1),
        )  # fmt: skip
        world.pins[email] = f"{1000 + number * 37 % 9000:04d}"
        _device(world, user, number, trusted=standing != "revoked")
    return Person(name, phone, email, standing, driver_id, user, plate)


def _driver_row(
    world: World, workspace: str, key: str, name: str, phone: str, email: str, number: int, *, linked: bool
) -> None:
    today = world.now.date()
    world.add(
        "drivers", id=key, name=name, phone=phone, email=email, workspace_id=workspace,
        license_type="commercial" if number % 3 else "standard", shift_start="07:00", shift_end="17:00", max_hours=9,
        status="available", license_number=f"LIC{number:07d}", license_state="Niger",
        license_expiry=today + timedelta(days=(20 if number == 3 else 400 + number)), license_verified=number != 4,
        onboarding_completed=linked, documents_complete=number != 4, total_deliveries=number * 7,
        employment_type="full_time",
    )  # fmt: skip
    world.add("driver_availability", driver_id=key, date=today, available=number != 6,
              reason="On leave" if number == 6 else None)  # fmt: skip
    world.add("driver_documents", driver_id=key, document_type="licence",
              status="verified" if number != 4 else "pending",
              expiry_date=today + timedelta(days=(20 if number == 3 else 400 + number)))  # fmt: skip


def _device(world: World, user: User, number: int, *, trusted: bool) -> None:
    platform = ("android", "ios", "web")[number % 3]
    world.add(
        "driver_devices", user_id=user.id, device_id=f"phone-{number:04d}", device_name=f"Phone of {user.name}",
        platform=platform, is_trusted=trusted, revoked_at=None if trusted else world.now - timedelta(days=2),
        last_seen_at=world.now - timedelta(hours=number % 30),
    )  # fmt: skip


def _vehicles(world: World, plates: Sequence[str]) -> None:
    for at, plate in enumerate((*plates, "LAG-900-CS")):
        own = at < len(plates)
        kind, model, payload_kg = MODELS[at % len(MODELS)]
        key = world.id("vehicle", plate)
        world.add(
            "vehicles", id=key, type=kind.lower(), model=model, plate_number=plate, license_plate=plate,
            capacity=payload_kg / 250, capacity_kg=payload_kg, max_weight=payload_kg, fuel_type="diesel",
            fuel_efficiency=5.5, avg_speed=55, status="maintenance" if at == 15 else "available",
            workspace_id=world.workspace_id if own else world.other_workspace_id, total_slots=12,
            make=model.split()[0], year=2015 + at % 9, current_mileage=80_000 + at * 3_100,
        )  # fmt: skip
        if own:
            world.vehicles[plate] = key


def _places(world: World) -> None:
    for at, region in enumerate(world.regions):
        store = region.warehouse
        key = world.id("warehouse", store.name)
        world.warehouses.append(key)
        world.add("warehouses", id=key, name=store.name, address=store.address, lat=store.lat, lng=store.lng,
                  workspace_id=world.workspace_id)  # fmt: skip
        ids = []
        for number, place in enumerate(region.facilities):
            facility = world.id("facility", place.name)
            ids.append(facility)
            world.facilities[facility] = place
            world.add("facilities", id=facility, name=place.name, address=place.address, lat=place.lat, lng=place.lng,
                      phone=phone_of(7000 + at * 100 + number), contact_person=name_of(40 + number),
                      workspace_id=world.workspace_id)  # fmt: skip
        world.by_region.append(ids)
