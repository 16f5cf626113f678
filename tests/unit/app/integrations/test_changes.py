from __future__ import annotations

import time
import uuid
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from adapters.base import Identity
from app.clock import utc_now
from app.integrations import (
    Desk,
    Duplicate,
    NameRefused,
    OtherPeer,
    SettingsRefused,
    UnknownIntegration,
    add,
    change,
    configured,
    disable,
    enable,
    forget_orphans,
    list_integrations,
    remove,
)
from app.security.audit import verify_acts
from app.security.seal import Seal
from app.security.vault import MemoryVault, VaultError
from app.store.changes import topic_versions
from app.store.errors import StoreError, StoreFull
from app.store.ids import new_id
from app.store.tables import Act, Integration
from tests.helpers.desks import GOOD

TOKEN = {"token": "planted-token-1"}
PEER = Identity("cold_room:TH-1", "Thermometer TH-1", "3.1")
OTHER = Identity("cold_room:TH-2", "Thermometer TH-2", "3.1")


def add_room(desk: Desk, name: str = "Cold room", **more: Any) -> str:
    return add(desk, "cold_room", name, GOOD, TOKEN, **more)


def saved(desk: Desk, integration_id: str) -> Any:
    with desk.store.read() as connection:
        return configured(connection, integration_id)


def acts(desk: Desk) -> list[Any]:
    with desk.store.read() as connection:
        assert verify_acts(connection).ok
        return list(connection.execute(select(Act.__table__).order_by(Act.id)))


def versions(desk: Desk) -> dict[str, int]:
    with desk.store.read() as connection:
        return topic_versions(connection)


class FailingVault(MemoryVault):
    """Keeps the first ``good`` secrets, then the key store is gone."""

    def __init__(self, good: int) -> None:
        super().__init__()
        self.good = good

    def set(self, integration_id: str, field: str, value: str) -> None:
        if self.good <= 0:
            raise VaultError("The key store went away. Unlock it, then try again.")
        self.good -= 1
        super().set(integration_id, field, value)


class TestAdd:
    def test_saves_settings_in_the_row_and_secrets_in_the_vault_alone(self, desk: Desk) -> None:
        made = add_room(desk, identity=PEER)
        row = saved(desk, made)
        assert row.config == {"host": "127.0.0.1", "port": 7070, "poll_interval_s": 60}
        assert (row.enabled, row.peer_unique_id) == (True, "cold_room:TH-1")
        assert desk.vault.get(made, "token") == TOKEN["token"]

    def test_is_listed_before_any_engine_has_seen_it(self, desk: Desk) -> None:
        add_room(desk)
        with desk.store.read() as connection:
            row = list_integrations(connection)[0]
        assert (row.status, row.phase, row.reason) == ("configured", "starting", "Waits for the engine to start it.")

    def test_is_recorded_without_the_secret_and_raises_its_topic(self, desk: Desk) -> None:
        made = add_room(desk, who="ada")
        act = acts(desk)[-1]
        assert (act.what, act.who, act.subject) == ("integration.add", "ada", f"Cold room ({made})")
        assert act.after["config"]["port"] == 7070
        assert "planted-token-1" not in str(act)
        assert versions(desk)["integrations"] == 1

    def test_names_every_wrong_field_and_keeps_nothing(self, desk: Desk) -> None:
        with pytest.raises(SettingsRefused) as found:
            add(desk, "cold_room", "x", {"port": "70000", "poll_interval_s": "soon"}, {})
        assert {fault.field for fault in found.value.faults} == {"host", "port", "poll_interval_s", "token"}
        assert acts(desk) == []
        assert desk.vault.owners() == frozenset()

    @pytest.mark.parametrize("name", ["", "  ", "x" * 201, "a\u202eb", "a\x1b[2J"])
    def test_needs_a_usable_name(self, desk: Desk, name: str) -> None:
        with pytest.raises(NameRefused):
            add(desk, "cold_room", name, GOOD, TOKEN)

    def test_refuses_a_name_that_is_taken(self, desk: Desk) -> None:
        made = add_room(desk, "Cold Room")
        with pytest.raises(Duplicate, match="“Cold Room” exists already") as found:
            add_room(desk, "cold room ")
        assert found.value.integration_id == made
        assert desk.vault.owners() == frozenset({made})

    def test_refuses_the_same_peer_twice(self, desk: Desk) -> None:
        add_room(desk, "One", identity=PEER)
        with pytest.raises(Duplicate, match="the peer of the integration “One” already"):
            add_room(desk, "Two", identity=PEER)
        add_room(desk, "Three", identity=OTHER)

    @pytest.mark.parametrize(
        ("first", "second", "clash"),
        [
            ({"port": 5022}, {"port": 5022}, True),
            ({"host": "127.0.0.1"}, {"host": "0.0.0.0"}, True),
            ({"host": "::"}, {"host": "10.0.0.1"}, True),
            ({"host": "localhost"}, {"host": "127.0.0.1"}, True),
            ({"host": "127.0.0.1"}, {"host": "127.0.0.2"}, False),
            ({"port": 5022}, {"port": 5023}, False),
            ({"port": 0}, {"port": 0}, False),
        ],
    )
    def test_refuses_two_listeners_on_one_port(
        self, desk: Desk, first: dict[str, Any], second: dict[str, Any], clash: bool
    ) -> None:
        add(desk, "gt02_tracker", "North", first)
        if not clash:
            add(desk, "gt02_tracker", "South", second)
            return
        with pytest.raises(Duplicate, match=r"Port 5022 is the one of the integration “North”"):
            add(desk, "gt02_tracker", "South", second)

    def test_a_peer_that_only_has_a_port_field_is_no_listener(self, desk: Desk) -> None:
        add_room(desk, "One")
        add_room(desk, "Two")

    def test_a_vault_that_fails_leaves_neither_row_nor_secret(self, desk: Desk) -> None:
        failing = FailingVault(good=0)
        with pytest.raises(VaultError):
            add_room(Desk(desk.store, desk.catalogue, failing))
        assert failing.owners() == frozenset()
        with desk.store.read() as connection:
            assert list_integrations(connection) == []

    def test_a_row_that_does_not_commit_leaves_no_secret(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: Any, **__: Any) -> Future[Any]:
            assert len(desk.vault.owners() or ()) == 1, "the secret is there before the row"
            failed: Future[Any] = Future()
            failed.set_exception(StoreFull("The disk is full."))
            return failed

        monkeypatch.setattr(desk.store, "write", full)
        with pytest.raises(StoreError):
            add_room(desk)
        assert desk.vault.owners() == frozenset()


