"""What a database server's refusals mean in plain words (PostgreSQL documentation, appendix A: error codes)."""

from __future__ import annotations

from adapters.connect import capital
from adapters.errors import AdapterError, AuthFailed, BadReply, NotReady, SettingsInvalid

ROLE_SCRIPT = "adapters/mod4/platform/console_role.sql"
REPAIR_SCRIPT = "adapters/mod4/platform/repair.sql"
LONGEST_WORDS = 300

REPAIR = f"Have the platform's administrator run the repair script ({REPAIR_SCRIPT})."
GRANT = f"Have the platform's administrator run the role script ({ROLE_SCRIPT})."
WEB_GRANT = (
    "The web service keeps to the platform's own rules. Choose the way in “database” with the role script "
    f"({ROLE_SCRIPT}), which passes them, or have the platform's administrator change the rules."
)

_ILL = (
    "42P01", "42703", "42883", "42704", "42P02", "22P02", "42804", "42601", "42702", "42725", "PGRST200", "PGRST201",
    "PGRST202", "PGRST204", "PGRST205",
)  # fmt: skip
"""Undefined or mistaken tables, columns, functions, types: a function of the platform fails inside. Those of PostgREST
say so of what is asked for (its documentation: errors, group 2)."""


class Refused(Exception):
    """The server refused one statement; nothing was changed. ``words`` are its own, in one line.

    ``grant`` is what gives a right that is lacking.
    """

    def __init__(self, sqlstate: str, words: str, grant: str = GRANT) -> None:
        super().__init__(words)
        self.sqlstate = sqlstate
        self.words = words
        self.grant = grant

    @property
    def is_ill(self) -> bool:
        """Something of the platform is broken, as against a rule that says no."""
        return self.sqlstate in _ILL

    @property
    def is_right(self) -> bool:
        """The role lacks a right."""
        return self.sqlstate == "42501"

    def sentence(self, what: str) -> str:
        """What the operator reads: what was tried, the server's words, what to do."""
        said = f"{what} was refused by the platform: “{self.words.rstrip('.')}”."
        if self.is_right:
            return f"{said} {self.grant}"
        if self.sqlstate.startswith("PGRST"):
            return f"{said} The platform is of another version than this console: update either."
        if self.is_ill:
            return f"{said} Its own function is broken. {REPAIR}"
        return f"{said} Nothing was changed."


def one_line(text: str, longest: int = LONGEST_WORDS) -> str:
    """A server's text as one short line of printable characters."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def not_connected(sqlstate: str, said: str, peer: str, username: str, database: str) -> AdapterError:
    """A connection that was not made. ``sqlstate`` is "" where the other side sent none."""
    words = one_line(said)
    match sqlstate:
        case "28P01":
            return AuthFailed(
                f"{capital(peer)} refused the user name {username} or its password. Enter them again; the password "
                "may have been changed."
            )
        case "28000":
            return AuthFailed(
                f"{capital(peer)} lets {username} in from this computer not at all, or not without encryption. Ask its "
                "administrator to allow this role and this computer's address (pg_hba.conf)."
            )
        case "3D000":
            return SettingsInvalid(
                "database", f"{capital(peer)} has no database “{database}”. Check its name; mostly it is “postgres”."
            )
        case "42501":
            return AuthFailed(f"The role {username} may not use the database “{database}”. {GRANT}")
        case "53300":
            return NotReady(
                f"{capital(peer)} has no connection free. It is tried again by itself; if this lasts, ask its "
                "administrator to raise max_connections."
            )
        case "57P03":
            return NotReady(f"{capital(peer)} is starting or stopping. It is tried again by itself.")
        case "":
            return _not_spoken(words, peer)
        case _:
            return NotReady(f"{capital(peer)} refused the connection: “{words}”. It is tried again by itself.")


def _not_spoken(words: str, peer: str) -> AdapterError:
    low = words.lower()
    if any(part in low for part in ("invalid response", "expected authentication", "expected ", "unexpected", "sasl")):
        return not_postgresql(peer, words)
    return NotReady(f"{capital(peer)} broke off before the sign-in was done. It is tried again by itself.")


def not_postgresql(peer: str, sample: str) -> BadReply:
    return BadReply(
        f"{capital(peer)} does not speak PostgreSQL there. Check the port: the one of a web address is another.", sample
    )


def lost(sqlstate: str, said: str, peer: str, limit_s: int) -> NotReady | None:
    """What ends the connection, or may pass by itself; None for a refusal of the statement alone."""
    words = one_line(said)
    match sqlstate:
        case "57014":
            return NotReady(
                f"{capital(peer)} did not finish a statement within {limit_s} s, so it was given up. It is tried again "
                "by itself; if this lasts, look at the server's load, or raise “Longest statement”."
            )
        case "40001" | "40P01" | "55P03":
            return NotReady(f"{capital(peer)} was busy with the same rows (“{words}”). It is tried again by itself.")
        case "57P01" | "57P02" | "57P03":
            return NotReady(f"{capital(peer)} was stopped or restarted meanwhile. It is tried again by itself.")
        case "25006":
            return NotReady(
                f"{capital(peer)} is a copy that cannot be written. Enter the main server's address, or wait until "
                "its administrator has switched over."
            )
        case "":
            return NotReady(f"The connection to {peer} was lost in the middle of a statement. It is tried again.")
    if sqlstate[:2] in ("08", "53", "58", "XX"):
        return NotReady(f"{capital(peer)} reports a fault of its own (“{words}”). It is tried again by itself.")
    return None
