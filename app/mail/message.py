"""A mail as it goes out: headers that nothing from outside can begin, one recipient, plain text."""

from __future__ import annotations

from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from app.mail.addresses import mail_address
from app.mail.settings import MailSettings
from app.mail.templates import Filled


def build_message(
    settings: MailSettings, recipient: str, filled: Filled, message_id: str, now: datetime
) -> EmailMessage:
    """The message. ``message_id`` is the same at every try, so that a repeat is known as one. Raises MailError."""
    message = EmailMessage(policy=SMTP)
    message["From"] = _address(settings.sender_name, mail_address(settings.sender, "sender"))
    message["To"] = _address("", mail_address(recipient))
    message["Subject"] = filled.subject
    message["Date"] = format_datetime(now)
    message["Message-ID"] = message_id
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    message.set_content(filled.body, cte="quoted-printable")
    return message


def _address(name: str, address: str) -> Address:
    local, _, domain = address.rpartition("@")
    return Address(name, local, domain)
