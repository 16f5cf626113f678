"""From asking for a mail to its arrival, with every way in which that goes wrong on a real mail server."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import update

from adapters.errors import NotReady, RecordRejected
from adapters.mod4.actions import InvitationLink
from app.clock import from_ms
from app.deliveries.acts import invite, resend_invitation
from app.engine.ports import Ports
from app.engine.scribe import Scribe
from app.fleet.telemetry import TelemetrySink
from app.kit import make_kit
from app.mail.courier import MailCourier
from app.mail.errors import MailError, MailNotFound
from app.mail.listing import MailRow, list_mails, mail_overview
from app.mail.queue import cancel_mail, mail_hindrance, mail_invitation, retry_mail
from app.mail.sending import DueMail
from app.mail.settings import VAULT_OWNER, save_mail_settings
from app.mail.words import MailState
from app.security.vault import MemoryVault
from app.store.store import Store
from app.store.tables import (
    Act,
    IntegrationLog,
    InvitationRow,
    MailMessage,
    OutboxItem,
    Problem,
    StoreFact,
)
from app.sync.seal import OutboxSeal
from app.sync.words import State
from app.tasks import Tasks
from tests.helpers.dispatch import Depot, a_request, an_invitation
from tests.helpers.fake_adapter import LentClock
from tests.helpers.fleet import T0_MS, rows_of
from tests.helpers.mail_server import PASSWORD, MailServer, Postman, serve_mail

TO = "new@example.org"
TOKEN = "Qk9PS0lFLVRPS0VOLTEyMw"
LINK = f"https://drivers.example.org/invite/{TOKEN}"


class Office:
    """A depot with a mail server, and an engine's courier whose platform answers as a test wants."""

    def __init__(self, store: Store, server: MailServer, folder: Path, depot: Any = None) -> None:
        self.depot = depot or Depot(store)
        self.store, self.server, self.folder = store, server, folder
        self.vault, self.clock = MemoryVault(), LentClock()
        self.clock.set_wall(T0_MS)
        self.tasks, self.scribe = Tasks(), Scribe(store)
        self.asked: list[str] = []
        self.refusal: Exception | None = None
        self.email = TO
        self.courier = self.make_courier()
        self.save(**server.values())

    def make_courier(self) -> MailCourier:
        ports = Ports(
            self.store, self.depot.catalogue, self.vault, self.clock, TelemetrySink(self.store), self.tasks,
            self.scribe, make_kit, Random(1), OutboxSeal(self.store, self.folder),
        )  # fmt: skip
        return MailCourier(ports, self.folder, ask_link=self.link_of)

    async def link_of(self, due: DueMail) -> InvitationLink:
        self.asked.append(due.invitation)
        if self.refusal is not None:
            raise self.refusal
        return InvitationLink(email=self.email, link=LINK, expires_ms=T0_MS + 7 * 86_400_000)

    def save(self, **values: Any) -> None:
        save_mail_settings(self.store, self.vault, values, {"password": PASSWORD})

    def pending(self, peer_id: str = "inv-1", **other: Any) -> str:
        """An invitation that the platform has; the row's id."""
        self.depot.arrive(an_invitation(peer_id, **other))
        return self.depot.id_of(InvitationRow, peer_id)

    def ask(self, **named: Any) -> str:
        at = from_ms(self.clock.now_ms())
        return self.depot.write(lambda connection: mail_invitation(connection, now=at, **named))

    def rows(self) -> list[MailRow]:
        return self.depot.ask(list_mails)

    @property
    def row(self) -> MailRow:
        (found,) = self.rows()
        return found

    def pass_time(self, seconds: float) -> None:
        self.clock.set_wall(self.clock.now_ms() + int(seconds * 1000))

    @property
    def taken(self) -> list[str]:
        return [to for _from, to, _content in self.server.postman.taken]


@pytest_asyncio.fixture
async def office(sqlite_store: Store, server: MailServer, tmp_path: Path) -> AsyncIterator[Office]:
    made = Office(sqlite_store, server, tmp_path)
    yield made
    made.scribe.close()


@pytest_asyncio.fixture
async def any_office(store: Store, server: MailServer, tmp_path: Path) -> AsyncIterator[Office]:
    """On both databases."""
    made = Office(store, server, tmp_path)
    yield made
    made.scribe.close()


