"""One suite over every adapter of the catalogue: what the contract promises, proved against real sockets.

A new adapter is taken up by itself. Where it has a peer of its own to reach, its simulator stands in for that peer.
"""

from __future__ import annotations

import asyncio
import inspect
import socket
import typing
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, get_args
from urllib.parse import urlsplit, urlunsplit

import psutil  # type: ignore[import-untyped]
import pytest
from pydantic import SecretStr

from adapters.base import Adapter, CheckStep, Identity, Inlet, Layer, Manifest, SettingKind, settings_form
from adapters.dispatch import DispatchRecord
from adapters.errors import AdapterError, AuthFailed, BadReply, NotReady
from adapters.records import Batch, Record
from adapters.supply import SupplyRecord
from app.catalogue import BUILT_IN, CATEGORY_LABELS, Catalogue, load_object
from app.clock import SystemClock
from app.integrations.settings import public_part, secret_part, validate
from app.kit import make_kit
from resources import resource_path

CATALOGUE = Catalogue.load(third_party=list)
KEYS = sorted(BUILT_IN)
WAYS: Mapping[str, Mapping[str, str]] = {"mod4/web": {"way": "web"}}
"""Adapters that reach their peer by another way as well, with the settings that choose it."""
CANCELLED_WITHIN_S = 5.0  # the rule is a second; the rest is room for a busy machine
LONGEST_S = 60.0
WRONG = "planted-contract-wrong-secret"


def manifest(key: str) -> Manifest:
    return CATALOGUE.manifest(name_of(key))


def name_of(key: str) -> str:
    """The adapter's key, whichever its way."""
    return key.partition("/")[0]


def fields_of(key: str) -> dict[str, str]:
    """Kind of each setting by name."""
    return {spec.name: spec.kind for spec in settings_form(manifest(key).settings)}


LISTENERS = [key for key in KEYS if fields_of(key).get("port") == "port" and "listen" in manifest(key).modes]
CALLERS = [key for key in (*KEYS, *WAYS) if key not in LISTENERS]
WITH_SECRETS = [key for key in CALLERS if "secret" in fields_of(key).values()]


@asynccontextmanager
async def peer(key: str) -> AsyncIterator[dict[str, Any]]:
    """The adapter's own simulator; gives the settings that reach it, secrets among them."""
    found: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
    options = {"vehicles": 2, "history_h": 0.2, "interval_s": 30, **WAYS.get(key, {})}

    async def run(awaitable: Awaitable[None]) -> None:
        await awaitable

    task = asyncio.create_task(run(CATALOGUE.simulator(name_of(key))(options, found.set_result)))
    task.add_done_callback(lambda _: found.cancel())
    try:
        await asyncio.wait([found])
        if found.cancelled():
            task.result()
        yield {name: value for name, value in found.result().items() if name in fields_of(key)}
    finally:
        task.cancel()
        await asyncio.wait([task])


@asynccontextmanager
async def adapter(key: str, entered: Mapping[str, Any]) -> AsyncIterator[Adapter[Any]]:
    """An adapter as the host makes one for a start, and what the host does at its end."""
    kinds = fields_of(key)
    secrets = {name: str(value) for name, value in entered.items() if kinds.get(name) == "secret"}
    values = {name: value for name, value in entered.items() if kinds.get(name) != "secret"}
    settings = validate(CATALOGUE, name_of(key), values, secrets)
    kit = make_kit("contract-1", manifest(key), settings, SystemClock())
    try:
        yield CATALOGUE.create(name_of(key), settings, kit)
    finally:
        await kit.http.aclose()


async def check(key: str, entered: Mapping[str, Any]) -> tuple[Identity, list[CheckStep]]:
    steps: list[CheckStep] = []
    async with adapter(key, entered) as made, asyncio.timeout(LONGEST_S):
        return await made.check(steps.append), steps


def moved_to(key: str, entered: Mapping[str, Any], port: int) -> dict[str, Any]:
    """The same settings, at another port of this machine."""
    if "url" in fields_of(key):
        parts = urlsplit(str(entered["url"]))
        entered = {**entered, "url": urlunsplit(parts._replace(netloc=f"127.0.0.1:{port}"))}
        if "host" not in fields_of(key):
            return entered
    if fields_of(key).get("port") == "serial_port":
        return {**entered, "port": f"socket://127.0.0.1:{port}"}
    return {**entered, "host": "127.0.0.1", "port": port}


