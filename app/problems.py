"""What only a person can fix: raised by whoever notices it, cleared when it is over, put away once it was read.

All are functions of a connection inside a ``Store.write`` job. Each raises the topics it touches first.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from app.clock import from_ms, utc_now
from app.fleet.text import storable
from app.security.audit import record_act
from app.security.redaction import redact_text
from app.store.changes import raise_topic
from app.store.tables import Problem


@dataclass(frozen=True, slots=True)
class Issue:
    """A problem to raise: something that only a person can fix. ``kind`` is the first part of its key."""

    kind: str
    title: str
    detail: str
    fix: str


def raise_problem(connection: Connection, integration_id: str | None, issue: Issue, now_ms: int) -> None:
    """Raise a problem, or renew the text of the one that stands; its ``since`` stays."""
    key = problem_key(issue.kind, integration_id)
    open_one = (Problem.problem_key == key) & Problem.cleared_at.is_(None)
    texts = {"title": _clean(issue.title), "detail": _clean(issue.detail), "fix": issue.fix}
    query = select(Problem.id, Problem.title, Problem.detail, Problem.fix).where(open_one)
    standing = connection.execute(query).first()
    if standing is not None and (standing.title, standing.detail, standing.fix) == tuple(texts.values()):
        return
    version = raise_topic(connection, "problems")
    if standing is not None:
        connection.execute(update(Problem).where(open_one).values(**texts, changed_version=version))
        return
    connection.execute(
        insert(Problem).values(
            problem_key=key,
            integration_id=integration_id,
            since=from_ms(now_ms),
            changed_version=version,
            **texts,
        )
    )


def clear_problems(connection: Connection, integration_id: str | None, kinds: frozenset[str], now_ms: int) -> None:
    """Mark the open problems of these kinds as over; nothing is written where there are none."""
    keys = [problem_key(kind, integration_id) for kind in sorted(kinds)]
    open_ones = Problem.problem_key.in_(keys) & Problem.cleared_at.is_(None)
    if connection.execute(select(Problem.id).where(open_ones).limit(1)).first() is None:
        return
    version = raise_topic(connection, "problems")
    change = {"cleared_at": from_ms(now_ms), "changed_version": version}
    connection.execute(update(Problem).where(open_ones).values(change))


def problem_key(kind: str, integration_id: str | None) -> str:
    return kind if integration_id is None else f"{kind}:{integration_id}"


def put_away(connection: Connection, problem_id: int) -> None:
    """An operator has read a problem that tells of something past; nothing happens where it is over already."""
    version = raise_topic(connection, "problems")
    row = Problem.id == problem_id
    title = connection.execute(select(Problem.title).where(row, Problem.cleared_at.is_(None))).scalar_one_or_none()
    if title is None:
        return
    connection.execute(update(Problem).where(row).values(cleared_at=utc_now(), changed_version=version))
    record_act(connection, what="problem.put_away", subject=title)


def _clean(text: str) -> str:
    """Without secrets, and without what a peer's answer may hold and a database cannot."""
    return storable(redact_text(text))
