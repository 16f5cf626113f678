"""Secrets are planted at every door and then looked for in every byte of the data folder."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import Connection, insert

from adapters.errors import AuthFailed
from app.clock import SystemClock, utc_now
from app.diagnostics import collect_diagnostics, preview, save_diagnostics
from app.engine.journal import write_log
from app.integrations import Desk, Duplicate, add, change, check_saved, check_settings, export_settings, remove
from app.logs import Logs, log_event
from app.paths import Paths
from app.preferences import JsonFile
from app.security.audit import record_act
from app.security.file_vault import FileVault, KeySource
from app.security.seal import Seal
from app.store import migrate
from app.store.store import Store
from app.store.tables import IntegrationState
from tests.helpers.desks import cold_room, make_catalogue
from tests.helpers.planting import found_in, spellings

FIRST, SECOND, WRONG, UNSAVED = (f'planted “{word}” \\ "& secret/' for word in ("first", "second", "wrong", "unsaved"))


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = Paths(tmp_path / "data")
    made.create()
    migrate.upgrade(made.store_url, made.backups)
    return made


@pytest.fixture
def desk(paths: Paths) -> Iterator[Desk]:
    vault = FileVault(paths.vault_file, KeySource.of_own_key(paths.vault_key))
    store = Store.open(paths.store_url)
    yield Desk(store, make_catalogue(), vault)
    store.close()


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    for number, form in enumerate(sorted(spellings(FIRST))):
        (tmp_path / f"file{number}").write_bytes(b"before " + form + b" after")
    assert len({find.split(":")[0] for find in found_in(tmp_path, [FIRST])}) == len(spellings(FIRST))


async def test_planted_secrets_stand_in_the_encrypted_file_alone(paths: Paths, desk: Desk) -> None:
    level = logging.getLogger().level
    logs = Logs.open(paths, "console", debug=True)
    try:
        async with cold_room() as room:
            made = await _add_change_and_fail(desk, dict(room))
        await asyncio.to_thread(_tell_everybody, paths, desk, logs, made)
    finally:
        logs.close()
        logging.getLogger().setLevel(level)
    memory = "\n".join(logs.recent())
    assert [secret for secret in (FIRST, SECOND, WRONG, UNSAVED) if secret in memory] == []
    desk.store.close()
    assert found_in(paths.data_dir, [FIRST, SECOND, WRONG, UNSAVED]) == []
    assert desk.vault.get(made, "token") == SECOND
    assert b"diagnostics of" in (paths.data_dir / "diagnostics.json").read_bytes()


async def _add_change_and_fail(desk: Desk, room: dict[str, Any]) -> str:
    clock = SystemClock()
    values = {"host": room["host"], "port": room["port"]}
    made = await asyncio.to_thread(add, desk, "cold_room", "Room", values, {"token": FIRST})
    gone = await asyncio.to_thread(add, desk, "cold_room", "Gone", values, {"token": UNSAVED})
    await asyncio.to_thread(remove, desk, gone)
    with pytest.raises(Duplicate):
        await asyncio.to_thread(add, desk, "cold_room", "Room", values, {"token": UNSAVED})
    await asyncio.to_thread(lambda: change(desk, made, secrets={"token": SECOND}))
    assert isinstance((await check_saved(desk, made, clock)).error, AuthFailed)
    unsaved = await check_settings(desk.catalogue, "cold_room", values, {"token": WRONG}, clock)
    assert WRONG not in json.dumps(unsaved.as_json(), ensure_ascii=False)
    return made


def _tell_everybody(paths: Paths, desk: Desk, logs: Logs, made: str) -> None:
    """Every careless thing that a program could do with what it knows."""
    log = logging.getLogger("careless")
    for secret in (FIRST, SECOND, WRONG, UNSAVED):
        log.warning("connecting with %s, or %r, or https://ada:%s@h/?token=%s", secret, secret, secret, quote(secret))
        log_event("sign_in", why=f"tried {secret}", password=secret)
        try:
            raise ValueError(f"refused: {secret}")
        except ValueError:
            log.exception("failed")

        def job(connection: Connection, secret: str = secret) -> None:
            payload = {"reply": secret, "token": secret}
            write_log(connection, made, "sync", f"failed with {secret}", payload=payload, now_ms=0)
            record_act(connection, what="x.y", subject=secret, before={"note": secret}, after={"password": secret})

        desk.store.write(job).result()

    def careless_state(connection: Connection) -> None:
        facts = {"integration_id": made, "phase": "error", "since": utc_now(), "reason": "diagnostics of a test"}
        connection.execute(insert(IntegrationState).values(**facts, detail={}))

    desk.store.write(careless_state).result()
    with desk.store.read() as connection:
        Seal(desk.vault, desk.store.url).advance(connection)
        exported = export_settings(connection, desk.catalogue)
        facts = collect_diagnostics(
            connection, desk.catalogue, made, vault_description=desk.vault.describe(), log_lines=logs.recent()
        )
    JsonFile(paths.data_dir / "export.json").save(exported)
    save_diagnostics(preview(facts), paths.data_dir / "diagnostics.json")
