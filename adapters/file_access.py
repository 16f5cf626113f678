"""Which files a peer may name by their address: addresses as untrusted text, and the places that settings allow.

Apart from :mod:`adapters.files`, which fetches: settings are looked at by windows that never load a client.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable
from urllib.parse import SplitResult, urlsplit

from adapters.connect import is_loopback
from adapters.errors import RecordRejected, SettingsInvalid

HOSTS_FIELD, SIZE_FIELD = "photo_hosts", "photo_mb"
"""The settings by which an operator allows more."""
MOST_CHARS = 2_000


@dataclass(frozen=True, slots=True)
class FileAccess:
    """What an integration's settings allow. ``places`` are ``host:port`` in lower case.

    ``token`` goes as a bearer token to ``token_place`` alone, "" for nowhere.
    """

    is_on: bool
    places: frozenset[str]
    most_bytes: int
    token: str = field(default="", repr=False)
    token_place: str = ""


@runtime_checkable
class NamesFiles(Protocol):
    """Settings of an integration whose records name files by address."""

    def file_access(self) -> FileAccess: ...


def place_of(url: str) -> str:
    """``host:port`` of an address, in lower case. Raises RecordRejected with what is wrong with it."""
    parts = parts_of(url)
    return place_at(parts)


def places_from(text: str, field_name: str = HOSTS_FIELD) -> frozenset[str]:
    """Places from a list with commas: ``photos.example.org, files.example.org:8443``. Raises SettingsInvalid."""
    found = set()
    for entry in text.replace(";", ",").split(","):
        name = entry.strip().lower()
        if not name:
            continue
        try:
            parts = urlsplit(f"//{name}")
            host, port = ascii_host(parts.hostname or ""), parts.port
        except (ValueError, UnicodeError):
            host, port = "", None
        if not host or parts.path or parts.query or "@" in name or any(char.isspace() for char in name):
            raise SettingsInvalid(field_name, f"“{name[:100]}” is no host. Example: photos.example.org")
        found.add(f"{host}:{443 if port is None else port}")
    return frozenset(found)


def parts_of(url: str) -> SplitResult:
    """An address that may be fetched at all. Raises RecordRejected."""
    if len(url) > MOST_CHARS or any(char.isspace() or ord(char) < 32 for char in url):
        raise RecordRejected(url[:80], "What was told is no address.")
    try:
        parts = urlsplit(url)
        host = ascii_host(parts.hostname or "")
        _ = parts.port
    except (ValueError, UnicodeError) as err:
        raise RecordRejected(url[:80], "What was told is no address.") from err
    if parts.scheme not in ("http", "https") or not host:
        raise RecordRejected(url[:80], "What was told is no address on the web.")
    if parts.username is not None or parts.password is not None:
        raise RecordRejected(url[:80], "The address carries a sign-in, so it is not fetched.")
    if parts.scheme == "http" and not is_loopback(host):
        raise RecordRejected(url[:80], "The address is not encrypted (http://), so it is not fetched.")
    return parts


def ascii_host(host: str) -> str:
    """As name servers and certificates have it. Raises UnicodeError."""
    return host if ":" in host else host.encode("idna").decode("ascii").lower()


def place_at(parts: SplitResult) -> str:
    """``host:port`` of an address that was taken apart."""
    return f"{ascii_host(parts.hostname or '')}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
