from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import websockets

from adapters.base import Adapter, CheckStep, Identity, Kit, Manifest, Settings, setting
from adapters.errors import NotReady, SettingsInvalid
from app.clock import SystemClock
from app.kit import is_loopback, make_kit
from app.security.pinning import CertificateChanged, show_fingerprint
from tests.helpers.certificates import Certificate, make_certificate


class PeerSettings(Settings):
    url: str = setting("Address", "url", default="")
    fingerprint: str = setting("Fingerprint", "fingerprint", default="")


class PeerAdapter(Adapter[PeerSettings]):
    manifest = Manifest(
        key="peer",
        name="Peer",
        description="A peer.",
        category="telemetry",
        icon="radar",
        capabilities=(),
        settings=PeerSettings,
        modes=frozenset({"pull"}),
    )

    async def check(self, step: Callable[[CheckStep], None]) -> Identity:
        return Identity("peer", "Peer")


@dataclass
class Peer:
    """A small HTTP server; notes what arrives and how many requests it holds at once."""

    port: int = 0
    heads: list[bytes] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    status: bytes = b"200 OK\r\nContent-Length: 2"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.heads.append(head)
                self.at_once += 1
                self.most_at_once = max(self.most_at_once, self.at_once)
                await self.gate.wait()
                self.at_once -= 1
                writer.write(b"HTTP/1.1 " + self.status + b"\r\n\r\nok")
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def a_peer(tls: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
    peer = Peer()
    peer.gate.set()
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0, ssl=tls)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        await asyncio.sleep(0)


@asynccontextmanager
async def a_kit(url: str, fingerprint: str = "", **manifest: int) -> AsyncIterator[Kit]:
    facts = {name: getattr(PeerAdapter.manifest, name) for name in Manifest.__dataclass_fields__} | manifest
    kit = make_kit("id-12345678", Manifest(**facts), PeerSettings(url=url, fingerprint=fingerprint), SystemClock())
    try:
        yield kit
    finally:
        await kit.http.aclose()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is waited for is another program's progress
            await asyncio.sleep(0.001)


async def test_no_more_requests_at_once_than_the_manifest_allows() -> None:
    async with a_peer() as peer, a_kit(f"http://127.0.0.1:{peer.port}", max_in_flight=2) as kit:
        peer.gate.clear()
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(kit.http.get(f"http://127.0.0.1:{peer.port}/{n}")) for n in range(6)]
            await until(lambda: peer.at_once == 2)
            peer.gate.set()
        assert [task.result().status_code for task in asked] == [200] * 6
        assert peer.most_at_once == 2


async def test_requests_beyond_the_budget_wait() -> None:
    async with a_peer() as peer, a_kit(f"http://127.0.0.1:{peer.port}", requests_per_minute=3, max_in_flight=9) as kit:
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(kit.http.get(f"http://127.0.0.1:{peer.port}/")) for _ in range(5)]
            await until(lambda: sum(task.done() for task in asked) == 3)
            for task in asked:
                task.cancel()
        assert len(peer.heads) == 3


async def test_requests_carry_our_name_and_no_origin() -> None:
    async with a_peer() as peer, a_kit(f"http://127.0.0.1:{peer.port}") as kit:
        await kit.http.get(f"http://127.0.0.1:{peer.port}/api")
        head = peer.heads[0].lower()
        assert b"user-agent: biko-console" in head
        assert b"origin:" not in head


async def test_a_redirect_is_not_followed() -> None:
    async with a_peer() as peer, a_kit(f"http://127.0.0.1:{peer.port}") as kit:
        peer.status = b"302 Found\r\nLocation: http://127.0.0.1:1/elsewhere\r\nContent-Length: 2"
        reply = await kit.http.get(f"http://127.0.0.1:{peer.port}/api", auth=("ada", "planted-redirect"))
        assert reply.status_code == 302


