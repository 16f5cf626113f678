"""The platform's tables over one database connection: readings as SELECTs, changes as statements of one transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    DateTime,
    Select,
    Text,
    cast,
    column,
    func,
    insert,
    literal,
    or_,
    select,
    table,
    tuple_,
    update,
)
from sqlalchemy.sql.elements import ColumnElement

from adapters.mod4.inventory import Inventory
from adapters.mod4.readings import (
    COLUMNS,
    Among,
    AnyOf,
    Condition,
    Differs,
    Empty,
    Equals,
    Growing,
    Kind,
    Member,
    NotAmong,
    OfWorkspace,
    Reading,
    Row,
    SameText,
    Since,
    Tables,
)
from adapters.mod4.tables import Query, Rows, choose, function_call


class DatabaseTables(Tables):
    """One transaction. ``connection`` is the one that it runs on."""

    undoes = True

    def __init__(self, connection: Connection, inventory: Inventory) -> None:
        super().__init__(inventory)
        self.connection = connection
        self._rows: dict[str, Rows] = {}
        self._shown: dict[str, int] = {}

    def rows(self, reading: Reading) -> list[Row]:
        of = self._of(reading.table)
        query = _columns(of, reading.kinds).where(*(self._condition(of, one) for one in reading.where))
        key = of.raw(reading.key)
        if reading.after:
            query = query.where(key > of.value(reading.key, reading.after))
        if reading.newest:
            query = query.order_by(of.raw(reading.newest).desc())
        elif reading.limit:
            query = query.order_by(key)
        if reading.limit:
            query = query.limit(reading.limit)
        found = _fetched(self.connection, query)
        if reading.is_whole:
            self._shown[reading.table] = self._shown.get(reading.table, 0) + len(found)
        return found

    def page(self, growing: Growing, since: str, behind: tuple[str, str] | None, size: int) -> list[Row]:
        of = self._of(growing.table)
        key, came = of.raw(growing.key), _arrival(of, growing.times)
        query = _columns(of, COLUMNS[growing.table], cast(key, Text).label("key"), of.ms_of(came, "arrived"),
                         cast(came, Text).label("at"))  # fmt: skip
        query = query.where(*(self._condition(of, one) for one in growing.where))
        if behind is None:
            query = query.where(came > _time(since))
        else:
            at, last = behind
            query = query.where(tuple_(came, key) > tuple_(_time(at), of.value(growing.key, last)))
        return _fetched(self.connection, query.order_by(came, key).limit(size))

    def function_rows(self, name: str, arguments: Mapping[str, str], columns: Mapping[str, Kind]) -> list[Row]:
        call = function_call(name, arguments).table_valued(*columns, name="found")
        found: list[ColumnElement[Any]] = [
            Rows.ms_of(call.c[one], one) if kind == "ms" else cast(call.c[one], Text).label(one)
            for one, kind in columns.items()
        ]
        rows = _fetched(self.connection, choose(*found))
        self._shown[name] = len(rows)
        return rows

    def call(self, name: str, arguments: Mapping[str, str]) -> Any:
        return self.connection.execute(select(function_call(name, arguments))).scalar()

    def change(self, name: str, key: str, values: Mapping[str, str], guards: Sequence[Condition]) -> int:
        of = self._of(name)
        given = {of.table.c[one]: of.value(one, text) for one, text in values.items()}
        conditions = (self._condition(of, one) for one in (Equals("id", key), *guards))
        return self.connection.execute(update(of.table).where(*conditions).values(given)).rowcount

    def add(self, name: str, values: Mapping[str, str]) -> None:
        of = self._of(name)
        given = {of.table.c[one]: of.value(one, text) for one, text in values.items()}
        self.connection.execute(insert(of.table).values(given))

    def now_ms(self) -> int:
        now = cast(func.floor(func.extract("epoch", func.clock_timestamp()) * 1000), BigInteger)
        return int(self.connection.execute(select(now)).scalar_one())

    def hold(self, name: str) -> None:
        self.connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"biko-console {name}"))))

    def account(self, email: str) -> str:
        if self.inventory.has_accounts:
            users = _accounts()
            query = select(cast(users.c.id, Text)).where(func.lower(users.c.email) == email)
            if found := self.connection.execute(query).scalar():
                return str(found)
        return super().account(email)

    def addresses(self, accounts: Collection[str]) -> Mapping[str, str]:
        if not self.inventory.has_accounts or not accounts:
            return super().addresses(accounts)
        users = _accounts()
        own = cast(users.c.id, Text)
        query = select(own, cast(users.c.email, Text)).where(own.in_(accounts))
        return {str(one): str(email or "") for one, email in self.connection.execute(query)}

    def shown(self) -> Mapping[str, int | None]:
        return self._shown  # rights and row security were read from the catalogue: what is not shown is not there

    # -- conditions

    def _of(self, name: str) -> Rows:
        """A table; the same object each time, so that conditions of several places are about one table."""
        return self._rows.setdefault(name, Rows(self.inventory, name))

    def _condition(self, of: Rows, one: Condition) -> ColumnElement[bool]:
        match one:
            case Equals(name, value):
                return of.equals(name, value)
            case Differs(name, value):
                return of.raw(name) != of.value(name, value)
            case SameText(name, value):
                return func.lower(of.raw(name)) == value.lower()
            case Among(name, values):
                return of.among(name, values)
            case NotAmong(name, values):
                return cast(of.raw(name), Text).not_in(values)
            case Since(name, ms):
                return of.raw(name) >= func.to_timestamp(ms / 1000)
            case Empty(name):
                return of.raw(name).is_(None)
            case Member(name, workspace):
                members = self._of("workspace_members")
                mine = choose(members.text("user_id")).where(members.equals("workspace_id", workspace))
                return of.text(name).in_(mine)
            case OfWorkspace(name, other, workspace):
                others = self._of(other)
                theirs = choose(others.raw("id")).where(others.equals("workspace_id", workspace))
                return of.raw(name).in_(theirs)
            case AnyOf(conditions):
                return or_(*(self._condition(of, each) for each in conditions))


def _columns(of: Rows, wanted: Mapping[str, Kind], *more: ColumnElement[Any]) -> Query:
    return choose(*(getattr(of, kind)(name) for name, kind in wanted.items()), *more)


def _fetched(connection: Connection, query: Select[Any] | Query) -> list[Row]:
    result = connection.execute(query)
    names = list(result.keys())
    return [dict(zip(names, row, strict=True)) for row in result]


def _arrival(of: Rows, times: Sequence[str]) -> ColumnElement[Any]:
    """When a row came to the platform: the first of its times that there is."""
    names = [name for name in times if of.has(name)]
    if len(names) == 1 or of.is_filled(names[0]):  # an index over it serves
        return of.raw(names[0])
    return func.coalesce(*(of.raw(name) for name in names))


def _time(text: str) -> ColumnElement[Any]:
    return cast(literal(text, Text()), DateTime(timezone=True))


def _accounts() -> Any:
    return table("users", column("id"), column("email"), schema="auth")
