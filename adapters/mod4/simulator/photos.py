"""The platform's storage: photos and signatures that phones uploaded, with ranges, and with every fault of a server."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Final

from adapters.mod4.simulator import pictures
from adapters.mod4.simulator.peer import Platform, in_thread

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
PATH: Final = "/storage/v1/object/public/proofs"
HOST: Final = "mod4.localhost"
"""Below localhost (RFC 6761, 6.3), so that it is nobody's phone that speaks of itself."""
_BLOCK: Final = 65_536
_DRAWN: Final = re.compile(r"[\w-]{1,80}\.(jpg|png)")
_RANGE: Final = re.compile(r"bytes=(\d{1,12})-")


@dataclass(slots=True)
class PhotoFaults:
    """What goes wrong, by switch. Numbers of bytes count from where an answer begins.

    ``cut_after``: the line breaks, ``cuts_left`` times (None: always). ``stall_after``: nothing more comes.
    ``bytes_per_s``: a slow line. ``statuses`` and ``redirects`` are by name, ``""`` for every file.
    """

    cut_after: int | None = None
    cuts_left: int | None = None
    stall_after: int | None = None
    bytes_per_s: float | None = None
    no_range: bool = False
    no_tag: bool = False
    no_date: bool = False
    no_length: bool = False
    is_compressed: bool = False
    retry_after: str = ""
    statuses: dict[str, int] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Asked:
    """A request for a file: from which byte on, how it was answered, how many bytes went out."""

    name: str
    start: int
    status: int
    authorization: str = ""
    sent: int = 0


class Photos:
    """An ASGI application. Files that nobody put there are drawn by their name, ``….jpg`` or ``….png``."""

    def __init__(self, *, draws: bool = True) -> None:
        self.faults = PhotoFaults()
        self.asked: list[Asked] = []
        self._draws = draws
        self._files: dict[str, tuple[bytes, datetime]] = {}

    def put(self, name: str, content: bytes) -> None:
        """Another content under the same name has another tag and another date."""
        before = self._files.get(name)
        changed = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
        self._files[name] = content, changed if before is None else before[1] + timedelta(hours=1)

    def sent(self, name: str) -> int:
        """Bytes that went out of a file, however often."""
        return sum(one.sent for one in self.asked if one.name == name)

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        name = str(scope["path"]).rpartition("/")[2]
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        asked = Asked(name, 0, 200, headers.get("authorization", ""))
        self.asked.append(asked)
        faults = self.faults
        if (to := faults.redirects.get(name, faults.redirects.get(""))) is not None:
            await self._short(send, asked, 302, {"location": to})
        elif (status := faults.statuses.get(name, faults.statuses.get(""))) is not None:
            await self._short(send, asked, status, {"retry-after": faults.retry_after} if faults.retry_after else {})
        elif (file := await self._file(name)) is None:
            await self._short(send, asked, 404, {})
        else:
            rest = await self._head(send, asked, headers, *file)
            if asked.status != 416:
                await self._unless_gone(receive, self._send(send, asked, rest))

    async def _file(self, name: str) -> tuple[bytes, datetime] | None:
        if name not in self._files and self._draws and _DRAWN.fullmatch(name):
            draw = pictures.photo if name.endswith(".jpg") else pictures.signature
            self.put(name, await in_thread(lambda: draw(name)))
        return self._files.get(name)

    async def _head(
        self, send: Send, asked: Asked, headers: Mapping[str, str], content: bytes, changed: datetime
    ) -> memoryview:
        """The beginning of an answer; returns the bytes that are to follow."""
        faults = self.faults
        tag = f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
        date = format_datetime(changed, usegmt=True)
        given = _RANGE.fullmatch(headers.get("range", ""))
        is_same = headers.get("if-range", tag) in (tag, date)
        now = format_datetime(datetime.now(UTC), usegmt=True)
        told = {"date": now, "content-type": "image/jpeg" if asked.name.endswith(".jpg") else "image/png"}
        told |= {} if faults.no_tag else {"etag": tag}
        told |= {} if faults.no_date else {"last-modified": date}
        if faults.is_compressed:
            told["content-encoding"] = "gzip"
        if given is not None and is_same and not faults.no_range:
            asked.start = int(given[1])
            if asked.start >= len(content):
                await self._short(send, asked, 416, {"content-range": f"bytes */{len(content)}"})
                return memoryview(b"")
            asked.status = 206
            told["content-range"] = f"bytes {asked.start}-{len(content) - 1}/{len(content)}"
        if not faults.no_range:
            told["accept-ranges"] = "bytes"
        rest = memoryview(content)[asked.start :]
        if not faults.no_length:
            told["content-length"] = str(len(rest))
        await send(_start(asked.status, told))
        return rest

    @staticmethod
    async def _unless_gone(receive: Receive, sending: Coroutine[Any, Any, None]) -> None:
        """Until whoever asked hangs up: what is sent after that reaches nobody."""

        async def hang_up() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            work.cancel()

        async with asyncio.TaskGroup() as group:
            work = group.create_task(sending)
            watch = group.create_task(hang_up())
            await asyncio.wait({work})
            watch.cancel()

    async def _send(self, send: Send, asked: Asked, rest: memoryview) -> None:
        """Returning before the last word is how a line breaks: the server closes the connection."""
        faults = self.faults
        cuts = faults.cut_after is not None and faults.cuts_left != 0
        block = _BLOCK if faults.bytes_per_s is None else max(int(faults.bytes_per_s / 20), 1)
        end = len(rest)
        for limit in (faults.cut_after if cuts else None, faults.stall_after):
            end = end if limit is None else min(end, limit)
        for at in range(0, end, block):
            part = bytes(rest[at : min(at + block, end)])
            await send({"type": "http.response.body", "body": part, "more_body": True})
            asked.sent += len(part)
            if faults.bytes_per_s is not None:
                await asyncio.sleep(len(part) / faults.bytes_per_s)
        if faults.stall_after is not None and end < len(rest):
            await asyncio.sleep(3600)
        if end < len(rest):
            if faults.cuts_left:
                faults.cuts_left -= 1
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    @staticmethod
    async def _short(send: Send, asked: Asked, status: int, headers: Mapping[str, str]) -> None:
        asked.status = status
        await send(_start(status, {"content-length": "0", **headers}))
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _start(status: int, headers: Mapping[str, str]) -> Message:
    told = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": told}


_UPLOAD: Final = """
    UPDATE public.mod4_events
    SET metadata = metadata || jsonb_build_object(%s::text, %s::text || '/' || event_id || %s::text)
    WHERE event_type::text = %s AND (%s::int = 1 OR get_byte(decode(md5(event_id::text), 'hex'), 0) %% 4 > 0)
"""


def upload(platform: Platform, base: str) -> None:
    """As if the phones had a better app: three of four photos, and every signature, lie in the storage. Blocks.

    ``base`` is the storage's address; the files are drawn when they are asked for. What was told cannot be changed at
    the platform, so that its guard is taken away for that moment.
    """
    with platform.server.connect(platform.database) as connection, connection.transaction():
        connection.execute("ALTER TABLE public.mod4_events DISABLE TRIGGER USER")
        connection.execute(_UPLOAD, ["photoUrl", base, ".jpg", "photo_captured", 4])
        connection.execute(_UPLOAD, ["signatureUrl", base, ".png", "recipient_signature_captured", 1])
        connection.execute("ALTER TABLE public.mod4_events ENABLE TRIGGER USER")
