"""Stores on both databases."""

from tests.helpers.stores import database, postgresql_server, sqlite_store, store

__all__ = ["database", "postgresql_server", "sqlite_store", "store"]
