"""What the follower of alarms keeps in the store: how far it has read, its spells, and where everybody was then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from app.alarms.fixes import NO_ALARM
from app.alarms.motion import MotionJudge, Place, SpellKey
from app.alarms.spells import Spell
from app.alarms.subjects import Subject
from app.fleet.queries import newest_position_id
from app.store.facts import get_fact, set_fact
from app.store.store import Store
from app.store.tables import AlarmSpell, PositionRow

FACT = "alarms_upto"
_DEVICES_PER_READ = 100


@dataclass(frozen=True, slots=True)
class Upto:
    """How far everything has been judged: ids of positions and events, versions of fuel events and fences.

    ``rules``: the version of each rule as it was judged by; one that is not here begins anew.
    """

    positions: int = 0
    events: int = 0
    fuel_events: int = 0
    geofences: int = 0
    rules: Mapping[str, int] = field(default_factory=dict)


def load_upto(connection: Connection, newest_event: int) -> Upto:
    """How far it was judged; at the very first start, what is there already is history and raises nothing."""
    fact = get_fact(connection, FACT)
    if fact is None:
        return Upto(positions=newest_position_id(connection), events=newest_event)
    return Upto(**{name: fact[name] for name in Upto.__dataclass_fields__ if name in fact})


def save_upto(connection: Connection, upto: Upto) -> None:
    set_fact(connection, FACT, {**asdict(upto), "rules": dict(upto.rules)})


def load_spells(connection: Connection, places: Mapping[str, Place]) -> dict[SpellKey, Spell]:
    """The spells under way. One was last seen to last at the subject's newest fix."""
    found: dict[SpellKey, Spell] = {}
    for row in connection.execute(select(AlarmSpell.__table__)):
        place = places.get(row.subject)
        last_ms = row.since_ms if place is None else max(row.since_ms, place.at_ms)
        key = (row.rule_id, row.subject, row.fence_id)
        found[key] = Spell(row.since_ms, last_ms, row.is_confirmed, row.is_raised, row.out_since_ms)
    return found


def save_spells(connection: Connection, judge: MotionJudge, keys: Iterable[SpellKey]) -> None:
    """Write the spells of these keys as they are now; those that are over go."""
    rows: list[dict[str, Any]] = []
    for rule_id, subject, fence_id in keys:
        at = (AlarmSpell.rule_id == rule_id) & (AlarmSpell.subject == subject) & (AlarmSpell.fence_id == fence_id)
        connection.execute(delete(AlarmSpell).where(at))
        spell = judge.spell((rule_id, subject, fence_id))
        if spell is not None:
            since_ms, is_confirmed, is_raised, out_since_ms = spell.stored()
            rows.append(
                {
                    "rule_id": rule_id,
                    "subject": subject,
                    "fence_id": fence_id,
                    "since_ms": since_ms,
                    "is_confirmed": is_confirmed,
                    "is_raised": is_raised,
                    "out_since_ms": out_since_ms,
                }
            )
    if rows:
        connection.execute(insert(AlarmSpell), rows)


def load_places(store: Store, subjects: Sequence[Subject], upto_id: int) -> dict[str, Place]:
    """Where each subject was at the newest good fix that was judged; a few trackers per transaction."""
    wanted = [(device_key, subject.id) for subject in subjects for device_key in subject.devices]
    places: dict[str, Place] = {}
    position = PositionRow
    for start in range(0, len(wanted), _DEVICES_PER_READ):
        with store.read() as connection:
            for device_key, subject_id in wanted[start : start + _DEVICES_PER_READ]:
                row = connection.execute(
                    select(position.fixed_at_ms, position.lat, position.lon)
                    .where(
                        position.device_key == device_key,
                        position.id <= upto_id,
                        position.marks.bitwise_and(NO_ALARM) == 0,
                    )
                    .order_by(position.fixed_at_ms.desc())
                    .limit(1)
                ).first()
                known = places.get(subject_id)
                if row is not None and (known is None or known.at_ms < row.fixed_at_ms):
                    places[subject_id] = Place(*row)
    return places
