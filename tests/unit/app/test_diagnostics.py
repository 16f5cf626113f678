from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from app.clock import utc_now
from app.diagnostics import collect_diagnostics, preview, save_diagnostics
from app.integrations import Desk, UnknownIntegration, add
from app.security.redaction import BLANK
from app.store.tables import IntegrationLog, IntegrationState, RejectedRecord
from tests.helpers.desks import GOOD, make_desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = make_desk(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def room(desk: Desk) -> str:
    return add(desk, "cold_room", "Cold room", GOOD, {"token": "planted-diagnostics"})


def collect(desk: Desk, room: str, **more: Any) -> dict[str, Any]:
    with desk.store.read() as connection:
        return collect_diagnostics(connection, desk.catalogue, room, vault_description="In memory.", **more)


def fill(desk: Desk, room: str) -> None:
    sample = {"lat": 9.0765, "deviceImei": "358899058314017", "note": "planted-diagnostics"}

    def job(connection: Connection) -> None:
        state = {"integration_id": room, "phase": "retrying", "reason": "The line is down.", "since": utc_now()}
        connection.execute(insert(IntegrationState).values(**state, detail={"phone": "+2348035550199"}))
        for number in range(300):
            line = {"integration_id": room, "event_type": "sync", "payload": sample, "created_at": utc_now()}
            connection.execute(insert(IntegrationLog).values(**line, text=f"run {number}"))
        rejected = {"integration_id": room, "record_key": "7", "why": "No latitude.", "sample": "…", "at": utc_now()}
        connection.execute(insert(RejectedRecord).values(**rejected))

    desk.store.write(job).result()


def test_tells_what_helps_to_find_a_fault(desk: Desk, room: str) -> None:
    fill(desk, room)
    found = collect(desk, room, log_lines=["the last line"])
    assert found["integration"]["phase"] == "retrying"
    assert found["settings"]["port"] == 7070
    assert found["manifest"]["modes"] == ["pull"]
    assert found["rejected"][0]["why"] == "No latitude."
    assert [line["text"] for line in found["log"]] == [f"run {number}" for number in range(100, 300)]
    assert found["program_log"] == ["the last line"]
    assert any(line.startswith("Python ") for line in found["versions"])
    assert len(found["figures"]["days"]) == 30


def test_secrets_people_and_places_are_blanked(desk: Desk, room: str) -> None:
    fill(desk, room)
    text = preview(collect(desk, room))
    for private in ("planted-diagnostics", "358899058314017", "9.0765", "+2348035550199"):
        assert private not in text


def test_the_name_of_the_account_is_left_out_of_paths(
    desk: Desk, room: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "amina.bello"
    monkeypatch.setattr(Path, "home", lambda: home)
    lines = [
        f"the store is {home / 'data' / 'store.db'}",
        f"{home}",
        f"{home}-2/x",
        f"sqlite:///{home.as_posix()}/s.db",
    ]
    with desk.store.read() as connection:
        found = collect_diagnostics(
            connection, desk.catalogue, room, vault_description=f"In {home / 'vault.enc'}.", log_lines=lines
        )
    assert found["program_log"] == [
        f"the store is {Path('~', 'data', 'store.db')}",
        "~",
        f"{home}-2/x",  # another account's
        "sqlite:///~/s.db",
    ]
    assert found["secrets"] == f"In {Path('~', 'vault.enc')}."


def test_an_operator_may_keep_places_but_never_secrets(desk: Desk, room: str) -> None:
    fill(desk, room)
    found = collect(desk, room, personal=True)
    assert found["log"][0]["payload"] == {"lat": 9.0765, "deviceImei": "358899058314017", "note": BLANK}


def test_what_was_previewed_is_what_is_written(desk: Desk, room: str, tmp_path: Path) -> None:
    text = preview(collect(desk, room))
    save_diagnostics(text, tmp_path / "diagnostics.json")
    assert (tmp_path / "diagnostics.json").read_text(encoding="utf-8") == text
    assert json.loads(text)["secrets"] == "In memory."


def test_an_integration_whose_package_is_gone_can_still_be_diagnosed(desk: Desk, room: str) -> None:
    without = Desk(desk.store, type(desk.catalogue)((), {}), desk.vault)
    assert "no integration named “cold_room”" in collect(without, room)["manifest"]["problem"]


def test_an_unknown_id_is_explained(desk: Desk) -> None:
    with pytest.raises(UnknownIntegration):
        collect(desk, "nobody")
