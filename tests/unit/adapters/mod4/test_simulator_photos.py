"""The platform's storage answers as such servers do: ranges, tags, dates, and faults by switch; its photos are real."""

from __future__ import annotations

import asyncio
import struct
import zlib

import httpx
import pytest

from adapters.mod4.simulator import Platform, pictures
from adapters.mod4.simulator.photos import PATH, Photos, upload
from adapters.mod4.simulator.web import serving
from tests.helpers.photo_site import storage


async def ask(port: int, name: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as http:
        return await http.get(f"http://127.0.0.1:{port}{PATH}/{name}", headers=headers)


async def test_ranges_are_of_the_content_that_was_named() -> None:
    photos = Photos()
    photos.put("a.jpg", b"0123456789")
    async with storage(photos) as port:
        whole = await ask(port, "a.jpg")
        tag, date = whole.headers["etag"], whole.headers["last-modified"]
        rest = await ask(port, "a.jpg", **{"range": "bytes=4-", "if-range": tag})
        by_date = await ask(port, "a.jpg", **{"range": "bytes=4-", "if-range": date})
        beyond = await ask(port, "a.jpg", range="bytes=10-")
        photos.put("a.jpg", b"another")
        changed = await ask(port, "a.jpg", **{"range": "bytes=4-", "if-range": tag})
        missing = await ask(port, "no such file.txt")
    assert (rest.status_code, rest.content, rest.headers["content-range"]) == (206, b"456789", "bytes 4-9/10")
    assert by_date.content == b"456789"
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */10")
    assert (changed.status_code, changed.content) == (200, b"another")
    assert changed.headers["etag"] != tag
    assert changed.headers["last-modified"] != date
    assert missing.status_code == 404


async def test_lines_are_cut_so_often_and_no_more() -> None:
    photos = Photos()
    photos.put("a.jpg", bytes(100_000))
    photos.faults.cut_after, photos.faults.cuts_left = 70_000, 1
    async with storage(photos) as port:
        with pytest.raises(httpx.RemoteProtocolError):
            await ask(port, "a.jpg")
        assert len((await ask(port, "a.jpg")).content) == 100_000
    assert [one.sent for one in photos.asked] == [70_000, 100_000]


def test_pictures_are_real_files() -> None:
    photo = pictures.photo("a", orientation=6, size=200_000)
    assert len(photo) == 200_000
    assert photo[:2] == b"\xff\xd8"
    assert photo[-2:] == b"\xff\xd9"
    assert b"Exif\x00\x00MM" in photo[:40]
    assert pictures.photo("a") == pictures.photo("a") != pictures.photo("b")
    pen = pictures.signature("a", width=64, height=32)
    at, kinds = 8, []
    while at < len(pen):
        length, kind = struct.unpack_from(">I4s", pen, at)
        body = pen[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", pen, at + 8 + length)[0] == zlib.crc32(kind + body)
        if kind == b"IDAT":
            assert len(zlib.decompress(body)) == 32 * 65
        kinds.append(kind)
        at += length + 12
    assert kinds == [b"IHDR", b"IDAT", b"IEND"]


async def test_what_phones_uploaded_is_told_and_drawn(repaired: Platform) -> None:
    async with serving(repaired) as web:
        await asyncio.to_thread(upload, repaired, web.photos_url)
        query = "SELECT metadata ->> 'photoUrl' FROM mod4_events WHERE event_type::text = 'photo_captured'"
        told = [url for (url,) in await asyncio.to_thread(repaired.rows, query)]
        uploaded = [url for url in told if url]
        assert 0 < len(uploaded) < len(told), "some stay on the phone"
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.get(uploaded[0].replace("mod4.localhost", "127.0.0.1"))
        assert answer.content[:3] == b"\xff\xd8\xff"
        assert web.photos.asked[0].name in uploaded[0]
