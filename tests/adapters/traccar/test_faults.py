"""Every fault of the server or the line: its own sentence, its own error, and no loss afterwards."""

from __future__ import annotations

import pytest

from adapters.errors import AdapterError, AuthFailed, BadReply, NotReady
from adapters.traccar.simulator import running
from adapters.traccar.simulator_faults import FaultKind
from adapters.traccar.simulator_world import World
from tests.adapters.traccar.support import HOUR_MS, START_MS, Memory, adapter_for, pull

FAULTS: dict[FaultKind, tuple[type[AdapterError], str]] = {
    "html": (BadReply, "a web page instead of data"),
    "html_502": (BadReply, "a web page (502)"),
    "half_json": (BadReply, "breaks off or is not JSON"),
    "cut": (BadReply, "broke off its answer"),
    "stall": (NotReady, "stopped answering"),
    "stall_body": (NotReady, "stopped answering"),
    "empty": (BadReply, "empty answer"),
    "text": (BadReply, "is not JSON"),
    "301": (BadReply, "sends us to another address"),
    "400": (BadReply, "Account or device access denied"),
    "401": (AuthFailed, "refused the sign-in"),
    "403": (AuthFailed, "forbids this account"),
    "404": (BadReply, "does not know the page"),
    "429": (NotReady, "asked too often"),
    "500": (NotReady, "fault of its own (500)"),
    "502": (NotReady, "the server behind it does not"),
    "503": (NotReady, "not available at the moment"),
}
PATHS = ["/devices", "/positions"]


def world() -> World:
    made = World(vehicles=3, interval_s=60, start_ms=START_MS - HOUR_MS)
    made.advance(START_MS)
    return made


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kind", list(FAULTS))
async def test_fault_has_its_sentence_and_passes_without_loss(kind: FaultKind, path: str) -> None:
    error, words = FAULTS[kind]
    async with running(world()) as server, adapter_for(server, answer_within_s=1) as adapter:
        server.faults.kind, server.faults.path = kind, path
        memory = Memory()
        with pytest.raises(error) as failed:
            await pull(adapter, memory)
        why = failed.value.why
        assert words in why
        assert f"127.0.0.1:{server.port}" in why
        assert why.endswith(".")
        assert why.count(". ") >= 1, "what to do next is missing"
        assert server.token not in why
        server.faults.clear()
        await pull(adapter, memory)
        assert set(memory.positions) == server.world.fix_keys()


def test_the_sentences_differ() -> None:
    words = [text for kind, (_, text) in FAULTS.items() if kind != "stall_body"]
    assert len(set(words)) == len(words)


@pytest.mark.parametrize(("text", "seconds"), [("7", 7.0), ("Mon, 21 Sep 2026 14:15:20 GMT", 120.0), ("soon", None)])
@pytest.mark.parametrize("kind", ["429", "503"])
async def test_retry_after_is_taken_in_both_forms(kind: FaultKind, text: str, seconds: float | None) -> None:
    async with running(world()) as server, adapter_for(server) as adapter:
        server.faults.kind, server.faults.retry_after = kind, text
        with pytest.raises(NotReady) as busy:
            await pull(adapter, Memory())
        assert busy.value.retry_after_s == seconds


async def test_garbage_in_a_list_is_set_aside_record_by_record() -> None:
    async with running(world()) as server, adapter_for(server) as adapter:
        server.faults.kind, server.faults.path, server.faults.left = "array_of_garbage", "/devices", 1
        memory = Memory()
        await pull(adapter, memory)
        assert len(memory.rejected) == 6
        assert memory.infos == {}
        await pull(adapter, memory)
        assert set(memory.positions) == server.world.fix_keys()


async def test_refused_connection_says_that_nothing_listens() -> None:
    async with running(world()) as server, adapter_for(server) as adapter:
        await server.stop()
        with pytest.raises(NotReady, match="nothing listens there"):
            await pull(adapter, Memory())
