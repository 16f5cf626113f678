"""Addresses as SMTP takes them: ASCII, one line, nothing that could begin a second header or command."""

from __future__ import annotations

import re

from app.mail.errors import MailError

_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE)
LONGEST = 254
"""RFC 5321, 4.5.3.1.3: a path of 256 octets with its brackets."""


def mail_address(text: str, field: str = "") -> str:
    """The address with its domain in ASCII (IDNA). Raises MailError.

    Only the dot-atom form of RFC 5322, 3.4.1 is taken: quoted names and comments are where headers get smuggled in.
    """
    local, at, domain = text.strip().rpartition("@")
    try:
        ascii_domain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        ascii_domain = ""
    fits = at and len(local) <= 64 and _LOCAL.fullmatch(local) and _DOMAIN.fullmatch(ascii_domain)
    if not fits or len(local) + len(ascii_domain) >= LONGEST:
        shown = " ".join(text.split())[:100]
        raise MailError(f"No mail can be sent to or from “{shown}”. Write an address like name@example.org.", field)
    return f"{local}@{ascii_domain}"


def domain_of(address: str) -> str:
    return address.rpartition("@")[2]
