"""Files by address: which addresses may be fetched at all, over which lines, and what servers may say."""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import files
from adapters.errors import AdapterError, BadReply, NotReady, RecordRejected, SettingsInvalid
from adapters.file_access import FileAccess, place_of, places_from
from adapters.files import FileLines, fetch_file
from adapters.mod4.settings import Mod4Settings
from adapters.mod4.simulator.photos import HOST, PATH, Photos
from adapters.serving import LoopServer, bound_socket
from tests.helpers.certificates import make_certificate
from tests.helpers.photo_site import storage

NOW_MS = 1_750_000_000_000


@dataclass
class Memory:
    """A sink in memory."""

    data: bytearray = field(default_factory=bytearray)
    validator: str = ""
    total: int | None = None
    begun: int = 0

    @property
    def size(self) -> int:
        return len(self.data)

    async def begin(self, total: int | None, validator: str) -> None:
        self.data.clear()
        self.total, self.validator, self.begun = total, validator, self.begun + 1

    async def write(self, data: bytes) -> None:
        self.data += data


def access(*places: str, most_bytes: int = 40_000_000) -> FileAccess:
    return FileAccess(True, frozenset(places), most_bytes)


async def fetch(url: str, allowed: FileAccess, sink: Memory, verify: Any = True) -> str:
    async with httpx.AsyncClient(trust_env=False, verify=verify) as direct, httpx.AsyncClient() as proxied:
        return await fetch_file(FileLines(direct, proxied), url, allowed, sink, NOW_MS)


def test_places_are_hosts_with_their_ports() -> None:
    assert places_from(" Photos.Example.org, files.example.org:8443;") == {
        "photos.example.org:443", "files.example.org:8443",
    }  # fmt: skip
    assert places_from("") == frozenset()
    for wrong in ("https://photos.example.org", "photos.example.org/x", "a@b", "a b", "host:port"):
        with pytest.raises(SettingsInvalid) as told:
            places_from(wrong)
        assert told.value.field == "photo_hosts"


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://Photos.Example.org/a.jpg?token=1", "photos.example.org:443"),
        ("https://photos.example.org:8443/a.jpg", "photos.example.org:8443"),
        ("http://127.0.0.1:9000/a.jpg", "127.0.0.1:9000"),
        ("https://bücher.example/a.jpg", "xn--bcher-kva.example:443"),
        ("https://[2001:db8::1]/a.jpg", "2001:db8::1:443"),
    ],
)
def test_the_place_of_an_address(url: str, place: str) -> None:
    assert place_of(url) == place


@pytest.mark.parametrize(
    "url",
    ["", "a.jpg", "ftp://h/a", "file:///etc/passwd", "javascript:alert(1)", "http://photos.example.org/a.jpg", "https://",
     "https://user:word@h/a", "https://h:99999/a", "https://h/a b", "https://h/\x00", "data:image/png;base64,AAAA",
     "https://[::1", "https://h/" + "a" * 3000],
)  # fmt: skip
def test_what_is_no_address_of_a_file(url: str) -> None:
    with pytest.raises(RecordRejected):
        place_of(url)


@given(st.text(max_size=200))
def test_any_text_is_an_address_or_refused_with_a_sentence(text: str) -> None:
    for url in (text, f"https://{text}"):
        try:
            found = place_of(url)
        except RecordRejected as err:
            found = err.why
        assert ":" in found or found.endswith(".")


@given(st.text(max_size=100))
def test_any_list_of_hosts_is_read_or_refused(text: str) -> None:
    with suppress(SettingsInvalid):
        assert all(":" in place for place in places_from(text))


def test_settings_say_what_may_be_fetched() -> None:
    usual = {"host": "db.example.org", "username": "c", "password": "p"}
    found = Mod4Settings.model_validate(
        {**usual, "functions_url": "https://project.example.org/functions/v1", "functions_token": "t",
         "photo_hosts": "files.example.org", "photo_mb": 7}
    ).file_access()  # fmt: skip
    assert found == FileAccess(
        True, frozenset({"project.example.org:443", "files.example.org:443"}), 7_000_000, "t",
        "project.example.org:443",
    )  # fmt: skip
    assert "'t'" not in repr(found)
    nothing = Mod4Settings.model_validate({**usual, "photos": False}).file_access()
    assert (nothing.is_on, nothing.places, nothing.token_place) == (False, frozenset(), "")
    with pytest.raises(SettingsInvalid, match="is no host"):
        Mod4Settings.model_validate({**usual, "photo_hosts": "https://files.example.org/"})


async def test_names_that_lead_into_a_private_network_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    cases = [["10.0.0.5"], ["8.8.8.8", "192.168.1.1"], ["169.254.169.254"], ["127.0.0.1"], ["fc00::1"]]
    waiting = list(cases)

    async def resolve(_loop: object, host: str, port: int, **_more: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in waiting.pop(0)]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", resolve)
    for _addresses in cases:
        with pytest.raises(NotReady, match="private network"):
            await fetch("https://photos.example.org/a.jpg", access("photos.example.org:443"), Memory())
    assert asked == ["photos.example.org"] * len(cases)


