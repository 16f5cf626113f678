"""Patterns that an operator writes, over texts that a peer sends: neither may hold up the program.

Python's engine tries every way in which repeats can share a text, and cannot be stopped while it does. So repeats
stand on single characters and classes only, few of them, over a short text: the work then grows with a small power of
its length. What passes is still tried on the worst texts that can be made of it, and refused when it is slow.
"""

from __future__ import annotations

import re
import time
from functools import lru_cache

LONGEST_PATTERN = 200
LONGEST_TEXT = 300
MOST_REPEATS = 2
MOST_OPTIONAL = 2
MOST_CHOICES = 3
SLOWEST_S = 0.05
GROUP = "funder"

_UNSAFE_GROUP = re.compile(r"\(\?(?!P<[A-Za-z_]\w{0,30}>|:)")


def check_pattern(pattern: str) -> str:
    """The pattern itself; "" switches it off. Raises ValueError with what is wrong with it."""
    if pattern:
        _check_form(pattern)
        compiled = compile_pattern(pattern)
        if GROUP not in compiled.groupindex:
            raise ValueError(f"the pattern must hold a group (?P<{GROUP}>…) around the funder's name")
        _check_speed(compiled, pattern)
    return pattern


@lru_cache(maxsize=32)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Raises ValueError for what is no pattern."""
    try:
        return re.compile(pattern, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as err:
        raise ValueError(f"this is no regular expression: {err}") from err


def find_funder(pattern: str, text: str) -> str:
    """The funder that the pattern finds in the beginning of a text; "" for none."""
    found = compile_pattern(pattern).search(text[:LONGEST_TEXT]) if pattern else None
    return (found[GROUP] or "").strip() if found else ""


def _check_form(pattern: str) -> None:
    if len(pattern) > LONGEST_PATTERN:
        raise ValueError(f"a pattern has at most {LONGEST_PATTERN} characters")
    if _UNSAFE_GROUP.search(pattern):
        raise ValueError("of the groups with a question mark only (?:…) and (?P<name>…) are taken")
    repeats = optional = choices = 0
    before = ""
    for piece in _pieces(pattern):
        if piece[0] in "*+?{" and len(piece) < 12:
            if before == ")":
                raise ValueError("a group must not be repeated; repeat a character or a class such as [^;] instead")
            if before and before[0] in "*+?{":
                if piece == "?":  # a lazy repeat tries the same ways in another order
                    continue
                raise ValueError("a repeat must not be repeated")
            repeats += piece != "?"
            optional += piece == "?"
        choices += piece == "|"
        if piece[0] == "\\" and len(piece) > 1 and piece[1].isdigit():
            raise ValueError("references to earlier groups are not taken")
        before = piece
    if repeats > MOST_REPEATS or optional > MOST_OPTIONAL or choices > MOST_CHOICES:
        raise ValueError(
            f"a pattern has at most {MOST_REPEATS} repeats (*, +, {{}}), {MOST_OPTIONAL} question marks and "
            f"{MOST_CHOICES} choices (|)"
        )


def _pieces(pattern: str) -> list[str]:
    """Escapes, classes, repeats and single characters; a group's head counts as its bracket."""
    found: list[str] = []
    at = 0
    while at < len(pattern):
        end = at + 1
        if pattern[at] == "\\":
            end = at + 2
        elif pattern[at] == "[":
            end = _class_end(pattern, at)
        elif pattern[at] == "{" and (repeat := re.compile(r"\{\d*,?\d*\}").match(pattern, at)):
            end = repeat.end()
        elif pattern.startswith("(?", at):
            head = re.compile(r"\(\?(P<\w+>|:)").match(pattern, at)
            end = head.end() if head else at + 2
        found.append(pattern[at:end])
        at = end
    return found


def _class_end(pattern: str, at: int) -> int:
    """Where a class ends; a closing bracket right at its beginning belongs to it."""
    end = at + 1
    end += pattern[end : end + 1] == "^"
    end += pattern[end : end + 1] == "]"
    while end < len(pattern) and pattern[end] != "]":
        end += 2 if pattern[end] == "\\" else 1
    return end + 1


def _check_speed(compiled: re.Pattern[str], pattern: str) -> None:
    characters = {"a", " ", ";", "0", *(char for char in pattern if char.isprintable())}
    for char in sorted(characters)[:40]:
        for text in (char * LONGEST_TEXT, f"{GROUP}:{char * LONGEST_TEXT}"):
            began = time.thread_time()  # other programs' work is none of the pattern's
            compiled.search(text[:LONGEST_TEXT])
            if time.thread_time() - began > SLOWEST_S:
                raise ValueError("this pattern takes too long on some texts; write it simpler")
