"""Names of facilities and programmes in parts: the place that tells them apart, and what kind of house it is.

``PHC Karu``, ``Karu Primary Health Centre`` and ``Karu Pry. Health Care Center`` are the same; Karu General Hospital is
another one, and so is ``Karu PHC II``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from app.identity.medicines import Comparison
from app.identity.words import folded, overlap, skeleton

_PHRASES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(rf"\b(?:{pattern})(?![a-z])"), f" {plain} ")
    for pattern, plain in (
        (r"p\.?h\.?c\.?c?\.?", "=phc"),
        (r"(?:primary|pry|prim)\.?\s+health\s*-?\s*(?:care)?\s*(?:cent(?:er|re)|ctr|clinic)?", "=phc"),
        (r"comp(?:rehensive|\.)?\s+health\s+(?:cent(?:er|re)|ctr)|c\.?h\.?c\.?", "=phc comprehensive"),
        (r"(?:basic\s+)?health\s+(?:cent(?:er|re)|ctr)|b?h/?c\b\.?", "=hc"),
        (r"maternal\s+(?:and|&)?\s*child\s+(?:health\s+)?(?:care\s+)?(?:clinic|cent(?:er|re))?", "=mch"),
        (r"m\.?c\.?h\.?|mchc", "=mch"),
        (r"gen(?:eral|\.)?\s*hosp(?:ital|\.)?|g\.?h\.?", "=hospital general"),
        (r"cottage\s+hosp(?:ital|\.)?", "=hospital cottage"),
        (r"(?:university\s+)?teaching\s+hosp(?:ital|\.)?|u\.?t\.?h\.?", "=hospital teaching"),
        (r"(?:state\s+)?spec(?:ialist|\.)?\s+hosp(?:ital|\.)?", "=hospital specialist"),
        (r"fed(?:eral|\.)?\s+med(?:ical|\.)?\s+(?:cent(?:er|re)|ctr)|f\.?m\.?c\.?", "=hospital federal"),
        (r"hosp(?:ital|\.)?", "=hospital"),
        (r"(?:health|h)\s*/?\s*post|h/?p\b\.?", "=post"),
        (r"disp(?:ensary|\.)?", "=dispensary"),
        (r"maternity(?:\s+(?:home|cent(?:er|re)|clinic))?|mat\.", "=maternity"),
        (r"model\s+clinic|health\s+clinic|clinic|clin\.?", "=clinic"),
        (r"(?:central|state|zonal|federal)\s+med(?:ical|\.)?\s+stores?|c\.?m\.?s\.?", "=store central"),
        (r"(?:medical|drug|cold)?\s*(?:stores?|depot|warehouse)", "=store"),
        (r"lab(?:oratory|\.)?", "=laboratory"),
        (r"pharm(?:acy|\.)?", "=pharmacy"),
    )
)  # fmt: skip
_WORDS: dict[str, str] = {
    "center": "centre",
    "ctr": "centre",
    "govt": "government",
    "gov": "government",
    "st": "saint",
    "ung": "unguwan",
    "ang": "unguwan",
    "angwan": "unguwan",
    "anguwan": "unguwan",
    "anguwar": "unguwan",
    "unguwar": "unguwan",
    "ungwan": "unguwan",
    "n": "north",
    "i": "1",
    "ii": "2",
    "iii": "3",
    "iv": "4",
    "one": "1",
    "two": "2",
    "three": "3",
}
_SILENT = {"the", "of", "at", "in", "and", "lga", "state", "nigeria", "ward", "town", "community"}
_TOKEN = re.compile(r"=[a-z]+|[0-9]+|[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class PlaceName:
    """``words`` as skeletons, what tells the place; ``numbers`` of a series; ``houses`` what kind it is, ``closer``
    what is said of the kind beyond.
    """

    words: frozenset[str]
    numbers: tuple[int, ...]
    houses: frozenset[str]
    closer: frozenset[str]

    @property
    def key(self) -> tuple[frozenset[str], tuple[int, ...]]:
        return self.words, self.numbers


_CLOSER = {"general", "cottage", "teaching", "specialist", "federal", "central", "comprehensive"}
_HEALTH_CENTRES = frozenset({"phc", "hc", "clinic", "mch", "maternity", "dispensary"})
"""One system calls a clinic what another calls a health centre. A health post is a level of its own."""


def parse_place(name: str) -> PlaceName:
    """The parts of a facility's name; never fails."""
    text = folded(name).replace("'", "").replace("’", "")
    for pattern, plain in _PHRASES:
        text = pattern.sub(plain, text)
    words: set[str] = set()
    numbers: set[int] = set()
    houses: set[str] = set()
    closer: set[str] = set()
    for token in _TOKEN.findall(text):
        if token[0] == "=":
            houses.add(token[1:])
            continue
        word = _WORDS.get(token, token)
        if word[0] in "0123456789":
            numbers.add(int(word[:9]))
        elif word in _CLOSER and houses:
            closer.add(word)
        elif word not in _SILENT and len(word) > 1:
            words.add(skeleton(word))
    if not words and closer:  # Central Medical Store: there is one
        words = {skeleton(word) for word in closer}
    return PlaceName(frozenset(words), tuple(sorted(numbers)), frozenset(houses), frozenset(closer))


def compare_places(one: PlaceName, other: PlaceName) -> Comparison:
    """Whether two names may be the same place. Its kind and its number forbid it where both tell another."""
    same = 1.0 if one.words == other.words else overlap(one.words, other.words)
    gaps: list[tuple[str, int]] = []
    if one.numbers != other.numbers:
        return Comparison(same, "the numbers differ")
    if one.houses != other.houses:
        if not one.houses or not other.houses:
            gaps.append(("only one says what kind of house it is", 6))
        elif one.houses & other.houses or one.houses | other.houses == {"phc", "hc"}:
            gaps.append(("one describes the kind of house closer", 4))
        elif one.houses <= _HEALTH_CENTRES and other.houses <= _HEALTH_CENTRES:
            gaps.append(("the kind of house is named differently", 12))
        else:
            return Comparison(same, "they are different kinds of houses")
    if one.closer != other.closer:
        if one.closer and other.closer:
            return Comparison(same, "they are different kinds of houses")
        gaps.append(("one describes the kind of house closer", 4))
    return Comparison(same, "", tuple(gaps))
