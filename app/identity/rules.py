"""What the operator chose for the matching: the distance that counts as one place, and what is joined by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from app.identity.errors import IdentityError
from app.identity.evidence import DEFAULT_WITHIN_M
from app.identity.kinds import check_kind
from app.security.audit import record_act
from app.store.changes import raise_topic
from app.store.facts import get_fact, set_fact

FACT = "identity_rules"
LEAST_M, MOST_M = 10.0, 5_000.0


@dataclass(frozen=True, slots=True)
class Rules:
    """``joined`` are the kinds of which records with equal code and agreeing name are joined without asking."""

    joined: frozenset[str] = frozenset()
    within_m: float = DEFAULT_WITHIN_M


def load_rules(connection: Connection) -> Rules:
    fact = get_fact(connection, FACT) or {}
    return Rules(frozenset(fact.get("joined", ())), float(fact.get("within_m", DEFAULT_WITHIN_M)))


def set_rules(
    connection: Connection,
    *,
    joined: Sequence[str] | None = None,
    within_m: float | None = None,
    who: str | None = None,
) -> Rules:
    """Change what is given. Raises IdentityError for a distance out of reach."""
    raise_topic(connection, "identities")
    before = load_rules(connection)
    if within_m is not None and not LEAST_M <= within_m <= MOST_M:
        raise IdentityError(f"The distance must lie between {LEAST_M:.0f} m and {MOST_M:.0f} m.")
    after = Rules(
        before.joined if joined is None else frozenset(check_kind(kind) for kind in joined),
        before.within_m if within_m is None else within_m,
    )
    if after != before:
        sides = [{"joined": sorted(rules.joined), "within_m": rules.within_m} for rules in (before, after)]
        set_fact(connection, FACT, sides[1])
        record_act(connection, what="identity.rules", subject="identity map", before=sides[0], after=sides[1], who=who)
    return after
