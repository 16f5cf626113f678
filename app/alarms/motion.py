"""Speed and fences: fixes judged against every rule, whole batches at once, vehicle by vehicle only where one is due.

In order of time each vehicle has one line of fixes, from whichever of its trackers they came. What arrives behind
that line (a memory that a tracker empties after its newest fix) is judged by itself, as what it is: the past. It
raises alarms that carry their own times and are over already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.alarms.findings import Clear, Finding, Raise
from app.alarms.fixes import FAR_OUT_OF_ORDER_MS, NEVER, Fixes
from app.alarms.geometry import Bools, Floats, Neighbourhoods, Shape
from app.alarms.hours import counts
from app.alarms.motion_words import Told, begun, over
from app.alarms.rules import FenceRule, FenceScope, Rule, SpeedRule, StayRule
from app.alarms.spells import Holds, Spell, Turn, advance
from app.alarms.subjects import Subject, Subjects
from app.alarms.words import Kind

SPEED_OUT_MS = 0
"""A vehicle at its limit again is at its limit: what flaps is held together in :mod:`app.alarms.lifecycle`."""

Pair = tuple[str, str]
"""A rule and the fence it looks at, "" for a limit."""

SpellKey = tuple[str, str, str]
"""Rule, subject, fence."""


@dataclass(frozen=True, slots=True)
class Place:
    """The newest fix that was judged for a subject."""

    at_ms: int
    lat: float
    lon: float


@dataclass(frozen=True, slots=True)
class _Watch:
    """One rule at one fence over one batch: which fixes are on, and which are off."""

    rule: Rule
    shape: Shape | None
    on: Bools
    off: Bools
    holds: Holds
    limit_km_h: Floats | None = None

    @property
    def pair(self) -> Pair:
        return (self.rule.id, "" if self.shape is None else self.shape.id)


class MotionJudge:
    """What all rules of motion remember. Not thread-safe; ``dirty`` are the spells to be written with the findings."""

    def __init__(
        self,
        rules: Sequence[Rule],
        shapes: Sequence[Shape],
        subjects: Subjects,
        places: Mapping[str, Place],
        spells: Mapping[SpellKey, Spell],
    ) -> None:
        self._places = dict(places)
        self._spells: dict[Pair, dict[str, Spell]] = {}
        self.dirty: set[SpellKey] = set()
        for (rule_id, subject, fence_id), spell in spells.items():
            self._spells.setdefault((rule_id, fence_id), {})[subject] = spell
        self.set_up(rules, shapes, subjects)

    def set_up(self, rules: Sequence[Rule], shapes: Sequence[Shape], subjects: Subjects) -> None:
        """Other rules, fences or vehicles from now on; what is remembered of those that stay, stays."""
        self.subjects = subjects
        self._rules = [rule for rule in rules if rule.is_enabled and isinstance(rule.settings, FenceScope)]
        self._shapes = {shape.id: shape for shape in shapes}
        self._covered = {
            rule.id: np.array([rule.covers(subject.vehicle_id) for subject in subjects.all], np.bool_)
            for rule in self._rules
        }
        self._place_of_id = {subject.id: place for place, subject in enumerate(subjects.all)}
        self._neighbourhoods = Neighbourhoods(shapes)
        margins = [rule.settings.margin_m for rule in self._rules if isinstance(rule.settings, FenceRule)]
        self._widest_m = float(max(margins, default=0))
        wanted = {rule.id: {shape.id for shape in self._shapes_of(rule)} | {""} for rule in self._rules}
        for rule_id, fence_id in list(self._spells):
            if fence_id not in wanted.get(rule_id, ()):
                self.forget(rule_id, fence_id)

    def spell(self, key: SpellKey) -> Spell | None:
        rule_id, subject, fence_id = key
        return self._spells.get((rule_id, fence_id), {}).get(subject)

    def forget(self, rule_id: str, fence_id: str | None = None) -> None:
        """Forget what a rule remembers, of one fence or of all."""
        for pair in [pair for pair in self._spells if pair[0] == rule_id and fence_id in (None, pair[1])]:
            self.dirty.update((rule_id, subject, pair[1]) for subject in self._spells.pop(pair))

    def forget_fences(self, fence_ids: Iterable[str]) -> None:
        gone = frozenset(fence_ids)
        for rule_id, fence_id in [pair for pair in self._spells if pair[1] in gone]:
            self.forget(rule_id, fence_id)

    def begin(self, rule_ids: frozenset[str], fence_ids: frozenset[str] = frozenset()) -> None:
        """Take note, in silence, of who is inside now: a new rule or a moved fence tells of changes from here on."""
        where = [(at, self._places.get(subject.id)) for at, subject in enumerate(self.subjects.all)]
        known = [(at, place) for at, place in where if place is not None]
        lat, lon = np.array([place.lat for _, place in known]), np.array([place.lon for _, place in known])
        for rule in self._rules:
            if rule.kind is Kind.SPEED:
                continue
            for shape in self._shapes_of(rule):
                if not known or (rule.id not in rule_ids and shape.id not in fence_ids):
                    continue
                for row in np.flatnonzero(shape.contains(lat, lon)):
                    at, place = known[int(row)]
                    if self._covered[rule.id][at]:
                        spell = Spell(place.at_ms, place.at_ms, is_confirmed=True)
                        self._put((rule.id, shape.id), self.subjects.all[at].id, spell)

    def judge(self, fixes: Fixes) -> list[Finding]:
        """What a batch of fixes tells; fixes are remembered, so each must be given once."""
        newest = np.array([self._newest(subject) for subject in self.subjects.all], np.int64)
        behind = newest[fixes.place] - fixes.at_ms if len(fixes) else np.empty(0, np.int64)
        live, late = fixes.part(behind < 0), fixes.part((behind > 0) & (behind <= FAR_OUT_OF_ORDER_MS))
        for part in (live, late):
            part.near = self._neighbourhoods.near(part.lat, part.lon, self._widest_m)
        found = self._live(live) if len(live) else []
        return [*found, *self._past(late)] if len(late) else found

    def _newest(self, subject: Subject) -> int:
        place = self._places.get(subject.id)
        return NEVER if place is None else place.at_ms

    # Each rule over one batch

    def _watches(self, fixes: Fixes, *, with_spells: bool) -> Iterable[_Watch]:
        """What may tell something of these fixes; most rules at most fences do not."""
        for rule in self._rules:
            covered = self._covered[rule.id][fixes.place]
            if not covered.any():
                continue
            if rule.kind is Kind.SPEED:
                yield self._speed_watch(rule, fixes, covered)
                continue
            said = rule.said(FenceRule)
            holds = Holds(said.hold_s * 1000, said.hold_s * 1000)
            for shape in self._shapes_of(rule):
                has_spells = with_spells and (rule.id, shape.id) in self._spells
                if not has_spells and shape.id not in fixes.near:
                    continue
                on = fixes.inside(shape) & covered
                if has_spells or on.any():
                    yield _Watch(rule, shape, on, ~fixes.inside(shape, said.margin_m), holds)

    def _speed_watch(self, rule: Rule, fixes: Fixes, covered: Bools) -> _Watch:
        said = rule.said(SpeedRule)
        limit = np.full(len(fixes), np.inf)
        if said.limit == "fixed" and not said.fences:
            limit[:] = said.limit_km_h
        else:
            for shape in self._shapes_of(rule):
                allowed = said.limit_km_h if said.limit == "fixed" else shape.speed_limit_km_h
                if allowed is not None and allowed > 0:
                    inside = fixes.inside(shape)
                    limit[inside] = np.minimum(limit[inside], allowed)
        with np.errstate(invalid="ignore"):
            on = (fixes.speed_km_h > limit + said.tolerance_km_h) & covered
            off = fixes.speed_km_h <= limit
        return _Watch(rule, None, on, off, Holds(said.hold_s * 1000, SPEED_OUT_MS), limit)

    def _shapes_of(self, rule: Rule) -> list[Shape]:
        chosen: tuple[str, ...] = getattr(rule.settings, "fences", ())
        if not chosen:
            return list(self._shapes.values())
        return [self._shapes[one] for one in chosen if one in self._shapes]

    def _live(self, fixes: Fixes) -> list[Finding]:
        found: list[Finding] = []
        rows_of = fixes.rows_by_place()
        for watch in self._watches(fixes, with_spells=True):
            known = self._spells.get(watch.pair, {})
            for place in self._due(watch, fixes, known, rows_of):
                subject = self.subjects.all[place]
                rows = rows_of[place]
                spell = known.get(subject.id)
                before = None if spell is None else spell.stored()
                is_first = subject.id not in self._places and watch.shape is not None
                after = _walk(watch, fixes, rows, spell, subject, found.append, is_first=is_first)
                if (None if after is None else after.stored()) != before:
                    self._put(watch.pair, subject.id, after)
                elif after is not None:
                    known[subject.id] = after
        self._remember(fixes)
        return found

    def _due(self, watch: _Watch, fixes: Fixes, known: Mapping[str, Spell], rows_of: Mapping[int, range]) -> list[int]:
        """The subjects of the batch that this watch has to look at one by one: most are due nowhere."""
        due = set(fixes.place[watch.on].tolist())
        due.update(place for one in known if (place := self._place_of_id.get(one, -1)) in rows_of)
        return sorted(due)

    def _past(self, fixes: Fixes) -> list[Finding]:
        """Late fixes by themselves: every alarm in them is over by the last of them at the latest."""
        found: list[Finding] = []
        rows_of = fixes.rows_by_place()
        for watch in self._watches(fixes, with_spells=False):
            for place in self._due(watch, fixes, {}, rows_of):
                told: list[Finding] = []
                rows = rows_of[place]
                subject = self.subjects.all[place]
                _walk(watch, fixes, rows, None, subject, told.append, is_first=watch.shape is not None)
                found.extend(_ended(told, int(fixes.at_ms[rows[-1]])))
        return found

    def _remember(self, fixes: Fixes) -> None:
        last = np.flatnonzero(np.diff(fixes.place, append=-1))
        for row in last.tolist():
            subject = self.subjects.all[fixes.place[row]]
            self._places[subject.id] = Place(int(fixes.at_ms[row]), float(fixes.lat[row]), float(fixes.lon[row]))

    def _put(self, pair: Pair, subject: str, spell: Spell | None) -> None:
        spells = self._spells.setdefault(pair, {})
        if spell is None:
            spells.pop(subject, None)
            if not spells:
                del self._spells[pair]
        else:
            spells[subject] = spell
        self.dirty.add((pair[0], subject, pair[1]))


def _walk(
    watch: _Watch,
    fixes: Fixes,
    rows: range,
    spell: Spell | None,
    subject: Subject,
    tell: Callable[[Finding], None],
    *,
    is_first: bool,
) -> Spell | None:
    """One vehicle's fixes through one watch. ``is_first``: nothing is known of where it was before."""
    for row in rows:
        at_ms, on = int(fixes.at_ms[row]), bool(watch.on[row])
        if is_first and on:
            spell = Spell(at_ms, at_ms, is_confirmed=True)
        is_first = False
        before = spell
        spell, turn = advance(spell, at_ms, on=on, off=bool(watch.off[row]), holds=watch.holds)
        if watch.limit_km_h is not None and spell is not None:
            spell.peak = float(np.fmax(spell.peak, fixes.speed_km_h[row]))
        limit = np.nan if watch.limit_km_h is None else float(watch.limit_km_h[row])
        told = Told(watch.rule, watch.shape, subject, fixes, row, spell or before, limit)
        if turn is not Turn.NONE:
            _tell_turn(watch.rule, turn, told, at_ms, tell)
        if watch.rule.kind is Kind.FENCE_STAY and spell is not None and _has_stayed(watch.rule, spell, at_ms):
            spell.is_raised = True
            tell(begun(told))
    return spell


