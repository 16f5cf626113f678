"""What the host lends to an adapter: an HTTP client with budget, limits and pinned TLS, a logger, the clock."""

from __future__ import annotations

import logging
import ssl
from urllib.parse import urlsplit

import certifi
import httpx
from aiolimiter import AsyncLimiter

from adapters.base import Clock, Kit, Manifest, Settings
from adapters.connect import is_loopback as is_loopback_host
from adapters.errors import NotReady
from app.security.pinning import pinned_context

USER_AGENT = "biko-console"

CONNECT_S = 10.0
READ_S = 30.0
POOL_S = 60.0
"""How long a request waits for one of the integration's own connections."""

_BUDGET_PERIOD_S = 60.0


def make_kit(integration_id: str, manifest: Manifest, settings: Settings, clock: Clock) -> Kit:
    """A new kit for one start of one integration; whoever makes it closes its ``http``.

    ``settings`` may have ``url`` (loopback addresses never go through a proxy) and ``fingerprint`` (SHA-256 of the
    peer's certificate or of the private CA that issued it). Raises SettingsInvalid for an unreadable fingerprint,
    NotReady for proxy settings of this computer that cannot be used.
    """
    tls = tls_context(str(getattr(settings, "fingerprint", "") or ""))
    budget = AsyncLimiter(manifest.requests_per_minute, _BUDGET_PERIOD_S)

    async def spend(_request: httpx.Request) -> None:
        await budget.acquire()

    try:
        http = httpx.AsyncClient(
            verify=tls,
            trust_env=not is_loopback(str(getattr(settings, "url", "") or "")),
            timeout=httpx.Timeout(READ_S, connect=CONNECT_S, pool=POOL_S),
            limits=httpx.Limits(
                max_connections=manifest.max_in_flight, max_keepalive_connections=manifest.max_in_flight
            ),
            follow_redirects=False,  # a peer must not send our credentials elsewhere
            headers={"User-Agent": USER_AGENT},
            event_hooks={"request": [spend]},
        )
    except (ImportError, ValueError, httpx.InvalidURL) as err:
        # Only the proxies of the environment can be wrong here; the error's text may hold a proxy's password.
        raise NotReady(
            "This computer's proxy settings cannot be used: HTTP_PROXY, HTTPS_PROXY and ALL_PROXY must be addresses "
            "that begin with http:// (SOCKS is not possible). Correct them and start the program again."
        ) from err
    log = logging.getLogger(f"adapters.{manifest.key}.{integration_id[-8:]}")
    return Kit(integration_id=integration_id, http=http, tls=tls, log=log, clock=clock)


def tls_context(fingerprint: str) -> ssl.SSLContext:
    """Verification by the known authorities, or by the pinned fingerprint alone where one is given."""
    if fingerprint:
        return pinned_context(fingerprint)
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())  # a fresh macOS or Windows may know too few authorities itself
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def is_loopback(url: str) -> bool:
    """Whether an address leads to this very machine."""
    try:
        return is_loopback_host(urlsplit(url).hostname or "")
    except ValueError:
        return False
