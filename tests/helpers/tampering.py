"""What somebody who can write the store, or its files, may do to the record of acts."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from app.security.audit import AuditReport, record_act
from app.security.entries import FIRST_LINK, canonical, content_hash, iso
from app.security.findings import Kind
from app.security.seal import Seal, advance_seal
from app.security.vault import MemoryVault
from app.store.store import Store
from app.store.tables import Act, Change

Rows = list[dict[str, Any]]


@dataclass
class Scene:
    """A store with acts, sealed every few of them, as the engine does."""

    store: Store
    vault: MemoryVault
    folder: Path
    seal: Seal

    @classmethod
    def of(cls, store: Store, folder: Path) -> Scene:
        vault = MemoryVault()
        return cls(store, vault, folder, Seal(vault, store.url, folder))

    def act(self, count: int = 1) -> None:
        def job(connection: Connection) -> None:
            for _ in range(count):
                after = {"n": secrets.token_hex(4), "name": "Ẹ̀gbá"}
                record_act(connection, what="device.adopt", subject=secrets.token_hex(4), after=after, who="ada")

        self.store.write(job).result()

    def checkpoint(self) -> AuditReport:
        return advance_seal(self.store, self.seal)

    def work(self, *amounts: int) -> None:
        for amount in amounts:
            self.act(amount)
            assert self.checkpoint().ok

    def verify(self, copy: Path | None = None) -> AuditReport:
        with self.store.read() as connection:
            return self.seal.verify(connection, copy)

    def kinds(self) -> list[Kind]:
        return [found.kind for found in self.verify().findings]

    def do(self, *statements: Any) -> None:
        self.store.write(lambda connection: [connection.execute(one) for one in statements] and None).result()

    def rows(self) -> Rows:
        with self.store.read() as connection:
            return [dict(row._mapping) for row in connection.execute(select(Act.__table__).order_by(Act.id))]

    def put(self, rows: Rows) -> None:
        """These rows are all the acts there are."""
        self.do(delete(Act), *([insert(Act).values(rows)] if rows else []))

    @property
    def file(self) -> Path:
        assert self.seal.file is not None
        return self.seal.file

    def lines(self) -> list[str]:
        return self.file.read_text().splitlines()

    def lines_or_none(self) -> list[str] | None:
        return self.lines() if self.file.exists() else None

    def put_lines(self, lines: Sequence[str]) -> None:
        self.file.write_text("".join(f"{line}\n" for line in lines))


def relinked(rows: Rows, start: int = 0) -> Rows:
    """The rows with numbers, links and hashes computed anew from ``start`` on, as without the key anybody can."""
    link = rows[start - 1]["hash"] if start else FIRST_LINK
    for at in range(start, len(rows)):
        row = rows[at]
        row["id"], row["previous_hash"] = at + 1, link
        texts = (row["who"], row["host"], row["what"], row["subject"])
        link = row["hash"] = content_hash(
            row["id"], iso(row["at"]), texts, canonical(row["before"]), canonical(row["after"]), link
        )
    return rows


def edit(scene: Scene, at: int) -> None:
    scene.do(update(Act).where(Act.id == at).values(who="eve"))


def edit_and_hash(scene: Scene, at: int) -> None:
    """The edited entry fits its own hash; the one after it still holds the old one."""
    rows = scene.rows()
    rows[at - 1]["subject"] = "another"
    scene.put([*relinked(rows[:at], at - 1), *rows[at:]])


def remove(scene: Scene, at: int) -> None:
    scene.do(delete(Act).where(Act.id == at))


def remove_and_renumber(scene: Scene, at: int) -> None:
    rows = scene.rows()
    del rows[at - 1]
    for row in rows[at - 1 :]:
        row["id"] -= 1
    scene.put(rows)


def insert_one(scene: Scene, at: int) -> None:
    """A forged entry that fits the one before it; the later ones move up."""
    rows = scene.rows()
    forged = relinked([*rows[: at - 1], dict(rows[at - 1], what="vehicle.remove")], at - 1)
    for row in rows[at - 1 :]:
        row["id"] += 1
    scene.put([*forged, *rows[at - 1 :]])


def insert_before_the_first(scene: Scene, at: int) -> None:
    scene.do(insert(Act).values(dict(scene.rows()[at - 1], id=1 - at)))


def exchange(scene: Scene, at: int) -> None:
    """Two entries change places, with links and hashes."""
    rows = scene.rows()
    rows[at - 1]["id"], rows[at]["id"] = at + 1, at
    scene.put(rows)


def exchange_contents(scene: Scene, at: int) -> None:
    """What two entries tell changes places, while numbers, links and hashes stay."""
    rows = scene.rows()
    for name in ("at", "who", "host", "what", "subject", "before", "after"):
        rows[at - 1][name], rows[at][name] = rows[at][name], rows[at - 1][name]
    scene.put(rows)


def cut(scene: Scene, at: int) -> None:
    scene.do(delete(Act).where(Act.id >= at))


def rewrite(scene: Scene, at: int) -> None:
    rows = scene.rows()
    rows[at - 1]["who"] = "eve"
    scene.put(relinked(rows, at - 1))


def rewrite_shorter(scene: Scene, at: int) -> None:
    rows = scene.rows()
    del rows[at - 1]
    scene.put(relinked(rows, at - 1))
    scene.act(3)


def older_store(scene: Scene, at: int) -> None:
    """As a copy of the store from before that entry: it has never heard of the later ones."""
    scene.do(delete(Act).where(Act.id >= at), update(Change).where(Change.topic == "acts").values(version=at - 1))


def change_checkpoint(scene: Scene, at: int) -> None:
    lines = scene.lines()
    number = (at - 1) % len(lines)
    facts = json.loads(lines[number])
    facts["entries"] += 1
    scene.put_lines([*lines[:number], json.dumps(facts), *lines[number + 1 :]])


def remove_checkpoint(scene: Scene, at: int) -> None:
    lines = scene.lines()
    del lines[(at - 1) % len(lines)]
    scene.put_lines(lines)


def older_checkpoints(scene: Scene, at: int) -> None:
    lines = scene.lines()
    scene.put_lines(lines[: (at - 1) % len(lines)])


def torn_checkpoints(scene: Scene, at: int) -> None:
    """Not a power cut: the vault knows of the checkpoint that is half gone."""
    text = scene.file.read_bytes()
    scene.file.write_bytes(text[: -1 - at])


def no_checkpoints(scene: Scene, at: int) -> None:
    del at
    scene.file.unlink()


def forged_key(scene: Scene, at: int) -> None:
    del at
    scene.vault.set(scene.seal.owner, "key", secrets.token_hex(32))


def no_key(scene: Scene, at: int) -> None:
    del at
    scene.vault.delete(scene.seal.owner)


def checkpoints_of_another(scene: Scene, at: int) -> None:
    """The same vault's file of another store."""
    other = Seal(scene.vault, f"sqlite:////elsewhere/{at}.sqlite", scene.folder)
    with scene.store.read() as connection:
        other.advance(connection)
    assert other.file is not None
    other.file.replace(scene.file)


