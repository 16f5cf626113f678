"""Texts of several systems in one form, so that what is written differently and means the same compares equal."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_SEPARATORS = re.compile(r"[\W_]+")
_ZEROS = re.compile(r"(?<![0-9])0+(?=[0-9])")
_NO_CODES = frozenset({"", "0", "na", "nil", "none", "null", "test", "tbd", "unknown", "x", "xx", "xxx"})
_SHORTEST = 5  # a word with fewer letters is another word when one of them differs
NEARLY = 0.99
"""Every word is shared, one or more of them with a slip."""
_SPELLINGS = (("ph", "f"), ("ae", "e"), ("oe", "e"), ("y", "i"), ("ck", "k"), ("x", "ks"))
_DOUBLED = re.compile(r"(.)\1+")


def folded(text: str) -> str:
    """Small letters without accents; wide and ligature forms as plain ones (Unicode's compatibility forms)."""
    if text.isascii():
        return text.lower()
    parts = unicodedata.normalize("NFKD", text).casefold()
    return "".join(part for part in parts if not unicodedata.combining(part))


@lru_cache(maxsize=4_096)
def normal_code(code: str) -> str:
    """A code without spaces, dashes and leading zeros: ``NG-0012 A`` is ``ng12a``; "" for what tells nothing.

    Leading zeros go at each separator and letter: systems pad the number, not the code.
    """
    parts = [_ZEROS.sub("", part) for part in _SEPARATORS.split(folded(code))]
    joined = "".join(parts)
    return "" if joined in _NO_CODES else joined


@lru_cache(maxsize=65_536)
def skeleton(word: str) -> str:
    """A word without what is spelled in several ways: amoxycillin and amoxicillin, sulphate and sulfate."""
    for written, plain in _SPELLINGS:
        word = word.replace(written, plain)
    return _DOUBLED.sub(r"\1", word).removesuffix("e")


def is_near(one: str, other: str) -> bool:
    """At most one letter wrong, missing, too many, or two neighbours exchanged; in short words none.

    Digits are never a slip of the pen.
    """
    if one == other:
        return True
    if min(len(one), len(other)) < _SHORTEST or abs(len(one) - len(other)) > 1:
        return False
    if not (one.isalpha() and other.isalpha()):
        return False
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    a, b = one[start:], other[start:]
    if len(a) == len(b):
        return a[1:] == b[1:] or (a[:2] == b[1::-1] and a[2:] == b[2:])
    return a[1:] == b or a == b[1:]


def with_slips(word: str) -> set[str]:
    """The word, and what is left of it without each of its letters: words that are near share one of these."""
    if len(word) < _SHORTEST or not word.isalpha():
        return {word}
    return {word, *(word[:at] + word[at + 1 :] for at in range(len(word)))}


def overlap(one: frozenset[str], other: frozenset[str]) -> float:
    """Shared words by all words, 0 to 1. Words with one slip count as shared, and keep it below 1: see NEARLY."""
    if not one or not other:
        return 0.0
    shared = len(one & other)
    rest = set(other - one)
    slips = 0
    for word in one - other:
        near = next((another for another in rest if is_near(word, another)), None)
        if near is not None:
            rest.discard(near)
            slips += 1
    found = (shared + slips) / (len(one) + len(other) - shared - slips)
    return min(found, NEARLY) if slips else found