async def test_where_a_proxy_leads_outside_it_finds_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Scripted([b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"])
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    try:
        with pytest.raises(NotReady, match="proxy"):
            await fetch("https://photos.example.invalid/a.jpg", access("photos.example.invalid:443"), Memory())
    finally:
        server.close()
    assert script.requests[0].startswith(b"CONNECT photos.example.invalid:443 ")


async def test_over_tls_the_name_is_verified_although_the_address_is_asked(tmp_path: Path) -> None:
    photos = Photos()
    authority = make_certificate("authority", authority=True, hosts=())
    own = make_certificate("storage", issuer=authority, hosts=("photos.localhost",))
    own.server_context(tmp_path)
    pem = str(tmp_path / f"{own.fingerprint[:16]}.pem")
    trusted = ssl.create_default_context(cadata=ssl.DER_cert_to_PEM_cert(authority.der))
    listener = bound_socket(socket.AF_INET, "127.0.0.1", 0)
    port = listener.getsockname()[1]
    server = LoopServer(photos, certificate=(pem, pem), timeout_graceful_shutdown=1)
    await server.start(listener)
    try:
        sink = Memory()
        url = f"https://photos.localhost:{port}{PATH}/a.jpg"
        assert await fetch(url, access(f"photos.localhost:{port}"), sink, trusted) == ""
        assert sink.data[:3] == b"\xff\xd8\xff"
        other = f"https://other.localhost:{port}{PATH}/a.jpg"
        with pytest.raises(NotReady, match="another host name"):
            await fetch(other, access(f"other.localhost:{port}"), Memory(), trusted)
        with pytest.raises(NotReady, match="issued by nobody"):
            await fetch(url, access(f"photos.localhost:{port}"), Memory())
    finally:
        await server.close()
    assert len(photos.asked) == 1


async def test_a_server_that_compresses_or_lies_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    photos = Photos()
    async with storage(photos) as port:
        url, allowed = f"http://{HOST}:{port}{PATH}/a.jpg", access(f"{HOST}:{port}")
        photos.faults.is_compressed = True
        with pytest.raises(BadReply, match="compressed"):
            await fetch(url, allowed, Memory())
        photos.faults.is_compressed = False
        monkeypatch.setattr(files, "TRY_S", 0.3)
        photos.faults.bytes_per_s = 20_000
        sink = Memory()
        with pytest.raises(NotReady, match="did not come whole"):
            await fetch(url, allowed, sink)
        assert sink.size > 0


@dataclass
class Scripted:
    """A server on a real socket that answers each connection with the next of its answers, byte by byte as written."""

    answers: list[bytes]
    requests: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(self.answers.pop(0))
        await writer.drain()
        writer.close()


PART = b"0123456789"
HEAD = "HTTP/1.1 206 Partial Content\r\nConnection: close\r\n"


@pytest.mark.parametrize(
    "told",
    [
        'Content-Range: bytes 5-9/20\r\nETag: "a"\r\nContent-Length: 5\r\n',  # from elsewhere
        'ETag: "a"\r\nContent-Length: 5\r\n',  # from nowhere
        'Content-Range: bytes ten-19/20\r\nETag: "a"\r\nContent-Length: 5\r\n',
        'Content-Range: bytes 10-19/20\r\nETag: "b"\r\nContent-Length: 10\r\n',  # of another content
    ],
)
async def test_an_answer_that_does_not_go_on_where_the_part_ends_is_never_added(told: str) -> None:
    whole = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nnew!"
    script = Scripted([HEAD.encode() + told.encode() + b"\r\n" + b"x" * 10, whole])
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    sink = Memory(bytearray(PART), '"a"', 20)
    try:
        remark = await fetch(f"http://127.0.0.1:{port}/a.jpg", access(f"127.0.0.1:{port}"), sink)
    finally:
        server.close()
    assert bytes(sink.data) == b"new!"
    assert "begun again" in remark
    assert b"range: bytes=10-" in script.requests[0].lower()
    assert b"range:" not in script.requests[1].lower()


@pytest.mark.parametrize("seed", range(20))
async def test_garbage_for_an_answer_is_one_of_our_errors(seed: int) -> None:
    chance = random.Random(seed)
    lines = [b"HTTP/1.1 200 OK", b"HTTP/1.1 206 x", b"HTTP/9 1 x", b"\x00\xff", b"Content-Length: -5",
             b"Content-Range: bytes 0-0/0", b"Transfer-Encoding: chunked", b"", chance.randbytes(30)]  # fmt: skip
    answer = b"\r\n".join(chance.choice(lines) for _ in range(6)) + b"\r\n\r\n" + chance.randbytes(50)
    script = Scripted([answer] * 3)
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        with suppress(AdapterError):  # anything else is a defect
            await fetch(f"http://127.0.0.1:{port}/a.jpg", access(f"127.0.0.1:{port}"), Memory())
    finally:
        server.close()
    assert script.requests
