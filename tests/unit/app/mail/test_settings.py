"""The settings of the mail server and the templates: what is refused when it is saved, and where secrets stay."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from app.integrations.settings import SettingsRefused
from app.mail.addresses import mail_address
from app.mail.errors import MailError
from app.mail.settings import get_mail_settings, save_mail_settings, stored_password
from app.mail.templates import DEFAULT, Template, checked_template, get_template, preview, save_template
from app.security.vault import MemoryVault, VaultError
from app.store.store import Store
from app.store.tables import Act, StoreFact
from tests.helpers.fleet import rows_of

GOOD = {"enabled": True, "host": "smtp.example.org", "sender": "depot@example.org", "username": "depot"}
SECRET = "planted-mail-password"


def test_the_password_goes_to_the_key_store_and_nowhere_else(store: Store) -> None:
    vault = MemoryVault()
    saved = save_mail_settings(store, vault, GOOD, {"password": SECRET})
    assert (saved.version, stored_password(vault)) == (1, SECRET)
    again = save_mail_settings(store, vault, {"port": 465, "security": "tls"})
    assert (again.version, again.settings.host, again.settings.port) == (2, "smtp.example.org", 465)
    assert stored_password(vault) == SECRET
    with store.read() as connection:
        facts = connection.execute(select(StoreFact.value)).scalars().all()
        acts = connection.execute(select(Act.what, Act.before, Act.after)).all()
    assert SECRET not in json.dumps([facts, [list(act) for act in acts]])
    assert [act.what for act in acts] == ["mail.settings", "mail.settings"]
    assert acts[0].after["replaced_fields"] == ["password"]
    assert "replaced_fields" not in acts[1].after


@pytest.mark.parametrize(
    "wrong",
    [
        {"security": "none"},
        {"security": "ssl"},
        {"host": ""},
        {"host": "smtp example.org"},
        {"port": 0},
        {"sender": "depot"},
        {"sender": "depot@example.org\r\nBcc: x@example.org"},
        {"sender": '"a b"@example.org'},
        {"sender_name": "Kano\nBcc: x@example.org"},
        {"fingerprint": "ab:cd"},
    ],
)
def test_what_cannot_be_right_is_not_saved(sqlite_store: Store, wrong: dict[str, Any]) -> None:
    vault = MemoryVault()
    with pytest.raises(SettingsRefused):
        save_mail_settings(sqlite_store, vault, {**GOOD, **wrong}, {"password": SECRET})
    with sqlite_store.read() as connection:
        assert get_mail_settings(connection) is None
    assert stored_password(vault) == ""


def test_without_encryption_to_this_computer_alone(sqlite_store: Store) -> None:
    saved = save_mail_settings(sqlite_store, MemoryVault(), {**GOOD, "security": "none", "host": "127.0.0.1"})
    assert saved.settings.security == "none"


def test_a_key_store_that_fails_leaves_everything_as_it_was(sqlite_store: Store) -> None:
    class Shut(MemoryVault):
        def set(self, integration_id: str, field: str, value: str) -> None:
            raise VaultError("The key store is locked. Unlock it.")

    with pytest.raises(VaultError):
        save_mail_settings(sqlite_store, Shut(), GOOD, {"password": SECRET})
    assert rows_of(sqlite_store, Act) == []


def test_addresses() -> None:
    assert mail_address(" Musa.Bello@Münster.example ") == "Musa.Bello@xn--mnster-3ya.example"
    for wrong in (
        "",
        "a",
        "@b.example",
        "a@b",
        "a b@c.example",
        "a@b.example>",
        "ä@b.example",
        f"{'a' * 65}@b.example",
    ):
        with pytest.raises(MailError):
            mail_address(wrong)


# -- templates ---------------------------------------------------------------------------------------------------------


def test_a_template_is_saved_as_an_act_and_used_from_then_on(store: Store) -> None:
    mine = Template(" Welcome to {depot} ", "Open {link} until { expires }.\r\n\r\n")
    store.write(lambda connection: save_template(connection, mine)).result()
    with store.read() as connection:
        assert get_template(connection) == Template("Welcome to {depot}", "Open {link} until { expires }.\n")
    (act,) = rows_of(store, Act)
    assert (act.what, act.before["subject"]) == ("mail.template", DEFAULT.subject)


@pytest.mark.parametrize(
    ("subject", "body", "field", "words"),
    [
        ("", "{link}", "subject", "empty"),
        ("a\nBcc: b@example.org", "{link}", "subject", "one line"),
        ("x" * 151, "{link}", "subject", "longer"),
        ("Open {link}", "{link}", "subject", "cannot stand in the subject"),
        ("Hello {name}", "{link}", "subject", "{name}"),
        ("Hello", "no way in", "body", "needs {link}"),
        ("Hello", "{link} {password}", "body", "{password}"),
        ("Hello", "{link.__class__}", "body", "{link.__class__}"),
        ("Hello", "{link}\x00", "body", "nobody sees"),
        ("Hello", "{link}\u202egnp.exe", "body", "nobody sees"),
        ("Hello", "{link}" + "x" * 8_001, "body", "longer"),
    ],
)
def test_a_template_that_cannot_be_sent_is_refused(subject: str, body: str, field: str, words: str) -> None:
    with pytest.raises(MailError) as caught:
        checked_template(Template(subject, body))
    assert caught.value.field == field
    assert words in caught.value.why


def test_a_preview_shows_examples_and_the_depot() -> None:
    shown = preview(DEFAULT, "Gwale Depot")
    assert shown.subject == "Your invitation to the driver app of Gwale Depot"
    assert "https://drivers.example.org/invite/EXAMPLE" in shown.body
    assert "{" not in shown.body
    assert "EXAMPLE" not in repr(shown)
