"""Looking for records of different systems that are probably the same.

Never every record against every other: records meet only where they share a code, a trade item number, an address, a
phone, a whole name, a cell of the map, or a rare word. Whoever finds a sure partner by the first of these is not
looked at by the last.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from app.fleet.geo import METRES_PER_DEGREE
from app.identity.evidence import DEFAULT_WITHIN_M, RIVAL_COSTS, SHOWN, SURE, Evidence, Subject, compare, subject
from app.identity.kinds import TABLES, Known
from app.identity.medicines import Medicine, added_up
from app.identity.people import email_key, phone_key
from app.identity.words import with_slips

MOST_IN_BLOCK = 60
"""Records that share something so common tell nothing by it; a block larger than this is left out."""
RARE_WORDS = 2
_RIVAL_WITHIN = 10


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Two records, ``low`` sorting before ``high``. ``rival`` fits one of them about as well."""

    low: Known
    high: Known
    evidence: Evidence
    rival: Known | None = None

    @property
    def score(self) -> int:
        return self.evidence.score - (RIVAL_COSTS if self.rival is not None else 0)

    @property
    def is_certain(self) -> bool:
        """Equal code and agreeing name, and nothing else that fits: what may be joined by the rule."""
        return self.evidence.codes_equal and self.evidence.names_agree and self.rival is None and self.score >= SURE


def find_suggestions(
    kind: str,
    records: Sequence[Known],
    *,
    within_m: float = DEFAULT_WITHIN_M,
    identities: Mapping[str, str] | None = None,
    declined: Iterable[tuple[str, str]] = (),
) -> list[Suggestion]:
    """The best pairs, the surest first: at most one for each record and other system.

    ``identities`` are the joins that stand (record id → identity id), ``declined`` pairs that somebody said no to; a
    decline holds between all records of the identities of both.
    """
    return _Search(kind, records, within_m, identities or {}, declined).run()


