"""The mail suite runs on a SQLite file and on a real PostgreSQL database, against real mail servers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.mail_server import MailServer, serve_mail
from tests.helpers.mod4_platform import make_mod4, mod4_first_days, mod4_server, repaired
from tests.helpers.stores import database, postgresql_server, sqlite_store, store

__all__ = [
    "database",
    "make_mod4",
    "mod4_first_days",
    "mod4_server",
    "postgresql_server",
    "repaired",
    "sqlite_store",
    "store",
]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MailServer]:
    with serve_mail(tmp_path) as running:
        yield running
