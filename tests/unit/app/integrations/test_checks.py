from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from adapters.base import Identity, Layer
from adapters.errors import AuthFailed, NotReady, SettingsInvalid, Unsupported
from app.clock import SystemClock, utc_now
from app.engine.facts import ENGINE_FACT
from app.integrations import Desk, add, check_saved, check_settings
from app.security.redaction import redact_text
from app.store.facts import set_fact
from app.store.tables import IntegrationState
from tests.helpers.desks import cold_room, make_catalogue

CATALOGUE = make_catalogue()
CLOCK = SystemClock()


@contextmanager
def silent_port() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


async def test_a_good_check_names_layers_identity_and_version() -> None:
    async with cold_room() as room:
        values = {"host": room["host"], "port": str(room["port"])}
        report = await check_settings(CATALOGUE, "cold_room", values, {"token": room["token"]}, CLOCK)
    assert report.ok
    assert [(step.layer, step.ok) for step in report.layers] == [(Layer.ROUTE, True), (Layer.SIGN_IN, True)]
    assert json.loads(json.dumps(report.as_json())) | {"layers": []} == {
        "ok": True,
        "layers": [],
        "identity": "cold_room:TH-0042",
        "version": "3.1",
        "error": None,
    }


async def test_a_wrong_secret_fails_at_the_sign_in() -> None:
    async with cold_room() as room:
        values = {"host": room["host"], "port": room["port"]}
        report = await check_settings(CATALOGUE, "cold_room", values, {"token": "planted-check-1"}, CLOCK)
    assert isinstance(report.error, AuthFailed)
    assert (report.layers[-1].layer, report.layers[-1].ok) == (Layer.SIGN_IN, False)
    assert report.layers[-1].detail == report.why
    assert "planted-check-1" not in redact_text("the log says planted-check-1")


async def test_an_absent_peer_fails_at_the_first_layer_not_proved() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        values = {"host": "127.0.0.1", "port": bound.getsockname()[1]}
        report = await check_settings(CATALOGUE, "cold_room", values, {"token": "x"}, CLOCK)
    assert isinstance(report.error, NotReady)
    assert not report.ok


async def test_a_peer_that_never_answers_is_given_up() -> None:
    with silent_port() as port:
        values = {"host": "127.0.0.1", "port": port}
        report = await check_settings(CATALOGUE, "cold_room", values, {"token": "x"}, CLOCK, time_limit_s=0.2)
    assert isinstance(report.error, NotReady)
    assert "did not end within 0 s" in report.why
    assert [step.ok for step in report.layers] == [True, False]


async def test_wrong_settings_are_in_the_report_with_their_fields() -> None:
    report = await check_settings(CATALOGUE, "cold_room", {"port": "x", "colour": "red"}, {}, CLOCK)
    assert {fault.field for fault in report.faults} == {"host", "port", "token", "colour"}
    assert not report.ok
    assert report.layers == ()


async def test_an_unreadable_fingerprint_is_the_fault_of_the_tls_layer() -> None:
    values = {"url": "https://127.0.0.1:1", "fingerprint": "12:34"}
    report = await check_settings(CATALOGUE, "traccar", values, {"token": "x"}, CLOCK)
    assert isinstance(report.error, SettingsInvalid)
    assert report.layers[-1].layer is Layer.TLS


async def test_what_is_not_installed_is_in_the_report() -> None:
    report = await check_settings(CATALOGUE, "nonsense", {}, {}, CLOCK)
    assert isinstance(report.error, Unsupported)


async def test_a_cancelled_check_ends_and_leaves_nothing_open() -> None:
    with silent_port() as port:
        values = {"host": "127.0.0.1", "port": port}
        before = asyncio.all_tasks()
        checking = asyncio.ensure_future(check_settings(CATALOGUE, "cold_room", values, {"token": "x"}, CLOCK))
        await asyncio.sleep(0)
        checking.cancel()
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(10):
                await checking
        assert asyncio.all_tasks() == before


async def test_a_saved_integration_is_checked_with_its_own_secret_and_a_forms_changes(desk: Desk) -> None:
    async with cold_room() as room:
        values = {"host": room["host"], "port": room["port"]}
        made = await asyncio.to_thread(add, desk, "cold_room", "Room", values, {"token": room["token"]})
        assert (await check_saved(desk, made, CLOCK)).ok
        assert (await check_saved(desk, made, CLOCK, secrets={"token": ""})).ok
        assert isinstance((await check_saved(desk, made, CLOCK, secrets={"token": "not-the-token"})).error, AuthFailed)
        assert (await check_saved(desk, made, CLOCK, values={"port": "x"})).faults[0].field == "port"


async def test_a_port_that_our_own_engine_holds_is_proof_enough(desk: Desk) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        values = {"host": "127.0.0.1", "port": port}
        identity = Identity(f"gt02_tracker:127.0.0.1:{port}", "x")
        made = await asyncio.to_thread(add, desk, "gt02_tracker", "Trackers", values, identity=identity)
        assert isinstance((await check_saved(desk, made, CLOCK)).error, NotReady)
        await asyncio.to_thread(_pretend_engine, desk, made)
        report = await check_saved(desk, made, CLOCK)
        assert report.ok
        assert report.layers[0].detail == "The engine listens there now. Listening on 127.0.0.1."
        assert isinstance((await check_saved(desk, made, CLOCK, values={"udp": True})).error, NotReady)


def _pretend_engine(desk: Desk, integration_id: str) -> None:
    state: dict[str, Any] = {
        "integration_id": integration_id,
        "phase": "healthy",
        "since": utc_now(),
        "detail": {"connected": "Listening on 127.0.0.1."},
    }

    def job(connection: Connection) -> None:
        connection.execute(insert(IntegrationState).values(**state))
        set_fact(connection, ENGINE_FACT, {"state": "running", "beat_at_ms": CLOCK.now_ms()})

    desk.store.write(job).result()


async def test_a_defect_of_an_adapter_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_self: object, _step: object) -> Identity:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(CATALOGUE._adapters["cold_room"], "check", broken)
    with pytest.raises(ZeroDivisionError):
        await check_settings(CATALOGUE, "cold_room", {"host": "h", "port": 1}, {"token": "x"}, CLOCK)
