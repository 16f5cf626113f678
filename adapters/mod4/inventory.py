"""What the connected database is made of, read from its catalogue: nothing about a deployed platform is assumed.

Tables with their columns and this role's rights on them, row security and its policies, functions with their sources,
triggers. Read in a handful of queries at connection (biko.md, section 7: treat columns and functions as versioned).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import BigInteger, Connection, and_, any_, case, cast, column, func, literal, or_, select, table
from sqlalchemy.dialects.postgresql import OID
from sqlalchemy.sql.elements import ColumnElement

from adapters.mod4.words import GRANT

Access = Literal["select", "insert", "update"]
Scope = Literal["all", "own", "none"]

_OWN = ("auth.uid", "auth.email", "auth.jwt", "current_setting")
_OTHERS = ("workspace", "role", "admin", "is not null")

TABLES = (
    "workspaces", "workspace_members", "profiles", "drivers", "driver_availability", "mod4_driver_links",
    "mod4_otp_codes", "onboarding_requests", "driver_devices", "user_invitations", "driver_sessions", "vehicles",
    "warehouses", "facilities", "delivery_batches", "batch_invoice_links", "requisitions", "dispatch_runs",
    "mod4_events", "route_history", "delivery_logs", "driver_events", "driver_gps_events", "user_roles",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """``is_needed``: a new row must name it; ``is_filled``: no row is without. The others are this role's rights."""

    type: str
    is_needed: bool
    is_filled: bool
    select: bool
    insert: bool
    update: bool


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy of row security that applies to this role; texts are its conditions as the server prints them."""

    name: str
    command: str
    is_permissive: bool
    using: str
    check: str

    def concerns(self, access: Access) -> bool:
        return self.command in ("*", {"select": "r", "insert": "a", "update": "w"}[access])

    def scope(self, access: Access) -> Scope:
        """Whose rows it opens: everybody's (of a workspace, or all), or only the caller's own."""
        text = (self.check if access == "insert" else self.using).lower()
        if text.strip("() ") == "false":
            return "none"
        is_own = any(word in text for word in _OWN) and not any(word in text for word in _OTHERS)
        return "own" if is_own else "all"


@dataclass(frozen=True, slots=True)
class TableFacts:
    """One table or view. ``is_secured``: row security is in force for this role."""

    name: str
    columns: Mapping[str, Column]
    is_secured: bool = False
    policies: tuple[Policy, ...] = ()
    seen: Scope | None = None
    """Whose rows a look at the table showed, where its policies themselves cannot be read."""

    def scope(self, access: Access) -> Scope:
        """Whose rows this role gets at."""
        if self.seen is not None:
            return self.seen
        if not self.is_secured:
            return "all"
        found = {policy.scope(access) for policy in self.policies if policy.is_permissive and policy.concerns(access)}
        return "all" if "all" in found else "own" if "own" in found else "none"


@dataclass(frozen=True, slots=True)
class FunctionFacts:
    """One function of the platform. ``path`` is the search path that it is pinned to, None for none.

    ``fails`` is what it said when it was asked where its source cannot be read: words that go on after its name.
    """

    name: str
    arguments: tuple[str, ...]
    optional: int
    may_call: bool
    source: str
    path: tuple[str, ...] | None
    returns: str = ""
    fails: str = ""


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger that fires before or after ``events`` (letters of ``iud``) of a table, and the function it calls."""

    table: str
    events: str
    function: str
    definition: str = ""


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything, by name; tables and functions of the schema ``public``.

    ``who`` is the one that signed in, as sentences name it; ``grant`` is what gives it a right that it lacks.
    """

    who: str
    grant: str
    version: str
    bypasses: bool
    has_accounts: bool
    now_ms: int
    tables: Mapping[str, TableFacts]
    functions: Mapping[str, FunctionFacts]
    triggers: tuple[Trigger, ...] = ()
    relations: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()
    places: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Schemas of the functions that sources may call by name alone."""

    def has(self, name: str, column_name: str) -> bool:
        """Whether the column is there and may be read."""
        return self.may(name, column_name, "select")

    def may(self, name: str, column_name: str, access: Access) -> bool:
        """Whether the column is there and may be read, changed or filled."""
        found = self.tables.get(name)
        return found is not None and column_name in found.columns and bool(getattr(found.columns[column_name], access))

    def is_open(self, name: str) -> bool:
        """Whether everybody's rows of a table are shown, as far as its workspace goes."""
        found = self.tables.get(name)
        return found is not None and found.scope("select") == "all"


def read_inventory(connection: Connection) -> Inventory:
    """The whole of it, in one transaction."""
    role, version, bypasses, now_ms = _who(connection)
    policies = _policies(connection)
    tables = _tables(connection, policies)
    functions = _functions(connection)
    return Inventory(
        who=f"the role {role}",
        grant=GRANT,
        version=version,
        bypasses=bypasses,
        has_accounts=_has_accounts(connection),
        now_ms=now_ms,
        tables=tables,
        functions=functions,
        triggers=_triggers(connection),
        relations=_names(connection, "pg_class", "relname", "relnamespace"),
        types=_names(connection, "pg_type", "typname", "typnamespace", column("typtype") == "e"),
        places=_places(connection),
    )


