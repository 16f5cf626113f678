"""The text of mails: placeholders that are checked when a template is saved, and filled in one pass.

Whatever fills a placeholder comes from outside. It is one line of plain text without control characters by the time it
is filled in, and what looks like a placeholder in it stays as it is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from app.clock import from_ms
from app.mail.errors import MailError
from app.security.audit import record_act
from app.store.changes import raise_topic
from app.store.facts import get_fact, set_fact

INVITATION = "invitation"
PLACEHOLDERS: Mapping[str, str] = {
    "link": "what the invited person opens; it is asked for when the mail is sent and kept nowhere",
    "person": "their name, else their address",
    "workspace": "the workspace at the driver platform",
    "expires": "until when the link is valid",
    "depot": "the depot's name from the mail settings",
}
EXAMPLES: Mapping[str, str] = {
    "link": "https://drivers.example.org/invite/EXAMPLE",
    "person": "Musa Bello",
    "workspace": "Kano Depot",
    "expires": "2 December 2026, 14:30 UTC",
    "depot": "Kano Depot",
}
LONGEST_SUBJECT = 150
LONGEST_BODY = 8_000
LONGEST_VALUE = 200
LONGEST_LINK = 2_000

_PLACEHOLDER = re.compile(r"\{\s*([^{}\n]{0,60}?)\s*\}")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of characters that end a line, or that turn and hide text (Unicode, 4.5)."""


@dataclass(frozen=True, slots=True)
class Template:
    """Subject and plain text, with placeholders in braces."""

    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class Filled:
    """What is sent. Its representation does not show it: the body holds the link."""

    subject: str
    body: str

    def __repr__(self) -> str:
        return f"Filled(subject={self.subject!r})"


DEFAULT = Template(
    "Your invitation to the driver app of {depot}",
    "Hello {person},\n\n"
    "{depot} invites you to the driver app for the workspace {workspace}. Open this link on the phone that you will "
    "drive with:\n\n"
    "{link}\n\n"
    "The link is for you alone: whoever has it can use it. It is valid until {expires}.\n"
    "If you do not expect this mail, delete it.\n\n"
    "{depot}\n",
)


def get_template(connection: Connection, name: str = INVITATION) -> Template:
    """The saved one, else the default."""
    fact = get_fact(connection, _fact(name))
    return DEFAULT if fact is None else Template(str(fact.get("subject", "")), str(fact.get("body", "")))


def save_template(
    connection: Connection, template: Template, name: str = INVITATION, *, who: str | None = None
) -> Template:
    """Save a template as :func:`checked_template` gives it. Raises MailError naming the first fault."""
    good = checked_template(template)
    before = get_template(connection, name)
    raise_topic(connection, "mail")
    set_fact(connection, _fact(name), {"subject": good.subject, "body": good.body})
    sides = ({"subject": one.subject, "text": one.body} for one in (before, good))
    record_act(
        connection,
        what="mail.template",
        subject=f"Mail template “{name}”",
        before=next(sides),
        after=next(sides),
        who=who,
    )
    return good


def checked_template(template: Template) -> Template:
    """The template, trimmed, with line ends of one kind. Raises MailError with ``field`` ``subject`` or ``body``."""
    subject = template.subject.strip()
    body = template.body.replace("\r\n", "\n").replace("\r", "\n").rstrip() + "\n"
    if not subject:
        raise MailError("The subject is empty. Mails without one end up as spam.", "subject")
    if len(subject) > LONGEST_SUBJECT:
        raise MailError(f"The subject is longer than {LONGEST_SUBJECT} characters. Shorten it.", "subject")
    if _is_odd(subject, ""):
        raise MailError("The subject must be one line of plain text.", "subject")
    if len(body) > LONGEST_BODY:
        raise MailError(f"The text is longer than {LONGEST_BODY:,} characters. Shorten it.", "body")
    if _is_odd(body, "\n\t"):
        raise MailError("The text holds characters that nobody sees. Write it as plain text.", "body")
    for field, text in (("subject", subject), ("body", body)):
        strange = next((name for name in placeholders_of(text) if name not in PLACEHOLDERS), None)
        if strange is not None:
            known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
            raise MailError(f"There is no placeholder {{{strange}}}. There are: {known}.", field)
    if "link" in placeholders_of(subject):
        raise MailError("The link cannot stand in the subject: mail servers write subjects into their logs.", "subject")
    if "link" not in placeholders_of(body):
        raise MailError("The text needs {link}: without it the invited person has nothing to open.", "body")
    return Template(subject, body)


def placeholders_of(text: str) -> list[str]:
    """Names in braces, in order."""
    return [found.group(1) for found in _PLACEHOLDER.finditer(text)]


def fill(template: Template, values: Mapping[str, str]) -> Filled:
    """Subject and body with the placeholders filled; one that has no value becomes nothing."""
    clean = {name: _one_line(text, LONGEST_LINK if name == "link" else LONGEST_VALUE) for name, text in values.items()}

    def value_of(found: re.Match[str]) -> str:
        return clean.get(found.group(1), "")

    subject = " ".join(_PLACEHOLDER.sub(value_of, template.subject).split())
    return Filled(_one_line(subject, 2 * LONGEST_VALUE), _PLACEHOLDER.sub(value_of, template.body))


def preview(template: Template, depot: str = "") -> Filled:
    """What a mail would look like, with examples. Raises MailError like :func:`checked_template`."""
    return fill(checked_template(template), {**EXAMPLES, **({"depot": depot} if depot else {})})


def day_and_time(ms: int) -> str:
    """``2 December 2026, 14:30 WAT`` in this computer's zone; "an unknown day" for what no calendar holds."""
    try:
        moment = from_ms(ms).astimezone()
    except (OverflowError, OSError, ValueError):
        return "an unknown day"
    return f"{moment.day} {moment:%B %Y, %H:%M %Z}"


def _fact(name: str) -> str:
    return f"mail_template_{name}"


def _is_odd(text: str, allowed: str) -> bool:
    return any(unicodedata.category(char) in _UNSEEN and char not in allowed for char in text)


def _one_line(text: str, longest: int) -> str:
    plain = "".join(" " if unicodedata.category(char) in _UNSEEN else char for char in text)
    return " ".join(plain.split())[:longest]
