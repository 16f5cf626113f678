"""Departure checks: what is in order before a batch leaves, what is not and what to do; overrides with a reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from app import platform
from app.clock import to_ms
from app.deliveries.batch import need_batch
from app.deliveries.errors import DeliveryError, NotFound
from app.fleet.text import storable
from app.fleet.times import iso
from app.security.audit import record_act
from app.store.changes import raise_topic
from app.store.ids import new_id
from app.store.tables import DepartureCheck

LEAST_REASON = 10
"""Characters of a reason; the driver app asks for as many (biko.md 4.10)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``ok`` None: it cannot be told. ``advice`` is what to do, "" for nothing."""

    check: str
    label: str
    ok: bool | None
    detail: str
    advice: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "check": self.check,
            "label": self.label,
            "ok": self.ok,
            "detail": self.detail,
            "advice": self.advice,
        }


@dataclass(frozen=True, slots=True)
class CheckListing:
    """A check as it is kept."""

    id: str
    batch_id: str
    checked_at: datetime
    is_ready: bool
    findings: Sequence[Mapping[str, Any]]
    overridden_by: str
    override_reason: str

    @property
    def checked_ms(self) -> int:
        return to_ms(self.checked_at)

    @property
    def may_leave(self) -> bool:
        return self.is_ready or bool(self.override_reason)

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id, "batch_id": self.batch_id, "checked_at": iso(self.checked_at), "is_ready": self.is_ready,
            "findings": [dict(one) for one in self.findings], "overridden_by": self.overridden_by,
            "override_reason": self.override_reason,
        }  # fmt: skip


def is_ready(findings: Sequence[Finding]) -> bool:
    """Whether everything that was looked at is known to be in order: what cannot be told is not in order."""
    return all(finding.ok is True for finding in findings)


def keep_check(
    connection: Connection, batch_id: str, findings: Sequence[Finding], *, now: datetime, who: str | None = None
) -> str:
    """Keep what was found; returns the check's id. Raises NotFound."""
    version = raise_topic(connection, "deliveries")
    batch = need_batch(connection, batch_id)
    check_id = new_id()
    row = {
        "id": check_id,
        "batch_id": batch_id,
        "checked_at": now,
        "is_ready": is_ready(findings),
        "findings": [finding.as_json() for finding in findings],
        "changed_version": version,
    }
    connection.execute(insert(DepartureCheck).values(**row))
    open_ones = [finding.check for finding in findings if finding.ok is not True]
    after = {"ready": is_ready(findings), "open": open_ones}
    record_act(connection, what="departure.check", subject=f"Batch {batch.name}", before=None, after=after, who=who)
    return check_id


def override_check(
    connection: Connection, check_id: str, reason: str, *, now: datetime, who: str | None = None
) -> CheckListing:
    """Let a batch go although not everything is in order. Raises NotFound, DeliveryError."""
    version = raise_topic(connection, "deliveries")
    check = _check(connection, check_id)
    reason = storable(" ".join(reason.split()), 2_000)
    if check.is_ready:
        raise DeliveryError("Everything was in order at this check, so there is nothing to override.")
    if check.override_reason:
        raise DeliveryError(f"{check.overridden_by} has let it go already: {check.override_reason}")
    if len(reason) < LEAST_REASON:
        raise DeliveryError(f"Say in at least {LEAST_REASON} characters why it may leave: it is kept with the check.")
    newer = last_check(connection, check.batch_id)
    if newer is not None and newer.id != check_id:
        raise DeliveryError("The batch was checked again since. Look at the newer check.")
    who = storable(who or platform.console_user(), 200)
    values = {"overridden_by": who, "override_reason": reason, "changed_version": version}
    connection.execute(update(DepartureCheck).where(DepartureCheck.id == check_id).values(**values))
    batch = need_batch(connection, check.batch_id)
    open_ones = [finding.get("check") for finding in check.findings if finding.get("ok") is not True]
    record_act(
        connection,
        what="departure.override",
        subject=f"Batch {batch.name}",
        before={"open": open_ones},
        after={"reason": reason, "at": iso(now)},
        who=who,
    )
    return _check(connection, check_id)


def last_check(connection: Connection, batch_id: str) -> CheckListing | None:
    """The newest check of a batch."""
    query = select(DepartureCheck.__table__).where(DepartureCheck.batch_id == batch_id)
    row = connection.execute(
        query.order_by(DepartureCheck.checked_at.desc(), DepartureCheck.id.desc()).limit(1)
    ).one_or_none()
    return None if row is None else _listing(row)


def _check(connection: Connection, check_id: str) -> CheckListing:
    row = connection.execute(select(DepartureCheck.__table__).where(DepartureCheck.id == check_id)).one_or_none()
    if row is None:
        raise NotFound(f"There is no departure check with the id {check_id}.")
    return _listing(row)


def _listing(row: Any) -> CheckListing:
    return CheckListing(
        row.id, row.batch_id, row.checked_at, row.is_ready, row.findings, row.overridden_by, row.override_reason
    )
