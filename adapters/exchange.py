"""Requests to an HTTP peer, and what every refusal and every fault of the line means in plain words.

:func:`exchange` makes one request with a limit on time and size; :func:`http_error`, :func:`status_error` and
:func:`websocket_error` turn what httpx, an answer or the websockets library says into :mod:`adapters.errors`. No
sentence holds a URL's query, a header or a secret.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
import websockets.exceptions as ws_errors

from adapters.connect import EXAMPLE, capital, os_error, silent
from adapters.errors import AdapterError, AuthFailed, BadReply, NotReady, SettingsInvalid

LONGEST_WAIT_S = 86_400.0  # a peer that asks for more than a day is asked again after a day
SAMPLE_BYTES = 2000


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer. ``body`` is decompressed."""

    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def sample(self) -> str:
        return self.body[:SAMPLE_BYTES].decode("utf-8", "replace")

    @property
    def is_html(self) -> bool:
        start = self.body[:200].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
        return start.startswith((b"<!doctype", b"<html", b"<head", b"<body", b"<?xml"))


async def exchange(
    http: httpx.AsyncClient,
    request: httpx.Request,
    *,
    peer: str,
    timeout_s: float,
    max_bytes: int,
) -> Reply:
    """Send ``request`` and read the whole answer, whatever its status.

    ``timeout_s`` is the longest silence; the whole exchange may take ten times as long, so that a slow line can
    bring a long list and a peer that drips bytes cannot hold a run for ever. Raises NotReady and BadReply, doubtful
    ones where a request that may change something went out and its answer did not come whole.
    """
    request.extensions["timeout"] = httpx.Timeout(timeout_s).as_dict()
    body = bytearray()
    try:
        async with asyncio.timeout(10 * timeout_s):
            response = await http.send(request, stream=True)
            try:
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > max_bytes:
                        raise BadReply(
                            f"{capital(peer)} sent more than {max_bytes // 1_000_000} MB in one answer. Ask its "
                            "administrator whether the address leads to the right service.",
                            bytes(body[:SAMPLE_BYTES]).decode("utf-8", "replace"),
                        )
            finally:
                await response.aclose()
    except TimeoutError as err:
        late: AdapterError = NotReady(
            f"{capital(peer)} did not finish its answer within {10 * timeout_s:.0f} s. It is tried again by itself; if "
            "this lasts, look at the line and the server's load."
        )
        late.is_doubtful = request.method not in _READING
        raise late from err
    except BadReply as err:
        err.is_doubtful = request.method not in _READING
        raise
    except HTTPX_ERRORS as err:
        broken = http_error(err, peer)
        broken.is_doubtful = request.method not in _READING and not isinstance(err, _BEFORE_SENDING)
        raise broken from err
    return Reply(response.status_code, response.headers, bytes(body))


_READING = ("GET", "HEAD")
_BEFORE_SENDING = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
    httpx.LocalProtocolError,
)
"""With these no byte of the request reached the peer."""

HTTPX_ERRORS = (httpx.HTTPError, httpx.InvalidURL, httpx.CookieConflict, httpx.StreamError)

_HTTPX: tuple[tuple[type[Exception], Callable[[str], AdapterError]], ...] = (
    (httpx.ConnectTimeout, lambda peer: NotReady(silent(peer))),
    (
        httpx.ReadTimeout,
        lambda peer: NotReady(
            f"{capital(peer)} took the request but stopped answering. It is tried again by itself; if this lasts, look "
            "at the line and the server's load."
        ),
    ),
    (
        httpx.WriteTimeout,
        lambda peer: NotReady(
            f"{capital(peer)} stopped taking the request. Check the line; it is tried again by itself."
        ),
    ),
    (
        httpx.PoolTimeout,
        lambda peer: NotReady(f"All connections to {peer} are busy. It is tried again by itself."),
    ),
    (httpx.TimeoutException, lambda peer: NotReady(silent(peer))),
    (
        httpx.ConnectError,
        lambda peer: NotReady(f"There is no connection to {peer}. Check its address and this computer's network."),
    ),
    (
        httpx.NetworkError,
        lambda peer: NotReady(f"The connection to {peer} was lost in the middle. It is tried again by itself."),
    ),
    (
        httpx.ProxyError,
        lambda peer: NotReady(f"The proxy on the way to {peer} refused. Check this computer's proxy settings."),
    ),
    (
        httpx.UnsupportedProtocol,
        lambda peer: SettingsInvalid("url", f"The address of {peer} must begin with https:// or http://."),
    ),
    (httpx.InvalidURL, lambda peer: SettingsInvalid("url", f"The address of {peer} cannot be read. {EXAMPLE}")),
    (
        httpx.LocalProtocolError,
        lambda peer: SettingsInvalid(
            "", f"The request to {peer} cannot be written. Check the settings for stray or non-ASCII characters."
        ),
    ),
    (
        httpx.RemoteProtocolError,
        lambda peer: BadReply(
            f"{capital(peer)} broke off its answer, or does not speak HTTP there. Check the port; it is tried again."
        ),
    ),
    (
        httpx.DecodingError,
        lambda peer: BadReply(f"The compressed answer of {peer} is damaged. Look at proxies in between."),
    ),
    (
        httpx.TooManyRedirects,
        lambda peer: BadReply(f"{capital(peer)} sends every request elsewhere in a circle. Check its address."),
    ),
    (
        httpx.CookieConflict,
        lambda peer: BadReply(f"{capital(peer)} set contradicting cookies. Look at proxies in between."),
    ),
    (
        httpx.StreamError,
        lambda peer: BadReply(f"The answer of {peer} ended before it was read. It is tried again by itself."),
    ),
    (httpx.HTTPError, lambda peer: NotReady(f"The request to {peer} failed. It is tried again by itself.")),
)


