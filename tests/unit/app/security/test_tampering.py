"""Every kind of tampering with the record of acts is found and named, on both databases."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text, update
from sqlalchemy.exc import IntegrityError

from app.security import checkpoints
from app.security.audit import record_act
from app.security.findings import IN_THE_CHAIN, Kind
from app.security.seal import FACT, Seal, SealError, accept_chain, seal_restored
from app.security.vault import MemoryVault
from app.store.changes import raise_topic
from app.store.facts import clear_fact, set_fact
from app.store.recovery import FACT as REPAIRED
from app.store.store import Store
from app.store.tables import Act, Change
from tests.helpers.stores import make_store
from tests.helpers.tampering import CHAIN, KEPT, Scene, Tampering, edit, no_key, older_store, remove, rewrite


@pytest.fixture
def scene(store: Store, tmp_path: Path) -> Scene:
    made = Scene.of(store, tmp_path / "checkpoints")
    made.work(4, 3, 5)
    assert made.verify().ok
    return made


@pytest.mark.parametrize("tamper", CHAIN, ids=lambda tamper: tamper.__name__)
def test_tampering_with_entries_is_named_with_the_first_that_it_touches(scene: Scene, tamper: Tampering) -> None:
    tamper(scene, 6)
    (found,) = scene.verify().findings
    assert found.kind in CHAIN[tamper]
    assert found.kind in IN_THE_CHAIN
    assert re.fullmatch(r"[A-Z].*\.", found.sentence)
    assert scene.verify().first_entry == found.entry
    # A checkpoint confirms entry 4; what was written anew after it cannot be told from one entry to the next.
    first = {Kind.REWRITE: 5, Kind.INSERTION: -5 if tamper.__name__.endswith("the_first") else 6}
    expected = 7 if tamper.__name__ == "edit_and_hash" else first.get(found.kind, 6)
    assert found.entry == expected
    assert str(expected) in found.sentence


@pytest.mark.parametrize("tamper", KEPT, ids=lambda tamper: tamper.__name__)
def test_tampering_with_checkpoints_is_a_finding_of_its_own(
    sqlite_store: Store, tmp_path: Path, tamper: Tampering
) -> None:
    scene = Scene.of(sqlite_store, tmp_path / "checkpoints")
    scene.work(4, 3, 5)
    tamper(scene, 3)
    report = scene.verify()
    assert {found.kind for found in report.findings} & KEPT[tamper]
    assert not {found.kind for found in report.findings} & IN_THE_CHAIN
    assert report.entries == 12
    assert report.first_entry is None
    assert all(re.fullmatch(r"[A-Z].*\.", found.sentence) for found in report.findings)


@pytest.mark.parametrize("tamper", [*CHAIN, *KEPT], ids=lambda tamper: tamper.__name__)
def test_the_engine_never_seals_over_what_it_finds(sqlite_store: Store, tmp_path: Path, tamper: Tampering) -> None:
    scene = Scene.of(sqlite_store, tmp_path / "checkpoints")
    scene.work(4, 3, 5)
    kept = scene.file.read_bytes()
    tamper(scene, 11)
    scene.act()
    scene.checkpoint()
    assert not scene.verify().ok
    if tamper in CHAIN:
        assert scene.file.read_bytes()[: len(kept)] == kept


def test_an_older_store_with_its_older_checkpoints_is_found_by_the_vault(scene: Scene) -> None:
    scene.put_lines(scene.lines()[:1])
    older_store(scene, 5)
    assert scene.kinds() == [Kind.OLDER_STORE, Kind.CHECKPOINTS_SWAPPED]


def test_a_copy_outside_finds_what_the_rest_of_the_computer_cannot_tell(scene: Scene, tmp_path: Path) -> None:
    copy = tmp_path / "stick" / "acts.jsonl"
    copy.parent.mkdir()
    assert scene.seal.copy_to(copy) == 3
    with pytest.raises(SealError, match="exists already"):
        scene.seal.copy_to(copy)
    scene.work(2)
    assert scene.verify(copy).ok
    rewrite(scene, 3)
    scene.file.unlink()
    scene.vault.delete(scene.seal.owner)
    assert scene.kinds() == [Kind.KEY_MISSING], "the store knows that it was sealed"
    scene.store.write(lambda connection: clear_fact(connection, FACT)).result()
    scene.checkpoint()
    assert scene.verify().ok, "store, file and vault agree: nothing here tells of it"
    assert scene.verify(copy).findings[0].kind is Kind.REWRITE
    with pytest.raises(SealError, match="no file"):
        scene.verify(tmp_path / "nosuch")


def test_a_copy_is_compared_without_the_key_as_well(scene: Scene, tmp_path: Path) -> None:
    copy = tmp_path / "copy.jsonl"
    scene.seal.copy_to(copy)
    no_key(scene, 0)
    assert [one.kind for one in scene.verify(copy).findings] == [Kind.KEY_MISSING]
    rewrite(scene, 3)
    assert [one.kind for one in scene.verify(copy).findings] == [Kind.REWRITE, Kind.KEY_MISSING]


def test_a_checkpoint_that_a_power_cut_tore_is_written_again(scene: Scene) -> None:
    whole = scene.file.read_bytes()
    scene.file.write_bytes(whole + b'{"number":4,"sto')
    assert scene.verify().ok
    scene.work(1)
    assert scene.verify().checkpoints == 4
    assert scene.file.read_bytes().startswith(whole)


def test_a_file_that_is_ahead_of_the_vault_is_believed(scene: Scene) -> None:
    """The vault is written after the file: a power cut between them, or the vault of a backup."""
    older = scene.vault.get(scene.seal.owner, "seal")
    scene.work(2, 2)
    assert older is not None
    scene.vault.set(scene.seal.owner, "seal", older)
    assert scene.verify().ok
    scene.do(Act.__table__.delete().where(Act.id > 14))
    assert scene.kinds() == [Kind.CUT_TAIL]


def test_a_seal_of_an_earlier_release_still_counts(scene: Scene, tmp_path: Path) -> None:
    key, last = "ab" * 32, scene.rows()[9]["hash"]
    keyed = hmac.new(bytes.fromhex(key), f"10:{last}".encode(), hashlib.sha256).hexdigest()
    vault = MemoryVault()
    seal = Seal(vault, scene.store.url, tmp_path / "fresh")
    vault.set(seal.owner, "key", key)
    vault.set(seal.owner, "seal", json.dumps({"entries": 10, "hash": last, "keyed": keyed}))
    with scene.store.read() as connection:
        assert seal.verify(connection).ok
    scene.do(Act.__table__.delete().where(Act.id > 8))
    with scene.store.read() as connection:
        assert [one.kind for one in seal.verify(connection).findings] == [Kind.CUT_TAIL]


def test_a_restore_is_explained_and_later_tampering_still_found(scene: Scene) -> None:
    scene.do(Act.__table__.delete().where(Act.id > 6))
    assert scene.kinds() == [Kind.CUT_TAIL]
    scene.store.write(lambda connection: raise_topic(connection, "acts")).result()
    seal_restored(scene.store, scene.seal, subject="depot.backup", after={"created_at": "2026"})
    report = scene.verify()
    assert report.ok
    (restart,) = report.restarts
    assert (restart.kept, restart.entries) == (4, 7)
    assert "depot.backup (act 7)" in restart.why
    scene.work(9)
    assert scene.verify().ok, "checkpoints that the restore took away count no more"
    rewrite(scene, 2)
    assert scene.kinds() == [Kind.REWRITE]


def test_an_operator_explains_an_older_store_but_not_an_edit(scene: Scene) -> None:
    with pytest.raises(SealError, match="nothing to accept"):
        accept_chain(scene.store, scene.seal, reason="none")
    older_store(scene, 9)
    assert accept_chain(scene.store, scene.seal, reason="disk replaced", who="ada").ok
    assert scene.verify().ok
    act = scene.rows()[-1]
    assert (act["what"], act["after"]) == ("audit.accept", {"reason": "disk replaced"})
    assert "older store" in act["before"]["findings"][0]
    edit(scene, 3)
    assert accept_chain(scene.store, scene.seal, reason="really").findings[0].kind is Kind.EDIT
    assert len(scene.rows()) == 9
    assert scene.kinds() == [Kind.EDIT]


def test_a_new_vault_is_explained_and_the_old_file_is_kept(scene: Scene) -> None:
    no_key(scene, 0)
    assert scene.kinds() == [Kind.KEY_MISSING]
    assert accept_chain(scene.store, scene.seal, reason="new vault").ok
    assert scene.verify().ok
    assert len(scene.lines()) == 1
    (aside,) = scene.folder.glob("*.aside")
    assert len(aside.read_text().splitlines()) == 3


def test_losses_by_a_damaged_disk_are_told_with_the_repair(scene: Scene) -> None:
    fact = {"at": "2026-03-14T08:30:00+00:00", "incomplete": ["acts"]}
    scene.store.write(lambda connection: set_fact(connection, REPAIRED, fact)).result()
    remove(scene, 6)
    assert "damaged and repaired on 2026-03-14 08:30" in (scene.verify().first_fault or "")


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, sqlite_store: Store) -> None:
    (tmp_path / "taken").write_text("a file where the folder should be")
    made = Scene.of(sqlite_store, tmp_path / "taken")
    made.act()
    with pytest.raises(SealError, match="cannot be"):
        made.checkpoint()


@pytest.mark.parametrize(
    "change",
    ["after = '{'", "after = '[NaN]'", "at = 'soon'", "at = 5", "who = x'ff'", "who = 7", "hash = ''", "after = 3.5"],
)
def test_what_no_program_wrote_is_an_edit_and_no_crash(tmp_path: Path, sqlite_store: Store, change: str) -> None:
    made = Scene.of(sqlite_store, tmp_path / "checkpoints")
    made.work(4)
    made.do(text(f"UPDATE acts SET {change} WHERE id = 3"))  # noqa: S608 - words of this file
    found = made.verify().findings[0]
    assert (found.kind, found.entry) == (Kind.EDIT, 3)


def test_numbers_as_names_do_not_break_the_chain(scene: Scene) -> None:
    after = {"rates": {10: "a", 9: "b"}, "pair": (1, 2)}
    scene.store.write(lambda connection: record_act(connection, what="x.y", subject="s", after=after)).result()
    assert scene.verify().ok


@given(junk=st.binary(max_size=300), at=st.integers(0, 2))
@settings(max_examples=60, deadline=None)
def test_any_bytes_in_the_file_are_read_as_no_checkpoint(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes, at: int
) -> None:
    file = tmp_path_factory.getbasetemp() / "junk.jsonl"
    file.write_bytes(b"\n" * at + junk)
    assert all(line is None for line in checkpoints.read_lines(file).lines)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("template")
    store = make_store(folder)
    made = Scene.of(store, folder / "checkpoints")
    made.work(3, 1, 4, 2, 5)
    yield made
    store.close()


@given(
    steps=st.lists(
        st.tuples(st.sampled_from([*CHAIN, *KEPT]), st.integers(1, 14)),
        min_size=1,
        max_size=3,
        unique_by=lambda x: x[0],
    ),
    more=st.integers(0, 2),
)
@settings(max_examples=80, deadline=None)
def test_random_tampering_is_always_detected(template: Scene, steps: list[tuple[Tampering, int]], more: int) -> None:
    rows, lines = template.rows(), template.lines()
    secrets = {name: template.vault.get(template.seal.owner, name) or "" for name in ("key", "seal")}
    try:
        for tamper, at in steps:
            try:
                tamper(template, min(at, max(1, len(template.rows()) - 1)))
            except (IndexError, FileNotFoundError, ZeroDivisionError, ValueError, IntegrityError):
                continue  # an earlier step took away what this one needs
        changed = template.rows() != rows or template.lines_or_none() != lines
        changed = changed or template.vault.get(template.seal.owner, "key") != secrets["key"]
        assert template.verify().ok is not changed
        for _ in range(more):
            template.act()
            template.checkpoint()
        assert template.verify().ok is not changed
    finally:
        template.put(rows)
        template.file.parent.mkdir(exist_ok=True)
        template.put_lines(lines)
        for name, value in secrets.items():
            template.vault.set(template.seal.owner, name, value)
        template.do(update(Change).where(Change.topic == "acts").values(version=len(rows)))
