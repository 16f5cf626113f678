"""Every suite of stored fuel runs on both databases."""

from tests.helpers.stores import database, postgresql_server, store

__all__ = ["database", "postgresql_server", "store"]
