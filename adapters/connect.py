"""Reaching an HTTP peer: the layers below the protocol, one by one, and what each failure means in plain words.

:func:`walk` proves name, route and TLS for a check; :func:`os_error` and :func:`tls_error` say what the system or a
handshake answered. Requests themselves are in :mod:`adapters.exchange`. Every sentence names the peer, says what
failed and what to do next, and never holds a secret.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import os
import re
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from adapters.base import CheckStep, Layer
from adapters.errors import AdapterError, NotReady, SettingsInvalid

CONNECT_TIMEOUT_S = 10.0

# Reasons of X.509 verification, as OpenSSL numbers them (x509_vfy.h).
_EXPIRED, _NOT_YET_VALID, _WRONG_NAME, _WRONG_ADDRESS = 10, 9, 62, 64
_UNKNOWN_ISSUER = frozenset({2, 18, 19, 20, 21, 24, 26, 27})
_PRESS_TEST = "Press Test in its settings to see the fingerprint that it presents."


@dataclass(frozen=True, slots=True)
class Address:
    """Where a peer listens; ``path`` is without a trailing slash."""

    host: str
    port: int
    secure: bool
    path: str = ""

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = 443 if self.secure else 80
        return host if self.port == default else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The address as base of requests."""
        return f"{'https' if self.secure else 'http'}://{self.authority}{self.path}"

    @property
    def websocket_url(self) -> str:
        return f"{'wss' if self.secure else 'ws'}://{self.authority}{self.path}"


def parse_address(url: str, field: str = "url") -> Address:
    """The parts of a peer's address. Raises SettingsInvalid for ``field`` with what is wrong with it."""
    text = url.strip()
    try:
        parts = urlsplit(text)
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode("ascii") if not _is_ip(parts.hostname) else parts.hostname
    except (ValueError, UnicodeError) as err:
        raise SettingsInvalid(field, f"“{text[:200]}” is not an address. {EXAMPLE}") from err
    if parts.scheme not in ("http", "https"):
        raise SettingsInvalid(field, f"The address must begin with https:// or http://. {EXAMPLE}")
    if not host or any(char.isspace() for char in text):
        raise SettingsInvalid(field, f"The address names no server. {EXAMPLE}")
    if parts.username is not None or parts.password is not None:
        raise SettingsInvalid(field, "Leave user name and password out of the address; they have fields of their own.")
    if parts.query or parts.fragment:
        raise SettingsInvalid(field, "Leave out everything from “?” or “#” on; only the server's address is needed.")
    secure = parts.scheme == "https"
    return Address(host, port or (443 if secure else 80), secure, parts.path.rstrip("/"))


EXAMPLE = "Example: https://gps.example.org"


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this very machine."""
    try:
        return host == "localhost" or host.endswith(".localhost") or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def proxy_for(address: Address) -> str | None:
    """The proxy of this computer's settings through which requests to ``address`` go; None for the direct way."""
    if is_loopback(address.host) or proxy_bypass(f"{address.host}:{address.port}"):
        return None
    found = getproxies()
    proxy = found.get("https" if address.secure else "http") or found.get("all")
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


def _is_ip(host: str | None) -> bool:
    return host is not None and (":" in host or host.replace(".", "").isdigit())


async def walk(
    address: Address,
    tls: ssl.SSLContext,
    step: Callable[[CheckStep], None],
    *,
    peer: str,
    fingerprint: str = "",
    timeout_s: float = CONNECT_TIMEOUT_S,
) -> None:
    """Prove name, route and TLS, reporting each to ``step``.

    ``tls`` verifies as the integration's requests do; ``fingerprint`` is what the operator pinned, "" for nothing.
    Raises NotReady where trying again may help, SettingsInvalid where an entry must change.
    """
    proxy = proxy_for(address)
    if proxy is not None:
        await _walk_to_proxy(proxy, address, step, peer, timeout_s)
        return
    found = await _resolve(address, peer, timeout_s)
    step(CheckStep(Layer.NAME, ok=True, detail=f"{address.host} is {found}."))
    await _connect(address, peer, timeout_s)
    step(CheckStep(Layer.ROUTE, ok=True, detail=f"Port {address.port} of {address.host} answers."))
    if not address.secure:
        step(CheckStep(Layer.TLS, ok=True, detail="Not encrypted: the address begins with http://."))
        return
    detail = await _handshake(address, tls, peer, fingerprint, timeout_s)
    step(CheckStep(Layer.TLS, ok=True, detail=detail))