def enough(key: str) -> dict[str, Any]:
    """Settings that are right in form, without a peer behind them."""
    found: dict[str, Any] = {}
    for spec in settings_form(manifest(key).settings):
        if spec.kind == "secret":
            found[spec.name] = WRONG
        elif spec.name == "url":
            found[spec.name] = "http://127.0.0.1:1"
        elif spec.kind == "host":
            found[spec.name] = "127.0.0.1"
        elif spec.required or (spec.kind == "text" and spec.default == "" and spec.example):
            found[spec.name] = spec.example or spec.minimum or "x"
    return {**found, **WAYS.get(key, {})}


@contextmanager
def closed_port() -> Iterator[int]:
    """A port that refuses: bound, so that nobody else takes it, but not listened on."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@asynccontextmanager
async def answering(answer: bytes | None) -> AsyncIterator[int]:
    """A port that answers everything with the same bytes and hangs up, or with None never answers."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        if answer is None:
            return
        try:
            await reader.read(100)
            writer.write(answer)
            await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.close()
        await asyncio.sleep(0)


@dataclass
class TestInlet:
    """The host's side of a listening adapter: everything is stored at once."""

    __test__ = False
    batches: list[Batch] = field(default_factory=list)
    works: asyncio.Event = field(default_factory=asyncio.Event)

    def deliver(self, batch: Batch) -> asyncio.Future[None]:
        self.batches.append(batch)
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        stored.set_result(None)
        return stored

    @property
    def is_full(self) -> bool:
        return False

    async def wait_for_room(self) -> None:
        return

    def connected(self, detail: str) -> None:
        assert detail.endswith("."), "what connected() shows is a sentence"
        self.works.set()

    def request_fetch(self, why: str) -> None:
        assert why

    def count(self, counter: str, amount: int = 1) -> None:
        assert counter.isidentifier()
        assert amount > 0


@asynccontextmanager
async def nothing_left_open() -> AsyncIterator[None]:
    """No task and no socket that was not there before."""
    tasks, sockets = asyncio.all_tasks(), _sockets()
    yield
    async with asyncio.timeout(LONGEST_S):
        while asyncio.all_tasks() - tasks or len(_sockets()) > len(sockets):  # noqa: ASYNC110 - nothing tells us
            await asyncio.sleep(0.01)


def _sockets() -> list[Any]:
    own = [found for found in psutil.Process().net_connections("inet") if found.status != "NONE" or found.laddr]
    return [found for found in own if found.status not in {"TIME_WAIT", "CLOSE"}]


async def cancelled(work: Awaitable[Any]) -> None:
    """Cancel what hangs, and see that it ends and lets the cancellation through."""

    async def run() -> None:
        await work

    task = asyncio.create_task(run())
    for _ in range(20):  # well into its waiting
        await asyncio.sleep(0.005)
    assert not task.done(), f"it should wait: {task}"
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=CANCELLED_WITHIN_S)
    assert done, "it goes on after it was cancelled"
    assert task.cancelled(), "it swallowed its cancellation"


def is_sentence(text: str) -> bool:
    """Begins as one and ends as one; a name or number that begins it is written as it is."""
    return len(text) > 10 and not text[0].isspace() and text[-1] in ".!?" and "\n" not in text


# What is declared ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", KEYS)
def test_the_manifest_is_complete(key: str) -> None:
    found = manifest(key)
    assert found.key == key
    assert found.name.strip() == found.name != ""
    assert is_sentence(found.description)
    assert found.category in CATEGORY_LABELS
    assert resource_path(f"icons/{found.icon}.svg").is_file()
    assert found.capabilities
    assert found.modes
    assert found.modes <= {"pull", "listen", "send"}
    assert min(found.max_in_flight, found.requests_per_minute) >= 1
    assert found.stale_after_s >= 0
    names = [stream.name for stream in found.streams]
    assert len(set(names)) == len(names)
    for part in (found.decoders, found.simulator, found.explainer, found.bench, found.reporter, found.actions):
        assert part is None or load_object(part) is not None


@pytest.mark.parametrize("key", KEYS)
def test_what_the_modes_promise_is_there(key: str) -> None:
    kind = CATALOGUE._adapters[key]
    assert ("pull" in manifest(key).modes) == (kind.fetch is not Adapter.fetch)
    assert ("listen" in manifest(key).modes) == (kind.listen is not Adapter.listen)
    assert not inspect.isabstract(kind)


