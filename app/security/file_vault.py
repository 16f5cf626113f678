"""Secrets in one encrypted file: scrypt for the key, ChaCha20-Poly1305 for the content.

The file is JSON: a header in the clear (version, where the key comes from, scrypt's parameters, salt, nonce) that
the cipher authenticates, and the encrypted secrets. It is replaced as a whole, durably, under a lock file, and
read again when another process has replaced it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from filelock import FileLock, Timeout

from app import platform
from app.security.redaction import register_secret
from app.security.vault import PASSPHRASE_VARIABLE, VaultError, VaultLocked

T = TypeVar("T")
Secrets = dict[str, dict[str, str]]

_VERSION = 1
_LOCK_WAIT_S = 10
_SALT_BYTES = 16
_NONCE_BYTES = 12  # RFC 8439, 2.8
_KEY_BYTES = 32
_MOST_BYTES = 2**28
"""A forged header must not make us take more than this (scrypt needs 128·r·n bytes); ours take 32 MB."""


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where the key to the file comes from. ``cost`` is scrypt's n, r, p: little for a key that is random already."""

    kind: Literal["passphrase", "key file", "own key"]
    cost: tuple[int, int, int]
    path: Path | None
    _passphrase: str | None = None

    @classmethod
    def of_passphrase(cls, passphrase: str) -> KeySource:
        return cls("passphrase", (2**15, 8, 3), None, passphrase)

    @classmethod
    def of_key_file(cls, path: Path) -> KeySource:
        return cls("key file", (2**15, 8, 3), path)

    @classmethod
    def of_own_key(cls, path: Path) -> KeySource:
        """A random key that lies beside the file and is made at the first secret."""
        return cls("own key", (2**12, 8, 1), path)

    def material(self, *, may_create: bool) -> bytes:
        """What scrypt derives the key from. Raises VaultLocked when it is missing."""
        if self._passphrase is not None:
            return self._passphrase.encode("utf-8", "surrogateescape")  # as bytes of the environment come to Python
        assert self.path is not None  # noqa: S101 - only a passphrase has no path
        try:
            found = self.path.read_bytes().strip()
        except FileNotFoundError as err:
            if not (may_create and self.kind == "own key"):
                raise VaultLocked(
                    f"The key to the saved secrets is missing: there is no file {self.path}. Put it back from where it "
                    f"was kept, or remove the secrets file and sign in to each integration again."
                ) from err
            return self._make_own_key(self.path)
        except OSError as err:
            raise VaultLocked(
                f"The key file {self.path} cannot be read: {err.strerror}. Check its owner and rights."
            ) from err
        if len(found) < 16:
            raise VaultLocked(
                f"The key file {self.path} is too short to protect anything: it needs at least 16 characters."
            )
        return found

    @staticmethod
    def _make_own_key(path: Path) -> bytes:
        material = base64.b64encode(secrets.token_bytes(_KEY_BYTES))
        _explain(lambda: platform.write_durably(path, material + b"\n"), f"The key file {path} cannot be written")
        return material


