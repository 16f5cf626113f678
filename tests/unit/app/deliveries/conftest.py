"""The deliveries suite runs on a SQLite file and on a real PostgreSQL database."""

from tests.helpers.stores import database, postgresql_server, sqlite_store, store

__all__ = ["database", "postgresql_server", "sqlite_store", "store"]
