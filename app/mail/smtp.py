"""One connection to a mail server, step by step, so that each failure says what failed and whether a mail went out.

Standard library only; everything blocks: call it off the event loop. Nothing is sent over a connection that is not
encrypted as the settings want it, and no password before that.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from enum import StrEnum
from types import TracebackType

from adapters.base import CheckStep, Layer
from adapters.connect import capital, format_fingerprint, is_loopback, os_error, silent, tls_error
from adapters.errors import AdapterError, AuthFailed, NotReady, Unsupported
from app.kit import tls_context
from app.mail.settings import MailSettings
from app.security.redaction import redact_text

STEP_S = 30.0
"""The longest wait for one answer."""
LIMIT_S = 180.0
"""After which a connection is cut whatever it does: a server that drips one byte after another holds up nobody."""
LONGEST_ANSWER = 500

OnStep = Callable[[CheckStep], None]
_CRLF_DOT = re.compile(rb"(?m)^\.")


class Outcome(StrEnum):
    """What became of one mail. ``DOUBTFUL``: handed over whole, and the answer was lost."""

    SENT = "sent"
    LATER = "later"
    REFUSED = "refused"
    DOUBTFUL = "doubtful"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One try. ``answer`` is the server's own words or a sentence; ``is_cut``: the connection is of no use any more."""

    outcome: Outcome
    answer: str
    is_cut: bool = False


