"""A real mail server for tests (aiosmtpd): TLS, sign-in, answers and cuts as a test wants them."""

from __future__ import annotations

import asyncio
import email
import email.policy
import logging
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Literal

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from app.mail.settings import MailSettings
from tests.helpers.certificates import Certificate, make_certificate

USER = "depot@example.org"
PASSWORD = "planted-mail-password-ß"
Cut = Literal["", "mail", "rcpt", "data", "accepted"]


@dataclass
class Postman:
    """The server's side. ``answers`` maps a recipient to what RCPT is answered, ``data_answers`` what DATA is.

    ``cut`` ends the connection at that step; at ``accepted`` the mail was taken and the answer never comes.
    """

    answers: dict[str, str] = field(default_factory=dict)
    data_answers: dict[str, list[str]] = field(default_factory=dict)
    cut: Cut = ""
    cuts_left: int = 1_000
    stall: bool = False
    taken: list[tuple[str, str, bytes]] = field(default_factory=list)
    signed_in: list[tuple[str, str]] = field(default_factory=list)
    on_data: Callable[[], None] = lambda: None

    @property
    def mails(self) -> list[EmailMessage]:
        found = [email.message_from_bytes(content, policy=email.policy.default) for _from, _to, content in self.taken]
        assert all(isinstance(one, EmailMessage) for one in found)
        return found

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, mail_options: list[str]
    ) -> str:
        if self._cuts(server, "mail"):
            return "421 gone"
        envelope.mail_from = address
        envelope.mail_options.extend(mail_options)
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, rcpt_options: list[str]
    ) -> str:
        if self._cuts(server, "rcpt"):
            return "421 gone"
        answer = self.answers.get(address, "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        while self.stall:  # noqa: ASYNC110 - set by the thread of the test
            await asyncio.sleep(0.02)
        if self._cuts(server, "data"):
            return "421 gone"
        recipient = envelope.rcpt_tos[0]
        waiting = self.data_answers.get(recipient, [])
        if waiting:
            return waiting.pop(0)
        assert isinstance(envelope.content, bytes)
        self.taken.append((str(envelope.mail_from), recipient, envelope.content))
        self.on_data()
        self._cuts(server, "accepted")
        return "250 2.0.0 queued as 4711"

    def _cuts(self, server: SMTP, step: Cut) -> bool:
        if self.cut != step or self.cuts_left <= 0:
            return False
        self.cuts_left -= 1
        transport: Any = server.transport
        transport.abort()
        return True

    def sign_in(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        given = (data.login.decode(), data.password.decode())
        self.signed_in.append((mechanism, given[0]))
        return AuthResult(success=given == (USER, PASSWORD), handled=False)


logging.getLogger("mail.log").propagate = False  # the server's own log: it tells of every line that is cut


@dataclass
class MailServer:
    """A server that runs, and the settings that lead to it."""

    postman: Postman
    port: int
    security: Literal["starttls", "tls", "none"]
    certificate: Certificate

    def values(self, **other: Any) -> dict[str, Any]:
        values = {
            "enabled": True,
            "host": "127.0.0.1",
            "port": self.port,
            "security": self.security,
            "username": USER,
            "sender": USER,
            "sender_name": "Kano Depot",
            "fingerprint": "" if self.security == "none" else self.certificate.fingerprint,
        }
        return {**values, **other}

    def settings(self, **other: Any) -> MailSettings:
        return MailSettings(**self.values(**other))


@contextmanager
def serve_mail(
    folder: Path,
    security: Literal["starttls", "tls", "none"] = "starttls",
    *,
    sign_in: bool = True,
    port: int = 0,
    postman: Postman | None = None,
    mechanisms: tuple[str, ...] = (),
) -> Iterator[MailServer]:
    """A mail server on a free port, or on ``port``; ``mechanisms`` are ways of signing in that it leaves out."""
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # the peer's own log: what it meets is what tests want
    certificate = make_certificate("mail")
    context: ssl.SSLContext | None = None if security == "none" else certificate.server_context(folder)
    postman = postman or Postman()
    options: dict[str, Any] = {"authenticator": postman.sign_in} if sign_in else {}
    options |= {"auth_exclude_mechanism": list(mechanisms)} if mechanisms else {}
    if security == "starttls":
        options |= {"tls_context": context, "require_starttls": True, "auth_required": sign_in}
    else:
        # Encrypted from the start, which aiosmtpd does not count as TLS; or on this computer alone.
        options |= {"auth_require_tls": False}
    controller = Controller(
        postman,
        hostname="127.0.0.1",
        port=port or free_port(),
        ssl_context=context if security == "tls" else None,
        ident="postman",
        **options,
    )
    controller.start()
    try:
        yield MailServer(postman, controller.port, security, certificate)
    finally:
        controller.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
