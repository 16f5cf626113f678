"""The suite of messages to other systems runs on a SQLite file and on a real PostgreSQL database."""

from __future__ import annotations

from tests.helpers.stores import database, postgresql_server, store

__all__ = ["database", "postgresql_server", "store"]