def _catalogue(name: str, *columns: str) -> Any:
    return table(name, *(column(one) for one in columns), schema="pg_catalog")


def _schema_is(namespace: ColumnElement[Any], schema: str = "public") -> ColumnElement[bool]:
    spaces = _catalogue("pg_namespace", "oid", "nspname")
    return namespace == select(spaces.c.oid).where(spaces.c.nspname == schema).scalar_subquery()


def _who(connection: Connection) -> tuple[str, str, bool, int]:
    roles = _catalogue("pg_roles", "rolname", "rolsuper", "rolbypassrls")
    now_ms = cast(func.floor(func.extract("epoch", func.clock_timestamp()) * 1000), BigInteger)
    # pg_roles is asked through the name: CURRENT_USER is no function that could be compiled as one.
    who = connection.execute(select(func.current_user().op("||")(""), func.version(), now_ms)).one()
    powers = connection.execute(
        select(or_(roles.c.rolsuper, roles.c.rolbypassrls)).where(roles.c.rolname == who[0])
    ).scalar()
    return str(who[0]), str(who[1]), bool(powers), int(who[2])


def _has_accounts(connection: Connection) -> bool:
    """Whether addresses of accounts can be read: ``auth.users`` is in a schema that few roles may use."""
    spaces, classes = (
        _catalogue("pg_namespace", "oid", "nspname"),
        _catalogue("pg_class", "oid", "relname", "relnamespace"),
    )
    query = select(
        and_(
            func.has_schema_privilege(spaces.c.oid, "usage"),
            func.has_column_privilege(classes.c.oid, "id", "select"),
            func.has_column_privilege(classes.c.oid, "email", "select"),
            or_(func.row_security_active(classes.c.oid).is_(False)),
        )
    ).where(spaces.c.nspname == "auth", classes.c.relnamespace == spaces.c.oid, classes.c.relname == "users")
    attributes = _catalogue("pg_attribute", "attrelid", "attname", "attisdropped")
    there = (
        select(func.count())
        .where(attributes.c.attrelid == classes.c.oid, attributes.c.attname.in_(("id", "email")))
        .where(attributes.c.attisdropped.is_(False))
        .scalar_subquery()
    )
    count = select(there).where(
        spaces.c.nspname == "auth", classes.c.relnamespace == spaces.c.oid, classes.c.relname == "users"
    )
    if connection.execute(count).scalar() != 2:
        return False
    return bool(connection.execute(query).scalar())


def _tables(connection: Connection, policies: Mapping[str, tuple[Policy, ...]]) -> dict[str, TableFacts]:
    classes = _catalogue("pg_class", "oid", "relname", "relnamespace", "relkind")
    attributes = _catalogue(
        "pg_attribute", "attrelid", "attname", "attnum", "attisdropped", "attnotnull", "atthasdef", "atttypid",
        "atttypmod", "attidentity",
    )  # fmt: skip
    needed = and_(attributes.c.attnotnull, attributes.c.atthasdef.is_(False), attributes.c.attidentity == "")
    rights = [
        func.has_column_privilege(classes.c.oid, attributes.c.attnum, right) for right in ("select", "insert", "update")
    ]
    query = (
        select(
            classes.c.relname,
            attributes.c.attname,
            func.format_type(attributes.c.atttypid, attributes.c.atttypmod),
            needed,
            attributes.c.attnotnull,
            *rights,
            func.row_security_active(classes.c.oid),
        )
        .where(attributes.c.attrelid == classes.c.oid, attributes.c.attnum > 0, attributes.c.attisdropped.is_(False))
        .where(_schema_is(classes.c.relnamespace), classes.c.relkind.in_(("r", "p", "v", "m")))
        .where(classes.c.relname.in_(TABLES))
    )
    columns: dict[str, dict[str, Column]] = {}
    secured: dict[str, bool] = {}
    for name, attribute, kind, is_needed, is_filled, *may, is_secured in connection.execute(query):
        columns.setdefault(name, {})[attribute] = Column(kind, is_needed, is_filled, *may)
        secured[name] = bool(is_secured)
    return {name: TableFacts(name, found, secured[name], policies.get(name, ())) for name, found in columns.items()}


