"""The platform's schema from the scripts of :mod:`adapters.mod4.platform`, in its two variants."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import psycopg
from psycopg import sql

from adapters.mod4 import platform

Variant = Literal["as_committed", "repaired"]
SCRIPTS: Final = Path(platform.__file__).parent
CONSOLE_ROLE: Final = "biko_console"
"""What a site makes with ``console_role.sql``: passes row security, may do what the console does."""
SESSION_ROLE: Final = "mod4_session"
"""A signed-in user of the platform, under row security; who it is says the database (:func:`sign_in_as`)."""
LOGIN_ROLES: Final = (CONSOLE_ROLE, SESSION_ROLE)


def script(name: str) -> str:
    """The text of one script."""
    return (SCRIPTS / name).read_text("utf-8")


def install(connection: psycopg.Connection[Any], variant: Variant) -> None:
    """On an empty database, as its owner. ``repaired`` is as committed and then repaired, as a site would do it."""
    with connection.transaction():
        for path in sorted(SCRIPTS.glob("[0-9]*.sql")):
            _run(connection, path.read_text("utf-8"))
    if variant == "repaired":
        repair(connection)


def repair(connection: psycopg.Connection[Any]) -> None:
    """Turn a platform as committed into a repaired one; on a repaired one nothing changes."""
    with connection.transaction():
        _run(connection, script("repair.sql"))


def install_login_roles(connection: psycopg.Connection[Any], passwords: Mapping[str, str]) -> None:
    """The console's role by the script for sites, and one that stays under row security."""
    with connection.transaction():
        _run(connection, script("console_role.sql"))
        made = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [SESSION_ROLE]).fetchone()
        if made is None:
            role = sql.Identifier(SESSION_ROLE)
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN INHERIT IN ROLE authenticated").format(role))
            connection.execute(sql.SQL("GRANT anon TO {} WITH INHERIT FALSE").format(role))
        for name in LOGIN_ROLES:
            statement = sql.SQL("ALTER ROLE {} PASSWORD {}")
            connection.execute(statement.format(sql.Identifier(name), sql.Literal(passwords[name])))


def sign_in_as(connection: psycopg.Connection[Any], user_id: str, email: str) -> None:
    """New connections of the row-secured role to this database are this user's."""
    claims = sql.Literal(f'{{"sub": "{user_id}", "email": "{email}", "role": "authenticated"}}')
    statement = sql.SQL("ALTER ROLE {} IN DATABASE {} SET request.jwt.claims = {}")
    name = sql.Identifier(connection.info.dbname)
    connection.execute(statement.format(sql.Identifier(SESSION_ROLE), name, claims))


def _run(connection: psycopg.Connection[Any], text: str) -> None:
    connection.execute(text.encode())