@pytest.mark.parametrize("key", KEYS)
def test_the_settings_can_be_shown_as_a_form(key: str) -> None:
    model = manifest(key).settings
    specs = {spec.name: spec for spec in settings_form(model)}
    assert specs
    hints = typing.get_type_hints(model)
    for spec in specs.values():
        assert spec.kind in get_args(SettingKind)
        assert spec.label[:1].isupper()
        assert spec.tab in {"connection", "sync"}
        assert not spec.help or is_sentence(spec.help)
        assert not spec.required or spec.example or spec.help, f"{spec.name} must be entered: show how"
        assert (spec.kind == "choice") == bool(spec.choices)
        assert spec.kind != "number" or None not in (spec.minimum, spec.maximum), f"{spec.name} needs limits"
        holds_secret = hints[spec.name] is SecretStr or SecretStr in get_args(hints[spec.name])
        assert spec.is_secret == holds_secret, f"{spec.name}: secrets, and only they, are SecretStr"
        assert not spec.is_secret or spec.default is None
        for other, values in spec.shown_when.items():
            assert other in specs
            assert not specs[other].choices or set(values) <= specs[other].choices.keys()


@pytest.mark.parametrize("key", KEYS)
def test_settings_survive_the_store(key: str) -> None:
    entered = enough(key)
    secrets = {name: entered.pop(name) for name, kind in fields_of(key).items() if kind == "secret"}
    first = validate(CATALOGUE, key, entered, secrets)
    assert validate(CATALOGUE, key, public_part(first), secret_part(first)) == first
    assert WRONG not in str(public_part(first)) + repr(first)


# Peers that are called -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", CALLERS)
async def test_a_check_walks_the_layers_in_order_and_says_who_answered(key: str) -> None:
    async with nothing_left_open(), peer(key) as entered:
        identity, steps = await check(key, entered)
        again, _ = await check(key, entered)
    order = list(Layer)
    assert [step.layer for step in steps] == sorted((step.layer for step in steps), key=order.index)
    assert all(step.ok and is_sentence(step.detail) for step in steps)
    assert steps
    assert identity.unique_id == again.unique_id != ""
    assert identity.title


@pytest.mark.parametrize("key", CALLERS)
async def test_an_unreachable_peer_is_not_ready(key: str) -> None:
    async with nothing_left_open():
        with closed_port() as port, pytest.raises(NotReady) as found:
            await check(key, moved_to(key, enough(key), port))
    assert is_sentence(found.value.why)


@pytest.mark.parametrize("key", WITH_SECRETS)
async def test_a_wrong_secret_asks_to_sign_in(key: str) -> None:
    async with nothing_left_open(), peer(key) as entered:
        secrets = [name for name, kind in fields_of(key).items() if kind == "secret" and name in entered]
        with pytest.raises(AuthFailed) as found:
            await check(key, {**entered, **dict.fromkeys(secrets, WRONG)})
    assert is_sentence(found.value.why)
    assert WRONG not in str(found.value)


GARBAGE = {
    "random bytes": b"\x00\xff\x13\x37garbage\x00" * 20,
    "a web page": b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 21\r\n\r\n<html>Hotspot</html>\n",
    "half of JSON": b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"id": 1,',
    "JSON of another shape": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n[[7]]",
}


READ_BY_THOSE_WHO_PULL = ("half of JSON", "JSON of another shape")
"""Who only posts takes a success for one, whatever else is said."""


@pytest.mark.parametrize(
    ("garbage", "key"),
    [
        (garbage, key)
        for garbage in GARBAGE
        for key in CALLERS
        if "pull" in manifest(key).modes or garbage not in READ_BY_THOSE_WHO_PULL
    ],
)
async def test_garbage_is_a_bad_reply(key: str, garbage: str) -> None:
    async with nothing_left_open(), answering(GARBAGE[garbage]) as port:
        with pytest.raises(BadReply) as found:
            await check(key, moved_to(key, enough(key), port))
    assert is_sentence(found.value.why)


@pytest.mark.parametrize("key", CALLERS)
async def test_a_cancelled_check_ends_at_once_and_leaves_nothing_open(key: str) -> None:
    async with nothing_left_open(), answering(None) as port:
        await cancelled(check(key, moved_to(key, enough(key), port)))


