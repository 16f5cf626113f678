"""``mail`` and ``mod4 … --mail`` on the command line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.paths import Paths
from app.store.store import Store
from app.store.tables import InvitationRow, MailMessage, OutboxItem
from tests.helpers.command_line import CommandLine, assert_refused
from tests.helpers.dispatch import Depot, an_invitation
from tests.helpers.fleet import T0_MS, rows_of
from tests.helpers.mail_server import PASSWORD, USER, MailServer, serve_mail


@pytest.fixture
def depot(cli: CommandLine) -> Iterator[Depot]:
    with closing(Store.open(Paths(cli.data_dir).store_url)) as store:
        depot = Depot(store)
        depot.arrive(
            an_invitation(expires_ms=4_000_000_000_000), an_invitation("old", email="o@b.co", expires_ms=T0_MS)
        )
        yield depot


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MailServer]:
    with serve_mail(tmp_path) as running:
        yield running


def set_up(cli: CommandLine, server: MailServer, tmp_path: Path) -> None:
    secret = tmp_path / "password.txt"
    secret.write_text(PASSWORD, encoding="utf-8")
    sets = [word for name, value in server.values().items() for word in ("--set", f"{name}={value}")]
    made = cli("mail", "settings", *sets, "--secret", f"password=file:{secret}", "--json")
    assert (made.json["host"], made.json["security"]) == ("127.0.0.1", "starttls")
    assert PASSWORD not in made.out


def test_settings_test_and_template(cli: CommandLine, depot: Depot, server: MailServer, tmp_path: Path) -> None:
    assert_refused(cli("mail", "settings"), "No mail server is set up")
    assert_refused(cli("mail", "test"), "No mail server is set up")
    set_up(cli, server, tmp_path)
    assert_refused(cli("mail", "settings", "--set", "security=none", "--set", "host=smtp.example.org"), "this computer")
    report = cli("mail", "test", "--to", "ops@example.org", "--json").json
    assert (report["ok"], report["layers"][-1]["layer"]) == (True, "permission")
    assert server.postman.mails[0]["To"] == "ops@example.org"
    cli("mail", "settings", "--set", "username=stranger")
    failed = cli("mail", "test")
    assert failed.status == 1
    assert "FAIL sign in" in failed.out
    assert "refuses user name or password" in failed.err
    body = tmp_path / "body.txt"
    body.write_text("Welcome {person}: {link}\n", encoding="utf-8")
    assert "Welcome Musa Bello" in cli("mail", "template", "--body-file", str(body), "--preview", "--json").json["text"]
    assert "{link}" in cli("mail", "template", "--json").json["text"]
    assert cli("mail", "template", "--subject", "Hi {depot}", "--body-file", str(body), "--json").json == {
        "subject": "Hi {depot}",
        "text": "Welcome {person}: {link}\n",
    }
    assert_refused(cli("mail", "template", "--subject", "Hi {nobody}"), "There is no placeholder {nobody}")
    assert cli("mail", "template", "--default", "--json").json["subject"].startswith("Your invitation")


def test_an_invitation_is_mailed_with_its_making(
    cli: CommandLine, depot: Depot, server: MailServer, tmp_path: Path
) -> None:
    assert_refused(cli("mod4", "link", "a@example.org", "--mail"), "No mail server is set up")
    assert rows_of(depot.store, OutboxItem) == []
    set_up(cli, server, tmp_path)
    made = cli("mod4", "link", "a@example.org", "--mail", "--json").json
    assert "mailed once the platform has it" in made["hint"]
    cli("mod4", "invitations", "resend", depot.id_of(InvitationRow, "old"), "--mail")
    pending = cli("mod4", "invitations", "mail", depot.id_of(InvitationRow, "inv-1"), "--json").json
    assert (pending["recipient"], pending["state"]) == ("new@example.org", "waiting")
    rows = cli("mail", "queue", "list", "--json").json
    assert [row["recipient"] for row in rows] == ["new@example.org", "o@b.co", "a@example.org"]
    assert "until the platform has accepted" in rows[2]["last_answer"]
    assert cli("mail", "queue", "cancel", pending["id"], "--json").json["state"] == "cancelled"
    assert_refused(cli("mail", "queue", "retry", pending["id"]), "nothing to change")
    assert cli("mail", "queue", "retry", rows[2]["id"], "--json").json["state"] == "waiting"
    assert_refused(cli("mail", "queue", "cancel", "none"), "There is no mail")
    assert [row["id"] for row in cli("mail", "queue", "list", "--state", "cancelled", "--json").json] == [pending["id"]]
    assert all(row.message_id.endswith("@example.org>") for row in rows_of(depot.store, MailMessage))
    assert USER not in cli("mail", "queue", "list").out