async def test_loopback_goes_past_a_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_peer() as proxy, a_peer() as peer:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        async with a_kit(f"http://127.0.0.1:{peer.port}") as kit:
            await kit.http.get(f"http://127.0.0.1:{peer.port}/")
        async with a_kit("http://gps.depot.example") as kit:
            await kit.http.get("http://gps.depot.example/")
        assert len(peer.heads) == 1
        assert b"GET http://gps.depot.example/" in proxy.heads[0]


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1080", "ftp://ada:planted@proxy", "http://ada:planted@x:y"])
def test_a_proxy_that_cannot_be_used_is_no_defect(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(NotReady, match="proxy settings cannot be used") as refused:
        make_kit("id", PeerAdapter.manifest, PeerSettings(url="https://gps.example.org"), SystemClock())
    assert "planted" not in refused.value.why


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8082", True),
        ("https://localhost/api", True),
        ("http://[::1]:80", True),
        ("http://demo.localhost", True),
        ("https://gps.example.org", False),
        ("http://127.0.0.1.example.org", False),
        ("http://[broken", False),
        ("", False),
    ],
)
def test_loopback_addresses_are_known(url: str, expected: bool) -> None:
    assert is_loopback(url) is expected


ROOT = make_certificate("Depot authority", authority=True, hosts=())
SERVER = make_certificate("gps", issuer=ROOT)
LONE = make_certificate("lone")


async def test_a_certificate_of_nobody_known_is_refused_without_a_pin(tmp_path: Path) -> None:
    async with a_peer(LONE.server_context(tmp_path)) as peer, a_kit("https://localhost") as kit:
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await kit.http.get(f"https://127.0.0.1:{peer.port}/")
        assert peer.heads == []


@pytest.mark.parametrize(("shown", "pinned"), [(LONE, LONE), (SERVER, SERVER), (SERVER, ROOT)])
async def test_a_pinned_leaf_or_authority_is_trusted(tmp_path: Path, shown: Certificate, pinned: Certificate) -> None:
    async with a_peer(shown.server_context(tmp_path)) as peer:
        for fingerprint in (pinned.fingerprint, show_fingerprint(bytes.fromhex(pinned.fingerprint))):
            async with a_kit(f"https://127.0.0.1:{peer.port}", fingerprint) as kit:
                assert (await kit.http.get(f"https://127.0.0.1:{peer.port}/")).status_code == 200


async def test_a_changed_certificate_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    async with a_peer(LONE.server_context(tmp_path)) as peer, a_kit("https://localhost", SERVER.fingerprint) as kit:
        with pytest.raises(httpx.ConnectError) as found:
            await kit.http.get(f"https://127.0.0.1:{peer.port}/", headers={"Authorization": "planted"})
        assert peer.heads == []
        causes, cause = [], found.value.__cause__
        while cause is not None:
            causes.append(cause)
            cause = cause.__cause__ or cause.__context__
        assert any(isinstance(cause, CertificateChanged) for cause in causes)
        assert show_fingerprint(bytes.fromhex(LONE.fingerprint)) in str(found.value)


@pytest.mark.parametrize("loop_kind", ["asyncio", "uvloop"])
def test_websockets_are_pinned_alike_on_either_loop(tmp_path: Path, loop_kind: str) -> None:
    factory = None if loop_kind == "asyncio" else pytest.importorskip("uvloop").new_event_loop

    async def talk() -> None:
        async def echo(connection: websockets.ServerConnection) -> None:
            assert connection.request is not None
            await connection.send(str("Origin" in connection.request.headers))

        tls = SERVER.server_context(tmp_path)
        async with websockets.serve(echo, "127.0.0.1", 0, ssl=tls) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            url = f"wss://127.0.0.1:{port}/"
            async with (
                a_kit("https://localhost", ROOT.fingerprint) as kit,
                websockets.connect(url, ssl=kit.tls, proxy=None) as connection,
            ):
                assert await connection.recv() == "False"
            async with a_kit("https://localhost", LONE.fingerprint) as kit:
                with pytest.raises(CertificateChanged):
                    await websockets.connect(url, ssl=kit.tls, proxy=None)

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(talk())


def test_blocking_sockets_are_pinned_too(tmp_path: Path) -> None:
    async def serve() -> None:
        async with a_peer(SERVER.server_context(tmp_path)) as peer, a_kit("", LONE.fingerprint) as kit:

            def connect() -> None:
                with (
                    socket.create_connection(("127.0.0.1", peer.port), 10) as plain,
                    kit.tls.wrap_socket(plain, server_hostname="127.0.0.1"),
                ):
                    pass

            with pytest.raises(CertificateChanged):
                await asyncio.to_thread(connect)

    asyncio.run(serve())


def test_an_unreadable_fingerprint_names_its_field() -> None:
    with pytest.raises(SettingsInvalid) as found:
        make_kit("id", PeerAdapter.manifest, PeerSettings(url="", fingerprint="12:34"), SystemClock())
    assert found.value.field == "fingerprint"
