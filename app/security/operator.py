"""Who is at work: the account that the system knows, and beside it the name that the operator chose.

Several people share one account at a depot's computer. The chosen name says who of them it was; it is a claim, the
account is not, so every act keeps both.
"""

from __future__ import annotations

import unicodedata

from app import platform

LONGEST = 80
VARIABLE = "BIKO_CONSOLE_OPERATOR"
"""Names the operator of one command; the name chosen in the window holds otherwise."""

_chosen = ""  # of this process: a window or a command has one operator, and acts are written on a thread of their own


def fault_of_name(value: object) -> str:
    """What is wrong with a chosen name, as a sentence; "" where nothing is. No name at all is right."""
    if not isinstance(value, str) or len(value) > LONGEST:
        return f"Write a name of at most {LONGEST} letters."
    if value != " ".join(value.split()) or any(unicodedata.category(letter)[0] == "C" for letter in value):
        return "Write the name on one line, without blanks around it."
    if "(" in value or ")" in value:
        return "Write the name without brackets: the account's name stands in them."
    return ""


def choose_operator(name: str) -> None:
    """Let ``name`` stand before the account in every act of this process; "" for the account alone.

    Raises ValueError with a sentence for a name that cannot be.
    """
    global _chosen  # noqa: PLW0603 - one process, one operator
    fault = fault_of_name(name)
    if fault:
        raise ValueError(fault)
    _chosen = name


def chosen_operator() -> str:
    """The chosen name, "" where none was."""
    return _chosen


def present_operator() -> str:
    """For the record: ``Amina Bello (depot)``, or the account's name alone."""
    account = platform.console_user()
    return f"{_chosen} ({account})" if _chosen else account
