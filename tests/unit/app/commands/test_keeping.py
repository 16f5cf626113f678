"""``store``, ``backup``, ``audit`` and ``doctor``."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from app.paths import Paths
from app.security.database_password import kept_password
from app.security.seal import Seal
from app.security.vault import MemoryVault, open_vault
from app.store.head import HEAD
from app.store.locks import EngineLock
from app.store.store import Store
from tests.helpers.command_line import CommandLine, assert_refused

SERVER = "postgresql://depot@127.0.0.1/depot"


def test_a_store_is_made_and_an_upgraded_one_left_alone_while_an_engine_runs(bare: CommandLine) -> None:
    assert bare("store", "upgrade", "--json").json == {"before": None, "after": HEAD}
    paths = Paths(bare.data_dir)
    lock = EngineLock(paths.store_url, paths.engine_lock)
    assert lock.acquire()
    try:
        assert bare("store", "upgrade", "--json").json == {"before": HEAD, "after": HEAD}
    finally:
        lock.release()


def test_a_servers_password_is_kept_in_the_vault_and_forgotten(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hush-hush\n", encoding="utf-8")
    key = cli.data_dir / "key"
    options = ["--vault-key-file", key, "--database", SERVER, "store", "password", "--json"]
    kept = cli(*options, "--from", f"file:{tmp_path / 'password'}")
    assert kept.json["kept"] is True
    assert "hush-hush" not in kept.out + kept.err
    vault = open_vault(Paths(cli.data_dir), key_file=key)
    assert kept_password(SERVER, lambda: vault, {}) == "hush-hush"
    assert kept_password("postgresql://depot@127.0.0.1/other", lambda: vault, {}) is None
    assert kept_password(SERVER, lambda: vault, {"PGPASSWORD": "x"}) is None
    assert cli(*options, "--forget").json["kept"] is False
    assert kept_password(SERVER, lambda: vault, {}) is None
    assert cli(*options).status == 2
    assert_refused(cli("--vault-key-file", key, "store", "password", "--forget"), "SQLite")


def test_a_file_needs_no_vault(tmp_path: Path) -> None:
    def locked() -> MemoryVault:
        raise AssertionError("the vault was opened")

    assert kept_password(Paths(tmp_path).store_url, locked, {}) is None


def test_a_backup_is_made_verified_and_restored(cli: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "depot.backup"
    assert cli("vehicles", "add", "ABJ-214-KT").status == 0
    made = cli("backup", "create", file, "--json").json
    assert made["ok"] is True
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", made["created_at"])
    assert made["tables"]["vehicles"]["rows"] == 1
    assert len(made["tables"]["vehicles"]["sha256"]) == 64
    assert cli("backup", "verify", file, "--json").json["tables"] == made["tables"]
    assert_refused(cli("backup", "create", file), "exists already")
    cli("vehicles", "add", "KAN-880-XB")
    restored = cli("backup", "restore", file, "--json").json
    assert Path(restored["replaced_store"]).is_file()
    assert [row["plate"] for row in cli("vehicles", "list", "--json").json] == ["ABJ-214-KT"]
    assert "ok: yes" in cli("backup", "verify", file).out


def test_a_restore_is_recorded_and_the_acts_that_it_takes_away_are_no_tampering(
    cli: CommandLine, tmp_path: Path
) -> None:
    key = ["--vault-key-file", cli.data_dir / "key"]
    paths, file = Paths(cli.data_dir), tmp_path / "depot.backup"
    cli(*key, "vehicles", "add", "ABJ-214-KT")
    cli(*key, "backup", "create", file)
    cli(*key, "vehicles", "add", "KAN-880-XB")
    cli(*key, "vehicles", "add", "KAN-881-XB")
    seal = Seal(open_vault(paths, key_file=cli.data_dir / "key"), paths.store_url)
    with closing(Store.open(paths.store_url)) as store, store.read() as connection:
        assert seal.advance(connection).entries == 3

    assert cli(*key, "backup", "restore", file).status == 0

    verdict = cli(*key, "audit", "verify", "--json").json
    assert (verdict["ok"], verdict["entries"]) == (True, 2)
    last = cli(*key, "export", "acts", "--format", "jsonl").out.splitlines()[-1]
    assert "backup.restore" in last
    assert "depot.backup" in last


def test_a_damaged_backup_is_refused(cli: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "depot.backup"
    cli("vehicles", "add", "ABJ-214-KT")
    cli("backup", "create", file)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE vehicles SET plate = 'ABJ-214-KX'")
    for act in ("verify", "restore"):
        assert_refused(cli("backup", act, file), "damaged", "vehicles")
    assert_refused(cli("backup", "verify", tmp_path / "nosuch"), "does not exist")


def test_nothing_is_restored_under_a_running_engine(cli: CommandLine, tmp_path: Path) -> None:
    file, paths = tmp_path / "depot.backup", Paths(cli.data_dir)
    cli("backup", "create", file)
    lock = EngineLock(paths.store_url, paths.engine_lock)
    assert lock.acquire()
    try:
        assert_refused(cli("backup", "restore", file), "engine is running")
    finally:
        lock.release()


def test_the_record_of_acts_is_verified_and_an_edit_named(cli: CommandLine) -> None:
    for plate in ("ABJ-214-KT", "KAN-880-XB"):
        cli("vehicles", "add", plate)
    key = ["--vault-key-file", cli.data_dir / "key"]
    sound = cli(*key, "audit", "verify", "--json").json
    assert (sound["ok"], sound["entries"], sound["first_fault"]) == (True, 2, None)
    with closing(sqlite3.connect(Paths(cli.data_dir).store_file)) as connection, connection:
        connection.execute("UPDATE acts SET who = 'somebody else' WHERE rowid = 2")
    edited = cli(*key, "audit", "verify", "--json")
    assert edited.status == 1
    assert json.loads(edited.out)["ok"] is False
    assert json.loads(edited.out)["first_fault"] in edited.err


def test_checkpoints_are_copied_compared_and_what_differs_is_accepted(
    cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = ["--vault-key-file", cli.data_dir / "key"]
    paths, copy, lost = Paths(cli.data_dir), tmp_path / "copy.jsonl", tmp_path / "store.before"
    assert_refused(cli(*key, "audit", "copy", copy), "no checkpoint to copy yet")
    monkeypatch.setenv("BIKO_CONSOLE_OPERATOR", "Amina Bello")
    cli(*key, "vehicles", "add", "ABJ-214-KT")
    lost.write_bytes(paths.store_file.read_bytes())
    cli(*key, "vehicles", "add", "KAN-880-XB")
    seal = Seal(open_vault(paths, key_file=cli.data_dir / "key"), paths.store_url, paths.checkpoints)
    with closing(Store.open(paths.store_url)) as store, store.read() as connection:
        seal.advance(connection)
    assert cli(*key, "audit", "copy", copy, "--json").json["checkpoints"] == 1
    sound = cli(*key, "audit", "verify", "--against", copy, "--json").json
    assert (sound["ok"], sound["sealed_entries"], sound["findings"]) == (True, 2, [])
    assert_refused(cli(*key, "audit", "accept", "--reason", "no need"), "nothing to accept")

    for file in paths.data_dir.glob("store.sqlite-*"):
        file.unlink()
    paths.store_file.write_bytes(lost.read_bytes())
    older = cli(*key, "audit", "verify", "--json")
    found = json.loads(older.out)
    assert older.status == 1
    assert (found["ok"], found["first_faulty_entry"], found["findings"][0]["kind"]) == (False, 2, "older_store")
    assert "sealed: 2 entries" in cli(*key, "audit", "verify").out
    assert cli(*key, "audit", "accept", "--reason", " ").status == 2
    assert cli(*key, "audit", "accept", "--reason", "the disk was replaced", "--json").json["ok"] is True
    assert cli(*key, "audit", "verify", "--json").json["accepted"][0]["why"].startswith("audit.accept: the disk")
    last = json.loads(cli(*key, "export", "acts", "--format", "jsonl").out.splitlines()[-1])
    assert last["who"].startswith("Amina Bello (")
    assert last["after"] == {"reason": "the disk was replaced"}


def test_an_operator_who_cannot_be_named_is_refused(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIKO_CONSOLE_OPERATOR", "Amina (root)")
    assert_refused(cli("vehicles", "list"), "BIKO_CONSOLE_OPERATOR", "without brackets")


def test_doctor_prints_findings_and_fails_where_one_is_wrong(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    key = ["--vault-key-file", cli.data_dir / "key"]
    findings = json.loads(cli(*key, "doctor", "--json").out)
    assert all(set(finding) == {"check", "ok", "detail", "fix"} for finding in findings)
    assert {"libraries", "key store", "serial ports", "clock", "disk", "engine", "store"} <= {
        f["check"] for f in findings
    }
    monkeypatch.setattr("app.doctor.LEAST_FREE_BYTES", 1 << 60)
    outcome = cli(*key, "doctor")
    assert outcome.status == 1
    assert "FAIL  disk" in outcome.out
    assert outcome.err.startswith("Needs attention: ")