@pytest.mark.parametrize("key", [key for key in CALLERS if "pull" in manifest(key).modes])
async def test_what_is_fetched_are_records_with_cursors_of_declared_streams(key: str) -> None:
    streams = {stream.name for stream in manifest(key).streams}
    records: list[Record] = []
    cursors: dict[str, str] = {}
    async with nothing_left_open(), peer(key) as entered, adapter(key, entered) as made, asyncio.timeout(LONGEST_S):
        async for batch in made.fetch({}):
            records += batch.records
            cursors |= batch.cursors
    assert records
    assert cursors
    assert {name.split(":")[0] for name in cursors} <= streams
    known = (*get_args(Record), *get_args(SupplyRecord), *get_args(DispatchRecord))
    assert all(isinstance(record, known) for record in records)
    assert all(isinstance(value, str) for value in cursors.values())


@pytest.mark.parametrize("key", [key for key in CALLERS if "pull" in manifest(key).modes])
async def test_a_fetch_that_is_left_in_the_middle_leaves_nothing_open(key: str) -> None:
    async with nothing_left_open(), peer(key) as entered, adapter(key, entered) as made, asyncio.timeout(LONGEST_S):
        batches = made.fetch({})
        await anext(batches)
        await typing.cast("Any", batches).aclose()


@pytest.mark.parametrize("key", [key for key in CALLERS if "pull" in manifest(key).modes])
async def test_a_cancelled_fetch_ends_at_once(key: str) -> None:
    async def fetch(made: Adapter[Any]) -> None:
        async for _ in made.fetch({}):
            pass

    async with nothing_left_open(), answering(None) as port, adapter(key, moved_to(key, enough(key), port)) as made:
        await cancelled(fetch(made))


@pytest.mark.parametrize("key", [key for key in CALLERS if "listen" in manifest(key).modes])
async def test_a_live_connection_says_that_it_works_and_ends_when_cancelled(key: str) -> None:
    inlet = TestInlet()
    async with nothing_left_open(), peer(key) as entered, adapter(key, entered) as made:
        await _works(made, inlet)


@pytest.mark.parametrize("key", [key for key in CALLERS if "listen" in manifest(key).modes])
async def test_a_live_connection_to_nobody_raises_what_the_host_knows(key: str) -> None:
    async with nothing_left_open():
        with closed_port() as port:
            async with adapter(key, moved_to(key, enough(key), port)) as made, asyncio.timeout(LONGEST_S):
                with pytest.raises(AdapterError):
                    await made.listen(TestInlet())


# Adapters that are called -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", LISTENERS)
async def test_a_free_port_passes_the_check_and_a_taken_one_does_not(key: str) -> None:
    async with nothing_left_open():
        with closed_port() as port:
            pass
        identity, steps = await check(key, moved_to(key, enough(key), port))
        assert identity.unique_id
        assert all(step.ok for step in steps)
        async with answering(None) as taken:
            with pytest.raises(NotReady) as found:
                await check(key, moved_to(key, enough(key), taken))
        assert str(taken) in found.value.why


@pytest.mark.parametrize("key", LISTENERS)
async def test_garbage_on_a_listening_port_ends_nothing(key: str) -> None:
    inlet = TestInlet()
    with closed_port() as port:
        pass
    async with nothing_left_open(), adapter(key, moved_to(key, enough(key), port)) as made:
        await _works(made, inlet, lambda: _send_garbage(port))
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", port))


async def _send_garbage(port: int) -> None:
    for garbage in GARBAGE.values():
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(garbage)
            writer.write_eof()
            async with asyncio.timeout(LONGEST_S):
                await reader.read()
        except OSError:
            pass
        finally:
            writer.close()


async def _works(made: Adapter[Any], inlet: TestInlet, meanwhile: Callable[[], Awaitable[None]] | None = None) -> None:
    """Listen until it works, do something meanwhile, see that it still runs, then cancel it."""
    typed: Inlet = inlet
    listening = asyncio.create_task(made.listen(typed))
    working = asyncio.create_task(inlet.works.wait())
    await asyncio.wait([listening, working], return_when=asyncio.FIRST_COMPLETED, timeout=LONGEST_S)
    assert working.done(), f"it never said that it works: {listening}"
    if meanwhile is not None:
        await meanwhile()
    assert not listening.done()
    listening.cancel()
    done, _ = await asyncio.wait([listening], timeout=CANCELLED_WITHIN_S)
    assert done, "it goes on after it was cancelled"
    assert listening.cancelled(), "it swallowed its cancellation"
