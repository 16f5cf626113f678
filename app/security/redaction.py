"""The one function that blanks secrets, whichever door a text leaves by: logs, diagnostics, exports, audit, screen.

Three nets, one behind the other: values under a telling name (``password``, ``Authorization`` …), patterns that are
secrets wherever they stand (credentials in an address, bearer tokens), and the very values that the vault handed
out in this process, however they were spelt when they got into a text.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any
from urllib.parse import quote, quote_plus

BLANK = "•••"
_SHORTEST = 4  # what is shorter hides nothing, and blanking it would spoil every text
_SHORTEST_FREE_STANDING = 8  # a shorter secret is blanked only where it stands as a word of its own
_DEEPEST = 40

_SECRET_WORDS = frozenset(
    {
        "password",
        "passwd",
        "passphrase",
        "pwd",
        "secret",
        "token",
        "apikey",
        "authorization",
        "cookie",
        "credential",
        "credentials",
        "otp",
        "pin",
        "jsessionid",
        "privatekey",
    }
)
_SECRET_PAIRS = frozenset({("api", "key"), ("access", "key"), ("private", "key"), ("vault", "key"), ("set", "cookie")})
_NOT_SECRET = frozenset({"fingerprint", "secretsversion", "hash", "previoushash"})

_PERSONAL_WORDS = frozenset(
    {
        "lat",
        "lon",
        "latitude",
        "longitude",
        "position",
        "positions",
        "address",
        "phone",
        "email",
        "mail",
        "plate",
        "driver",
        "contact",
        "imei",
        "points",
        "coordinates",
    }
)

_NAMED = r"(?:password|passwd|passphrase|secret|token|api[_\-]?key|jsessionid|authorization|cookie)"
_QUOTED = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'"
_IN_TEXT = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # user:password@ in an address
        r"(?P<keep>://[^\s/:@\"'<>]{0,200}:)[^\s/@\"'<>]{1,500}(?=@)",
        # what follows the scheme in an Authorization header; shorter words are prose ("basic sign-in")
        r"(?P<keep>\b(?:bearer|basic|digest|negotiate)\s+)[a-z0-9._~+/=\-]{16,}",
        # "name": "value", name=value, and name: value where the value does not look like prose
        rf"(?P<keep>{_NAMED}[\"']\s*[=:]\s*)(?:{_QUOTED}|[^\s,}}\]]+)",
        rf"(?P<keep>{_NAMED}=)(?:{_QUOTED}|[^\s&;,\"'}}\])]+)",
        rf"(?P<keep>{_NAMED}:\s*)(?=\S{{0,200}}\d)[^\s,;\"'}}\])]{{6,}}",
    )
)


class _KnownSecrets:
    """The spellings of every secret that this process holds, longest first so that parts never survive."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def add(self, value: str) -> None:
        with self._lock:
            if len(value) >= _SHORTEST and value not in self._values:
                self._values.add(value)
                self._pattern = None

    def clear(self) -> None:
        with self._lock:
            self._values.clear()
            self._pattern = None

    def blank(self, text: str) -> str:
        if not self._values:
            return text
        pattern = self._pattern or self._compile()
        return pattern.sub(BLANK, text)

    def _compile(self) -> re.Pattern[str]:
        with self._lock:
            spellings = {spelling for value in self._values for spelling in _spellings(value)}
            pattern = re.compile("|".join(_as_pattern(item) for item in sorted(spellings, key=len, reverse=True)))
            self._pattern = pattern
            return pattern


_known = _KnownSecrets()  # belongs to the process, like its logs: a secret must be blanked by whoever prints it


def forget_secrets() -> None:
    """Blank none of the values registered so far any more: for a process that begins anew, as each test does."""
    _known.clear()


def register_secret(value: str) -> None:
    """Blank this very value in every text from now on; the vault calls it for whatever it hands out or takes."""
    _known.add(value)


def redact(value: Any, *, personal: bool = False) -> Any:
    """A copy of ``value`` fit to be shown: plain JSON types, secrets blanked, everything else as it was.

    With ``personal`` the values under names of places, people and vehicles are blanked too, for files that leave
    the depot.
    """
    return _redact(value, personal, 0)


def redact_text(text: str) -> str:
    """``text`` with credentials in addresses, tokens, telling name=value pairs and known secrets blanked."""
    for pattern in _IN_TEXT:
        text = pattern.sub(rf"\g<keep>{BLANK}", text)
    return _known.blank(text)


def is_secret_name(name: str) -> bool:
    """Whether a value under this key, header or field name is a secret."""
    words = _words(name)
    joined = "".join(words)
    if joined in _NOT_SECRET:
        return False
    pairs = set(itertools.pairwise(words))
    return joined in _SECRET_WORDS or bool(_SECRET_WORDS.intersection(words)) or bool(_SECRET_PAIRS & pairs)


def is_personal_name(name: str) -> bool:
    """Whether a value under this name tells of a person, a place or one vehicle."""
    return bool(_PERSONAL_WORDS.intersection(_words(name)))


def _redact(value: Any, personal: bool, depth: int) -> Any:
    if depth > _DEEPEST:
        return "…"
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):  # a number can be a known secret too: a PIN that somebody logged as one
        return value if _known.blank(str(value)) == str(value) else BLANK
    if isinstance(value, str):
        return redact_text(value)
    if hasattr(value, "get_secret_value"):  # pydantic's secrets, without loading pydantic in every process
        return BLANK
    if isinstance(value, bytes | bytearray | memoryview):
        return redact_text(bytes(value).decode("utf-8", errors="backslashreplace"))
    if (model_fields := getattr(type(value), "model_fields", None)) is not None:  # a pydantic model
        value = {name: getattr(value, name) for name in model_fields}
    elif is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        return {
            redact_text(str(key)): BLANK
            if _is_blanked(str(key), item, personal)
            else _redact(item, personal, depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_redact(item, personal, depth + 1) for item in value]
    return redact_text(str(value))


def _is_blanked(key: str, item: Any, personal: bool) -> bool:
    if item is None or item == "" or isinstance(item, bool):
        return False  # that a secret is absent, or set at all, is no secret
    return is_secret_name(key) or (personal and is_personal_name(key))


def _words(name: str) -> tuple[str, ...]:
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    return tuple(word for word in re.split(r"[^a-z0-9]+", spaced.lower()) if word)


def _spellings(value: str) -> set[str]:
    """How a secret may look inside another text: quoted for an address, as JSON, as Python, in base64."""
    plain = value.encode("utf-8", errors="surrogatepass")
    return {
        value,
        quote(plain),
        quote(plain, safe=""),
        quote_plus(plain),
        json.dumps(value)[1:-1],
        repr(value)[1:-1],
        base64.b64encode(plain).decode().rstrip("="),
        base64.urlsafe_b64encode(plain).decode().rstrip("="),
    }


def _as_pattern(spelling: str) -> str:
    escaped = re.escape(spelling)
    return escaped if len(spelling) >= _SHORTEST_FREE_STANDING else rf"(?<!\w){escaped}(?!\w)"