def http_error(err: Exception, peer: str) -> AdapterError:
    """The error of ours for one of httpx's (:data:`HTTPX_ERRORS`); the cause below it decides where there is one."""
    if isinstance(err, httpx.HTTPStatusError):
        response = err.response
        return status_error(response.status_code, response.headers, "", peer=peer, now_ms=0)
    if isinstance(err, httpx.ConnectError) and (cause := _os_cause(err)) is not None:
        return os_error(cause, peer)
    return next(make(peer) for kind, make in _HTTPX if isinstance(err, kind))


def _os_cause(err: BaseException) -> OSError | None:
    """The system's own error at the bottom of a chain; TLS and name errors are such errors too."""
    seen: BaseException | None = err
    found: OSError | None = None
    while seen is not None:
        if isinstance(seen, BaseExceptionGroup):  # one error per address of the name
            seen = seen.exceptions[0]
        if isinstance(seen, OSError):
            found = seen
        seen = seen.__cause__ or seen.__context__
    return found


def retry_after_s(headers: httpx.Headers, now_ms: int) -> float | None:
    """What ``Retry-After`` asks for, in seconds from now (RFC 9110, 10.2.3: a number or a date); None without one."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_WAIT_S)
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    # The peer's own clock counts where it shows it: the two may differ by more than the delay.
    now = _date(headers) or datetime.fromtimestamp(now_ms / 1000, UTC)
    return min(max((when - now).total_seconds(), 0.0), LONGEST_WAIT_S)


def server_clock_ms(headers: httpx.Headers) -> int | None:
    """The peer's clock from its ``Date`` header, to the second; None where it sends none."""
    date = _date(headers)
    return None if date is None else int(date.timestamp() * 1000)


def _date(headers: httpx.Headers) -> datetime | None:
    try:
        date = parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, TypeError, IndexError):
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)


def status_error(status: int, headers: httpx.Headers, sample: str, *, peer: str, now_ms: int) -> AdapterError:
    """The error for an answer whose status is not a success; ``sample`` is the start of its body."""
    name, wait = capital(peer), retry_after_s(headers, now_ms)
    if status == 401:
        return AuthFailed(f"{name} refused the sign-in. Enter the credentials again; they may be wrong or have ended.")
    if status == 403:
        return AuthFailed(
            f"{name}, or a proxy before it, forbids this account the request. Ask its administrator for read access."
        )
    if status == 404:
        return BadReply(f"{name} does not know the page that was asked for. Check the path in its address.", sample)
    if status == 407:
        return NotReady(f"The proxy on the way to {peer} wants a sign-in. Check this computer's proxy settings.")
    if status == 429:
        return NotReady(
            f"{name} says that it is asked too often.{_pause(wait)} Raise the interval if this lasts.", wait
        )
    if status == 503:
        return NotReady(
            f"{name} is not available at the moment.{_pause(wait)} If this lasts, ask its administrator.", wait
        )
    if status in (502, 504):
        return NotReady(
            f"The proxy before {peer} answers, but the server behind it does not. Ask its administrator whether it "
            f"runs.{_pause(wait)}",
            wait,
        )
    if status >= 500:
        return NotReady(
            f"{name} reports a fault of its own ({status}). Ask its administrator for the server's log.", wait
        )
    if 300 <= status < 400:
        return BadReply(
            f"{name} sends us to another address ({status}). Enter the final address in the settings.", sample
        )
    return BadReply(f"{name} refused the request ({status}). Check the path in its address and its version.", sample)


def _pause(wait_s: float | None) -> str:
    return f" It asks for a pause of {wait_s:.0f} s." if wait_s else ""


WEBSOCKET_ERRORS = (ws_errors.WebSocketException, OSError)


def websocket_error(err: ws_errors.WebSocketException | OSError, peer: str, now_ms: int) -> AdapterError:
    """The error of ours for what the websockets library or the system raised (:data:`WEBSOCKET_ERRORS`)."""
    name = capital(peer)
    match err:
        case ws_errors.InvalidStatus():
            headers = httpx.Headers(list(err.response.headers.raw_items()))
            sample = bytes(err.response.body or b"")[:SAMPLE_BYTES].decode("utf-8", "replace")
            return status_error(err.response.status_code, headers, sample, peer=peer, now_ms=now_ms)
        case ws_errors.ConnectionClosed():
            return NotReady(f"{name} ended the live connection. It is opened again by itself.")
        case ws_errors.InvalidURI():
            return SettingsInvalid("url", f"The address of {peer} cannot be used for live updates. {EXAMPLE}")
        case ws_errors.InvalidProxy() | ws_errors.ProxyError():
            return NotReady(f"The proxy on the way to {peer} does not let live updates through. Check proxy settings.")
        case ws_errors.InvalidHandshake():
            return BadReply(
                f"{name} does not open a live connection (WebSocket) at this address. Ask its administrator whether "
                "the proxy before it lets WebSocket through."
            )
        case ws_errors.PayloadTooBig():
            return BadReply(
                f"{name} sent a live message beyond every reasonable size. It is connected again by itself."
            )
        case ws_errors.WebSocketException():
            return BadReply(f"{name} broke the rules of the live connection. It is connected again by itself.")
        case OSError():
            return os_error(err, peer)