async def _walk_to_proxy(
    proxy: str, address: Address, step: Callable[[CheckStep], None], peer: str, timeout_s: float
) -> None:
    """Where a proxy leads outside, this computer may know neither the peer's name nor a way to it: the proxy does."""
    try:
        parts = urlsplit(proxy)
        host, port = parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        host, port = None, 0
    if not host:
        raise NotReady(f"The proxy on the way to {peer} has no usable address. Correct this computer's proxy settings.")
    place = f"{host}:{port}"  # never the whole address: it may hold a password
    step(CheckStep(Layer.NAME, ok=True, detail=f"Left to the proxy {place}, which finds {address.host}."))
    await _connect(Address(host, port, False), f"the proxy {place}", timeout_s)
    step(CheckStep(Layer.ROUTE, ok=True, detail=f"The proxy {place} answers."))
    secured = "Verified through the proxy, with each request." if address.secure else "Not encrypted: http://."
    step(CheckStep(Layer.TLS, ok=True, detail=secured))


async def _resolve(address: Address, peer: str, timeout_s: float) -> str:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout_s):
            found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except TimeoutError as err:
        raise NotReady(
            f"Nobody answers who “{address.host}” is, the name of {peer}. Check the network's name server (DNS)."
        ) from err
    except (socket.gaierror, UnicodeError) as err:
        raise NotReady(_unknown_name(peer, address.host)) from err
    return ", ".join(dict.fromkeys(str(entry[4][0]) for entry in found))


async def _connect(address: Address, peer: str, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(address.host, address.port)
    except TimeoutError as err:
        raise NotReady(silent(peer, f"{address.host} port {address.port}")) from err
    except OSError as err:
        raise os_error(err, peer) from err
    await _close(writer)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        async with asyncio.timeout(2):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        pass  # the peer hung up first; what was to be proved is proved


async def _handshake(address: Address, tls: ssl.SSLContext, peer: str, fingerprint: str, timeout_s: float) -> str:
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(address.host, address.port, ssl=tls, server_hostname=address.host)
    except TimeoutError as err:
        raise NotReady(
            f"{capital(peer)} accepts the connection but does not begin encryption. Check that the port is the one "
            "for https."
        ) from err
    except ssl.SSLError as err:
        seen = await peer_fingerprint(address, timeout_s)
        raise tls_error(err, peer, pinned=fingerprint, seen=seen) from err
    except OSError as err:
        raise os_error(err, peer) from err
    version = writer.get_extra_info("ssl_object").version()
    await _close(writer)
    trust = "the pinned certificate" if fingerprint else "a trusted authority"
    return f"Encrypted with {version}, verified by {trust}."


async def peer_fingerprint(address: Address, timeout_s: float = CONNECT_TIMEOUT_S) -> str:
    """SHA-256 fingerprint of the certificate that the peer presents, verified or not; "" where it shows none.

    For telling the operator only: nothing is sent over this connection.
    """
    unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(address.host, address.port, ssl=unverified)
    except (OSError, TimeoutError):
        return ""
    certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    await _close(writer)
    return format_fingerprint(hashlib.sha256(certificate).hexdigest()) if certificate else ""


def format_fingerprint(text: str) -> str:
    """A fingerprint in pairs with colons and capitals, as certificate viewers show it."""
    digits = "".join(char for char in text if char.isalnum()).upper()
    return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))