def _tell_turn(rule: Rule, turn: Turn, told: Told, at_ms: int, tell: Callable[[Finding], None]) -> None:
    if rule.kind is Kind.FENCE_STAY:
        if turn is Turn.ENDED:
            tell(over(told, at_ms))
        return
    begins_with = Turn.ENDED if rule.kind is Kind.FENCE_LEAVE else Turn.BEGAN
    if turn is not begins_with:
        tell(over(told, at_ms))
        return
    said = rule.settings
    if not isinstance(said, FenceRule) or counts(said.hours, said, at_ms):
        tell(begun(told))


def _has_stayed(rule: Rule, spell: Spell, at_ms: int) -> bool:
    said = rule.said(StayRule)
    is_long = spell.is_confirmed and not spell.is_raised and at_ms - spell.since_ms >= said.longer_min * 60_000
    return is_long and counts(said.hours, said, at_ms)


def _ended(found: Sequence[Finding], last_ms: int) -> list[Finding]:
    """Each alarm of the past with its end: what ended it there, else the last that is known of that time."""
    done: list[Finding] = []
    for at, one in enumerate(found):
        if isinstance(one, Raise):
            ends = (other for other in found[at + 1 :] if isinstance(other, Clear) and other.key == one.key)
            end = next(ends, None)
            evidence = (*one.evidence, *(end.evidence if end is not None else ()))
            done.append(replace(one, ended_ms=last_ms if end is None else end.at_ms, evidence=evidence))
    return done