def _policies(connection: Connection) -> dict[str, tuple[Policy, ...]]:
    policies = _catalogue(
        "pg_policy", "polname", "polrelid", "polcmd", "polpermissive", "polroles", "polqual", "polwithcheck"
    )
    classes, roles = _catalogue("pg_class", "oid", "relname", "relnamespace"), _catalogue("pg_roles", "oid")
    mine = select(roles.c.oid).where(func.pg_has_role(roles.c.oid, "usage"), roles.c.oid == any_(policies.c.polroles))
    applies = or_(cast(literal(0), OID) == any_(policies.c.polroles), mine.exists())
    query = select(
        classes.c.relname,
        policies.c.polname,
        policies.c.polcmd,
        policies.c.polpermissive,
        func.pg_get_expr(policies.c.polqual, policies.c.polrelid),
        func.pg_get_expr(policies.c.polwithcheck, policies.c.polrelid),
    ).where(policies.c.polrelid == classes.c.oid, _schema_is(classes.c.relnamespace), applies)
    found: dict[str, list[Policy]] = {}
    for name, policy, command, permissive, using, check in connection.execute(query):
        condition = str(using or "")
        told = Policy(policy, _letter(command), permissive, condition, str(check) if check is not None else condition)
        found.setdefault(name, []).append(told)
    return {name: tuple(all_of) for name, all_of in found.items()}


def _letter(value: Any) -> str:
    """PostgreSQL's one-byte ``"char"``."""
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)


def _functions(connection: Connection) -> dict[str, FunctionFacts]:
    functions = _catalogue(
        "pg_proc", "oid", "proname", "pronamespace", "proargnames", "pronargs", "pronargdefaults", "proconfig",
        "prosrc", "prolang", "prorettype",
    )  # fmt: skip
    languages = _catalogue("pg_language", "oid", "lanname")
    query = (
        select(
            functions.c.proname,
            functions.c.proargnames,
            functions.c.pronargs,
            functions.c.pronargdefaults,
            functions.c.proconfig,
            functions.c.prosrc,
            func.has_function_privilege(functions.c.oid, "execute"),
            func.format_type(functions.c.prorettype, None),
        )
        .where(_schema_is(functions.c.pronamespace), languages.c.oid == functions.c.prolang)
        .where(languages.c.lanname.in_(("plpgsql", "sql")))
        .order_by(functions.c.pronargs)
    )
    found: dict[str, FunctionFacts] = {}
    for name, names, count, defaults, config, source, may_call, returns in connection.execute(query):
        arguments = tuple((names or ())[:count])
        found[name] = FunctionFacts(name, arguments, defaults, may_call, source or "", _path(config), returns)
    return found


def _path(config: Any) -> tuple[str, ...] | None:
    for setting in config or ():
        name, _, value = str(setting).partition("=")
        if name == "search_path":
            parts = (part.strip().strip('"') for part in value.split(","))
            return tuple(part for part in parts if part)
    return None


def _triggers(connection: Connection) -> tuple[Trigger, ...]:
    triggers = _catalogue("pg_trigger", "oid", "tgrelid", "tgfoid", "tgtype", "tgisinternal", "tgenabled")
    classes = _catalogue("pg_class", "oid", "relname", "relnamespace")
    functions = _catalogue("pg_proc", "oid", "proname")
    query = (
        select(classes.c.relname, triggers.c.tgtype, functions.c.proname, func.pg_get_triggerdef(triggers.c.oid))
        .where(triggers.c.tgrelid == classes.c.oid, triggers.c.tgfoid == functions.c.oid)
        .where(triggers.c.tgisinternal.is_(False), triggers.c.tgenabled != "D", _schema_is(classes.c.relnamespace))
        .where(classes.c.relname.in_(TABLES))
    )
    found = []
    for name, kind, function, definition in connection.execute(query):
        events = "".join(letter for bit, letter in ((4, "i"), (8, "d"), (16, "u")) if kind & bit)
        found.append(Trigger(name, events, function, definition))
    return tuple(found)


def _names(
    connection: Connection, catalogue: str, name: str, namespace: str, also: ColumnElement[bool] | None = None
) -> frozenset[str]:
    rows = _catalogue(catalogue, name, namespace)
    query = select(rows.c[name]).where(_schema_is(rows.c[namespace]))
    if also is not None:
        query = query.where(also)
    return frozenset(str(one) for one in connection.execute(query).scalars())


def _places(connection: Connection) -> dict[str, frozenset[str]]:
    """Where functions outside the server's own catalogue are, by name."""
    functions, spaces = _catalogue("pg_proc", "proname", "pronamespace"), _catalogue("pg_namespace", "oid", "nspname")
    query = (
        select(functions.c.proname, spaces.c.nspname)
        .where(functions.c.pronamespace == spaces.c.oid)
        .where(spaces.c.nspname.not_in(("information_schema",)))
        .where(case((spaces.c.nspname == "pg_catalog", functions.c.proname.in_(_MAYBE_ELSEWHERE)), else_=True))
        .distinct()
    )
    found: dict[str, set[str]] = {}
    for name, schema in connection.execute(query):
        found.setdefault(name, set()).add(schema)
    return {name: frozenset(schemas) for name, schemas in found.items()}


_MAYBE_ELSEWHERE = ("gen_random_uuid", "gen_random_bytes", "crypt", "gen_salt", "digest")