def tls_error(err: ssl.SSLError, peer: str, *, pinned: str = "", seen: str = "") -> NotReady:
    """What a failed handshake means.

    ``pinned`` is the operator's fingerprint, ``seen`` the one that the peer presents; "" where not known. A wrong
    certificate may pass by itself (its administrator replaces it, a hotspot's sign-in page goes away), so it is tried
    again; ``field`` of the error is the entry that the operator can change instead.
    """
    if not isinstance(err, ssl.SSLCertVerificationError):
        return NotReady(
            f"{capital(peer)} does not complete encryption ({_tls_reason(err)}). Check that the port is the one for "
            "https and that the server offers TLS 1.2 or newer."
        )
    code = getattr(err, "verify_code", 0)
    if code == _EXPIRED:
        return NotReady(
            f"The certificate of {peer} has expired. Ask its administrator to renew it, and check this computer's date."
        )
    if code == _NOT_YET_VALID:
        return NotReady(
            f"The certificate of {peer} is not yet valid. Check the date and time of this computer, then the server's."
        )
    if code in (_WRONG_NAME, _WRONG_ADDRESS):
        return NotReady(
            f"The certificate of {peer} was made for another host name. Enter the name for which it was made, or ask "
            "the administrator for one that holds this name.",
            field="url",
        )
    if code == 0 or (pinned and code in _UNKNOWN_ISSUER):  # OpenSSL always gives a reason, a failed pin does not
        shown = f"It now presents {seen}." if seen else _PRESS_TEST
        return NotReady(
            f"The certificate of {peer} is not the pinned one: it was changed, or somebody stands in between. {shown} "
            "Ask its administrator whether it was renewed; pin the new fingerprint only if the two agree.",
            field="fingerprint",
            proposal=seen,
        )
    if code in _UNKNOWN_ISSUER:
        shown = f"Its SHA-256 fingerprint is {seen}." if seen else _PRESS_TEST
        return NotReady(
            f"The certificate of {peer} was issued by nobody that this computer knows. {shown} If the administrator "
            "names the same fingerprint, enter it as the pinned certificate.",
            field="fingerprint",
            proposal=seen,
        )
    return NotReady(f"The certificate of {peer} cannot be verified ({_tls_reason(err)}). Ask its administrator.")


def _tls_reason(err: ssl.SSLError) -> str:
    text = getattr(err, "verify_message", "") or getattr(err, "reason", "") or type(err).__name__
    return str(text).replace("_", " ").lower()


def os_error(err: OSError, peer: str) -> AdapterError:
    """What the operating system said about a connection."""
    if isinstance(err, ssl.SSLError):
        return tls_error(err, peer)
    if isinstance(err, socket.gaierror):
        return NotReady(_unknown_name(peer))
    if isinstance(err, ConnectionRefusedError):
        return NotReady(
            f"The connection to {peer} was refused: nothing listens there. Check the port, and that the server runs."
        )
    if isinstance(err, ConnectionResetError | BrokenPipeError | ConnectionAbortedError):
        return NotReady(f"{capital(peer)} broke off the connection. It is tried again by itself.")
    if isinstance(err, TimeoutError):
        return NotReady(silent(peer))
    if err.errno is None and (numbers := re.findall(r"\[Errno (\d+)\]", str(err))):
        # asyncio folds the errors of several addresses into one text.
        return os_error(OSError(int(numbers[0]), os.strerror(int(numbers[0]))), peer)
    reason = (err.strerror or type(err).__name__).lower()
    return NotReady(f"There is no way to {peer} ({reason}). Check this computer's network and the server's address.")


def silent(peer: str, where: str = "") -> str:
    place = f" at {where}" if where else ""
    return f"{capital(peer)} does not answer{place}. Check the address, the port, and firewalls in between."


def _unknown_name(peer: str, name: str = "") -> str:
    quoted = f" “{name}”" if name else ""
    return f"The name{quoted} of {peer} is not known. Check its spelling and this computer's network."


def capital(peer: str) -> str:
    return peer[:1].upper() + peer[1:]