async def test_an_invitation_that_is_pending_is_mailed(any_office: Office) -> None:
    office = any_office
    office.depot.arrive(a_request(name="Aisha Sani", email="New@example.org"))
    mail_id = office.ask(invitation_id=office.pending())
    assert office.row.state is MailState.WAITING
    await office.courier.look()
    assert (office.row.id, office.row.state, office.row.tries) == (mail_id, MailState.SENT, 1)
    assert office.row.answer == "“250 2.0.0 queued as 4711”."
    (mail,) = office.server.postman.mails
    assert mail["To"] == TO
    assert "Hello Aisha Sani," in mail.get_content()
    assert LINK in mail.get_content()
    assert "8 January 2026" in mail.get_content()
    assert office.asked == ["inv-1"]
    await office.courier.look()
    assert office.taken == [TO]


async def test_the_token_is_nowhere_but_in_the_mail(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    office.server.postman.data_answers = {TO: [f"451 later: {LINK}", f"554 spam: {LINK}"]}
    office.ask(invitation_id=office.pending())
    await office.courier.look()
    office.pass_time(3_600)
    await office.courier.look()
    assert office.row.state is MailState.REFUSED
    assert "554 spam" in office.row.answer
    tables = (MailMessage, Act, IntegrationLog, StoreFact, Problem)
    kept = "".join(repr(row) for table in tables for row in rows_of(office.store, table))
    assert TOKEN not in kept
    assert PASSWORD not in kept
    assert TOKEN not in caplog.text


async def test_it_waits_until_the_platform_has_the_invitation(any_office: Office) -> None:
    office = any_office
    saved = office.depot.do(invite, "mod4-1", TO)
    office.ask(outbox_id=saved.outbox_id)
    await office.courier.look()
    assert "until the platform has accepted" in office.row.answer
    assert (office.row.tries, office.asked) == (0, [])

    def settle(state: State) -> None:
        statement = update(OutboxItem).where(OutboxItem.id == saved.outbox_id).values(state=state)
        office.depot.write(lambda connection: connection.execute(statement))

    settle(State.REFUSED)
    await office.courier.look()
    assert "Decide about it there" in office.row.answer
    settle(State.ACCEPTED)
    await office.courier.look()
    assert "has not been read yet" in office.row.answer
    office.pending("inv-7")
    office.pass_time(3_600)
    await office.courier.look()
    assert (office.row.state, office.asked) == (MailState.SENT, ["inv-7"])


async def test_a_mail_of_an_invitation_that_was_given_up_is_cancelled(office: Office) -> None:
    saved = office.depot.do(invite, "mod4-1", TO)
    office.ask(outbox_id=saved.outbox_id)
    statement = update(OutboxItem).where(OutboxItem.id == saved.outbox_id).values(state=State.CANCELLED)
    office.depot.write(lambda connection: connection.execute(statement))
    await office.courier.look()
    assert (office.row.state, office.row.answer) == (MailState.CANCELLED, "The invitation was cancelled.")


async def test_one_that_is_invited_again_is_mailed_again(office: Office) -> None:
    row_id = office.pending(stage="revoked", status="revoked")
    with pytest.raises(MailError, match="not pending"):
        office.ask(invitation_id=row_id)
    saved = office.depot.do(resend_invitation, row_id)
    office.ask(outbox_id=saved.outbox_id)
    assert office.row.recipient == TO


async def test_growing_delays_after_a_passing_refusal(office: Office) -> None:
    office.server.postman.data_answers = {TO: ["451 4.7.1 greylisted"] * 3}
    office.ask(invitation_id=office.pending())
    waits = []
    for _ in range(3):
        await office.courier.look()
        assert office.row.state is MailState.WAITING
        assert office.row.answer == "“451 4.7.1 greylisted”."
        assert office.row.next_try is not None
        waits.append(office.row.next_try.timestamp() - office.clock.now_ms() / 1000)
        await office.courier.look()  # too early
        assert len(waits) == office.row.tries
        office.pass_time(waits[-1] + 1)
    assert waits[0] < waits[1] < waits[2]
    await office.courier.look()
    assert office.row.state is MailState.SENT


async def test_one_recipient_is_refused_at_once_and_holds_up_nobody(office: Office) -> None:
    office.server.postman.answers = {TO: "550 5.1.1 no such user"}
    office.ask(invitation_id=office.pending())
    office.ask(invitation_id=office.pending("inv-2", email="other@example.org"))
    office.email = "other@example.org"
    await office.courier.look()  # the first link belongs to somebody else by now
    states = {row.recipient: row.state for row in office.rows()}
    assert states == {TO: MailState.REFUSED, "other@example.org": MailState.SENT}
    office.email = TO
    first = next(row for row in office.rows() if row.recipient == TO)
    assert "another address" in first.answer
    office.depot.write(lambda connection: retry_mail(connection, first.id))
    await office.courier.look()
    first = next(row for row in office.rows() if row.recipient == TO)
    assert (first.state, first.answer) == (MailState.REFUSED, "“550 5.1.1 no such user”.")
    assert office.taken == ["other@example.org"]


@pytest.mark.parametrize("cut", ["mail", "rcpt"])
async def test_a_line_that_is_cut_before_the_mail_repeats_nothing(office: Office, cut: Any) -> None:
    office.server.postman.cut, office.server.postman.cuts_left = cut, 1
    office.ask(invitation_id=office.pending())
    await office.courier.look()
    assert (office.row.state, office.taken) == (MailState.WAITING, [])
    office.pass_time(3_600)
    await office.courier.look()
    assert (office.row.state, office.taken) == (MailState.SENT, [TO])


async def test_an_answer_that_is_lost_leads_to_one_repeat_and_no_more(any_office: Office) -> None:
    office = any_office
    office.server.postman.cut = "accepted"
    office.ask(invitation_id=office.pending())
    for _ in range(4):
        await office.courier.look()
        office.pass_time(7_200)
    assert (office.row.state, office.taken) == (MailState.DOUBTFUL, [TO, TO])
    first, second = office.server.postman.mails
    assert first["Message-ID"] == second["Message-ID"]
    assert "not sent again by itself" in office.row.answer
    office.server.postman.cut = ""
    office.depot.write(lambda connection: retry_mail(connection, office.row.id))
    await office.courier.look()
    assert (office.row.state, len(office.taken)) == (MailState.SENT, 3)


async def test_a_refused_sign_in_is_not_tried_again_by_itself(office: Office) -> None:
    office.vault.set(VAULT_OWNER, "password", "wrong-password")
    office.ask(invitation_id=office.pending())
    await office.courier.look()
    tried = len(office.server.postman.signed_in)
    office.pass_time(600)
    await office.courier.look()
    assert len(office.server.postman.signed_in) == tried
    overview = office.depot.ask(mail_overview)
    assert "refuses user name or password" in overview.trouble
    assert (office.row.state, office.row.tries, office.asked) == (MailState.WAITING, 0, [])
    (problem,) = [one for one in rows_of(office.store, Problem) if one.problem_key == "mail"]
    assert "wrong-password" not in problem.detail
    office.save()
    await office.courier.look()
    assert office.row.state is MailState.SENT
    assert office.depot.ask(mail_overview).trouble == ""
    assert [one.cleared_at is not None for one in rows_of(office.store, Problem)] == [True]


async def test_a_line_that_is_down_is_tried_after_a_while_and_told(office: Office, tmp_path: Path) -> None:
    port = office.server.port
    office.save(port=1)
    office.ask(invitation_id=office.pending())
    for _ in range(3):
        await office.courier.look()
        office.pass_time(301)
    overview = office.depot.ask(mail_overview)
    assert "nothing listens there" in overview.trouble
    assert overview.since == from_ms(T0_MS)
    assert [one.problem_key for one in rows_of(office.store, Problem)] == ["mail"]
    office.save(port=port)
    await office.courier.look()
    assert office.row.state is MailState.SENT


async def test_the_platform_decides_about_links(office: Office) -> None:
    office.ask(invitation_id=office.pending())
    office.refusal = NotReady("The platform does not answer.")
    await office.courier.look()
    assert (office.row.state, office.row.answer) == (MailState.WAITING, "The platform does not answer.")
    office.pass_time(3_600)
    office.refusal = RecordRejected("inv-1", "The invitation of new@example.org is revoked.")
    await office.courier.look()
    assert (office.row.state, office.row.answer) == (MailState.REFUSED, "The invitation of new@example.org is revoked.")
    assert office.taken == []


async def test_what_cannot_be_asked_for(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    row_id = office.pending()
    office.ask(invitation_id=row_id)
    with pytest.raises(MailError, match="waits already"):
        office.ask(invitation_id=row_id)
    with pytest.raises(MailNotFound):
        office.ask(invitation_id="nobody")
    with pytest.raises(MailNotFound):
        office.ask(outbox_id="nothing")
    monkeypatch.setattr("app.mail.queue.MOST_WAITING", 1)
    with pytest.raises(MailError, match="wait to be sent already"):
        office.ask(invitation_id=office.pending("inv-2", email="other@example.org"))
    monkeypatch.undo()
    office.save(enabled=False)
    assert "switched off" in office.depot.ask(mail_hindrance)
    with pytest.raises(MailError, match="switched off"):
        office.ask(invitation_id=office.pending("inv-2", email="other@example.org"))


async def test_switched_off_nothing_goes_out_and_nothing_is_lost(office: Office) -> None:
    office.ask(invitation_id=office.pending())
    office.save(enabled=False)
    await office.courier.look()
    assert (office.row.state, office.taken) == (MailState.WAITING, [])
    office.save(enabled=True)
    await office.courier.look()
    assert office.taken == [TO]


async def test_an_operator_cancels_and_every_act_is_recorded(office: Office) -> None:
    mail_id = office.ask(invitation_id=office.pending())
    at = from_ms(T0_MS)
    office.depot.write(lambda connection: cancel_mail(connection, mail_id, now=at))
    await office.courier.look()
    assert (office.row.state, office.taken) == (MailState.CANCELLED, [])
    with pytest.raises(MailError, match="cancelled"):
        office.depot.write(lambda connection: retry_mail(connection, mail_id))
    with pytest.raises(MailNotFound):
        office.depot.write(lambda connection: cancel_mail(connection, "none", now=at))
    assert [act.what for act in rows_of(office.store, Act)][-2:] == ["mail.ask", "mail.cancel"]


async def test_a_demo_and_a_copied_store_send_nothing(office: Office, tmp_path: Path) -> None:
    office.ask(invitation_id=office.pending())
    (tmp_path / "demo.lock").touch()
    await asyncio.wait_for(office.make_courier().watch(), 5)
    assert office.taken == []
    (tmp_path / "demo.lock").unlink()
    office.depot.do(invite, "mod4-1", "somebody@example.org")
    await asyncio.to_thread(OutboxSeal(office.store, tmp_path).verify, from_ms(T0_MS))
    for file in office.folder.rglob("*outbox*.json"):
        file.write_text(file.read_text().replace('"place": "', '"place": "elsewhere '), encoding="utf-8")
    await office.courier.look()
    assert office.taken == []


ROOT = Path(__file__).parents[4]
CHILD = """
import asyncio, sys
from pathlib import Path
from types import SimpleNamespace
from app.store.store import Store
from tests.helpers.dispatch import catalogue
from tests.unit.app.mail.test_courier import Office
folder, port, fingerprint = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
server = SimpleNamespace(values=lambda: {"port": port, "fingerprint": fingerprint})
store = Store.open(f"sqlite:///{folder / 'store.db'}")


async def main():
    await Office(store, server, folder, SimpleNamespace(catalogue=catalogue())).courier.look()


asyncio.run(main())
"""


async def test_a_kill_between_acceptance_and_commit_repeats_once_with_the_same_number(
    sqlite_store: Store, tmp_path: Path
) -> None:
    """kill -9 of the sending process while the server has the mail and its answer is on the way."""
    postman = Postman()
    children: list[subprocess.Popen[bytes]] = []

    def kill() -> None:
        if children:
            os.kill(children[0].pid, signal.SIGKILL)
            children[0].wait()

    postman.on_data = kill
    with serve_mail(tmp_path, postman=postman) as server:
        office = Office(sqlite_store, server, Path(str(sqlite_store.url.database)).parent)
        office.ask(invitation_id=office.pending())
        office.save()
        arguments = [str(office.folder), str(server.port), server.certificate.fingerprint]
        command = [sys.executable, "-c", CHILD, *arguments]
        children.append(await asyncio.to_thread(subprocess.Popen, command, cwd=ROOT))
        assert await asyncio.to_thread(children[0].wait, 30) == -signal.SIGKILL
        assert (office.row.state, len(postman.taken)) == (MailState.SENDING, 1)
        children.clear()
        courier = office.make_courier()
        await courier.close_left_over()
        assert office.row.state is MailState.WAITING
        assert "sent once more" in office.row.answer
        for _ in range(3):
            await courier.look()
            office.pass_time(7_200)
        assert (office.row.state, len(postman.taken)) == (MailState.SENT, 2)
        first, second = postman.mails
        assert first["Message-ID"] == second["Message-ID"] is not None
        office.scribe.close()
