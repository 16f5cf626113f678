from __future__ import annotations

import json
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection

from app.engine.journal import write_log
from app.paths import Paths
from app.store.store import Store
from tests.helpers.command_line import CommandLine, assert_refused
from tests.helpers.depot import free_port

ROW = {"id", "type", "name", "status", "phase", "reason", "since", "next_try", "last_sync", "last_data"}
TOKEN = "a-token-that-must-stay-hidden"


@pytest.fixture
def trackers(cli: CommandLine) -> str:
    """A GT02 listener on a free port; its id."""
    where = ["--set", "host=127.0.0.1", "--set", f"port={free_port()}"]
    identifier: str = cli("integrations", "add", "gt02_tracker", "--name", "Yard", *where, "--json").json["id"]
    return identifier


def rows(cli: CommandLine) -> list[dict[str, object]]:
    found: list[dict[str, object]] = cli("integrations", "list", "--json").json
    return found


def test_the_catalogue_tells_what_can_be_added_with_its_settings(bare: CommandLine) -> None:
    cards = {card["key"]: card for card in bare("integrations", "catalogue", "--json").json}
    assert list(cards)[:7] == ["msupply", "nhlmis", "openlmis", "traccar", "gt02_tracker", "fuel_monitoring", "mod4"]
    wanted = {"key", "name", "category", "description", "capabilities", "icon", "is_new", "coming_soon", "settings"}
    assert all(wanted <= set(card) for card in cards.values())
    assert cards["gt02_tracker"]["settings"]["properties"]["port"]["default"] == 5022
    assert {"url", "auth", "token", "username", "password"} <= set(cards["traccar"]["settings"]["properties"])


def test_an_integration_is_added_changed_switched_and_removed(cli: CommandLine, trackers: str) -> None:
    (row,) = rows(cli)
    assert set(row) >= ROW
    assert (row["id"], row["status"]) == (trackers, "configured")
    assert (
        cli("integrations", "set", trackers, "--name", "Gate", "--set", "idle_minutes=25", "--json").json["name"]
        == "Gate"
    )
    disabled = cli("integrations", "disable", trackers, "--json").json
    assert (disabled["status"], disabled["phase"]) == ("inactive", "disabled")
    assert str(disabled["since"]).endswith("Z")
    assert cli("integrations", "enable", trackers, "--json").json["status"] == "configured"
    assert cli("integrations", "remove", trackers, "--json").json == {"id": trackers, "removed": True}
    assert rows(cli) == []


def test_a_check_walks_the_layers(cli: CommandLine, trackers: str) -> None:
    report = cli("integrations", "check", trackers, "--json").json
    assert report["ok"] is True
    assert all(set(layer) == {"layer", "ok", "detail"} for layer in report["layers"])
    assert {"identity", "version"} <= set(report)


def test_what_a_check_refuses_is_not_saved(cli: CommandLine) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    words = [
        "integrations",
        "add",
        "traccar",
        "--name",
        "Fleet",
        "--set",
        f"url={url}",
        "--secret",
        "token=env:THE_TOKEN",
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THE_TOKEN", TOKEN)
        outcome = cli("--vault-key-file", cli.data_dir / "key", *words)
        assert_refused(outcome, "Nothing was saved", "--no-check")
        assert TOKEN not in outcome.err
        assert rows(cli) == []
        added = cli("--vault-key-file", cli.data_dir / "key", *words, "--no-check", "--json").json["id"]
    failed = cli("--vault-key-file", cli.data_dir / "key", "integrations", "check", added, "--json")
    assert failed.status == 1
    assert json.loads(failed.out)["ok"] is False
    assert TOKEN not in failed.out + failed.err
    _assert_nowhere(TOKEN, Paths(cli.data_dir).data_dir)


def _assert_nowhere(secret: str, folder: Path) -> None:
    for path in folder.rglob("*"):
        assert path.is_dir() or secret.encode() not in path.read_bytes(), path


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--set", "port=70000"], "Port"),
        (["--set", "port=many"], "Port"),
        (["--set", "idle_minutes=1"], "silent"),
    ],
)
def test_a_wrong_setting_is_named_and_nothing_is_saved(cli: CommandLine, words: list[str], named: str) -> None:
    assert_refused(cli("integrations", "add", "gt02_tracker", "--name", "Yard", *words), named)
    assert rows(cli) == []


def test_what_is_unknown_is_refused(cli: CommandLine) -> None:
    assert_refused(cli("integrations", "add", "nosuch", "--name", "x"), "nosuch", "gt02_tracker")


@pytest.mark.parametrize("act", [["set"], ["enable"], ["disable"], ["remove"], ["check"], ["sync"], ["logs"]])
def test_an_unknown_id_is_refused(cli: CommandLine, act: list[str]) -> None:
    assert_refused(cli("integrations", *act, "no-such-id"), "no-such-id")


def test_a_listener_is_not_synchronised(cli: CommandLine, trackers: str) -> None:
    assert_refused(cli("integrations", "sync", trackers), "listens")


def test_without_an_engine_a_run_is_refused_with_how_to_start_one(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THE_TOKEN", TOKEN)
    words = ["--name", "Fleet", "--set", f"url=http://127.0.0.1:{free_port()}", "--secret", "token=env:THE_TOKEN"]
    words += ["--no-check", "--json"]
    added = cli("--vault-key-file", cli.data_dir / "key", "integrations", "add", "traccar", *words).json["id"]
    assert_refused(cli("integrations", "sync", added), "No engine", "gateway")


def test_the_log_is_lines_newest_first(cli: CommandLine, trackers: str) -> None:
    with closing(Store.open(Paths(cli.data_dir).store_url)) as store:
        for number in range(3):
            store.write(partial(_log_line, integration_id=trackers, number=number)).result()
    lines = cli("integrations", "logs", trackers, "--json").json_lines
    assert [set(line) for line in lines] == [{"id", "integration_id", "event_type", "payload", "created_at"}] * len(
        lines
    )
    assert [line["payload"].get("number") for line in lines][:3] == [2, 1, 0]
    assert all(line["created_at"].endswith("Z") for line in lines)
    assert len(cli("integrations", "logs", "--text", "line 1", "--json").json_lines) == 1
    assert cli("integrations", "logs", "--since", "2999-01-01", "--json").out == ""
    assert cli("integrations", "logs", "--since", "yesterday").status == 2


def _log_line(connection: Connection, integration_id: str, number: int) -> None:
    write_log(connection, integration_id, "test", f"line {number}", payload={"number": number}, now_ms=number)