Tampering = Callable[[Scene, int], None]

CHAIN: dict[Tampering, set[Kind]] = {
    edit: {Kind.EDIT},
    edit_and_hash: {Kind.EDIT},
    remove: {Kind.GAP},
    remove_and_renumber: {Kind.GAP},
    insert_one: {Kind.INSERTION},
    insert_before_the_first: {Kind.INSERTION},
    exchange: {Kind.REORDER},
    exchange_contents: {Kind.REORDER},
    cut: {Kind.CUT_TAIL},
    rewrite: {Kind.REWRITE},
    rewrite_shorter: {Kind.REWRITE},
    older_store: {Kind.OLDER_STORE},
}
"""What is done to the store, and the kinds that it may be called."""

KEPT: dict[Tampering, set[Kind]] = {
    change_checkpoint: {Kind.CHECKPOINT_CHANGED},
    remove_checkpoint: {Kind.CHECKPOINT_CHANGED, Kind.CHECKPOINTS_SWAPPED},
    older_checkpoints: {Kind.CHECKPOINTS_SWAPPED},
    torn_checkpoints: {Kind.CHECKPOINTS_SWAPPED},
    no_checkpoints: {Kind.CHECKPOINTS_MISSING},
    forged_key: {Kind.KEY_CHANGED},
    no_key: {Kind.KEY_MISSING},
    checkpoints_of_another: {Kind.CHECKPOINTS_SWAPPED},
}
"""What is done to the checkpoints and the vault."""
