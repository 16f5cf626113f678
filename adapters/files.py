"""Files that a peer names by their address alone: which addresses may be fetched, and one try at fetching one.

An address of a peer is untrusted text. It is fetched over https only (over http from this computer itself), from the
places that the integration names and nowhere else, however often a server sends us on; and never from a private
network, whatever a name server says. A try goes on where the one before was cut (RFC 9110, 13.1.5 and 14.2:
``Range`` with ``If-Range``), where the server gives both a range and something to know the file by.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Protocol
from urllib.parse import SplitResult, urljoin

import httpx

from adapters.connect import Address, capital, is_loopback, proxy_for
from adapters.errors import AdapterError, BadReply, NotReady, RecordRejected, SettingsInvalid
from adapters.exchange import HTTPX_ERRORS, http_error, status_error
from adapters.file_access import HOSTS_FIELD, SIZE_FIELD, FileAccess, ascii_host, parts_of, place_at

MOST_HOPS = 4
MOST_ADDRESSES = 3
SILENCE_S = 30.0
CONNECT_S = 10.0
TRY_S = 900.0
"""One try takes no longer: what it brought is kept, and a peer that drips bytes holds up nobody for ever."""
_REDIRECTS = (301, 302, 303, 307, 308)
_PASSING = (408, 425, 429)
_CONTENT_RANGE = re.compile(r"bytes (?:(\d{1,15})-(\d{1,15})|\*)/(\d{1,15}|\*)", re.ASCII)
_LEAST_AGE_S = 1.0


class FileSink(Protocol):
    """Where the bytes go. ``size`` are those that are there, of the file that ``validator`` names.

    ``validator`` is a strong ETag or a date of change, "" where the server gave neither. OSError where the disk fails.
    """

    @property
    def size(self) -> int: ...
    @property
    def validator(self) -> str: ...
    async def begin(self, total: int | None, validator: str) -> None:
        """Start with nothing: ``total`` bytes are to come, None where the server does not say."""

    async def write(self, data: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class FileLines:
    """Lent clients: ``direct`` knows no proxy, ``proxied`` uses those of this computer. Neither follows redirects."""

    direct: httpx.AsyncClient
    proxied: httpx.AsyncClient


def _allowed(url: str, access: FileAccess) -> SplitResult:
    """Raises RecordRejected for what can be no file's address, SettingsInvalid for one that is not allowed."""
    parts = parts_of(url)
    place = place_at(parts)
    if place not in access.places:
        shown = place.removesuffix(":443")
        raise SettingsInvalid(
            HOSTS_FIELD,
            f"The host {shown} is not allowed. If it is the platform's, add it under “Hosts of photos” in the "
            "settings.",
        )
    return parts


async def fetch_file(lines: FileLines, url: str, access: FileAccess, sink: FileSink, now_ms: int) -> str:
    """Fetch what ``sink`` has not got yet; returns a remark for the operator, "" where nothing was out of the usual.

    When it raises NotReady or BadReply, what has come so far stays in ``sink`` for the next try. RecordRejected: the
    server refuses for good, or the address can be none. SettingsInvalid: this console's settings do not allow it.
    OSError is the sink's own.
    """
    remark = ""
    for _again in range(2):
        try:
            async with asyncio.timeout(TRY_S):
                return await _try(lines, url, access, sink, now_ms) or remark
        except _Anew as err:
            remark = err.why
            await sink.begin(None, "")
        except TimeoutError as err:
            raise NotReady(
                f"It did not come whole within {TRY_S / 60:.0f} minutes. What came is kept, and it goes on from there."
            ) from err
    raise BadReply(f"{remark} It is tried again by itself.")


class _Anew(Exception):
    """The file has to be begun again, for the reason given."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


async def _try(lines: FileLines, url: str, access: FileAccess, sink: FileSink, now_ms: int) -> str:
    for _hop in range(MOST_HOPS + 1):
        parts = _allowed(url, access)
        peer = f"the server {place_at(parts).removesuffix(':443')}"
        try:
            response = await _answer(lines, url, parts, access, sink, peer)
            try:
                if response.status_code not in _REDIRECTS:
                    return await _take(response, access, sink, peer, now_ms)
                url = _onward(url, response)
            finally:
                await response.aclose()
        except HTTPX_ERRORS as err:
            raise http_error(err, peer) from err
    raise BadReply("The server sends us from address to address without end. It is tried again by itself.")


def _onward(url: str, response: httpx.Response) -> str:
    try:
        return urljoin(url, str(response.headers.get("location", "")))
    except ValueError as err:
        raise RecordRejected(url[:80], "The server sends us to what is no address.") from err


async def _answer(
    lines: FileLines, url: str, parts: SplitResult, access: FileAccess, sink: FileSink, peer: str
) -> httpx.Response:
    """The beginning of an answer, from one of the host's addresses that may be asked."""
    headers = {"Accept": "image/*,*/*;q=0.5", "Accept-Encoding": "identity"}
    if access.token and place_at(parts) == access.token_place:
        headers["Authorization"] = f"Bearer {access.token}"
    if sink.size and sink.validator:
        headers |= {"Range": f"bytes={sink.size}-", "If-Range": sink.validator}
    host = ascii_host(parts.hostname or "")
    address = Address(host, int(place_at(parts).rpartition(":")[2]), parts.scheme == "https")
    timeout = httpx.Timeout(SILENCE_S, connect=CONNECT_S)
    if proxy_for(address) is not None:  # the proxy knows names that this computer does not
        request = lines.proxied.build_request("GET", url, headers=headers, timeout=timeout)
        return await lines.proxied.send(request, stream=True)
    failed: httpx.TransportError | None = None
    for ip in (await _addresses(address, peer))[:MOST_ADDRESSES]:
        request = lines.direct.build_request(
            "GET",
            httpx.URL(url).copy_with(host=ip),  # the address that was looked at, not one that a name server gives later
            headers={**headers, "Host": address.authority},
            timeout=timeout,
            extensions={"sni_hostname": host},
        )
        try:
            return await lines.direct.send(request, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout) as err:
            failed = err
    raise failed or httpx.ConnectError("no address")