class TestChange:
    def test_changes_what_is_named_and_leaves_the_rest(self, desk: Desk) -> None:
        made = add_room(desk)
        row = change(desk, made, values={"port": "7071"})
        assert row.name == "Cold room"
        assert saved(desk, made).config["port"] == 7071
        assert desk.vault.get(made, "token") == TOKEN["token"]
        assert saved(desk, made).secrets_version == 0

    def test_an_empty_value_goes_back_to_its_default_and_an_empty_secret_stays(self, desk: Desk) -> None:
        made = add(desk, "cold_room", "x", {**GOOD, "poll_interval_s": 300}, TOKEN)
        change(desk, made, values={"poll_interval_s": ""}, secrets={"token": ""})
        assert saved(desk, made).config["poll_interval_s"] == 60
        assert desk.vault.get(made, "token") == TOKEN["token"]

    def test_signing_in_again_replaces_the_secret_and_tells_the_engine(self, desk: Desk) -> None:
        made = add_room(desk)
        change(desk, made, secrets={"token": "planted-token-2"})
        assert desk.vault.get(made, "token") == "planted-token-2"
        assert saved(desk, made).secrets_version == 1
        assert acts(desk)[-1].after["replaced_fields"] == ["token"]
        assert "planted-token" not in str(acts(desk))

    def test_before_and_after_are_recorded(self, desk: Desk) -> None:
        made = add_room(desk)
        change(desk, made, name="Store room", values={"host": "10.0.0.9"})
        act = acts(desk)[-1]
        assert act.what == "integration.change"
        assert (act.before["name"], act.after["name"]) == ("Cold room", "Store room")
        assert (act.before["config"]["host"], act.after["config"]["host"]) == ("127.0.0.1", "10.0.0.9")

    def test_wrong_values_change_nothing(self, desk: Desk) -> None:
        made = add_room(desk)
        with pytest.raises(SettingsRefused, match="Port must be at least 1"):
            change(desk, made, values={"port": 0}, secrets={"token": "planted-token-3"})
        assert desk.vault.get(made, "token") == TOKEN["token"]
        assert len(acts(desk)) == 1

    def test_a_change_that_does_not_commit_puts_the_old_secret_back(self, desk: Desk) -> None:
        made = add_room(desk)
        add_room(desk, "Taken")
        with pytest.raises(Duplicate):
            change(desk, made, name="Taken", secrets={"token": "planted-token-4"})
        assert desk.vault.get(made, "token") == TOKEN["token"]

    def test_another_peer_is_refused_until_it_is_confirmed(self, desk: Desk) -> None:
        made = add_room(desk, identity=PEER)
        with pytest.raises(OtherPeer, match=r"another peer than before \(Thermometer TH-2\)"):
            change(desk, made, values={"host": "10.0.0.9"}, identity=OTHER)
        change(desk, made, values={"host": "10.0.0.9"}, identity=OTHER, accept_other_peer=True)
        assert saved(desk, made).peer_unique_id == "cold_room:TH-2"

    def test_a_listener_may_change_its_port(self, desk: Desk) -> None:
        made = add(desk, "gt02_tracker", "Trackers", {}, identity=Identity("gt02_tracker:0.0.0.0:5022", "x"))
        change(desk, made, values={"port": 5023}, identity=Identity("gt02_tracker:0.0.0.0:5023", "x"))
        assert saved(desk, made).config["port"] == 5023

    def test_an_unknown_id_is_explained(self, desk: Desk) -> None:
        with pytest.raises(UnknownIntegration, match="no integration with the id nobody"):
            change(desk, "nobody", name="x")


