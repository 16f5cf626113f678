"""The mail server that invitations are sent by: its settings in the store, its password in the key store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import SecretStr, model_validator
from sqlalchemy import Connection

from adapters.base import Settings, setting
from adapters.connect import is_loopback
from app.fleet.text import storable_json
from app.integrations.settings import public_part, validate_model
from app.mail.addresses import mail_address
from app.mail.errors import MailError
from app.security.audit import record_act
from app.security.pinning import parse_fingerprint
from app.security.vault import Vault
from app.store.changes import raise_topic
from app.store.facts import get_fact, set_fact
from app.store.store import Store

FACT = "mail_server"
VAULT_OWNER = "mail"
"""No id of an integration, so that what is forgotten with integrations never touches it."""
_PASSWORD = "password"  # noqa: S105 - the field's name

SECURITY = {
    "starttls": "STARTTLS: encrypted after the greeting (port 587)",
    "tls": "TLS: encrypted from the start (port 465)",
    "none": "Not encrypted: only for a server on this computer",
}


class MailSettings(Settings):
    """How to reach the mail server and whose name stands on the mails."""

    enabled: bool = setting(
        "Send mail", "switch", default=False, help="Off: nothing is sent, and what waits stays in the queue."
    )
    host: str = setting(
        "Mail server", "host", help="Its name as it stands in its certificate.", example="smtp.example.org"
    )
    port: int = setting("Port", "port", default=587, ge=1, le=65535, help="587 for STARTTLS, 465 for TLS.")
    security: Literal["starttls", "tls", "none"] = setting("Encryption", "choice", default="starttls", choices=SECURITY)
    username: str = setting("User name", "text", default="", max_length=320, help="Empty: no sign-in.")
    password: SecretStr | None = setting("Password", "secret", default=None, help="Kept in the key store.")
    sender: str = setting(
        "Sender address", "text", max_length=320, help="Answers and failures go there.", example="depot@example.org"
    )
    sender_name: str = setting("Sender name", "text", default="", max_length=100, example="Kano Depot")
    depot: str = setting(
        "Depot", "text", default="", max_length=100, help="What {depot} is in templates. Empty: the sender name."
    )
    fingerprint: str = setting(
        "Certificate",
        "fingerprint",
        default="",
        help="SHA-256 fingerprint of the server's certificate where no public authority vouches for it.",
    )

    @model_validator(mode="after")
    def _fits(self) -> MailSettings:
        if self.security == "none" and not is_loopback(self.host):
            raise ValueError(
                "Without encryption everybody on the way could read the invitation and the password. Choose STARTTLS "
                "or TLS; “not encrypted” is for a mail server on this computer alone."
            )
        if self.fingerprint:
            parse_fingerprint(self.fingerprint)
        if any(char.isspace() or not char.isprintable() for char in self.host):
            raise ValueError("The mail server's name holds a blank. Write it like smtp.example.org.")
        for name in (self.sender_name, self.depot, self.username):
            if not name.isprintable():
                raise ValueError("Names must be plain text of one line.")
        try:
            mail_address(self.sender)
        except MailError as err:
            raise ValueError(err.why) from err
        return self

    @property
    def peer(self) -> str:
        """What sentences call the server."""
        return f"the mail server {self.host}"

    @property
    def depot_name(self) -> str:
        return self.depot or self.sender_name or self.sender


@dataclass(frozen=True, slots=True)
class SavedMail:
    """What is saved. ``settings`` has no password; ``version`` grows with every saving."""

    settings: MailSettings
    version: int

    def as_row(self) -> dict[str, Any]:
        return public_part(self.settings)


def get_mail_settings(connection: Connection) -> SavedMail | None:
    """What is saved, None where mail was never set up."""
    fact = get_fact(connection, FACT)
    if fact is None:
        return None
    found = validate_model(MailSettings, fact.get("settings", {}))
    assert isinstance(found, MailSettings)  # noqa: S101 - of the model that was given
    return SavedMail(found, int(fact.get("version", 1)))


def read_mail_settings(values: Mapping[str, Any], secrets: Mapping[str, str]) -> MailSettings:
    """What was entered. Raises SettingsRefused with every fault."""
    found = validate_model(MailSettings, values, secrets)
    assert isinstance(found, MailSettings)  # noqa: S101 - of the model that was given
    return found


def stored_password(vault: Vault) -> str:
    """The saved password, "" for none. Raises VaultError."""
    return vault.get(VAULT_OWNER, _PASSWORD) or ""


def save_mail_settings(
    store: Store,
    vault: Vault,
    values: Mapping[str, Any],
    secrets: Mapping[str, str] | None = None,
    *,
    who: str | None = None,
) -> SavedMail:
    """Change what is named in ``values``; the rest stays. An empty password stays as stored. Blocks.

    Raises SettingsRefused, VaultError, StoreError; then nothing was changed.
    """
    with store.read() as connection:
        old = get_mail_settings(connection)
    kept = {} if old is None else public_part(old.settings)
    settings = read_mail_settings({**kept, **values}, secrets or {})
    password = settings.password.get_secret_value() if settings.password is not None else ""
    before = stored_password(vault) if password else ""
    if password:
        vault.set(VAULT_OWNER, _PASSWORD, password)

    def job(connection: Connection) -> SavedMail:
        raise_topic(connection, "mail")
        was = get_mail_settings(connection)
        saved = SavedMail(settings.model_copy(update={"password": None}), 1 if was is None else was.version + 1)
        config = storable_json(public_part(settings))
        set_fact(connection, FACT, {"settings": config, "version": saved.version})
        after = {**config, "replaced_fields": [_PASSWORD]} if password else config
        record_act(
            connection,
            what="mail.settings",
            subject=f"Mail server {settings.host}",
            before=None if was is None else public_part(was.settings),
            after=after,
            who=who,
        )
        return saved

    try:
        return store.write(job).result()
    except BaseException:
        if password:
            vault.set(VAULT_OWNER, _PASSWORD, before)
        raise