class FileVault:
    """The encrypted file of one data folder. Thread-safe, and safe beside other processes of the same folder."""

    def __init__(self, path: Path, source: KeySource) -> None:
        self._path = path
        self._source = source
        self._mutex = threading.RLock()
        self._file_lock = FileLock(f"{path}.lock", timeout=_LOCK_WAIT_S)
        self._seen: tuple[int, int, int] | None = None
        self._secrets: Secrets = {}
        self._derived: tuple[bytes, tuple[int, int, int], bytes] | None = None  # salt, cost, key
        if path.exists():
            self._refresh()

    def get(self, integration_id: str, field: str) -> str | None:
        with self._mutex:
            self._refresh()
            return self._secrets.get(integration_id, {}).get(field)

    def set(self, integration_id: str, field: str, value: str) -> None:
        register_secret(value)

        def put(held: Secrets) -> None:
            held.setdefault(integration_id, {})[field] = value

        self._change(put)

    def delete(self, integration_id: str) -> None:
        if integration_id in (self.owners() or ()):
            self._change(lambda held: held.pop(integration_id, None))

    def owners(self) -> frozenset[str] | None:
        with self._mutex:
            self._refresh()
            return frozenset(self._secrets)

    def describe(self) -> str:
        where = f"Secrets are kept in the encrypted file {self._path}"
        if self._source.kind == "passphrase":
            return f"{where}, opened by the passphrase in {PASSPHRASE_VARIABLE}: who has only the file reads nothing."
        if self._source.kind == "key file":
            return f"{where}, opened by the key file {self._source.path}: who has only one of the two reads nothing."
        return (
            f"{where} with its key beside it. This protects copies of the store, "
            f"not against whoever can read the data folder."
        )

    def _change(self, change: Callable[[Secrets], object]) -> None:
        with self._mutex:
            try:
                with self._file_lock:
                    self._refresh()
                    held = {owner: dict(fields) for owner, fields in self._secrets.items()}
                    change(held)
                    self._write({owner: fields for owner, fields in held.items() if fields})
            except Timeout as err:
                raise VaultLocked(
                    f"Another program holds the secrets file {self._path}. Try again; if it lasts, end that program."
                ) from err
            except OSError as err:
                raise VaultError(f"The secrets file {self._path} cannot be written: {err.strerror}.") from err

    def _write(self, held: Secrets) -> None:
        salt = self._derived[0] if self._derived is not None else secrets.token_bytes(_SALT_BYTES)
        nonce = secrets.token_bytes(_NONCE_BYTES)
        key = self._key(salt, self._source.cost, may_create=not self._path.exists())
        header = {
            "version": _VERSION,
            "key_from": self._source.kind,
            "scrypt": list(self._source.cost),
            "salt": _text(salt),
            "nonce": _text(nonce),
            "check": _check_value(key),
        }
        sealed = ChaCha20Poly1305(key).encrypt(nonce, json.dumps(held).encode(), _canonical(header))
        content = json.dumps({**header, "secrets": _text(sealed)}, indent=1).encode() + b"\n"
        platform.write_durably(self._path, content)
        self._secrets, self._seen = held, _stamp(self._path)

    def _refresh(self) -> None:
        """Read the file when it is not the one we know. Raises VaultLocked, VaultError."""
        stamp = _stamp(self._path)
        if stamp == self._seen:
            return
        if stamp is None:
            self._secrets, self._seen, self._derived = {}, None, None
            return
        content = _explain(self._path.read_bytes, f"The secrets file {self._path} cannot be read")
        held = self._decrypt(content)
        for fields in held.values():
            for value in fields.values():
                register_secret(value)
        self._secrets, self._seen = held, stamp

    def _decrypt(self, content: bytes) -> Secrets:
        try:
            header: dict[str, Any] = json.loads(content)
            sealed = base64.b64decode(header.pop("secrets"), validate=True)
            version, made_from = header["version"], str(header["key_from"])
            cost = tuple(int(number) for number in header["scrypt"])
            salt, nonce = (base64.b64decode(header[name], validate=True) for name in ("salt", "nonce"))
            check = str(header["check"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as err:
            raise VaultError(self._damaged()) from err
        if version != _VERSION:
            raise VaultError(f"The secrets file {self._path} was written by a newer release: update this program.")
        if len(cost) != 3 or min(cost) < 1 or cost[2] > 16 or 128 * cost[0] * cost[1] > _MOST_BYTES:
            raise VaultError(self._damaged())
        try:
            key = self._key(salt, (cost[0], cost[1], cost[2]), may_create=False)
            if not hmac.compare_digest(check, _check_value(key)):
                raise VaultLocked(self._wrong_key(made_from))
            held: Secrets = json.loads(ChaCha20Poly1305(key).decrypt(nonce, sealed, _canonical(header)))
        except (InvalidTag, ValueError) as err:
            raise VaultError(self._damaged()) from err
        return held

    def _key(self, salt: bytes, cost: tuple[int, int, int], *, may_create: bool) -> bytes:
        if self._derived is not None and self._derived[:2] == (salt, cost):
            return self._derived[2]
        n, r, p = cost
        material = self._source.material(may_create=may_create)
        key = hashlib.scrypt(material, salt=salt, n=n, r=r, p=p, maxmem=256 * r * (n + p) + 2**20, dklen=_KEY_BYTES)
        self._derived = (salt, cost, key)
        return key

    def _wrong_key(self, made_from: str) -> str:
        cure = {
            "passphrase": f"It was made with a passphrase: set it in {PASSPHRASE_VARIABLE}.",
            "key file": "It was made with a key file: name that file with --vault-key-file.",
            "own key": "It was made with its own vault.key: put that file back, and give no passphrase or key file.",
        }.get(made_from, "Give the key with which it was made.")
        return f"The secrets file {self._path} cannot be opened with this {self._source.kind}. {cure}"

    def _damaged(self) -> str:
        return (
            f"The secrets file {self._path} is damaged. Put back a copy of it, or move it away and sign in to each "
            f"integration again; nothing else is lost."
        )


def _explain(act: Callable[[], T], what: str) -> T:
    try:
        return act()
    except OSError as err:
        raise VaultError(f"{what}: {err.strerror or err}. Check the disk and the rights of the data folder.") from err


def _check_value(key: bytes) -> str:
    """Tells a wrong key from a damaged file, and tells nothing about the key."""
    return hmac.new(key, b"biko-console vault", hashlib.sha256).hexdigest()[:32]


def _canonical(header: dict[str, Any]) -> bytes:
    return json.dumps(header, sort_keys=True, separators=(",", ":")).encode()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """What changes whenever the file is replaced."""
    try:
        facts = os.stat(path)  # noqa: PTH116 - one call that must not raise for an absent file's parents
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as err:
        raise VaultError(f"The secrets file {path} cannot be looked at: {err.strerror}.") from err
    return facts.st_mtime_ns, facts.st_ino, facts.st_size