class MailLine:
    """A connection that is open, encrypted and signed in while the block runs.

    ``on_step`` hears of each layer as it is proved. Raises on entering: NotReady where trying again may help,
    AuthFailed, Unsupported.
    """

    def __init__(
        self,
        settings: MailSettings,
        password: str,
        on_step: OnStep | None = None,
        *,
        step_s: float = STEP_S,
        limit_s: float = LIMIT_S,
    ) -> None:
        self._settings = settings
        self._password = password
        self._on_step = on_step or (lambda _step: None)
        self._step_s = step_s
        self._limit = threading.Timer(limit_s, self._cut)
        self._limit.daemon = True
        self._smtp: smtplib.SMTP | None = None

    def __enter__(self) -> MailLine:
        self._limit.start()
        try:
            self._open()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def send(self, content: bytes, sender: str, recipient: str) -> Delivery:
        """Hand over one mail for one recipient; ``content`` is :func:`as_sent` of it."""
        smtp = self._live()
        try:
            for said in (smtp.mail(sender), smtp.rcpt(recipient), smtp.docmd("DATA")):
                code, words = said
                if not (200 <= code < 300 or code == 354):
                    return self._turned_down(code, words)
            # The final dot is the last of these bytes: while they could not all be handed over, nothing was accepted.
            smtp.send(content)
        except (OSError, smtplib.SMTPException) as err:
            return Delivery(Outcome.LATER, self._broke(err).why, is_cut=True)
        try:
            code, words = smtp.getreply()
        except (OSError, smtplib.SMTPException):
            answer = (
                f"{capital(self._settings.peer)} broke off after the mail was handed over, so it is not known whether "
                "it took it."
            )
            return Delivery(Outcome.DOUBTFUL, answer, is_cut=True)
        if 200 <= code < 300:
            return Delivery(Outcome.SENT, _said(code, words))
        return self._turned_down(code, words)

    # -- opening --------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        settings = self._settings
        self._step(Layer.NAME, f"{settings.host} is {self._resolve()}.")
        smtp = self._connect()
        self._smtp = smtp
        self._greet(smtp)
        self._encrypt(smtp)
        self._sign_in(smtp)

    def _resolve(self) -> str:
        try:
            found = socket.getaddrinfo(self._settings.host, self._settings.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as err:
            raise NotReady(
                f"The name “{self._settings.host}” of the mail server is not known. Check its spelling and this "
                "computer's network.",
                field="host",
            ) from err
        return ", ".join(dict.fromkeys(str(entry[4][0]) for entry in found))

    def _connect(self) -> smtplib.SMTP:
        """Name and route, and with TLS from the start the handshake; the greeting is awaited by the caller."""
        settings = self._settings
        plain = smtplib.SMTP(timeout=self._step_s, local_hostname="[127.0.0.1]")
        plain._host = settings.host  # type: ignore[attr-defined] # what STARTTLS verifies the certificate against
        try:
            plain.sock = socket.create_connection((settings.host, settings.port), self._step_s)
        except TimeoutError as err:
            raise NotReady(silent(settings.peer, f"{settings.host} port {settings.port}")) from err
        except OSError as err:
            raise os_error(err, settings.peer) from err
        self._step(Layer.ROUTE, f"Port {settings.port} of {settings.host} answers.")
        own = str(plain.sock.getsockname()[0])
        plain.local_hostname = f"[IPv6:{own}]" if ":" in own else f"[{own}]"  # RFC 5321, 4.1.3: no name of ours
        if settings.security == "tls":
            bare = plain.sock
            self._smtp = plain
            plain.sock = self._handshake(lambda context: context.wrap_socket(bare, server_hostname=settings.host))
        return plain

    def _greet(self, smtp: smtplib.SMTP) -> None:
        try:
            code, words = smtp.getreply()
            if code == 220:
                code, words = smtp.ehlo()
                if code >= 500:
                    code, words = smtp.helo()
        except (OSError, smtplib.SMTPException) as err:
            if _timed_out(err) and self._settings.security != "tls":
                raise NotReady(
                    f"{capital(self._settings.peer)} accepts the connection and says nothing. If the port is one for "
                    "TLS from the start (465), choose that encryption.",
                    field="security",
                ) from err
            raise self._broke(err) from err
        if not 200 <= code < 300:
            raise NotReady(f"{capital(self._settings.peer)} does not serve now: {_said(code, words)}")

    def _encrypt(self, smtp: smtplib.SMTP) -> None:
        settings = self._settings
        if settings.security == "none":
            if not is_loopback(settings.host):
                raise Unsupported("Mail is sent without encryption to a server on this computer alone.")
            self._step(Layer.TLS, "Not encrypted: the server is this computer.")
            return
        if settings.security == "starttls":
            if not smtp.has_extn("starttls"):
                raise Unsupported(
                    f"{capital(settings.peer)} offers no STARTTLS on port {settings.port}, so nothing was sent to it. "
                    "Choose TLS with its port (465), or ask its administrator."
                )
            self._handshake(lambda context: smtp.starttls(context=context))
            self._again(smtp)
        assert isinstance(smtp.sock, ssl.SSLSocket)  # noqa: S101 - either way above has made it one
        trust = "the pinned certificate" if settings.fingerprint else "a trusted authority"
        self._step(Layer.TLS, f"Encrypted with {smtp.sock.version()}, verified by {trust}.")

    def _again(self, smtp: smtplib.SMTP) -> None:
        """What a server offers before encryption counts for nothing (RFC 3207, 4.2)."""
        try:
            code, words = smtp.ehlo()
        except (OSError, smtplib.SMTPException) as err:
            raise self._broke(err) from err
        if not 200 <= code < 300:
            raise NotReady(f"{capital(self._settings.peer)} does not serve now: {_said(code, words)}")

    def _handshake(self, begin: Callable[[ssl.SSLContext], object]) -> ssl.SSLSocket:
        settings = self._settings
        context = tls_context(settings.fingerprint)
        try:
            made = begin(context)
        except ssl.SSLCertVerificationError as err:
            shown = tls_error(err, settings.peer, pinned=settings.fingerprint, seen=self._seen_fingerprint())
            if shown.field == "url":
                shown.field = "host"
            raise shown from err
        except ssl.SSLError as err:
            raise NotReady(
                f"{capital(settings.peer)} does not complete encryption. Check the port: 465 is for TLS from the "
                "start, 587 for STARTTLS; and that it offers TLS 1.2 or newer.",
                field="security",
            ) from err
        except smtplib.SMTPResponseException as err:
            raise NotReady(
                f"{capital(settings.peer)} refuses encryption: {_said(err.smtp_code, err.smtp_error)}"
            ) from err
        except (OSError, smtplib.SMTPException) as err:
            raise self._broke(err) from err
        return made if isinstance(made, ssl.SSLSocket) else self._live().sock  # type: ignore[return-value]

    def _seen_fingerprint(self) -> str:
        """What the server presents, for the operator to compare; nothing but the greeting goes over that connection."""
        settings = self._settings
        unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        unverified.check_hostname = False
        unverified.verify_mode = ssl.CERT_NONE
        try:
            if settings.security == "tls":
                bare = socket.create_connection((settings.host, settings.port), self._step_s)
                with bare, unverified.wrap_socket(bare) as wrapped:
                    shown = wrapped.getpeercert(binary_form=True)
            else:
                with smtplib.SMTP(settings.host, settings.port, "[127.0.0.1]", self._step_s) as smtp:
                    smtp.starttls(context=unverified)
                    assert isinstance(smtp.sock, ssl.SSLSocket)  # noqa: S101 - starttls made it one
                    shown = smtp.sock.getpeercert(binary_form=True)
        except (OSError, smtplib.SMTPException):
            return ""
        return format_fingerprint(hashlib.sha256(shown).hexdigest()) if shown else ""

    def _sign_in(self, smtp: smtplib.SMTP) -> None:
        settings = self._settings
        if not settings.username:
            self._step(Layer.SIGN_IN, "No sign-in: no user name is set.")
            return
        if not self._password:
            raise AuthFailed(
                "The password of the mail server is not in the key store of this computer. Enter it in the settings."
            )
        offered = smtp.esmtp_features.get("auth", "").upper().split()
        try:
            code, words = self._say_who(smtp, offered)
        except (OSError, smtplib.SMTPException) as err:
            raise self._broke(err) from err
        if code == 235:
            self._step(Layer.SIGN_IN, f"Signed in as {settings.username}.")
            return
        said = _said(code, words)
        if 400 <= code < 500:
            raise NotReady(f"{capital(settings.peer)} cannot check the password now: {said}")
        raise AuthFailed(
            f"{capital(settings.peer)} refuses user name or password: {said} Correct them in the settings. Some "
            "providers want a password made for programs."
        )

    def _say_who(self, smtp: smtplib.SMTP, offered: list[str]) -> tuple[int, bytes]:
        """PLAIN (RFC 4616) or LOGIN, in UTF-8, which the library's own way does not know."""
        user, word = self._settings.username.encode(), self._password.encode()
        if "PLAIN" in offered:
            return smtp.docmd("AUTH", f"PLAIN {_base64(b''.join((b'', bytes(1), user, bytes(1), word)))}")
        if "LOGIN" in offered:
            code, words = smtp.docmd("AUTH", f"LOGIN {_base64(user)}")
            return smtp.docmd(_base64(word)) if code == 334 else (code, words)
        raise Unsupported(
            f"{capital(self._settings.peer)} offers no sign-in with a password"
            f"{' (it offers ' + ', '.join(offered) + ')' if offered else ''}. Use another port or server, or leave the "
            "user name empty where it wants none."
        )

    # -- small parts ----------------------------------------------------------------------------------------------

    def _step(self, layer: Layer, detail: str) -> None:
        self._on_step(CheckStep(layer, ok=True, detail=detail))

    def _live(self) -> smtplib.SMTP:
        assert self._smtp is not None  # noqa: S101 - only inside the block
        return self._smtp

    def _turned_down(self, code: int, words: bytes) -> Delivery:
        said = _said(code, words)
        outcome = Outcome.REFUSED if code >= 500 else Outcome.LATER  # 4xx, and what no server should answer there
        is_cut = code == 421  # RFC 5321, 3.8: the server closes
        if not is_cut:
            try:
                self._live().rset()
            except (OSError, smtplib.SMTPException):
                is_cut = True
        return Delivery(outcome, said, is_cut)

    def _broke(self, err: Exception) -> AdapterError:
        if _timed_out(err):
            return NotReady(silent(self._settings.peer))
        if isinstance(err, smtplib.SMTPServerDisconnected | ssl.SSLError):
            return NotReady(f"{capital(self._settings.peer)} broke off the connection. It is tried again by itself.")
        if isinstance(err, smtplib.SMTPResponseException):
            return NotReady(f"{capital(self._settings.peer)} answered: {_said(err.smtp_code, err.smtp_error)}")
        if isinstance(err, OSError) and not isinstance(err, smtplib.SMTPException):
            return os_error(err, self._settings.peer)
        return NotReady(f"{capital(self._settings.peer)} answers otherwise than mail servers do. Check the port.")

    def _cut(self) -> None:
        sock = self._smtp.sock if self._smtp is not None else None
        if sock is not None:
            with contextlib.suppress(OSError):  # closed already
                sock.shutdown(socket.SHUT_RDWR)

    def _close(self) -> None:
        self._limit.cancel()
        smtp, self._smtp = self._smtp, None
        if smtp is None:
            return
        with contextlib.suppress(OSError, smtplib.SMTPException):  # what was to be said is said
            if smtp.sock is not None:
                smtp.sock.settimeout(2.0)
                smtp.quit()
        smtp.close()


def _timed_out(err: Exception) -> bool:
    """Whether nothing came in time; the library tells that as a connection that was closed."""
    return isinstance(err, TimeoutError) or isinstance(err.__context__, TimeoutError)


def as_sent(message: EmailMessage) -> bytes:
    """As DATA carries it: lines end with CRLF, leading dots doubled, a dot alone at the end (RFC 5321, 4.5.2)."""
    content = message.as_bytes(policy=SMTP_POLICY)
    if not content.endswith(b"\r\n"):
        content += b"\r\n"
    return _CRLF_DOT.sub(b"..", content) + b".\r\n"


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _said(code: int, words: bytes | str) -> str:
    """A server's answer as one line of plain text, without what must not be shown."""
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    plain = "".join(char if char.isprintable() else " " for char in text)
    line = f"“{code} {' '.join(plain.split())}”"
    return redact_text(line[:LONGEST_ANSWER] + ("”" if len(line) > LONGEST_ANSWER else "")) + "."