class TestSwitch:
    def test_disabling_counts_at_once_and_enabling_too(self, desk: Desk) -> None:
        made = add_room(desk)
        row = disable(desk, made)
        assert (row.status, row.phase) == ("inactive", "disabled")
        row = enable(desk, made)
        assert (row.status, row.phase) == ("configured", "starting")
        assert [act.what for act in acts(desk)] == ["integration.add", "integration.disable", "integration.enable"]

    def test_doing_it_twice_is_one_act(self, desk: Desk) -> None:
        made = add_room(desk)
        disable(desk, made)
        disable(desk, made)
        assert len(acts(desk)) == 2


class TestRemove:
    def test_takes_it_off_the_list_and_forgets_its_secrets(self, desk: Desk) -> None:
        made = add_room(desk, identity=PEER)
        remove(desk, made)
        with desk.store.read() as connection:
            assert list_integrations(connection) == []
            kept = connection.execute(select(Integration.removed_at).where(Integration.id == made)).scalar_one()
        assert kept is not None
        assert desk.vault.get(made, "token") is None
        with pytest.raises(UnknownIntegration):
            enable(desk, made)

    def test_name_peer_and_port_are_free_again(self, desk: Desk) -> None:
        remove(desk, add_room(desk, identity=PEER))
        add_room(desk, identity=PEER)


class TestOrphans:
    def test_secrets_of_a_crash_are_forgotten_once_they_are_old(self, desk: Desk) -> None:
        made = add_room(desk)
        removed = add_room(desk, "Gone")
        remove(desk, removed)
        old = str(uuid.UUID(int=(int(time.time() * 1000) - 7_200_000) << 80 | 0x7 << 76 | 0b10 << 62))
        young = new_id()
        for owner in (old, young):
            desk.vault.set(owner, "token", "planted-orphan-1")
        seal = Seal(desk.vault, desk.store.url)
        with desk.store.read() as connection:
            seal.advance(connection)
        assert forget_orphans(desk.store, desk.vault) == 1
        assert desk.vault.owners() == frozenset({made, young, seal.owner})

    def test_those_of_an_integration_are_never_touched(self, desk: Desk) -> None:
        old = str(uuid.UUID(int=(int(time.time() * 1000) - 7_200_000) << 80 | 0x7 << 76 | 0b10 << 62))
        add_room(desk, integration_id=old)
        assert forget_orphans(desk.store, desk.vault) == 0
        assert desk.vault.get(old, "token") == TOKEN["token"]


def test_times_are_kept_and_moved(desk: Desk) -> None:
    before = utc_now()
    made = add_room(desk)
    change(desk, made, name="Other")
    with desk.store.read() as connection:
        row = connection.execute(select(Integration.created_at, Integration.updated_at)).one()
    assert before <= row.created_at < row.updated_at <= utc_now()


def test_a_row_changed_behind_our_back_is_not_overwritten(desk: Desk, tmp_path: Path) -> None:
    """What the change did not name comes from the row at the commit, not from what was read before."""
    made = add_room(desk)

    def rename(connection: Connection) -> None:
        connection.execute(update(Integration).where(Integration.id == made).values(name="Renamed elsewhere"))

    desk.store.write(rename).result()
    assert change(desk, made, values={"port": 7072}).name == "Renamed elsewhere"