class _Search:
    def __init__(
        self,
        kind: str,
        records: Sequence[Known],
        within_m: float,
        identities: Mapping[str, str],
        declined: Iterable[tuple[str, str]],
    ) -> None:
        self.kind = kind
        self.within_m = within_m
        self.one_each = TABLES[kind].one_each
        self.subjects = [subject(kind, at, record) for at, record in enumerate(records)]
        self.owner = [identities.get(record.id, record.id) for record in records]
        self.sources: dict[str, set[str]] = defaultdict(set)  # identity → systems it has a record of
        for record, owner in zip(records, self.owner, strict=True):
            self.sources[owner].add(record.source_id)
        self.declined = {frozenset((identities.get(one, one), identities.get(other, other))) for one, other in declined}
        self.found: dict[tuple[int, int], Evidence] = {}
        self.seen: set[tuple[int, int]] = set()

    def run(self) -> list[Suggestion]:
        systems = {one.known.source_id for one in self.subjects}
        if self.one_each and len(systems) < 2:
            return []
        for keys in (_code_keys, _gtin_keys, _contact_keys, _name_keys):
            self._meet(self._blocks(keys(one) for one in self.subjects))
        if self.kind == "facility":
            self._meet(self._cells())
        settled = {at for pair, evidence in self.found.items() if evidence.score >= SURE for at in pair}
        self._meet(self._rare_words(settled, systems))
        return self._choose()

    # Who meets whom

    def _blocks(self, keys: Iterable[Iterable[Hashable]]) -> Iterator[list[int]]:
        blocks: dict[Hashable, list[int]] = defaultdict(list)
        for at, some in enumerate(keys):
            for key in some:
                blocks[key].append(at)
        return (block for block in blocks.values() if len(block) > 1)

    def _cells(self) -> Iterator[list[int]]:
        """Neighbours on a grid of twice the distance, laid four times so that no border parts two of them."""
        size = 2 * max(self.within_m, 1.0) / METRES_PER_DEGREE
        blocks: dict[Hashable, list[int]] = defaultdict(list)
        for one in self.subjects:
            lat, lon = one.known.lat, one.known.lon
            if lat is None or lon is None:
                continue
            wide = size / max(0.05, math.cos(math.radians(lat)))
            row, column = lat / size, lon / wide
            for shift, (down, right) in enumerate(((0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.5, 0.5))):
                blocks[shift, math.floor(row + down), math.floor(column + right)].append(one.at)
        return (block for block in blocks.values() if len(block) > 1)

    def _rare_words(self, settled: set[int], systems: set[str]) -> Iterator[list[int]]:
        """By the rarest words of each name, for those that have found nobody sure in the one other system."""
        rest = [one for one in self.subjects if len(systems) > 2 or not self.one_each or one.at not in settled]
        counts = Counter(word for one in rest for word in one.name.words)
        blocks: dict[Hashable, list[int]] = defaultdict(list)
        for one in rest:
            rarest = sorted(one.name.words, key=lambda word: (counts[word], word))[:RARE_WORDS]
            for strength in _strengths(one):
                for word in {form for rare in rarest for form in with_slips(rare)}:
                    blocks[word, strength].append(one.at)
        return (block for block in blocks.values() if len(block) > 1)

    def _meet(self, blocks: Iterator[list[int]]) -> None:
        for block in blocks:
            if len(block) > MOST_IN_BLOCK:
                continue
            for place, one in enumerate(block):
                for other in block[place + 1 :]:
                    self._compare(one, other)

    def _compare(self, one: int, other: int) -> None:
        a, b = self.subjects[one], self.subjects[other]
        if self.one_each and a.known.source_id == b.known.source_id:
            return
        pair = (one, other) if one < other else (other, one)
        if pair in self.seen:
            return
        self.seen.add(pair)
        mine, theirs = self.owner[one], self.owner[other]
        if mine == theirs or frozenset((mine, theirs)) in self.declined:
            return
        if self.one_each and self.sources[mine] & self.sources[theirs]:
            return
        evidence = compare(self.kind, a, b, self.within_m)
        if evidence is not None and evidence.score >= SHOWN:
            self.found[pair] = evidence

    # Which of them are suggested

    def _choose(self) -> list[Suggestion]:
        """The best first; a record that has its best partner in a system takes no second one there."""
        order = sorted(self.found.items(), key=lambda entry: (-entry[1].score, entry[0]))
        best: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)  # (identity, system) → (score, partner)
        for (one, other), evidence in order:
            for at, partner in ((one, other), (other, one)):
                best[self._slot(at, partner)].append((evidence.score, partner))
        taken: set[tuple[str, str]] = set()
        chosen: list[Suggestion] = []
        for (one, other), evidence in order:
            slots = (self._slot(one, other), self._slot(other, one))
            if any(slot in taken for slot in slots):
                continue
            taken.update(slots)
            rival = self._rival(best, slots, (one, other), evidence.score)
            low, high = sorted((self.subjects[one].known, self.subjects[other].known), key=lambda known: known.id)
            suggestion = Suggestion(low, high, evidence, rival)
            if suggestion.score >= SHOWN - RIVAL_COSTS:
                chosen.append(suggestion)
        chosen.sort(key=lambda suggestion: (-suggestion.score, suggestion.low.id, suggestion.high.id))
        return chosen

    def _slot(self, at: int, partner: int) -> tuple[str, str]:
        system = self.subjects[partner].known.source_id if self.one_each else self.owner[partner]
        return self.owner[at], system

    def _rival(
        self,
        best: Mapping[tuple[str, str], list[tuple[int, int]]],
        slots: tuple[tuple[str, str], tuple[str, str]],
        pair: tuple[int, int],
        score: int,
    ) -> Known | None:
        """Another record of the same system that fits about as well; its identity's other records are none."""
        mine = {self.owner[at] for at in pair}
        for slot in slots:
            for other_score, partner in best[slot]:
                if other_score < score - _RIVAL_WITHIN:
                    break
                if partner not in pair and self.owner[partner] not in mine:
                    return self.subjects[partner].known
        return None


def _code_keys(one: Subject) -> tuple[Hashable, ...]:
    return (one.code,) if one.code else ()


def _gtin_keys(one: Subject) -> tuple[Hashable, ...]:
    return (one.known.gtin,) if one.known.gtin else ()


def _contact_keys(one: Subject) -> tuple[Hashable, ...]:
    return tuple(key for key in (email_key(one.known.email), phone_key(one.known.phone)) if key)


def _name_keys(one: Subject) -> tuple[Hashable, ...]:
    return (one.name.key,) if one.name.words else ()


def _strengths(one: Subject) -> tuple[Hashable, ...]:
    """A word alone is shared by all strengths of a medicine; with one strength it is rare enough."""
    if isinstance(one.name, Medicine):
        return tuple({value for value, _unit in one.name.strengths} | {added_up(one.name)})
    return (one.name.numbers,)
