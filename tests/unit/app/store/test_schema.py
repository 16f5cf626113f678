"""PostgreSQL: whoever may make a schema in our database must not be able to put a table of theirs before ours."""

from __future__ import annotations

import psycopg
import pytest
from sqlalchemy import make_url

from app.store.facts import get_fact, set_fact
from app.store.store import Store
from app.store.tables import StoreFact


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_schema_of_the_users_name_shadows_no_table(database: str) -> None:
    url = make_url(database)
    name = StoreFact.__tablename__
    with psycopg.connect(host=str(url.query["host"]), user=url.username, dbname=url.database, autocommit=True) as other:
        other.execute(f'CREATE SCHEMA "{url.username}"')
        other.execute(f'CREATE TABLE "{url.username}".{name} (LIKE public.{name} INCLUDING ALL)')
        assert other.execute("SHOW search_path").fetchone() == ('"$user", public',), (
            "the server's own path is open to it"
        )
        store = Store.open(database)
        try:
            store.write(lambda connection: set_fact(connection, "told", {"n": 1})).result()
            with store.read() as connection:
                assert get_fact(connection, "told") == {"n": 1}
        finally:
            store.close()
        assert other.execute(f'SELECT count(*) FROM "{url.username}".{name}').fetchone() == (0,)  # noqa: S608
        assert other.execute(f"SELECT count(*) FROM public.{name} WHERE name = 'told'").fetchone() == (1,)  # noqa: S608