async def _addresses(address: Address, peer: str) -> Sequence[str]:
    """Where the host listens, IPv4 first. Raises NotReady, also for a name that leads into a private network."""
    host = address.host
    if is_loopback(host):
        return [host] if host[0].isdigit() or ":" in host else ["127.0.0.1"]  # names below localhost: RFC 6761, 6.3
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_S):
            found = await loop.getaddrinfo(host, address.port, type=socket.SOCK_STREAM)
    except TimeoutError as err:
        raise NotReady(f"Nobody answers who “{host}” is. Check the network's name server (DNS).") from err
    except (socket.gaierror, UnicodeError) as err:
        raise NotReady(f"The name of {peer} is not known. Check this computer's network.") from err
    ips = list(dict.fromkeys(str(entry[4][0]) for entry in sorted(found, key=lambda one: one[0] != socket.AF_INET)))
    if any(not ipaddress.ip_address(ip.partition("%")[0]).is_global for ip in ips):
        raise NotReady(
            f"{capital(peer)} leads into a private network ({ips[0]}), from where no photo is fetched. A hotspot that "
            "wants a sign-in does this; otherwise ask the platform's administrator."
        )
    return ips


async def _take(response: httpx.Response, access: FileAccess, sink: FileSink, peer: str, now_ms: int) -> str:
    """Read an answer into the sink. Returns a remark."""
    status, headers, remark = response.status_code, response.headers, ""
    if headers.get("content-encoding", "identity").lower() not in ("", "identity"):
        raise BadReply(f"{capital(peer)} sends the file compressed although it was asked not to. It is tried again.")
    if status == 206:
        total = _continued(response, sink)
    elif status == 200:
        length = headers.get("content-length", "")
        total = int(length[:15]) if length.isascii() and length.isdigit() else None
        if sink.size:
            remark = _why_anew(headers, sink)
        _not_too_large(total, access)
        await sink.begin(total, _validator(headers))
    elif status == 416 and sink.size:
        raise _Anew("The file at its address is another one by now, so it was begun again.")
    else:
        raise _refusal(response, peer, now_ms)
    _not_too_large(total, access)
    async for chunk in response.aiter_raw():
        _not_too_large(sink.size + len(chunk), access)
        await sink.write(chunk)
    if total is not None and sink.size != total:
        raise BadReply(f"{capital(peer)} sent {sink.size} bytes of a file of {total}. It is tried again by itself.")
    return remark


def _continued(response: httpx.Response, sink: FileSink) -> int | None:
    """The whole length that the rest belongs to. Raises _Anew where it does not go on where the part ends."""
    told = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", "").strip())
    validator = _validator(response.headers)
    if validator and sink.validator and validator != sink.validator:
        raise _Anew("The file was changed at its address while it was fetched, so it was begun again.")
    if told is None or told[1] is None or int(told[1]) != sink.size or not sink.size:
        raise _Anew("The server did not go on where the file was cut, so it was begun again.")
    return None if told[3] == "*" else int(told[3])


def _why_anew(headers: httpx.Headers, sink: FileSink) -> str:
    if not sink.validator:
        return "The server gives nothing by which a file that was cut can be continued, so it was begun again."
    now = _validator(headers)
    if now and now != sink.validator:
        return "The file was changed at its address while it was fetched, so it was begun again."
    return "The server does not continue files that were cut, so it was begun again."


def _validator(headers: httpx.Headers) -> str:
    """What names this very content: a strong ETag, else a date of change that is strong (RFC 9110, 8.8.2.2)."""
    tag = str(headers.get("etag", "")).strip()
    if 2 < len(tag) <= 300 and tag[0] == tag[-1] == '"' and tag.isascii():
        return tag
    changed = str(headers.get("last-modified", "")).strip()
    at, now = _date(changed), _date(headers.get("date", ""))
    if at is None or now is None or (now - at).total_seconds() < _LEAST_AGE_S:
        return ""
    return changed


def _date(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None


def _not_too_large(size: int | None, access: FileAccess) -> None:
    if size is not None and size > access.most_bytes:
        raise SettingsInvalid(
            SIZE_FIELD,
            f"The file has more than {access.most_bytes // 1_000_000} MB, the most that is fetched. Raise “Largest "
            "photo” in the settings if it is wanted.",
        )


def _refusal(response: httpx.Response, peer: str, now_ms: int) -> AdapterError:
    status, name = response.status_code, capital(peer)
    if status == 404:
        return RecordRejected(peer, f"{name} does not have the file (404). Ask the driver to upload it again.")
    if status == 410:
        return RecordRejected(peer, f"{name} has deleted the file (410). Ask the platform's administrator for a copy.")
    if status in (401, 403):
        return RecordRejected(
            peer, f"{name} does not let this console have the file ({status}). Ask the platform's administrator."
        )
    if status >= 500 or status in _PASSING:
        return status_error(status, response.headers, "", peer=peer, now_ms=now_ms)
    if 400 <= status < 500:
        return RecordRejected(peer, f"{name} refuses the file ({status}). Ask the platform's administrator.")
    return BadReply(f"{name} answered without a file ({status}). It is tried again by itself.")
