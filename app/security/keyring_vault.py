"""Secrets in the system's key store, one entry per field under the service ``biko-console``.

Key stores cannot list what they hold, so one more entry per integration names its fields; it holds no secret.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from typing import TypeVar

import keyring
from keyring.backend import KeyringBackend
from keyring.backends.chainer import ChainerBackend
from keyring.errors import KeyringError, KeyringLocked, PasswordDeleteError

from app.security.redaction import register_secret
from app.security.vault import VaultError, VaultLocked

SERVICE = "biko-console"

_UNREAL = ("keyring.backends.fail", "keyring.backends.null", "keyrings.alt.")
"""Backends that keep nothing, or keep it as plain text."""

T = TypeVar("T")

_log = logging.getLogger(__name__)


def find_key_store() -> KeyringBackend | None:
    """The system's key store, None where there is no real one. Raises VaultLocked when it is there but locked."""
    backend: KeyringBackend = keyring.get_keyring()
    if isinstance(backend, ChainerBackend):
        backend = next((member for member in backend.backends if not _is_unreal(member)), backend)
    if _is_unreal(backend) or isinstance(backend, ChainerBackend):
        return None
    try:
        backend.get_password(SERVICE, "probe")
    except KeyringLocked as err:
        raise VaultLocked(_locked(backend)) from err
    except Exception as err:  # noqa: BLE001 - a key store that cannot even answer is none; backends raise what they like
        _log.warning("The key store %s does not answer (%s), so it is not used", backend.name, err)
        return None
    return backend


class KeyringVault:
    """Secrets in one key store. Thread-safe."""

    def __init__(self, backend: KeyringBackend) -> None:
        self._backend = backend
        self._lock = threading.Lock()

    def get(self, integration_id: str, field: str) -> str | None:
        value = self._ask(lambda: self._backend.get_password(SERVICE, f"{integration_id}/{field}"), "read")
        if value is not None:
            register_secret(value)
        return value

    def set(self, integration_id: str, field: str, value: str) -> None:
        register_secret(value)
        with self._lock:
            fields = self._fields(integration_id)
            if field not in fields:  # named first: a secret that nothing names could never be deleted
                self._put(integration_id, json.dumps(sorted({*fields, field})))
            self._put(f"{integration_id}/{field}", value)

    def delete(self, integration_id: str) -> None:
        with self._lock:
            for field in self._fields(integration_id):
                self._forget(f"{integration_id}/{field}")
            self._forget(integration_id)

    def owners(self) -> frozenset[str] | None:
        return None

    def describe(self) -> str:
        return f"Secrets are kept in this user's key store of the system ({self._backend.name})."

    def _fields(self, integration_id: str) -> frozenset[str]:
        text = self._ask(lambda: self._backend.get_password(SERVICE, integration_id), "read")
        try:
            return frozenset(str(field) for field in json.loads(text or "[]"))
        except (ValueError, TypeError):
            return frozenset()

    def _put(self, name: str, value: str) -> None:
        self._ask(lambda: self._backend.set_password(SERVICE, name, value), "keep")

    def _forget(self, name: str) -> None:
        def forget() -> None:
            try:
                self._backend.delete_password(SERVICE, name)
            except PasswordDeleteError:
                if self._backend.get_password(SERVICE, name) is not None:
                    raise

        self._ask(forget, "delete")

    def _ask(self, question: Callable[[], T], verb: str) -> T:
        try:
            return question()
        except KeyringLocked as err:
            raise VaultLocked(_locked(self._backend)) from err
        except KeyringError as err:
            reason = str(err).rstrip(".") or type(err).__name__
            raise VaultError(
                f"The system's key store would not {verb} a secret: {reason}. Check it, then try again."
            ) from err
        except Exception as err:  # backends let through what their system raises (D-Bus, COM, …)
            _log.warning("The key store %s failed: %s", self._backend.name, err)
            raise VaultError(
                f"The system's key store ({self._backend.name}) does not answer ({type(err).__name__}). Check that it "
                f"runs, then try again; without one, restart this program with a key file (--vault-key-file)."
            ) from err


def _is_unreal(backend: KeyringBackend) -> bool:
    return type(backend).__module__.startswith(_UNREAL)


def _locked(backend: KeyringBackend) -> str:
    return (
        f"The system's key store ({backend.name}) is locked, so saved passwords and tokens cannot be read. "
        f"Unlock it (sign in to the desktop, or open its password manager), then try again."
    )
