"""One connection to a real mail server: layers, answers, cuts, and what none of them may show."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest

from adapters.base import CheckStep, Layer
from adapters.errors import AdapterError, AuthFailed, NotReady, Unsupported
from app.mail.check import send_test_mail
from app.mail.message import build_message
from app.mail.smtp import Delivery, MailLine, Outcome, as_sent
from app.mail.templates import DEFAULT, EXAMPLES, Filled, Template, fill
from tests.helpers.certificates import make_certificate
from tests.helpers.mail_server import PASSWORD, USER, MailServer, Postman, free_port, serve_mail

TO = "driver@example.org"
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def a_mail(server: MailServer, filled: Filled | None = None, to: str = TO) -> bytes:
    made = build_message(server.settings(), to, filled or fill(DEFAULT, EXAMPLES), "<m-1@example.org>", NOW)
    return as_sent(made)


def send(server: MailServer, *recipients: str, step_s: float = 5, limit_s: float = 20, **other: Any) -> list[Delivery]:
    with MailLine(server.settings(**other), PASSWORD, step_s=step_s, limit_s=limit_s) as line:
        return [line.send(a_mail(server, to=to), USER, to) for to in recipients or (TO,)]


def refusal(server: MailServer, password: str = PASSWORD, **other: Any) -> AdapterError:
    with pytest.raises(AdapterError) as caught, MailLine(server.settings(**other), password, step_s=2, limit_s=10):
        pass
    assert not password or password not in str(caught.value)
    assert not server.postman.taken
    return caught.value


@pytest.mark.parametrize("security", ["starttls", "tls", "none"])
def test_a_mail_is_taken(tmp_path: Path, security: Literal["starttls", "tls", "none"]) -> None:
    steps: list[CheckStep] = []
    with serve_mail(tmp_path, security) as server, MailLine(server.settings(), PASSWORD, steps.append) as line:
        (sent, again) = (line.send(a_mail(server), USER, TO) for _ in range(2))
    assert (sent.outcome, again.outcome) == (Outcome.SENT, Outcome.SENT)
    assert sent.answer == "“250 2.0.0 queued as 4711”."
    assert [step.layer for step in steps] == [Layer.NAME, Layer.ROUTE, Layer.TLS, Layer.SIGN_IN]
    assert server.postman.signed_in == [("PLAIN", USER)]
    mail = server.postman.mails[0]
    assert mail["From"] == "Kano Depot <depot@example.org>"
    assert (mail["To"], mail["Message-ID"], mail["Auto-Submitted"]) == (TO, "<m-1@example.org>", "auto-generated")
    assert EXAMPLES["link"] in mail.get_content()


def test_lines_that_begin_with_a_dot_and_long_ones_arrive_as_they_are(server: MailServer) -> None:
    body = ".\n..two\nä" + "x" * 3_000 + "\n.\nQUIT\n"
    with MailLine(server.settings(), PASSWORD) as line:
        assert line.send(a_mail(server, Filled("Dots", body)), USER, TO).outcome is Outcome.SENT
    assert server.postman.mails[0].get_content().replace("\r\n", "\n") == body


def test_sign_in_by_login_where_that_is_offered_alone(tmp_path: Path) -> None:
    with serve_mail(tmp_path, mechanisms=("PLAIN",)) as server:
        assert send(server)[0].outcome is Outcome.SENT
        assert server.postman.signed_in == [("LOGIN", USER)]


def test_a_server_without_a_password_sign_in_is_named(tmp_path: Path) -> None:
    with serve_mail(tmp_path, mechanisms=("PLAIN", "LOGIN")) as server:
        assert "offers no sign-in with a password" in refusal(server).why
    with serve_mail(tmp_path, "none", sign_in=False) as server:
        assert send(server, username="")[0].outcome is Outcome.SENT


def test_each_recipient_has_an_answer_of_its_own(server: MailServer) -> None:
    server.postman.answers = {"gone@example.org": "550 5.1.1 no such user", "full@example.org": "452 4.2.2 full"}
    server.postman.data_answers = {"later@example.org": ["451 4.7.1 greylisted"], "spam@example.org": ["554 spam"]}
    names = ("gone", "full", "later", "spam", "driver")
    found = send(server, *(f"{name}@example.org" for name in names))
    outcomes = [one.outcome for one in found]
    assert outcomes == [Outcome.REFUSED, Outcome.LATER, Outcome.LATER, Outcome.REFUSED, Outcome.SENT]
    assert found[0].answer == "“550 5.1.1 no such user”."
    assert [to for _from, to, _content in server.postman.taken] == [TO]


@pytest.mark.parametrize(
    ("cut", "outcome"),
    [("mail", Outcome.LATER), ("rcpt", Outcome.LATER), ("data", Outcome.DOUBTFUL), ("accepted", Outcome.DOUBTFUL)],
)
def test_a_connection_that_is_cut(server: MailServer, cut: Any, outcome: Outcome) -> None:
    server.postman.cut = cut
    (found,) = send(server)
    assert (found.outcome, found.is_cut) == (outcome, True)
    assert "broke off" in found.answer


def test_a_server_that_never_answers_is_given_up(server: MailServer) -> None:
    server.postman.stall = True
    try:
        (found,) = send(server, step_s=30, limit_s=0.5)
        assert (found.outcome, found.is_cut) == (Outcome.DOUBTFUL, True)
    finally:
        server.postman.stall = False


def test_a_wrong_password_is_refused_and_never_shown(server: MailServer) -> None:
    found = refusal(server, "another-password-9")
    assert isinstance(found, AuthFailed)
    assert "refuses user name or password" in found.why
    assert isinstance(refusal(server, ""), AuthFailed)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_wrong_certificate_names_its_fingerprint(tmp_path: Path, security: Literal["starttls", "tls"]) -> None:
    with serve_mail(tmp_path, security) as server:
        shown = ":".join(server.certificate.fingerprint.upper()[at : at + 2] for at in range(0, 64, 2))
        pinned = refusal(server, fingerprint=make_certificate("other").fingerprint)
        assert (pinned.field, pinned.proposal) == ("fingerprint", shown)
        assert "is not the pinned one" in pinned.why
        unknown = refusal(server, fingerprint="")
        assert (unknown.field, unknown.proposal) == ("fingerprint", shown)
        assert server.postman.signed_in == []


def test_a_server_that_offers_no_encryption_gets_neither_password_nor_mail(tmp_path: Path) -> None:
    with serve_mail(tmp_path, "none") as server:
        found = refusal(server, security="starttls", fingerprint=server.certificate.fingerprint)
        assert isinstance(found, Unsupported)
        assert "offers no STARTTLS" in found.why
        assert "465 is for TLS" in refusal(server, security="tls").why
        assert server.postman.signed_in == []


def test_starttls_at_a_port_for_tls(tmp_path: Path) -> None:
    with serve_mail(tmp_path, "tls") as server:
        assert refusal(server, security="starttls").field == "security"


@contextmanager
def listener(answer: bytes) -> Iterator[int]:
    """Something that is no mail server: it says its word and goes."""
    with socket.create_server(("127.0.0.1", 0)) as ear:

        def serve() -> None:
            while True:
                try:
                    line, _ = ear.accept()
                except OSError:
                    return
                with line:
                    line.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield ear.getsockname()[1]
        ear.shutdown(socket.SHUT_RDWR)
        thread.join(5)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"554 go away\r\n", b"\xff" * 20_000])
def test_what_is_no_mail_server_is_told_apart(server: MailServer, answer: bytes) -> None:
    with listener(answer) as port:
        assert isinstance(refusal(server, port=port), NotReady)


def test_nobody_there(server: MailServer) -> None:
    assert "nothing listens" in refusal(server, port=free_port()).why
    assert refusal(server, host="no-such-host.invalid").field == "host"


def test_hostile_values_add_no_header_and_no_line(server: MailServer) -> None:
    evil = "Musa\r\nBcc: all@example.org\n\n<script>{link}\u202e\x00"
    values = {**EXAMPLES, "person": evil, "depot": evil}
    filled = fill(Template("For {person} of {depot}", "Dear {person}\n{link}\n"), values)
    with MailLine(server.settings(sender_name='Depot" <x@evil.example>, "'), PASSWORD) as line:
        content = as_sent(
            build_message(server.settings(sender_name='D" <x@evil.example>, "'), TO, filled, "<m@e.org>", NOW)
        )
        assert line.send(content, USER, TO).outcome is Outcome.SENT
    (mail,) = server.postman.mails
    assert mail["Bcc"] is None
    assert mail["From"].addresses[0].addr_spec == USER
    assert len(mail["From"].addresses) == len(mail["To"].addresses) == 1
    assert mail["Subject"].startswith("For Musa Bcc: all@example.org <script>{link} of Musa")
    assert mail.get_content().splitlines() == ["Dear Musa Bcc: all@example.org <script>{link}", EXAMPLES["link"]]


# -- the test of the settings ------------------------------------------------------------------------------------------


def test_the_test_mail_walks_every_layer(server: MailServer) -> None:
    report = send_test_mail(server.values(), PASSWORD, "", NOW)
    assert report.ok
    assert [step.layer for step in report.layers][-2:] == [Layer.SIGN_IN, Layer.PERMISSION]
    assert server.postman.mails[0]["To"] == USER


@pytest.mark.parametrize(
    ("values", "password", "layer"),
    [
        ({"host": "no-such-host.invalid"}, PASSWORD, Layer.NAME),
        ({"port": 1}, PASSWORD, Layer.ROUTE),
        ({"fingerprint": ""}, PASSWORD, Layer.TLS),
        ({}, "wrong-password", Layer.SIGN_IN),
    ],
)
def test_the_test_names_the_layer_that_failed(
    server: MailServer, values: dict[str, Any], password: str, layer: Layer
) -> None:
    report = send_test_mail(server.values(**values), password, "", NOW)
    assert not report.ok
    assert (report.layers[-1].layer, report.layers[-1].ok) == (layer, False)


def test_the_test_shows_who_may_not_send(tmp_path: Path) -> None:
    with serve_mail(tmp_path, postman=Postman(answers={USER: "553 5.7.1 sender not owned"})) as server:
        report = send_test_mail(server.values(), PASSWORD, "", NOW)
        assert report.layers[-1].layer is Layer.PERMISSION
        assert "553 5.7.1 sender not owned" in report.why
    assert send_test_mail(server.values(sender="nobody"), "", "", NOW).faults[0].why.startswith("No mail can be sent")
    assert not send_test_mail(server.values(security="none", host="smtp.example.org"), "", "", NOW).ok
