"""Every step from nothing to the present tables, on both databases."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, update

from app.store import migrate
from app.store.backup import verify_backup
from app.store.columns import Base
from app.store.connect import parse_url, write_engine
from app.store.errors import StoreRefused, StoreTooNew
from app.store.facts import get_fact, set_fact
from app.store.prepare import prepare_store
from app.store.revision import HEAD, alembic_version, current_revision
from app.store.store import Store
from tests.helpers.stores import database, make_postgresql_url, postgresql_server, start_postgresql

__all__ = ["database", "postgresql_server"]

NEXT = f"{int(HEAD) + 1:04}"

_OWN_INDEX = ("integration_logs_search", "ix_integration_logs_trigrams")


def _script() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    return ScriptDirectory.from_config(config)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without any table."""
    return (
        f"sqlite:///{tmp_path / 'store.db'}" if request.param == "sqlite" else make_postgresql_url(start_postgresql())
    )


def test_the_revisions_are_counted_one_after_the_other_up_to_the_programs_own() -> None:
    revisions = [step.revision for step in reversed(list(_script().walk_revisions()))]
    assert revisions == [f"{number:04}" for number in range(1, len(revisions) + 1)]
    assert revisions[-1] == HEAD == _script().get_current_head()


def test_the_steps_never_import_the_live_tables() -> None:
    for file in (Path(migrate.__file__).parent / "migrations" / "versions").glob("*.py"):
        assert "app." not in file.read_text(encoding="utf-8"), f"{file.name} must be written out"


def test_the_migrated_tables_are_those_of_the_models(empty: str, tmp_path: Path) -> None:
    migrate.upgrade(empty, tmp_path)
    engine = write_engine(parse_url(empty))

    def ours(_object: object, name: str | None, kind: str, *_rest: object) -> bool:
        return not (name or "").startswith(_OWN_INDEX) or kind not in {"table", "index"}

    with engine.begin() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True, "include_object": ours}
        )
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_every_step_applies_in_order(empty: str) -> None:
    engine = write_engine(parse_url(empty))
    for step in reversed(list(_script().walk_revisions())):
        migrate.create_at(engine, step.revision)
        with engine.connect() as connection:
            assert current_revision(connection) == step.revision
    engine.dispose()


def test_a_new_store_is_created_and_needs_no_copy(empty: str, tmp_path: Path) -> None:
    copies = tmp_path / "copies"
    assert migrate.upgrade(empty, copies) == migrate.Upgraded(None, HEAD, None)
    assert migrate.upgrade(empty, copies) == migrate.Upgraded(HEAD, HEAD, None)
    assert not copies.exists()
    Store.open(empty).close()


def test_an_older_store_is_copied_before_it_is_upgraded(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _note(database)
    _pretend_a_newer_step(monkeypatch)
    upgraded = migrate.upgrade(database, tmp_path / "copies")
    assert (upgraded.before, upgraded.after) == (HEAD, NEXT)
    assert upgraded.copy is not None
    manifest = verify_backup(upgraded.copy)
    assert manifest.revision == HEAD
    assert manifest.tables["store_facts"].rows == 1


def test_a_failed_step_leaves_the_store_as_it_was(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _note(database)
    _pretend_a_newer_step(monkeypatch, fails=True)
    with pytest.raises(RuntimeError, match="the step failed"):
        migrate.upgrade(database, tmp_path / "copies")
    engine = write_engine(parse_url(database))
    with engine.connect() as connection:
        assert current_revision(connection) == HEAD
        assert not inspect(connection).has_table("half_done")
        assert get_fact(connection, "kept") == {"n": 1}
    engine.dispose()


def test_an_older_program_does_not_touch_a_newer_store(database: str, tmp_path: Path) -> None:
    _note(database)
    store = Store.open(database)
    store.write(lambda c: c.execute(update(alembic_version).values(version_num="0999"))).result()
    store.close()
    for attempt in (migrate.upgrade, prepare_store):
        with pytest.raises(StoreTooNew, match="newer program"):
            attempt(database, tmp_path / "copies")


def test_another_programs_file_is_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE customers (id INTEGER)")
    before = (tmp_path / "other.db").read_bytes()
    with pytest.raises(StoreRefused, match="another program"):
        migrate.upgrade(f"sqlite:///{tmp_path / 'other.db'}", tmp_path)
    assert (tmp_path / "other.db").read_bytes() == before


def _note(url: str) -> None:
    store = Store.open(url)
    store.write(lambda c: set_fact(c, "kept", {"n": 1})).result()
    store.close()


def _pretend_a_newer_step(monkeypatch: pytest.MonkeyPatch, *, fails: bool = False) -> None:
    """The program is one step ahead: its migration makes a table, and may then fail."""
    monkeypatch.setattr(migrate, "HEAD", NEXT)

    real = migrate._apply

    def step(connection: Connection, revision: str) -> None:
        if revision != NEXT:
            return real(connection, revision)
        connection.exec_driver_sql("CREATE TABLE half_done (id INTEGER)")
        connection.execute(update(alembic_version).values(version_num=NEXT))
        if fails:
            raise RuntimeError("the step failed")
        return None

    monkeypatch.setattr(migrate, "_apply", step)
