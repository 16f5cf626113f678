"""What stands between the queue and the mail server: one fact, kept by the engine and shown above the queue."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy import Connection

from app.fleet.text import storable
from app.problems import Issue, clear_problems, raise_problem
from app.security.redaction import redact_text
from app.store.changes import raise_topic
from app.store.facts import clear_fact, get_fact, set_fact

FACT = "mail_trouble"
PROBLEM = "mail"
TOLD_AFTER = 3
"""Failed tries in a row of a line that may mend itself, after which the operator is told."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """``next_try_ms`` is 0 where a person must act first. ``version`` is that of the settings that it was met with."""

    why: str
    since_ms: int
    next_try_ms: int
    failures: int
    version: int
    field: str = ""

    @property
    def needs_person(self) -> bool:
        return self.next_try_ms == 0


def get_trouble(connection: Connection) -> Trouble | None:
    """None where the last try went well, or there was none."""
    fact = get_fact(connection, FACT)
    return None if fact is None else Trouble(**fact)


def note_trouble(connection: Connection, trouble: Trouble, now_ms: int) -> None:
    raise_topic(connection, "mail")
    kept = asdict(trouble)
    kept["why"] = storable(redact_text(trouble.why), 2_000)
    set_fact(connection, FACT, kept)
    if trouble.needs_person or trouble.failures >= TOLD_AFTER:
        detail = f"{trouble.why} Mails wait in the queue: Settings, Mail."
        raise_problem(connection, None, Issue(PROBLEM, "Mails cannot be sent", detail, "settings"), now_ms)


def clear_trouble(connection: Connection, now_ms: int | None = None) -> None:
    """The line holds, or is to be tried at once. With ``now_ms`` the problem is over as well."""
    if get_fact(connection, FACT) is not None:
        raise_topic(connection, "mail")
        clear_fact(connection, FACT)
    if now_ms is not None:
        clear_problems(connection, None, frozenset({PROBLEM}), now_ms)
