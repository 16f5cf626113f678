"""Tables as classes of typed columns, on SQLAlchemy's Core.

The ORM's declarative classes would do the same, but nothing here loads objects, and its import and mapping are a
tenth of a start (docs/decisions/0075). A class is taken wherever SQLAlchemy takes a table; its attributes are
the table's columns.
"""

from datetime import datetime
from typing import Any, ClassVar, TypeVar, cast

from sqlalchemy import Column, ColumnClause, LargeBinary, MetaData, String, Table
from sqlalchemy.sql.schema import SchemaItem
from sqlalchemy.types import TypeEngine

from app.store.types import Key, UtcDateTime

T = TypeVar("T")


class _Tables(type):
    """Builds the table of each class and stands for it in statements."""

    __table__: Table
    __tablename__: str

    def __new__(cls, name: str, bases: tuple[type, ...], names: dict[str, Any]) -> Any:
        made = super().__new__(cls, name, bases, names)
        if "__tablename__" in names:
            columns = []
            for column_name, column in names.items():
                if isinstance(column, Column):
                    column.name = column.key = column_name
                    columns.append(column)
            made.__table__ = Table(made.__tablename__, Base.metadata, *columns, *names.get("__table_args__", ()))
        return made

    def __clause_element__(cls) -> Table:
        """SQLAlchemy's protocol for things that stand for a table."""
        return cls.__table__


class Base(metaclass=_Tables):
    """Base of every table class; a subclass sets ``__tablename__`` and its columns."""

    metadata: ClassVar[MetaData] = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    __table_args__: ClassVar[tuple[SchemaItem, ...]] = ()


def column(kind: type[TypeEngine[T]] | TypeEngine[T], *more: SchemaItem, **options: Any) -> ColumnClause[T]:
    """A column that must hold a value; ``options`` are those of :class:`sqlalchemy.Column`."""
    return Column(kind, *more, nullable=False, **options)


def optional(kind: type[TypeEngine[T]] | TypeEngine[T], *more: SchemaItem, **options: Any) -> ColumnClause[T | None]:
    """A column that may be NULL."""
    return cast("ColumnClause[T | None]", Column(kind, *more, nullable=True, **options))


def mirrored() -> tuple[ColumnClause[int], ColumnClause[str], ColumnClause[str], ColumnClause[str]]:
    """``key, id, integration_id, peer_id``: how a record of a peer is known here and there."""
    return (
        column(Key, primary_key=True, autoincrement=True),
        column(String(36), unique=True),
        column(String(36)),
        column(String(200)),
    )


def as_told() -> tuple[ColumnClause[bytes], ColumnClause[datetime | None], ColumnClause[int]]:
    """``content_hash, gone_at, changed_version``: what the peer last told of a record, and when that moved."""
    return column(LargeBinary(16)), optional(UtcDateTime), column(Key, index=True, default=0)
